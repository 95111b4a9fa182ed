//! Back to an earlier version, another project from one, and a history from elsewhere. None queues any work.

use super::{Decision, unchanged_since};
use crate::ids::{NewIds, TakeId};
use crate::project::command::ForkProject;
use crate::project::content::Content;
use crate::project::event::{
    CancelReason, Event, ProjectForked, ProjectImported, ProjectRestored, TakesExpired, TaskCancelled,
};
use crate::project::state::Project;

impl Project {
    /// Open work was for the content of today, so it is cancelled. Nothing happens when the project is as it
    /// was then already.
    pub(super) fn restore_content(
        &self,
        version: u64,
        content: &Content,
        if_version: Option<u64>,
    ) -> Decision {
        unchanged_since(if_version, self.content_revised())?;
        let mut events = self.cancel_all(CancelReason::Superseded);
        if !events.is_empty() || self.content() != *content {
            events.push(ProjectRestored { version, content: content.clone() }.into());
        }
        Ok(events)
    }

    /// Nothing that was begun elsewhere runs here unasked, and takes without their media are no takes here.
    pub(super) fn complete_import(&self, missing: &[TakeId]) -> Vec<Event> {
        let mut events = self.cancel_all(CancelReason::Imported);
        if !missing.is_empty() {
            events.push(TakesExpired { takes: missing.to_vec() }.into());
        }
        events.push(ProjectImported { version: self.version }.into());
        events
    }

    pub(super) fn cancel_all(&self, reason: CancelReason) -> Vec<Event> {
        self.open_tasks().map(|(id, _)| TaskCancelled { task_id: id, reason }.into()).collect()
    }

    /// Version at which anything that a restore overwrites was last revised.
    fn content_revised(&self) -> u64 {
        self.shots.iter().map(|shot| shot.revised).fold(self.revised.max(self.arranged), u64::max)
    }
}

pub(super) fn fork(fork: &ForkProject, ids: &mut NewIds) -> Vec<Event> {
    let ForkProject { id, from, version, content } = fork;
    let content = content.clone().copy(ids);
    vec![ProjectForked { id: *id, from: *from, version: *version, content }.into()]
}
