//! Lets a request in, or says why not: who asks, whether that may be done, whether it is about something of
//! the caller's own, and whether it is not too much.

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::http::header::{HeaderMap, ORIGIN, RETRY_AFTER, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use chrono::{DateTime, Utc};
use domain::ids::TaskId;

use super::credentials::{self, PathKey, QueryTicket};
use super::identity::{Identity, Role};
use super::network::Client;
use super::ownership::Asked;
use super::policy::{Need, begins_session, need};
use super::rates::{Class, Key, Verdict};
use super::{Auth, Signing};
use crate::App;
use crate::audit::name_of;
use crate::crowd::household;
use crate::extract::Base;
use crate::problem::Problem;

/// Answers however we are called, as whoever looks after this machine may know no name of ours.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Lets a request in, and puts beside it the [`Identity`] of its caller, the [`Base`] of our addresses and,
/// while authentication is on, the [`Verdict`] on how much is left for the caller.
pub(crate) async fn admit(app: &App, request: &mut Request, client: Client) -> Result<(), Problem> {
    let (mut parts, body) = std::mem::take(request).into_parts();
    let admitted = examine(app, &mut parts, client).await;
    *request = Request::from_parts(parts, body);
    admitted
}

async fn examine(app: &App, parts: &mut Parts, client: Client) -> Result<(), Problem> {
    let route = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
    if begins_session(&parts.method, route.as_deref()) {
        app.auth.count_session(client)?;
    }
    let need = need(&parts.method, route.as_deref());
    let ticket = take_ticket(parts);
    let signing = match app.auth.is_on().await {
        Ok(true) => Some(app.auth.signing().await?),
        Ok(false) => None,
        // What needs nothing answers also when nothing can be known.
        Err(_) if need == Need::Nothing => None,
        Err(error) => return Err(error.into()),
    };
    let open = need == Need::Nothing || (need == Need::Signature && is_signed(app, parts, signing));
    let identity = match signing {
        Some(_) if !open => Some(identify(app, parts, client, ticket.as_ref()).await?),
        _ => None,
    };
    parts.extensions.insert(identity.clone().unwrap_or_else(Identity::anybody));
    if !route.is_some_and(|route| PROBES.contains(&route.as_str())) {
        let authority = app.api.access.check(&parts.uri, &parts.headers)?;
        let signing = signing.map(|signing| (signing.clone(), app.api.clock.clone()));
        parts.extensions.insert(Base::new(app.api.access.origin(&authority, client), signing));
    }
    match identity {
        Some(identity) => examine_known(app, parts, &identity, need).await,
        None => Ok(()),
    }
}

async fn examine_known(app: &App, parts: &mut Parts, identity: &Identity, need: Need) -> Result<(), Problem> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await.ok();
    let asked = match &parameters {
        Some(parameters) => Asked::of(&parameters.iter().collect::<Vec<_>>()),
        // A path without a route.
        None => Ok(None),
    };
    let polled = match asked {
        Ok(Some(Asked::Task(task))) if is_look(&parts.method) => Some(task),
        _ => None,
    };
    // A task has a window of its own once it is known to be there: ids can be made up without end.
    let known = polled.filter(|task| app.auth.ownership.is_known_to(identity, Asked::Task(*task)));
    let verdict = app.auth.count(identity, &parts.method, known, app.now());
    parts.extensions.insert(verdict);
    if !verdict.allowed {
        return Err(too_many(verdict));
    }
    check_origin_of_cookie(identity, parts)?;
    check_role(identity, need)?;
    if identity.role() < Role::Admin {
        check_ownership(app, identity, asked?, need).await?;
    } else if let (Some(task), None) = (polled, known) {
        app.auth.ownership.learn(Asked::Task(task)).await?;
    }
    Ok(())
}

/// A ticket is for us, not for the handler, and must show nowhere else.
fn take_ticket(parts: &mut Parts) -> Option<QueryTicket> {
    let query = parts.uri.query()?;
    let is_ticket = |pair: &&str| pair.starts_with("ticket=");
    let ticket = query.split('&').find(is_ticket)?["ticket=".len()..].to_owned();
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_ticket(pair)).collect();
    let path = parts.uri.path();
    let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    if let Ok(uri) = target.parse() {
        parts.uri = uri;
    }
    Some(QueryTicket(ticket))
}

fn is_signed(app: &App, parts: &Parts, signing: Option<&Signing>) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    signing.is_some_and(|signing| signing.is_signed(parts.uri.path(), query, app.now()))
}

async fn identify(
    app: &App,
    parts: &mut Parts,
    client: Client,
    ticket: Option<&QueryTicket>,
) -> Result<Identity, Problem> {
    let path_key = parts.extensions.remove::<PathKey>();
    let shown = credentials::shown(&parts.method, &parts.headers, path_key.as_ref(), ticket, client.secure);
    let identified = match shown {
        Ok(credential) => app.auth.identify(&credential, client).await,
        Err(problem) => Err(problem),
    };
    identified.map_err(|problem| app.auth.refusal(problem, client, app.now()))
}

/// A browser sends cookies whoever asks it to. `SameSite=Strict` keeps them from other sites; that a page of
/// another origin of the same site asks is told by `Origin`, which must be there (and is checked with every
/// request) where something may change or a socket is opened.
fn check_origin_of_cookie(identity: &Identity, parts: &Parts) -> Result<(), Problem> {
    let plain = is_look(&parts.method) && !parts.headers.contains_key(UPGRADE);
    if !identity.is_by_cookie() || plain || parts.headers.contains_key(ORIGIN) {
        return Ok(());
    }
    let detail = "with a cookie, a request that changes something must name its Origin";
    Err(Problem::new(StatusCode::FORBIDDEN, "origin_required", detail))
}

fn check_role(identity: &Identity, need: Need) -> Result<(), Problem> {
    let needed = match need {
        Need::Role(role) => role,
        Need::Nothing | Need::Signature => Role::Viewer,
    };
    if identity.role() >= needed {
        return Ok(());
    }
    let detail = format!("this needs the role {needed}; yours is {}", identity.role());
    Err(Problem::new(StatusCode::FORBIDDEN, "role_insufficient", detail))
}

async fn check_ownership(
    app: &App,
    identity: &Identity,
    asked: Option<Asked>,
    need: Need,
) -> Result<(), Problem> {
    match asked {
        Some(asked) if app.auth.ownership.may_see(identity, asked).await? => Ok(()),
        Some(asked) => Err(asked.not_found().hiding()),
        // Media is named by its content, which nobody can guess.
        None if identity.only().is_none() || need == Need::Signature => Ok(()),
        None => {
            let detail = "a ticket opens its project and media only";
            Err(Problem::new(StatusCode::FORBIDDEN, "ticket_scope", detail))
        }
    }
}

fn is_look(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

impl Auth {
    /// One more request of this caller; `polled` is a task that it looks at and may see.
    fn count(
        &self,
        identity: &Identity,
        method: &Method,
        polled: Option<TaskId>,
        at: DateTime<Utc>,
    ) -> Verdict {
        let caller = identity.subject().unwrap_or_default().into();
        let class = match polled {
            Some(_) => Class::Poll,
            None if is_look(method) => Class::Read,
            None => Class::Write,
        };
        self.windows.count(Key { class, caller, task: polled }, at)
    }

    /// One more attempt from this address to begin a session, before any of its body is read.
    fn count_session(&self, client: Client) -> Result<(), Problem> {
        let verdict = self.windows.count(of_strangers(Class::Session, client), self.clock.now());
        if verdict.allowed { Ok(()) } else { Err(too_many(verdict)) }
    }

    /// Refuses to look anything up for an address that was refused too often.
    pub(super) fn check_refusals(&self, client: Client) -> Result<(), Problem> {
        let verdict = self.windows.look(&of_strangers(Class::Refusal, client), self.clock.now());
        if verdict.allowed { Ok(()) } else { Err(too_many(verdict)) }
    }

    /// A refusal of credentials, unless the address was given too many of them.
    pub(crate) fn refusal(&self, problem: Problem, client: Client, at: DateTime<Utc>) -> Problem {
        if problem.status != StatusCode::UNAUTHORIZED {
            return problem;
        }
        let verdict = self.windows.count(of_strangers(Class::Refusal, client), at);
        if verdict.allowed { problem } else { too_many(verdict) }
    }
}

/// The window of those who are known by their address alone.
fn of_strangers(class: Class, client: Client) -> Key {
    Key { class, caller: name_of(client.address.map(household)).into(), task: None }
}

fn too_many(verdict: Verdict) -> Problem {
    let detail = format!("at most {} such requests a minute; wait {} s", verdict.limit, verdict.reset);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
        .with_header(RETRY_AFTER, HeaderValue::from(verdict.reset))
}

/// The headers that tell a caller what is left (draft-ietf-httpapi-ratelimit-headers-07).
pub(crate) fn tell_rates(verdict: Verdict, headers: &mut HeaderMap) {
    headers.insert("ratelimit-limit", HeaderValue::from(verdict.limit));
    headers.insert("ratelimit-remaining", HeaderValue::from(verdict.remaining));
    headers.insert("ratelimit-reset", HeaderValue::from(verdict.reset));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_many_addresses_of_one_network_has_one_window() {
        let of = |address: &str| {
            of_strangers(Class::Refusal, Client { address: Some(address.parse().unwrap()), secure: false })
        };
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
