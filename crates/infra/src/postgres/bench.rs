//! What `storytovideo bench` does to its own database beside the paths that it measures: bare inserts, a long
//! log made of copies, and empty read tables.

use std::str::FromStr;

use domain::ids::ProjectId;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use super::event_store::as_i64;
use super::tail::Recorded;
use super::{PostgresError, projection};

/// Inserts one row after the other into the table of events, as plainly as PostgreSQL can be asked to.
#[derive(Debug)]
pub struct BareInserts {
    connection: PgConnection,
    stream: String,
    sequence: u64,
}

impl BareInserts {
    /// A connection of its own, and a stream that no project has.
    pub async fn connect(url: &str) -> Result<Self, PostgresError> {
        let options = PgConnectOptions::from_str(url).map_err(PostgresError::Url)?;
        let connection =
            PgConnection::connect_with(&options).await.map_err(PostgresError::during("connect"))?;
        Ok(Self { connection, stream: Uuid::new_v4().to_string(), sequence: 0 })
    }

    /// Inserts a row like this one, autocommitted.
    pub async fn insert(&mut self, like: &Recorded) -> Result<(), PostgresError> {
        self.sequence += 1;
        sqlx::query(
            "INSERT INTO events \
               (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, hash) \
             VALUES ('project', $1, $2, $3, $4, $5::json, $6::json, $7)",
        )
        .bind(&self.stream)
        .bind(as_i64(self.sequence))
        .bind(like.event.name())
        .bind(like.event.version())
        .bind(like.stored.get())
        .bind(like.metadata.get())
        .bind([0_u8; 32].as_slice())
        .execute(&mut self.connection)
        .await
        .map_err(PostgresError::during("insert a row"))?;
        Ok(())
    }

    /// Removes the rows.
    pub async fn remove(mut self) -> Result<(), PostgresError> {
        sqlx::query("DELETE FROM events WHERE aggregate_type = 'project' AND aggregate_id = $1")
            .bind(&self.stream)
            .execute(&mut self.connection)
            .await
            .map_err(PostgresError::during("remove the bare rows"))?;
        self.connection.close().await.map_err(PostgresError::during("disconnect"))
    }
}

/// How many events the log holds.
pub async fn count_events(pool: &PgPool) -> Result<i64, PostgresError> {
    sqlx::query_scalar("SELECT count(*) FROM events")
        .fetch_one(pool)
        .await
        .map_err(PostgresError::during("count the events"))
}

/// Adds copies of a project's whole stream, one for each number, as if these projects had run side by side.
/// Every id is replaced: its first eight digits become the copy's number. The chain of hashes is not renewed.
pub async fn copy_stream(pool: &PgPool, project: ProjectId, numbers: &[i32]) -> Result<u64, PostgresError> {
    let copied = sqlx::query(
        "INSERT INTO events \
           (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, hash) \
         SELECT e.aggregate_type, c.digits || substr(e.aggregate_id, 9), e.sequence, e.event_type, e.event_version, \
           regexp_replace(e.payload::text, '[0-9a-f]{8}((-[0-9a-f]{4}){3}-[0-9a-f]{12})', c.digits || '\\1', 'g')::json, \
           e.metadata, e.hash \
         FROM events e CROSS JOIN (SELECT lpad(to_hex(n), 8, '0') AS digits FROM unnest($2::int[]) AS n) c \
         WHERE e.aggregate_type = 'project' AND e.aggregate_id = $1 ORDER BY e.sequence, c.digits",
    )
    .bind(project.to_string())
    .bind(numbers)
    .execute(pool)
    .await
    .map_err(PostgresError::during("copy a stream"))?;
    Ok(copied.rows_affected())
}

/// The id of a project's copy with this number.
pub fn copy_of(project: ProjectId, number: i32) -> ProjectId {
    let rest = project.0.as_u128() & (u128::MAX >> 32);
    ProjectId(Uuid::from_u128(u128::from(number.cast_unsigned()) << 96 | rest))
}

/// Empties the read tables and forgets how far they had come.
pub async fn empty_read_tables(pool: &PgPool) -> Result<(), PostgresError> {
    sqlx::query("TRUNCATE projects, shots, tasks, takes, films")
        .execute(pool)
        .await
        .map_err(PostgresError::during("empty the read tables"))?;
    sqlx::query("DELETE FROM checkpoints WHERE reader = $1")
        .bind(projection::READER)
        .execute(pool)
        .await
        .map_err(PostgresError::during("forget a checkpoint"))?;
    Ok(())
}

/// Lets PostgreSQL look at what the tables hold now, as it does by itself after a minute.
pub async fn analyze(pool: &PgPool) -> Result<(), PostgresError> {
    sqlx::query("ANALYZE").execute(pool).await.map_err(PostgresError::during("analyze the tables"))?;
    Ok(())
}
