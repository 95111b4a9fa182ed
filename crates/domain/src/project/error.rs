//! Broken rules, in the domain's words.

use crate::job::Kind;

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProjectError {
    /// There is no such project.
    #[error("there is no such project")]
    NotFound,
    /// The project is in the trash.
    #[error("the project is in the trash")]
    Deleted,
    /// A project with this id exists.
    #[error("a project with this id exists already")]
    AlreadyExists,
    /// The project has no such shot.
    #[error("the project has no such shot")]
    ShotNotFound,
    /// The shot is locked.
    #[error("the shot is locked; unlock it first")]
    ShotLocked,
    /// It is too late to take the project out of the trash.
    #[error("the project was in the trash for more than 30 days and is given up")]
    TrashExpired,
    /// Only what is in the trash is given up, and by itself only after 30 days.
    #[error("only a project in the trash is given up for good; delete it first")]
    NotPurgeable,
    /// The project is given up for good.
    #[error("the project is given up for good")]
    Purged,
    /// The project has as many shots as it may have.
    #[error("the project has 200 shots, which is the most it can have")]
    TooManyShots,
    /// Nothing is to be made, or failed.
    #[error("there is nothing to do: nothing that is asked for is missing, stale or failed")]
    NothingToDo,
    /// There are no shots and none are coming.
    #[error("the project has no shots to make a film of")]
    NoShots,
    /// A clip needs a picture.
    #[error("the shot has no picture to move yet")]
    NoPictureYet,
    /// The shot has no narration.
    #[error("the shot has no narration to speak")]
    NothingToSay,
    /// Storyboards and films are not made per shot.
    #[error("a {0} is not made for one shot")]
    NotAShotKind(Kind),
    /// The task is not open.
    #[error("the task has ended, or the project has no such task")]
    TaskNotOpen,
    /// The task cannot be retried.
    #[error("only the newest failed or cancelled task of its kind can be retried")]
    TaskNotRetryable,
    /// What the task waits for failed.
    #[error("what this task waits for failed or was cancelled; retry that instead")]
    DependencyFailed,
    /// A newer attempt of the task is due.
    #[error("the job belongs to an attempt that has ended")]
    AttemptSuperseded,
    /// A worker brought something else than was asked for.
    #[error("the result is not what a {0} task brings")]
    WrongOutput(Kind),
    /// The content changed after the version that the asker saw.
    #[error("this was changed at version {revised}, after the version {seen} that you saw")]
    ChangedSince {
        /// What the asker saw.
        seen: u64,
        /// When it changed.
        revised: u64,
    },
    /// The asker saw a version that the project never had.
    #[error("the project is at version {version}, and never had the version {seen} that you saw")]
    NeverAt {
        /// What the asker saw.
        seen: u64,
        /// Where the project is.
        version: u64,
    },
    /// A value is out of its range.
    #[error("{field}: {message}")]
    Invalid {
        /// Path of the field, for example `settings.fps`.
        field: &'static str,
        /// What it must be.
        message: String,
    },
}
