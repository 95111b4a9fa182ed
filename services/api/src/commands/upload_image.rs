//! `PUT /v1/projects/{id}/shots/{shotId}/image`: let a shot use a picture of the user's own.

use axum::response::Response;
use domain::ids::{ProjectId, ShotId};
use domain::job::Kind;
use domain::project::{Asks, Command, ProjectError};

use crate::caller::Caller;
use crate::change_request::ChangeRequest;
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
    asked: ChangeRequest<(ProjectId, ShotId)>,
    upload: Upload,
) -> Result<Response, Problem> {
    let (project, shot) = asked.ids;
    // Nothing is read for a shot that takes nothing.
    let state = asked.app.api.store.load(project).await?.state;
    match state.shot(shot) {
        _ if state.version == 0 => return Err(ProjectError::NotFound.into()),
        None => return Err(ProjectError::ShotNotFound.into()),
        Some(shot) if shot.locked => return Err(ProjectError::ShotLocked.into()),
        Some(_) => {}
    }
    asked.app.check_room(&asked.caller, project, Asks::Work).await?;
    let asset = upload.picture(&asked.app.api.media, &asked.app.decoders).await?;
    let command = Command::UploadTake { shot, kind: Kind::Image, asset };
    let executed = asked.execute(project, command, [0; 32]).await?;
    asked.tell_shot((project, shot), &executed).await
}
