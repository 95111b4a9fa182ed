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
use crate::job::{Failure, FilmOutput, MadeWith, SpecHash};

type Check = Result<(), ProjectError>;

/// Most attempts that a task may have had.
const ATTEMPTS: u32 = 10_000;
/// Longest reason or warning, in characters.
const WORDS: usize = 2_000;
/// Longest name of an owner or a worker, in characters. They are looked up, and an index takes 2,704 bytes
/// (PostgreSQL, "B-Tree indexes: limits").
const NAME: usize = 255;
/// Longest hash, in bytes.
const HASH: usize = 64;
/// Largest file, in bytes: sums of them are numbers that PostgreSQL has.
const FILE: u64 = 1 << 40;
/// Most tasks, and most batches, that a project may have open or to retry at a time: about twice as many as there can be.
const TASKS: usize = 5_000;
const BATCHES: usize = 1_000;
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
    /// The tasks that have made a film.
    films: HashSet<TaskId>,
}

fn invalid(field: &'static str, message: &str) -> ProjectError {
    ProjectError::Invalid { field, message: message.to_owned() }
}

fn at_most(field: &'static str, text: &str, characters: usize) -> Check {
    if text.chars().count() > characters { Err(invalid(field, "is too long")) } else { Ok(()) }
}

fn check_hash(hash: &SpecHash) -> Check {
    if hash.0.len() > HASH { Err(invalid("specHash", "is too long")) } else { Ok(()) }
}

/// The shots and the takes that an event is about, which were begun before it.
fn names(event: &Event) -> (Vec<ShotId>, Vec<TakeId>) {
    match event {
        Event::ScenesNamed(event) => (event.scenes.iter().map(|scene| scene.shot_id).collect(), Vec::new()),
        Event::TaskPlanned(event) => (event.shot_id.into_iter().collect(), Vec::new()),
        Event::TaskQueued(event) => (event.shot_id.into_iter().collect(), Vec::new()),
        Event::TaskFinished(event) => (event.take.iter().map(|take| take.shot_id).collect(), Vec::new()),
        Event::TakeUploaded(event) => (vec![event.shot_id], Vec::new()),
        Event::TakeSelected(event) => (vec![event.shot_id], vec![event.take_id]),
        Event::TakesExpired(event) => (Vec::new(), event.takes.clone()),
        Event::ProjectRestored(event) => {
            let shots = event.content.shots.iter().map(|shot| shot.id);
            (shots.collect(), event.content.takes().map(|(_, _, take)| take.take_id).collect())
        }
        _ => (Vec::new(), Vec::new()),
    }
}

impl ForeignHistory {
    /// Takes the next event in, which is of the project with this id, unless it breaks a rule.
    pub fn take_in(&mut self, project: ProjectId, event: &Event) -> Check {
        self.check_start(project, event)?;
        self.check(event)?;
        self.begin(event)?;
        self.state.evolve(event);
        self.check_size()?;
        match event {
            Event::StoryboardAdopted(_)
            | Event::ShotAdded(_)
            | Event::ProjectForked(_)
            | Event::ProjectRestored(_) => self.check_shots_differ(),
            _ => Ok(()),
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
            Event::ShotAdded(event) => self.shots.extend([event.shot_id]),
            Event::ProjectForked(event) => {
                self.shots.extend(event.content.shots.iter().map(|shot| shot.id));
                for (_, _, take) in event.content.takes() {
                    self.begin_take(take.take_id, &take.asset)?;
                }
            }
            Event::TakeUploaded(event) => self.begin_take(event.take_id, &event.asset)?,
            Event::TaskFinished(TaskFinished { take: Some(take), .. }) => {
                self.begin_take(take.take_id, &take.asset)?;
            }
            Event::FilmRendered(event) if !self.films.insert(event.task_id) => {
                return Err(invalid("taskId", "has made a film before"));
            }
            _ => {}
        }
        let (shots, takes) = names(event);
        if !shots.iter().all(|shot| self.shots.contains(shot)) {
            return Err(invalid("shotId", "is of no shot in this history"));
        }
        if !takes.iter().all(|take| self.takes.contains_key(take)) {
            return Err(invalid("takeId", "is of no take in this history"));
        }
        if event.task().is_some_and(|task| !self.tasks.contains(&task)) {
            return Err(invalid("taskId", "is of no task in this history"));
        }
        self.go_on(event);
        Ok(())
    }

    fn begin_take(&mut self, take: TakeId, asset: &Asset) -> Check {
        match self.takes.insert(take, Some(asset.key.clone())) {
            None => Ok(()),
            Some(_) => Err(invalid("takeId", "is of another take in this history")),
        }
    }

    /// What becomes of takes that were begun before. What names one that was given up brings it back.
    fn go_on(&mut self, event: &Event) {
        let used = |take: TakeId, asset: &Asset| (take, Some(asset.key.clone()));
        match event {
            Event::TakeSelected(event) => self.takes.extend([used(event.take_id, &event.asset)]),
            Event::ProjectRestored(event) => {
                self.takes.extend(event.content.takes().map(|(_, _, take)| used(take.take_id, &take.asset)));
            }
            Event::TakesExpired(event) => self.takes.extend(event.takes.iter().map(|take| (*take, None))),
            _ => {}
        }
    }

    /// What a project may consist of at a time. The work on its events grows with it, and a shot has one row.
    fn check_size(&self) -> Check {
        let Project { shots, tasks, batches, .. } = &self.state;
        if shots.len() > limits::SHOTS as usize {
            return Err(invalid("shots", "are too many"));
        }
        if tasks.len() > TASKS || batches.len() > BATCHES {
            return Err(invalid("tasks", "are too many at a time"));
        }
        Ok(())
    }

    fn check_shots_differ(&self) -> Check {
        let shots = &self.state.shots;
        let differ = shots.iter().map(|shot| shot.id).collect::<HashSet<_>>().len() == shots.len();
        if differ { Ok(()) } else { Err(invalid("shots", "are not all different")) }
    }

    /// The takes that shots use.
    fn used(&self) -> HashSet<TakeId> {
        self.state.shots.iter().flat_map(Shot::takes).map(|take| take.id).collect()
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
            Event::StyleRevised(event) => at_most("style", &event.style, limits::TEXT),
            Event::SettingsRevised(event) => limits::check_settings(&event.settings),
            Event::StoryRevised(event) => limits::check_project(&event.story, &self.state.title, "", ""),
            Event::ProjectAssigned(event) => at_most("owner", &event.owner, NAME),
            Event::ProjectDeleted(event) => event.at.map_or(Ok(()), check_time),
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
                check_hash(&event.spec_hash)?;
                check_made_with(&event.made_with)
            }
            Event::TakeUploaded(event) => check_hash(&event.spec_hash),
            // Its media would be removed, whatever comes after it.
            Event::ProjectPurged(_) => Err(ProjectError::Purged),
            Event::TakesExpired(event) => self.check_expired(&event.takes),
            Event::ProjectUndeleted(_)
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
        Event::BatchPlanned(event) => check_tasks("children", &event.children),
        Event::TaskPlanned(event) => {
            limits::check_place(event.slot, limits::SHOTS)?;
            check_tasks("dependsOn", &event.depends_on)?;
            limits::check_parameters(&event.parameters)?;
            check_attempts(event.attempt, event.max_attempts)
        }
        Event::TaskQueued(event) => {
            limits::check_parameters(&event.parameters)?;
            check_hash(&event.spec_hash)?;
            check_attempts(event.attempt, event.max_attempts)
        }
        Event::TaskStarted(event) => {
            at_most("worker", &event.worker, NAME)?;
            check_attempts(event.attempt, event.attempt)
        }
        Event::TaskRetryScheduled(event) => {
            check_failure(&event.failure)?;
            check_time(event.due)?;
            check_attempts(event.attempt, event.attempt)
        }
        Event::TaskDeferred(event) => {
            at_most("reason", &event.reason, WORDS)?;
            check_time(event.due)
        }
        Event::TaskFinished(event) => {
            check_made_with(&event.made_with)?;
            check_hash(&event.spec_hash)?;
            check_attempts(event.attempt, event.attempt)
        }
        Event::TaskFailed(event) => {
            check_failure(&event.failure)?;
            check_attempts(event.attempt, event.attempt)
        }
        Event::FilmRendered(event) => {
            limits::check_parameters(&event.parameters)?;
            check_attempts(event.film_version, event.film_version)?;
            check_hash(&event.spec_hash)?;
            check_shown(&event.incomplete)?;
            check_film(&event.film)
        }
        _ => Ok(()),
    }
}

fn check_content(content: &Content) -> Check {
    limits::check_fields(&content.story, &content.title, &content.description, &content.style)?;
    limits::check_shot_count(content.shot_count)?;
    limits::check_settings(&content.settings)?;
    at_most("language", content.language.as_deref().unwrap_or_default(), NAME)?;
    for shot in &content.shots {
        limits::check_prompts(&shot.prompt, &shot.negative_prompt)?;
        limits::check_narration(&shot.narration)?;
        limits::check_shot_details(&shot.title, shot.duration_seconds)?;
    }
    for (_, _, take) in content.takes() {
        limits::check_parameters(&take.parameters)?;
        check_hash(&take.spec_hash)?;
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
    at_most("language", &event.language, NAME)?;
    check_hash(&event.spec_hash)?;
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

/// PostgreSQL does not read every time that we can write.
fn check_time(at: DateTime<Utc>) -> Check {
    if (1_970..=9_999).contains(&at.year()) { Ok(()) } else { Err(invalid("at", "is not a time")) }
}

fn check_tasks(field: &'static str, tasks: &[TaskId]) -> Check {
    if tasks.len() > TASKS { Err(invalid(field, "are too many")) } else { Ok(()) }
}

fn check_shown(shots: &[ShotId]) -> Check {
    if shots.len() > limits::SHOTS as usize { Err(invalid("incomplete", "are too many")) } else { Ok(()) }
}

fn check_failure(failure: &Failure) -> Check {
    if *failure == failure.bounded() { Ok(()) } else { Err(invalid("failure", "is too long")) }
}

/// As it is recorded of workers, which are not trusted either.
fn check_made_with(made_with: &MadeWith) -> Check {
    if *made_with == made_with.bounded() { Ok(()) } else { Err(invalid("madeWith", "is beyond its limits")) }
}

fn check_asset(asset: &Asset) -> Check {
    check_seconds(asset.duration_seconds.unwrap_or(0.0))?;
    if asset.bytes <= FILE { Ok(()) } else { Err(invalid("bytes", "is not a size")) }
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
    film.warnings.iter().try_for_each(|warning| at_most("warnings", warning, WORDS))
}
