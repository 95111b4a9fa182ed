//! `GET /v1/projects/{id}/stream`: what happens in a project, over a WebSocket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use domain::ids::ProjectId;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::feed::{End, Feed, Parameters};
use super::message::Plain;
use super::seat::Seat;
use super::upgrade::{Socket, Upgrade, say};
use crate::App;
use crate::auth::Identity;
use crate::extract::{Base, Path, Query};
use crate::problem::Problem;

/// Time for a client to take one message, however large.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time for a client to answer that the stream ends.
const FAREWELL: Duration = Duration::from_secs(2);

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
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let seat = app.seat(&identity, project).await?;
    let streams = app.streams.clone();
    Ok(streams.open(upgrade, move |socket| attend(app, project, base, parameters.after, seat, socket)))
}

/// One stream from its first message to its end.
async fn attend(
    app: Arc<App>,
    project: ProjectId,
    base: Base,
    after: Option<u64>,
    seat: Seat,
    socket: Socket,
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
    sink: &mut SplitSink<Socket, Message>,
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
        if !matches!(tokio::time::timeout(PATIENCE, say(sink, shown.text)).await, Ok(Ok(()))) {
            return End::Gone;
        }
    }
}

/// Reads, and with that answers pings, until the client closes.
async fn until_closed(incoming: &mut SplitStream<Socket>) {
    while let Some(Ok(frame)) = incoming.next().await {
        if matches!(frame, Message::Close(_)) {
            return;
        }
    }
}

/// Says why, if the client still listens.
async fn say_farewell(sink: &mut SplitSink<Socket, Message>, end: &End) {
    let (code, reason) = match end {
        End::Gone => return,
        End::Lagged => (CloseCode::Again, "too slow"),
        End::Unreadable => (CloseCode::Again, "the project cannot be read now"),
        End::Barred => (CloseCode::Policy, "you may not look any more"),
        End::Shutdown => (CloseCode::Away, "the server ends"),
    };
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    let farewell = async {
        if matches!(end, End::Lagged) {
            say(sink, Plain::Lagged.text()).await?;
        }
        sink.send(close).await
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}
