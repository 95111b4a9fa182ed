//! The table `dead_letters`: jobs that could not be handled, for operators.

use chrono::{DateTime, Utc};
use domain::desk::Job;
use domain::ids::{ProjectId, TaskId};
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::PostgresError;
use super::leadership::Fence;

/// A job that could not be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id.
    pub id: Uuid,
    /// Its project.
    pub project: ProjectId,
    /// Its task.
    pub task: TaskId,
    /// The task's kind, `unknown` when nobody knew it.
    pub kind: String,
    /// Why it could not be handled.
    pub reason: String,
    /// How often it was delivered.
    pub deliveries: u64,
    /// When it was given up.
    pub recorded_at: DateTime<Utc>,
    /// When its task was last queued again by somebody.
    pub replayed_at: Option<DateTime<Utc>>,
}

/// Keeps a job that could not be handled. The same `id` again changes nothing.
pub async fn add(
    pool: &PgPool,
    id: Uuid,
    job: Job,
    reason: &str,
    deliveries: u64,
    fence: &Fence,
) -> Result<(), PostgresError> {
    let leads: bool = sqlx::query_scalar(
        "WITH leads AS (SELECT 1 FROM leaderships WHERE role = $6 AND epoch = $7), \
         kept AS (INSERT INTO dead_letters (id, project_id, task_id, kind, reason, deliveries) \
           SELECT $1, $2, $3, COALESCE((SELECT kind FROM tasks WHERE id = $3), 'unknown'), $4, $5 FROM leads \
           ON CONFLICT (id) DO NOTHING) \
         SELECT EXISTS (SELECT 1 FROM leads)",
    )
    .bind(id)
    .bind(job.project.0)
    .bind(job.task.0)
    .bind(reason)
    .bind(i64::try_from(deliveries).unwrap_or(i64::MAX))
    .bind(fence.role)
    .bind(fence.epoch)
    .fetch_one(pool)
    .await
    .map_err(PostgresError::during("keep a dead letter"))?;
    if leads { Ok(()) } else { Err(PostgresError::LeadershipLost) }
}

/// Dead letters, newest first, before `(recorded_at, id)`.
pub async fn list(
    pool: &PgPool,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<DeadLetter>, PostgresError> {
    let rows = sqlx::query(
        "SELECT * FROM dead_letters WHERE $1::timestamptz IS NULL OR (recorded_at, id) < ($1, $2) \
         ORDER BY recorded_at DESC, id DESC LIMIT $3",
    )
    .bind(before.map(|(at, _)| at))
    .bind(before.map(|(_, id)| id))
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("list dead letters"))?;
    Ok(rows.iter().map(read).collect())
}

/// One dead letter.
pub async fn find(pool: &PgPool, id: Uuid) -> Result<Option<DeadLetter>, PostgresError> {
    let row = sqlx::query("SELECT * FROM dead_letters WHERE id = $1").bind(id).fetch_optional(pool).await;
    Ok(row.map_err(PostgresError::during("read a dead letter"))?.as_ref().map(read))
}

/// Notes that a dead letter's task was queued again.
pub async fn mark_replayed(pool: &PgPool, id: Uuid) -> Result<(), PostgresError> {
    let marked = sqlx::query("UPDATE dead_letters SET replayed_at = clock_timestamp() WHERE id = $1");
    let marked = marked.bind(id).execute(pool).await;
    marked.map(drop).map_err(PostgresError::during("mark a dead letter"))
}

fn read(row: &sqlx::postgres::PgRow) -> DeadLetter {
    DeadLetter {
        id: row.get("id"),
        project: ProjectId(row.get("project_id")),
        task: TaskId(row.get("task_id")),
        kind: row.get("kind"),
        reason: row.get("reason"),
        deliveries: u64::try_from(row.get::<i64, _>("deliveries")).unwrap_or(0),
        recorded_at: row.get("recorded_at"),
        replayed_at: row.get("replayed_at"),
    }
}
