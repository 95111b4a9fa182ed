//! Answers workers: claims, leases, uploads and results. What waits for one project is recorded in one
//! commit, and answered after it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::asset::{Asset, AssetKey};
use domain::desk::{
    ClaimReply, ClaimRequest, DrainReply, Job, LeaseReply, LeaseRequest, Outcome, Place, ResultReply,
    ResultReport, RunReport, RunningJob, UploadReply, UploadRequest,
};
use domain::ids::{ClaimId, CommandId, ProjectId, TaskId};
use domain::job::{Failure, Kind, MadeWith, Output, SpecHash};
use domain::metadata::Context;
use domain::project::{Command, Envelope, Project, Task, TaskState};
use futures::FutureExt;
use futures::future::try_join_all;
use infra::media::MediaError;
use infra::nats::{DeskRequest, DeskSubscription, ReplyTo};
use infra::postgres::dispatches;
use infra::postgres::leadership::Fence;
use infra::postgres::views::{takes, tasks};
use infra::runtime::{CancellationToken, Clock};
use serde::Serialize;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::leases::Held;
use crate::{Engine, EngineError, Leases, pause};

/// What a worker is told when the engine cannot answer properly.
const RETRY_AFTER_MS: u64 = 1_000;
/// A busy task is asked for again at the earliest after this.
const SHORTEST_BUSY_MS: u64 = 100;
/// Requests of one project that are recorded in one commit.
const LARGEST_BATCH: usize = 256;

/// The desk of a leading engine.
#[derive(Debug, Clone)]
pub struct Desk {
    engine: Engine,
    fence: Fence,
    leases: Arc<Mutex<Leases>>,
}

/// A request that is recorded in its project.
#[derive(Debug)]
enum Waiting {
    Claim(ClaimRequest, ReplyTo),
    Result(Box<ResultReport>, ReplyTo),
}

impl Waiting {
    fn project(&self) -> ProjectId {
        match self {
            Self::Claim(request, _) => request.job.project,
            Self::Result(report, _) => report.job.project,
        }
    }
}

/// Requests that wait while their project's last batch is being recorded.
type Queues = HashMap<ProjectId, Vec<Waiting>>;

/// What a request comes to, before it is recorded.
enum Prepared {
    /// Nothing has to be recorded.
    Answer(Answer),
    /// This has to be recorded first.
    Record(Box<Command>, AfterRecording),
}

enum Answer {
    Claim(ClaimReply),
    Result(ResultReply),
}

enum AfterRecording {
    /// A claim was granted.
    Run(ClaimId),
    /// A claim found the work done.
    Done,
    /// A result was recorded.
    Recorded,
}

/// A command with its context, given by the engine on behalf of `actor`.
pub(crate) fn envelope(clock: &Clock, actor: &str, command: Command) -> Envelope {
    let id = CommandId(Uuid::new_v4());
    let context = Context {
        command: id,
        at: clock.now(),
        actor: actor.to_owned(),
        owner: None,
        correlation: id.to_string(),
        causation: None,
        traceparent: None,
    };
    Envelope { context, if_version: None, command }
}

impl Desk {
    pub(crate) fn new(engine: Engine, fence: Fence, leases: Arc<Mutex<Leases>>) -> Self {
        Self { engine, fence, leases }
    }

    /// Answers requests until the stop.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.engine.bus.desk_requests().await {
                Ok(mut requests) => self.serve(&mut requests, stop).await,
                Err(error) => tracing::warn!(%error, "the desk cannot open"),
            }
            pause(Duration::from_secs(1), stop).await;
        }
    }

    async fn serve(&self, requests: &mut DeskSubscription, stop: &CancellationToken) {
        let mut queues = Queues::new();
        let mut running: JoinSet<Option<ProjectId>> = JoinSet::new();
        let mut sweep = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                request = requests.next() => match request {
                    Some(request) => self.take(request, &mut queues, &mut running),
                    None => return,
                },
                Some(ended) = running.join_next() => {
                    if let Ok(Some(project)) = ended {
                        self.next_batch(project, &mut queues, &mut running);
                    }
                }
                _ = sweep.tick() => self.expire_leases().await,
                () = stop.cancelled() => return,
            }
        }
    }

    fn take(&self, request: DeskRequest, queues: &mut Queues, running: &mut JoinSet<Option<ProjectId>>) {
        let waiting = match request {
            DeskRequest::Claim(request, reply_to) => Waiting::Claim(request, reply_to),
            DeskRequest::Result(report, reply_to) => Waiting::Result(report, reply_to),
            DeskRequest::Upload(request, reply_to) => {
                let desk = self.clone();
                running.spawn(async move {
                    desk.upload(&request, reply_to).await;
                    None
                });
                return;
            }
            DeskRequest::Lease(request, reply_to) => {
                let desk = self.clone();
                running.spawn(async move {
                    desk.lease(&request, reply_to).await;
                    None
                });
                return;
            }
            DeskRequest::Workers(reply_to) => {
                let workers = self.leases().workers();
                self.answer_soon(reply_to, workers, running);
                return;
            }
            DeskRequest::Drain(request, reply_to) => {
                let known = self.leases().drain(&request.worker);
                self.answer_soon(reply_to, DrainReply { known }, running);
                return;
            }
        };
        let project = waiting.project();
        if let Some(queue) = queues.get_mut(&project) {
            queue.push(waiting);
        } else {
            queues.insert(project, vec![waiting]);
            self.next_batch(project, queues, running);
        }
    }

    fn answer_soon<A: Serialize + Send + Sync + 'static>(
        &self,
        reply_to: ReplyTo,
        answer: A,
        running: &mut JoinSet<Option<ProjectId>>,
    ) {
        let bus = self.engine.bus.clone();
        running.spawn(async move {
            bus.answer(reply_to, &answer).await;
            None
        });
    }

    /// Starts on what waits for a project; its queue exists as long as a batch of it is under way.
    fn next_batch(&self, project: ProjectId, queues: &mut Queues, running: &mut JoinSet<Option<ProjectId>>) {
        let Some(queue) = queues.get_mut(&project) else { return };
        if queue.is_empty() {
            queues.remove(&project);
            return;
        }
        let rest = queue.split_off(queue.len().min(LARGEST_BATCH));
        let batch = std::mem::replace(queue, rest);
        let desk = self.clone();
        running.spawn(whatever_happens(project, async move { desk.handle(project, batch).await }));
    }

    async fn handle(&self, project: ProjectId, batch: Vec<Waiting>) {
        let targets: Vec<ReplyTo> = batch.iter().map(reply_to).collect();
        let kinds: Vec<bool> = batch.iter().map(|waiting| matches!(waiting, Waiting::Claim(..))).collect();
        let answers = match self.answers(project, batch).await {
            Ok(answers) => answers,
            Err(error) => {
                tracing::warn!(%project, %error, "the desk cannot answer; workers ask again");
                kinds.into_iter().map(busy).collect()
            }
        };
        for (target, answer) in targets.into_iter().zip(answers) {
            match answer {
                Answer::Claim(reply) => self.engine.bus.answer(target, &reply).await,
                Answer::Result(reply) => self.engine.bus.answer(target, &reply).await,
            }
        }
    }

    async fn answers(&self, project: ProjectId, batch: Vec<Waiting>) -> Result<Vec<Answer>, EngineError> {
        let store = &self.engine.store;
        let (mut loaded, is_newest) = match store.cached(project) {
            Some(cached) => (cached, false),
            None => (store.load(project).await?, true),
        };
        let mut prepared = self.prepare(&loaded.state, &batch).await?;
        if !is_newest && prepared.iter().any(|item| matches!(item, Prepared::Answer(_))) {
            // What is recorded is checked by the append; what is only answered must be so by the log.
            loaded = store.load(project).await?;
            prepared = self.prepare(&loaded.state, &batch).await?;
        }
        let envelopes: Vec<Envelope> = batch
            .iter()
            .zip(&prepared)
            .filter_map(|(waiting, item)| match item {
                Prepared::Record(command, _) => Some((waiting, command)),
                Prepared::Answer(_) => None,
            })
            .map(|(waiting, command)| envelope(&self.engine.clock, &actor(waiting), (**command).clone()))
            .collect();
        if envelopes.is_empty() {
            let state = loaded.state;
            return Ok(batch
                .iter()
                .zip(prepared)
                .map(|(waiting, item)| self.answer(&state, waiting, item, &Ok(())))
                .collect());
        }
        let recorded = store.record(project, loaded, &envelopes, &self.fence).await?;
        self.engine.bus.wake().await;
        let mut outcomes = recorded.outcomes.iter();
        let mut answers = Vec::with_capacity(batch.len());
        for (waiting, item) in batch.iter().zip(prepared) {
            let outcome = match &item {
                Prepared::Record(..) => outcomes.next().unwrap_or(&Ok(())),
                Prepared::Answer(_) => &Ok(()),
            };
            answers.push(self.answer(&recorded.state, waiting, item, outcome));
        }
        Ok(answers)
    }

    async fn prepare(&self, state: &Project, batch: &[Waiting]) -> Result<Vec<Prepared>, EngineError> {
        let known = &self.known_results(state, batch).await?;
        let mut claimed = HashSet::new();
        // All at once: most of it is waiting for the disk.
        try_join_all(batch.iter().map(|waiting| {
            let is_first = match waiting {
                Waiting::Claim(request, _) => claimed.insert(request.job.task),
                Waiting::Result(..) => true,
            };
            async move {
                match waiting {
                    // Of claims that came together one is granted.
                    Waiting::Claim(..) if !is_first => Ok(busy_for(Duration::ZERO)),
                    Waiting::Claim(request, _) => self.prepare_claim(state, request, known).await,
                    Waiting::Result(report, _) => self.prepare_result(report).await,
                }
            }
        }))
        .await
    }

    fn answer(
        &self,
        state: &Project,
        waiting: &Waiting,
        item: Prepared,
        outcome: &Result<(), domain::project::ProjectError>,
    ) -> Answer {
        match (item, waiting) {
            (Prepared::Answer(answer), _) => answer,
            (Prepared::Record(_, AfterRecording::Run(claim)), Waiting::Claim(request, _)) => {
                Answer::Claim(if outcome.is_ok() {
                    self.grant(state, request, claim)
                } else {
                    ClaimReply::Stop
                })
            }
            (Prepared::Record(..), Waiting::Claim(..)) => Answer::Claim(ClaimReply::Done),
            (Prepared::Record(..), Waiting::Result(report, _)) => {
                self.leases().end(report.job.task);
                Answer::Result(match outcome {
                    Ok(()) => ResultReply::Recorded,
                    Err(error) => ResultReply::Refused { reason: error.to_string() },
                })
            }
        }
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does a project's work and answers with the project, also when that panics: who waits behind it must not wait
/// for ever. Those whose answer got lost ask again.
async fn whatever_happens(project: ProjectId, work: impl Future<Output = ()>) -> Option<ProjectId> {
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        tracing::error!(%project, "the desk broke down over a project; workers ask again");
    }
    Some(project)
}

fn reply_to(waiting: &Waiting) -> ReplyTo {
    match waiting {
        Waiting::Claim(_, reply_to) | Waiting::Result(_, reply_to) => reply_to.clone(),
    }
}

fn actor(waiting: &Waiting) -> String {
    let worker = match waiting {
        Waiting::Claim(request, _) => &request.worker,
        Waiting::Result(report, _) => &report.worker,
    };
    format!("worker:{}", worker.name)
}

fn busy(is_claim: bool) -> Answer {
    let retry_after_ms = RETRY_AFTER_MS;
    if is_claim {
        Answer::Claim(ClaimReply::Busy { retry_after_ms })
    } else {
        Answer::Result(ResultReply::Busy { retry_after_ms })
    }
}

/// Claims.
impl Desk {
    /// What was made earlier for the specifications that a batch claims.
    async fn known_results(
        &self,
        state: &Project,
        batch: &[Waiting],
    ) -> Result<HashMap<SpecHash, (Asset, MadeWith)>, EngineError> {
        let claimed = batch.iter().filter_map(|waiting| match waiting {
            Waiting::Claim(request, _) => state.tasks.get(&request.job.task),
            Waiting::Result(..) => None,
        });
        let reusable = claimed.filter(|task| matches!(task.kind, Kind::Image | Kind::Video | Kind::Tts));
        let specs: Vec<SpecHash> = reusable.filter_map(|task| task.spec_hash.clone()).collect();
        let mut known = takes::by_spec(&self.engine.pool, &specs).await?;
        let mut stored = HashMap::with_capacity(known.len());
        for (spec, (asset, made_with)) in known.drain() {
            if self.engine.media.size(&asset.key).await?.is_some() {
                stored.insert(spec, (asset, MadeWith { millis: 0, ..made_with }));
            }
        }
        Ok(stored)
    }

    async fn prepare_claim(
        &self,
        state: &Project,
        request: &ClaimRequest,
        known: &HashMap<SpecHash, (Asset, MadeWith)>,
    ) -> Result<Prepared, EngineError> {
        let stop = Prepared::Answer(Answer::Claim(ClaimReply::Stop));
        let Some(task) = state.tasks.get(&request.job.task) else { return Ok(stop) };
        match &task.state {
            _ if task.attempt != request.job.attempt => return Ok(stop),
            TaskState::Pending => {}
            TaskState::Processing { .. } => {
                let holder = self.leases().holder(request.job.task, &request.worker);
                match holder {
                    Held::ByAsker(claim) => {
                        return Ok(Prepared::Answer(Answer::Claim(self.grant(state, request, claim))));
                    }
                    Held::ByAnother(left) => return Ok(busy_for(left)),
                    Held::Free => {}
                }
            }
            TaskState::Blocked | TaskState::Failed | TaskState::Cancelled(_) => return Ok(stop),
        }
        if let Some((asset, made_with)) = task.spec_hash.as_ref().and_then(|spec| known.get(spec)) {
            return Ok(finished(request.job, Output::Media { asset: asset.clone() }, made_with.clone()));
        }
        if let Some(spec) = &task.spec_hash
            && let Some((output, made_with)) = self.finished_by_lost_run(request.job.task, spec).await?
        {
            return Ok(finished(request.job, output, made_with));
        }
        let claim = ClaimId(Uuid::new_v4());
        let command = Command::RecordTaskStarted {
            task: request.job.task,
            attempt: request.job.attempt,
            claim,
            worker: request.worker.name.clone(),
        };
        Ok(Prepared::Record(Box::new(command), AfterRecording::Run(claim)))
    }

    /// A run that uploaded everything and wrote its report, and was lost before the desk heard of it. What it
    /// made is of use only when it was asked for what the task asks for now.
    async fn finished_by_lost_run(
        &self,
        task: TaskId,
        spec: &SpecHash,
    ) -> Result<Option<(Output, MadeWith)>, EngineError> {
        for (claim, report) in self.engine.media.reports(task).await? {
            let Ok(report) = serde_json::from_slice::<RunReport>(&report) else { continue };
            if report.spec != *spec {
                continue;
            }
            match self.receive(task, claim, *report.output).await {
                Ok(output) => return Ok(Some((output, report.made_with))),
                Err(error) if error.is_outage() => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Grants a claim: the lease, what is asked for, and where its inputs are.
    fn grant(&self, state: &Project, request: &ClaimRequest, claim: ClaimId) -> ClaimReply {
        let job = request.job;
        let is_its = |task: &&Task| matches!(task.state, TaskState::Processing { claim: present, .. } if present == claim);
        let Some(spec) = state.tasks.get(&job.task).filter(is_its).and_then(|task| state.spec(task)) else {
            return ClaimReply::Stop;
        };
        self.leases().grant(RunningJob { project: job.project, task: job.task, claim }, &request.worker);
        let place = |key: &AssetKey| (key.clone(), Place::Path(self.engine.media.path(key)));
        let inputs: BTreeMap<AssetKey, Place> = spec.inputs().into_iter().map(place).collect();
        ClaimReply::Run { claim, spec: Box::new(spec), inputs }
    }
}

fn finished(job: Job, output: Output, made_with: MadeWith) -> Prepared {
    let command = Command::RecordTaskFinished { task: job.task, attempt: job.attempt, output, made_with };
    Prepared::Record(Box::new(command), AfterRecording::Done)
}

/// Busy for what is left of another's lease.
fn busy_for(left: Duration) -> Prepared {
    let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let retry_after_ms = millis.max(SHORTEST_BUSY_MS);
    Prepared::Answer(Answer::Claim(ClaimReply::Busy { retry_after_ms }))
}

/// Uploads and results.
impl Desk {
    async fn upload(&self, request: &UploadRequest, reply_to: ReplyTo) {
        let reply = match self.place_for(request).await {
            Ok(reply) => reply,
            Err(error) => {
                tracing::warn!(task = %request.task, %error, "media cannot be written");
                UploadReply::Busy { retry_after_ms: RETRY_AFTER_MS }
            }
        };
        self.engine.bus.answer(reply_to, &reply).await;
    }

    async fn place_for(&self, request: &UploadRequest) -> Result<UploadReply, MediaError> {
        if self.engine.media.size(&request.key).await?.is_some() {
            return Ok(UploadReply::Have);
        }
        let path = self.engine.media.incoming(request.task, request.claim, &request.key).await?;
        Ok(UploadReply::Put { place: Place::Path(path) })
    }

    async fn prepare_result(&self, report: &ResultReport) -> Result<Prepared, EngineError> {
        let (task, claim) = (report.job.task, report.claim);
        let command = match &report.outcome {
            Outcome::Finished { output, made_with } => {
                match self.receive(task, claim, (**output).clone()).await {
                    Ok(output) => {
                        let (attempt, made_with) = (report.job.attempt, made_with.clone());
                        Command::RecordTaskFinished { task, attempt, output, made_with }
                    }
                    Err(error) if error.is_outage() => return Err(error.into()),
                    Err(error) => {
                        let failure = Failure::retry("upload_incomplete", error);
                        Command::RecordTaskFailed { task, claim: Some(claim), failure }
                    }
                }
            }
            Outcome::Failed { failure } => {
                Command::RecordTaskFailed { task, claim: Some(claim), failure: failure.clone() }
            }
            Outcome::Deferred { until, reason } => {
                Command::RecordTaskDeferred { task, claim, until: *until, reason: reason.clone() }
            }
        };
        Ok(Prepared::Record(Box::new(command), AfterRecording::Recorded))
    }

    /// Moves what a run uploaded to its content address, so that no event names a missing asset.
    async fn receive(&self, task: TaskId, claim: ClaimId, mut output: Output) -> Result<Output, MediaError> {
        let assets: Vec<&mut Asset> = match &mut output {
            Output::Storyboard(_) => return Ok(output),
            Output::Media { asset } => vec![asset],
            Output::Film(film) => vec![&mut film.film, &mut film.srt, &mut film.vtt, &mut film.poster],
        };
        let media = &self.engine.media;
        try_join_all(assets.into_iter().map(|asset| async move {
            asset.bytes = media.receive(task, claim, &asset.key).await?.bytes;
            Ok::<(), MediaError>(())
        }))
        .await?;
        Ok(output)
    }
}

/// Leases.
impl Desk {
    async fn lease(&self, request: &LeaseRequest, reply_to: ReplyTo) {
        let renewed = self.leases().renew(request);
        if renewed.name_taken {
            tracing::warn!(
                worker = request.worker.name,
                "two workers go by one name; the earlier one is to end"
            );
            let reply = LeaseReply { name_taken: true, drain: true, ..LeaseReply::default() };
            return self.engine.bus.answer(reply_to, &reply).await;
        }
        if renewed.is_new
            && let Err(error) = self.free_earlier_lives(request).await
        {
            tracing::warn!(worker = request.worker.name, %error, "an earlier life's jobs wait for their lease to end");
        }
        let stop = match self.no_longer_wanted(request).await {
            Ok(stop) => stop,
            Err(error) => {
                tracing::debug!(%error, "a lease is renewed without a look at its tasks");
                Vec::new()
            }
        };
        self.engine.bus.answer(reply_to, &LeaseReply { stop, drain: renewed.drain, name_taken: false }).await;
    }

    /// A worker that was restarted has lost what it ran: those jobs are sent again at once.
    async fn free_earlier_lives(&self, request: &LeaseRequest) -> Result<(), EngineError> {
        let mut lost = self.leases().of_earlier_lives(&request.worker);
        let under_its_name = tasks::processed_by(&self.engine.pool, &request.worker.name).await?;
        lost.extend(under_its_name.into_iter().filter(|(_, task)| !self.leases().covers(*task)));
        lost.retain(|(_, task)| request.running.iter().all(|running| running.task != *task));
        self.send_again(&lost).await
    }

    async fn expire_leases(&self) {
        if !self.engine.bus.is_connected() {
            self.leases().excuse_silence();
            return;
        }
        let expired = self.leases().expire();
        if !expired.is_empty() {
            tracing::warn!(jobs = expired.len(), "leases ran out; their jobs are sent again");
        }
        if let Err(error) = self.send_again(&expired).await {
            tracing::warn!(%error, "expired jobs wait for the queue to deliver them again");
        }
    }

    async fn send_again(&self, lost: &[(ProjectId, TaskId)]) -> Result<(), EngineError> {
        for (project, task) in lost {
            self.leases().free(*task);
            self.engine.bus.remove_job(*project, *task).await?;
        }
        if !lost.is_empty() {
            let tasks: Vec<TaskId> = lost.iter().map(|(_, task)| *task).collect();
            dispatches::mark_unsent(&self.engine.pool, &tasks, &self.fence).await?;
            self.leases().unsent = true;
            self.engine.bus.wake().await;
        }
        Ok(())
    }

    /// Of what a worker runs, the tasks that nobody wants any more or that another has; the rest is its.
    async fn no_longer_wanted(&self, request: &LeaseRequest) -> Result<Vec<TaskId>, EngineError> {
        let mut stop = Vec::new();
        for running in &request.running {
            let state = self.engine.store.load(running.project).await?.state;
            let present = state.tasks.get(&running.task).map(|task| &task.state);
            let is_its =
                matches!(present, Some(TaskState::Processing { claim, .. }) if *claim == running.claim);
            if is_its {
                self.leases().grant(*running, &request.worker);
            } else {
                stop.push(running.task);
            }
        }
        Ok(stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_over_one_request_does_not_silence_its_project() {
        let project = ProjectId(Uuid::new_v4());
        assert_eq!(whatever_happens(project, async { panic!("unforeseen") }).await, Some(project));
    }
}
