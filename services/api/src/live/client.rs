//! `GET /v1/projects/{id}/stream` (WebSocket): one open stream. Every event once, in order, whatever the
//! bus loses.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, UPGRADE};
use axum::response::Response;
use domain::ids::ProjectId;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use infra::postgres::tail;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;

use super::hub::Update;
use super::message::{Message, Plain};
use crate::App;
use crate::extract::{Base, Path, Query};
use crate::problem::Problem;

/// Streams at once.
const STREAMS: u64 = 4_096;
/// Most events that are sent to a stream that resumes; beyond that it gets a snapshot.
const RESUMABLE: u64 = 1_000;
/// Events that are read from the log at a time.
const PAGE: i64 = 200;
/// Time for a client to take one message.
const SEND_PATIENCE: Duration = Duration::from_secs(20);
/// Time for a client to answer that the stream ends.
const FAREWELL: Duration = Duration::from_secs(2);
/// Clients have nothing to say here.
const INCOMING_LIMIT: usize = 4_096;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// The version that the client has; it resumes after that.
    after: Option<u64>,
}

/// 101; the stream starts with a snapshot, or with what the client has missed.
#[utoipa::path(
    get, path = "/v1/projects/{project}/stream", tag = "live", operation_id = "openStream",
    summary = "What happens, as it happens (WebSocket)", params(Parameters),
    responses(
        (status = 101, description = "Messages follow: snapshot, event, progress, ping, lagged"),
        (status = 426, description = "upgrade_required"),
        (status = 503, description = "too_many_streams"),
    ),
)]
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    Query(parameters): Query<Parameters>,
    base: Base,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| upgrade_required())?;
    app.project_row(project).await?;
    if app.metrics.open_streams() >= STREAMS {
        return Err(Problem::unavailable("too_many_streams", "too many live streams are open"));
    }
    let upgrade = upgrade.max_message_size(INCOMING_LIMIT).max_frame_size(INCOMING_LIMIT);
    Ok(upgrade.on_upgrade(move |socket| attend(app, project, base, parameters.after, socket)))
}

fn upgrade_required() -> Problem {
    Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", "this address speaks WebSocket only")
        .with_header(UPGRADE, HeaderValue::from_static("websocket"))
}

/// Why a stream ends.
#[derive(Debug)]
enum End {
    /// The client is too slow.
    Lagged,
    /// The client has gone, or does not take what it is sent.
    Gone,
    /// What the stream starts with cannot be read.
    Unreadable,
    /// The server ends.
    Shutdown,
}

struct Client {
    app: Arc<App>,
    project: ProjectId,
    base: Base,
    sink: SplitSink<WebSocket, Frame>,
    /// The version that the client has.
    sent: u64,
}

/// One stream from its first message to its end.
async fn attend(app: Arc<App>, project: ProjectId, base: Base, after: Option<u64>, socket: WebSocket) {
    let _counted = app.metrics.stream();
    let _open = app.streams.token();
    // Subscribed first, and read then: what happens in between is in the queue.
    let updates = app.streams.join(project);
    let shutdown = app.streams.shutdown().clone();
    let (sink, mut incoming) = socket.split();
    let mut client = Client { app, project, base, sink, sent: 0 };
    let end = tokio::select! {
        end = client.talk(after, updates) => end,
        () = until_closed(&mut incoming) => End::Gone,
        () = shutdown.cancelled() => End::Shutdown,
    };
    tracing::debug!(%project, ?end, "a live stream ended");
    client.say_farewell(&end).await;
    let _ = tokio::time::timeout(FAREWELL, until_closed(&mut incoming)).await;
}

/// Reads, and with that answers pings, until the client closes.
async fn until_closed(incoming: &mut SplitStream<WebSocket>) {
    while let Some(Ok(frame)) = incoming.next().await {
        if matches!(frame, Frame::Close(_)) {
            return;
        }
    }
}

impl Client {
    async fn talk(&mut self, after: Option<u64>, mut updates: Receiver<Update>) -> End {
        if let Err(end) = self.begin(after).await {
            return end;
        }
        loop {
            let shown = match updates.recv().await {
                Ok(update) => self.show(update).await,
                Err(RecvError::Lagged(_)) => Err(End::Lagged),
                Err(RecvError::Closed) => Err(End::Shutdown),
            };
            if let Err(end) = shown {
                return end;
            }
        }
    }

    async fn begin(&mut self, after: Option<u64>) -> Result<(), End> {
        let head = self.app.api.store.load(self.project).await.map_err(|_| End::Unreadable)?.state.version;
        match after {
            Some(after) if after <= head && head - after <= RESUMABLE => self.sent = after,
            _ => self.send_snapshot().await?,
        }
        // The read tables may be a moment behind what the bus has said already.
        self.catch_up().await
    }

    async fn send_snapshot(&mut self) -> Result<(), End> {
        let unreadable = |problem: Problem| {
            tracing::debug!(code = problem.code, "no snapshot");
            End::Unreadable
        };
        let (version, project) = self.app.project(self.project, &self.base).await.map_err(unreadable)?;
        let tasks = self.app.recent_tasks(self.project, &self.base).await.map_err(unreadable)?;
        self.send(Plain::Snapshot { version, project: &project, tasks: &tasks }.text()).await?;
        self.sent = version;
        Ok(())
    }

    async fn show(&mut self, update: Update) -> Result<(), End> {
        match update {
            Update::Event { version, .. } if version <= self.sent => Ok(()),
            Update::Event { version, text: Some(text) } if version == self.sent + 1 => {
                self.send(text).await?;
                self.sent = version;
                Ok(())
            }
            Update::Event { .. } => self.catch_up().await,
            Update::Progress(text) => self.send(text).await,
            Update::Head { version, ping } => {
                if version > self.sent {
                    self.catch_up().await?;
                }
                if ping {
                    self.send(Plain::Ping { head: version.max(self.sent) }.text()).await
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Sends what the log has beyond what was sent. When it cannot be read now, the next message or the
    /// next look at the head shows the gap again.
    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            let page = match tail::read_stream(&self.app.api.pool, self.project, self.sent, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::debug!(project = %self.project, %error, "the log cannot be read now");
                    return Ok(());
                }
            };
            for recorded in &page {
                let event = recorded.to_public().map_err(|_| End::Unreadable)?;
                self.send(Message::Event { version: recorded.version, event: &event }.text()).await?;
                self.sent = recorded.version;
            }
            if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    async fn send(&mut self, text: Utf8Bytes) -> Result<(), End> {
        match tokio::time::timeout(SEND_PATIENCE, self.sink.send(Frame::Text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Says why, if the client still listens.
    async fn say_farewell(&mut self, end: &End) {
        let (code, reason) = match end {
            End::Gone => return,
            End::Lagged => (close_code::AGAIN, "too slow"),
            End::Unreadable => (close_code::AGAIN, "the project cannot be read now"),
            End::Shutdown => (close_code::AWAY, "the server ends"),
        };
        let close = Frame::Close(Some(CloseFrame { code, reason: reason.into() }));
        let farewell = async {
            if matches!(end, End::Lagged) {
                self.sink.feed(Frame::Text(Plain::Lagged.text())).await?;
            }
            self.sink.send(close).await
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}
