//! `GET /v1/projects/{id}/film`: the newest film.

use std::sync::Arc;

use axum::extract::State;
use domain::ids::ProjectId;

use crate::App;
use crate::extract::{Base, MinVersion, Path};
use crate::json::Film;
use crate::problem::Problem;

/// 200 with the film; 404 before the first is finished.
#[utoipa::path(
    get, path = "/v1/projects/{project}/film", tag = "film", operation_id = "getFilm", summary = "The newest film",
    params(MinVersion),
    responses(
        (status = 200, description = "The film", body = Film),
        (status = 404, description = "no_film_yet"),
    ),
)]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    base: Base,
    at: MinVersion,
) -> Result<axum::Json<Film>, Problem> {
    let row = app.project_row_at(project, at).await?;
    app.film(&row, &base).await?.map(axum::Json).ok_or_else(no_film_yet)
}

/// No film was finished yet: 404.
pub(crate) fn no_film_yet() -> Problem {
    Problem::not_found("no_film_yet", "the project has no finished film yet")
}
