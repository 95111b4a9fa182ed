//! What has happened to a project: facts in the past tense, each with a version and a golden JSON file.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::command::Parameters;
use super::content::Content;
use super::errand::{Origin, SceneName};
use crate::asset::Asset;
use crate::ids::{ClaimId, ProjectId, ShotId, TakeId, TaskId};
use crate::job::{Failure, FilmOutput, Kind, MadeWith, SpecHash};
use crate::settings::{Mood, Settings, Transition};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $version:literal),+ $(,)?) => {
        /// A fact about a project.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Event { $($(#[$doc])* $name($name)),+ }

        $(impl From<$name> for Event {
            fn from(event: $name) -> Self { Self::$name(event) }
        })+

        impl Event {
            /// Every event type with its present version.
            pub const TYPES: &[(&str, &str)] = &[$((stringify!($name), $version)),+];

            /// The type's name, as in the `event_type` column.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name)),+ }
            }

            /// The version of the payload's shape, as in the `event_version` column.
            pub fn version(&self) -> &'static str {
                match self { $(Self::$name(_) => $version),+ }
            }
        }
    };
}

events! {
    /// A project was started.
    ProjectCreated = "1",
    /// The title or description was revised.
    ProjectRenamed = "1",
    /// The style was revised.
    StyleRevised = "1",
    /// The settings were revised.
    SettingsRevised = "1",
    /// The story was revised; no shot changed by it.
    StoryRevised = "1",
    /// The project went to the trash.
    ProjectDeleted = "1",
    /// The project was given to an owner.
    ProjectAssigned = "1",
    /// The project was taken on as an errand of another system's client.
    ErrandTaken = "1",
    /// It was told what that client calls shots.
    ScenesNamed = "1",
    /// The content of an earlier version was brought back.
    ProjectRestored = "1",
    /// A project was started from a version of another one.
    ProjectForked = "1",
    /// The history so far was brought here from elsewhere.
    ProjectImported = "1",
    /// The project came back out of the trash.
    ProjectUndeleted = "1",
    /// The project was given up for good.
    ProjectPurged = "1",
    /// The number of shots that the story is told in was revised.
    ShotCountRevised = "1",
    /// The user's own music became the film's.
    MusicUploaded = "1",
    /// The user's own music was taken away.
    MusicRemoved = "1",
    /// The shots of a finished storyboard became the project's.
    StoryboardAdopted = "1",
    /// A shot's prompt or negative prompt was revised.
    ShotPromptRevised = "1",
    /// A shot's narration was revised.
    ShotNarrationRevised = "1",
    /// A shot's title, mood, transition or duration was revised.
    ShotDetailsRevised = "1",
    /// A shot was locked.
    ShotLocked = "1",
    /// A shot was unlocked.
    ShotUnlocked = "1",
    /// A shot was added by hand.
    ShotAdded = "1",
    /// A shot was taken out.
    ShotRemoved = "1",
    /// The shots were put into another order.
    ShotsReordered = "1",
    /// Somebody chose a take for a shot.
    TakeSelected = "1",
    /// Somebody's own picture became a shot's.
    TakeUploaded = "1",
    /// Takes that no shot used lost their media.
    TakesExpired = "1",
    /// Work was put together to be followed as one task.
    BatchPlanned = "1",
    /// A task was created that waits for others.
    TaskPlanned = "1",
    /// A task became ready to run.
    TaskQueued = "1",
    /// A worker was given a task.
    TaskStarted = "1",
    /// An attempt failed and another one follows.
    TaskRetryScheduled = "1",
    /// A task was given back for a while without using up an attempt.
    TaskDeferred = "1",
    /// A task succeeded.
    TaskFinished = "1",
    /// A task failed for good.
    TaskFailed = "1",
    /// A task was stopped.
    TaskCancelled = "1",
    /// A film became the project's newest.
    FilmRendered = "1",
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        self.name().to_owned()
    }

    fn event_version(&self) -> String {
        self.version().to_owned()
    }
}

macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name { $($(#[$fdoc])* pub $field: $type),* }
    };
}

payload!(/// A project was started.
ProjectCreated {
    /// The project.
    id: ProjectId,
    /// The story, word for word.
    story: String,
    /// Empty until the storyboard gives one.
    title: String,
    /// Free text.
    description: String,
    /// Free text.
    style: String,
    /// Shots asked for.
    shot_count: Option<u32>,
    /// Settings, with the seed filled in.
    settings: Settings,
});
payload!(/// The title or description was revised.
ProjectRenamed {
    /// The title from now on.
    title: String,
    /// The description from now on.
    description: String,
});
payload!(/// The style was revised.
StyleRevised {
    /// The style from now on.
    style: String,
});
payload!(/// The settings were revised.
SettingsRevised {
    /// The settings from now on.
    settings: Settings,
});
payload!(/// The story was revised.
StoryRevised {
    /// The story from now on.
    story: String,
});
payload!(/// The project went to the trash.
ProjectDeleted {
    /// When; absent in the earliest events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<DateTime<Utc>>,
});
payload!(/// The project came back out of the trash.
    ProjectUndeleted {});
payload!(/// The project was given up for good; its media may be freed.
    ProjectPurged {});
payload!(/// The number of shots that the story is told in was revised.
ShotCountRevised {
    /// 1 to 200.
    shot_count: u32,
});
payload!(/// The user's own music became the film's.
MusicUploaded {
    /// The stored music.
    asset: Asset,
});
payload!(/// The user's own music was taken away; the mood decides again.
    MusicRemoved {});
payload!(/// The project was given to an owner.
ProjectAssigned {
    /// Whom it belongs to from now on: the `sub` of the owner's credentials.
    owner: String,
});
payload!(/// The project was taken on as an errand: it is in no list, and nothing follows by itself.
ErrandTaken {
    /// Where it comes from.
    origin: Origin,
    /// What the client calls it.
    external_id: Option<String>,
    /// How takes are made where nobody says otherwise.
    usual: Parameters,
});
payload!(/// It was told what the client of an errand calls shots.
ScenesNamed {
    /// The shots with their names.
    scenes: Vec<NamedScene>,
});
payload!(/// What the client of an errand calls a shot.
NamedScene {
    /// Which shot.
    shot_id: ShotId,
    /// The client's name for it.
    name: SceneName,
});
payload!(/// The content of an earlier version was brought back. Open tasks were cancelled before.
ProjectRestored {
    /// The version whose content it is.
    version: u64,
    /// The content from now on.
    content: Content,
});
payload!(/// A project was started from a version of another one.
ProjectForked {
    /// The project.
    id: ProjectId,
    /// The project that it was forked from.
    from: ProjectId,
    /// That project's version.
    version: u64,
    /// The content, with shots and takes of its own and media that both share.
    content: Content,
});
payload!(/// The history so far was brought here from elsewhere. What was open was cancelled before, and whom it
/// belonged to there does not count.
ProjectImported {
    /// The version that the project had there.
    version: u64,
});
payload!(/// A finished storyboard's shots became the project's.
StoryboardAdopted {
    /// The task that made it.
    task_id: TaskId,
    /// What was asked for.
    spec_hash: SpecHash,
    /// The project's title from now on.
    title: String,
    /// BCP 47 language of the story.
    language: String,
    /// The shots, in order.
    shots: Vec<AdoptedShot>,
});
payload!(/// One shot of an adopted storyboard.
AdoptedShot {
    /// Its id from now on.
    id: ShotId,
    /// A few words.
    title: String,
    /// What the picture shows.
    prompt: String,
    /// What is said.
    narration: String,
    /// Its feeling.
    mood: Mood,
});
payload!(/// A shot's prompt was revised.
ShotPromptRevised {
    /// Which shot.
    shot_id: ShotId,
    /// The prompt from now on.
    prompt: String,
    /// The negative prompt from now on.
    negative_prompt: String,
});
payload!(/// A shot's narration was revised.
ShotNarrationRevised {
    /// Which shot.
    shot_id: ShotId,
    /// The narration from now on.
    narration: String,
});
payload!(/// A shot's details were revised.
ShotDetailsRevised {
    /// Which shot.
    shot_id: ShotId,
    /// The title from now on.
    title: String,
    /// The mood from now on.
    mood: Mood,
    /// The transition from now on; the project's when absent.
    transition: Option<Transition>,
    /// The minimum length in seconds from now on.
    duration_seconds: Option<f64>,
});
payload!(/// A shot was locked.
ShotLocked {
    /// Which shot.
    shot_id: ShotId,
});
payload!(/// A shot was unlocked.
ShotUnlocked {
    /// Which shot.
    shot_id: ShotId,
});
payload!(/// A shot was added by hand.
ShotAdded {
    /// Its id from now on.
    shot_id: ShotId,
    /// Its place, from 0.
    place: u32,
    /// A few words.
    title: String,
    /// What the picture shows.
    prompt: String,
    /// What it must not show.
    negative_prompt: String,
    /// What is said.
    narration: String,
    /// Its feeling.
    mood: Mood,
    /// How it goes over to the next one; the project's way when absent.
    transition: Option<Transition>,
    /// Minimum length in seconds.
    duration_seconds: Option<f64>,
});
payload!(/// A shot was taken out.
ShotRemoved {
    /// Which shot.
    shot_id: ShotId,
});
payload!(/// The shots were put into another order.
ShotsReordered {
    /// All of them, in the order from now on.
    shots: Vec<ShotId>,
});
payload!(/// Somebody chose a take for a shot.
TakeSelected {
    /// The shot.
    shot_id: ShotId,
    /// The take's kind.
    kind: Kind,
    /// The take.
    take_id: TakeId,
    /// The stored media.
    asset: Asset,
    /// What today's content asks for: the chosen take answers that, whatever it was made for.
    spec_hash: SpecHash,
    /// How it was asked for.
    parameters: Parameters,
    /// What made it.
    made_with: MadeWith,
});
payload!(/// Somebody's own picture became a shot's.
TakeUploaded {
    /// The shot.
    shot_id: ShotId,
    /// The take's kind.
    kind: Kind,
    /// The take.
    take_id: TakeId,
    /// The stored media.
    asset: Asset,
    /// What today's content asks for; the upload answers that.
    spec_hash: SpecHash,
});
payload!(/// Takes that no shot used lost their media. An event that names one of them later brings it back.
TakesExpired {
    /// Which takes.
    takes: Vec<TakeId>,
});
payload!(/// Work was put together to be followed as one task, which ends with its children.
BatchPlanned {
    /// The batch, as a task.
    task_id: TaskId,
    /// The kind that is the first of its children's.
    kind: Kind,
    /// The tasks that it consists of.
    children: Vec<TaskId>,
});
payload!(/// A task was created that waits for others.
TaskPlanned {
    /// The task.
    task_id: TaskId,
    /// Its kind.
    kind: Kind,
    /// Its shot, once there is one.
    shot_id: Option<ShotId>,
    /// Its place in a storyboard that does not exist yet, from 0.
    slot: Option<u32>,
    /// What it waits for.
    depends_on: Vec<TaskId>,
    /// How to make it.
    parameters: Parameters,
    /// The attempt that will run next, from 1.
    attempt: u32,
    /// Attempts allowed.
    max_attempts: u32,
});
payload!(/// A task became ready to run.
TaskQueued {
    /// The task.
    task_id: TaskId,
    /// Its kind.
    kind: Kind,
    /// Its shot, if it is of one.
    shot_id: Option<ShotId>,
    /// What is asked for.
    spec_hash: SpecHash,
    /// How to make it.
    parameters: Parameters,
    /// The attempt that will run next, from 1.
    attempt: u32,
    /// Attempts allowed.
    max_attempts: u32,
});
payload!(/// A worker was given a task.
TaskStarted {
    /// The task.
    task_id: TaskId,
    /// Which attempt, from 1.
    attempt: u32,
    /// The fencing token of this run.
    claim: ClaimId,
    /// The worker's name.
    worker: String,
});
payload!(/// An attempt failed and another one follows.
TaskRetryScheduled {
    /// The task.
    task_id: TaskId,
    /// The attempt that will run next.
    attempt: u32,
    /// When, at the earliest.
    due: DateTime<Utc>,
    /// Why the last one failed.
    failure: Failure,
});
payload!(/// A task was given back for a while.
TaskDeferred {
    /// The task.
    task_id: TaskId,
    /// When to try again, at the earliest.
    due: DateTime<Utc>,
    /// Why.
    reason: String,
});
payload!(/// A task succeeded.
TaskFinished {
    /// The task.
    task_id: TaskId,
    /// The attempt that succeeded.
    attempt: u32,
    /// What was asked for.
    spec_hash: SpecHash,
    /// The take it made; absent for storyboards and films.
    take: Option<TakeMade>,
    /// What made it.
    made_with: MadeWith,
});
payload!(/// A picture, clip or voice that a task made.
TakeMade {
    /// The take.
    take_id: TakeId,
    /// The shot it is of.
    shot_id: ShotId,
    /// The stored media.
    asset: Asset,
    /// Whether it became the shot's own. Not so when somebody chose another meanwhile.
    selected: bool,
});
payload!(/// A task failed for good.
TaskFailed {
    /// The task.
    task_id: TaskId,
    /// The attempt that failed.
    attempt: u32,
    /// Why.
    failure: Failure,
});
payload!(/// A task was stopped.
TaskCancelled {
    /// The task.
    task_id: TaskId,
    /// Why.
    reason: CancelReason,
});
payload!(/// A film became the project's newest.
FilmRendered {
    /// The task that made it.
    task_id: TaskId,
    /// Counts the project's films, from 1.
    film_version: u32,
    /// What was asked for.
    spec_hash: SpecHash,
    /// How it was asked for.
    parameters: Parameters,
    /// What came out.
    film: Box<FilmOutput>,
    /// Shots that had nothing of their own to show.
    incomplete: Vec<ShotId>,
});

/// Why a task was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Somebody asked for it.
    Requested,
    /// What it waited for failed or was cancelled.
    DependencyFailed,
    /// The content it was made for changed.
    Superseded,
    /// The storyboard has fewer shots than were asked for.
    Surplus,
    /// The project went to the trash.
    ProjectDeleted,
    /// It was open when the project was brought here from elsewhere.
    Imported,
    /// Its shot was taken out.
    ShotRemoved,
}
