//! `GET /v1/projects/{id}/shots/{shotId}/takes`: every picture, clip and voice that a shot ever had.

use std::sync::Arc;

use axum::extract::State;
use domain::ids::{ProjectId, ShotId, TakeId};
use infra::postgres::views::takes;

use crate::App;
use crate::cursor;
use crate::extract::{Base, MinVersion, PageParameters, Path, Query};
use crate::json::{Page, ShotTake};
use crate::problem::Problem;

/// One page, oldest first.
#[utoipa::path(
    get, path = "/v1/projects/{project}/shots/{shot}/takes", tag = "shots", operation_id = "listTakes",
    summary = "Every take that a shot ever had", params(PageParameters, MinVersion),
    responses(
        (status = 200, description = "One page, oldest first", body = Page<ShotTake>),
        (status = 400, description = "invalid_cursor"),
        (status = 422, description = "invalid"),
    ),
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Path((project, shot)): Path<(ProjectId, ShotId)>,
    Query(page): Query<PageParameters>,
    base: Base,
    at: MinVersion,
) -> Result<axum::Json<Page<ShotTake>>, Problem> {
    let (after, limit) = page.read()?;
    let after = after.map(|(at, id)| (at, TakeId(id)));
    app.project_row_at(project, at).await?;
    let chosen = chosen(&app, project, shot).await?;
    let rows = takes::of_shot(&app.api.pool, shot, after, limit + 1).await?;
    let page = Page::cut(rows, limit, |row| cursor::encode(row.created_at, row.id.0));
    Ok(axum::Json(page.map(|row| ShotTake::of(row, &chosen, &base))))
}

/// The takes that the shot uses.
async fn chosen(app: &App, project: ProjectId, shot: ShotId) -> Result<Vec<TakeId>, Problem> {
    let row = app.shot_of(project, shot).await?;
    Ok([row.image, row.video, row.voice].into_iter().flatten().map(|take| take.id).collect())
}
