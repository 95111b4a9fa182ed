//! For old clients that send no header: an API key as the first part of the path, `/k/<key>/…`. It is cut
//! off before anything else sees the path, so that no log and no handler knows it.

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::middleware::{Next, from_fn};
use axum::response::Response;

use super::credentials::PathKey;

/// The same routes, reached also behind `/k/<key>`.
pub(crate) fn cutting(routes: Router) -> Router {
    Router::new().fallback_service(routes).layer(from_fn(cut))
}

async fn cut(mut request: Request, next: Next) -> Response {
    if let Some((key, rest)) = split(request.uri()) {
        *request.uri_mut() = rest;
        request.extensions_mut().insert(key);
    }
    next.run(request).await
}

fn split(uri: &Uri) -> Option<(PathKey, Uri)> {
    let (key, rest) = uri.path().strip_prefix("/k/")?.split_once('/')?;
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let rest = format!("/{rest}{query}").parse().ok()?;
    Some((PathKey(key.to_owned()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_of(uri: &str) -> Option<(String, String)> {
        split(&uri.parse().unwrap()).map(|(PathKey(key), rest)| (key, rest.to_string()))
    }

    #[test]
    fn the_key_is_cut_off_and_the_rest_stays() {
        let cut = |key: &str, rest: &str| Some((key.to_owned(), rest.to_owned()));
        assert_eq!(cut_of("/k/stv_1_2/v1/api/projects?a=b"), cut("stv_1_2", "/v1/api/projects?a=b"));
        assert_eq!(cut_of("/k/x/"), cut("x", "/"));
        assert_eq!(cut_of("/k//v1"), cut("", "/v1"));
        for other in ["/k", "/k/", "/k/x", "/v1/projects", "/kk/x/y"] {
            assert_eq!(cut_of(other), None, "{other}");
        }
    }
}
