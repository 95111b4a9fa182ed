//! Taking jobs from the queue: ack, nak and progress live here only.

use std::time::Duration;

use async_nats::StatusCode;
use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
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
    /// Which job; absent when the queue does not hold it any more, or holds something that is no job.
    pub job: Option<Job>,
    /// How often it was delivered.
    pub deliveries: u64,
    /// Its place in the stream.
    pub sequence: u64,
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

impl Bus {
    /// What the queue holds at this place; nothing when it does not hold it any more.
    async fn job_at(&self, sequence: u64) -> Result<Option<Bytes>, BusError> {
        let operation = "look for a dead job";
        let subject = format!("$JS.API.DIRECT.GET.{}", subject::JOBS);
        let request = serde_json::json!({ "seq": sequence }).to_string();
        let found =
            self.client.request(subject, request.into()).await.map_err(BusError::during(operation))?;
        match found.status {
            None => Ok(Some(found.payload)),
            Some(StatusCode::NOT_FOUND) => Ok(None),
            Some(status) => {
                let reason = format!("{status} {}", found.description.unwrap_or_default());
                Err(BusError { operation, reason })
            }
        }
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
        let held = self.bus.job_at(read.stream_seq).await?;
        let job = held.and_then(|payload| serde_json::from_slice(&payload).ok());
        Ok(Some(DeadJob { job, deliveries: read.deliveries, sequence: read.stream_seq, advisory }))
    }

    /// Deletes the job, which would else stay in the queue and refuse its task for ever, and its advisory.
    pub async fn bury(&self, dead: &DeadJob) -> Result<(), BusError> {
        let request = serde_json::json!({ "seq": dead.sequence });
        let answer =
            self.bus.js_api(&format!("$JS.API.STREAM.MSG.DELETE.{}", subject::JOBS), &request).await?;
        // What cannot be deleted because it is gone is buried already.
        if let Some(error) = answer.get("error")
            && self.bus.job_at(dead.sequence).await?.is_some()
        {
            return Err(BusError { operation: "delete a dead job", reason: error.to_string() });
        }
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
