//! Says that the worker lives and what it runs, and stops what is not wanted any more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::desk::{LeaseReply, LeaseRequest, RunningJob};
use domain::ids::TaskId;
use futures::StreamExt;
use infra::nats::{BusError, JobMessage};
use infra::runtime::CancellationToken;

use crate::WorkerError;
use crate::providers::Provider;
use crate::run_job::JobRunner;

/// The tasks that this worker deals with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running(Arc<Mutex<Tasks>>);

type Tasks = HashMap<TaskId, DealtWith>;

/// A task that is dealt with.
#[derive(Debug)]
struct DealtWith {
    /// The message that has to be answered: the last one that came for it.
    message: Arc<JobMessage>,
    /// Its run and the token that stops it, once it is claimed.
    run: Option<(RunningJob, CancellationToken)>,
}

/// A task that no other slot takes on until this is dropped.
#[derive(Debug)]
pub(crate) struct TakenOn {
    running: Running,
    task: TaskId,
}

impl Drop for TakenOn {
    fn drop(&mut self) {
        self.running.tasks().remove(&self.task);
    }
}

impl TakenOn {
    /// The message that has to be answered for the task.
    pub(crate) fn message(&self) -> Option<Arc<JobMessage>> {
        self.running.tasks().get(&self.task).map(|task| task.message.clone())
    }
}

impl Running {
    /// Takes a task on before it is claimed. Nothing when it is being dealt with here already, as after a
    /// restart of the server, which delivers again: whoever deals with it answers for this message too.
    pub(crate) fn take_on(&self, message: JobMessage) -> Option<TakenOn> {
        let task = message.job.task;
        let message = Arc::new(message);
        match self.tasks().entry(task) {
            Entry::Occupied(mut place) => {
                place.get_mut().message = message;
                None
            }
            Entry::Vacant(place) => {
                place.insert(DealtWith { message, run: None });
                Some(TakenOn { running: self.clone(), task })
            }
        }
    }

    /// Notes the run of a task that was taken on and claimed.
    pub(crate) fn add(&self, job: RunningJob) -> CancellationToken {
        let stop = CancellationToken::new();
        if let Some(task) = self.tasks().get_mut(&job.task) {
            task.run = Some((job, stop.clone()));
        }
        stop
    }

    fn jobs(&self) -> Vec<RunningJob> {
        self.tasks().values().filter_map(|task| task.run.as_ref()).map(|(job, _)| *job).collect()
    }

    fn stop(&self, task: TaskId) {
        if let Some((_, stop)) = self.tasks().get(&task).and_then(|task| task.run.as_ref()) {
            stop.cancel();
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a renewal came to.
enum Renewed {
    Yes,
    /// Another worker has the name.
    NameTaken,
}

/// Renews the lease until the engine answers for the first time.
pub(crate) async fn say_hello<P: Provider>(runner: &JobRunner<P>) -> Result<(), WorkerError> {
    loop {
        match renew(runner).await {
            Ok(Renewed::Yes) => return Ok(()),
            Ok(Renewed::NameTaken) => return Err(WorkerError::NameTaken(runner.id.name.clone())),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Renews the lease as long as the worker lives.
pub(crate) async fn keep<P: Provider>(runner: &JobRunner<P>) -> Result<(), WorkerError> {
    let mut pause = runner.config.heartbeat;
    while tokio::time::timeout(pause, runner.shutdown.cancelled()).await.is_err() {
        pause = match renew(runner).await {
            Ok(Renewed::Yes) => runner.config.heartbeat,
            Ok(Renewed::NameTaken) => return Err(WorkerError::NameTaken(runner.id.name.clone())),
            Err(error) => {
                tracing::debug!(%error, "the lease was not renewed; trying again");
                Duration::from_secs(1).min(runner.config.heartbeat)
            }
        };
    }
    Ok(())
}

async fn renew<P: Provider>(runner: &JobRunner<P>) -> Result<Renewed, BusError> {
    let request = LeaseRequest {
        worker: runner.id.clone(),
        running: runner.running.jobs(),
        slots: runner.config.slots.clone(),
        draining: runner.drain.is_cancelled(),
    };
    let LeaseReply { stop, drain, name_taken } = runner.bus.renew_lease(&request).await?;
    if name_taken {
        return Ok(Renewed::NameTaken);
    }
    if drain && !runner.drain.is_cancelled() {
        tracing::info!("draining: what runs is finished, and nothing else is begun");
        runner.drain.cancel();
    }
    stop.into_iter().for_each(|task| runner.running.stop(task));
    Ok(Renewed::Yes)
}

/// Stops cancelled jobs at once; a cancellation that got lost is caught by the lease.
pub(crate) async fn heed_cancellations<P: Provider>(runner: &JobRunner<P>) {
    while !runner.shutdown.is_cancelled() {
        if let Ok(mut cancelled) = runner.bus.cancellations().await {
            loop {
                tokio::select! {
                    task = cancelled.next() => match task {
                        Some(task) => runner.running.stop(task),
                        None => break,
                    },
                    () = runner.shutdown.cancelled() => return,
                }
            }
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), runner.shutdown.cancelled()).await;
    }
}
