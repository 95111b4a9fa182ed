//! `PUT /v1/projects/{id}/music`: let the film have music of the user's own. `DELETE` takes it away.

use axum::response::Response;
use domain::ids::ProjectId;
use domain::project::{Asks, Command};

use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::json::Project;
use crate::problem::Problem;
use crate::upload::{Upload, UploadForm};

/// 200 with the project, whose `settings.music` is `own` then; another value there goes back to that one.
#[utoipa::path(
    put, path = "/v1/projects/{project}/music", tag = "projects", operation_id = "uploadMusic",
    summary = "Let the film have music of one's own", params(Caller),
    request_body(content = UploadForm, content_type = "multipart/form-data", description = "WAV, FLAC, MP3, Ogg or M4A"),
    responses(
        (status = 200, description = "The project", body = Project, headers(("ETag"))),
        (status = 400, description = "malformed_form"),
        (status = 503, description = "media_unavailable"),
    ),
)]
pub(crate) async fn put(asked: ChangeRequest<ProjectId>, upload: Upload) -> Result<Response, Problem> {
    let project = asked.ids;
    asked.app.project_row(project).await?;
    // Nothing is read that there is no room for.
    asked.app.check_room(&asked.caller, project, Asks::Work).await?;
    let asset = upload.music(&asked.app.api.media).await?;
    changed(asked, Command::UploadMusic { asset }).await
}

/// 200 with the project, whose `settings.music` is `auto` then; again, the same.
#[utoipa::path(
    delete, path = "/v1/projects/{project}/music", tag = "projects", operation_id = "removeMusic",
    summary = "Take one's own music away", params(Caller),
    responses((status = 200, description = "The project", body = Project, headers(("ETag")))),
)]
pub(crate) async fn delete(asked: ChangeRequest<ProjectId>) -> Result<Response, Problem> {
    changed(asked, Command::RemoveMusic).await
}

async fn changed(asked: ChangeRequest<ProjectId>, command: Command) -> Result<Response, Problem> {
    asked.execute(asked.ids, command, [0; 32]).await?;
    asked.tell_project(asked.ids).await
}
