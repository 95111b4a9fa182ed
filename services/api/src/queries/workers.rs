//! `GET /v1/workers`: who works on what. The engine that leads knows it; nobody else does.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use domain::desk::WorkerState;
use domain::ids::{ProjectId, TaskId};
use domain::job::Kind;
use infra::nats::BusError;
use infra::postgres::tail::rfc3339_millis;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::json::Page;
use crate::problem::Problem;

/// A worker that lives.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Worker {
    name: String,
    /// How many jobs of each kind it can run at once.
    slots: BTreeMap<Kind, u32>,
    running: Vec<RunningTask>,
    /// Whether it finishes what it runs and takes no more.
    draining: bool,
    /// When it was last heard of.
    #[serde(serialize_with = "rfc3339_millis")]
    seen_at: DateTime<Utc>,
}

/// What a worker runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RunningTask {
    project_id: ProjectId,
    task_id: TaskId,
}

impl Worker {
    fn of(state: WorkerState, now: DateTime<Utc>) -> Self {
        let running = state.running.into_iter();
        let silent = TimeDelta::try_milliseconds(i64::try_from(state.silent_ms).unwrap_or(0));
        Self {
            name: state.name,
            slots: state.slots,
            running: running.map(|job| RunningTask { project_id: job.project, task_id: job.task }).collect(),
            draining: state.draining,
            seen_at: now - silent.unwrap_or_default(),
        }
    }
}

/// Nobody leads, or the bus is down.
pub(crate) fn no_engine(error: BusError) -> Problem {
    let detail = "no engine answers at the moment; ask again";
    Problem::unavailable("engine_unavailable", detail).because(error.to_string())
}

/// All workers that live, by name.
#[utoipa::path(
    get, path = "/v1/workers", tag = "operations", operation_id = "listWorkers", summary = "Who works on what",
    responses(
        (status = 200, description = "All workers that live, by name", body = Page<Worker>),
        (status = 503, description = "engine_unavailable"),
    ),
)]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<axum::Json<Page<Worker>>, Problem> {
    let workers = app.api.bus.workers().await.map_err(no_engine)?;
    let now = app.api.clock.now();
    let items = workers.into_iter().map(|worker| Worker::of(worker, now)).collect();
    Ok(axum::Json(Page { items, next_cursor: None }))
}
