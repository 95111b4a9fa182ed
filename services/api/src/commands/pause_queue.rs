//! `POST /v1/queues/{kind}/pause` and `…/resume`: send workers no more jobs of a kind for now.

use std::sync::Arc;

use axum::extract::State;
use domain::job::Kind;
use infra::postgres::queues;

use super::NoParameters;
use crate::App;
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::queries::queues::Queue;

/// 200 with the kind. What was sent to workers already is still done.
#[utoipa::path(
    post, path = "/v1/queues/{kind}/pause", tag = "operations", operation_id = "pauseQueue",
    summary = "Send no more jobs of a kind", request_body = Option<NoParameters>,
    responses((status = 200, description = "The kind, paused", body = Queue)),
)]
pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    Path(kind): Path<Kind>,
    _: Json<NoParameters>,
) -> Result<axum::Json<Queue>, Problem> {
    queues::pause(&app.api.pool, kind).await?;
    Ok(axum::Json(app.queue(kind).await?))
}

/// 200 with the kind.
#[utoipa::path(
    post, path = "/v1/queues/{kind}/resume", tag = "operations", operation_id = "resumeQueue",
    summary = "Send jobs of a kind again", request_body = Option<NoParameters>,
    responses((status = 200, description = "The kind, not paused", body = Queue)),
)]
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    Path(kind): Path<Kind>,
    _: Json<NoParameters>,
) -> Result<axum::Json<Queue>, Problem> {
    queues::resume(&app.api.pool, kind).await?;
    Ok(axum::Json(app.queue(kind).await?))
}
