//! `GET /v1/queues`: what waits and runs of each kind.

use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::job::Kind;
use infra::postgres::queues;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::json::Page;
use crate::problem::Problem;

/// The work of one kind that is ready or under way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Queue {
    kind: Kind,
    /// Whether no more of it is sent to workers.
    paused: bool,
    /// Tasks that wait for a worker.
    depth: u64,
    /// Tasks that a worker has.
    in_flight: u64,
    /// Seconds since the task that waits longest was queued; null when none waits.
    oldest_seconds: Option<f64>,
}

impl Queue {
    fn of(row: queues::Queue, now: DateTime<Utc>) -> Self {
        let age = |at: DateTime<Utc>| (now - at).num_milliseconds().max(0) as f64 / 1_000.0;
        Self {
            kind: row.kind,
            paused: row.paused,
            depth: row.depth,
            in_flight: row.in_flight,
            oldest_seconds: row.oldest.map(age),
        }
    }
}

impl App {
    /// All kinds.
    pub(crate) async fn queues(&self) -> Result<Vec<Queue>, Problem> {
        let now = self.api.clock.now();
        let rows = queues::list(&self.api.pool).await?;
        Ok(rows.into_iter().map(|row| Queue::of(row, now)).collect())
    }

    /// One kind.
    pub(crate) async fn queue(&self, kind: Kind) -> Result<Queue, Problem> {
        let queue = self.queues().await?.into_iter().find(|queue| queue.kind == kind);
        queue.ok_or_else(|| Problem::internal("a kind has no queue"))
    }
}

/// All kinds, in the order in which they follow on each other.
#[utoipa::path(
    get, path = "/v1/queues", tag = "operations", operation_id = "listQueues",
    summary = "What waits and runs of each kind",
    responses((status = 200, description = "All kinds", body = Page<Queue>)),
)]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<axum::Json<Page<Queue>>, Problem> {
    Ok(axum::Json(Page { items: app.queues().await?, next_cursor: None }))
}
