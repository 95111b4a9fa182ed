//! Starts and ends the tasks of a process: every task is tracked, has a name, and its unexpected end
//! ends the process with an error instead of leaving it half alive.

use std::fmt::Display;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A task ended although nobody had asked it to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{task} ended unexpectedly: {reason}")]
pub struct TaskDied {
    /// The task's name.
    pub task: String,
    /// Its error.
    pub reason: String,
}

/// The tasks of a process or of a part of it.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    shutdown: CancellationToken,
    tracker: TaskTracker,
    first_death: Arc<Mutex<Option<TaskDied>>>,
}

impl Lifecycle {
    /// Cancelled when everything should end.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Runs a task that must not end before the shutdown. If it does, everything ends.
    pub fn spawn<E: Display>(
        &self,
        name: impl Into<String>,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let name = name.into();
        let lifecycle = self.clone();
        let watched = async move {
            let guard = DeathGuard { lifecycle: &lifecycle, name: &name, orderly: false };
            let ended = task.await;
            guard.ended(ended);
        };
        self.track(watched);
    }

    /// Runs a task that may end at any time; its end means nothing to others.
    pub fn spawn_detached(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.track(task);
    }

    fn track(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Waits for the shutdown, then up to `patience` for every task to end.
    pub async fn ended(&self, patience: Duration) -> Result<(), TaskDied> {
        self.shutdown.cancelled().await;
        self.tracker.close();
        if tokio::time::timeout(patience, self.tracker.wait()).await.is_err() {
            tracing::warn!(tasks = self.tracker.len(), "some tasks did not end in time and are dropped");
        }
        let death = self.first_death.lock().unwrap_or_else(PoisonError::into_inner).take();
        death.map_or(Ok(()), Err)
    }
}

/// Notices the end of a task, also by panic.
struct DeathGuard<'a> {
    lifecycle: &'a Lifecycle,
    name: &'a str,
    orderly: bool,
}

impl DeathGuard<'_> {
    fn ended<E: Display>(mut self, result: Result<(), E>) {
        match result {
            Ok(()) if self.lifecycle.shutdown.is_cancelled() => self.orderly = true,
            Ok(()) => self.report("it returned"),
            Err(error) => self.report(&error.to_string()),
        }
    }

    fn report(&mut self, reason: &str) {
        self.orderly = true;
        tracing::error!(task = self.name, reason, "a task died; shutting down");
        let death = TaskDied { task: self.name.to_owned(), reason: reason.to_owned() };
        self.lifecycle.first_death.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(death);
        self.lifecycle.shutdown.cancel();
    }
}

impl Drop for DeathGuard<'_> {
    fn drop(&mut self) {
        if !self.orderly && std::thread::panicking() {
            self.report("it panicked");
        }
    }
}
