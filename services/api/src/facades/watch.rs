//! A task as it changes, for clients that know no other stream: at once, after every change, and until it has ended.

use std::sync::Arc;

use domain::ids::{ProjectId, TaskId};
use infra::runtime::CancellationToken;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{gateway, server};
use crate::App;
use crate::auth::Identity;
use crate::extract::Base;
use crate::live::{Seat, Update};
use crate::problem::Problem;

/// How a task is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As the StoryToVideo server shows it.
    Server,
    /// As the gateway shows it.
    Gateway,
}

/// One client's look at one task.
pub(super) struct Watch {
    app: Arc<App>,
    project: ProjectId,
    task: TaskId,
    base: Base,
    form: Form,
    updates: Receiver<Arc<Update>>,
    shown: Value,
    /// Whether the task may have changed since it was read, and by which version.
    is_old: bool,
    changed_at: u64,
    shutdown: CancellationToken,
    seat: Seat,
}

impl Watch {
    /// Begins to watch a task, if there is room for one more stream.
    pub(super) async fn start(
        app: Arc<App>,
        identity: &Identity,
        task: TaskId,
        (base, form): (Base, Form),
    ) -> Result<Self, Problem> {
        let project = app.task_row(task).await?.project_id;
        let seat = app.seat(identity, project).await?;
        // Subscribed first, and read then: what happens in between is in the queue.
        let updates = app.streams.join(project);
        let shutdown = app.streams.shutdown().clone();
        let shown = Value::Null;
        Ok(Self {
            app,
            project,
            task,
            base,
            form,
            updates,
            shown,
            is_old: true,
            changed_at: 0,
            shutdown,
            seat,
        })
    }

    /// The task as it is now, or how far it is; `None` when nothing more comes. May be dropped at any time.
    pub(super) async fn next(&mut self) -> Option<Value> {
        let (shutdown, over) = (self.shutdown.clone(), self.seat.end().clone());
        tokio::select! {
            news = self.news() => news,
            () = shutdown.cancelled() => None,
            () = over.cancelled() => None,
        }
    }

    /// Whether what let the client in holds no longer.
    pub(super) fn is_over(&self) -> bool {
        self.seat.end().is_cancelled()
    }

    /// Whether the task has ended, and that was shown.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.shown["status"].as_str(), Some("finished" | "failed" | "cancelled"))
    }

    async fn news(&mut self) -> Option<Value> {
        loop {
            // Of what happens at once only the last is read for.
            if self.is_old && self.updates.is_empty() {
                // Otherwise the next look at the head shows it.
                let _ = self.app.wait_until_read(self.project, self.changed_at).await;
                let task = self.look().await.ok()?;
                self.is_old = false;
                if task != self.shown {
                    self.shown.clone_from(&task);
                    return Some(task);
                }
            }
            if self.has_ended() {
                return None;
            }
            match self.updates.recv().await.as_deref() {
                Ok(Update::Progress(text)) => {
                    if let Some(task) = self.with_progress(text) {
                        return Some(task);
                    }
                }
                Ok(Update::Event { text, .. }) if !self.concerns(text) => {}
                Ok(Update::Event { version, .. }) => {
                    (self.is_old, self.changed_at) = (true, *version);
                }
                Ok(Update::Head { .. }) | Err(RecvError::Lagged(_)) => self.is_old = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The gateway shows how far all that a task waits for is, the server the task by itself.
    fn concerns(&self, event: &str) -> bool {
        self.form == Form::Gateway || event.contains(&self.task.to_string())
    }

    async fn look(&self) -> Result<Value, Problem> {
        let _turn = self.app.streams.turn().await;
        match self.form {
            Form::Server => server::view::task(&self.app, self.task, &self.base).await,
            Form::Gateway => gateway::view::task(&self.app, self.task, &self.base).await,
        }
    }

    fn with_progress(&self, report: &str) -> Option<Value> {
        let report: Value = serde_json::from_str(report).ok()?;
        if report["taskId"] != json!(self.task) {
            return None;
        }
        let mut task = self.shown.clone();
        task["progress"] = json!(report["progress"].as_u64().unwrap_or(0));
        task["message"] = json!(report["message"].as_str().unwrap_or_default());
        Some(task)
    }
}
