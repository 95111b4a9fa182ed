//! `GET /v1/projects/{id}/export`: the project in one ZIP file, streamed while it is made.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::ids::ProjectId;
use infra::archive::{ArchiveError, Export};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::film_download::disposition;
use crate::App;
use crate::auth::Identity;
use crate::extract::Path;
use crate::problem::Problem;
use crate::transfer::Pace;

/// What is sent at a time, in bytes.
const CHUNK: usize = 64 * 1024;
/// Chunks that wait for the client.
const WAITING: usize = 4;
/// Time for a client to take one.
const SEND_PATIENCE: Duration = Duration::from_secs(60);

/// 200 with the archive. One that ends without its list of files is not whole.
#[utoipa::path(
    get, path = "/v1/projects/{project}/export", tag = "history", operation_id = "exportProject",
    summary = "The project's history, media and film in one ZIP file",
    responses(
        (status = 200, description = "The archive", content_type = "application/zip", body = Vec<u8>,
            headers(("Content-Disposition"))),
        (status = 503, description = "too_many_transfers"),
    ),
)]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    identity: Identity,
) -> Result<Response, Problem> {
    let row = app.project_row(project).await?;
    let turn = (app.transfer_of(&identity)?, app.transfers.turn()?);
    let export =
        Export { pool: app.api.pool.clone(), media: app.api.media.clone(), project, version: row.version };
    let (chunks, mut sent) = mpsc::channel(WAITING);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let sink = ToClient { chunks: chunks.clone(), runtime: runtime.clone(), pace: Pace::default() };
        if let Err(error) = export.write(BufWriter::with_capacity(CHUNK, sink), &runtime) {
            tracing::warn!(%project, error = told(&error), "an export was not finished");
            // A stream that breaks is no archive; one that only ended might be taken for one.
            let last = chunks.send_timeout(Err(io::Error::other("the export failed")), SEND_PATIENCE);
            let _ = runtime.block_on(last);
        }
    });
    let chunks = async_stream::stream! {
        while let Some(chunk) = sent.recv().await {
            yield chunk;
        }
    };
    let mut response = Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    if let Ok(value) = HeaderValue::from_str(&disposition(&row.title, "zip")) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

fn told(error: &ArchiveError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

/// Writes into the answer, and waits for the client, but not for ever.
struct ToClient {
    chunks: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
    pace: Pace,
}

impl Write for ToClient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = Ok(Bytes::copy_from_slice(bytes));
        let asked = Instant::now();
        let sent = self.runtime.block_on(self.chunks.send_timeout(chunk, SEND_PATIENCE));
        match sent {
            Ok(()) if self.pace.goes_on(asked.elapsed(), bytes.len()) => Ok(bytes.len()),
            Ok(()) => Err(io::Error::other("the client takes it too slowly")),
            Err(_) => Err(io::Error::other("the client does not take it")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
