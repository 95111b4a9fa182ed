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

/// What a request means for pages of other origins.
#[derive(Debug)]
pub(crate) struct Crossing {
    /// The origin of the page, if it is allowed.
    allowed: Option<HeaderValue>,
    /// Whether another origin may be answered otherwise, so that caches must not mix them up.
    varies: bool,
}

impl Crossing {
    pub(crate) fn of(access: &Access, request: &Request) -> Self {
        let origin = request.headers().get(ORIGIN);
        let allowed = origin.filter(|_| access.check(request.uri(), request.headers()).is_ok());
        Self { allowed: allowed.cloned(), varies: access.has_origins() }
    }

    /// The answer to a browser that asks what it may ask.
    pub(crate) fn preflight(&self, request: &Request) -> Option<Response> {
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || self.allowed.is_none() {
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
        if self.varies || self.allowed.is_some() {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = self.allowed else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(access: &Access, origin: Option<&str>) -> HeaderMap {
        let request = Request::get("/media/image/0.png").header("host", "localhost");
        let request = origin.into_iter().fold(request, |request, origin| request.header(ORIGIN, origin));
        let mut headers = HeaderMap::new();
        Crossing::of(access, &request.body(Body::empty()).unwrap()).tell(&mut headers);
        headers
    }

    #[test]
    fn caches_tell_origins_apart_as_soon_as_one_is_allowed_whoever_asked_first() {
        let access = Access::new(&[], &["https://studio.example".to_owned()]).unwrap();
        for origin in [None, Some("https://studio.example"), Some("https://evil.example")] {
            assert_eq!(told(&access, origin)[VARY], "origin", "{origin:?}");
        }
        assert_eq!(
            told(&access, Some("https://studio.example"))[ACCESS_CONTROL_ALLOW_ORIGIN],
            "https://studio.example"
        );
        assert!(told(&access, Some("https://evil.example")).get(ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
        assert!(told(&Access::default(), None).get(VARY).is_none(), "nobody else may ask at all");
    }
}
