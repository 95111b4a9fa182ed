//! PostgreSQL: the event log, its readers, and the tables that are read.

pub mod access;
pub mod audit;
pub mod bench;
pub mod checkpoint;
pub mod command_log;
pub mod dead_letters;
pub mod deliveries;
pub mod dispatches;
pub mod event_store;
mod hot;
pub mod leadership;
pub mod media_names;
mod milestones;
pub mod past;
pub mod projection;
pub mod queues;
pub mod replay;
pub mod reports;
pub mod snapshot;
pub mod tail;
pub mod transfer;
pub mod views;
pub mod webhooks;

use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

pub use sqlx::PgPool;

/// A failed exchange with PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The database answered with an error, or not at all.
    #[error("PostgreSQL: could not {operation}")]
    Database {
        /// What was tried, for example `append events`.
        operation: &'static str,
        /// The library's error.
        #[source]
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("PostgreSQL: could not apply the migrations")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The database URL makes no sense.
    #[error("the database URL is not valid")]
    Url(#[source] sqlx::Error),
    /// A stored value is not what this program writes.
    #[error("PostgreSQL holds a value that cannot be read: {0}")]
    Corrupt(String),
    /// A newer version of the program wrote an event that this one does not know.
    #[error(
        "event {event_type} version {event_version} is unknown to this version of the program; upgrade it"
    )]
    UnknownEvent {
        /// The type.
        event_type: String,
        /// Its version.
        event_version: String,
    },
    /// This process no longer leads, so its write was refused.
    #[error("another process leads now")]
    LeadershipLost,
}

impl PostgresError {
    /// Names the operation that failed.
    pub(crate) fn during(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { operation, source }
    }
}

/// Time to be connected.
const PATIENCE: Duration = Duration::from_secs(3);
/// A connection is taken to be alive for so long after its last use.
const TRUSTED_FOR: Duration = Duration::from_millis(500);

/// Connects lazily with at most `connections` connections; `name` shows in `pg_stat_activity`.
pub fn connect(url: &str, connections: u32, name: &str) -> Result<PgPool, PostgresError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(PostgresError::Url)?
        .application_name(name)
        .options([("statement_timeout", "30000"), ("idle_in_transaction_session_timeout", "10000")]);
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        // A connection that was used a moment ago is not asked whether it is alive: that would double
        // the round trips of a command.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                let rested = meta.idle_for > TRUSTED_FOR;
                Ok(!rested || sqlx::Connection::ping(connection).await.is_ok())
            })
        })
        .connect_lazy_with(options);
    Ok(pool)
}

/// Brings the schema up to date. Safe to call from several processes at once.
pub async fn migrate(pool: &PgPool) -> Result<(), PostgresError> {
    match sqlx::migrate!("../../migrations").run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::Execute(sqlx::Error::PoolTimedOut)) => Err(why_silent(pool).await),
        Err(error) => Err(PostgresError::Migration(error)),
    }
}

/// A pool says only that it waited too long; an attempt beside it says why.
async fn why_silent(pool: &PgPool) -> PostgresError {
    let options = pool.connect_options();
    let source = match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(Err(error)) => error,
        Ok(Ok(_)) | Err(_) => sqlx::Error::PoolTimedOut,
    };
    PostgresError::Database { operation: "connect", source }
}

/// Whether PostgreSQL answers and its schema is the one this program needs.
pub async fn ready(pool: &PgPool) -> Result<(), PostgresError> {
    let newest: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
        .fetch_one(pool)
        .await
        .map_err(PostgresError::during("read the schema's version"))?;
    let wanted = sqlx::migrate!("../../migrations").iter().map(|migration| migration.version).max();
    if newest >= wanted {
        Ok(())
    } else {
        Err(PostgresError::Corrupt("the schema is older than the program".to_owned()))
    }
}
