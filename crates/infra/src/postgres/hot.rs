//! Connections for what is done thousands of times a second.
//!
//! The pool pings a connection each time it comes back (sqlx 0.8), which is a second round trip for a
//! one-statement command. Connections that are in steady use are therefore kept beside the pool, newest
//! first, and go back to it only when something went wrong with them.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::time::Instant;

use super::{PostgresError, TRUSTED_FOR};

/// Kept at most; the pool has some more, for everybody else.
const KEPT: usize = 14;

/// A pool with a few connections at hand.
#[derive(Debug, Clone)]
pub(super) struct HotConnections {
    pool: PgPool,
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// A connection and when it was last used.
type Kept = (PoolConnection<Postgres>, Instant);

impl HotConnections {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, kept: Arc::default() }
    }

    /// A connection. Whoever is done with it, and had no error, gives it to [`Self::keep`].
    pub(super) async fn take(&self) -> Result<PoolConnection<Postgres>, PostgresError> {
        let newest = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match newest {
            Some((connection, used)) if used.elapsed() < TRUSTED_FOR => Ok(connection),
            // One that has rested goes by way of the pool, which asks whether it is alive.
            rested => {
                drop(rested);
                self.pool.acquire().await.map_err(PostgresError::during("connect"))
            }
        }
    }

    /// Lets go of all, so that the pool can be closed: it waits for those that are away from it.
    pub(super) fn clear(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn keep(&self, connection: PoolConnection<Postgres>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT && !self.pool.is_closed() {
            kept.push((connection, Instant::now()));
        }
    }
}
