//! Jobs that nobody could handle become dead letters, and their tasks fail as *worker lost*.

use std::time::Duration;

use domain::job::Failure;
use domain::project::Command;
use infra::nats::DeadJob;
use infra::postgres::dead_letters;
use infra::postgres::leadership::Fence;
use infra::runtime::CancellationToken;

use crate::desk::envelope;
use crate::{Engine, EngineError, pause};

/// Handles advisories until the stop.
pub(crate) async fn run(engine: &Engine, fence: Fence, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            Err(error) = handle(engine, &fence) => tracing::debug!(%error, "cannot read the advisories"),
            () = stop.cancelled() => return,
        }
        pause(Duration::from_secs(1), stop).await;
    }
}

async fn handle(engine: &Engine, fence: &Fence) -> Result<std::convert::Infallible, EngineError> {
    let mut dead_jobs = engine.bus.dead_jobs().await?;
    loop {
        if let Some(dead) = dead_jobs.next().await? {
            record(engine, fence, &dead).await?;
            dead_jobs.bury(&dead).await?;
        }
    }
}

async fn record(engine: &Engine, fence: &Fence, dead: &DeadJob) -> Result<(), EngineError> {
    let Some(job) = dead.job else { return Ok(()) };
    let reason =
        format!("the job was delivered {} times and no worker finished or answered for it", dead.deliveries);
    tracing::warn!(project = %job.project, task = %job.task, deliveries = dead.deliveries, "a job died");
    let failure = Failure::fail("worker_lost", &reason);
    let command = Command::RecordTaskFailed { task: job.task, claim: None, failure };
    let loaded = engine.store.load(job.project).await?;
    engine.store.record(job.project, loaded, &[envelope(&engine.clock, "engine", command)], fence).await?;
    dead_letters::add(&engine.pool, job, &reason, dead.deliveries).await?;
    engine.bus.wake().await;
    Ok(())
}
