//! The storyboard: made again on request, and merged with what people did by hand.

use super::Decision;
use crate::ids::{NewIds, ShotId, TaskId};
use crate::job::{Kind, SpecHash, StoryboardOutput, StoryboardShot};
use crate::project::command::Parameters;
use crate::project::error::ProjectError;
use crate::project::event::{
    AdoptedShot, CancelReason, Event, ShotCountRevised, StoryboardAdopted, TaskCancelled, TaskPlanned,
};
use crate::project::limits;
use crate::project::state::{Project, Shot, Task};
use crate::project::workflow::MAX_ATTEMPTS;

impl Project {
    /// Queues a new storyboard. One that is open and asks for the same goes on.
    pub(super) fn make_storyboard(
        &self,
        force: bool,
        shot_count: Option<u32>,
        alone: bool,
        ids: &mut NewIds,
    ) -> Decision {
        limits::check_shot_count(shot_count)?;
        limits::check_story(&self.story)?;
        let mut after = self.clone();
        let mut events = Vec::new();
        if let Some(shot_count) = shot_count.filter(|_| shot_count != self.shot_count) {
            let revised = ShotCountRevised { shot_count }.into();
            after.evolve(&revised);
            events.push(revised);
        }
        let alone = alone.then_some(true);
        let parameters = Parameters { force: force.then_some(true), alone, ..Parameters::default() };
        let today = after.spec_of(Kind::Storyboard, None, &parameters).map(|spec| spec.hash());
        let open = self.open_tasks().find(|(_, task)| task.kind == Kind::Storyboard);
        if open.is_some_and(|(_, task)| task.spec_hash == today && task.parameters == parameters) {
            return Ok(events);
        }
        events.extend(self.in_the_way_of_storyboard(force));
        if alone.is_some() {
            events.extend(self.without_slots());
        }
        let storyboard = TaskId(ids.next_uuid());
        events.extend(after.queued(storyboard, Kind::Storyboard, None, &parameters, 1));
        let others_waited = self.tasks.values().any(|task| task.slot.is_some());
        if alone.is_none() && (force || self.shots.is_empty() || others_waited) {
            events.extend(after.planned_slots(storyboard, ids));
        }
        Ok(events)
    }

    /// The open storyboard; and, when no shot is to stay, all work on shots.
    fn in_the_way_of_storyboard(&self, force: bool) -> Vec<Event> {
        let in_the_way = |task: &Task| task.kind == Kind::Storyboard || (force && task.shot.is_some());
        self.open_tasks()
            .filter(|(_, task)| in_the_way(task))
            .map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::Superseded }.into())
            .collect()
    }

    /// Nothing is to follow: what waited for an earlier storyboard is not wanted any more.
    fn without_slots(&self) -> impl Iterator<Item = Event> {
        let waits = self.open_tasks().filter(|(_, task)| task.slot.is_some());
        waits.map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::Surplus }.into())
    }

    /// A picture and a voice for each place of a storyboard to come, so that their ids exist at once. Those
    /// that waited for an earlier storyboard wait for this one.
    pub(super) fn planned_slots(&self, storyboard: TaskId, ids: &mut NewIds) -> Vec<Event> {
        let count = self.shot_count.unwrap_or(0);
        let surplus = self.open_tasks().filter(|(_, task)| task.slot.is_some_and(|slot| slot >= count));
        let mut events: Vec<Event> = surplus
            .map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::Surplus }.into())
            .collect();
        for slot in 0..count {
            for kind in [Kind::Image, Kind::Tts] {
                let same = |task: &Task| task.kind == kind && task.slot == Some(slot);
                let known = self.tasks.iter().find(|(_, task)| same(task));
                let attempt = known.map_or(1, |(_, task)| task.attempt + u32::from(!task.is_open()));
                events.push(Event::from(TaskPlanned {
                    task_id: known.map_or_else(|| TaskId(ids.next_uuid()), |(id, _)| *id),
                    kind,
                    shot_id: None,
                    slot: Some(slot),
                    depends_on: vec![storyboard],
                    parameters: self.usual(),
                    attempt,
                    max_attempts: attempt - 1 + MAX_ATTEMPTS,
                }));
            }
        }
        events
    }

    /// The shots of a finished storyboard. Unless all are to be replaced, a shot that was locked, edited or
    /// added by hand, or that the storyboard tells in the same words, stays what it is.
    pub(super) fn adopted(
        &self,
        id: TaskId,
        task: &Task,
        output: &StoryboardOutput,
        ids: &mut NewIds,
    ) -> Result<Event, ProjectError> {
        limits::check_storyboard(output)?;
        let keeps = task.parameters.force != Some(true);
        let before: &[Shot] = if keeps { &self.shots } else { &[] };
        let title = if self.title.is_empty() { &output.title } else { &self.title };
        Ok(StoryboardAdopted {
            task_id: id,
            spec_hash: task.spec_hash.clone().unwrap_or(SpecHash(String::new())),
            title: title.clone(),
            language: output.language.clone(),
            shots: merged(before, &output.shots, ids),
        }
        .into())
    }
}

/// New shots in the order of the storyboard, each in the place of the old one that is not kept; kept ones
/// beyond its end; and those added by hand where they were.
fn merged(before: &[Shot], told: &[StoryboardShot], ids: &mut NewIds) -> Vec<AdoptedShot> {
    let beyond = |count: usize| {
        let is_beyond = move |shot: &&Shot| shot.edited || shot.locked;
        let slot = |shot: &Shot| shot.slot.and_then(|slot| usize::try_from(slot).ok());
        let mut kept: Vec<&Shot> = before
            .iter()
            .filter(move |shot| slot(shot).is_some_and(|slot| slot >= count))
            .filter(is_beyond)
            .collect();
        kept.sort_by_key(|shot| shot.slot);
        kept
    };
    let added = before.iter().enumerate().filter(|(_, shot)| shot.slot.is_none());
    let room = limits::SHOTS as usize - added.clone().count();
    let mut count = told.len();
    while count > 0 && count + beyond(count).len() > room {
        count -= 1;
    }
    let in_place = |(slot, new): (u32, &StoryboardShot)| {
        let old = before.iter().find(|shot| shot.slot == Some(slot));
        old.filter(|old| old.edited || old.locked || tells_the_same(old, new)).map_or_else(
            || AdoptedShot {
                id: ShotId(ids.next_uuid()),
                title: new.title.clone(),
                prompt: new.prompt.clone(),
                narration: new.narration.clone(),
                mood: new.mood,
            },
            AdoptedShot::from,
        )
    };
    let mut shots: Vec<AdoptedShot> = (0..).zip(&told[..count]).map(in_place).collect();
    shots.extend(beyond(count).into_iter().map(AdoptedShot::from));
    for (place, shot) in added {
        shots.insert(place.min(shots.len()), shot.into());
    }
    shots
}

fn tells_the_same(shot: &Shot, told: &StoryboardShot) -> bool {
    shot.title == told.title
        && shot.prompt == told.prompt
        && shot.narration == told.narration
        && shot.mood == told.mood
}
