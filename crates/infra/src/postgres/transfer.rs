//! Events byte for byte as they are stored: read for an export, and appended again by an import, so that the
//! chain of hashes holds wherever a project goes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::ids::ProjectId;
use domain::project::{Envelope, ForeignHistory, Project, ProjectError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::{PgPool, Postgres, Row, Transaction};
use uuid::Uuid;

use super::event_store::{EventStore, Loaded, NewRow, Receipt, as_i64, extend, read_hash};
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
    /// PostgreSQL did not play along.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
}

/// A history on its way into the log: all of it, or nothing.
///
/// It is one transaction of many statements, so readers of the log wait for it to end. Nobody reads it before.
#[derive(Debug)]
pub struct Import {
    store: EventStore,
    project: ProjectId,
    transaction: Transaction<'static, Postgres>,
}

impl Import {
    /// Begins, unless the project or anything in its history is here already.
    pub async fn begin(
        pool: &PgPool,
        store: &EventStore,
        project: ProjectId,
        history: &ForeignHistory,
    ) -> Result<Self, ImportError> {
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
        .bind(ids(&mut history.takes.iter().map(|id| id.0)))
        .fetch_one(pool)
        .await
        .map_err(PostgresError::during("look for ids"))?;
        if taken {
            return Err(ImportError::IdTaken);
        }
        let transaction = pool.begin().await.map_err(PostgresError::during("begin an import"))?;
        Ok(Self { store: store.clone(), project, transaction })
    }

    /// Appends events that happened elsewhere.
    pub async fn add(&mut self, events: &[StoredEvent]) -> Result<(), ImportError> {
        let hashes: Result<Vec<Vec<u8>>, _> = events.iter().map(|event| hex::decode(&event.hash)).collect();
        let hashes = hashes.map_err(|error| PostgresError::Corrupt(error.to_string()))?;
        let done = sqlx::query(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, recorded_at, \
               payload, metadata, hash, imported) \
             SELECT 'project', $1, n.sequence, n.type, n.version, n.at, n.payload::json, n.metadata::json, n.hash, true \
             FROM unnest($2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::bytea[]) \
             AS n(sequence, type, version, at, payload, metadata, hash)",
        )
        .bind(self.project.to_string())
        .bind(events.iter().map(|event| as_i64(event.version)).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.event_version.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.recorded_at).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.payload.get()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.metadata.get()).collect::<Vec<_>>())
        .bind(hashes)
        .execute(&mut *self.transaction)
        .await;
        done.map(drop).map_err(conflict)
    }

    /// Appends what follows from the history being here now, and commits. `head` is the hash of its last event.
    pub async fn complete(
        mut self,
        state: Project,
        head: [u8; 32],
        envelope: &Envelope,
    ) -> Result<Receipt, ImportError> {
        let loaded = Loaded { state: Arc::new(state), head };
        let events = loaded.state.decide(envelope)?;
        let (rows, after) = extend(&loaded, &[(envelope, events)])?;
        for row in &rows {
            self.append(row).await?;
        }
        let version = after.state.version;
        command_log::forget_old(&mut *self.transaction, envelope.context.command).await?;
        sqlx::query("INSERT INTO command_log (command_id, aggregate_id, version) VALUES ($1, $2, $3)")
            .bind(envelope.context.command.0)
            .bind(self.project.0)
            .bind(as_i64(version))
            .execute(&mut *self.transaction)
            .await
            .map_err(conflict)?;
        self.transaction.commit().await.map_err(PostgresError::during("commit an import"))?;
        self.store.keep_in_memory(self.project, &after);
        Ok(Receipt {
            project: self.project,
            version,
            duplicate: false,
            state: Some(after.state),
            cause: None,
        })
    }

    async fn append(&mut self, row: &NewRow) -> Result<(), ImportError> {
        let done = sqlx::query(
            "INSERT INTO events \
               (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, hash) \
             VALUES ('project', $1, $2, $3, $4, $5::json, $6::json, $7)",
        )
        .bind(self.project.to_string())
        .bind(row.sequence)
        .bind(row.event_type)
        .bind(row.event_version)
        .bind(&row.payload)
        .bind(&*row.metadata)
        .bind(row.hash.as_slice())
        .execute(&mut *self.transaction)
        .await;
        done.map(drop).map_err(conflict)
    }
}

/// Somebody else brought the same in the meantime.
fn conflict(error: sqlx::Error) -> ImportError {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::constraint) {
        Some("events_version" | "command_log_once") => ImportError::Exists,
        _ => PostgresError::during("append a history")(error).into(),
    }
}
