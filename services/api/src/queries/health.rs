//! `GET /healthz`, `GET /readyz`, and `GET /metrics` on the operators' listener.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use infra::postgres::{self, PostgresError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::problem::{FieldError, Problem};

/// Time for each part to answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// The process lives.
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "isAlive", summary = "Whether the process lives",
    responses((status = 200, description = "It does", body = Health)),
)]
pub(crate) async fn alive() -> axum::Json<Health> {
    axum::Json(Health { status: "ok" })
}

/// All that the process needs answers; otherwise 503, and which part does not.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "isReady", summary = "Whether all it needs answers",
    responses(
        (status = 200, description = "It does", body = Health),
        (status = 503, description = "not_ready"),
    ),
)]
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<axum::Json<Health>, Problem> {
    let api = &app.api;
    let database = tokio::time::timeout(PATIENCE, postgres::ready(&api.pool));
    let bus = tokio::time::timeout(PATIENCE, api.bus.ready());
    let media = tokio::time::timeout(PATIENCE, api.media.ready());
    let (database, bus, media) = tokio::join!(database, bus, media);
    let mut errors = Vec::new();
    let mut lacks = |field: &str, message: &str| {
        errors.push(FieldError { field: field.to_owned(), message: message.to_owned() });
    };
    match database {
        Ok(Ok(())) => {}
        Ok(Err(PostgresError::Corrupt(_))) => lacks("migrations", "the schema is older than the program"),
        Ok(Err(_)) | Err(_) => lacks("postgres", "does not answer, or has no schema yet"),
    }
    if !matches!(bus, Ok(Ok(()))) {
        lacks("nats", "does not answer");
    }
    if !matches!(media, Ok(Ok(()))) {
        lacks("media", "the folder cannot be reached");
    }
    if errors.is_empty() { Ok(axum::Json(Health { status: "ready" })) } else { Err(not_ready(errors)) }
}

fn not_ready(errors: Vec<FieldError>) -> Problem {
    let names: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    let detail = format!("not ready: {}", names.join(", "));
    Problem::unavailable("not_ready", detail).with_errors(errors)
}

/// The Prometheus text format.
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, content_type)], app.metrics.text(app.streams.watched())).into_response()
}
