//! How tasks come, run and end, and which ended ones are remembered.

use super::{Film, Project, Task, TaskState};
use crate::ids::{ShotId, TaskId};
use crate::job::Kind;
use crate::project::command::Parameters;
use crate::project::event::{CancelReason, Event, TaskPlanned, TaskQueued};

impl Project {
    pub(super) fn evolve_task(&mut self, event: &Event) {
        match event {
            Event::BatchPlanned(event) => self.begin_batch(event),
            Event::TaskPlanned(event) => self.plan(event),
            Event::TaskQueued(event) => self.queue(event),
            Event::TaskStarted(event) => self.with_task(event.task_id, |task| {
                let was_begun = matches!(task.state, TaskState::Processing { .. });
                task.lost_runs = if was_begun { task.lost_runs + 1 } else { 0 };
                task.state = TaskState::Processing { claim: event.claim, worker: event.worker.clone() };
            }),
            Event::TaskRetryScheduled(event) => self.with_task(event.task_id, |task| {
                task.attempt = event.attempt;
                task.state = TaskState::Pending;
            }),
            Event::TaskDeferred(event) => {
                self.with_task(event.task_id, |task| task.state = TaskState::Pending);
            }
            Event::TaskFinished(event) => self.finish(event),
            Event::TaskFailed(event) => self.end(event.task_id, TaskState::Failed),
            Event::TaskCancelled(event) if event.reason == CancelReason::Surplus => {
                self.tasks.remove(&event.task_id);
            }
            Event::TaskCancelled(event) => {
                self.end(event.task_id, TaskState::Cancelled(event.reason));
                let film = self.tasks.get(&event.task_id).filter(|task| task.kind == Kind::Film);
                let may_come_again = film.is_some_and(|film| film.spec_hash == self.last_film_queued);
                if event.reason == CancelReason::Superseded && may_come_again {
                    self.last_film_queued = None;
                }
            }
            Event::FilmRendered(event) => {
                self.film = Some(Film {
                    version: event.film_version,
                    spec_hash: event.spec_hash.clone(),
                    parameters: event.parameters.clone(),
                });
            }
            _ => {}
        }
    }

    fn with_task(&mut self, id: TaskId, change: impl FnOnce(&mut Task)) {
        if let Some(task) = self.tasks.get_mut(&id) {
            change(task);
        }
    }

    fn plan(&mut self, event: &TaskPlanned) {
        self.make_room(event.task_id, event.kind, event.shot_id, &event.parameters);
        self.tasks.insert(
            event.task_id,
            Task {
                kind: event.kind,
                shot: event.shot_id,
                slot: event.slot,
                depends_on: event.depends_on.clone(),
                parameters: event.parameters.clone(),
                spec_hash: None,
                attempt: event.attempt,
                max_attempts: event.max_attempts,
                replaces: None,
                lost_runs: 0,
                state: TaskState::Blocked,
            },
        );
    }

    fn queue(&mut self, event: &TaskQueued) {
        self.make_room(event.task_id, event.kind, event.shot_id, &event.parameters);
        let shot = event.shot_id.and_then(|id| self.shot(id));
        let replaces = shot.and_then(|shot| shot.take(event.kind)).map(|take| take.id);
        let own_film = || self.spec_of(Kind::Film, None, &Parameters::default()).map(|spec| spec.hash());
        if event.kind == Kind::Film && own_film().as_ref() == Some(&event.spec_hash) {
            self.last_film_queued = Some(event.spec_hash.clone());
        }
        self.tasks.insert(
            event.task_id,
            Task {
                kind: event.kind,
                shot: event.shot_id,
                slot: None,
                depends_on: Vec::new(),
                parameters: event.parameters.clone(),
                spec_hash: Some(event.spec_hash.clone()),
                attempt: event.attempt,
                max_attempts: event.max_attempts,
                replaces,
                lost_runs: 0,
                state: TaskState::Pending,
            },
        );
    }

    fn end(&mut self, id: TaskId, state: TaskState) {
        let Some(task) = self.tasks.remove(&id) else { return };
        self.forget_ended(task.kind, task.shot, task.parameters.candidate);
        let is_gone = task.shot.is_some_and(|shot| self.shot(shot).is_none());
        if !is_gone {
            self.tasks.insert(id, Task { state, ..task });
        }
    }

    /// Ended tasks make room for newer work of the same kind and shot, which keeps the state small.
    fn forget_ended(&mut self, kind: Kind, shot: Option<ShotId>, candidate: Option<u32>) {
        self.tasks.retain(|_, task| task.is_open() || !task.same_work(kind, shot, candidate));
    }

    /// A new task of a shot takes the place of all ended candidates of its kind; one that is queued again,
    /// that of itself.
    fn make_room(&mut self, id: TaskId, kind: Kind, shot: Option<ShotId>, parameters: &Parameters) {
        let is_new = !self.tasks.contains_key(&id);
        self.tasks_made += u32::from(is_new);
        self.forget_ended(kind, shot, parameters.candidate);
        if is_new && shot.is_some() && parameters.candidate.is_none() {
            self.tasks.retain(|_, task| task.is_open() || (task.kind, task.shot) != (kind, shot));
        }
    }
}
