//! What can be asked of a project.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::content::Content;
use crate::asset::Asset;
use crate::ids::{ClaimId, ProjectId, ShotId, TakeId, TaskId};
use crate::job::{Failure, Kind, MadeWith, Output};
use crate::metadata::Context;
use crate::settings::{FilmFormat, FrameSize, Mood, OnMissing, Quality, Settings, Transition};

use super::errand::{GivenShot, StartErrand};

/// A command with everything that decides its outcome besides the project's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Who asks, when, and as part of what.
    pub context: Context,
    /// The version of the project that the asker saw. The command is refused when the content it edits
    /// changed after that.
    pub if_version: Option<u64>,
    /// What is asked.
    pub command: Command,
}

/// What can be asked of a project. What a worker reports starts with `Record`.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Start a project.
    CreateProject(CreateProject),
    /// Start a project for calls of a client that keeps its projects elsewhere; queues nothing.
    StartErrand(Box<StartErrand>),
    /// Add shots at the end that another system names; queues nothing.
    GiveShots {
        /// The shots, in order.
        shots: Vec<GivenShot>,
    },
    /// All of these, one after the other, or none. A condition on the version is the first one's.
    Together(Vec<Command>),
    /// Edit the project's own fields.
    ReviseProject(ProjectPatch),
    /// To the trash: work is cancelled, the history kept.
    DeleteProject,
    /// Bring the content of an earlier version back; cancels open work and queues none.
    RestoreProject {
        /// The version.
        version: u64,
        /// The project's content at that version.
        content: Box<Content>,
    },
    /// Start a project from a version of another one.
    ForkProject(Box<ForkProject>),
    /// Make a history that was brought here from elsewhere this system's own: cancels what is open in it.
    CompleteImport {
        /// Takes that no shot uses and whose media did not come along.
        missing: Vec<TakeId>,
    },
    /// Out of the trash again; possible for [`limits::TRASH_DAYS`](super::limits::TRASH_DAYS).
    UndeleteProject,
    /// Give up a project in the trash for good: its media may be freed.
    PurgeProject {
        /// Also while it could still come back: somebody asked for just that.
        early: bool,
    },
    /// Make the storyboard again. Locked, hand-edited and added shots are kept.
    MakeStoryboard {
        /// Keep no shot.
        force: bool,
        /// How many shots to tell the story in from now on; as before when absent.
        shot_count: Option<u32>,
        /// Nothing follows: its shots' pictures and voices are made when they are asked for.
        alone: bool,
    },
    /// Add a shot.
    AddShot {
        /// Its place, from 0; at the end when absent.
        place: Option<u32>,
        /// Its content; what is absent is empty.
        content: ShotPatch,
        /// Queue its picture and voice.
        generate: bool,
    },
    /// Take a shot out; its open work is cancelled.
    RemoveShot {
        /// Which shot.
        shot: ShotId,
    },
    /// Put the shots into another order.
    OrderShots {
        /// Every shot of the project, once.
        shots: Vec<ShotId>,
    },
    /// Let a shot use another of its takes.
    SelectTake {
        /// Which shot.
        shot: ShotId,
        /// The take; whoever gives the command has looked it up.
        take: Box<EarlierTake>,
    },
    /// Let a shot use a picture of the user's own.
    UploadTake {
        /// Which shot.
        shot: ShotId,
        /// [`Kind::Image`].
        kind: Kind,
        /// What was stored.
        asset: Asset,
    },
    /// Give up the media of those of these takes that no shot uses.
    ExpireTakes {
        /// Which takes.
        takes: Vec<TakeId>,
    },
    /// Move an errand to the trash that nobody has touched for long; one that was touched since stays.
    ExpireErrand {
        /// Its version when that was seen.
        version: u64,
    },
    /// Let the film have music of the user's own.
    UploadMusic {
        /// What was stored.
        asset: Asset,
    },
    /// Back to synthesised music.
    RemoveMusic,
    /// Make many takes, as one batch.
    Generate(Generate),
    /// Queue everything that failed again, as one batch.
    RetryFailed,
    /// Edit a shot.
    ReviseShot {
        /// Which shot.
        shot: ShotId,
        /// What to change.
        patch: ShotPatch,
        /// Queue what the edit made stale; otherwise only mark it.
        generate: bool,
    },
    /// Make a picture, clip or voice of a shot again.
    GenerateTake {
        /// Which shot.
        shot: ShotId,
        /// [`Kind::Image`], [`Kind::Video`] or [`Kind::Tts`].
        kind: Kind,
        /// How to make it.
        parameters: Parameters,
        /// How many, 1 to 4, each with a seed of its own. The first becomes the shot's own.
        candidates: u32,
    },
    /// Render the film.
    RenderFilm {
        /// How to render it.
        parameters: Parameters,
    },
    /// Stop everything that is open.
    CancelWork,
    /// Stop a task.
    CancelTask {
        /// Which task.
        task: TaskId,
    },
    /// Queue a failed or cancelled task again.
    RetryTask {
        /// Which task.
        task: TaskId,
    },
    /// A worker was given the task.
    RecordTaskStarted {
        /// Which task.
        task: TaskId,
        /// The attempt that the job names; a job of an earlier one is stopped.
        attempt: u32,
        /// The fencing token of this run.
        claim: ClaimId,
        /// The worker's name.
        worker: String,
    },
    /// A worker finished the task.
    RecordTaskFinished {
        /// Which task.
        task: TaskId,
        /// The attempt that succeeded. A success of an attempt from before the task was last queued is
        /// ignored: it may answer what is no longer asked.
        attempt: u32,
        /// What it made.
        output: Output,
        /// What made it.
        made_with: MadeWith,
    },
    /// A worker failed.
    RecordTaskFailed {
        /// Which task.
        task: TaskId,
        /// The run that failed; a late failure of another run is ignored. Absent when no run is meant
        /// (the job could not be handled by anyone).
        claim: Option<ClaimId>,
        /// Why.
        failure: Failure,
    },
    /// A worker gives the task back for a while, without using up an attempt.
    RecordTaskDeferred {
        /// Which task.
        task: TaskId,
        /// The run that gave it back.
        claim: ClaimId,
        /// When to try again.
        until: DateTime<Utc>,
        /// Why.
        reason: String,
    },
}

/// What a command asks of those who run the system, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asks {
    /// Neither work nor media; it may even free some.
    Nothing,
    /// Work, or media to keep.
    Work,
    /// A project more, with the work that makes it.
    Project,
}

impl Command {
    /// What it asks for: new work is refused where there is no room for it, all else never is.
    pub fn asks(&self) -> Asks {
        match self {
            Self::CreateProject(_)
            | Self::ForkProject(_)
            | Self::CompleteImport { .. }
            | Self::StartErrand(_) => Asks::Project,
            Self::Together(commands) => commands.iter().map(Self::asks).max().unwrap_or(Asks::Nothing),
            Self::MakeStoryboard { .. }
            | Self::GiveShots { .. }
            | Self::UploadTake { .. }
            | Self::UploadMusic { .. }
            | Self::Generate(_)
            | Self::RetryFailed
            | Self::GenerateTake { .. }
            | Self::RenderFilm { .. }
            | Self::RetryTask { .. } => Asks::Work,
            Self::AddShot { generate, .. } | Self::ReviseShot { generate, .. } if *generate => Asks::Work,
            Self::ReviseProject(patch) if patch.story.is_some() => Asks::Work,
            Self::AddShot { .. }
            | Self::ReviseShot { .. }
            | Self::ReviseProject(_)
            | Self::DeleteProject
            | Self::RestoreProject { .. }
            | Self::UndeleteProject
            | Self::PurgeProject { .. }
            | Self::RemoveShot { .. }
            | Self::OrderShots { .. }
            | Self::SelectTake { .. }
            | Self::ExpireTakes { .. }
            | Self::ExpireErrand { .. }
            | Self::RemoveMusic
            | Self::CancelWork
            | Self::CancelTask { .. }
            | Self::RecordTaskStarted { .. }
            | Self::RecordTaskFinished { .. }
            | Self::RecordTaskFailed { .. }
            | Self::RecordTaskDeferred { .. } => Asks::Nothing,
        }
    }
}

/// The content of a new project.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateProject {
    /// Its id, chosen by the caller.
    pub id: ProjectId,
    /// 1 to 20,000 characters.
    pub story: String,
    /// Up to 200 characters; taken from the storyboard when empty.
    pub title: String,
    /// Free text.
    pub description: String,
    /// Free text; known names map to a palette and a prompt fragment.
    pub style: String,
    /// 1 to 200; the storyboard decides when absent.
    pub shot_count: Option<u32>,
    /// How the film looks and sounds.
    pub settings: Settings,
}

/// What a fork starts from.
#[derive(Debug, Clone, PartialEq)]
pub struct ForkProject {
    /// The new project's id, chosen by the caller.
    pub id: ProjectId,
    /// The project to fork.
    pub from: ProjectId,
    /// The version of it.
    pub version: u64,
    /// Its content at that version.
    pub content: Content,
}

/// Changes to a project's own fields; absent ones stay.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProjectPatch {
    /// New title.
    pub title: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New style; marks pictures stale and queues nothing.
    pub style: Option<String>,
    /// New settings, whole; mark stale what they touch and queue nothing.
    pub settings: Option<Settings>,
    /// New story; changes no shot.
    pub story: Option<String>,
}

/// Changes to a shot; absent fields stay.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShotPatch {
    /// New title.
    pub title: Option<String>,
    /// New prompt.
    pub prompt: Option<String>,
    /// New negative prompt.
    pub negative_prompt: Option<String>,
    /// New narration.
    pub narration: Option<String>,
    /// New mood.
    pub mood: Option<Mood>,
    /// New transition to the next shot; `Some(None)` goes back to the project's.
    pub transition: Option<Option<Transition>>,
    /// New minimum length in seconds; `Some(None)` takes it away.
    pub duration: Option<Option<f64>>,
    /// Lock or unlock.
    pub locked: Option<bool>,
}

/// A take that a shot had earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierTake {
    /// The take.
    pub id: TakeId,
    /// [`Kind::Image`], [`Kind::Video`] or [`Kind::Tts`].
    pub kind: Kind,
    /// The stored media.
    pub asset: Asset,
    /// How it was asked for.
    pub parameters: Parameters,
    /// What made it.
    pub made_with: MadeWith,
}

/// Which takes to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Generate {
    /// Of these kinds; of all that a finished shot has when empty.
    pub kinds: Vec<Kind>,
    /// Of these shots; of all that are not locked when absent.
    pub shots: Option<Vec<ShotId>>,
    /// In which case.
    pub only: Only,
    /// How to make them, each of them so.
    pub parameters: Parameters,
}

/// Which takes are made when many are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// Those that are not there.
    #[default]
    Missing,
    /// Those that were made for content that has changed since.
    Stale,
    /// Those whose last task failed.
    Failed,
    /// All of them, with new seeds.
    All,
}

/// How to make one take or film; absent values come from the project.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = TaskParameters)]
pub struct Parameters {
    /// Model, by the provider's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Seed of the picture or clip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// Sampling steps, 1 to 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Guidance scale, 0 to 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cfg_scale: Option<f64>,
    /// Frames per second of a clip or film, 12 to 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
    /// Length of a clip in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// Voice, by the provider's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
    /// Speed of a voice, 0.5 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Samples per second of a voice, 8,000 to 192,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// What a voice is kept in, `wav` or `mp3`; WAV when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_format: Option<String>,
    /// Quality of a film.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// What a film does about a shot with nothing to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_missing: Option<OnMissing>,
    /// Size of a film; without it, the project's own or that of previews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<FrameSize>,
    /// What a film is kept in, MP4 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<FilmFormat>,
    /// A film begins with this shot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_shot: Option<ShotId>,
    /// A film ends with this shot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_shot: Option<ShotId>,
    /// A film ends after so many seconds at the latest, 1 to 36,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<f64>,
    /// Which candidate this is, from 2; the first, which becomes the shot's own, says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<u32>,
    /// Whether a storyboard replaces every shot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
    /// Whether nothing follows from a storyboard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alone: Option<bool>,
}
