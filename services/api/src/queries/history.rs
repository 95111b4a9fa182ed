//! `GET /v1/projects/{id}/history`: everything that happened, from the log itself. Kept also in the trash; of a project
//! that is given up for good only an audit reads it.

use std::sync::Arc;

use axum::extract::State;
use domain::ids::ProjectId;
use domain::project::{Project, ProjectError};
use infra::postgres::past;
use infra::postgres::tail::{self, PublicEvent, Recorded};
use infra::postgres::views::projects;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::describe::{Language, sentence};
use crate::extract::{Path, Query, is_version, page_limit};
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
    /// Adds a sentence for people to each event.
    #[param(inline)]
    describe: Option<Language>,
}

/// One event, in words too when they were asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HistoryEvent {
    #[serde(flatten)]
    event: PublicEvent,
    /// Who did what to which shot.
    #[serde(skip_serializing_if = "Option::is_none")]
    sentence: Option<String>,
}

/// One page of events; `nextCursor` is the next `after`.
#[utoipa::path(
    get, path = "/v1/projects/{project}/history", tag = "history", operation_id = "listHistory",
    summary = "Everything that happened to a project", params(Parameters),
    responses(
        (status = 200, description = "One page; `nextCursor` is the next `after`", body = Page<HistoryEvent>),
        (status = 422, description = "invalid"),
    ),
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    Query(parameters): Query<Parameters>,
) -> Result<axum::Json<Page<HistoryEvent>>, Problem> {
    let limit = page_limit(parameters.limit)?;
    let after = parameters.after.unwrap_or(0);
    if !is_version(after) {
        return Err(Problem::invalid("after", "must be a version, like 12"));
    }
    let events = tail::read_stream(&app.api.pool, project, after, limit + 1).await?;
    match projects::find(&app.api.pool, project).await? {
        None if events.is_empty() => return Err(ProjectError::NotFound.into()),
        Some(row) if row.purged => return Err(ProjectError::Purged.into()),
        _ => {}
    }
    let Page { items: events, next_cursor } =
        Page::cut(events, limit, |last: &Recorded| last.version.to_string());
    let items = match parameters.describe {
        Some(language) => {
            let before = past::state_at(&app.api.pool, project, after).await?;
            told(before, &events, language)?
        }
        None => events.iter().map(|recorded| plain(recorded, None)).collect::<Result<_, _>>()?,
    };
    Ok(axum::Json(Page { items, next_cursor }))
}

fn plain(recorded: &Recorded, sentence: Option<String>) -> Result<HistoryEvent, Problem> {
    Ok(HistoryEvent { event: recorded.to_public()?, sentence })
}

/// The events in words, each about the project as it was when it happened.
fn told(mut before: Project, events: &[Recorded], language: Language) -> Result<Vec<HistoryEvent>, Problem> {
    let mut items = Vec::with_capacity(events.len());
    for recorded in events {
        let mut item = plain(recorded, None)?;
        item.sentence = Some(sentence(&before, &recorded.event, &item.event.actor, language));
        before.evolve(&recorded.event);
        items.push(item);
    }
    Ok(items)
}
