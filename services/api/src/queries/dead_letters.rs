//! `GET /v1/dead-letters`: jobs that could not be handled.

use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ids::{ProjectId, TaskId};
use infra::postgres::dead_letters;
use infra::postgres::tail::rfc3339_millis;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::cursor;
use crate::extract::{PageParameters, Query};
use crate::json::{Page, optional_millis};
use crate::problem::Problem;

/// A job that could not be handled. Its task failed as `worker_lost`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetter {
    id: Uuid,
    project_id: ProjectId,
    task_id: TaskId,
    /// Its task's kind; `unknown` when nobody knew it.
    kind: String,
    reason: String,
    /// How often it was delivered.
    deliveries: u64,
    #[serde(serialize_with = "rfc3339_millis")]
    recorded_at: DateTime<Utc>,
    /// When its task was last queued again from here.
    #[serde(serialize_with = "optional_millis", skip_serializing_if = "Option::is_none")]
    replayed_at: Option<DateTime<Utc>>,
}

impl DeadLetter {
    fn of(row: dead_letters::DeadLetter) -> Self {
        Self {
            id: row.id,
            project_id: row.project,
            task_id: row.task,
            kind: row.kind,
            reason: row.reason,
            deliveries: row.deliveries,
            recorded_at: row.recorded_at,
            replayed_at: row.replayed_at,
        }
    }
}

/// One page, newest first.
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "operations", operation_id = "listDeadLetters",
    summary = "Jobs that could not be handled", params(PageParameters),
    responses(
        (status = 200, description = "One page, newest first", body = Page<DeadLetter>),
        (status = 400, description = "invalid_cursor"),
        (status = 422, description = "invalid"),
    ),
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Query(page): Query<PageParameters>,
) -> Result<axum::Json<Page<DeadLetter>>, Problem> {
    let (before, limit) = page.read()?;
    let rows = dead_letters::list(&app.api.pool, before, limit + 1).await?;
    let page = Page::cut(rows, limit, |row| cursor::encode(row.recorded_at, row.id));
    Ok(axum::Json(page.map(DeadLetter::of)))
}
