//! `GET /v1/projects/{id}`: a project with its shots and its film, as it is or as it was.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::ids::{ProjectId, TakeId};
use infra::postgres::past::{self, Past};
use infra::postgres::views::takes;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::App;
use crate::caller::etag;
use crate::extract::{Base, MinVersion, Path, Query};
use crate::json::{Film, Progress, Project, ProjectSummary, Shot};
use crate::problem::Problem;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// As it was after its Nth event; as it is when absent.
    #[param(minimum = 1)]
    at_version: Option<u64>,
}

/// 200 with the project; its version is the `ETag`.
#[utoipa::path(
    get, path = "/v1/projects/{project}", tag = "projects", operation_id = "getProject",
    summary = "A project with its shots and its film, as it is or as it was", params(MinVersion, Parameters),
    responses(
        (status = 200, description = "The project", body = Project, headers(("ETag"))),
        (status = 404, description = "version_not_found"),
    ),
)]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    Query(parameters): Query<Parameters>,
    base: Base,
    at: MinVersion,
) -> Result<Response, Problem> {
    app.project_row_at(project, at).await?;
    let (version, project) = match parameters.at_version {
        Some(version) => (version, app.project_in_the_past(project, version, &base).await?),
        None => app.project(project, &base).await?,
    };
    Ok(([etag(version)], axum::Json(project)).into_response())
}

impl App {
    async fn project_in_the_past(
        &self,
        project: ProjectId,
        version: u64,
        base: &Base,
    ) -> Result<Project, Problem> {
        let no_such_version =
            || Problem::not_found("version_not_found", "the project never had that version");
        let past = past::at(&self.api.pool, project, version).await?.ok_or_else(no_such_version)?;
        let Past { state: _, project, shots, film, stage } = past;
        let film = film.map(|(film, millis)| Film::of(film, project.film_stale, millis, base));
        let mut shots: Vec<Shot> = shots.into_iter().map(|row| Shot::of(row, base)).collect();
        let chosen: Vec<TakeId> = shots.iter().flat_map(Shot::chosen).collect();
        let expired = takes::expired_among(&self.api.pool, &chosen).await?;
        shots.iter_mut().for_each(|shot| shot.leave_out(&expired));
        let progress = Progress::of(&project, stage, None);
        Ok(Project { summary: ProjectSummary::of(project, progress, base), shots, film })
    }
}
