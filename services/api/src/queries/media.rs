//! `GET /media/{kind}/{name}`: stored media. What is at an address never changes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use axum::response::Response;
use domain::asset::AssetKey;
use infra::postgres::media_names;

use crate::App;
use crate::extract::Path;
use crate::files;
use crate::problem::Problem;

/// The asset, or the range of it that is asked for.
#[utoipa::path(
    get, path = "/media/{kind}/{name}", tag = "media", operation_id = "getMedia", summary = "Stored media",
    params(files::Conditions),
    responses(
        (status = 200, description = "The file; it never changes", headers(("ETag"), ("Accept-Ranges")), content((String = "image/*"), (String = "video/*"), (String = "audio/*"), (String = "text/*"), (String = "application/*"))),
        (status = 206, description = "The part that `Range` asks for", headers(("ETag"), ("Content-Range"), ("Accept-Ranges")), content((String = "image/*"), (String = "video/*"), (String = "audio/*"), (String = "text/*"), (String = "application/*"))),
        (status = 304, description = "`If-None-Match` names it", headers(("ETag"))),
        (status = 416, description = "range_not_satisfiable"),
        (status = 404, description = "media_not_found"),
        (status = 410, description = "media_expired"),
        (status = 503, description = "media_unavailable"),
    ),
)]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Path((kind, name)): Path<(String, String)>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let key = AssetKey::parse(&format!("{kind}/{name}")).map_err(|_| files::no_such_media())?;
    let mut response = match files::serve(&app.api.media, &key, &request).await {
        Err(problem) if problem.status == StatusCode::NOT_FOUND => return Err(app.missing(&key).await?),
        served => served?,
    };
    // What one caller may see is for that caller's own cache.
    let for_ever = if app.auth.is_on().await? {
        "private, max-age=31536000, immutable"
    } else {
        "public, max-age=31536000, immutable"
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(for_ever));
    Ok(response)
}

impl App {
    /// Why there is no such media: it was given up, or never was.
    async fn missing(&self, key: &AssetKey) -> Result<Problem, Problem> {
        if !media_names::is_given_up(&self.api.pool, key).await? {
            return Ok(files::no_such_media());
        }
        let detail = "this media was given up: its project is purged, or its take is unused and has expired";
        Ok(Problem::new(StatusCode::GONE, "media_expired", detail))
    }
}
