//! The worker: takes jobs from the queue, claims them, runs them through a provider, uploads what they
//! made, reports the result, and only then acknowledges the job.
//!
//! It has no database and no media credentials: it speaks to the engine's desk.

pub mod film;
mod lease;
pub mod providers;
mod run_job;
mod upload;
pub mod wav;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::desk::WorkerId;
use domain::job::Kind;
use futures::stream::{FuturesUnordered, StreamExt};
use infra::nats::{Bus, BusError, JobQueue};
use infra::runtime::{CancellationToken, Clock};
use uuid::Uuid;

use lease::Running;
use providers::Provider;
use run_job::{FAREWELL, JobRunner};

/// What a worker needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name, the same after a restart, and no other worker's.
    pub name: String,
    /// How many jobs of each kind it runs at once; kinds that are absent it does not run.
    pub slots: BTreeMap<Kind, u32>,
    /// A folder for files in the making.
    pub work: PathBuf,
    /// How often it says that it lives. Less than half the engine's lease.
    pub heartbeat: Duration,
    /// No job may take longer.
    pub time_limit: Duration,
}

impl Config {
    /// The documented times, and the slots of a small machine.
    pub fn new(name: String, work: PathBuf) -> Self {
        Self {
            name,
            slots: Kind::ALL.into_iter().map(|kind| (kind, 1)).collect(),
            work,
            heartbeat: Duration::from_secs(15),
            time_limit: Duration::from_secs(20 * 60),
        }
    }
}

/// Why a worker ended before its shutdown.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its folder for files in the making.
    #[error("the folder for files in the making cannot be used: {0}")]
    Folder(#[from] std::io::Error),
    /// A later worker goes by the same name, and has taken over its jobs.
    #[error("another worker named {0} was started; every worker needs a name of its own (--name)")]
    NameTaken(String),
}

/// Runs jobs until the shutdown.
pub async fn run<P: Provider>(
    config: Config,
    bus: Bus,
    provider: Arc<P>,
    clock: Clock,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    clear(&config.work).await?;
    let id = WorkerId { name: config.name.clone(), incarnation: Uuid::new_v4() };
    let running = Running::default();
    let drain = CancellationToken::new();
    let runner = JobRunner { config, id, bus, provider, clock, running, drain, shutdown };
    // The first lease frees what an earlier life of this worker ran; only then are jobs taken.
    tokio::select! {
        hello = lease::say_hello(&runner) => hello?,
        () = runner.shutdown.cancelled() => return Ok(()),
    }
    let mut slots: FuturesUnordered<_> = runner
        .config
        .slots
        .iter()
        .flat_map(|(kind, count)| (0..*count).map(|_| *kind))
        .map(|kind| slot(&runner, kind))
        .collect();
    let stopping = async {
        lease::heed_cancellations(&runner).await;
        Ok(())
    };
    let working = async {
        while slots.next().await.is_some() {}
        Ok(())
    };
    tokio::try_join!(lease::keep(&runner), stopping, working)?;
    // An acknowledgement that never leaves keeps its job in the queue for as long as the queue waits.
    let _ = tokio::time::timeout(FAREWELL, runner.bus.flush()).await;
    Ok(())
}

/// What an earlier life left in the making is of no use.
async fn clear(work: &PathBuf) -> Result<(), std::io::Error> {
    match tokio::fs::remove_dir_all(work).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    tokio::fs::create_dir_all(work).await
}

/// Takes one job after the other.
async fn slot<P: Provider>(runner: &JobRunner<P>, kind: Kind) {
    let mut queue: Option<JobQueue> = None;
    while !runner.shutdown.is_cancelled() && !runner.drain.is_cancelled() {
        let turn = async {
            if queue.is_none() {
                queue = Some(runner.bus.job_queue(kind).await?);
            }
            match &mut queue {
                Some(queue) => queue.next().await,
                None => Ok(None),
            }
        };
        let next = tokio::select! {
            next = turn => next,
            () = runner.shutdown.cancelled() => return,
        };
        match next {
            Ok(Some(message)) => runner.run(kind, message).await,
            Ok(None) => {}
            Err(error) => {
                queue = None;
                wait_out(&error, &runner.shutdown).await;
            }
        }
    }
}

/// A broken pull is made anew after a moment.
async fn wait_out(error: &BusError, shutdown: &CancellationToken) {
    tracing::debug!(%error, "no jobs can be had; trying again");
    let _ = tokio::time::timeout(Duration::from_millis(500), shutdown.cancelled()).await;
}
