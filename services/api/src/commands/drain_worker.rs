//! `POST /v1/workers/{name}/drain`: let a worker finish what it runs and take no more.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use domain::desk::DrainRequest;
use serde::Serialize;
use utoipa::ToSchema;

use super::NoParameters;
use crate::App;
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::queries::workers::no_engine;

/// The worker is told with its next sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Draining {
    name: String,
    draining: bool,
}

/// 202; a worker that is started again takes jobs again.
#[utoipa::path(
    post, path = "/v1/workers/{worker}/drain", tag = "operations", operation_id = "drainWorker",
    summary = "Let a worker finish and take no more", request_body = Option<NoParameters>,
    responses(
        (status = 202, description = "It is told with its next sign of life", body = Draining),
        (status = 404, description = "worker_not_found"),
        (status = 503, description = "engine_unavailable"),
    ),
)]
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    Path(worker): Path<String>,
    _: Json<NoParameters>,
) -> Result<(StatusCode, axum::Json<Draining>), Problem> {
    let reply = app.api.bus.drain(&DrainRequest { worker: worker.clone() }).await.map_err(no_engine)?;
    if !reply.known {
        return Err(Problem::not_found("worker_not_found", "no worker of that name lives"));
    }
    Ok((StatusCode::ACCEPTED, axum::Json(Draining { name: worker, draining: true })))
}
