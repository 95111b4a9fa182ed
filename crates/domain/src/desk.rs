//! What workers and the engine's desk say to each other. A worker has no database and no media
//! credentials, so it asks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::asset::AssetKey;
use crate::ids::{ClaimId, ProjectId, TaskId};
use crate::job::{Failure, Kind, MadeWith, Output, Spec, SpecHash};

/// A job on the queue: which attempt of which task, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its project.
    pub project: ProjectId,
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub attempt: u32,
}

/// A worker's name, which it keeps, and which of its lives this is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WorkerId {
    /// The name, the same after a restart.
    pub name: String,
    /// Another one after each start. Whatever an earlier life of this name was doing is lost.
    pub incarnation: Uuid,
}

/// Asks to run a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimRequest {
    /// Which job.
    pub job: Job,
    /// Who asks.
    pub worker: WorkerId,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ClaimReply {
    /// Run it.
    Run {
        /// The fencing token that every later message carries.
        claim: ClaimId,
        /// What is asked for.
        spec: Box<Spec>,
        /// Where the stored assets are that it needs.
        inputs: BTreeMap<AssetKey, Place>,
    },
    /// The result is known already; nothing is left to do.
    Done,
    /// Somebody else has it, or the engine cannot answer now: ask again after so many milliseconds.
    Busy {
        /// Milliseconds.
        retry_after_ms: u64,
    },
    /// Cancelled, ended or superseded: forget it.
    Stop,
}

/// Where stored media is read or written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A file of a folder that worker and engine share.
    Path(PathBuf),
}

/// Says every 15 s, also when idle, that a worker lives and what it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// Who.
    pub worker: WorkerId,
    /// What it runs.
    pub running: Vec<RunningJob>,
    /// How many jobs of each kind it can run at once.
    pub slots: BTreeMap<Kind, u32>,
    /// Whether it was told to take no more jobs. It does not forget that, and may tell a new leader.
    #[serde(default)]
    pub draining: bool,
}

/// A job that a worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningJob {
    /// Its project.
    pub project: ProjectId,
    /// Its task.
    pub task: TaskId,
    /// Its claim.
    pub claim: ClaimId,
}

/// The answer to a lease.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LeaseReply {
    /// Running tasks to stop.
    pub stop: Vec<TaskId>,
    /// Whether to take no more jobs.
    pub drain: bool,
    /// Whether a later worker goes by this name: this one has lost its jobs to it and is to end.
    #[serde(default)]
    pub name_taken: bool,
}

/// A worker as the engine knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerState {
    /// Its name.
    pub name: String,
    /// How many jobs of each kind it can run at once.
    pub slots: BTreeMap<Kind, u32>,
    /// What it runs.
    pub running: Vec<RunningJob>,
    /// Whether it takes no more jobs.
    pub draining: bool,
    /// Milliseconds since it was last heard of.
    pub silent_ms: u64,
}

/// Asks that a worker finishes what it runs and takes no more jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainRequest {
    /// The worker's name.
    pub worker: String,
}

/// The answer to a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainReply {
    /// Whether there is such a worker.
    pub known: bool,
}

/// Asks where to put a finished file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UploadRequest {
    /// The task that made it.
    pub task: TaskId,
    /// The run that made it.
    pub claim: ClaimId,
    /// Its content address.
    pub key: AssetKey,
}

/// The answer to an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum UploadReply {
    /// It is stored already.
    Have,
    /// Write it there.
    Put {
        /// Where.
        place: Place,
    },
    /// Media cannot be written now: ask again after so many milliseconds.
    Busy {
        /// Milliseconds.
        retry_after_ms: u64,
    },
    /// There will never be a place for it.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Reports how a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultReport {
    /// Which job.
    pub job: Job,
    /// Which run.
    pub claim: ClaimId,
    /// Who ran it.
    pub worker: WorkerId,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It succeeded.
    Finished {
        /// What it made; every asset of it was uploaded before.
        output: Box<Output>,
        /// What made it.
        made_with: MadeWith,
    },
    /// It failed.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// It is put off without using up an attempt.
    Deferred {
        /// Until when.
        until: DateTime<Utc>,
        /// Why.
        reason: String,
    },
}

/// What a run leaves beside its uploads, so that its work is not lost with the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// What it was asked for. Of use only to a task that asks for the same.
    pub spec: SpecHash,
    /// What it made; every asset of it was uploaded before.
    pub output: Box<Output>,
    /// What made it.
    pub made_with: MadeWith,
}

/// The answer to a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ResultReply {
    /// It is committed, or nothing of it was news.
    Recorded,
    /// It could not be recorded now: keep it, and report again after so many milliseconds.
    Busy {
        /// Milliseconds.
        retry_after_ms: u64,
    },
    /// It will never be accepted, for example because an asset it names is not stored.
    Refused {
        /// Why.
        reason: String,
    },
}

/// How far a running job is. Live only; never stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The task.
    pub task_id: TaskId,
    /// 0 to 100.
    pub progress: u8,
    /// What it is doing.
    pub message: String,
    /// Seconds left, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<f64>,
}
