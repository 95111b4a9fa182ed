//! Answers workers: claims, leases, uploads and results. What waits for one project is recorded in one
//! commit, and answered after it.

mod claims;
mod lives;
mod results;

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::desk::{ClaimReply, ClaimRequest, DrainReply, ResultReply, ResultReport};
use domain::ids::{ClaimId, CommandId, ProjectId};
use domain::metadata::Context;
use domain::project::{Command, Envelope, Project};
use futures::FutureExt;
use futures::future::try_join_all;
use infra::nats::{DeskRequest, DeskSubscription, ReplyTo};
use infra::postgres::leadership::Fence;
use infra::runtime::{CancellationToken, Clock};
use serde::Serialize;
use tokio::task::JoinSet;
use uuid::Uuid;

use claims::busy_for;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_over_one_request_does_not_silence_its_project() {
        let project = ProjectId(Uuid::new_v4());
        assert_eq!(whatever_happens(project, async { panic!("unforeseen") }).await, Some(project));
    }
}
