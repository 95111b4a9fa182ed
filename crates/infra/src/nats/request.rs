//! Requests to the desk and their answers.

use std::time::Duration;

use domain::desk::{
    ClaimReply, ClaimRequest, DrainReply, DrainRequest, LeaseReply, LeaseRequest, ResultReply, ResultReport,
    UploadReply, UploadRequest, WorkerState,
};
use domain::ids::TaskId;
use domain::job::Kind;
use futures::StreamExt;
use futures::stream::SelectAll;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::publish::encode;
use super::{Bus, BusError, subject};

/// How long the desk has to answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl Bus {
    /// Asks to run a job.
    pub async fn claim(&self, kind: Kind, request: &ClaimRequest) -> Result<ClaimReply, BusError> {
        self.ask(subject::claim(kind), request).await
    }

    /// Says that a worker lives.
    pub async fn renew_lease(&self, request: &LeaseRequest) -> Result<LeaseReply, BusError> {
        self.ask(subject::lease(&request.worker.name), request).await
    }

    /// Asks where to put a file.
    pub async fn request_upload(&self, kind: Kind, request: &UploadRequest) -> Result<UploadReply, BusError> {
        self.ask(subject::upload(kind), request).await
    }

    /// Reports how a run ended.
    pub async fn report_result(&self, kind: Kind, report: &ResultReport) -> Result<ResultReply, BusError> {
        self.ask(subject::result(kind), report).await
    }

    /// Asks who the workers are.
    pub async fn workers(&self) -> Result<Vec<WorkerState>, BusError> {
        self.ask(subject::WORKERS.to_owned(), &()).await
    }

    /// Asks that a worker takes no more jobs.
    pub async fn drain(&self, request: &DrainRequest) -> Result<DrainReply, BusError> {
        self.ask(subject::DRAIN.to_owned(), request).await
    }

    async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        subject: String,
        question: &Q,
    ) -> Result<A, BusError> {
        let asked = self.client.request(subject, encode(question));
        let reply = tokio::time::timeout(PATIENCE, asked)
            .await
            .map_err(BusError::during("hear from the desk"))?
            .map_err(BusError::during("ask the desk"))?;
        serde_json::from_slice(&reply.payload).map_err(BusError::during("read the desk's answer"))
    }

    /// All requests to the desk.
    pub async fn desk_requests(&self) -> Result<DeskSubscription, BusError> {
        let mut requests = SelectAll::new();
        let from_workers = [subject::CLAIMS, subject::LEASES, subject::UPLOADS, subject::RESULTS];
        for subject in from_workers.into_iter().chain([subject::WORKERS, subject::DRAIN]) {
            requests.push(self.client.subscribe(subject).await.map_err(BusError::during("subscribe"))?);
        }
        self.flush().await?;
        Ok(DeskSubscription { bus: self.clone(), requests })
    }

    /// The tasks that are cancelled from now on.
    pub async fn cancellations(
        &self,
    ) -> Result<impl futures::Stream<Item = TaskId> + Send + Unpin + use<>, BusError> {
        let messages =
            self.client.subscribe(subject::CANCELS).await.map_err(BusError::during("subscribe"))?;
        Ok(Box::pin(messages.filter_map(|message| async move { subject::task_in(&message.subject) })))
    }

    /// Answers a request.
    pub async fn answer<A: Serialize>(&self, reply_to: ReplyTo, answer: &A) {
        if let Err(error) = self.client.publish(reply_to.0, encode(answer)).await {
            // The asker asks again.
            tracing::debug!(%error, "an answer was not sent");
        }
    }
}

/// Where an answer goes.
#[derive(Debug, Clone)]
pub struct ReplyTo(async_nats::Subject);

/// One request to the desk.
#[derive(Debug)]
pub enum DeskRequest {
    /// A claim.
    Claim(ClaimRequest, ReplyTo),
    /// A lease.
    Lease(LeaseRequest, ReplyTo),
    /// An upload.
    Upload(UploadRequest, ReplyTo),
    /// A result.
    Result(Box<ResultReport>, ReplyTo),
    /// Who the workers are.
    Workers(ReplyTo),
    /// A worker is to take no more jobs.
    Drain(DrainRequest, ReplyTo),
}

/// All requests to the desk, as they come.
#[derive(Debug)]
pub struct DeskSubscription {
    bus: Bus,
    requests: SelectAll<async_nats::Subscriber>,
}

impl DeskSubscription {
    /// The next request that can be read; `None` when the connection is closed for good.
    pub async fn next(&mut self) -> Option<DeskRequest> {
        loop {
            let message = self.requests.next().await?;
            // Nobody waits for an answer to what says not where it goes.
            let Some(reply_to) = message.reply.clone().map(ReplyTo) else { continue };
            match read(&message, reply_to.clone()) {
                Ok(request) => return Some(request),
                Err(error) => {
                    tracing::warn!(subject = %message.subject, %error, "a request to the desk cannot be read");
                    self.refuse(&message.subject, reply_to, &error).await;
                }
            }
        }
    }

    /// Answers what cannot be read, as it will not be readable the next time either.
    async fn refuse(&self, subject: &str, reply_to: ReplyTo, error: &serde_json::Error) {
        let reason = format!("the desk cannot read this: {error}");
        match subject.split('.').nth(1) {
            Some("claim") => self.bus.answer(reply_to, &ClaimReply::Stop).await,
            Some("lease") => {
                self.bus.answer(reply_to, &LeaseReply { drain: true, ..LeaseReply::default() }).await;
            }
            Some("upload") => self.bus.answer(reply_to, &UploadReply::Refused { reason }).await,
            _ => self.bus.answer(reply_to, &ResultReply::Refused { reason }).await,
        }
    }

    /// The connection that answers go out on.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }
}

fn read(message: &async_nats::Message, reply_to: ReplyTo) -> Result<DeskRequest, serde_json::Error> {
    let body = &message.payload;
    Ok(match message.subject.split('.').nth(1) {
        Some("claim") => DeskRequest::Claim(serde_json::from_slice(body)?, reply_to),
        Some("lease") => DeskRequest::Lease(serde_json::from_slice(body)?, reply_to),
        Some("upload") => DeskRequest::Upload(serde_json::from_slice(body)?, reply_to),
        Some("workers") => DeskRequest::Workers(reply_to),
        Some("drain") => DeskRequest::Drain(serde_json::from_slice(body)?, reply_to),
        _ => DeskRequest::Result(serde_json::from_slice(body)?, reply_to),
    })
}
