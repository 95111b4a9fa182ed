//! What waits and runs of each kind, and the table `paused_kinds`: which kinds the dispatcher sends no more
//! of for now.

use chrono::{DateTime, Utc};
use domain::job::Kind;
use sqlx::{PgPool, Row};

use super::PostgresError;

/// The work of one kind that is ready or under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The kind.
    pub kind: Kind,
    /// Whether no more of it is sent.
    pub paused: bool,
    /// Tasks that wait for a worker.
    pub depth: u64,
    /// Tasks that a worker has.
    pub in_flight: u64,
    /// When the task that waits longest was queued.
    pub oldest: Option<DateTime<Utc>>,
}

/// All kinds in their usual order.
pub async fn list(pool: &PgPool) -> Result<Vec<Queue>, PostgresError> {
    let rows = sqlx::query(
        "SELECT k.kind, EXISTS (SELECT 1 FROM paused_kinds p WHERE p.kind = k.kind) AS paused, \
           count(d.task_id) FILTER (WHERE t.status IS DISTINCT FROM 'processing') AS depth, \
           count(d.task_id) FILTER (WHERE t.status = 'processing') AS in_flight, \
           min(d.queued_at) FILTER (WHERE t.status IS DISTINCT FROM 'processing') AS oldest \
         FROM unnest($1::text[]) WITH ORDINALITY AS k(kind, place) \
         LEFT JOIN dispatches d ON d.kind = k.kind LEFT JOIN tasks t ON t.id = d.task_id \
         GROUP BY k.kind, k.place ORDER BY k.place",
    )
    .bind(Kind::ALL.into_iter().map(Kind::as_str).collect::<Vec<_>>())
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("look at the queues"))?;
    rows.iter().map(read).collect()
}

/// Sends no more of a kind. Doing it twice changes nothing.
pub async fn pause(pool: &PgPool, kind: Kind) -> Result<(), PostgresError> {
    let paused = sqlx::query("INSERT INTO paused_kinds (kind) VALUES ($1) ON CONFLICT DO NOTHING");
    paused.bind(kind.as_str()).execute(pool).await.map(drop).map_err(PostgresError::during("pause a kind"))
}

/// Sends a kind again. Doing it twice changes nothing.
pub async fn resume(pool: &PgPool, kind: Kind) -> Result<(), PostgresError> {
    let resumed = sqlx::query("DELETE FROM paused_kinds WHERE kind = $1").bind(kind.as_str());
    resumed.execute(pool).await.map(drop).map_err(PostgresError::during("resume a kind"))
}

fn read(row: &sqlx::postgres::PgRow) -> Result<Queue, PostgresError> {
    let count = |column| u64::try_from(row.get::<i64, _>(column)).unwrap_or(0);
    Ok(Queue {
        kind: row.get::<String, _>("kind").parse().map_err(PostgresError::Corrupt)?,
        paused: row.get("paused"),
        depth: count("depth"),
        in_flight: count("in_flight"),
        oldest: row.get("oldest"),
    })
}
