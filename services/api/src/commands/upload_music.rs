//! `PUT /v1/projects/{id}/music`: let the film have music of the user's own. `DELETE` takes it away.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::ids::ProjectId;
use domain::project::{Asks, Command};

use crate::App;
use crate::caller::{Caller, etag};
use crate::extract::{Base, Path};
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
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    base: Base,
    caller: Caller,
    upload: Upload,
) -> Result<Response, Problem> {
    app.project_row(project).await?;
    // Nothing is read that there is no room for.
    app.check_room(&caller, project, Asks::Work).await?;
    let asset = upload.music(&app.api.media).await?;
    changed(&app, project, &base, &caller, Command::UploadMusic { asset }).await
}

/// 200 with the project, whose `settings.music` is `auto` then; again, the same.
#[utoipa::path(
    delete, path = "/v1/projects/{project}/music", tag = "projects", operation_id = "removeMusic",
    summary = "Take one's own music away", params(Caller),
    responses((status = 200, description = "The project", body = Project, headers(("ETag")))),
)]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    base: Base,
    caller: Caller,
) -> Result<Response, Problem> {
    changed(&app, project, &base, &caller, Command::RemoveMusic).await
}

async fn changed(
    app: &App,
    project: ProjectId,
    base: &Base,
    caller: &Caller,
    command: Command,
) -> Result<Response, Problem> {
    app.execute(caller, project, command, [0; 32]).await?;
    let (version, project) = app.project(project, base).await?;
    Ok(([etag(version)], axum::Json(project)).into_response())
}
