//! What a command makes happen: pure, all or none.

mod batch;
mod errand;
mod film;
mod records;
mod restore;
mod shots;
mod storyboard;
mod takes;
mod trash;

use super::command::{Command, CreateProject, Envelope, Parameters, ProjectPatch, ShotPatch};
use super::error::ProjectError;
use super::event::{
    CancelReason, Event, ProjectAssigned, ProjectCreated, ProjectRenamed, SettingsRevised,
    ShotDetailsRevised, ShotLocked, ShotNarrationRevised, ShotPromptRevised, ShotUnlocked, StoryRevised,
    StyleRevised, TaskCancelled,
};
use super::limits;
use super::state::{Lifecycle, Project, Shot, Task, TaskState};
use super::workflow;
use crate::ids::{NewIds, ShotId, TaskId};
use crate::job::Kind;
use crate::settings::{Music, Settings};

type Decision = Result<Vec<Event>, ProjectError>;

impl Project {
    /// The events that follow from a command: the facts it states, and what follows from those.
    ///
    /// No events mean that nothing is left to do, as for a result that arrives twice.
    pub fn decide(&self, envelope: &Envelope) -> Decision {
        self.decided(envelope, &mut envelope.context.new_ids())
    }

    fn decided(&self, envelope: &Envelope, ids: &mut NewIds) -> Decision {
        if let Command::Together(commands) = &envelope.command {
            return self.decided_together(commands, envelope, ids);
        }
        let mut facts = self.facts(envelope, ids)?;
        facts.extend(self.assigned(envelope));
        Ok(workflow::with_consequences(self, facts, ids))
    }

    /// Each on the state that the ones before it leave.
    fn decided_together(&self, commands: &[Command], envelope: &Envelope, ids: &mut NewIds) -> Decision {
        let mut after = self.clone();
        let mut events = Vec::new();
        let mut if_version = envelope.if_version;
        for command in commands {
            let context = envelope.context.clone();
            let one = Envelope { context, if_version: if_version.take(), command: command.clone() };
            let news = after.decided(&one, ids)?;
            news.iter().for_each(|event| after.evolve(event));
            events.extend(news);
        }
        Ok(events)
    }

    /// Whatever starts a project gives it to the one on whose behalf it was asked. Last, so that it holds
    /// also where the project's past came from elsewhere.
    fn assigned(&self, envelope: &Envelope) -> Option<Event> {
        let starts = self.lifecycle == Lifecycle::Missing
            || matches!(envelope.command, Command::CompleteImport { .. });
        let owner = envelope.context.owner.clone().filter(|_| starts)?;
        Some(ProjectAssigned { owner }.into())
    }

    fn facts(&self, envelope: &Envelope, ids: &mut NewIds) -> Decision {
        match (&envelope.command, self.lifecycle) {
            (Command::CreateProject(create), Lifecycle::Missing) => create_project(create, ids),
            (Command::ForkProject(fork), Lifecycle::Missing) => Ok(restore::fork(fork, ids)),
            (Command::StartErrand(start), Lifecycle::Missing) => errand::start_errand(start, ids),
            (Command::CreateProject(_) | Command::ForkProject(_) | Command::StartErrand(_), _) => {
                Err(ProjectError::AlreadyExists)
            }
            (_, Lifecycle::Missing) => Err(ProjectError::NotFound),
            (command, _) if command.is_record() => self.record(command, envelope.context.at, ids),
            (command, Lifecycle::Deleted | Lifecycle::Purged) => self.trashed(command, envelope.context.at),
            (_, Lifecycle::Active) => self.request(envelope, ids),
        }
    }

    fn request(&self, envelope: &Envelope, ids: &mut NewIds) -> Decision {
        let if_version = envelope.if_version;
        if let Some(seen) = if_version.filter(|seen| *seen > self.version) {
            return Err(ProjectError::NeverAt { seen, version: self.version });
        }
        match &envelope.command {
            Command::ReviseProject(patch) => {
                unchanged_since(if_version, self.revised)?;
                self.revise_project(patch)
            }
            Command::DeleteProject => {
                unchanged_since(if_version, self.revised)?;
                Ok(self.delete_project(envelope.context.at))
            }
            Command::CompleteImport { missing } => Ok(self.complete_import(missing)),
            Command::RestoreProject { version, content } => {
                self.restore_content(*version, content, if_version)
            }
            Command::UndeleteProject => Ok(Vec::new()),
            Command::PurgeProject { .. } => Err(ProjectError::NotPurgeable),
            Command::RenderFilm { parameters } => self.render_film(parameters, ids),
            Command::CancelTask { task } => self.cancel_task(*task),
            Command::CancelWork => Ok(self.cancel_all(CancelReason::Requested)),
            Command::RetryTask { task } => self.retry_task(*task, ids),
            Command::Generate(wanted) => self.generate_many(wanted, ids),
            Command::RetryFailed => self.retry_failed(ids),
            Command::ExpireTakes { takes } => Ok(self.expire_takes(takes)),
            Command::ExpireErrand { version } => Ok(self.expire_errand(*version, envelope.context.at)),
            Command::UploadMusic { asset } => {
                unchanged_since(if_version, self.revised)?;
                Ok(self.upload_music(asset))
            }
            Command::RemoveMusic => {
                unchanged_since(if_version, self.revised)?;
                Ok(self.remove_music())
            }
            command => self.request_of_shots(command, if_version, ids),
        }
    }

    fn request_of_shots(&self, command: &Command, if_version: Option<u64>, ids: &mut NewIds) -> Decision {
        let seen = |shot: ShotId| {
            let shot = self.known_shot(shot)?;
            unchanged_since(if_version, shot.revised).map(|()| shot)
        };
        match command {
            Command::MakeStoryboard { force, shot_count, alone } => {
                unchanged_since(if_version, self.arranged)?;
                self.make_storyboard(*force, *shot_count, *alone, ids)
            }
            Command::GiveShots { shots } => {
                unchanged_since(if_version, self.arranged)?;
                self.give_shots(shots, ids)
            }
            Command::AddShot { place, content, generate } => {
                unchanged_since(if_version, self.arranged)?;
                self.add_shot_by_hand(*place, content, *generate, ids)
            }
            Command::OrderShots { shots } => {
                unchanged_since(if_version, self.arranged)?;
                self.order_shots(shots)
            }
            Command::RemoveShot { shot } => self.remove_shot_by_hand(seen(*shot)?),
            Command::SelectTake { shot, take } => self.select_take(seen(*shot)?, take),
            Command::UploadTake { shot, kind, asset } => self.upload_take(seen(*shot)?, *kind, asset, ids),
            Command::ReviseShot { shot, patch, generate } => {
                self.revise_shot_content(seen(*shot)?, patch, *generate, ids)
            }
            Command::GenerateTake { shot, kind, parameters, candidates } => {
                self.generate_take(seen(*shot)?, *kind, (parameters, *candidates), ids)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn known_shot(&self, id: ShotId) -> Result<&Shot, ProjectError> {
        self.shot(id).ok_or(ProjectError::ShotNotFound)
    }
}

fn unchanged_since(if_version: Option<u64>, revised: u64) -> Result<(), ProjectError> {
    match if_version {
        Some(seen) if seen < revised => Err(ProjectError::ChangedSince { seen, revised }),
        _ => Ok(()),
    }
}

fn create_project(create: &CreateProject, ids: &mut NewIds) -> Decision {
    limits::check_project(&create.story, &create.title, &create.description, &create.style)?;
    limits::check_shot_count(create.shot_count)?;
    check_settings(&create.settings, false)?;
    let mut events = vec![created(create, ids)];
    let storyboard = TaskId(ids.next_uuid());
    let mut project = Project::default();
    project.evolve(&events[0]);
    events.extend(project.queued(storyboard, Kind::Storyboard, None, &Parameters::default(), 1));
    events.extend(project.planned_slots(storyboard, ids));
    Ok(events)
}

/// The first event, with the seed filled in.
fn created(create: &CreateProject, ids: &mut NewIds) -> Event {
    let mut settings = create.settings.clone();
    settings.seed.get_or_insert_with(|| ids.next_seed());
    ProjectCreated {
        id: create.id,
        story: create.story.clone(),
        title: create.title.clone(),
        description: create.description.clone(),
        style: create.style.clone(),
        shot_count: create.shot_count,
        settings,
    }
    .into()
}

/// Music of one's own can be chosen once it is there.
fn check_settings(settings: &Settings, has_music: bool) -> Result<(), ProjectError> {
    if settings.music == Music::Own && !has_music {
        let message = "own is possible once music is uploaded".to_owned();
        return Err(ProjectError::Invalid { field: "settings.music", message });
    }
    limits::check_settings(settings)
}

/// Editing.
impl Project {
    fn revise_project(&self, patch: &ProjectPatch) -> Decision {
        let title = patch.title.as_ref().unwrap_or(&self.title);
        let description = patch.description.as_ref().unwrap_or(&self.description);
        let style = patch.style.as_ref().unwrap_or(&self.style);
        let story = patch.story.as_ref().unwrap_or(&self.story);
        limits::check_fields(story, title, description, style)?;
        patch.story.as_deref().map_or(Ok(()), limits::check_story)?;
        let mut events = Vec::new();
        if (title, description) != (&self.title, &self.description) {
            let (title, description) = (title.clone(), description.clone());
            events.push(ProjectRenamed { title, description }.into());
        }
        if style != &self.style {
            events.push(StyleRevised { style: style.clone() }.into());
        }
        if story != &self.story {
            events.push(StoryRevised { story: story.clone() }.into());
        }
        if let Some(settings) = &patch.settings {
            check_settings(settings, self.music.is_some())?;
            let mut settings = settings.clone();
            settings.seed = settings.seed.or(self.settings.seed);
            if settings != self.settings {
                events.push(SettingsRevised { settings }.into());
            }
        }
        Ok(events)
    }

    fn revise_shot_content(
        &self,
        shot: &Shot,
        patch: &ShotPatch,
        generate: bool,
        ids: &mut NewIds,
    ) -> Decision {
        let mut after = self.clone();
        let mut events = Vec::new();
        let mut add = |event: Event| {
            after.evolve(&event);
            events.push(event);
        };
        if patch.locked == Some(false) && shot.locked {
            add(ShotUnlocked { shot_id: shot.id }.into());
        }
        let stays_locked = shot.locked && patch.locked != Some(false);
        for event in content_revisions(shot, patch)? {
            if stays_locked {
                return Err(ProjectError::ShotLocked);
            }
            add(event);
        }
        if patch.locked == Some(true) && !shot.locked {
            add(ShotLocked { shot_id: shot.id }.into());
        }
        if generate && let Some(revised) = after.shot(shot.id) {
            events.extend(after.remake_outdated(shot, revised, ids));
        }
        Ok(events)
    }

    /// Queues the picture when what it shows changed, the clip when its length did, and the voice when the
    /// narration did.
    fn remake_outdated(&self, before: &Shot, after: &Shot, ids: &mut NewIds) -> Vec<Event> {
        let mut events = Vec::new();
        let picture = |shot: &Shot| (shot.prompt.clone(), shot.negative_prompt.clone(), shot.mood);
        if picture(before) != picture(after) {
            events.extend(self.queue_take(after, Kind::Image, &self.usual(), ids));
        } else if before.duration_seconds != after.duration_seconds && self.clip_is_outdated(after) {
            events.extend(self.queue_take(after, Kind::Video, &self.usual(), ids));
        }
        if before.narration != after.narration {
            events.extend(self.queue_take(after, Kind::Tts, &self.usual(), ids));
        }
        events
    }

    /// Whether the clip, or the one in the making, is not of the length that is wanted today. A clip that
    /// waits for its picture will be.
    fn clip_is_outdated(&self, shot: &Shot) -> bool {
        match self.open_task(shot.id, Kind::Video) {
            Some((_, clip)) => {
                clip.spec_hash.is_some() && clip.spec_hash != self.spec(clip).map(|spec| spec.hash())
            }
            None => self.is_stale(shot, Kind::Video) && !self.is_stale(shot, Kind::Image),
        }
    }
}

fn content_revisions(shot: &Shot, patch: &ShotPatch) -> Decision {
    let mut events = Vec::new();
    let prompt = patch.prompt.as_ref().unwrap_or(&shot.prompt).clone();
    let negative_prompt = patch.negative_prompt.as_ref().unwrap_or(&shot.negative_prompt).clone();
    limits::check_prompts(&prompt, &negative_prompt)?;
    if (&prompt, &negative_prompt) != (&shot.prompt, &shot.negative_prompt) {
        events.push(ShotPromptRevised { shot_id: shot.id, prompt, negative_prompt }.into());
    }
    let narration = patch.narration.as_ref().unwrap_or(&shot.narration).clone();
    limits::check_narration(&narration)?;
    if narration != shot.narration {
        events.push(ShotNarrationRevised { shot_id: shot.id, narration }.into());
    }
    let details = ShotDetailsRevised {
        shot_id: shot.id,
        title: patch.title.as_ref().unwrap_or(&shot.title).clone(),
        mood: patch.mood.unwrap_or(shot.mood),
        transition: patch.transition.unwrap_or(shot.transition),
        duration_seconds: patch.duration.unwrap_or(shot.duration_seconds),
    };
    limits::check_shot_details(&details.title, details.duration_seconds)?;
    let unchanged = details.title == shot.title
        && details.mood == shot.mood
        && details.transition == shot.transition
        && details.duration_seconds == shot.duration_seconds;
    if !unchanged {
        events.push(details.into());
    }
    Ok(events)
}

/// Asking for work.
impl Project {
    fn generate_take(
        &self,
        shot: &Shot,
        kind: Kind,
        (parameters, candidates): (&Parameters, u32),
        ids: &mut NewIds,
    ) -> Decision {
        limits::check_parameters(parameters)?;
        if shot.locked {
            return Err(ProjectError::ShotLocked);
        }
        match kind {
            Kind::Storyboard | Kind::Film => return Err(ProjectError::NotAShotKind(kind)),
            Kind::Tts if shot.narration.trim().is_empty() => return Err(ProjectError::NothingToSay),
            Kind::Video if shot.image.is_none() && self.open_task(shot.id, Kind::Image).is_none() => {
                return Err(ProjectError::NoPictureYet);
            }
            Kind::Image | Kind::Video | Kind::Tts => {}
        }
        let mut parameters = parameters.clone();
        if matches!(kind, Kind::Image | Kind::Video) {
            parameters.seed.get_or_insert_with(|| ids.next_seed());
        }
        self.queue_candidates(shot, kind, (&parameters, candidates), ids)
    }

    /// Queues a take in place of what is open for it. A picture brings its clip along where image-to-video
    /// is on; a clip waits for a picture that is being made.
    fn queue_take(&self, shot: &Shot, kind: Kind, parameters: &Parameters, ids: &mut NewIds) -> Vec<Event> {
        let outdated: &[Kind] = if kind == Kind::Image { &[Kind::Image, Kind::Video] } else { &[kind] };
        let mut events = self.cancel_shot_work(shot.id, outdated);
        let task = TaskId(ids.next_uuid());
        events.extend(self.asked(task, shot, kind, parameters));
        if kind == Kind::Image && self.settings.image_to_video {
            let clip = TaskId(ids.next_uuid());
            events.push(workflow::planned_clip(clip, shot.id, task, self.usual()));
        }
        events
    }

    /// The task by which a take is made: at once, or when its picture has come.
    fn asked(&self, task: TaskId, shot: &Shot, kind: Kind, parameters: &Parameters) -> Option<Event> {
        match self.open_task(shot.id, Kind::Image).filter(|_| kind == Kind::Video) {
            Some((picture, _)) => Some(workflow::planned_clip(task, shot.id, picture, parameters.clone())),
            None => self.queued(task, kind, Some(shot.id), parameters, 1),
        }
    }

    /// The open task whose take becomes the shot's own; further candidates are beside it.
    fn open_task(&self, shot: ShotId, kind: Kind) -> Option<(TaskId, &Task)> {
        let own = |task: &Task| task.kind == kind && task.shot == Some(shot);
        self.open_tasks().find(|(_, task)| own(task) && task.parameters.candidate.is_none())
    }

    fn cancel_shot_work(&self, shot: ShotId, kinds: &[Kind]) -> Vec<Event> {
        self.open_tasks()
            .filter(|(_, task)| task.shot == Some(shot) && kinds.contains(&task.kind))
            .map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::Superseded }.into())
            .collect()
    }

    fn cancel_task(&self, id: TaskId) -> Decision {
        if let Some(batch) = self.batches.get(&id) {
            return Ok(self.cancel_batch(id, batch));
        }
        match self.tasks.get(&id) {
            Some(task) if task.is_open() => {
                Ok(vec![TaskCancelled { task_id: id, reason: CancelReason::Requested }.into()])
            }
            Some(Task { state: TaskState::Cancelled(_), .. }) => Ok(Vec::new()),
            _ => Err(ProjectError::TaskNotOpen),
        }
    }

    /// What a retried task has to wait for: a film for open work on its shots, a clip for a picture that is
    /// being made, others for what they were planned on.
    fn retry_waits_for(&self, task: &Task) -> Vec<TaskId> {
        if task.kind == Kind::Film {
            return self.work_for_film(&task.parameters).map(|(id, _)| id).collect();
        }
        let of_clip = task.shot.filter(|_| task.kind == Kind::Video);
        if let Some((picture, _)) = of_clip.and_then(|shot| self.open_task(shot, Kind::Image)) {
            return vec![picture];
        }
        task.depends_on.iter().copied().filter(|id| self.tasks.contains_key(id)).collect()
    }

    fn retry_task(&self, id: TaskId, ids: &mut NewIds) -> Decision {
        let Some(task) = self.tasks.get(&id).filter(|task| !task.is_open()) else {
            return Err(ProjectError::TaskNotRetryable);
        };
        self.check_retry(task)?;
        let waits_for = self.retry_waits_for(task);
        let dependency_is_lost =
            waits_for.iter().any(|id| self.tasks.get(id).is_some_and(|task| !task.is_open()));
        if dependency_is_lost {
            return Err(ProjectError::DependencyFailed);
        }
        let again = if waits_for.is_empty() {
            self.queued(id, task.kind, task.shot, &task.parameters, task.attempt + 1)
        } else {
            Some(workflow::planned_again(id, task, waits_for))
        };
        let nothing_to_build_on = match task.kind {
            Kind::Video => ProjectError::NoPictureYet,
            Kind::Tts => ProjectError::NothingToSay,
            Kind::Storyboard | Kind::Image | Kind::Film => ProjectError::TaskNotRetryable,
        };
        let mut events = vec![again.ok_or(nothing_to_build_on)?];
        events.extend(workflow::brought_back_with(self, id));
        events.extend(self.clip_of_another_picture(id, task, ids));
        Ok(events)
    }

    /// A clip that is being made of the old picture is made of the new one instead.
    fn clip_of_another_picture(&self, picture: TaskId, task: &Task, ids: &mut NewIds) -> Vec<Event> {
        let is_own = task.kind == Kind::Image && task.parameters.candidate.is_none();
        let Some(shot) = task.shot.filter(|_| is_own) else { return Vec::new() };
        let Some((clip, clip_task)) = self.open_task(shot, Kind::Video) else { return Vec::new() };
        let again = TaskId(ids.next_uuid());
        vec![
            TaskCancelled { task_id: clip, reason: CancelReason::Superseded }.into(),
            workflow::planned_clip(again, shot, picture, clip_task.parameters.clone()),
        ]
    }

    fn check_retry(&self, task: &Task) -> Result<(), ProjectError> {
        if task.shot.and_then(|id| self.shot(id)).is_some_and(|shot| shot.locked) {
            return Err(ProjectError::ShotLocked);
        }
        if task.kind == Kind::Film { self.check_film_retry(task) } else { Ok(()) }
    }
}
