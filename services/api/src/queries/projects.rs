//! `GET /v1/projects`: search and page through projects, newest first unless another order is asked for.

use std::sync::Arc;

use axum::extract::State;
use domain::ids::ProjectId;
use domain::project::Status;
use futures::{StreamExt, TryStreamExt};
use infra::postgres::views::projects::{self, Filter, Place, ProjectRow, Sort};
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
    /// Text in the title or the story, of the 5,000 projects that come next in this order.
    #[param(max_length = 200)]
    q: Option<String>,
    /// `deleted` lists the trash.
    #[param(pattern = "^(created|storyboard|generating|ready|failed|deleted)$")]
    status: Option<String>,
    /// `createdAt` (when absent) and `updatedAt`: newest first; `title`: from A to Z. With a `-` the other way round.
    #[param(pattern = "^-?(createdAt|updatedAt|title)$")]
    sort: Option<String>,
    /// The `nextCursor` of the page before, in the same order.
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
        (status = 200, description = "One page", body = Page<ProjectSummary>),
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
    let filter = filter(&identity, parameters, limit + 1)?;
    let rows = projects::list(&app.api.pool, &filter).await?;
    let Page { items: rows, next_cursor } =
        Page::cut(rows, limit, |row| cursor_of(filter.sort.place_of(row)));
    let summary = |row: ProjectRow| summary(&app, row, &base);
    let items = futures::stream::iter(rows).map(summary).buffered(LOOKS).try_collect().await?;
    Ok(axum::Json(Page { items, next_cursor }))
}

async fn summary(app: &App, row: ProjectRow, base: &Base) -> Result<ProjectSummary, Problem> {
    let progress = app.progress(&row).await?;
    Ok(ProjectSummary::of(row, progress, base))
}

fn filter(identity: &Identity, parameters: Parameters, limit: i64) -> Result<Filter, Problem> {
    let (sort, descending) = known_sort(parameters.sort.as_deref().unwrap_or("createdAt"))?;
    let after = parameters.cursor.as_deref().map(|cursor| place(sort, cursor)).transpose()?;
    let text = search_text(parameters.q)?;
    let deleted = parameters.status.as_deref() == Some(DELETED);
    let status = known_status(parameters.status.filter(|_| !deleted))?;
    Ok(Filter { owners: identity.owners(), text, status, sort, descending, after, deleted, limit })
}

/// What to sort by, and whether downwards. Times go downwards by themselves: the newest is what people look for.
fn known_sort(word: &str) -> Result<(Sort, bool), Problem> {
    let (is_turned, name) = word.strip_prefix('-').map_or((false, word), |name| (true, name));
    let (sort, usual) = match name {
        "createdAt" => (Sort::CreatedAt, true),
        "updatedAt" => (Sort::UpdatedAt, true),
        "title" => (Sort::Title, false),
        _ => {
            let words = "must be createdAt or updatedAt (newest first) or title, or one of them after a -";
            return Err(Problem::invalid("sort", words));
        }
    };
    Ok((sort, usual != is_turned))
}

fn cursor_of(place: Place) -> String {
    match place {
        Place::Time(at, id) => cursor::encode(at, id.0),
        Place::Title(title, id) => cursor::encode_text(&title, id.0),
    }
}

fn place(sort: Sort, cursor: &str) -> Result<Place, Problem> {
    Ok(match sort {
        Sort::CreatedAt | Sort::UpdatedAt => {
            let (at, id) = cursor::decode(cursor)?;
            Place::Time(at, ProjectId(id))
        }
        Sort::Title => {
            let (title, id) = cursor::decode_text(cursor)?;
            Place::Title(title, ProjectId(id))
        }
    })
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
    fn times_go_down_and_titles_up_unless_they_are_turned_round() {
        let sorted = |word: &str| {
            let filter = ask(|p| p.sort = Some(word.to_owned())).unwrap();
            (filter.sort, filter.descending)
        };
        assert_eq!(
            (sorted("createdAt"), sorted("-createdAt")),
            ((Sort::CreatedAt, true), (Sort::CreatedAt, false))
        );
        assert_eq!(
            (sorted("updatedAt"), sorted("-updatedAt")),
            ((Sort::UpdatedAt, true), (Sort::UpdatedAt, false))
        );
        assert_eq!((sorted("title"), sorted("-title")), ((Sort::Title, false), (Sort::Title, true)));
        for word in ["", "-", "--title", "Title", "created_at"] {
            assert!(ask(|p| p.sort = Some(word.to_owned())).is_err(), "{word}");
        }
    }

    #[test]
    fn an_empty_search_finds_everything() {
        assert_eq!(ask(|p| p.q = Some("  ".to_owned())).unwrap().text, None);
        assert_eq!(ask(|p| p.q = Some("100%".to_owned())).unwrap().text.as_deref(), Some("100%"));
    }
}
