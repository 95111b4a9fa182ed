//! Lets pages of allowed origins use us (<https://fetch.spec.whatwg.org/#http-cors-protocol>). They show a
//! token themselves: cookies stay with our own pages.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::access::Access;

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const HEADERS: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, \
                       range, x-api-key, x-min-version, x-request-id";
const EXPOSED: &str = "content-disposition, content-range, etag, location, ratelimit-limit, \
                       ratelimit-remaining, ratelimit-reset, retry-after, x-request-id";
/// For how long browsers need not ask again, in seconds.
const MAX_AGE: &str = "600";

/// A request from a page of another origin that is allowed; otherwise nothing.
#[derive(Debug)]
pub(crate) struct Crossing(Option<HeaderValue>);

impl Crossing {
    pub(crate) fn of(access: &Access, request: &Request) -> Self {
        let origin = request.headers().get(ORIGIN);
        let allowed = origin.filter(|_| access.check(request.uri(), request.headers()).is_ok());
        Self(allowed.cloned())
    }

    /// The answer to a browser that asks what it may ask.
    pub(crate) fn preflight(&self, request: &Request) -> Option<Response> {
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || self.0.is_none() {
            return None;
        }
        let headers = [
            (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
            (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ];
        Some((StatusCode::NO_CONTENT, headers, Body::empty()).into_response())
    }

    /// Tells the browser that the page may have the answer.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let Some(origin) = self.0 else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
}
