//! The table `command_log`: which commands were given, and what each came to. A command that comes again within a
//! day is the same one; after that its id stands for another, and the row may go. The log of events does not need it.

use domain::ids::CommandId;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::PostgresError;
use super::event_store::as_i64;
use super::leadership::Fence;

/// A command that was given so long ago does not count: as long as an idempotency key does.
const IS_OLD: &str = "recorded_at <= clock_timestamp() - interval '24 hours'";

/// What a command came to when it was given first.
pub(super) struct First {
    /// What it was about: a project, or a webhook.
    pub(super) about: Uuid,
    /// The project's version then; how many deliveries were made again.
    pub(super) version: u64,
    /// What caused it, where it recorded no event.
    pub(super) cause: Option<String>,
}

/// What a command came to; nothing if it was not given within a day.
pub(super) async fn first<'a>(
    connection: impl PgExecutor<'a>,
    command: CommandId,
) -> Result<Option<First>, PostgresError> {
    let sql = format!(
        "SELECT aggregate_id, version, cause FROM command_log WHERE command_id = $1 AND NOT ({IS_OLD})"
    );
    let row: Option<(Uuid, i64, Option<String>)> = sqlx::query_as(&sql)
        .bind(command.0)
        .fetch_optional(connection)
        .await
        .map_err(PostgresError::during("look a command up"))?;
    Ok(row.map(|(about, version, cause)| First {
        about,
        version: u64::try_from(version).unwrap_or(0),
        cause,
    }))
}

/// Remembers a command that recorded no event, unless it was given before.
pub(super) async fn remember(
    connection: &mut PgConnection,
    command: CommandId,
    first: &First,
) -> Result<bool, PostgresError> {
    forget_old(&mut *connection, command).await?;
    let remembered = sqlx::query(
        "INSERT INTO command_log (command_id, aggregate_id, version, cause) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(command.0)
    .bind(first.about)
    .bind(as_i64(first.version))
    .bind(&first.cause)
    .execute(connection)
    .await
    .map_err(PostgresError::during("remember a command"))?;
    Ok(remembered.rows_affected() > 0)
}

/// Forgets a command that does not count any more, so that its id can be given again.
pub(super) async fn forget_old<'a>(
    connection: impl PgExecutor<'a>,
    command: CommandId,
) -> Result<(), PostgresError> {
    sqlx::query(&format!("DELETE FROM command_log WHERE command_id = $1 AND {IS_OLD}"))
        .bind(command.0)
        .execute(connection)
        .await
        .map_err(PostgresError::during("forget a command"))?;
    Ok(())
}

/// Forgets up to `most` commands that do not count any more, and answers how many.
pub async fn sweep(pool: &PgPool, most: u32, fence: &Fence) -> Result<u64, PostgresError> {
    let swept = sqlx::query(&format!(
        "DELETE FROM command_log WHERE command_id IN \
           (SELECT command_id FROM command_log WHERE {IS_OLD} ORDER BY recorded_at LIMIT $1) \
         AND EXISTS (SELECT FROM leaderships WHERE role = $2 AND epoch = $3)"
    ))
    .bind(i64::from(most))
    .bind(fence.role)
    .bind(fence.epoch)
    .execute(pool)
    .await
    .map_err(PostgresError::during("forget old commands"))?;
    Ok(swept.rows_affected())
}
