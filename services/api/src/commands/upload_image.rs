//! `PUT /v1/projects/{id}/shots/{shotId}/image`: let a shot use a picture of the user's own.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::ids::{ProjectId, ShotId};
use domain::job::Kind;
use domain::project::{Asks, Command, ProjectError};

use crate::App;
use crate::caller::{Caller, etag};
use crate::extract::{Base, Path};
use crate::json::{Changed, Shot};
use crate::problem::Problem;
use crate::upload::{Upload, UploadForm};

/// 200 with the shot as it is then. The picture is a take like any other.
#[utoipa::path(
    put, path = "/v1/projects/{project}/shots/{shot}/image", tag = "shots", operation_id = "uploadImage",
    summary = "Let a shot use a picture of one's own", params(Caller),
    request_body(content = UploadForm, content_type = "multipart/form-data", 
        description = "PNG, JPEG or WebP with at most 8,192 pixels each way and 33,554,432 (8,192 × 4,096) in all. \
            It is kept upright and opaque: a JPEG as JPEG, anything else as PNG"),
    responses(
        (status = 200, description = "The shot", body = Changed<Shot>, headers(("ETag"))),
        (status = 400, description = "malformed_form"),
        (status = 409, description = "shot_locked"),
        (status = 503, description = "media_unavailable"),
    ),
)]
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path((project, shot)): Path<(ProjectId, ShotId)>,
    base: Base,
    caller: Caller,
    upload: Upload,
) -> Result<Response, Problem> {
    // Nothing is read for a shot that takes nothing.
    let state = app.api.store.load(project).await?.state;
    match state.shot(shot) {
        _ if state.version == 0 => return Err(ProjectError::NotFound.into()),
        None => return Err(ProjectError::ShotNotFound.into()),
        Some(shot) if shot.locked => return Err(ProjectError::ShotLocked.into()),
        Some(_) => {}
    }
    app.check_room(&caller, project, Asks::Work).await?;
    let asset = upload.picture(&app.api.media, &app.decoders).await?;
    let command = Command::UploadTake { shot, kind: Kind::Image, asset };
    let version = app.execute(&caller, project, command, [0; 32]).await?.receipt.version;
    let body = Changed { item: app.shot(project, shot, &base).await?, project_version: version };
    Ok(([etag(version)], axum::Json(body)).into_response())
}
