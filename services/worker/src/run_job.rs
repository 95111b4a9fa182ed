//! One job from claim to acknowledgement: the one place that turns an outcome into ack or nak.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use domain::asset::AssetKey;
use domain::desk::{
    ClaimReply, ClaimRequest, Job, Outcome, Place, Progress, ResultReply, ResultReport, RunningJob, WorkerId,
};
use domain::ids::ClaimId;
use domain::job::{Failure, Kind, MadeWith, Spec};
use futures::FutureExt;
use infra::nats::{Bus, JobMessage};
use infra::runtime::{CancellationToken, Clock};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Config;
use crate::lease::{Running, TakenOn};
use crate::providers::{JobContext, ProgressReport, Provider};
use crate::upload::{self, UploadError};

/// A job is kept alive on the queue so often; the queue waits 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A job that came too late to a draining worker is delivered again after this.
const GIVEN_BACK: Duration = Duration::from_millis(100);
/// A slot waits so long for a job that another has; for a longer time the job is given back.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// A slot asks for so long while the desk cannot answer; then the job is given back.
const CLAIM_PATIENCE: Duration = Duration::from_secs(300);
/// After a claim that nobody answered, the next follows after so many milliseconds.
const UNANSWERED_MS: u64 = 500;
/// Progress is published at most so often.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// How long a worker that is shut down tries to give its jobs back.
pub(crate) const FAREWELL: Duration = Duration::from_secs(2);

/// Runs jobs.
#[derive(Debug)]
pub(crate) struct JobRunner<P> {
    pub(crate) config: Config,
    pub(crate) id: WorkerId,
    pub(crate) bus: Bus,
    pub(crate) provider: Arc<P>,
    pub(crate) clock: Clock,
    pub(crate) running: Running,
    /// Cancelled when no more jobs are to be begun.
    pub(crate) drain: CancellationToken,
    pub(crate) shutdown: CancellationToken,
}

/// A claimed job.
struct Claimed {
    kind: Kind,
    job: Job,
    claim: ClaimId,
    spec: Spec,
    inputs: HashMap<AssetKey, PathBuf>,
}

/// How a run ended for this worker.
enum Ended {
    /// With an outcome to report.
    With(Outcome),
    /// Nobody wants it any more.
    Unwanted,
}

impl<P: Provider> JobRunner<P> {
    /// Runs a job and answers for its message.
    pub(crate) async fn run(&self, kind: Kind, message: JobMessage) {
        let job = message.job;
        if self.drain.is_cancelled() {
            // It came with a pull that was under way; others can have it.
            if let Err(error) = message.nak(GIVEN_BACK).await {
                tracing::debug!(task = %job.task, %error, "a job was not given back");
            }
            return;
        }
        let Some(taken_on) = self.running.take_on(message) else { return };
        let deal = async {
            let reply = self.claim(kind, job).await;
            if let ClaimReply::Run { claim, spec, inputs } = reply {
                self.run_claimed(&Claimed { kind, job, claim, spec: *spec, inputs: paths(inputs) }).await;
                return None;
            }
            match reply {
                ClaimReply::Busy { retry_after_ms } => Some(Duration::from_millis(retry_after_ms)),
                ClaimReply::Run { .. } | ClaimReply::Done | ClaimReply::Stop => None,
            }
        };
        let give_back = tokio::select! {
            give_back = deal => give_back,
            never = keep_alive(&taken_on) => match never {},
        };
        let Some(message) = taken_on.message() else { return };
        let answered = match give_back {
            Some(delay) => message.nak(delay).await,
            None => message.ack().await,
        };
        if let Err(error) = answered {
            // The queue delivers it again, and the claim then finds it done.
            tracing::debug!(task = %job.task, %error, "a job was not acknowledged");
        }
    }

    /// Asks until the desk answers with more than a short wait. The queue is told meanwhile that the job is in
    /// work: a job that is given back has been delivered once more, and may be so a few times only.
    async fn claim(&self, kind: Kind, job: Job) -> ClaimReply {
        let request = ClaimRequest { job, worker: self.id.clone() };
        let started = Instant::now();
        loop {
            let retry_after_ms = match self.bus.claim(kind, &request).await {
                Ok(ClaimReply::Busy { retry_after_ms }) => retry_after_ms,
                Ok(reply) => return reply,
                Err(error) => {
                    tracing::debug!(task = %job.task, %error, "no answer to a claim; asking again");
                    UNANSWERED_MS
                }
            };
            let wait = Duration::from_millis(retry_after_ms);
            // What another has for long does not keep this slot from other jobs.
            if wait > LONGEST_WAIT || started.elapsed() >= CLAIM_PATIENCE || self.shutdown.is_cancelled() {
                return ClaimReply::Busy { retry_after_ms };
            }
            self.pause(wait).await;
        }
    }

    async fn run_claimed(&self, claimed: &Claimed) {
        let running =
            RunningJob { project: claimed.job.project, task: claimed.job.task, claim: claimed.claim };
        let stop = self.running.add(running);
        match self.outcome(claimed, &stop).await {
            Ended::With(outcome) => self.report(claimed, outcome, &stop).await,
            Ended::Unwanted => {
                tracing::info!(task = %claimed.job.task, "stopped, as nobody wants it any more");
            }
        }
    }

    /// Runs the provider and uploads what it made.
    async fn outcome(&self, claimed: &Claimed, stop: &CancellationToken) -> Ended {
        let (report, progress) = watch::channel(ProgressReport::default());
        let made = tokio::select! {
            made = Box::pin(self.make(claimed, report, stop)) => made,
            () = self.publish_progress(claimed, progress) => return Ended::Unwanted,
            () = stop.cancelled() => return Ended::Unwanted,
            () = self.shutdown.cancelled() => return Ended::With(self.put_off("the worker is shutting down")),
        };
        match made {
            Ok(outcome) => Ended::With(outcome),
            Err(failure) => {
                tracing::warn!(task = %claimed.job.task, kind = %claimed.kind, %failure, "a job failed");
                Ended::With(Outcome::Failed { failure })
            }
        }
    }

    async fn make(
        &self,
        claimed: &Claimed,
        progress: watch::Sender<ProgressReport>,
        stop: &CancellationToken,
    ) -> Result<Outcome, Failure> {
        let folder = tempfile::Builder::new()
            .prefix(claimed.kind.as_str())
            .tempdir_in(&self.config.work)
            .map_err(|error| Failure::retry("work_folder", error))?;
        let context = JobContext {
            job: claimed.job,
            work: folder.path().to_owned(),
            inputs: claimed.inputs.clone(),
            progress,
            stop: stop.clone(),
        };
        let started = Instant::now();
        let run = AssertUnwindSafe(self.provider.run(&claimed.spec, &context)).catch_unwind();
        let made = match tokio::time::timeout(self.config.time_limit, run).await {
            Ok(Ok(made)) => made?,
            Ok(Err(_panic)) => return Err(Failure::retry("provider_panicked", "the provider broke down")),
            Err(_) => {
                return Err(Failure::retry(
                    "time_limit",
                    format!("took longer than {:?}", self.config.time_limit),
                ));
            }
        };
        // 0 would say that it was there already.
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let made_with = MadeWith { millis, ..made.made_with };
        match upload::upload(
            &self.bus,
            claimed.kind,
            (claimed.job.task, claimed.claim),
            claimed.spec.hash(),
            made.files,
            &made_with,
        )
        .await
        {
            Ok(output) => Ok(Outcome::Finished { output: Box::new(output), made_with }),
            Err(UploadError::Unreadable(failure)) => Err(failure),
            Err(UploadError::Outage(reason)) => Ok(self.put_off(&reason)),
        }
    }

    /// Gives a job back: at once when the worker ends, after a while when media cannot be written.
    fn put_off(&self, reason: &str) -> Outcome {
        let wait = if self.shutdown.is_cancelled() { 0 } else { 10 };
        Outcome::Deferred { until: self.clock.now() + TimeDelta::seconds(wait), reason: reason.to_owned() }
    }

    /// Keeps a result until the engine has recorded it, or nobody wants it any more.
    async fn report(&self, claimed: &Claimed, outcome: Outcome, stop: &CancellationToken) {
        let report =
            ResultReport { job: claimed.job, claim: claimed.claim, worker: self.id.clone(), outcome };
        let mut patience = Duration::from_millis(100);
        let farewell = async {
            self.shutdown.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::pin!(farewell);
        loop {
            let wait = match self.bus.report_result(claimed.kind, &report).await {
                Ok(ResultReply::Recorded) => return,
                Ok(ResultReply::Refused { reason }) => {
                    tracing::warn!(task = %claimed.job.task, reason, "a result was refused");
                    return;
                }
                Ok(ResultReply::Busy { retry_after_ms }) => Duration::from_millis(retry_after_ms),
                Err(error) => {
                    tracing::debug!(task = %claimed.job.task, %error, "a result is not recorded yet");
                    patience = (patience * 2).min(Duration::from_secs(5));
                    patience
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
                () = &mut farewell => return,
            }
        }
    }

    async fn publish_progress(&self, claimed: &Claimed, mut progress: watch::Receiver<ProgressReport>) {
        // The sender goes when the provider ends; then this waits for the select that dropped it.
        while progress.changed().await.is_ok() {
            let ProgressReport { percent, message, eta_seconds } = progress.borrow_and_update().clone();
            let live =
                Progress { task_id: claimed.job.task, progress: percent.min(100), message, eta_seconds };
            if let Err(error) = self.bus.publish_progress(claimed.job.project, &live).await {
                tracing::debug!(%error, "progress was not published");
            }
            tokio::time::sleep(PROGRESS_EVERY).await;
        }
        std::future::pending::<()>().await;
    }

    async fn pause(&self, duration: Duration) {
        let _ = tokio::time::timeout(duration, self.shutdown.cancelled()).await;
    }
}

/// Tells the queue that the job is still being worked on.
async fn keep_alive(job: &TakenOn) -> Infallible {
    loop {
        tokio::time::sleep(KEEP_ALIVE).await;
        let Some(message) = job.message() else { continue };
        if let Err(error) = message.in_progress().await {
            tracing::debug!(%error, "a job was not kept alive");
        }
    }
}

fn paths(inputs: BTreeMap<AssetKey, Place>) -> HashMap<AssetKey, PathBuf> {
    inputs
        .into_iter()
        .map(|(key, place)| {
            let Place::Path(path) = place;
            (key, path)
        })
        .collect()
}
