//! `POST /v1/projects/import`: a project from an archive that was exported elsewhere.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use axum::response::{IntoResponse, Response};
use domain::ids::ProjectId;
use domain::metadata::Context;
use domain::project::Asks;
use infra::archive::{Importer, Limits};
use infra::postgres::event_store::Receipt;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::App;
use crate::body::declared_length;
use crate::caller::{Caller, etag};
use crate::extract::Base;
use crate::json::Project;
use crate::problem::Problem;
use crate::read::WRITE_PATIENCE;
use crate::transfer::Arriving;

/// Where it is asked for; it may take longer than other requests.
pub(crate) const ROUTE: &str = "/v1/projects/import";
/// Most events of an archive: everybody else's changes are read only after them.
const EVENTS: u64 = 50_000;
/// The read tables take a twentieth of this for an event of a long history, on a machine that has time.
const AN_EVENT_IS_READ_IN: Duration = Duration::from_millis(1);
/// An archive may unpack to so many times the size that it may have.
const UNPACKED: u64 = 4;

/// 201 with the project, under the id that it had; the same `Idempotency-Key` again answers the same.
#[utoipa::path(
    post, path = "/v1/projects/import", tag = "history", operation_id = "importProject",
    summary = "Bring a project here that was exported elsewhere, of 50,000 events at most; nothing that was open there runs here",
    params(Caller), request_body(content = Vec<u8>, content_type = "application/zip"),
    responses(
        (status = 201, description = "The project", body = Project, headers(("Location"), ("ETag"))),
        (status = 409, description = "project_exists, id_taken"),
        (status = 422, description = "invalid_archive"),
        (status = 503, description = "too_many_transfers"),
    ),
)]
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    base: Base,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    check_type(&headers)?;
    let limit = app.api.import_limit;
    if declared_length(&headers).is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    app.check_room(&caller, ProjectId(Uuid::nil()), Asks::Project).await?;
    let _share = app.transfer_of(&caller.identity)?;
    let arriving = app.transfers.arrival()?;
    let (file, digest) = receive(&app, body, limit).await?;
    drop(arriving);
    let turn = app.transfers.turn_to_read().await?;
    let context = caller.context(app.api.clock.now(), digest);
    let receipt = match app.repeated(&caller, digest).await? {
        Some(first) => first.receipt,
        None => app.import(file, context, limit).await?,
    };
    drop(turn);
    let patience = WRITE_PATIENCE
        + AN_EVENT_IS_READ_IN.saturating_mul(u32::try_from(receipt.version).unwrap_or(u32::MAX));
    app.wait_until(receipt.project, receipt.version, patience).await?;
    let (version, project) = app.project(receipt.project, &base).await?;
    let headers = [(LOCATION, format!("/v1/projects/{}", receipt.project)), etag(version)];
    Ok((StatusCode::CREATED, headers, axum::Json(project)).into_response())
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/zip" {
        return Ok(());
    }
    let detail = "the body must be an archive, and its Content-Type application/zip";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
}

fn too_large(limit: u64) -> Problem {
    let detail = format!("an archive may have {limit} bytes at most here");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
}

/// The body in a file that nobody else can see, and its SHA-256.
async fn receive(app: &App, body: Body, limit: u64) -> Result<(File, [u8; 32]), Problem> {
    let mut file = app.api.media.scratch()?;
    let mut arriving = Arriving::new(body);
    let (mut hasher, mut length) = (Sha256::new(), 0);
    while let Some(piece) = arriving.piece().await? {
        length += piece.len() as u64;
        if length > limit {
            return Err(too_large(limit));
        }
        hasher.update(&piece);
        let written = tokio::task::spawn_blocking(move || file.write_all(&piece).map(|()| file)).await;
        file = written.map_err(|error| Problem::internal(error.to_string()))?.map_err(|error| {
            Problem::unavailable("media_unavailable", "there is no room for the archive")
                .because(error.to_string())
        })?;
    }
    Ok((file, hasher.finalize().into()))
}

impl App {
    async fn import(&self, file: File, context: Context, limit: u64) -> Result<Receipt, Problem> {
        let importer = Importer {
            pool: self.api.pool.clone(),
            store: self.api.store.clone(),
            media: self.api.media.clone(),
            limits: Limits { events: EVENTS, unpacked_bytes: limit.saturating_mul(UNPACKED) },
        };
        let runtime = Handle::current();
        let importing = tokio::task::spawn_blocking(move || importer.import(file, &context, &runtime));
        let receipt = importing.await.map_err(|error| Problem::internal(error.to_string()))??;
        let _ = tokio::time::timeout(Duration::from_millis(50), self.api.bus.wake()).await;
        Ok(receipt)
    }
}
