//! What follows from what: the policy that turns one fact into the next, decided in the same commit.

use super::command::Parameters;
use super::event::{
    BatchPlanned, CancelReason, Event, TaskCancelled, TaskFailed, TaskFinished, TaskPlanned, TaskQueued,
};
use super::state::{Batch, ChildState, Lifecycle, Project, Task, TaskState};
use crate::hash::hash_json;
use crate::ids::{NewIds, ShotId, TaskId};
use crate::job::{Failure, Kind, MadeWith, Spec, SpecHash};

/// Attempts that a task has before it fails for good: the first and 3 retries.
pub const MAX_ATTEMPTS: u32 = 4;

/// Runs of an attempt that may be lost with their workers before the task is taken to be the reason.
pub const MAX_LOST_RUNS: u32 = 5;

/// The facts, and what follows from them, and what follows from that.
pub(super) fn with_consequences(before: &Project, facts: Vec<Event>, ids: &mut NewIds) -> Vec<Event> {
    if !facts.iter().any(may_have_consequences) {
        return facts;
    }
    let settles_all = facts.iter().any(queues_nothing);
    let mut project = before.clone();
    let mut events = Vec::with_capacity(facts.len());
    let mut news = facts;
    let mut free = Free::Nothing;
    while !news.is_empty() {
        news.iter().for_each(|event| project.evolve(event));
        free = news.iter().map(frees).fold(free, Ord::max);
        let next = match settles_all {
            true => Vec::new(),
            false => consequences((before, &project), (&news, free), ids),
        };
        events.append(&mut news);
        news = next;
    }
    events.extend(project.batches.iter().filter_map(|(id, batch)| ended(*id, batch)));
    events
}

fn consequences(
    (before, project): (&Project, &Project),
    (news, free): (&[Event], Free),
    ids: &mut NewIds,
) -> Vec<Event> {
    let mut events = Vec::new();
    for event in news {
        if let Event::StoryboardAdopted(_) = event {
            if !is_alone(before, event.task()) {
                events.extend(unblock_shots((before, project), ids));
            }
            events.extend(cancel_work_on_shots_that_are_gone(project));
        }
    }
    let superseded = superseded(project, news);
    events.extend(superseded.iter().map(|(id, _)| cancelled(*id, CancelReason::Superseded)));
    if news.iter().any(is_of_the_whole_project) {
        for (id, task) in superseded {
            events.extend(made_for_today(project, id, task, ids));
        }
    }
    if events.is_empty() && free > Free::Nothing {
        events.extend(cancel_what_waited_in_vain(project));
        if events.is_empty() {
            events.extend(queue_what_waited(project));
        }
        if events.is_empty() && free == Free::Everything {
            events.extend(render_when_complete(project, ids));
        }
    }
    events
}

/// What cancels all that is open by itself, and is to have no sequel.
fn queues_nothing(event: &Event) -> bool {
    matches!(event, Event::ProjectRestored(_) | Event::ProjectImported(_))
}

/// Half of all commands record that a task was started or put off, which is news to no other task.
fn may_have_consequences(event: &Event) -> bool {
    !matches!(event, Event::TaskStarted(_) | Event::TaskRetryScheduled(_) | Event::TaskDeferred(_))
}

/// What may go on after the news so far.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Free {
    Nothing,
    /// A film that is cut off may need fewer shots.
    Films,
    /// What waits, or is complete.
    Everything,
}

fn frees(event: &Event) -> Free {
    match event {
        Event::TaskFinished(_)
        | Event::TaskFailed(_)
        | Event::TaskCancelled(_)
        | Event::ShotRemoved(_)
        | Event::ShotsReordered(_)
        | Event::TakeSelected(_)
        | Event::TakeUploaded(_) => Free::Everything,
        Event::ShotAdded(_)
        | Event::ShotDetailsRevised(_)
        | Event::ShotNarrationRevised(_)
        | Event::SettingsRevised(_) => Free::Films,
        _ => Free::Nothing,
    }
}

/// How a batch ends when the last of its children has: as failed when one of them did.
fn ended(id: TaskId, batch: &Batch) -> Option<Event> {
    let count = |state| batch.count(state);
    if count(ChildState::Open) > 0 {
        return None;
    }
    let children: Vec<&TaskId> = batch.children.keys().collect();
    let (failed, finished) = (count(ChildState::Failed), count(ChildState::Finished));
    Some(if failed > 0 {
        let message = format!("{failed} of {} tasks failed", children.len());
        TaskFailed { task_id: id, attempt: 1, failure: Failure::fail("children_failed", message) }.into()
    } else if finished > 0 || children.is_empty() {
        TaskFinished {
            task_id: id,
            attempt: 1,
            spec_hash: SpecHash(hash_json("batch/1", &children)),
            take: None,
            made_with: MadeWith::default(),
        }
        .into()
    } else {
        TaskCancelled { task_id: id, reason: CancelReason::DependencyFailed }.into()
    })
}

/// Whether an event may change what a task asks for. Narrow, so that a result costs no look at every task.
fn touches(event: &Event, task: &Task) -> bool {
    match event {
        Event::StyleRevised(_)
        | Event::SettingsRevised(_)
        | Event::StoryRevised(_)
        | Event::ShotPromptRevised(_)
        | Event::ShotNarrationRevised(_)
        | Event::ShotDetailsRevised(_)
        | Event::ShotCountRevised(_)
        | Event::StoryboardAdopted(_)
        | Event::ProjectRenamed(_) => true,
        Event::ShotAdded(_)
        | Event::ShotRemoved(_)
        | Event::ShotsReordered(_)
        | Event::MusicUploaded(_)
        | Event::MusicRemoved(_) => task.kind == Kind::Film,
        Event::TakeSelected(event) => task.kind == Kind::Film || task.shot == Some(event.shot_id),
        Event::TakeUploaded(event) => task.kind == Kind::Film || task.shot == Some(event.shot_id),
        Event::TaskFinished(TaskFinished { take: Some(take), .. }) => {
            take.selected && (task.kind == Kind::Film || task.shot == Some(take.shot_id))
        }
        Event::TaskQueued(queued) => queued.kind != Kind::Film && task.kind == Kind::Film,
        _ => false,
    }
}

/// Whether a storyboard was asked for and nothing after it.
fn is_alone(before: &Project, storyboard: Option<TaskId>) -> bool {
    let task = storyboard.and_then(|id| before.tasks.get(&id));
    task.is_some_and(|task| task.parameters.alone == Some(true))
}

/// A finished storyboard unblocks all pictures and narrations at once: those planned for its places,
/// and new ones where more shots came than were asked for.
/// Shots that were there before need nothing.
fn unblock_shots((before, project): (&Project, &Project), ids: &mut NewIds) -> Vec<Event> {
    let mut events = Vec::new();
    let mut slots = Vec::new();
    for shot in project.shots.iter().filter(|shot| before.shot(shot.id).is_none()) {
        let Some(slot) = shot.slot else { continue };
        slots.push(slot);
        for kind in [Kind::Image, Kind::Tts] {
            let planned = planned_for(project, kind, slot, shot.id);
            if planned.is_some_and(|(_, task)| !task.is_open()) {
                continue;
            }
            if kind == Kind::Tts && shot.narration.trim().is_empty() {
                events.extend(
                    planned
                        .map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::Surplus }.into()),
                );
                continue;
            }
            let attempt = planned.map_or(1, |(_, task)| task.attempt);
            let task = planned.map_or_else(|| TaskId(ids.next_uuid()), |(id, _)| id);
            events.extend(project.queued(task, kind, Some(shot.id), &project.usual(), attempt));
            if kind == Kind::Image && project.settings.image_to_video {
                let clip = TaskId(ids.next_uuid());
                events.push(planned_clip(clip, shot.id, task, project.usual()));
            }
        }
    }
    let surplus =
        project.open_tasks().filter(|(_, task)| task.slot.is_some_and(|slot| !slots.contains(&slot)));
    events.extend(surplus.map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::Surplus }.into()));
    events
}

fn cancel_work_on_shots_that_are_gone(project: &Project) -> Vec<Event> {
    let is_gone = |task: &Task| task.shot.is_some_and(|shot| project.shot(shot).is_none());
    project
        .open_tasks()
        .filter(|(_, task)| is_gone(task))
        .map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::Superseded }.into())
        .collect()
}

/// The task of a place in the storyboard: open, or the new shot's already when somebody cancelled it.
fn planned_for(project: &Project, kind: Kind, slot: u32, shot: ShotId) -> Option<(TaskId, &Task)> {
    let of_place = |task: &Task| task.slot == Some(slot) || task.shot == Some(shot);
    let found = project.tasks.iter().find(|(_, task)| task.kind == kind && of_place(task));
    found.map(|(id, task)| (*id, task))
}

/// Open tasks that ask for what nobody wants any more.
fn superseded<'a>(project: &'a Project, news: &[Event]) -> Vec<(TaskId, &'a Task)> {
    project
        .open_tasks()
        .filter(|(_, task)| news.iter().any(|event| touches(event, task)))
        .filter(|(_, task)| match &task.spec_hash {
            // What waits asks for nothing yet; but a film that lost its first or last shot never will.
            None => task.kind == Kind::Film && project.film_range(&task.parameters).is_err(),
            hash => project.spec(task).map(|spec| spec.hash()) != *hash || is_overtaken(project, task),
        })
        .collect()
}

fn cancelled(id: TaskId, reason: CancelReason) -> Event {
    TaskCancelled { task_id: id, reason }.into()
}

fn is_of_the_whole_project(event: &Event) -> bool {
    matches!(event, Event::StyleRevised(_) | Event::SettingsRevised(_) | Event::StoryRevised(_))
}

/// What was being made when the story, style or settings changed is still wanted, as it would be asked for today;
/// what is finished is only stale. What waits for it waits for the new one. A film is asked for again by whoever
/// wants it, as after any other edit.
fn made_for_today(project: &Project, old: TaskId, task: &Task, ids: &mut NewIds) -> Vec<Event> {
    if task.kind == Kind::Film {
        return Vec::new();
    }
    let new = TaskId(ids.next_uuid());
    let mut events: Vec<Event> =
        project.queued(new, task.kind, task.shot, &task.parameters, 1).into_iter().collect();
    for (id, waiting) in project.open_tasks().filter(|(_, waiting)| waiting.depends_on.contains(&old)) {
        let today = |dependency: &TaskId| if *dependency == old { new } else { *dependency };
        let depends_on = waiting.depends_on.iter().map(today).collect();
        events.push(
            TaskPlanned {
                task_id: id,
                kind: waiting.kind,
                shot_id: waiting.shot,
                slot: waiting.slot,
                depends_on,
                parameters: waiting.parameters.clone(),
                attempt: waiting.attempt,
                max_attempts: waiting.max_attempts,
            }
            .into(),
        );
    }
    events
}

/// A film that is being rendered while one of its shots is made anew.
fn is_overtaken(project: &Project, task: &Task) -> bool {
    task.kind == Kind::Film && project.work_for_film(&task.parameters).next().is_some()
}

/// A task whose dependency failed or was cancelled is cancelled too. A film goes without its failed
/// shots; only without a storyboard there is none.
fn cancel_what_waited_in_vain(project: &Project) -> Vec<Event> {
    let lost = |id: &TaskId| project.tasks.get(id).filter(|task| !task.is_open()).map(|task| task.kind);
    let is_storyboard = |(_, task): (TaskId, &Task)| task.kind == Kind::Storyboard;
    let no_shots_come = project.shots.is_empty() && !project.open_tasks().any(is_storyboard);
    project
        .open_tasks()
        .filter(|(_, task)| task.state == TaskState::Blocked)
        .filter(|(_, task)| {
            let mut lost_kinds = task.depends_on.iter().filter_map(lost);
            if task.kind == Kind::Film {
                no_shots_come || lost_kinds.any(|kind| kind == Kind::Storyboard)
            } else {
                lost_kinds.next().is_some()
            }
        })
        .map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::DependencyFailed }.into())
        .collect()
}

/// Blocked tasks of which every dependency has ended. A film waits for whatever its shots still need.
fn queue_what_waited(project: &Project) -> Vec<Event> {
    let is_open = |id: &TaskId| project.tasks.get(id).is_some_and(Task::is_open);
    project
        .open_tasks()
        .filter(|(_, task)| task.state == TaskState::Blocked && task.slot.is_none())
        .filter(|(_, task)| match task.kind {
            Kind::Film => project.work_for_film(&task.parameters).next().is_none(),
            _ => !task.depends_on.iter().any(is_open),
        })
        .filter_map(|(id, task)| project.queued(id, task.kind, task.shot, &task.parameters, task.attempt))
        .collect()
}

/// With `autoRender`, the film is queued when the last asset arrives, once per film specification.
fn render_when_complete(project: &Project, ids: &mut NewIds) -> Option<Event> {
    let is_active = project.lifecycle == Lifecycle::Active;
    let wanted = is_active && project.settings.auto_render && !project.shots.is_empty();
    if !wanted || project.open_tasks().next().is_some() {
        return None;
    }
    if !project.shots.iter().all(|shot| project.is_complete(shot)) {
        return None;
    }
    let parameters = Parameters::default();
    let spec_hash = project.spec_of(Kind::Film, None, &parameters)?.hash();
    if project.last_film_queued.as_ref() == Some(&spec_hash) {
        return None;
    }
    project.queued(TaskId(ids.next_uuid()), Kind::Film, None, &parameters, 1)
}

/// A clip that waits for its picture.
pub(super) fn planned_clip(id: TaskId, shot: ShotId, picture: TaskId, parameters: Parameters) -> Event {
    planned(id, Kind::Video, Some(shot), vec![picture], parameters)
}

/// Tasks that are followed as one.
pub(super) fn planned_batch(id: TaskId, kind: Kind, children: Vec<TaskId>) -> Event {
    BatchPlanned { task_id: id, kind, children }.into()
}

/// The tasks of a kind that events queue or plan.
pub(super) fn made_by(events: &[Event], kind: Kind) -> Vec<TaskId> {
    let task = |event: &Event| match event {
        Event::TaskQueued(event) if event.kind == kind => Some(event.task_id),
        Event::TaskPlanned(event) if event.kind == kind => Some(event.task_id),
        _ => None,
    };
    events.iter().filter_map(task).collect()
}

/// A film that waits for what its shots still need.
pub(super) fn planned_film(id: TaskId, depends_on: Vec<TaskId>, parameters: Parameters) -> Event {
    planned(id, Kind::Film, None, depends_on, parameters)
}

fn planned(
    id: TaskId,
    kind: Kind,
    shot: Option<ShotId>,
    depends_on: Vec<TaskId>,
    parameters: Parameters,
) -> Event {
    TaskPlanned {
        task_id: id,
        kind,
        shot_id: shot,
        slot: None,
        depends_on,
        parameters,
        attempt: 1,
        max_attempts: MAX_ATTEMPTS,
    }
    .into()
}

/// A cancelled task that waits again for what it waited for.
pub(super) fn planned_again(id: TaskId, task: &Task, depends_on: Vec<TaskId>) -> Event {
    TaskPlanned {
        task_id: id,
        kind: task.kind,
        shot_id: task.shot,
        slot: task.slot,
        depends_on,
        parameters: task.parameters.clone(),
        attempt: task.attempt + 1,
        max_attempts: task.attempt + MAX_ATTEMPTS,
    }
    .into()
}

/// The tasks that were cancelled because `retried` failed, and what was cancelled because of those.
pub(super) fn brought_back_with(project: &Project, retried: TaskId) -> Vec<Event> {
    let mut back = vec![retried];
    let mut events = Vec::new();
    let mut next = 0;
    while let Some(id) = back.get(next).copied() {
        next += 1;
        for (waiting, task) in &project.tasks {
            let failed_with_it = task.state == TaskState::Cancelled(CancelReason::DependencyFailed)
                && task.depends_on.contains(&id)
                && !back.contains(waiting);
            if failed_with_it {
                back.push(*waiting);
                events.push(planned_again(*waiting, task, task.depends_on.clone()));
            }
        }
    }
    events
}

impl Project {
    /// The event by which a task becomes ready; nothing when what it builds on is missing.
    pub(super) fn queued(
        &self,
        id: TaskId,
        kind: Kind,
        shot: Option<ShotId>,
        parameters: &Parameters,
        attempt: u32,
    ) -> Option<Event> {
        let spec_hash = self.spec_of(kind, shot, parameters).as_ref().map(Spec::hash)?;
        Some(
            TaskQueued {
                task_id: id,
                kind,
                shot_id: shot,
                spec_hash,
                parameters: parameters.clone(),
                attempt,
                max_attempts: attempt - 1 + MAX_ATTEMPTS,
            }
            .into(),
        )
    }
}
