//! What an event names: the project that it starts, the task that it is about, and the media that it needs.

use super::event::Event;
use crate::asset::Asset;
use crate::ids::{ProjectId, TakeId, TaskId};

impl Event {
    /// The task that it is about.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::BatchPlanned(event) => Some(event.task_id),
            Self::TaskPlanned(event) => Some(event.task_id),
            Self::TaskQueued(event) => Some(event.task_id),
            Self::TaskStarted(event) => Some(event.task_id),
            Self::TaskRetryScheduled(event) => Some(event.task_id),
            Self::TaskDeferred(event) => Some(event.task_id),
            Self::TaskFinished(event) => Some(event.task_id),
            Self::TaskFailed(event) => Some(event.task_id),
            Self::TaskCancelled(event) => Some(event.task_id),
            Self::StoryboardAdopted(event) => Some(event.task_id),
            Self::FilmRendered(event) => Some(event.task_id),
            _ => None,
        }
    }

    /// The project that it starts, if it starts one.
    pub fn started(&self) -> Option<ProjectId> {
        match self {
            Self::ProjectCreated(event) => Some(event.id),
            Self::ProjectForked(event) => Some(event.id),
            _ => None,
        }
    }

    /// The stored media that it names.
    pub fn assets(&self) -> Vec<&Asset> {
        self.media().into_iter().map(|(_, asset)| asset).collect()
    }

    /// The stored media that it names, with the take that each is of; films and music are of none. Without a
    /// wildcard: whoever adds an event says what it needs.
    pub fn media(&self) -> Vec<(Option<TakeId>, &Asset)> {
        match self {
            Self::TaskFinished(event) => {
                event.take.iter().map(|take| (Some(take.take_id), &take.asset)).collect()
            }
            Self::FilmRendered(event) => {
                let film = &event.film;
                [&film.film, &film.srt, &film.vtt, &film.poster].map(|asset| (None, asset)).to_vec()
            }
            Self::ProjectRestored(event) => event.content.media().collect(),
            Self::ProjectForked(event) => event.content.media().collect(),
            Self::MusicUploaded(event) => vec![(None, &event.asset)],
            Self::TakeSelected(event) => vec![(Some(event.take_id), &event.asset)],
            Self::TakeUploaded(event) => vec![(Some(event.take_id), &event.asset)],
            Self::ProjectCreated(_)
            | Self::ProjectRenamed(_)
            | Self::StyleRevised(_)
            | Self::SettingsRevised(_)
            | Self::StoryRevised(_)
            | Self::ProjectDeleted(_)
            | Self::ProjectAssigned(_)
            | Self::ErrandTaken(_)
            | Self::ScenesNamed(_)
            | Self::ProjectImported(_)
            | Self::StoryboardAdopted(_)
            | Self::ShotPromptRevised(_)
            | Self::ShotNarrationRevised(_)
            | Self::ShotDetailsRevised(_)
            | Self::ShotLocked(_)
            | Self::ShotUnlocked(_)
            | Self::ProjectUndeleted(_)
            | Self::ProjectPurged(_)
            | Self::ShotCountRevised(_)
            | Self::MusicRemoved(_)
            | Self::ShotAdded(_)
            | Self::ShotRemoved(_)
            | Self::ShotsReordered(_)
            | Self::TakesExpired(_)
            | Self::BatchPlanned(_)
            | Self::TaskPlanned(_)
            | Self::TaskQueued(_)
            | Self::TaskStarted(_)
            | Self::TaskRetryScheduled(_)
            | Self::TaskDeferred(_)
            | Self::TaskFailed(_)
            | Self::TaskCancelled(_) => Vec::new(),
        }
    }
}
