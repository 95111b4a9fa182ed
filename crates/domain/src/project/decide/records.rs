//! What workers report. What arrives twice or too late changes nothing.

use chrono::{DateTime, TimeDelta, Utc};

use super::Decision;
use crate::ids::{ClaimId, NewIds, TakeId, TaskId};
use crate::job::{Failure, FilmOutput, Kind, MadeWith, Output, SpecHash, reported};
use crate::project::command::Command;
use crate::project::error::ProjectError;
use crate::project::event::{
    Event, FilmRendered, TakeMade, TaskDeferred, TaskFailed, TaskFinished, TaskRetryScheduled, TaskStarted,
};
use crate::project::state::{Project, Task, TaskState};
use crate::project::workflow::MAX_LOST_RUNS;

/// A worker whose clock is wrong may not put a task off for longer.
const LONGEST_DEFERRAL: TimeDelta = TimeDelta::hours(1);

impl Command {
    /// Whether a worker reports it, as against somebody asking for it.
    pub(super) fn is_record(&self) -> bool {
        matches!(
            self,
            Self::RecordTaskStarted { .. }
                | Self::RecordTaskFinished { .. }
                | Self::RecordTaskFailed { .. }
                | Self::RecordTaskDeferred { .. }
        )
    }
}

impl Project {
    pub(super) fn record(&self, command: &Command, at: DateTime<Utc>, ids: &mut NewIds) -> Decision {
        match command {
            Command::RecordTaskStarted { task, attempt, claim, worker } => {
                self.record_started(*task, *attempt, *claim, worker)
            }
            Command::RecordTaskFinished { task, attempt, output, made_with } => {
                let recorded = self.record_finished(*task, *attempt, output, made_with, ids);
                Ok(recorded.unwrap_or_else(|error| self.record_unusable(*task, *attempt, &error, at, ids)))
            }
            Command::RecordTaskFailed { task, claim, failure } => {
                Ok(self.record_failed(*task, *claim, failure, at, ids))
            }
            Command::RecordTaskDeferred { task, claim, until, reason } => {
                Ok(self.record_deferred(*task, *claim, (*until).min(at + LONGEST_DEFERRAL), reason))
            }
            _ => Ok(Vec::new()),
        }
    }

    fn record_started(&self, id: TaskId, attempt: u32, claim: ClaimId, worker: &str) -> Decision {
        let task = self.tasks.get(&id).ok_or(ProjectError::TaskNotOpen)?;
        let started = TaskStarted { task_id: id, attempt, claim, worker: reported(worker, 200) };
        match &task.state {
            _ if task.attempt != attempt => Err(ProjectError::AttemptSuperseded),
            TaskState::Processing { claim: present, .. } if *present == claim => Ok(Vec::new()),
            TaskState::Processing { .. } if task.lost_runs + 1 >= MAX_LOST_RUNS => {
                let reason = format!("{MAX_LOST_RUNS} workers in a row were lost while they ran it");
                let failure = Failure::fail("worker_lost", reason);
                Ok(vec![TaskFailed { task_id: id, attempt, failure }.into()])
            }
            TaskState::Pending | TaskState::Processing { .. } => {
                Ok(vec![match self.beyond_budget(id, task.kind) {
                    Some(failure) => TaskFailed { task_id: id, attempt, failure }.into(),
                    None => started.into(),
                }])
            }
            TaskState::Blocked | TaskState::Failed | TaskState::Cancelled(_) => {
                Err(ProjectError::TaskNotOpen)
            }
        }
    }

    fn record_finished(
        &self,
        id: TaskId,
        attempt: u32,
        output: &Output,
        made_with: &MadeWith,
        ids: &mut NewIds,
    ) -> Decision {
        let Some((task, spec_hash)) = self.running(id) else { return Ok(Vec::new()) };
        if attempt < task.first_attempt() {
            return Ok(Vec::new());
        }
        let mut finished = TaskFinished {
            task_id: id,
            attempt: task.attempt,
            spec_hash: spec_hash.clone(),
            take: None,
            made_with: made_with.bounded(),
        };
        if !output.assets().iter().all(|asset| asset.key.kind() == task.kind.as_str()) {
            return Err(ProjectError::WrongOutput(task.kind));
        }
        match (task.kind, output) {
            (Kind::Storyboard, Output::Storyboard(output)) => {
                let adopted = self.adopted(id, task, output, ids)?;
                Ok(vec![finished.into(), adopted])
            }
            (Kind::Film, Output::Film(film)) => {
                let rendered = self.film_rendered(id, task, film);
                Ok(vec![finished.into(), rendered])
            }
            (Kind::Image | Kind::Video | Kind::Tts, Output::Media { asset }) => {
                let shot = task.shot.and_then(|id| self.shot(id)).ok_or(ProjectError::ShotNotFound)?;
                finished.take = Some(TakeMade {
                    take_id: TakeId(ids.next_uuid()),
                    shot_id: shot.id,
                    asset: asset.clone(),
                    selected: task.parameters.candidate.is_none()
                        && shot.take(task.kind).map(|take| take.id) == task.replaces,
                });
                Ok(vec![finished.into()])
            }
            (kind, _) => Err(ProjectError::WrongOutput(kind)),
        }
    }

    /// A result that is not what was asked for is a failure of the attempt that brought it: another may do
    /// better.
    fn record_unusable(
        &self,
        id: TaskId,
        attempt: u32,
        error: &ProjectError,
        at: DateTime<Utc>,
        ids: &mut NewIds,
    ) -> Vec<Event> {
        let of_present_attempt = self.tasks.get(&id).is_some_and(|task| attempt >= task.attempt);
        let failure = Failure::retry("invalid_output", error);
        if of_present_attempt { self.record_failed(id, None, &failure, at, ids) } else { Vec::new() }
    }

    /// A task that may finish: open, ready, and asking for what today's content asks for.
    fn running(&self, id: TaskId) -> Option<(&Task, &SpecHash)> {
        let task = self.tasks.get(&id)?;
        let ready = matches!(task.state, TaskState::Pending | TaskState::Processing { .. });
        task.spec_hash.as_ref().filter(|_| ready).map(|hash| (task, hash))
    }

    fn film_rendered(&self, id: TaskId, task: &Task, film: &FilmOutput) -> Event {
        FilmRendered {
            task_id: id,
            film_version: self.film.as_ref().map_or(0, |film| film.version) + 1,
            spec_hash: task.spec_hash.clone().unwrap_or(SpecHash(String::new())),
            parameters: task.parameters.clone(),
            film: Box::new(film.bounded()),
            incomplete: self
                .film_range(&task.parameters)
                .unwrap_or_default()
                .iter()
                .filter(|shot| !self.is_complete(shot))
                .map(|shot| shot.id)
                .collect(),
        }
        .into()
    }

    fn record_failed(
        &self,
        id: TaskId,
        claim: Option<ClaimId>,
        failure: &Failure,
        at: DateTime<Utc>,
        ids: &mut NewIds,
    ) -> Vec<Event> {
        let Some(task) = self.tasks.get(&id).filter(|task| concerns(task, claim)) else { return Vec::new() };
        if failure.retryable && task.attempt < task.max_attempts {
            let due = at + back_off(task.attempt, ids.next_seed());
            let attempt = task.attempt + 1;
            vec![TaskRetryScheduled { task_id: id, attempt, due, failure: failure.bounded() }.into()]
        } else {
            vec![TaskFailed { task_id: id, attempt: task.attempt, failure: failure.bounded() }.into()]
        }
    }

    fn record_deferred(&self, id: TaskId, claim: ClaimId, until: DateTime<Utc>, reason: &str) -> Vec<Event> {
        let concerned = self.tasks.get(&id).is_some_and(|task| concerns(task, Some(claim)));
        let deferred = TaskDeferred { task_id: id, due: until, reason: reported(reason, 2_000) };
        if concerned { vec![deferred.into()] } else { Vec::new() }
    }
}

/// Whether a report of a run is about what the task does now.
fn concerns(task: &Task, claim: Option<ClaimId>) -> bool {
    match (&task.state, claim) {
        (TaskState::Processing { claim: present, .. }, Some(claim)) => *present == claim,
        (TaskState::Pending | TaskState::Processing { .. }, None) => true,
        _ => false,
    }
}

/// Exponential: 1, 2, 4 … seconds after attempt 1, 2, 3 …, up to 60, with jitter of ± 25 %.
fn back_off(attempt: u32, random: u32) -> TimeDelta {
    let base_millis = 1_000_i64 << attempt.saturating_sub(1).min(6);
    let jitter_percent = 75 + i64::from(random % 51);
    TimeDelta::milliseconds((base_millis * jitter_percent / 100).min(60_000))
}
