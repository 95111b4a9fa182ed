//! What every answer tells browsers: to take it for nothing but what it says it is, to show it in no frame,
//! to tell nobody where it came from, and, over TLS, to come back by TLS only.

use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use crate::auth::Client;

/// For data: it loads nothing.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";
/// For pages: only what is ours. A page may be stricter.
const OWN_PAGE: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
                        style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; \
                        form-action 'self'; frame-ancestors 'none'";
/// A year.
const TLS_ONLY: &str = "max-age=31536000";

/// Adds what is not there yet.
pub(crate) fn secure(headers: &mut HeaderMap, client: Client) {
    let is_page = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    let policy = if is_page { OWN_PAGE } else { NO_PAGE };
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(policy));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(X_FRAME_OPTIONS).or_insert(HeaderValue::from_static("DENY"));
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    if client.secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TLS_ONLY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(content_type: &'static str, secure: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        super::secure(&mut headers, Client { address: None, secure });
        headers
    }

    #[test]
    fn data_loads_nothing_and_pages_only_what_is_ours() {
        assert_eq!(told("application/json", false)[CONTENT_SECURITY_POLICY], NO_PAGE);
        assert_eq!(told("text/html; charset=utf-8", false)[CONTENT_SECURITY_POLICY], OWN_PAGE);
    }

    #[test]
    fn tls_is_asked_for_only_where_there_is_tls() {
        assert!(told("text/html", false).get(STRICT_TRANSPORT_SECURITY).is_none());
        assert_eq!(told("text/html", true)[STRICT_TRANSPORT_SECURITY], TLS_ONLY);
    }
}
