//! The table `external_reports`: what external nodes have reported, so that the same report again has no effect.

use domain::ids::TaskId;
use sqlx::PgPool;

use super::PostgresError;
use super::leadership::Fence;

/// Whether a task was reported on with this signature before.
pub async fn is_known(pool: &PgPool, task: TaskId, signature: &[u8; 32]) -> Result<bool, PostgresError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM external_reports WHERE task_id = $1 AND signature = $2)")
        .bind(task.0)
        .bind(signature.as_slice())
        .fetch_one(pool)
        .await
        .map_err(PostgresError::during("look a report up"))
}

/// Notes a report that was dealt with.
pub async fn remember(pool: &PgPool, task: TaskId, signature: &[u8; 32]) -> Result<(), PostgresError> {
    sqlx::query("INSERT INTO external_reports (task_id, signature) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(task.0)
        .bind(signature.as_slice())
        .execute(pool)
        .await
        .map_err(PostgresError::during("note a report"))?;
    Ok(())
}

/// Forgets up to `most` reports of more than 30 days ago, when no attempt that they were about still runs, and
/// answers how many.
pub async fn sweep(pool: &PgPool, most: u32, fence: &Fence) -> Result<u64, PostgresError> {
    let swept = sqlx::query(
        "DELETE FROM external_reports WHERE (task_id, signature) IN \
           (SELECT task_id, signature FROM external_reports \
            WHERE recorded_at <= clock_timestamp() - interval '30 days' LIMIT $1) \
         AND EXISTS (SELECT FROM leaderships WHERE role = $2 AND epoch = $3)",
    )
    .bind(i64::from(most))
    .bind(fence.role)
    .bind(fence.epoch)
    .execute(pool)
    .await
    .map_err(PostgresError::during("forget old reports"))?;
    Ok(swept.rows_affected())
}
