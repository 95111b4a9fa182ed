//! `GET /v1/projects/{id}`: a project with its shots and its film.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::ids::ProjectId;

use crate::App;
use crate::caller::etag;
use crate::extract::{Base, MinVersion, Path};
use crate::problem::Problem;

/// 200 with the project; its version is the `ETag`.
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
