//! Whether there is room for more: on the disk, and in what an owner may have. Only new work is refused; what
//! looks, cancels or frees is not.

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use domain::ids::ProjectId;
use domain::project::Asks;
use infra::postgres::access::{self, Usage};

use crate::App;
use crate::caller::Caller;
use crate::problem::Problem;

/// How much there may be; nothing is limited by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// Bytes that stay free where media are kept.
    pub free_bytes: u64,
    /// Projects of one owner, those in the trash aside.
    pub projects: Option<u64>,
    /// Open tasks of one owner's projects.
    pub open_tasks: Option<u64>,
    /// Bytes of media of one owner's projects.
    pub media_bytes: Option<u64>,
}

impl Room {
    fn has_quota(&self) -> bool {
        self.projects.is_some() || self.open_tasks.is_some() || self.media_bytes.is_some()
    }

    /// What the owner has enough of.
    fn exceeded(&self, asks: Asks, usage: &Usage) -> Option<&'static str> {
        let is_full = |limit: Option<u64>, used: i64| {
            limit.is_some_and(|limit| u64::try_from(used).unwrap_or(0) >= limit)
        };
        if asks == Asks::Project && is_full(self.projects, usage.projects) {
            return Some("projects; delete some first");
        }
        if is_full(self.open_tasks, usage.open_tasks) {
            return Some("open tasks; wait for some, or cancel them");
        }
        is_full(self.media_bytes, usage.media_bytes).then_some("media; purge projects that are not needed")
    }
}

impl App {
    /// Refuses what asks for more than there is room for. Requests at the same moment may together
    /// pass an owner's quota by what each of them asks for.
    pub(crate) async fn check_room(
        &self,
        caller: &Caller,
        project: ProjectId,
        asks: Asks,
    ) -> Result<(), Problem> {
        match (self.has_room(caller, project, asks).await, caller.keyed) {
            // What the same request asked for is there already.
            (Err(_), Some(command)) if self.api.store.first_receipt(command).await?.is_some() => Ok(()),
            (checked, _) => checked,
        }
    }

    async fn has_room(&self, caller: &Caller, project: ProjectId, asks: Asks) -> Result<(), Problem> {
        let room = self.api.access.room();
        if asks == Asks::Nothing {
            return Ok(());
        }
        self.check_disk().await?;
        if !room.has_quota() {
            return Ok(());
        }
        let owner = match asks {
            Asks::Project => caller.identity.owner(),
            Asks::Work | Asks::Nothing => self.api.store.load(project).await?.state.owner.clone(),
        };
        let Some(owner) = owner else { return Ok(()) };
        let usage = access::usage(&self.api.pool, &owner).await?;
        match room.exceeded(asks, &usage) {
            Some(what) => {
                let detail = format!("the owner of this project has as much as one may have of {what}");
                Err(Problem::new(StatusCode::FORBIDDEN, "quota_exceeded", detail))
            }
            None => Ok(()),
        }
    }
}

impl App {
    /// Refuses what would be stored while the disk is almost full.
    pub(crate) async fn check_disk(&self) -> Result<(), Problem> {
        let least = self.api.access.room().free_bytes;
        if least == 0 || self.api.media.free_bytes().await? >= least {
            return Ok(());
        }
        let detail =
            "the disk is almost full, so no new work is taken; whoever runs this server must make room";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "low_disk", detail);
        Err(problem.with_header(RETRY_AFTER, HeaderValue::from_static("60")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: Usage = Usage { projects: 3, open_tasks: 10, media_bytes: 1_000 };

    #[test]
    fn what_is_full_is_named_and_a_full_number_of_projects_stops_no_work() {
        let room =
            |projects, open_tasks, media_bytes| Room { free_bytes: 0, projects, open_tasks, media_bytes };
        assert_eq!(room(None, None, None).exceeded(Asks::Project, &USAGE), None);
        assert_eq!(room(Some(4), Some(11), Some(1_001)).exceeded(Asks::Project, &USAGE), None);
        assert!(room(Some(3), None, None).exceeded(Asks::Project, &USAGE).unwrap().starts_with("projects"));
        assert_eq!(room(Some(3), None, None).exceeded(Asks::Work, &USAGE), None);
        assert!(room(None, Some(10), None).exceeded(Asks::Work, &USAGE).unwrap().starts_with("open tasks"));
        assert!(room(None, None, Some(0)).exceeded(Asks::Work, &USAGE).unwrap().starts_with("media"));
    }
}
