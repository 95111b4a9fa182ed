//! The state that events add up to.

mod arrangement;
mod batches;
mod spending;
mod takes;
mod tasks;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::command::Parameters;
use super::errand::Errand;
use super::event::{CancelReason, Event, ProjectCreated};
use super::workflow::MAX_ATTEMPTS;
use crate::asset::Asset;
use crate::ids::{ClaimId, ShotId, TakeId, TaskId};
use crate::job::{Kind, MadeWith, SpecHash};
use crate::settings::{Mood, Music, Settings, Transition};

pub use batches::{Batch, ChildState};

/// A project as its events have made it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Project {
    /// How many events made it; the version of the project.
    pub version: u64,
    /// Whether it exists.
    pub lifecycle: Lifecycle,
    /// Whom it belongs to; nobody in particular when it was started without authentication.
    #[serde(default)]
    pub owner: Option<String>,
    /// What it remembers of the client whose errand it is, if it is one.
    #[serde(default)]
    pub errand: Option<Errand>,
    /// When it went to the trash, if it is there and that is known.
    #[serde(default)]
    pub deleted_at: Option<DateTime<Utc>>,
    /// Up to 200 characters.
    pub title: String,
    /// Free text.
    pub description: String,
    /// The story, word for word.
    pub story: String,
    /// Free text.
    pub style: String,
    /// Shots asked for at creation.
    pub shot_count: Option<u32>,
    /// How the film looks and sounds.
    pub settings: Settings,
    /// BCP 47 language that the storyboard found.
    pub language: Option<String>,
    /// What the present storyboard was asked for.
    pub storyboard: Option<SpecHash>,
    /// Version at which the project's own fields last changed.
    pub revised: u64,
    /// In their order.
    pub shots: Vec<Shot>,
    /// Version at which shots last came, went or changed places.
    #[serde(default)]
    pub arranged: u64,
    /// The user's own music.
    #[serde(default)]
    pub music: Option<Asset>,
    /// Open tasks, and ended ones that may be retried: at most one ended task a kind and shot.
    pub tasks: BTreeMap<TaskId, Task>,
    /// Work that is followed as one task; only what has open children.
    #[serde(default)]
    pub batches: BTreeMap<TaskId, Batch>,
    /// How many tasks the project ever had.
    #[serde(default)]
    pub tasks_made: u32,
    /// What all that was ever made for it cost, in the currency of the providers' prices.
    #[serde(default)]
    pub spent: f64,
    /// What the newest of each kind cost.
    #[serde(default)]
    pub prices: BTreeMap<Kind, f64>,
    /// The newest film.
    pub film: Option<Film>,
    /// The film by the project's own settings that was last queued, finished or not.
    pub last_film_queued: Option<SpecHash>,
}

/// Whether a project exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Lifecycle {
    /// No event yet.
    #[default]
    Missing,
    /// It is there.
    Active,
    /// It is in the trash.
    Deleted,
    /// It was in the trash, and is given up for good.
    Purged,
}

/// Where a project stands as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its storyboard waits for a worker.
    Created,
    /// Its storyboard is being made.
    Storyboard,
    /// Other work is open.
    Generating,
    /// Nothing is open and nothing failed.
    Ready,
    /// Nothing is open, and something failed for good.
    Failed,
}

impl Status {
    /// The word in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Storyboard => "storyboard",
            Self::Generating => "generating",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }
}

/// One shot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shot {
    /// Its id.
    pub id: ShotId,
    /// The shot of another project that it is a copy of.
    #[serde(default)]
    pub origin: Option<ShotId>,
    /// A few words.
    pub title: String,
    /// What the picture shows.
    pub prompt: String,
    /// What it must not show.
    pub negative_prompt: String,
    /// What is said.
    pub narration: String,
    /// Its feeling.
    pub mood: Mood,
    /// How it goes over to the next shot; the project's way when absent.
    pub transition: Option<Transition>,
    /// Minimum length in seconds.
    pub duration_seconds: Option<f64>,
    /// Its place in the storyboard that it comes from, from 0; absent when it was added by hand.
    #[serde(default)]
    pub slot: Option<u32>,
    /// Whether somebody edited it, or chose or uploaded a take of it.
    #[serde(default)]
    pub edited: bool,
    /// A locked shot is not generated again.
    pub locked: bool,
    /// Version at which its content last changed.
    pub revised: u64,
    /// The selected picture.
    pub image: Option<Take>,
    /// The selected clip.
    pub video: Option<Take>,
    /// The selected voice.
    pub voice: Option<Take>,
}

/// A picture, clip or voice that a shot uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Take {
    /// Its id.
    pub id: TakeId,
    /// The stored media.
    pub asset: Asset,
    /// What was asked for.
    pub spec_hash: SpecHash,
    /// How it was asked for.
    pub parameters: Parameters,
    /// What really made it.
    #[serde(default)]
    pub made_with: MadeWith,
    /// Version at which it became the shot's own.
    pub selected_at: u64,
}

/// The newest film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Film {
    /// Counts the project's films, from 1.
    pub version: u32,
    /// What was asked for.
    pub spec_hash: SpecHash,
    /// How it was asked for.
    pub parameters: Parameters,
}

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its kind.
    pub kind: Kind,
    /// Its shot, if it is of one.
    pub shot: Option<ShotId>,
    /// Its place in a storyboard that does not exist yet.
    pub slot: Option<u32>,
    /// What it waits for.
    pub depends_on: Vec<TaskId>,
    /// How to make it.
    pub parameters: Parameters,
    /// What is asked for, once that is known.
    pub spec_hash: Option<SpecHash>,
    /// The attempt that runs or will run next, from 1.
    pub attempt: u32,
    /// Attempts allowed.
    pub max_attempts: u32,
    /// The take that was selected when the task was queued.
    pub replaces: Option<TakeId>,
    /// Runs since it last waited that were lost, worker and all.
    #[serde(default)]
    pub lost_runs: u32,
    /// Where it stands.
    pub state: TaskState,
}

/// Where a task stands. Finished tasks leave the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TaskState {
    /// It waits for other tasks.
    Blocked,
    /// It waits for a worker.
    Pending,
    /// A worker has it.
    Processing {
        /// The fencing token of the run.
        claim: ClaimId,
        /// The worker's name.
        worker: String,
    },
    /// It failed for good; it may be retried.
    Failed,
    /// It was stopped; it may be retried.
    Cancelled(CancelReason),
}

impl Task {
    /// Blocked, pending or processing.
    pub fn is_open(&self) -> bool {
        match self.state {
            TaskState::Blocked | TaskState::Pending | TaskState::Processing { .. } => true,
            TaskState::Failed | TaskState::Cancelled(_) => false,
        }
    }

    /// The attempt at which it was last queued by somebody, as against tried again after a failure.
    pub(super) fn first_attempt(&self) -> u32 {
        (self.max_attempts + 1).saturating_sub(MAX_ATTEMPTS)
    }

    /// Whether this is of the same kind and shot as another, and the same candidate of it.
    fn same_work(&self, kind: Kind, shot: Option<ShotId>, candidate: Option<u32>) -> bool {
        self.kind == kind
            && self.shot == shot
            && self.slot.is_none()
            && self.parameters.candidate == candidate
    }
}

impl Shot {
    /// The shot that this one was first: itself, unless it is a copy. What depends on it is the same for both.
    pub(super) fn origin(&self) -> ShotId {
        self.origin.unwrap_or(self.id)
    }

    /// The selected take of a kind.
    pub fn take(&self, kind: Kind) -> Option<&Take> {
        match kind {
            Kind::Image => self.image.as_ref(),
            Kind::Video => self.video.as_ref(),
            Kind::Tts => self.voice.as_ref(),
            Kind::Storyboard | Kind::Film => None,
        }
    }

    fn take_mut(&mut self, kind: Kind) -> Option<&mut Option<Take>> {
        match kind {
            Kind::Image => Some(&mut self.image),
            Kind::Video => Some(&mut self.video),
            Kind::Tts => Some(&mut self.voice),
            Kind::Storyboard | Kind::Film => None,
        }
    }
}

/// What events do. Evolving never fails: an event is a fact.
impl Project {
    /// The state after an event.
    pub fn evolve(&mut self, event: &Event) {
        self.version += 1;
        match event {
            Event::ProjectCreated(event) => self.create(event),
            Event::ProjectRenamed(event) => {
                self.title.clone_from(&event.title);
                self.description.clone_from(&event.description);
                self.revised = self.version;
            }
            Event::StyleRevised(event) => {
                self.style.clone_from(&event.style);
                self.revised = self.version;
            }
            Event::SettingsRevised(event) => {
                self.settings = event.settings.clone();
                self.revised = self.version;
            }
            Event::StoryRevised(event) => {
                self.story.clone_from(&event.story);
                self.revised = self.version;
            }
            Event::ProjectAssigned(event) => self.owner = Some(event.owner.clone()),
            Event::ErrandTaken(event) => self.take_errand(event),
            Event::ScenesNamed(event) => self.name_scenes(event),
            Event::ProjectRestored(event) => self.restore(event),
            Event::ProjectForked(event) => self.fork(event),
            Event::ProjectImported(_) => self.owner = None,
            Event::ProjectDeleted(event) => {
                self.lifecycle = Lifecycle::Deleted;
                self.deleted_at = event.at;
            }
            Event::ProjectUndeleted(_) => {
                self.lifecycle = Lifecycle::Active;
                self.deleted_at = None;
            }
            Event::ProjectPurged(_) => self.lifecycle = Lifecycle::Purged,
            Event::ShotCountRevised(event) => {
                self.shot_count = Some(event.shot_count);
                self.revised = self.version;
            }
            Event::MusicUploaded(event) => {
                self.music = Some(event.asset.clone());
                self.settings.music = Music::Own;
                self.revised = self.version;
            }
            Event::MusicRemoved(_) => {
                self.music = None;
                self.settings.music = Music::Auto;
                self.revised = self.version;
            }
            shot_event => self.evolve_shots(shot_event),
        }
    }

    fn evolve_shots(&mut self, event: &Event) {
        match event {
            Event::StoryboardAdopted(event) => self.adopt(event),
            Event::ShotAdded(event) => self.add_shot(event),
            Event::ShotRemoved(event) => self.remove_shot(event.shot_id),
            Event::ShotsReordered(event) => self.reorder(&event.shots),
            Event::ShotPromptRevised(event) => self.edit_shot(event.shot_id, |shot| {
                shot.prompt.clone_from(&event.prompt);
                shot.negative_prompt.clone_from(&event.negative_prompt);
            }),
            Event::ShotNarrationRevised(event) => self.edit_shot(event.shot_id, |shot| {
                shot.narration.clone_from(&event.narration);
            }),
            Event::ShotDetailsRevised(event) => self.edit_shot(event.shot_id, |shot| {
                shot.title.clone_from(&event.title);
                shot.mood = event.mood;
                shot.transition = event.transition;
                shot.duration_seconds = event.duration_seconds;
            }),
            Event::ShotLocked(event) => self.revise_shot(event.shot_id, |shot| shot.locked = true),
            Event::ShotUnlocked(event) => self.revise_shot(event.shot_id, |shot| shot.locked = false),
            Event::TakeSelected(event) => self.choose(event),
            Event::TakeUploaded(event) => self.upload(event),
            task_event => {
                self.evolve_task(task_event);
                self.follow_batches(task_event);
            }
        }
    }

    fn create(&mut self, event: &ProjectCreated) {
        self.lifecycle = Lifecycle::Active;
        self.title.clone_from(&event.title);
        self.description.clone_from(&event.description);
        self.story.clone_from(&event.story);
        self.style.clone_from(&event.style);
        self.shot_count = event.shot_count;
        self.settings = event.settings.clone();
        self.revised = self.version;
    }

    /// What somebody did by hand is kept when the storyboard is made again.
    fn edit_shot(&mut self, id: ShotId, change: impl FnOnce(&mut Shot)) {
        self.revise_shot(id, |shot| {
            change(shot);
            shot.edited = true;
        });
    }

    fn revise_shot(&mut self, id: ShotId, change: impl FnOnce(&mut Shot)) {
        let version = self.version;
        if let Some(shot) = self.shots.iter_mut().find(|shot| shot.id == id) {
            change(shot);
            shot.revised = version;
        }
    }
}
