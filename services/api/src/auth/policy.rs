//! What a request needs: decided from its method and route alone, for every route there is or will be.
//!
//! The rule: whoever asks must say who they are; looking needs a viewer, anything else an editor. The tables
//! below hold the exceptions. A path parameter tells which project a request is about; one that is not in
//! the tables is closed to all but admins.

use axum::http::Method;

use super::identity::Role;

/// What a request needs before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing; who asks is not even looked at.
    Nothing,
    /// A valid signature in the address, or a viewer.
    Signature,
    /// This role or a higher one.
    Role(Role),
}

/// Open to everybody: health, the studio's files, the exchange of a key for a token, and what carries a
/// signature of its own.
const OPEN: [(Option<Method>, &str); 12] = [
    (None, "/healthz"),
    (None, "/readyz"),
    (None, "/health"),
    (None, "/v1/api/health"),
    (None, "/"),
    (None, "/studio"),
    (None, "/studio/"),
    (None, "/studio/{*path}"),
    (Some(Method::POST), SESSION),
    (Some(Method::DELETE), SESSION),
    (Some(Method::POST), "/api/webhook/task_complete"),
    (Some(Method::PUT), crate::external::UPLOAD),
];
/// What a viewer may do although it is no GET.
const FOR_VIEWERS: [(Method, &str); 1] = [(Method::POST, "/v1/tickets")];
/// What is about everybody's work.
const FOR_ADMINS: [&str; 5] =
    ["/metrics", "/v1/workers", "/v1/queues", "/v1/dead-letters", "/v1/read-tables"];
const SESSION: &str = "/v1/session";
const MEDIA: &str = "/media/{kind}/{name}";

/// What a path parameter names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// A project.
    Project,
    /// A task of a project.
    Task,
    /// A shot of a project.
    Shot,
    /// Something within what another parameter names; alone it cannot be told whose it is.
    Within,
    /// Something whose owner its own handler knows.
    Owned,
    /// Nothing that belongs to anybody.
    Nobodys,
}

const NAMED: [(&str, Named); 13] = [
    ("project", Named::Project),
    ("story", Named::Project),
    ("task", Named::Task),
    ("job", Named::Task),
    ("shot", Named::Shot),
    ("webhook", Named::Owned),
    ("delivery", Named::Owned),
    ("kind", Named::Nobodys),
    ("name", Named::Nobodys),
    ("file", Named::Nobodys),
    ("path", Named::Nobodys),
    ("worker", Named::Nobodys),
    ("take", Named::Within),
];

/// What a request to this route needs; `None` is a route that does not exist.
pub(crate) fn need(method: &Method, route: Option<&str>) -> Need {
    let Some(route) = route else { return Need::Role(Role::Viewer) };
    let looks = *method == Method::GET || *method == Method::HEAD;
    let fits =
        |(of, path): &(Option<Method>, &str)| *path == route && of.as_ref().map_or(looks, |of| of == method);
    if OPEN.iter().any(fits) {
        return Need::Nothing;
    }
    if route == MEDIA && looks {
        return Need::Signature;
    }
    if is_for_admins(route) {
        return Need::Role(Role::Admin);
    }
    let viewer = looks || FOR_VIEWERS.iter().any(|(of, path)| of == method && *path == route);
    Need::Role(if viewer { Role::Viewer } else { Role::Editor })
}

/// Whether this exchanges a key for a token: strangers may ask for it, but not without end.
pub(crate) fn begins_session(method: &Method, route: Option<&str>) -> bool {
    *method == Method::POST && route == Some(SESSION)
}

/// What a path parameter names; `None` for one that nobody has thought about.
pub(crate) fn named(parameter: &str) -> Option<Named> {
    NAMED.iter().find(|(name, _)| *name == parameter).map(|(_, named)| *named)
}

fn is_for_admins(route: &str) -> bool {
    let is_within = |rest: &str| rest.is_empty() || rest.starts_with('/');
    FOR_ADMINS.iter().any(|prefix| route.strip_prefix(prefix).is_some_and(is_within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_nobody_thought_about_is_closed() {
        assert_eq!(need(&Method::GET, Some("/v1/anything")), Need::Role(Role::Viewer));
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            assert_eq!(need(&method, Some("/v1/anything")), Need::Role(Role::Editor), "{method}");
        }
        assert_eq!(need(&Method::GET, None), Need::Role(Role::Viewer));
        assert_eq!(named("anything"), None);
    }

    #[test]
    fn only_looking_at_what_is_open_is_open() {
        assert_eq!(need(&Method::GET, Some("/healthz")), Need::Nothing);
        assert_eq!(need(&Method::POST, Some("/healthz")), Need::Role(Role::Editor));
        assert_eq!(need(&Method::POST, Some("/v1/session")), Need::Nothing);
        assert_eq!(need(&Method::GET, Some("/v1/session")), Need::Role(Role::Viewer));
        assert_eq!(need(&Method::GET, Some(MEDIA)), Need::Signature);
        assert_eq!(need(&Method::PUT, Some(MEDIA)), Need::Role(Role::Editor));
        assert_eq!(need(&Method::PUT, Some(crate::external::UPLOAD)), Need::Nothing);
        assert_eq!(need(&Method::GET, Some(crate::external::UPLOAD)), Need::Role(Role::Viewer));
    }

    /// A new route with a parameter of which nobody said what it names would be closed to all but admins:
    /// say it in `NAMED`, so that whose it is can be checked, or put the route into `FOR_ADMINS`.
    #[test]
    fn every_route_says_whose_it_is() {
        let document = crate::router::routes().into_openapi();
        for route in document.paths.paths.keys() {
            let names = route.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let unknown: Vec<&str> = names.filter(|name| named(name).is_none()).collect();
            assert!(unknown.is_empty() || is_for_admins(route), "{route}: what is {unknown:?}?");
        }
    }

    #[test]
    fn what_is_about_everybodys_work_is_for_admins() {
        assert_eq!(need(&Method::GET, Some("/v1/workers")), Need::Role(Role::Admin));
        assert_eq!(need(&Method::POST, Some("/v1/queues/{kind}/pause")), Need::Role(Role::Admin));
        assert_eq!(need(&Method::GET, Some("/v1/workersandmore")), Need::Role(Role::Viewer));
    }
}
