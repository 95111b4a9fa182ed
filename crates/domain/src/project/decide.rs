//! What a command makes happen: pure, all or none.

mod restore;

use chrono::{DateTime, TimeDelta, Utc};

use super::command::{Command, CreateProject, Envelope, Parameters, ProjectPatch, ShotPatch};
use super::error::ProjectError;
use super::event::{
    AdoptedShot, CancelReason, Event, FilmRendered, ProjectAssigned, ProjectCreated, ProjectDeleted,
    ProjectRenamed, SettingsRevised, ShotDetailsRevised, ShotLocked, ShotNarrationRevised, ShotPromptRevised,
    ShotUnlocked, StoryRevised, StoryboardAdopted, StyleRevised, TakeMade, TaskCancelled, TaskDeferred,
    TaskFailed, TaskFinished, TaskPlanned, TaskRetryScheduled, TaskStarted,
};
use super::limits;
use super::state::{Lifecycle, Project, Shot, Task, TaskState};
use super::workflow::{self, MAX_ATTEMPTS};
use crate::ids::{ClaimId, NewIds, ShotId, TakeId, TaskId};
use crate::job::{Failure, FilmOutput, Kind, MadeWith, Output, StoryboardOutput};

type Decision = Result<Vec<Event>, ProjectError>;

impl Project {
    /// The events that follow from a command: the facts it states, and what follows from those.
    ///
    /// No events mean that nothing is left to do, as for a result that arrives twice.
    pub fn decide(&self, envelope: &Envelope) -> Decision {
        let mut ids = envelope.context.new_ids();
        let mut facts = self.facts(envelope, &mut ids)?;
        facts.extend(self.assigned(envelope));
        Ok(workflow::with_consequences(self, facts, &mut ids))
    }

    /// Whatever starts a project gives it to the one on whose behalf it was asked. Last, so that it holds
    /// also where the project's past came from elsewhere.
    fn assigned(&self, envelope: &Envelope) -> Option<Event> {
        let starts = self.lifecycle == Lifecycle::Missing || envelope.command == Command::CompleteImport;
        let owner = envelope.context.owner.clone().filter(|_| starts)?;
        Some(ProjectAssigned { owner }.into())
    }

    fn facts(&self, envelope: &Envelope, ids: &mut NewIds) -> Decision {
        match (&envelope.command, self.lifecycle) {
            (Command::CreateProject(create), Lifecycle::Missing) => create_project(create, ids),
            (Command::ForkProject(fork), Lifecycle::Missing) => Ok(restore::fork(fork, ids)),
            (Command::CreateProject(_) | Command::ForkProject(_), _) => Err(ProjectError::AlreadyExists),
            (_, Lifecycle::Missing) => Err(ProjectError::NotFound),
            (Command::DeleteProject, Lifecycle::Deleted) => Ok(Vec::new()),
            (command, _) if command.is_record() => self.record(command, envelope.context.at, ids),
            (_, Lifecycle::Deleted) => Err(ProjectError::Deleted),
            (command, Lifecycle::Active) => self.request(command, envelope.if_version, ids),
        }
    }

    fn request(&self, command: &Command, if_version: Option<u64>, ids: &mut NewIds) -> Decision {
        match command {
            Command::ReviseProject(patch) => {
                unchanged_since(if_version, self.revised)?;
                self.revise_project(patch)
            }
            Command::DeleteProject => {
                unchanged_since(if_version, self.revised)?;
                Ok(self.delete_project())
            }
            Command::CompleteImport => Ok(self.complete_import()),
            Command::RestoreProject { version, content } => {
                self.restore_content(*version, content, if_version)
            }
            Command::ReviseShot { shot, patch, generate } => {
                let shot = self.known_shot(*shot)?;
                unchanged_since(if_version, shot.revised)?;
                self.revise_shot_content(shot, patch, *generate, ids)
            }
            Command::GenerateTake { shot, kind, parameters } => {
                let shot = self.known_shot(*shot)?;
                unchanged_since(if_version, shot.revised)?;
                self.generate_take(shot, *kind, parameters, ids)
            }
            Command::RenderFilm { parameters } => self.render_film(parameters, ids),
            Command::CancelTask { task } => self.cancel_task(*task),
            Command::RetryTask { task } => self.retry_task(*task),
            _ => Ok(Vec::new()),
        }
    }

    fn record(&self, command: &Command, at: DateTime<Utc>, ids: &mut NewIds) -> Decision {
        match command {
            Command::RecordTaskStarted { task, attempt, claim, worker } => {
                self.record_started(*task, *attempt, *claim, worker)
            }
            Command::RecordTaskFinished { task, attempt, output, made_with } => {
                self.record_finished(*task, *attempt, output, made_with, ids)
            }
            Command::RecordTaskFailed { task, claim, failure } => {
                Ok(self.record_failed(*task, *claim, failure, at, ids))
            }
            Command::RecordTaskDeferred { task, claim, until, reason } => {
                Ok(self.record_deferred(*task, *claim, *until, reason))
            }
            _ => Ok(Vec::new()),
        }
    }

    fn known_shot(&self, id: ShotId) -> Result<&Shot, ProjectError> {
        self.shot(id).ok_or(ProjectError::ShotNotFound)
    }
}

impl Command {
    /// Whether a worker reports it, as against somebody asking for it.
    fn is_record(&self) -> bool {
        matches!(
            self,
            Self::RecordTaskStarted { .. }
                | Self::RecordTaskFinished { .. }
                | Self::RecordTaskFailed { .. }
                | Self::RecordTaskDeferred { .. }
        )
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
    limits::check_settings(&create.settings)?;
    let mut settings = create.settings.clone();
    settings.seed.get_or_insert_with(|| ids.next_seed());
    let mut events = vec![Event::from(ProjectCreated {
        id: create.id,
        story: create.story.clone(),
        title: create.title.clone(),
        description: create.description.clone(),
        style: create.style.clone(),
        shot_count: create.shot_count,
        settings,
    })];
    let storyboard = TaskId(ids.next_uuid());
    let mut created = Project::default();
    created.evolve(&events[0]);
    events.extend(created.queued(storyboard, Kind::Storyboard, None, &Parameters::default(), 1));
    for slot in 0..create.shot_count.unwrap_or(0) {
        for kind in [Kind::Image, Kind::Tts] {
            events.push(Event::from(TaskPlanned {
                task_id: TaskId(ids.next_uuid()),
                kind,
                shot_id: None,
                slot: Some(slot),
                depends_on: vec![storyboard],
                parameters: Parameters::default(),
                attempt: 1,
                max_attempts: MAX_ATTEMPTS,
            }));
        }
    }
    Ok(events)
}

/// Editing.
impl Project {
    fn revise_project(&self, patch: &ProjectPatch) -> Decision {
        let title = patch.title.as_ref().unwrap_or(&self.title);
        let description = patch.description.as_ref().unwrap_or(&self.description);
        let style = patch.style.as_ref().unwrap_or(&self.style);
        let story = patch.story.as_ref().unwrap_or(&self.story);
        limits::check_project(story, title, description, style)?;
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
            limits::check_settings(settings)?;
            let mut settings = settings.clone();
            settings.seed = settings.seed.or(self.settings.seed);
            if settings != self.settings {
                events.push(SettingsRevised { settings }.into());
            }
        }
        Ok(events)
    }

    fn delete_project(&self) -> Vec<Event> {
        let open = self.open_tasks();
        let cancelled =
            open.map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::ProjectDeleted }.into());
        cancelled.chain([ProjectDeleted {}.into()]).collect()
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
            events.extend(self.queue_take(after, Kind::Image, &Parameters::default(), ids));
        } else if before.duration_seconds != after.duration_seconds && self.clip_is_outdated(after) {
            events.extend(self.queue_take(after, Kind::Video, &Parameters::default(), ids));
        }
        if before.narration != after.narration {
            events.extend(self.queue_take(after, Kind::Tts, &Parameters::default(), ids));
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
        transition: patch.transition.or(shot.transition),
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
    fn generate_take(&self, shot: &Shot, kind: Kind, parameters: &Parameters, ids: &mut NewIds) -> Decision {
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
        Ok(self.queue_take(shot, kind, &parameters, ids))
    }

    /// Queues a take in place of what is open for it. A picture brings its clip along where image-to-video
    /// is on; a clip waits for a picture that is being made.
    fn queue_take(&self, shot: &Shot, kind: Kind, parameters: &Parameters, ids: &mut NewIds) -> Vec<Event> {
        let outdated: &[Kind] = if kind == Kind::Image { &[Kind::Image, Kind::Video] } else { &[kind] };
        let mut events = self.cancel_shot_work(shot.id, outdated);
        let task = TaskId(ids.next_uuid());
        let picture = self.open_task(shot.id, Kind::Image).filter(|_| kind == Kind::Video);
        if let Some((picture, _)) = picture {
            events.push(workflow::planned_clip(task, shot.id, picture, parameters.clone()));
        } else {
            events.extend(self.queued(task, kind, Some(shot.id), parameters, 1));
        }
        if kind == Kind::Image && self.settings.image_to_video {
            let clip = TaskId(ids.next_uuid());
            events.push(workflow::planned_clip(clip, shot.id, task, Parameters::default()));
        }
        events
    }

    fn open_task(&self, shot: ShotId, kind: Kind) -> Option<(TaskId, &Task)> {
        self.open_tasks().find(|(_, task)| task.kind == kind && task.shot == Some(shot))
    }

    fn cancel_shot_work(&self, shot: ShotId, kinds: &[Kind]) -> Vec<Event> {
        self.open_tasks()
            .filter(|(_, task)| task.shot == Some(shot) && kinds.contains(&task.kind))
            .map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::Superseded }.into())
            .collect()
    }

    fn render_film(&self, parameters: &Parameters, ids: &mut NewIds) -> Decision {
        limits::check_parameters(parameters)?;
        let no_shots_to_come = self.open_tasks().all(|(_, task)| task.kind != Kind::Storyboard);
        if self.shots.is_empty() && no_shots_to_come {
            return Err(ProjectError::NoShots);
        }
        let mut events = self.queue_missing(ids);
        let same = |task: &Task| task.kind == Kind::Film && task.parameters == *parameters;
        let goes_on = |task: &Task| events.is_empty() || task.state == TaskState::Blocked;
        if self.open_tasks().any(|(_, task)| same(task) && goes_on(task)) {
            return Ok(events);
        }
        let mut after = self.clone();
        events.iter().for_each(|event| after.evolve(event));
        let depends_on: Vec<TaskId> =
            after.open_tasks().filter(|(_, task)| task.kind != Kind::Film).map(|(id, _)| id).collect();
        let film = TaskId(ids.next_uuid());
        if depends_on.is_empty() {
            events.extend(self.queued(film, Kind::Film, None, parameters, 1));
        } else {
            events.push(workflow::planned_film(film, depends_on, parameters.clone()));
        }
        Ok(events)
    }

    /// Takes that a film needs and that nothing is making yet.
    fn queue_missing(&self, ids: &mut NewIds) -> Vec<Event> {
        let mut events = Vec::new();
        for shot in self.shots.iter().filter(|shot| !shot.locked) {
            for kind in self.missing_kinds(shot) {
                events.extend(self.queue_take(shot, kind, &Parameters::default(), ids));
            }
        }
        events
    }

    /// What a shot needs and nothing is making; without the clip that a new picture brings along.
    fn missing_kinds(&self, shot: &Shot) -> Vec<Kind> {
        let mut kinds = self.kinds_of(shot);
        kinds.retain(|kind| {
            let wanted = shot.take(*kind).is_none() || self.is_stale(shot, *kind);
            wanted && self.open_task(shot.id, *kind).is_none()
        });
        if kinds.contains(&Kind::Image) {
            kinds.retain(|kind| *kind != Kind::Video);
        }
        kinds
    }

    fn cancel_task(&self, id: TaskId) -> Decision {
        match self.tasks.get(&id) {
            Some(task) if task.is_open() => {
                Ok(vec![TaskCancelled { task_id: id, reason: CancelReason::Requested }.into()])
            }
            Some(Task { state: TaskState::Cancelled(_), .. }) => Ok(Vec::new()),
            _ => Err(ProjectError::TaskNotOpen),
        }
    }

    /// What a retried task has to wait for: a film for all open work, others for what they were planned on.
    fn retry_waits_for(&self, task: &Task) -> Vec<TaskId> {
        if task.kind == Kind::Film {
            return self.open_tasks().filter(|(_, task)| task.kind != Kind::Film).map(|(id, _)| id).collect();
        }
        task.depends_on.iter().copied().filter(|id| self.tasks.contains_key(id)).collect()
    }

    fn retry_task(&self, id: TaskId) -> Decision {
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
        Ok(events)
    }

    fn check_retry(&self, task: &Task) -> Result<(), ProjectError> {
        if task.shot.and_then(|id| self.shot(id)).is_some_and(|shot| shot.locked) {
            return Err(ProjectError::ShotLocked);
        }
        let is_film = task.kind == Kind::Film;
        let same = |open: &Task| open.kind == Kind::Film && open.parameters == task.parameters;
        if is_film && self.open_tasks().any(|(_, open)| same(open)) {
            return Err(ProjectError::TaskNotRetryable);
        }
        let shots_to_come = self.open_tasks().any(|(_, open)| open.kind == Kind::Storyboard);
        if is_film && self.shots.is_empty() && !shots_to_come {
            return Err(ProjectError::DependencyFailed);
        }
        Ok(())
    }
}

/// Recording what workers report. What arrives twice or too late changes nothing.
impl Project {
    fn record_started(&self, id: TaskId, attempt: u32, claim: ClaimId, worker: &str) -> Decision {
        let task = self.tasks.get(&id).ok_or(ProjectError::TaskNotOpen)?;
        let started = TaskStarted { task_id: id, attempt, claim, worker: worker.to_owned() };
        match &task.state {
            _ if task.attempt != attempt => Err(ProjectError::AttemptSuperseded),
            TaskState::Processing { claim: present, .. } if *present == claim => Ok(Vec::new()),
            TaskState::Pending | TaskState::Processing { .. } => Ok(vec![started.into()]),
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
            made_with: made_with.clone(),
        };
        match (task.kind, output) {
            (Kind::Storyboard, Output::Storyboard(output)) => {
                let adopted = self.adopt(id, task, output, ids)?;
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
                    selected: shot.take(task.kind).map(|take| take.id) == task.replaces,
                });
                Ok(vec![finished.into()])
            }
            (kind, _) => Err(ProjectError::WrongOutput(kind)),
        }
    }

    /// A task that may finish: open, ready, and asking for what today's content asks for.
    fn running(&self, id: TaskId) -> Option<(&Task, &crate::job::SpecHash)> {
        let task = self.tasks.get(&id)?;
        let ready = matches!(task.state, TaskState::Pending | TaskState::Processing { .. });
        task.spec_hash.as_ref().filter(|_| ready).map(|hash| (task, hash))
    }

    fn adopt(
        &self,
        id: TaskId,
        task: &Task,
        output: &StoryboardOutput,
        ids: &mut NewIds,
    ) -> Result<Event, ProjectError> {
        limits::check_storyboard(output)?;
        let shots = output.shots.iter().map(|shot| AdoptedShot {
            id: ShotId(ids.next_uuid()),
            title: shot.title.clone(),
            prompt: shot.prompt.clone(),
            narration: shot.narration.clone(),
            mood: shot.mood,
        });
        let title = if self.title.is_empty() { &output.title } else { &self.title };
        Ok(StoryboardAdopted {
            task_id: id,
            spec_hash: task.spec_hash.clone().unwrap_or(crate::job::SpecHash(String::new())),
            title: title.clone(),
            language: output.language.clone(),
            shots: shots.collect(),
        }
        .into())
    }

    fn film_rendered(&self, id: TaskId, task: &Task, film: &FilmOutput) -> Event {
        FilmRendered {
            task_id: id,
            film_version: self.film.as_ref().map_or(0, |film| film.version) + 1,
            spec_hash: task.spec_hash.clone().unwrap_or(crate::job::SpecHash(String::new())),
            parameters: task.parameters.clone(),
            film: Box::new(film.clone()),
            incomplete: self
                .shots
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
        let deferred = TaskDeferred { task_id: id, due: until, reason: reason.to_owned() };
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
