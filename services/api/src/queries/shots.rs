//! `GET /v1/projects/{id}/shots` and `…/shots/{shotId}`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::ids::{ProjectId, ShotId};
use domain::project::ProjectError;
use infra::postgres::views::shots::{self, ShotRow};

use crate::App;
use crate::caller::etag;
use crate::extract::{Base, MinVersion, Path};
use crate::json::{Page, Shot};
use crate::problem::Problem;

/// All shots in their order; a project has 200 at most.
#[utoipa::path(
    get, path = "/v1/projects/{project}/shots", tag = "shots", operation_id = "listShots",
    summary = "All shots in their order", params(MinVersion),
    responses((status = 200, description = "All on one page", body = Page<Shot>, headers(("ETag")))),
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    base: Base,
    at: MinVersion,
) -> Result<Response, Problem> {
    let version = app.project_row_at(project, at).await?.version;
    let page = Page { items: app.shots(project, &base).await?, next_cursor: None };
    Ok(([etag(version)], axum::Json(page)).into_response())
}

/// One shot; the project's version is the `ETag`.
#[utoipa::path(
    get, path = "/v1/projects/{project}/shots/{shot}", tag = "shots", operation_id = "getShot", summary = "A shot",
    params(MinVersion),
    responses((status = 200, description = "The shot", body = Shot, headers(("ETag")))),
)]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Path((project, shot)): Path<(ProjectId, ShotId)>,
    base: Base,
    at: MinVersion,
) -> Result<Response, Problem> {
    let version = app.project_row_at(project, at).await?.version;
    let shot = app.shot(project, shot, &base).await?;
    Ok(([etag(version)], axum::Json(shot)).into_response())
}

impl App {
    /// A shot of a project.
    pub(crate) async fn shot(&self, project: ProjectId, shot: ShotId, base: &Base) -> Result<Shot, Problem> {
        Ok(Shot::of(self.shot_of(project, shot).await?, base))
    }

    /// The same as it is stored.
    pub(crate) async fn shot_of(&self, project: ProjectId, shot: ShotId) -> Result<ShotRow, Problem> {
        let row = shots::find(&self.api.pool, shot).await?;
        Ok(row.filter(|row| row.project_id == project).ok_or(ProjectError::ShotNotFound)?)
    }
}
