//! Turns settled events into jobs: admission by window, timers, and making good what the queue lost.

use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::{ProjectId, TaskId};
use domain::job::Kind;
use domain::project::Event;
use futures::future::join_all;
use infra::postgres::checkpoint;
use infra::postgres::dispatches::{self, Change, ToSend, Window};
use infra::postgres::leadership::Fence;
use infra::postgres::tail::{Place, Recorded, Tail};
use tokio::time::Instant;

use crate::looping::{Reader, Step};
use crate::{Engine, EngineError, Leases};

const PAGE: usize = 1_000;
/// A job may be on its way to the queue for so long.
const SENDING_GRACE_SECONDS: f64 = 5.0;

/// Sends jobs.
#[derive(Debug)]
pub struct Dispatcher {
    engine: Engine,
    tail: Tail,
    fence: Fence,
    leases: Arc<Mutex<Leases>>,
    place: Option<Place>,
    /// Unsent rows wait for their time or for room.
    more_waits: bool,
    reconciled_at: Option<Instant>,
}

impl Dispatcher {
    pub(crate) fn new(engine: Engine, tail: Tail, fence: Fence, leases: Arc<Mutex<Leases>>) -> Self {
        Self { engine, tail, fence, leases, place: None, more_waits: true, reconciled_at: None }
    }

    /// What a kind may have in the queue and in flight: twice the live slots, and never too few to wake
    /// workers that are scaled from zero.
    fn windows(&self) -> Vec<Window> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = |kind| i64::from((2 * leases.slots(kind)).max(self.engine.minimum_window));
        Kind::ALL.into_iter().map(|kind| Window { kind, jobs: jobs(kind) }).collect()
    }

    async fn send(&mut self, to_send: &ToSend) -> Result<(), EngineError> {
        let results = self.engine.bus.send_jobs(&to_send.jobs).await;
        let failed: Vec<TaskId> = to_send
            .jobs
            .iter()
            .zip(&results)
            .filter(|(_, result)| result.is_err())
            .map(|((_, job), _)| job.task)
            .collect();
        if let Some(error) = results.into_iter().find_map(Result::err) {
            dispatches::mark_unsent(&self.engine.pool, &failed, &self.fence).await?;
            self.more_waits = true;
            // The stream may be gone; the next look makes it again.
            self.reconciled_at = None;
            return Err(error.into());
        }
        Ok(())
    }

    /// Tells whoever runs a cancelled task to stop, and takes its job out of the queue.
    async fn withdraw(
        &self,
        cancelled: &[(ProjectId, TaskId)],
        closed: &[TaskId],
    ) -> Result<(), EngineError> {
        for (project, task) in cancelled.iter().filter(|(_, task)| closed.contains(task)) {
            self.engine.bus.publish_cancel(*project, *task).await?;
            self.engine.bus.remove_job(*project, *task).await?;
        }
        Ok(())
    }

    /// Forgets what runs of ended tasks uploaded: it is stored at its address, or of no use.
    async fn clear_incoming(&self, closed: &[TaskId]) {
        let clear = |task: &TaskId| self.engine.media.clear_incoming(*task);
        for cleared in join_all(closed.iter().map(clear)).await {
            if let Err(error) = cleared {
                tracing::debug!(%error, "uploads of an ended task are left to the collector");
            }
        }
    }

    /// Compares the queue with what was sent: what the queue lost is sent again.
    async fn reconcile(&mut self) -> Result<(), EngineError> {
        let due = self.reconciled_at.is_none_or(|at| at.elapsed() >= self.engine.timing.reconcile);
        if !due {
            return Ok(());
        }
        let first = self.reconciled_at.is_none();
        if first {
            self.engine.bus.apply_topology().await?;
        }
        let held = match self.engine.bus.queued_tasks().await {
            Ok(held) => held,
            Err(error) => {
                self.reconciled_at = None;
                return Err(error.into());
            }
        };
        let grace = if first { 0.0 } else { SENDING_GRACE_SECONDS };
        let lost: Vec<TaskId> = {
            let lost = dispatches::lost(&self.engine.pool, &held, grace).await?;
            let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
            lost.into_iter().map(|(_, job)| job.task).filter(|task| !leases.covers(*task)).collect()
        };
        if !lost.is_empty() {
            tracing::info!(
                jobs = lost.len(),
                "the queue does not hold jobs that were sent; sending them again"
            );
            dispatches::mark_unsent(&self.engine.pool, &lost, &self.fence).await?;
            self.more_waits = true;
        }
        self.reconciled_at = Some(Instant::now());
        // A database that crashed may have lost the newest checkpoint and marks: look at both again.
        self.place = None;
        self.more_waits = true;
        Ok(())
    }
}

impl Reader for Dispatcher {
    async fn run_once(&mut self) -> Result<Step, EngineError> {
        self.reconcile().await?;
        let place = match self.place.take() {
            Some(place) => place,
            None => checkpoint::load(&self.engine.pool, dispatches::READER).await?,
        };
        let page = self.tail.page(place, PAGE).await?;
        let reached = page.last().map_or(place, |last| last.place);
        self.more_waits |=
            std::mem::take(&mut self.leases.lock().unwrap_or_else(PoisonError::into_inner).unsent);
        if page.is_empty() && !self.more_waits {
            self.place = Some(place);
            return Ok(Step::Idle);
        }
        let changes = changes(&page);
        let windows = self.windows();
        let mut to_send =
            dispatches::apply(&self.engine.pool, (place, reached), &changes, &windows, &self.fence).await?;
        // Clips and the film wait for pictures, which take longer than voices.
        to_send.jobs.sort_by_key(|(kind, _)| *kind == Kind::Tts);
        self.place = Some(reached);
        self.more_waits = to_send.more_waits;
        self.clear_incoming(&to_send.closed).await;
        self.send(&to_send).await?;
        self.withdraw(&cancelled(&page), &to_send.closed).await?;
        let worked = !page.is_empty() || !to_send.jobs.is_empty();
        Ok(if worked { Step::Worked } else { Step::Idle })
    }
}

/// What a page means for jobs: the last word on each task, in order.
fn changes(page: &[Arc<Recorded>]) -> Vec<(TaskId, Change)> {
    let mut changes: Vec<(TaskId, Change)> = Vec::new();
    for recorded in page {
        let Some((task, change)) = change(recorded) else { continue };
        match (changes.iter_mut().find(|(known, _)| *known == task), change) {
            (Some((_, Change::Queue { attempt, at, .. })), Change::PutOff { attempt: next, due }) => {
                *attempt = next.unwrap_or(*attempt);
                *at = due;
            }
            (Some((_, known)), change) => *known = change,
            (None, change) => changes.push((task, change)),
        }
    }
    changes
}

fn change(recorded: &Recorded) -> Option<(TaskId, Change)> {
    // What was open elsewhere is cancelled here, by an event of this system's own.
    if recorded.imported {
        return None;
    }
    match &recorded.event {
        Event::TaskQueued(event) => Some((
            event.task_id,
            Change::Queue {
                kind: event.kind,
                project: recorded.project,
                attempt: event.attempt,
                at: recorded.at,
            },
        )),
        Event::TaskRetryScheduled(event) => {
            Some((event.task_id, Change::PutOff { attempt: Some(event.attempt), due: event.due }))
        }
        Event::TaskDeferred(event) => Some((event.task_id, Change::PutOff { attempt: None, due: event.due })),
        Event::TaskFinished(event) => Some((event.task_id, Change::Close)),
        Event::TaskFailed(event) => Some((event.task_id, Change::Close)),
        Event::TaskCancelled(event) => Some((event.task_id, Change::Close)),
        _ => None,
    }
}

fn cancelled(page: &[Arc<Recorded>]) -> Vec<(ProjectId, TaskId)> {
    page.iter()
        .filter_map(|recorded| match &recorded.event {
            Event::TaskCancelled(event) => Some((recorded.project, event.task_id)),
            _ => None,
        })
        .collect()
}
