//! Jobs that were delivered too often. The task of one that was begun, and that nobody runs, fails as *worker
//! lost*, and the job becomes a dead letter. One that was only given back, for example while media could not be
//! read, has lost nothing but its message: the dispatcher finds it missing and sends it again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::desk::Job;
use domain::ids::ClaimId;
use domain::job::Failure;
use domain::project::{Command, Project, TaskState};
use infra::nats::DeadJob;
use infra::postgres::dead_letters;
use infra::postgres::leadership::Fence;
use infra::runtime::CancellationToken;
use uuid::Uuid;

use crate::desk::envelope;
use crate::{Engine, EngineError, Leases, pause};

/// Buries dead jobs.
#[derive(Debug)]
pub(crate) struct DeadLetters<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) fence: Fence,
    pub(crate) leases: Arc<Mutex<Leases>>,
}

impl DeadLetters<'_> {
    /// Handles advisories until the stop.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                Err(error) = self.handle() => tracing::debug!(%error, "cannot handle the advisories"),
                () = stop.cancelled() => return,
            }
            pause(Duration::from_secs(1), stop).await;
        }
    }

    async fn handle(&self) -> Result<std::convert::Infallible, EngineError> {
        let mut dead_jobs = self.engine.bus.dead_jobs().await?;
        loop {
            if let Some(dead) = dead_jobs.next().await? {
                self.record(&dead).await?;
                dead_jobs.bury(&dead).await?;
            }
        }
    }

    async fn record(&self, dead: &DeadJob) -> Result<(), EngineError> {
        let Some(job) = dead.job else { return Ok(()) };
        let store = &self.engine.store;
        let loaded = store.load(job.project).await?;
        let may_be_run = self.leases.lock().unwrap_or_else(PoisonError::into_inner).may_be_run(job.task);
        let claim = match lost_run(&loaded.state, job) {
            Some(claim) if !may_be_run => claim,
            _ => {
                tracing::warn!(project = %job.project, task = %job.task, "a job was given back too often");
                return Ok(());
            }
        };
        let deliveries = dead.deliveries;
        let reason =
            format!("the job was delivered {deliveries} times and no worker finished or answered for it");
        tracing::warn!(project = %job.project, task = %job.task, deliveries, "a job died");
        // The letter first: once its task has failed, nobody would look for it again.
        let id = Uuid::new_v5(&job.task.0, format!("{} {}", dead.sequence, job.attempt).as_bytes());
        dead_letters::add(&self.engine.pool, id, job, &reason, deliveries, &self.fence).await?;
        let failure = Failure::fail("worker_lost", &reason);
        let command = Command::RecordTaskFailed { task: job.task, claim: Some(claim), failure };
        let failed = envelope(&self.engine.clock, "engine", command);
        store.record(job.project, loaded, &[failed], &self.fence).await?;
        self.engine.bus.wake().await;
        Ok(())
    }
}

/// The run that a job's attempt came to, if it was begun and has not ended.
fn lost_run(project: &Project, job: Job) -> Option<ClaimId> {
    let task = project.tasks.get(&job.task).filter(|task| task.attempt == job.attempt)?;
    match &task.state {
        TaskState::Processing { claim, .. } => Some(*claim),
        TaskState::Blocked | TaskState::Pending | TaskState::Failed | TaskState::Cancelled(_) => None,
    }
}
