//! `GET /tasks/{id}/wss`: a task at once and after every change, until it has ended.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use domain::ids::{ProjectId, TaskId};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::view;
use crate::App;
use crate::auth::Identity;
use crate::extract::{Base, Path};
use crate::live::{Seat, Update, upgrade_required};
use crate::problem::Problem;

/// Time for a client to take one message.
const SEND_PATIENCE: Duration = Duration::from_secs(20);
/// Clients have nothing to say here.
const INCOMING_LIMIT: usize = 4_096;

pub(super) async fn open(
    State(app): State<Arc<App>>,
    Path(task): Path<TaskId>,
    base: Base,
    identity: Identity,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let project = app.task_row(task).await?.project_id;
    let upgrade = upgrade.map_err(|_| upgrade_required())?;
    let seat = app.seat(&identity, project).await?;
    let upgrade = upgrade.max_message_size(INCOMING_LIMIT).max_frame_size(INCOMING_LIMIT);
    Ok(upgrade.on_upgrade(move |socket| attend(Watch { app, project, task, base, seat }, socket)))
}

struct Watch {
    app: Arc<App>,
    project: ProjectId,
    task: TaskId,
    base: Base,
    seat: Seat,
}

async fn attend(watch: Watch, mut socket: WebSocket) {
    let shutdown = watch.app.streams.shutdown().clone();
    let code = tokio::select! {
        ended = watch.show(&mut socket) => if ended { close_code::NORMAL } else { close_code::AWAY },
        () = watch.seat.end().cancelled() => close_code::POLICY,
        () = shutdown.cancelled() => close_code::AWAY,
    };
    let close = Message::Close(Some(CloseFrame { code, reason: "".into() }));
    let _ = tokio::time::timeout(SEND_PATIENCE, socket.send(close)).await;
}

impl Watch {
    /// Shows the task until it has ended; `false` when something else did.
    async fn show(&self, socket: &mut WebSocket) -> bool {
        // Subscribed first, and read then: what happens in between is in the queue.
        let mut updates = self.app.streams.join(self.project);
        let mut shown = Value::Null;
        loop {
            let Ok(task) = view::task(&self.app, self.task, &self.base).await else { return false };
            if task != shown && !say(socket, &task).await {
                return false;
            }
            if matches!(task["status"].as_str(), Some("finished" | "failed" | "cancelled")) {
                return true;
            }
            shown = task;
            if !self.until_changed(socket, &mut updates, &mut shown).await {
                return false;
            }
        }
    }

    /// Waits until the task may have changed, and shows its progress meanwhile.
    async fn until_changed(
        &self,
        socket: &mut WebSocket,
        updates: &mut Receiver<Update>,
        shown: &mut Value,
    ) -> bool {
        let own = self.task.to_string();
        loop {
            let update = tokio::select! {
                update = updates.recv() => update,
                incoming = socket.recv() => match incoming {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return false,
                    Some(Ok(_)) => continue,
                },
            };
            match update {
                Ok(Update::Event { text: Some(text), .. }) if !text.contains(&own) => {}
                Ok(Update::Event { version, .. }) => {
                    // Otherwise the next look at the head shows it.
                    let _ = self.app.wait_until_read(self.project, version).await;
                    return true;
                }
                Ok(Update::Progress(text)) if text.contains(&own) => {
                    let report: Value = serde_json::from_str(&text).unwrap_or_default();
                    let mut task = shown.clone();
                    task["progress"] = json!(report["progress"].as_u64().unwrap_or(0));
                    task["message"] = json!(report["message"].as_str().unwrap_or_default());
                    if !say(socket, &task).await {
                        return false;
                    }
                }
                Ok(Update::Progress(_)) => {}
                Ok(Update::Head { .. }) | Err(RecvError::Lagged(_)) => return true,
                Err(RecvError::Closed) => return false,
            }
        }
    }
}

async fn say(socket: &mut WebSocket, task: &Value) -> bool {
    let sending = socket.send(Message::Text(task.to_string().into()));
    matches!(tokio::time::timeout(SEND_PATIENCE, sending).await, Ok(Ok(())))
}
