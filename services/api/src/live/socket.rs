//! `GET /v1/projects/{id}/stream`: what happens in a project, over a WebSocket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, UPGRADE};
use axum::response::Response;
use domain::ids::ProjectId;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};

use super::feed::{End, Feed, Parameters};
use super::message::Plain;
use super::seat::Seat;
use crate::App;
use crate::auth::Identity;
use crate::extract::{Base, Path, Query};
use crate::problem::Problem;

/// Time for a client to take one message.
const SEND_PATIENCE: Duration = Duration::from_secs(20);
/// Time for a client to answer that the stream ends.
const FAREWELL: Duration = Duration::from_secs(2);
/// Clients have nothing to say here.
const INCOMING_LIMIT: usize = 4_096;
/// Bytes that each of them has to be read into; 128 KiB if we did not say.
const READ_BUFFER: usize = 512;

/// The stream starts with a snapshot, or with what the client has missed.
#[utoipa::path(
    get, path = "/v1/projects/{project}/stream", tag = "live", operation_id = "openStream",
    summary = "What happens, as it happens (WebSocket)", params(Parameters),
    responses(
        (status = 101, description = "Messages follow: snapshot, event, progress, ping, lagged"),
        (status = 426, description = "upgrade_required"),
        (status = 429, description = "too_many_streams"),
        (status = 503, description = "too_many_streams"),
    ),
)]
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    Query(parameters): Query<Parameters>,
    base: Base,
    identity: Identity,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| upgrade_required())?;
    let seat = app.seat(&identity, project).await?;
    let upgrade = for_listeners(upgrade);
    Ok(upgrade.on_upgrade(move |socket| attend(app, project, base, parameters.after, seat, socket)))
}

/// Little room for what clients say, as they only listen.
pub(crate) fn for_listeners(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.max_message_size(INCOMING_LIMIT).max_frame_size(INCOMING_LIMIT).read_buffer_size(READ_BUFFER)
}

/// What is answered to whoever asks without upgrading.
pub(crate) fn upgrade_required() -> Problem {
    Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", "this address speaks WebSocket only")
        .with_header(UPGRADE, HeaderValue::from_static("websocket"))
}

/// One stream from its first message to its end.
async fn attend(
    app: Arc<App>,
    project: ProjectId,
    base: Base,
    after: Option<u64>,
    seat: Seat,
    socket: WebSocket,
) {
    let (mut sink, mut incoming) = socket.split();
    let end = tokio::select! {
        end = talk(app, project, &base, after, seat, &mut sink) => end,
        () = until_closed(&mut incoming) => End::Gone,
    };
    tracing::debug!(%project, ?end, "a live stream ended");
    say_farewell(&mut sink, &end).await;
    let _ = tokio::time::timeout(FAREWELL, until_closed(&mut incoming)).await;
}

async fn talk(
    app: Arc<App>,
    project: ProjectId,
    base: &Base,
    after: Option<u64>,
    seat: Seat,
    sink: &mut SplitSink<WebSocket, Frame>,
) -> End {
    let mut feed = match Feed::start(app, project, base, after, seat).await {
        Ok(feed) => feed,
        Err(end) => return end,
    };
    loop {
        let shown = match feed.next().await {
            Ok(shown) => shown,
            Err(end) => return end,
        };
        let sending = sink.send(Frame::Text(shown.text));
        if !matches!(tokio::time::timeout(SEND_PATIENCE, sending).await, Ok(Ok(()))) {
            return End::Gone;
        }
    }
}

/// Reads, and with that answers pings, until the client closes.
async fn until_closed(incoming: &mut SplitStream<WebSocket>) {
    while let Some(Ok(frame)) = incoming.next().await {
        if matches!(frame, Frame::Close(_)) {
            return;
        }
    }
}

/// Says why, if the client still listens.
async fn say_farewell(sink: &mut SplitSink<WebSocket, Frame>, end: &End) {
    let (code, reason) = match end {
        End::Gone => return,
        End::Lagged => (close_code::AGAIN, "too slow"),
        End::Unreadable => (close_code::AGAIN, "the project cannot be read now"),
        End::Barred => (close_code::POLICY, "you may not look any more"),
        End::Shutdown => (close_code::AWAY, "the server ends"),
    };
    let close = Frame::Close(Some(CloseFrame { code, reason: reason.into() }));
    let farewell = async {
        if matches!(end, End::Lagged) {
            sink.feed(Frame::Text(Plain::Lagged.text())).await?;
        }
        sink.send(close).await
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}
