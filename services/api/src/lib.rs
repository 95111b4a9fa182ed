//! The product's HTTP and WebSocket surface: commands in, read tables and live streams out.
//!
//! Nothing is decided here. A request becomes a command of the domain (`commands`) or a look at the read
//! tables (`queries`); open streams (`live`) show the log as it grows.

mod access;

mod audit;
mod auth;
mod body;
mod caller;
mod change_request;
mod commands;
mod complaint;
mod cors;
mod crowd;
mod cursor;
mod describe;
mod edge;
mod execute;
mod external;
mod extract;
mod facades;
mod files;
mod headers;
mod json;
mod live;
mod metrics;
mod openapi;
mod pace;
mod place;
pub mod problem;
mod queries;
mod read;
mod room;
mod router;
mod serve;
mod shares;
mod tls;
mod transfer;
mod upload;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use infra::media::MediaFolder;
use infra::nats::Bus;
use infra::outbound::Outbound;
use infra::postgres::PgPool;
use infra::postgres::event_store::EventStore;
use infra::runtime::{CancellationToken, Clock};

use auth::Auth;
use tokio::sync::Semaphore;

pub use access::Access;
pub use auth::{AuthConfig, Connection, NewKey, Rates, Role, UnknownRole, is_sane_subject};
pub use crowd::Crowd;
pub use extract::BODY_LIMIT;
pub use openapi::document;
pub use room::Room;
pub use router::router;
pub use serve::{Listeners, run};
pub use tls::{Tls, TlsError};

/// Results of external nodes that are fetched at once, and so many frames of clients.
const FETCHES: usize = 4;
/// Results of external nodes that are brought at once.
const UPLOADS: usize = 32;

/// What the API works with.
#[derive(Debug, Clone)]
pub struct Api {
    /// The database, for the read tables and the log.
    pub pool: PgPool,
    /// Commands go here.
    pub store: EventStore,
    /// Live messages come from here.
    pub bus: Bus,
    /// Stored media.
    pub media: MediaFolder,
    /// Says which addresses webhooks may have, and fetches what external nodes made and what clients want clips of.
    pub outbound: Outbound,
    /// The time.
    pub clock: Clock,
    /// Who may ask.
    pub access: Access,
    /// Largest archive that may be brought here, in bytes.
    pub import_limit: u64,
    /// Whether those who develop clients get built-in shots.
    pub developer_mode: bool,
}

/// The API cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The listener does not accept connections any more.
    #[error("cannot accept connections: {0}")]
    Accept(#[source] std::io::Error),
}

/// A configured name makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An allowed host.
    #[error("{0:?} is not a host name or address; write it without scheme and port")]
    Host(String),
    /// A secret that can be guessed.
    #[error("{0} is too short to be a secret: use 32 random bytes or more")]
    Secret(&'static str),
    /// Where an issuer's keys are.
    #[error("auth.jwks_url: {0}")]
    Jwks(String),
    /// The address that we are reached at.
    #[error("{0:?} is not an address like https://films.example")]
    PublicUrl(String),
    /// An allowed origin.
    #[error("{0:?} is not an origin; write it like https://studio.example")]
    Origin(String),
}

/// What the handlers of one server share.
#[derive(Debug)]
struct App {
    api: Api,
    auth: Auth,
    metrics: metrics::Metrics,
    streams: Arc<live::Streams>,
    transfers: transfer::Transfers,
    decoders: upload::Decoders,
    /// What each caller and each address has open.
    holders: crowd::Holders,
    /// Turns to fetch what external nodes made.
    fetches: Arc<Semaphore>,
    pace: pace::Pace,
    /// Turns of large bodies to be read.
    bodies: body::Turns,
    /// Turns to fetch what clients want clips of, so that these keep no node waiting.
    frames: Semaphore,
    /// Turns of external nodes to bring theirs.
    uploads: Semaphore,
    /// The OpenAPI document, once somebody asked for it.
    document: OnceLock<Bytes>,
}

impl App {
    fn new(api: Api, shutdown: CancellationToken) -> Self {
        let streams = Arc::new(live::Streams::new(api.clone(), shutdown));
        let auth = Auth::new(api.access.auth().clone(), api.pool.clone(), api.clock.clone());
        Self {
            api,
            auth,
            metrics: metrics::Metrics::default(),
            streams,
            transfers: transfer::Transfers::default(),
            decoders: upload::Decoders::default(),
            holders: crowd::Holders::default(),
            fetches: Arc::new(Semaphore::new(FETCHES)),
            pace: pace::Pace::default(),
            bodies: body::Turns::default(),
            frames: Semaphore::new(FETCHES),
            uploads: Semaphore::new(UPLOADS),
            document: OnceLock::new(),
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.api.clock.now()
    }
}
