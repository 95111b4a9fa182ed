//! Leadership by lease: one process acts for a role at a time, by PostgreSQL's clock, and every write it
//! makes checks the epoch, so that one that was stopped and resumed does no harm.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use super::PostgresError;

/// How long a lease lasts without renewal.
pub const LEASE: Duration = Duration::from_secs(15);
/// How often it is renewed.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);

/// Proof of leadership that writes carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The role.
    pub role: &'static str,
    /// How often its leader has changed.
    pub epoch: i64,
}

/// Takes the role if nobody holds it, or renews it for its holder. `None` while another leads.
pub async fn take_or_renew(
    pool: &PgPool,
    role: &'static str,
    holder: Uuid,
) -> Result<Option<Fence>, PostgresError> {
    let epoch: Option<i64> = sqlx::query_scalar(
        "INSERT INTO leaderships AS l (role, holder, epoch, expires_at) \
         VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3)) \
         ON CONFLICT (role) DO UPDATE SET holder = $2, expires_at = excluded.expires_at, \
           epoch = CASE WHEN l.holder = $2 THEN l.epoch ELSE l.epoch + 1 END \
         WHERE l.holder = $2 OR l.expires_at < clock_timestamp() RETURNING epoch",
    )
    .bind(role)
    .bind(holder)
    .bind(LEASE.as_secs_f64())
    .fetch_optional(pool)
    .await
    .map_err(PostgresError::during("take a leadership"))?;
    Ok(epoch.map(|epoch| Fence { role, epoch }))
}

/// Gives the role up, so that another need not wait for the lease to end.
pub async fn release(pool: &PgPool, role: &str, holder: Uuid) -> Result<(), PostgresError> {
    sqlx::query("UPDATE leaderships SET expires_at = '-infinity' WHERE role = $1 AND holder = $2")
        .bind(role)
        .bind(holder)
        .execute(pool)
        .await
        .map_err(PostgresError::during("release a leadership"))?;
    Ok(())
}
