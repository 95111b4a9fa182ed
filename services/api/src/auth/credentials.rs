//! What a caller shows, and how it is refused.

use axum::http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{HeaderName, Method, StatusCode};

use super::keys::PREFIX;
use crate::problem::Problem;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The cookie of a session, over a connection that can be read on its way (loopback).
const COOKIE_NAME: &str = "storytovideo_session";
/// The same over one that cannot: browsers take a cookie of this name from this host's pages only
/// (RFC 6265bis, 4.1.3.2).
const SECURE_COOKIE_NAME: &str = "__Host-storytovideo_session";

/// An API key that stood first in the path; put beside the request by whoever cut it off.
#[derive(Debug, Clone)]
pub(crate) struct PathKey(pub(crate) String);

/// A ticket that stood in the query, likewise.
#[derive(Debug, Clone)]
pub(crate) struct QueryTicket(pub(crate) String);

/// What a caller shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// `Authorization: Bearer stv_…`, `X-API-Key: stv_…`, or `/k/stv_…/`.
    ApiKey(String),
    /// `Authorization: Bearer …`.
    Token(String),
    /// `?ticket=…`.
    Ticket(String),
    /// What a browser sends by itself.
    Cookie(String),
    /// Nothing.
    None,
}

/// 401: nothing was shown.
pub(crate) fn none_shown() -> Problem {
    let detail = "say who you are: Authorization: Bearer with a token or an API key";
    unauthorized("credentials_missing", detail, "Bearer")
}

/// 401: what was shown opens nothing.
pub(super) fn bad(detail: impl Into<String>) -> Problem {
    unauthorized("credentials_invalid", detail, "Bearer error=\"invalid_token\"")
}

fn unauthorized(code: &'static str, detail: impl Into<String>, challenge: &'static str) -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, code, detail);
    problem.with_header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

/// The first thing shown, in this order: header, path, query, cookie. One that is bad is not made good by
/// another.
pub(super) fn shown(
    method: &Method,
    headers: &HeaderMap,
    path_key: Option<&PathKey>,
    ticket: Option<&QueryTicket>,
    secure: bool,
) -> Result<Credential, Problem> {
    if headers.contains_key(AUTHORIZATION) {
        return bearer(headers);
    }
    if let Some(key) = headers.get(X_API_KEY) {
        let key = key.to_str().map_err(|_| bad("the API key is not text"))?;
        return Ok(Credential::ApiKey(key.to_owned()));
    }
    if let Some(PathKey(key)) = path_key {
        return Ok(Credential::ApiKey(key.clone()));
    }
    if let Some(QueryTicket(ticket)) = ticket {
        let looks = *method == Method::GET || *method == Method::HEAD;
        let refused = || bad("a ticket is for looking only");
        return if looks { Ok(Credential::Ticket(ticket.clone())) } else { Err(refused()) };
    }
    Ok(cookie(headers, secure).map_or(Credential::None, Credential::Cookie))
}

fn bearer(headers: &HeaderMap) -> Result<Credential, Problem> {
    let unclear = || bad("Authorization must be, once, Bearer and a token or an API key");
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(unclear()) };
    let text = value.to_str().map_err(|_| unclear())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(unclear)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(unclear());
    }
    let token = token.to_owned();
    Ok(if token.starts_with(PREFIX) { Credential::ApiKey(token) } else { Credential::Token(token) })
}

/// The name of the cookie of a session over such a connection. Any page of our host, also one that was read and
/// changed on its way, can set a cookie of the plain name, so over a secure connection that one says nothing.
pub(super) fn cookie_name(secure: bool) -> &'static str {
    if secure { SECURE_COOKIE_NAME } else { COOKIE_NAME }
}

fn cookie(headers: &HeaderMap, secure: bool) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(name, _)| *name == cookie_name(secure));
    ours.next().map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(headers: &[(&str, &str)], ticket: Option<&str>) -> Result<Credential, u16> {
        show_over(false, headers, ticket)
    }

    fn show_over(secure: bool, headers: &[(&str, &str)], ticket: Option<&str>) -> Result<Credential, u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let ticket = ticket.map(|ticket| QueryTicket(ticket.to_owned()));
        shown(&Method::GET, &map, None, ticket.as_ref(), secure).map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn a_bearer_is_an_api_key_or_a_token() {
        let bearer = |text| show(&[("authorization", text)], None);
        assert_eq!(bearer("Bearer a.b.c"), Ok(Credential::Token("a.b.c".to_owned())));
        assert_eq!(bearer("bearer stv_x_y"), Ok(Credential::ApiKey("stv_x_y".to_owned())));
        for text in ["", "Bearer", "Bearer ", "Basic YTpi", "a.b.c"] {
            assert_eq!(bearer(text), Err(401), "{text:?}");
        }
        assert_eq!(show(&[("authorization", "Bearer a"), ("authorization", "Bearer b")], None), Err(401));
    }

    #[test]
    fn what_is_bad_is_not_made_good_by_something_else() {
        let cookie = ("cookie", "a=b; storytovideo_session=token");
        assert_eq!(show(&[cookie], None), Ok(Credential::Cookie("token".to_owned())));
        assert_eq!(show(&[cookie, ("authorization", "Basic x")], None), Err(401));
        assert_eq!(show(&[cookie], Some("t")), Ok(Credential::Ticket("t".to_owned())));
        assert_eq!(show(&[("cookie", "other=token")], None), Ok(Credential::None));
    }

    #[test]
    fn a_cookie_counts_by_the_name_that_belongs_to_its_connection() {
        let both = ("cookie", "storytovideo_session=plain; __Host-storytovideo_session=safe");
        let shown = |secure, header| show_over(secure, &[header], None);
        assert_eq!(shown(true, both), Ok(Credential::Cookie("safe".to_owned())));
        assert_eq!(shown(false, both), Ok(Credential::Cookie("plain".to_owned())));
        assert_eq!(shown(true, ("cookie", "storytovideo_session=plain")), Ok(Credential::None));
        assert_eq!(shown(false, ("cookie", "__Host-storytovideo_session=safe")), Ok(Credential::None));
    }

    #[test]
    fn a_ticket_is_for_looking_only() {
        let ticket = QueryTicket("t".to_owned());
        let shown = shown(&Method::POST, &HeaderMap::new(), None, Some(&ticket), false);
        assert_eq!(shown.unwrap_err().status, StatusCode::UNAUTHORIZED);
    }
}
