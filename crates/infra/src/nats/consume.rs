//! Taking jobs from the queue: ack, nak and progress live here only.

use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use domain::desk::Job;
use domain::job::Kind;
use serde::Deserialize;

use super::pull::Pull;
use super::{Bus, BusError, subject};

/// The jobs of one kind, for one slot of a worker.
#[derive(Debug)]
pub struct JobQueue {
    pull: Pull,
}

/// A job with the means to answer for it.
#[derive(Debug)]
pub struct JobMessage {
    /// Which job.
    pub job: Job,
    message: Message,
}

impl Bus {
    /// A place at the queue of a kind's jobs.
    pub async fn job_queue(&self, kind: Kind) -> Result<JobQueue, BusError> {
        Ok(JobQueue { pull: self.pull(subject::JOBS, &subject::consumer(kind)).await? })
    }
}

impl JobQueue {
    /// Waits for one job, for at most 30 s. A message that is no job is put aside for good. After an
    /// error the queue is of no further use.
    pub async fn next(&mut self) -> Result<Option<JobMessage>, BusError> {
        let Some(message) = self.pull.next().await? else { return Ok(None) };
        match serde_json::from_slice(&message.payload) {
            Ok(job) => Ok(Some(JobMessage { job, message })),
            Err(error) => {
                tracing::warn!(subject = %message.subject, %error, "a message that is no job was put aside");
                message.ack_with(AckKind::Term).await.map_err(BusError::during("put a message aside"))?;
                Ok(None)
            }
        }
    }
}

/// A job that was delivered too often or put aside.
#[derive(Debug)]
pub struct DeadJob {
    /// Which job; absent when the queue does not hold it any more.
    pub job: Option<Job>,
    /// How often it was delivered.
    pub deliveries: u64,
    sequence: u64,
    advisory: Message,
}

/// The part of a JetStream consumer advisory that is used
/// (schemas `io.nats.jetstream.advisory.v1.max_deliver` and `…terminated`).
#[derive(Deserialize)]
struct Advisory {
    stream_seq: u64,
    #[serde(default)]
    deliveries: u64,
}

/// Jobs that could not be handled.
#[derive(Debug)]
pub struct DeadJobs {
    bus: Bus,
    pull: Pull,
}

impl Bus {
    /// The jobs that could not be handled.
    pub async fn dead_jobs(&self) -> Result<DeadJobs, BusError> {
        Ok(DeadJobs { bus: self.clone(), pull: self.pull(subject::ADVISORIES, "dead-letters").await? })
    }
}

impl DeadJobs {
    /// Waits for one, for at most 30 s. After an error this is of no further use.
    pub async fn next(&mut self) -> Result<Option<DeadJob>, BusError> {
        let Some(advisory) = self.pull.next().await? else { return Ok(None) };
        let Ok(read) = serde_json::from_slice::<Advisory>(&advisory.payload) else {
            advisory.ack().await.map_err(BusError::during("acknowledge an advisory"))?;
            return Ok(None);
        };
        let request = serde_json::json!({ "seq": read.stream_seq });
        let held = self.bus.js_api(&format!("$JS.API.STREAM.MSG.GET.{}", subject::JOBS), &request).await?;
        let subject = held["message"]["subject"].as_str().unwrap_or_default();
        let job =
            subject::project_and_task_in(subject).map(|(project, task)| Job { project, task, attempt: 0 });
        Ok(Some(DeadJob { job, deliveries: read.deliveries, sequence: read.stream_seq, advisory }))
    }

    /// Deletes the job, which would else stay in the queue and refuse its task for ever, and its advisory.
    pub async fn bury(&self, dead: &DeadJob) -> Result<(), BusError> {
        let request = serde_json::json!({ "seq": dead.sequence });
        self.bus.js_api(&format!("$JS.API.STREAM.MSG.DELETE.{}", subject::JOBS), &request).await?;
        dead.advisory.ack().await.map_err(BusError::during("acknowledge an advisory"))
    }
}

impl JobMessage {
    /// The job is dealt with.
    pub async fn ack(&self) -> Result<(), BusError> {
        self.message.ack().await.map_err(BusError::during("acknowledge a job"))
    }

    /// Another time, not before `delay`.
    pub async fn nak(&self, delay: Duration) -> Result<(), BusError> {
        self.message.ack_with(AckKind::Nak(Some(delay))).await.map_err(BusError::during("give a job back"))
    }

    /// Still at it.
    pub async fn in_progress(&self) -> Result<(), BusError> {
        self.message.ack_with(AckKind::Progress).await.map_err(BusError::during("keep a job"))
    }
}
