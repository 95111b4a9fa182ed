//! What a history from elsewhere must keep to. Its hashes prove that it is whole, not that it is well meant: each
//! event must keep the limits that commands keep, and be about what the history itself has begun.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Datelike, Utc};

use super::content::Content;
use super::errand::{check_errand, check_scene_name};
use super::error::ProjectError;
use super::event::{Event, ShotAdded, StoryboardAdopted, TaskFinished};
use super::limits;
use super::state::{Lifecycle, Project, Shot};
use crate::asset::{Asset, AssetKey};
use crate::ids::{ProjectId, ShotId, TakeId, TaskId};
use crate::job::{Failure, FilmOutput, MadeWith};

type Check = Result<(), ProjectError>;

/// Most attempts that a task may have had.
const ATTEMPTS: u32 = 10_000;
/// Longest name of a worker, provider or reason, in characters.
const WORDS: usize = 2_000;
/// Longest take or film, in seconds.
const SECONDS: f64 = 86_400.0;
/// Most warnings of a film.
const WARNINGS: usize = 1_000;

/// A history from elsewhere, event by event.
#[derive(Debug, Clone, Default)]
pub struct ForeignHistory {
    /// The project so far.
    pub state: Project,
    /// Every task that it ever had.
    pub tasks: HashSet<TaskId>,
    /// Every shot.
    pub shots: HashSet<ShotId>,
    /// Every take, with its media; nothing when that was given up.
    pub takes: HashMap<TakeId, Option<AssetKey>>,
}

fn invalid(field: &'static str, message: &str) -> ProjectError {
    ProjectError::Invalid { field, message: message.to_owned() }
}

fn at_most(field: &'static str, text: &str) -> Check {
    if text.chars().count() > WORDS { Err(invalid(field, "is too long")) } else { Ok(()) }
}

impl ForeignHistory {
    /// Takes the next event in, which is of the project with this id, unless it breaks a rule.
    pub fn take_in(&mut self, project: ProjectId, event: &Event) -> Check {
        self.check_start(project, event)?;
        self.check(event)?;
        self.begin(event)?;
        self.state.evolve(event);
        let shots = self.state.shots.len();
        if u32::try_from(shots).is_ok_and(|shots| shots <= limits::SHOTS) {
            Ok(())
        } else {
            Err(invalid("shots", "are too many"))
        }
    }

    /// A history must end with a project that is there.
    pub fn check_end(&self) -> Check {
        match self.state.lifecycle {
            Lifecycle::Active => Ok(()),
            Lifecycle::Missing => Err(ProjectError::NotFound),
            _ => Err(ProjectError::Deleted),
        }
    }

    /// The first event starts this project, and no other does.
    fn check_start(&self, project: ProjectId, event: &Event) -> Check {
        match (self.state.version, event.started()) {
            (0, Some(id)) if id == project => Ok(()),
            (0, _) => Err(invalid("history", "must begin with the start of this project")),
            (_, Some(_)) => Err(ProjectError::AlreadyExists),
            (_, None) => Ok(()),
        }
    }

    /// Remembers what an event begins; what it is about must have been begun before.
    fn begin(&mut self, event: &Event) -> Check {
        match event {
            Event::BatchPlanned(event) => self.tasks.extend([event.task_id]),
            Event::TaskPlanned(event) => self.tasks.extend([event.task_id]),
            Event::TaskQueued(event) => self.tasks.extend([event.task_id]),
            Event::StoryboardAdopted(event) => self.shots.extend(event.shots.iter().map(|shot| shot.id)),
            Event::ProjectForked(event) => self.begin_content(&event.content),
            Event::ProjectRestored(event) => self.begin_content(&event.content),
            Event::ShotAdded(event) => self.shots.extend([event.shot_id]),
            Event::TakeUploaded(event) => self.begin_take(event.take_id, &event.asset),
            Event::TaskFinished(TaskFinished { take: Some(take), .. }) => {
                self.begin_take(take.take_id, &take.asset);
            }
            _ => {}
        }
        let known_takes = match event {
            Event::TakeSelected(event) => self.takes.contains_key(&event.take_id),
            Event::TakesExpired(event) => event.takes.iter().all(|take| self.takes.contains_key(take)),
            _ => true,
        };
        let known_shots = match event {
            Event::ScenesNamed(event) => event.scenes.iter().all(|scene| self.shots.contains(&scene.shot_id)),
            _ => true,
        };
        if !known_shots {
            return Err(invalid("shotId", "is of no shot in this history"));
        }
        let known_task = event.task().is_none_or(|task| self.tasks.contains(&task));
        match (known_takes, known_task) {
            (true, true) => {
                self.go_on(event);
                Ok(())
            }
            (false, _) => Err(invalid("takeId", "is of no take in this history")),
            (_, false) => Err(invalid("taskId", "is of no task in this history")),
        }
    }

    /// The takes that shots use.
    fn used(&self) -> HashSet<TakeId> {
        self.state.shots.iter().flat_map(Shot::takes).map(|take| take.id).collect()
    }

    /// What becomes of takes that were begun before.
    fn go_on(&mut self, event: &Event) {
        match event {
            Event::TakeSelected(event) => self.begin_take(event.take_id, &event.asset),
            Event::TakesExpired(event) => self.takes.extend(event.takes.iter().map(|take| (*take, None))),
            _ => {}
        }
    }

    fn begin_content(&mut self, content: &Content) {
        self.shots.extend(content.shots.iter().map(|shot| shot.id));
        content.takes().for_each(|(_, _, take)| self.begin_take(take.take_id, &take.asset));
    }

    /// What names a take that was given up before brings it back.
    fn begin_take(&mut self, take: TakeId, asset: &Asset) {
        self.takes.insert(take, Some(asset.key.clone()));
    }

    /// The takes whose media is not there, of those that no shot uses; `is_there` tells by the address.
    pub fn missing_takes(&self, is_there: impl Fn(&AssetKey) -> bool) -> Vec<TakeId> {
        let used = self.used();
        let is_missing = |(take, key): (&TakeId, &Option<AssetKey>)| {
            let is_missing = key.as_ref().is_some_and(|key| !is_there(key));
            (is_missing && !used.contains(take)).then_some(*take)
        };
        let mut missing: Vec<TakeId> = self.takes.iter().filter_map(is_missing).collect();
        missing.sort_unstable();
        missing
    }

    /// What a shot uses keeps its media.
    fn check_expired(&self, takes: &[TakeId]) -> Check {
        let used = self.used();
        if takes.iter().any(|take| used.contains(take)) {
            return Err(invalid("takes", "are given up that a shot uses"));
        }
        Ok(())
    }

    /// The limits of what an event says.
    fn check(&self, event: &Event) -> Check {
        for asset in event.assets() {
            check_asset(asset)?;
        }
        match event {
            Event::ProjectCreated(event) => {
                limits::check_fields(&event.story, &event.title, &event.description, &event.style)?;
                limits::check_shot_count(event.shot_count)?;
                limits::check_settings(&event.settings)
            }
            Event::ProjectForked(event) => check_content(&event.content),
            Event::ProjectRestored(event) => check_content(&event.content),
            Event::ProjectRenamed(event) => {
                limits::check_fields(&self.state.story, &event.title, &event.description, &self.state.style)
            }
            Event::StyleRevised(event) => at_most("style", &event.style),
            Event::SettingsRevised(event) => limits::check_settings(&event.settings),
            Event::StoryRevised(event) => limits::check_project(&event.story, &self.state.title, "", ""),
            Event::ProjectAssigned(event) => at_most("owner", &event.owner),
            Event::ErrandTaken(event) => check_errand(event.external_id.as_deref(), &event.usual),
            Event::ScenesNamed(event) => {
                event.scenes.iter().try_for_each(|scene| check_scene_name(&scene.name))
            }
            Event::StoryboardAdopted(event) => check_adopted(event),
            Event::ShotPromptRevised(event) => limits::check_prompts(&event.prompt, &event.negative_prompt),
            Event::ShotNarrationRevised(event) => limits::check_narration(&event.narration),
            Event::ShotDetailsRevised(event) => {
                limits::check_shot_details(&event.title, event.duration_seconds)
            }
            Event::ShotCountRevised(event) => limits::check_shot_count(Some(event.shot_count)),
            Event::ShotAdded(event) => check_added(event),
            Event::ShotsReordered(event) => {
                let known: Vec<ShotId> = self.state.shots.iter().map(|shot| shot.id).collect();
                limits::check_order(&known, &event.shots)
            }
            Event::TakeSelected(event) => {
                limits::check_parameters(&event.parameters)?;
                at_most("specHash", &event.spec_hash.0)?;
                check_made_with(&event.made_with)
            }
            Event::TakeUploaded(event) => at_most("specHash", &event.spec_hash.0),
            // Its media would be removed, whatever comes after it.
            Event::ProjectPurged(_) => Err(ProjectError::Purged),
            Event::TakesExpired(event) => self.check_expired(&event.takes),
            Event::ProjectDeleted(_)
            | Event::ProjectUndeleted(_)
            | Event::ProjectImported(_)
            | Event::MusicUploaded(_)
            | Event::MusicRemoved(_)
            | Event::ShotRemoved(_)
            | Event::ShotLocked(_)
            | Event::ShotUnlocked(_) => Ok(()),
            task_event => check_task_event(task_event),
        }
    }
}

fn check_task_event(event: &Event) -> Check {
    match event {
        Event::TaskPlanned(event) => {
            limits::check_parameters(&event.parameters)?;
            check_attempts(event.attempt, event.max_attempts)
        }
        Event::TaskQueued(event) => {
            limits::check_parameters(&event.parameters)?;
            at_most("specHash", &event.spec_hash.0)?;
            check_attempts(event.attempt, event.max_attempts)
        }
        Event::TaskStarted(event) => {
            at_most("worker", &event.worker)?;
            check_attempts(event.attempt, event.attempt)
        }
        Event::TaskRetryScheduled(event) => {
            check_failure(&event.failure)?;
            check_due(event.due)?;
            check_attempts(event.attempt, event.attempt)
        }
        Event::TaskDeferred(event) => {
            at_most("reason", &event.reason)?;
            check_due(event.due)
        }
        Event::TaskFinished(event) => {
            check_made_with(&event.made_with)?;
            at_most("specHash", &event.spec_hash.0)?;
            check_attempts(event.attempt, event.attempt)
        }
        Event::TaskFailed(event) => {
            check_failure(&event.failure)?;
            check_attempts(event.attempt, event.attempt)
        }
        Event::FilmRendered(event) => {
            limits::check_parameters(&event.parameters)?;
            check_attempts(event.film_version, event.film_version)?;
            at_most("specHash", &event.spec_hash.0)?;
            check_film(&event.film)
        }
        _ => Ok(()),
    }
}

fn check_content(content: &Content) -> Check {
    limits::check_fields(&content.story, &content.title, &content.description, &content.style)?;
    limits::check_shot_count(content.shot_count)?;
    limits::check_settings(&content.settings)?;
    at_most("language", content.language.as_deref().unwrap_or_default())?;
    for shot in &content.shots {
        limits::check_prompts(&shot.prompt, &shot.negative_prompt)?;
        limits::check_narration(&shot.narration)?;
        limits::check_shot_details(&shot.title, shot.duration_seconds)?;
    }
    for (_, _, take) in content.takes() {
        limits::check_parameters(&take.parameters)?;
        at_most("specHash", &take.spec_hash.0)?;
        check_made_with(&take.made_with)?;
    }
    Ok(())
}

fn check_added(event: &ShotAdded) -> Check {
    limits::check_place(Some(event.place), limits::SHOTS)?;
    limits::check_shot_details(&event.title, event.duration_seconds)?;
    limits::check_prompts(&event.prompt, &event.negative_prompt)?;
    limits::check_narration(&event.narration)
}

fn check_adopted(event: &StoryboardAdopted) -> Check {
    at_most("language", &event.language)?;
    at_most("specHash", &event.spec_hash.0)?;
    limits::check_shot_details(&event.title, None)?;
    for shot in &event.shots {
        limits::check_shot_details(&shot.title, None)?;
        limits::check_prompts(&shot.prompt, "")?;
        limits::check_narration(&shot.narration)?;
    }
    Ok(())
}

fn check_attempts(attempt: u32, max_attempts: u32) -> Check {
    let is_sane = (1..=ATTEMPTS).contains(&attempt) && (1..=ATTEMPTS).contains(&max_attempts);
    if is_sane { Ok(()) } else { Err(invalid("attempt", "is not a number of tries")) }
}

fn check_due(due: DateTime<Utc>) -> Check {
    if (1_970..=9_999).contains(&due.year()) { Ok(()) } else { Err(invalid("due", "is not a time")) }
}

fn check_failure(failure: &Failure) -> Check {
    if *failure == failure.bounded() { Ok(()) } else { Err(invalid("failure", "is too long")) }
}

fn check_made_with(made_with: &MadeWith) -> Check {
    at_most("provider", &made_with.provider)?;
    at_most("model", made_with.model.as_deref().unwrap_or_default())
}

fn check_asset(asset: &Asset) -> Check {
    check_seconds(asset.duration_seconds.unwrap_or(0.0))?;
    if i64::try_from(asset.bytes).is_ok() { Ok(()) } else { Err(invalid("bytes", "is not a size")) }
}

fn check_seconds(seconds: f64) -> Check {
    if (0.0..=SECONDS).contains(&seconds) {
        Ok(())
    } else {
        Err(invalid("durationSeconds", "is not a length"))
    }
}

fn check_film(film: &FilmOutput) -> Check {
    check_seconds(film.duration_seconds)?;
    if film.warnings.len() > WARNINGS {
        return Err(invalid("warnings", "are too many"));
    }
    film.warnings.iter().try_for_each(|warning| at_most("warnings", warning))
}
