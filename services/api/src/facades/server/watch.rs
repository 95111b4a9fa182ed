//! `GET /tasks/{id}/wss`: a task at once and after every change, until it has ended.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use domain::ids::TaskId;
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::App;
use crate::auth::Identity;
use crate::extract::{Base, Path};
use crate::facades::watch::{Form, Watch};
use crate::live::{Socket, Upgrade, say};
use crate::problem::Problem;

/// Time for a client to take the last message.
const FAREWELL: Duration = Duration::from_secs(2);

pub(super) async fn open(
    State(app): State<Arc<App>>,
    Path(task): Path<TaskId>,
    base: Base,
    identity: Identity,
    upgrade: Result<Upgrade, Problem>,
) -> Result<Response, Problem> {
    app.task_row(task).await?;
    let (upgrade, streams) = (upgrade?, app.streams.clone());
    let watch = Watch::start(app, &identity, task, (base, Form::Server)).await?;
    Ok(streams.open(upgrade, move |socket| attend(watch, socket)))
}

async fn attend(mut watch: Watch, mut socket: Socket) {
    show(&mut watch, &mut socket).await;
    let code = match (watch.has_ended(), watch.is_over()) {
        (true, _) => CloseCode::Normal,
        (false, true) => CloseCode::Policy,
        (false, false) => CloseCode::Away,
    };
    let close = Message::Close(Some(CloseFrame { code, reason: "".into() }));
    let _ = tokio::time::timeout(FAREWELL, socket.send(close)).await;
}

/// Shows the task until it has ended, or the client has gone.
async fn show(watch: &mut Watch, socket: &mut Socket) {
    loop {
        let news = tokio::select! {
            news = watch.next() => news,
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        match news {
            Some(task) if say(socket, task.to_string().into()).await.is_ok() => {}
            _ => return,
        }
    }
}
