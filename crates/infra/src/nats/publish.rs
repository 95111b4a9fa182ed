//! Publishing: jobs, at most one a task in the queue, and live messages.

use std::collections::HashSet;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use domain::desk::{Job, Progress};
use domain::ids::{ProjectId, TaskId};
use domain::job::Kind;
use serde::Serialize;
use serde_json::json;

use super::{Bus, BusError, subject};

/// What became of a job that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is in the queue now.
    Queued,
    /// It was there already.
    AlreadyQueued,
}

impl Bus {
    /// Queues jobs, all under way at once, and answers for each. A task's job is accepted only when the
    /// queue holds none of that task.
    pub async fn send_jobs(&self, jobs: &[(Kind, Job)]) -> Vec<Result<Sent, BusError>> {
        let mut acks = Vec::with_capacity(jobs.len());
        for (kind, job) in jobs {
            let message = PublishMessage::build().payload(encode(job)).expected_last_subject_sequence(0);
            let subject = subject::job(*kind, job.project, job.task);
            acks.push(self.jetstream.send_publish(subject, message).await);
        }
        // Waited for together: where the server went away, each of them takes its whole time.
        let answers = acks.into_iter().map(|ack| async {
            match ack {
                Ok(ack) => sent(ack.await),
                Err(error) => sent(Err(error)),
            }
        });
        futures::future::join_all(answers).await
    }

    /// Takes a task's job out of the queue, delivered or not.
    pub async fn remove_job(&self, project: ProjectId, task: TaskId) -> Result<(), BusError> {
        let filter = json!({ "filter": subject::job_of_any_kind(project, task) });
        self.js_api(&format!("$JS.API.STREAM.PURGE.{}", subject::JOBS), &filter).await.map(drop)
    }

    /// The tasks whose jobs the queue holds, delivered or not.
    pub async fn queued_tasks(&self) -> Result<HashSet<TaskId>, BusError> {
        let mut held = HashSet::new();
        loop {
            let request = json!({ "subjects_filter": subject::ALL_JOBS, "offset": held.len() });
            let info = self.js_api(&format!("$JS.API.STREAM.INFO.{}", subject::JOBS), &request).await?;
            if let Some(error) = info.get("error") {
                return Err(BusError { operation: "list the queued jobs", reason: error.to_string() });
            }
            let before = held.len();
            let subjects = info["state"]["subjects"].as_object();
            held.extend(subjects.into_iter().flatten().filter_map(|(subject, _)| subject::task_in(subject)));
            let total = info["total"].as_u64().unwrap_or(0);
            if held.len() == before || held.len() as u64 >= total {
                return Ok(held);
            }
        }
    }

    /// Tells all readers of the log that there is news. Losing it costs a poll's interval.
    pub async fn wake(&self) {
        // Without a connection it would wait in a buffer, and, when that is full, keep a command waiting.
        if !self.is_connected() {
            return;
        }
        if let Err(error) = self.client.publish(subject::WAKE, bytes::Bytes::new()).await {
            tracing::debug!(%error, "no wake-up was sent");
        }
    }

    /// Publishes an event to live streams.
    pub async fn publish_event<T: Serialize>(
        &self,
        project: ProjectId,
        event_type: &str,
        message: &T,
    ) -> Result<(), BusError> {
        self.publish(subject::event(project, event_type), message).await
    }

    /// Publishes how far a task is.
    pub async fn publish_progress(&self, project: ProjectId, progress: &Progress) -> Result<(), BusError> {
        self.publish(subject::progress(project, progress.task_id), progress).await
    }

    /// Tells whoever runs a task to stop.
    pub async fn publish_cancel(&self, project: ProjectId, task: TaskId) -> Result<(), BusError> {
        self.publish(subject::cancel(project, task), &json!({})).await
    }

    async fn publish<T: Serialize>(&self, subject: String, message: &T) -> Result<(), BusError> {
        self.client.publish(subject, encode(message)).await.map_err(BusError::during("publish"))
    }
}

fn sent(
    ack: Result<async_nats::jetstream::publish::PublishAck, async_nats::jetstream::context::PublishError>,
) -> Result<Sent, BusError> {
    match ack {
        Ok(_) => Ok(Sent::Queued),
        Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(Sent::AlreadyQueued),
        Err(error) => Err(BusError::during("queue a job")(error)),
    }
}

/// Plain data always has a JSON form; an empty body keeps the function total.
pub(super) fn encode<T: Serialize>(value: &T) -> bytes::Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
