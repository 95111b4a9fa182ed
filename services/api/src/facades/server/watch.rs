//! `GET /tasks/{id}/wss`: a task at once and after every change, until it has ended.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use domain::ids::TaskId;
use serde_json::Value;

use crate::App;
use crate::auth::Identity;
use crate::extract::{Base, Path};
use crate::facades::watch::{Form, Watch};
use crate::live::{for_listeners, upgrade_required};
use crate::problem::Problem;

/// Time for a client to take one message.
const SEND_PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn open(
    State(app): State<Arc<App>>,
    Path(task): Path<TaskId>,
    base: Base,
    identity: Identity,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    app.task_row(task).await?;
    let upgrade = upgrade.map_err(|_| upgrade_required())?;
    let watch = Watch::start(app, &identity, task, (base, Form::Server)).await?;
    Ok(for_listeners(upgrade).on_upgrade(move |socket| attend(watch, socket)))
}

async fn attend(mut watch: Watch, mut socket: WebSocket) {
    show(&mut watch, &mut socket).await;
    let code = match (watch.has_ended(), watch.is_over()) {
        (true, _) => close_code::NORMAL,
        (false, true) => close_code::POLICY,
        (false, false) => close_code::AWAY,
    };
    let close = Message::Close(Some(CloseFrame { code, reason: "".into() }));
    let _ = tokio::time::timeout(SEND_PATIENCE, socket.send(close)).await;
}

/// Shows the task until it has ended, or the client has gone.
async fn show(watch: &mut Watch, socket: &mut WebSocket) {
    loop {
        let news = tokio::select! {
            news = watch.next() => news,
            incoming = socket.recv() => match incoming {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        match news {
            Some(task) if say(socket, &task).await => {}
            _ => return,
        }
    }
}

async fn say(socket: &mut WebSocket, task: &Value) -> bool {
    let sending = socket.send(Message::Text(task.to_string().into()));
    matches!(tokio::time::timeout(SEND_PATIENCE, sending).await, Ok(Ok(())))
}
