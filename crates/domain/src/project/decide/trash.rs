//! Into the trash, out of it, and given up for good.

use chrono::{DateTime, TimeDelta, Utc};

use super::Decision;
use crate::project::command::Command;
use crate::project::error::ProjectError;
use crate::project::event::{
    CancelReason, Event, ProjectDeleted, ProjectPurged, ProjectUndeleted, TaskCancelled,
};
use crate::project::limits;
use crate::project::state::{Lifecycle, Project};

impl Project {
    /// Work is cancelled, the history kept.
    pub(super) fn delete_project(&self, at: DateTime<Utc>) -> Vec<Event> {
        let open = self.open_tasks();
        let cancelled =
            open.map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::ProjectDeleted }.into());
        cancelled.chain([ProjectDeleted { at: Some(at) }.into()]).collect()
    }

    /// What can still be done with a project in the trash.
    pub(super) fn trashed(&self, command: &Command, at: DateTime<Utc>) -> Decision {
        let ends = self.deleted_at.map(|deleted| deleted + TimeDelta::days(limits::TRASH_DAYS));
        let is_over = ends.is_some_and(|ends| ends < at);
        let is_purged = self.lifecycle == Lifecycle::Purged;
        match command {
            Command::ExpireErrand { .. } => Ok(Vec::new()),
            Command::PurgeProject { .. } if is_purged => Ok(Vec::new()),
            _ if is_purged => Err(ProjectError::Purged),
            Command::DeleteProject => Ok(Vec::new()),
            Command::PurgeProject { early } if *early || is_over => Ok(vec![ProjectPurged {}.into()]),
            Command::PurgeProject { .. } => Err(ProjectError::NotPurgeable),
            Command::UndeleteProject if is_over => Err(ProjectError::TrashExpired),
            Command::UndeleteProject => Ok(vec![ProjectUndeleted {}.into()]),
            _ => Err(ProjectError::Deleted),
        }
    }
}
