//! Work that is asked for in bulk, and followed as one task.

use super::{Decision, TaskState};
use crate::ids::{NewIds, ShotId, TaskId};
use crate::job::Kind;
use crate::project::command::{Generate, Only, Parameters};
use crate::project::error::ProjectError;
use crate::project::event::{CancelReason, Event, TaskCancelled};
use crate::project::state::{Batch, Project, Shot, Task};
use crate::project::{limits, workflow};

/// The kinds of takes, in the order in which they build on each other.
const TAKES: [Kind; 3] = [Kind::Image, Kind::Video, Kind::Tts];

impl Project {
    /// Which takes a command to make many is about, in order. Locked shots are left out.
    pub fn to_make(&self, wanted: &Generate) -> Vec<(ShotId, Kind)> {
        let named = |shot: &&Shot| wanted.shots.as_ref().is_none_or(|shots| shots.contains(&shot.id));
        let mut found: Vec<(ShotId, Kind)> = Vec::new();
        for shot in self.shots.iter().filter(|shot| !shot.locked).filter(named) {
            let usual = self.kinds_of(shot);
            let kinds = if wanted.kinds.is_empty() { &usual } else { &wanted.kinds };
            for kind in TAKES.into_iter().filter(|kind| kinds.contains(kind)) {
                if self.is_to_make(shot, kind, wanted.only, &found) {
                    found.push((shot.id, kind));
                }
            }
        }
        found
    }

    fn is_to_make(&self, shot: &Shot, kind: Kind, only: Only, found: &[(ShotId, Kind)]) -> bool {
        let can_be_made = match kind {
            Kind::Tts => !shot.narration.trim().is_empty(),
            Kind::Video => {
                let picture_comes = found.contains(&(shot.id, Kind::Image));
                shot.image.is_some() || picture_comes || self.open_task(shot.id, Kind::Image).is_some()
            }
            Kind::Image => true,
            Kind::Storyboard | Kind::Film => false,
        };
        can_be_made
            && match only {
                Only::Missing => shot.take(kind).is_none(),
                Only::Stale => self.is_stale(shot, kind),
                Only::Failed => self.failed_task(shot.id, kind).is_some(),
                Only::All => true,
            }
    }

    /// The failed task of a shot, also when it was cancelled because what it waited for failed.
    fn failed_task(&self, shot: ShotId, kind: Kind) -> Option<TaskId> {
        let failed = |task: &Task| {
            matches!(task.state, TaskState::Failed | TaskState::Cancelled(CancelReason::DependencyFailed))
        };
        let own =
            |task: &Task| task.kind == kind && task.shot == Some(shot) && task.parameters.candidate.is_none();
        self.tasks.iter().find(|(_, task)| own(task) && failed(task)).map(|(id, _)| *id)
    }

    /// Queues what is wanted; what is being made already counts as well.
    pub(super) fn generate_many(&self, wanted: &Generate, ids: &mut NewIds) -> Decision {
        self.check_generate(wanted)?;
        limits::check_parameters(&wanted.parameters)?;
        let to_make = self.to_make(wanted);
        let mut after = self.clone();
        let (mut events, mut children) = (Vec::new(), Vec::new());
        for (shot, kind) in &to_make {
            // What is being made in another way than is wanted now gives place to it.
            let is_wanted = |task: &Task| {
                wanted.parameters == Parameters::default() || task.parameters == wanted.parameters
            };
            let open = after.open_task(*shot, *kind).filter(|(_, task)| is_wanted(task)).map(|(id, _)| id);
            let news = match open {
                Some(_) => Vec::new(),
                None => after.made_again(*shot, *kind, wanted, ids),
            };
            children.extend(open);
            children.extend(workflow::made_by(&news, *kind));
            news.iter().for_each(|event| after.evolve(event));
            events.extend(news);
        }
        let kind = to_make.first().map(|(_, kind)| *kind);
        with_batch(events, kind.unwrap_or(Kind::Image), children, ids)
    }

    fn check_generate(&self, wanted: &Generate) -> Result<(), ProjectError> {
        if let Some(kind) = wanted.kinds.iter().find(|kind| !TAKES.contains(kind)) {
            return Err(ProjectError::NotAShotKind(*kind));
        }
        for id in wanted.shots.iter().flatten() {
            if self.known_shot(*id)?.locked {
                return Err(ProjectError::ShotLocked);
            }
        }
        Ok(())
    }

    fn made_again(&self, shot: ShotId, kind: Kind, wanted: &Generate, ids: &mut NewIds) -> Vec<Event> {
        let Some(shot) = self.shot(shot) else { return Vec::new() };
        if wanted.only == Only::Failed {
            let failed = self.failed_task(shot.id, kind);
            return failed.and_then(|task| self.retry_task(task, ids).ok()).unwrap_or_default();
        }
        let mut parameters = wanted.parameters.clone();
        // The same content with the same seed would come to the same picture.
        let is_as_it_should = shot.take(kind).is_some() && !self.is_stale(shot, kind);
        if kind != Kind::Tts && is_as_it_should && parameters.seed.is_none() {
            parameters.seed = Some(ids.next_seed());
        }
        self.queue_take(shot, kind, &parameters, ids)
    }

    /// Queues every failed task again that can be, with what was cancelled because of it.
    pub(super) fn retry_failed(&self, ids: &mut NewIds) -> Decision {
        let failed = self.tasks.iter().filter(|(_, task)| task.state == TaskState::Failed);
        let failed: Vec<(TaskId, Kind)> = failed.map(|(id, task)| (*id, task.kind)).collect();
        let mut after = self.clone();
        let (mut events, mut children) = (Vec::new(), Vec::new());
        for (id, _) in &failed {
            // Locked shots, and what something else is to bring back, are left as they are.
            let news = after.retry_task(*id, ids).unwrap_or_default();
            news.iter().for_each(|event| after.evolve(event));
            children.extend(Kind::ALL.into_iter().flat_map(|kind| workflow::made_by(&news, kind)));
            events.extend(news);
        }
        let kind = failed.iter().map(|(_, kind)| *kind).min().unwrap_or(Kind::Image);
        with_batch(events, kind, children, ids)
    }

    /// Stops what a batch still waits for, and the batch.
    pub(super) fn cancel_batch(&self, id: TaskId, batch: &Batch) -> Vec<Event> {
        let cancelled = |task_id| TaskCancelled { task_id, reason: CancelReason::Requested }.into();
        let children = self.open_children(batch).map(|(child, _)| child);
        std::iter::once(id).chain(children).map(cancelled).collect()
    }
}

/// What is queued, and the batch of it and of what is being made already. A batch of nothing is none.
fn with_batch(mut events: Vec<Event>, kind: Kind, mut children: Vec<TaskId>, ids: &mut NewIds) -> Decision {
    if children.is_empty() {
        return Err(ProjectError::NothingToDo);
    }
    children.sort_unstable();
    children.dedup();
    events.push(workflow::planned_batch(TaskId(ids.next_uuid()), kind, children));
    Ok(events)
}
