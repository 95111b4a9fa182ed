//! Whether a request is about a project of the caller's own. The parameters of its path say which project
//! that is; whatever is not the caller's is as if it did not exist.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::{ProjectId, ShotId, TaskId};
use domain::project::ProjectError;
use infra::postgres::views::projects::Owners;
use infra::postgres::{PgPool, access};

use super::identity::Identity;
use super::policy::{Named, named};
use crate::problem::Problem;

/// Things whose owner is remembered. Once there is one it never changes.
const REMEMBERED: usize = 32_768;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    Project(ProjectId),
    Task(TaskId),
    Shot(ShotId),
}

impl Asked {
    /// What the parameters of a path name: a project, or else a task, or else a shot. `Err` for a path with
    /// a parameter of which nobody knows what it names.
    pub(super) fn of(parameters: &[(&str, &str)]) -> Result<Option<Self>, Problem> {
        if parameters.iter().any(|(name, _)| named(name).is_none()) {
            return Err(Problem::no_such_address());
        }
        let of = |wanted| parameters.iter().find(|(name, _)| named(name) == Some(wanted));
        if let Some((_, id)) = of(Named::Project) {
            return id_of(id, Self::Project).map(Some);
        }
        if let Some((_, id)) = of(Named::Task) {
            return id_of(id, Self::Task).map(Some);
        }
        if let Some((_, id)) = of(Named::Shot) {
            return id_of(id, Self::Shot).map(Some);
        }
        if of(Named::Within).is_some() { Err(Problem::no_such_address()) } else { Ok(None) }
    }

    /// There is no such thing, as its own handler would say.
    pub(super) fn not_found(self) -> Problem {
        match self {
            Self::Project(_) => ProjectError::NotFound.into(),
            Self::Task(_) => crate::read::no_such_task(),
            Self::Shot(_) => ProjectError::ShotNotFound.into(),
        }
    }
}

fn id_of<T: FromStr>(text: &str, asked: impl FnOnce(T) -> Asked) -> Result<Asked, Problem> {
    text.parse().map(asked).map_err(|_| Problem::no_such_address())
}

/// A project with whom it belongs to; with nobody, as far as is known yet.
type Owned = (ProjectId, Option<Arc<str>>);

/// Knows whom things belong to.
#[derive(Debug)]
pub(super) struct Ownership {
    pool: PgPool,
    remembered: Mutex<lru::LruCache<Asked, Owned>>,
}

impl Ownership {
    pub(super) fn new(pool: PgPool) -> Self {
        let size = NonZeroUsize::new(REMEMBERED).unwrap_or(NonZeroUsize::MIN);
        Self { pool, remembered: Mutex::new(lru::LruCache::new(size)) }
    }

    /// Whether the caller may know of this.
    pub(super) async fn may_see(&self, identity: &Identity, asked: Asked) -> Result<bool, Problem> {
        if identity.only().is_none() && identity.owners() == Owners::All {
            return Ok(true);
        }
        let owned = match self.recall(asked) {
            Some(owned @ (_, Some(_))) => Some(owned),
            _ => self.learn(asked).await?,
        };
        Ok(owned.is_some_and(|(project, owner)| identity.may_see(project, owner.as_deref())))
    }

    /// Whether it is known, without a look, that this is there and the caller may know of it.
    pub(super) fn is_known_to(&self, identity: &Identity, asked: Asked) -> bool {
        self.recall(asked).is_some_and(|(project, owner)| identity.may_see(project, owner.as_deref()))
    }

    fn recall(&self, asked: Asked) -> Option<Owned> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(&asked).cloned()
    }

    /// Looks up whom this belongs to, and remembers it if it is there.
    pub(super) async fn learn(&self, asked: Asked) -> Result<Option<Owned>, Problem> {
        let found = match asked {
            Asked::Project(id) => access::owner_of_project(&self.pool, id).await?,
            Asked::Task(id) => access::owner_of_task(&self.pool, id).await?,
            Asked::Shot(id) => access::owner_of_shot(&self.pool, id).await?,
        };
        let Some((project, owner)) = found else { return Ok(None) };
        let owned = (project, owner.map(Arc::from));
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).put(asked, owned.clone());
        Ok(Some(owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ID: &str = "01900000-0000-7000-8000-000000000001";

    fn asked(parameters: &[(&str, &str)]) -> Result<Option<Asked>, u16> {
        Asked::of(parameters).map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn the_project_in_a_path_decides_before_what_lies_within_it() {
        let id = Uuid::parse_str(ID).unwrap();
        assert_eq!(asked(&[("project", ID), ("shot", ID)]), Ok(Some(Asked::Project(ProjectId(id)))));
        assert_eq!(asked(&[("story", ID)]), Ok(Some(Asked::Project(ProjectId(id)))));
        assert_eq!(asked(&[("task", ID)]), Ok(Some(Asked::Task(TaskId(id)))));
        assert_eq!(asked(&[("shot", ID)]), Ok(Some(Asked::Shot(ShotId(id)))));
        assert_eq!(asked(&[("kind", "image")]), Ok(None));
        assert_eq!(asked(&[]), Ok(None));
    }

    #[test]
    fn what_cannot_be_told_is_not_there() {
        assert_eq!(asked(&[("project", "../etc/passwd")]), Err(404));
        assert_eq!(asked(&[("project", "")]), Err(404));
        assert_eq!(asked(&[("somebody", ID)]), Err(404));
        assert_eq!(asked(&[("project", ID), ("somebody", ID)]), Err(404));
        assert_eq!(asked(&[("take", ID)]), Err(404));
        assert!(asked(&[("project", ID), ("take", ID)]).is_ok());
    }
}
