//! `POST /v1/projects/{id}/undelete`: out of the trash again, for 30 days after the deletion.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::ids::ProjectId;
use domain::project::Command;

use super::NoParameters;
use crate::App;
use crate::caller::{Caller, etag};
use crate::extract::{Base, Json, Path};
use crate::json::Project;
use crate::problem::Problem;

/// 200 with the project; its cancelled work stays cancelled. Again, the same.
#[utoipa::path(
    post, path = "/v1/projects/{project}/undelete", tag = "projects", operation_id = "undeleteProject",
    summary = "Take a project out of the trash", params(Caller), request_body = Option<NoParameters>,
    responses(
        (status = 200, description = "The project", body = Project, headers(("ETag"))),
        (status = 410, description = "trash_expired"),
    ),
)]
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    base: Base,
    caller: Caller,
    body: Json<NoParameters>,
) -> Result<Response, Problem> {
    app.execute(&caller, project, Command::UndeleteProject, body.digest).await?;
    let (version, project) = app.project(project, &base).await?;
    Ok(([etag(version)], axum::Json(project)).into_response())
}
