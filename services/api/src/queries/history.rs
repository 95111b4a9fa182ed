//! `GET /v1/projects/{id}/history`: everything that happened, from the log itself. Kept also in the trash.

use std::sync::Arc;

use axum::extract::State;
use domain::ids::ProjectId;
use domain::project::ProjectError;
use infra::postgres::tail::{self, PublicEvent, Recorded};
use infra::postgres::views::projects;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::App;
use crate::extract::{Path, Query, page_limit};
use crate::json::Page;
use crate::problem::Problem;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// Only events after this version.
    after: Option<u64>,
    /// Items of a page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// One page of events; `nextCursor` is the next `after`.
#[utoipa::path(
    get, path = "/v1/projects/{project}/history", tag = "history", operation_id = "listHistory",
    summary = "Everything that happened to a project", params(Parameters),
    responses(
        (status = 200, description = "One page; `nextCursor` is the next `after`", body = Page<PublicEvent>),
        (status = 422, description = "invalid"),
    ),
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    Query(parameters): Query<Parameters>,
) -> Result<axum::Json<Page<PublicEvent>>, Problem> {
    let limit = page_limit(parameters.limit)?;
    let after = parameters.after.unwrap_or(0);
    let mut events = tail::read_stream(&app.api.pool, project, after, limit + 1).await?;
    if events.is_empty() && projects::version(&app.api.pool, project).await?.is_none() {
        return Err(ProjectError::NotFound.into());
    }
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = events.len() > page;
    events.truncate(page);
    let next_cursor = events.last().filter(|_| more).map(|last| last.version.to_string());
    let items = events.iter().map(Recorded::to_public).collect::<Result<_, _>>()?;
    Ok(axum::Json(Page { items, next_cursor }))
}
