//! How far a reader of the log has come, moved by compare-and-set in the transaction of what it wrote.

use sqlx::{PgConnection, PgPool};

use super::PostgresError;
use super::leadership::Fence;
use super::tail::Place;

/// The reader's place, the start of the log when it never read.
pub async fn load(pool: &PgPool, reader: &str) -> Result<Place, PostgresError> {
    let row: Option<(i32, String, i64)> =
        sqlx::query_as("SELECT log_epoch, transaction_id::text, position FROM checkpoints WHERE reader = $1")
            .bind(reader)
            .fetch_optional(pool)
            .await
            .map_err(PostgresError::during("load a checkpoint"))?;
    let Some((epoch, transaction, position)) = row else { return Ok(Place::default()) };
    let transaction = transaction.parse().map_err(|_| PostgresError::Corrupt("a checkpoint".to_owned()))?;
    Ok(Place { epoch, transaction, position })
}

/// Moves the checkpoint from one place to another; refused when it is not there any more, or when
/// the fence's leader has been replaced.
pub async fn advance(
    connection: &mut PgConnection,
    reader: &str,
    from: Place,
    to: Place,
    fence: &Fence,
) -> Result<(), PostgresError> {
    let moved = sqlx::query(
        "INSERT INTO checkpoints AS c (reader, log_epoch, transaction_id, position) \
         SELECT $1, $5, $6::text::xid8, $7 \
         WHERE EXISTS (SELECT 1 FROM leaderships WHERE role = $8 AND epoch = $9) \
         ON CONFLICT (reader) DO UPDATE SET log_epoch = $5, transaction_id = $6::text::xid8, position = $7 \
         WHERE (c.log_epoch, c.transaction_id, c.position) = ($2, $3::text::xid8, $4)",
    )
    .bind(reader)
    .bind(from.epoch)
    .bind(from.transaction.to_string())
    .bind(from.position)
    .bind(to.epoch)
    .bind(to.transaction.to_string())
    .bind(to.position)
    .bind(fence.role)
    .bind(fence.epoch)
    .execute(connection)
    .await
    .map_err(PostgresError::during("move a checkpoint"))?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(PostgresError::LeadershipLost) }
}
