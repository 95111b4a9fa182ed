//! Events byte for byte as they are stored: read for an export, and appended again by an import, so that the
//! chain of hashes holds wherever a project goes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::ids::{CommandId, ProjectId};
use domain::project::{Envelope, ForeignHistory, Project, ProjectError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, Row};
use uuid::Uuid;

use super::event_store::{EventStore, Loaded, Receipt, as_i64, read_hash};
use super::{PostgresError, command_log};

/// An event with all that its hash is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoredEvent {
    /// Its version in its project's stream, from 1.
    pub version: u64,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The version of its payload's shape.
    pub event_version: String,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// The hash over it and all before it, hexadecimal.
    pub hash: String,
    /// The payload: `{"<type>": {…}}`.
    pub payload: Box<RawValue>,
    /// Who caused it, and as part of what.
    pub metadata: Box<RawValue>,
}

/// A project's events after a version, in order.
pub async fn read_stored(
    pool: &PgPool,
    project: ProjectId,
    after: u64,
    limit: i64,
) -> Result<Vec<StoredEvent>, PostgresError> {
    let rows = sqlx::query(
        "SELECT sequence, event_type, event_version, recorded_at, hash, payload::text, metadata::text FROM events \
         WHERE aggregate_type = 'project' AND aggregate_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
    )
    .bind(project.to_string())
    .bind(as_i64(after))
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("read a project's events"))?;
    rows.iter().map(stored).collect()
}

fn stored(row: &sqlx::postgres::PgRow) -> Result<StoredEvent, PostgresError> {
    let raw =
        |text: String| RawValue::from_string(text).map_err(|error| PostgresError::Corrupt(error.to_string()));
    Ok(StoredEvent {
        version: u64::try_from(row.get::<i64, _>(0)).unwrap_or(0),
        event_type: row.get(1),
        event_version: row.get(2),
        recorded_at: row.get(3),
        hash: hex::encode(read_hash(row.get::<Option<Vec<u8>>, _>(4).as_deref())?),
        payload: raw(row.get(5))?,
        metadata: raw(row.get(6))?,
    })
}

/// Why a history was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A project of this id has a history here, or had one when the last event was to be written.
    #[error("a project with this id is here already")]
    Exists,
    /// Something in the history has an id that something of another project has here.
    #[error("something of another project has an id of this history")]
    IdTaken,
    /// The last step broke a rule.
    #[error(transparent)]
    Rule(#[from] ProjectError),
    /// PostgreSQL did not play along, and nothing was stored.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The connection was lost at the last step: nobody knows whether it was done.
    #[error(transparent)]
    Unknown(PostgresError),
}

/// Whether a history can be taken in: neither its project nor anything in it is here already.
pub async fn check_new(
    pool: &PgPool,
    store: &EventStore,
    project: ProjectId,
    history: &ForeignHistory,
) -> Result<(), ImportError> {
    if !store.load(project).await?.is_nothing() {
        return Err(ImportError::Exists);
    }
    let ids = |ids: &mut dyn Iterator<Item = Uuid>| ids.collect::<Vec<Uuid>>();
    let taken: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM projects WHERE id = $1) OR EXISTS (SELECT 1 FROM tasks WHERE id = ANY($2)) \
           OR EXISTS (SELECT 1 FROM shots WHERE id = ANY($3)) OR EXISTS (SELECT 1 FROM takes WHERE id = ANY($4))",
    )
    .bind(project.0)
    .bind(ids(&mut history.tasks.iter().map(|id| id.0)))
    .bind(ids(&mut history.shots.iter().map(|id| id.0)))
    .bind(ids(&mut history.takes.keys().map(|id| id.0)))
    .fetch_one(pool)
    .await
    .map_err(PostgresError::during("look for ids"))?;
    if taken { Err(ImportError::IdTaken) } else { Ok(()) }
}

/// A history on its way into the log: all of it, or nothing.
///
/// Every reader of the log waits for the oldest transaction that is open. So the events are gathered beside the log,
/// in a table that only this connection sees and that goes with it, and get into the log by one statement.
#[derive(Debug)]
pub struct Import {
    store: EventStore,
    project: ProjectId,
    connection: PoolConnection<Postgres>,
}

/// An event on its way into the log.
struct Staged<'a> {
    sequence: i64,
    event_type: &'a str,
    event_version: &'a str,
    recorded_at: DateTime<Utc>,
    /// Whether it happened elsewhere.
    imported: bool,
    payload: &'a str,
    metadata: &'a str,
    hash: Vec<u8>,
}

impl Import {
    /// Begins to gather. Nobody sees anything of it before [`Import::complete`].
    pub async fn begin(pool: &PgPool, store: &EventStore, project: ProjectId) -> Result<Self, ImportError> {
        let begun = PostgresError::during("begin an import");
        let mut connection = pool.acquire().await.map_err(begun)?;
        connection.close_on_drop();
        sqlx::query(
            "CREATE TEMPORARY TABLE staged (sequence bigint, event_type text, event_version text, \
               recorded_at timestamptz, imported boolean, payload json, metadata json, hash bytea)",
        )
        .execute(&mut *connection)
        .await
        .map_err(PostgresError::during("begin an import"))?;
        Ok(Self { store: store.clone(), project, connection })
    }

    /// Gathers events that happened elsewhere.
    pub async fn add(&mut self, events: &[StoredEvent]) -> Result<(), ImportError> {
        let staged = events.iter().map(|event| {
            let hash = hex::decode(&event.hash);
            Ok(Staged {
                sequence: as_i64(event.version),
                event_type: &event.event_type,
                event_version: &event.event_version,
                recorded_at: event.recorded_at,
                imported: true,
                payload: event.payload.get(),
                metadata: event.metadata.get(),
                hash: hash.map_err(|error| PostgresError::Corrupt(error.to_string()))?,
            })
        });
        self.stage(&staged.collect::<Result<Vec<_>, PostgresError>>()?).await
    }

    /// Adds what follows from the history being here now, and appends all of it to the log. `head` is the hash of
    /// the history's last event.
    pub async fn complete(
        mut self,
        state: Project,
        head: [u8; 32],
        envelope: &Envelope,
    ) -> Result<Receipt, ImportError> {
        let loaded = Loaded { state: Arc::new(state), head };
        let events = loaded.state.decide(envelope)?;
        let (rows, after) = self.store.extend(&loaded, &[(envelope, events)])?;
        let staged = rows.iter().map(|row| Staged {
            sequence: row.sequence,
            event_type: row.event_type,
            event_version: row.event_version,
            recorded_at: row.recorded_at,
            imported: false,
            payload: &row.payload,
            metadata: &row.metadata,
            hash: row.hash.to_vec(),
        });
        self.stage(&staged.collect::<Vec<_>>()).await?;
        let version = after.state.version;
        command_log::forget_old(&mut *self.connection, envelope.context.command).await?;
        self.append(envelope.context.command, version).await?;
        self.store.keep_in_memory(self.project, &after);
        Ok(Receipt {
            project: self.project,
            version,
            duplicate: false,
            state: Some(after.state),
            cause: None,
        })
    }

    async fn stage(&mut self, events: &[Staged<'_>]) -> Result<(), ImportError> {
        sqlx::query(
            "INSERT INTO staged SELECT n.sequence, n.type, n.version, n.at, n.imported, n.payload::json, n.metadata::json, \
               n.hash \
             FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::bytea[], \
               $8::boolean[]) AS n(sequence, type, version, at, payload, metadata, hash, imported)",
        )
        .bind(events.iter().map(|event| event.sequence).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.event_type).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.event_version).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.recorded_at).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.payload).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.metadata).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.hash.as_slice()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.imported).collect::<Vec<_>>())
        .execute(&mut *self.connection)
        .await
        .map_err(PostgresError::during("gather a history"))?;
        Ok(())
    }

    /// One statement: the log's readers wait no longer than it takes.
    async fn append(&mut self, command: CommandId, version: u64) -> Result<(), ImportError> {
        let done = sqlx::query(
            "WITH logged AS (INSERT INTO command_log (command_id, aggregate_id, version) VALUES ($2, $1::uuid, $3)) \
             INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, recorded_at, \
               payload, metadata, hash, imported) \
             SELECT 'project', $1, sequence, event_type, event_version, recorded_at, payload, metadata, hash, \
               imported FROM staged ORDER BY sequence",
        )
        .bind(self.project.to_string())
        .bind(command.0)
        .bind(as_i64(version))
        .execute(&mut *self.connection)
        .await;
        done.map(drop).map_err(conflict)
    }
}

/// Somebody else brought the same in the meantime.
fn conflict(error: sqlx::Error) -> ImportError {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::constraint) {
        Some("events_version" | "command_log_once") => ImportError::Exists,
        _ if error.as_database_error().is_none() => {
            ImportError::Unknown(PostgresError::during("append a history")(error))
        }
        _ => PostgresError::during("append a history")(error).into(),
    }
}
