//! NATS: jobs, requests to the desk, and live messages. A bus that can be rebuilt from the log.

mod consume;
mod live;
mod publish;
mod pull;
mod request;
pub mod subject;
mod topology;

use std::time::Duration;

use async_nats::{ConnectErrorKind, jetstream};
use tokio::sync::watch;

pub use consume::{DeadJob, DeadJobs, JobMessage, JobQueue};
pub use live::{LiveMessage, LiveSubscription, WakeSubscription};
pub use publish::Sent;
pub use request::{DeskRequest, DeskSubscription, ReplyTo};
pub use topology::TopologyError;

/// How the client connects tells passwords, so that is not logged whatever is asked for.
pub(crate) const SECRETIVE: &str = "async_nats::connector=info";
/// How long the server has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A failed exchange with NATS.
#[derive(Debug, thiserror::Error)]
#[error("NATS: could not {operation}: {reason}")]
pub struct BusError {
    /// What was tried.
    pub operation: &'static str,
    /// The client's words.
    pub reason: String,
}

impl BusError {
    pub(crate) fn during<E: std::fmt::Display>(operation: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self { operation, reason: error.to_string() }
    }
}

/// A connection to NATS. Clones share it; it reconnects for ever by itself.
#[derive(Debug, Clone)]
pub struct Bus {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    /// Counts the times that the connection was made, again or for the first time.
    connections: watch::Receiver<u64>,
}

impl Bus {
    /// Connects; `name` shows in the server's list of connections. Credentials come in the URL. A server that
    /// is away is connected to when it is there.
    ///
    /// # Errors
    /// [`BusError`] for what waiting does not mend: a URL that makes no sense, or credentials that are refused.
    pub async fn connect(url: &str, name: &str) -> Result<Self, BusError> {
        let server: async_nats::ServerAddr = url.parse().map_err(BusError::during("read the URL"))?;
        let options = match (server.username(), server.password()) {
            (Some(user), Some(password)) => {
                // A user may be allowed to hear its own answers alone.
                async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
                    .custom_inbox_prefix(subject::inbox(user))
            }
            _ => async_nats::ConnectOptions::new(),
        };
        let (connected, connections) = watch::channel(0);
        let options = options
            .name(name)
            .max_reconnects(None)
            .ping_interval(Duration::from_secs(10))
            .reconnect_delay_callback(|attempts| {
                Duration::from_millis(20_u64.saturating_mul(1 << attempts.min(6)).min(1_000))
            })
            .event_callback(move |event| {
                // A refused publish shows only here.
                tracing::info!(%event, "NATS");
                if matches!(event, async_nats::Event::Connected) {
                    connected.send_modify(|times| *times += 1);
                }
                std::future::ready(())
            });
        let client = match options.clone().connect(server.clone()).await {
            Err(error) if is_away(error.kind()) => {
                tracing::warn!(%error, "NATS is away; it is connected to when it is there");
                options.retry_on_initial_connect().connect(server).await
            }
            connected => connected,
        };
        let client = client.map_err(BusError::during("connect"))?;
        let jetstream =
            jetstream::ContextBuilder::new().timeout(PATIENCE).ack_timeout(PATIENCE).build(client.clone());
        Ok(Self { client, jetstream, connections })
    }

    /// Whether there is a connection at this moment.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Whether the server answers.
    pub async fn ready(&self) -> Result<(), BusError> {
        self.jetstream.query_account().await.map(drop).map_err(BusError::during("reach JetStream"))
    }

    /// Sends what is buffered. While there is no connection this waits, and gives up after a while.
    pub async fn flush(&self) -> Result<(), BusError> {
        tokio::time::timeout(PATIENCE, self.client.flush())
            .await
            .map_err(BusError::during("flush"))?
            .map_err(BusError::during("flush"))
    }
}

/// Whether waiting may help against a failed connection.
fn is_away(kind: ConnectErrorKind) -> bool {
    match kind {
        ConnectErrorKind::Dns | ConnectErrorKind::TimedOut | ConnectErrorKind::Io => true,
        ConnectErrorKind::ServerParse
        | ConnectErrorKind::Authentication
        | ConnectErrorKind::AuthorizationViolation
        | ConnectErrorKind::Tls
        | ConnectErrorKind::MaxReconnects => false,
    }
}
