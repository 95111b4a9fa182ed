//! `GET /v1/projects/{id}`: a project with its shots and its film.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::ids::ProjectId;

use crate::App;
use crate::caller::etag;
use crate::extract::{Base, MinVersion, Path};
use crate::json::Project;
use crate::problem::Problem;

/// 200 with the project; its version is the `ETag`.
#[utoipa::path(
    get, path = "/v1/projects/{project}", tag = "projects", operation_id = "getProject",
    summary = "A project with its shots and its film", params(MinVersion),
    responses((status = 200, description = "The project", body = Project, headers(("ETag")))),
)]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    base: Base,
    at: MinVersion,
) -> Result<Response, Problem> {
    app.project_row_at(project, at).await?;
    let (version, project) = app.project(project, &base).await?;
    Ok(([etag(version)], axum::Json(project)).into_response())
}
