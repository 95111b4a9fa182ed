//! The plainest way to tell many WebSocket clients the same: axum, and a broadcast channel. What the system's own
//! streams are compared with.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use infra::runtime::{CancellationToken, Lifecycle};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, Receiver, Sender};

use crate::exit::Failed;

/// Messages that a client may be behind.
const BACKLOG: usize = 64;

/// A running server.
pub(super) struct Bare {
    address: SocketAddr,
    sender: Sender<Utf8Bytes>,
    lifecycle: Lifecycle,
}

#[derive(Clone)]
struct Hall {
    sender: Sender<Utf8Bytes>,
    shutdown: CancellationToken,
}

impl Bare {
    pub(super) async fn start() -> Result<Self, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Failed::because)?;
        let address = listener.local_addr().map_err(Failed::because)?;
        let listener = listener.tap_io(|stream| {
            // Without it, it is only slower.
            let _ = stream.set_nodelay(true);
        });
        let (sender, _) = broadcast::channel(BACKLOG);
        let lifecycle = Lifecycle::default();
        let hall = Hall { sender: sender.clone(), shutdown: lifecycle.shutdown().clone() };
        let router = Router::new().route("/", any(open)).with_state(hall);
        let ended = lifecycle.shutdown().clone().cancelled_owned();
        lifecycle.spawn("the bare server", async {
            axum::serve(listener, router).with_graceful_shutdown(ended).await
        });
        Ok(Self { address, sender, lifecycle })
    }

    pub(super) fn stream(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// Sends this to all.
    pub(super) fn send(&self, text: Utf8Bytes) {
        // It fails only when nobody listens.
        let _ = self.sender.send(text);
    }

    pub(super) async fn stop(self) -> Result<(), Failed> {
        self.lifecycle.shutdown().cancel();
        self.lifecycle.ended(super::PATIENCE).await.map_err(Failed::because)
    }
}

async fn open(State(hall): State<Hall>, upgrade: WebSocketUpgrade) -> Response {
    let receiver = hall.sender.subscribe();
    upgrade.on_upgrade(move |socket| async move {
        tokio::select! {
            () = tell(socket, receiver) => {}
            () = hall.shutdown.cancelled() => {}
        }
    })
}

async fn tell(mut socket: WebSocket, mut receiver: Receiver<Utf8Bytes>) {
    let mut next = Ok(Utf8Bytes::from_static("welcome"));
    while let Ok(text) = next {
        if socket.send(Message::Text(text)).await.is_err() {
            return;
        }
        next = receiver.recv().await;
    }
}
