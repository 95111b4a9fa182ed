//! `GET /v1/projects`: search and page through projects, newest first.

use std::sync::Arc;

use axum::extract::State;
use domain::ids::ProjectId;
use domain::project::Status;
use futures::{StreamExt, TryStreamExt};
use infra::postgres::views::projects::{self, Filter, ProjectRow};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::App;
use crate::auth::Identity;
use crate::cursor;
use crate::extract::{Base, Query, page_limit};
use crate::json::{Page, ProjectSummary};
use crate::problem::Problem;

/// Longest text to search for, in characters.
const TEXT_LIMIT: usize = 200;
/// Projects whose open work is looked at at the same time.
const LOOKS: usize = 4;
const STATUSES: [Status; 5] =
    [Status::Created, Status::Storyboard, Status::Generating, Status::Ready, Status::Failed];

/// Lists the trash.
const DELETED: &str = "deleted";

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// Text in the title or the story.
    #[param(max_length = 200)]
    q: Option<String>,
    /// `deleted` lists the trash.
    #[param(pattern = "^(created|storyboard|generating|ready|failed|deleted)$")]
    status: Option<String>,
    /// Newest first.
    #[param(pattern = "^createdAt$")]
    sort: Option<String>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// Items of a page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// One page, without shots and films.
#[utoipa::path(
    get, path = "/v1/projects", tag = "projects", operation_id = "listProjects", summary = "Search and page through projects",
    params(Parameters),
    responses(
        (status = 200, description = "One page, newest first", body = Page<ProjectSummary>),
        (status = 400, description = "invalid_cursor"),
        (status = 422, description = "invalid"),
    ),
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(parameters): Query<Parameters>,
    base: Base,
) -> Result<axum::Json<Page<ProjectSummary>>, Problem> {
    let limit = page_limit(parameters.limit)?;
    let mut rows = projects::list(&app.api.pool, &filter(&identity, parameters, limit + 1)?).await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > page;
    rows.truncate(page);
    let last = rows.last().filter(|_| more);
    let next_cursor = last.map(|row| cursor::encode(row.created_at, row.id.0));
    let summary = |row: ProjectRow| summary(&app, row, &base);
    let items = futures::stream::iter(rows).map(summary).buffered(LOOKS).try_collect().await?;
    Ok(axum::Json(Page { items, next_cursor }))
}

async fn summary(app: &App, row: ProjectRow, base: &Base) -> Result<ProjectSummary, Problem> {
    let stage = app.stage(&row).await?;
    Ok(ProjectSummary::of(row, stage, base))
}

fn filter(identity: &Identity, parameters: Parameters, limit: i64) -> Result<Filter, Problem> {
    if let Some(sort) = parameters.sort.filter(|sort| sort != "createdAt") {
        return Err(Problem::invalid("sort", format!("must be createdAt (newest first); it is {sort}")));
    }
    let before = parameters.cursor.as_deref().map(cursor::decode).transpose()?;
    let before = before.map(|(at, id)| (at, ProjectId(id)));
    let text = search_text(parameters.q)?;
    let deleted = parameters.status.as_deref() == Some(DELETED);
    let status = known_status(parameters.status.filter(|_| !deleted))?;
    Ok(Filter { owners: identity.owners(), text, status, before, deleted, limit })
}

fn search_text(q: Option<String>) -> Result<Option<String>, Problem> {
    match q {
        Some(text) if text.chars().count() > TEXT_LIMIT => {
            Err(Problem::invalid("q", format!("must have at most {TEXT_LIMIT} characters")))
        }
        Some(text) if text.contains('\0') => {
            Err(Problem::invalid("q", "must not contain the character U+0000"))
        }
        text => Ok(text.filter(|text| !text.trim().is_empty())),
    }
}

fn known_status(status: Option<String>) -> Result<Option<String>, Problem> {
    match status {
        Some(word) if STATUSES.iter().all(|status| status.as_str() != word) => Err(Problem::invalid(
            "status",
            "must be one of: created, storyboard, generating, ready, failed, deleted",
        )),
        status => Ok(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(change: impl FnOnce(&mut Parameters)) -> Result<Filter, Problem> {
        let mut parameters = Parameters { q: None, status: None, sort: None, cursor: None, limit: None };
        change(&mut parameters);
        filter(&Identity::anybody(), parameters, 10)
    }

    #[test]
    fn words_that_mean_nothing_are_refused_by_name() {
        let field = |result: Result<Filter, Problem>| result.unwrap_err().errors[0].field.clone();
        assert_eq!(field(ask(|p| p.status = Some("lost".to_owned()))), "status");
        assert_eq!(field(ask(|p| p.sort = Some("title; DROP TABLE".to_owned()))), "sort");
        assert_eq!(field(ask(|p| p.q = Some("a\0b".to_owned()))), "q");
        assert_eq!(field(ask(|p| p.q = Some("長".repeat(201)))), "q");
    }

    #[test]
    fn an_empty_search_finds_everything() {
        assert_eq!(ask(|p| p.q = Some("  ".to_owned())).unwrap().text, None);
        assert_eq!(ask(|p| p.q = Some("100%".to_owned())).unwrap().text.as_deref(), Some("100%"));
    }
}
