//! Who asks, and what that allows.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use domain::ids::ProjectId;
use infra::postgres::views::projects::Owners;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::signing::seconds;
use crate::problem::Problem;

/// What somebody may do; each allows what the ones before it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Role {
    /// Look at one's own projects.
    #[default]
    Viewer,
    /// Start and change them.
    Editor,
    /// Everything, with everybody's projects.
    Admin,
}

impl Role {
    /// The word in tokens, tables and settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let roles = [Self::Viewer, Self::Editor, Self::Admin];
        roles.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

/// A word that is no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be viewer, editor or admin")]
pub struct UnknownRole;

/// Longest name of a caller, in bytes.
const SUBJECT_LIMIT: usize = 255;

/// Whether a name can be told in logs, headers and events as it is.
pub fn is_sane_subject(subject: &str) -> bool {
    !subject.trim().is_empty() && subject.len() <= SUBJECT_LIMIT && !subject.chars().any(char::is_control)
}

/// For how long somebody's credentials are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Grounds {
    /// The API key that they come from, which may be revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Uuid>,
    /// When they end, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u64>,
}

impl Grounds {
    /// Whether their time is over.
    pub(crate) fn is_over(self, now: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| until <= seconds(now))
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The name in the credentials; `None` while nobody is asked for any.
    subject: Option<Arc<str>>,
    role: Role,
    /// The only project that may be looked at, with a ticket.
    only: Option<ProjectId>,
    /// Whether a browser sent the credentials by itself.
    by_cookie: bool,
    grounds: Grounds,
}

impl Identity {
    /// Anybody, while authentication is off.
    pub(crate) fn anybody() -> Self {
        Self { subject: None, role: Role::Admin, only: None, by_cookie: false, grounds: Grounds::default() }
    }

    pub(crate) fn new(subject: &str, role: Role) -> Self {
        let grounds = Grounds::default();
        Self { subject: Some(subject.into()), role, only: None, by_cookie: false, grounds }
    }

    /// As the guard found it.
    pub(crate) fn of(parts: &Parts) -> Result<Self, Problem> {
        let identity = parts.extensions.get::<Self>().cloned();
        identity.ok_or_else(|| Problem::internal("the request was not let in by the guard"))
    }

    /// With a ticket for one project.
    pub(crate) fn with_ticket(subject: &str, project: ProjectId) -> Self {
        Self { only: Some(project), ..Self::new(subject, Role::Viewer) }
    }

    /// By credentials that are good for so long.
    pub(crate) fn on(self, grounds: Grounds) -> Self {
        Self { grounds, ..self }
    }

    /// For how long the credentials are good.
    pub(crate) fn grounds(&self) -> Grounds {
        self.grounds
    }

    pub(crate) fn by_cookie(self) -> Self {
        Self { by_cookie: true, ..self }
    }

    pub(crate) fn is_by_cookie(&self) -> bool {
        self.by_cookie
    }

    pub(crate) fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// The only project that the credentials are for, if they are for one.
    pub(crate) fn only(&self) -> Option<ProjectId> {
        self.only
    }

    /// Whose projects may be seen.
    pub(crate) fn owners(&self) -> Owners {
        match &self.subject {
            Some(subject) if self.role < Role::Admin => Owners::Only(subject.to_string()),
            _ => Owners::All,
        }
    }

    /// Whether a project of this owner may be seen.
    pub(crate) fn may_see(&self, project: ProjectId, owner: Option<&str>) -> bool {
        match self.only {
            Some(only) => only == project,
            None => match self.owners() {
                Owners::All => true,
                Owners::Only(own) => owner == Some(own.as_str()),
            },
        }
    }

    /// As events name who acted.
    pub(crate) fn actor(&self) -> String {
        format!("user:{}", self.subject().unwrap_or("local"))
    }

    /// Whom a project that is started now belongs to.
    pub(crate) fn owner(&self) -> Option<String> {
        self.subject().map(str::to_owned)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: ProjectId = ProjectId(Uuid::from_u128(1));
    const OTHER: ProjectId = ProjectId(Uuid::from_u128(2));

    #[test]
    fn an_owner_sees_only_what_is_the_owners_and_an_admin_everything() {
        let ada = Identity::new("ada", Role::Editor);
        assert!(ada.may_see(PROJECT, Some("ada")));
        assert!(!ada.may_see(PROJECT, Some("bob")));
        assert!(!ada.may_see(PROJECT, None));
        assert!(Identity::new("root", Role::Admin).may_see(PROJECT, Some("ada")));
        assert!(Identity::anybody().may_see(PROJECT, Some("ada")));
    }

    #[test]
    fn a_ticket_opens_one_project_whoever_owns_it() {
        let ticket = Identity::with_ticket("root", PROJECT);
        assert!(ticket.may_see(PROJECT, Some("ada")));
        assert!(!ticket.may_see(OTHER, Some("root")));
        assert_eq!(ticket.role(), Role::Viewer);
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in [Role::Viewer, Role::Editor, Role::Admin] {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("Admin".parse::<Role>().is_err() && "".parse::<Role>().is_err());
        assert!(Role::Viewer < Role::Editor && Role::Editor < Role::Admin);
    }

    #[test]
    fn names_that_could_forge_a_line_of_the_log_are_no_names() {
        assert!(is_sane_subject("ada@films.example"));
        for subject in ["", "  ", "a\r\nuser:root", "a\u{0}", &"x".repeat(256)] {
            assert!(!is_sane_subject(subject), "{subject:?}");
        }
    }
}
