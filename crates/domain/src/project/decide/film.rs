//! Films that are asked for: what is made for them, what they wait for, and when they are tried again.

use super::Decision;
use crate::ids::{NewIds, TaskId};
use crate::job::Kind;
use crate::project::command::Parameters;
use crate::project::error::ProjectError;
use crate::project::event::Event;
use crate::project::state::{Project, Shot, Task, TaskState};
use crate::project::{limits, workflow};

impl Project {
    pub(super) fn render_film(&self, parameters: &Parameters, ids: &mut NewIds) -> Decision {
        limits::check_parameters(parameters)?;
        let no_shots_to_come = self.open_tasks().all(|(_, task)| task.kind != Kind::Storyboard);
        if self.shots.is_empty() && no_shots_to_come {
            return Err(ProjectError::NoShots);
        }
        let mut events = self.queue_missing(self.film_range(parameters)?, ids);
        let same = |task: &Task| task.kind == Kind::Film && self.is_same_film(&task.parameters, parameters);
        let goes_on = |task: &Task| events.is_empty() || task.state == TaskState::Blocked;
        if self.open_tasks().any(|(_, task)| same(task) && goes_on(task)) {
            return Ok(events);
        }
        let mut after = self.clone();
        events.iter().for_each(|event| after.evolve(event));
        let depends_on: Vec<TaskId> = after.work_for_film(parameters).map(|(id, _)| id).collect();
        let film = TaskId(ids.next_uuid());
        if depends_on.is_empty() {
            events.extend(self.queued(film, Kind::Film, None, parameters, 1));
        } else {
            events.push(workflow::planned_film(film, depends_on, parameters.clone()));
        }
        Ok(events)
    }

    /// Takes that a film of these shots needs and that nothing is making yet.
    fn queue_missing(&self, shots: &[Shot], ids: &mut NewIds) -> Vec<Event> {
        let mut events = Vec::new();
        for shot in shots.iter().filter(|shot| !shot.locked) {
            for kind in self.missing_kinds(shot) {
                events.extend(self.queue_take(shot, kind, &self.usual(), ids));
            }
        }
        events
    }

    /// What a shot needs and nothing is making; without the clip that a new picture brings along.
    fn missing_kinds(&self, shot: &Shot) -> Vec<Kind> {
        let mut kinds = self.kinds_of(shot);
        kinds.retain(|kind| {
            // A clip of the old picture is outdated as soon as the one in the making comes.
            let will_be_stale = *kind == Kind::Video && self.open_task(shot.id, Kind::Image).is_some();
            let wanted = shot.take(*kind).is_none() || self.is_stale(shot, *kind) || will_be_stale;
            wanted && self.open_task(shot.id, *kind).is_none()
        });
        if kinds.contains(&Kind::Image) {
            kinds.retain(|kind| *kind != Kind::Video);
        }
        kinds
    }

    /// A film is tried again when its shots are there, or to come, and nothing else is making the same.
    pub(super) fn check_film_retry(&self, film: &Task) -> Result<(), ProjectError> {
        let same =
            |open: &Task| open.kind == Kind::Film && self.is_same_film(&open.parameters, &film.parameters);
        if self.open_tasks().any(|(_, open)| same(open)) {
            return Err(ProjectError::TaskNotRetryable);
        }
        let shots_to_come = self.open_tasks().any(|(_, open)| open.kind == Kind::Storyboard);
        if self.shots.is_empty() && !shots_to_come {
            return Err(ProjectError::DependencyFailed);
        }
        self.film_range(&film.parameters).map(|_| ())
    }
}
