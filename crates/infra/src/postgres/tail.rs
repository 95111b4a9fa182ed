//! The settled tail of the whole log: pages of events in an order that never changes any more.
//!
//! A transaction that is still open may yet commit events with a lower position than those already
//! visible. So only transactions below the oldest open one are read, and readers order and continue
//! by (epoch, transaction, position), never by position alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::ids::ProjectId;
use domain::project::Event;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{PgPool, Row};
use tokio::sync::Mutex;

use super::PostgresError;
use super::event_store::read_event;

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Raised after a restore into another cluster.
    pub epoch: i32,
    /// PostgreSQL's 64-bit transaction id.
    pub transaction: u64,
    /// Position within the epoch.
    pub position: i64,
}

/// An event with all that the log knows of it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its place in the log.
    pub place: Place,
    /// Whose stream it is in.
    pub project: ProjectId,
    /// Its version in that stream, from 1.
    pub version: u64,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// Whether it happened elsewhere and was brought here: told, and not acted on.
    pub imported: bool,
    /// What happened.
    pub event: Event,
    /// The payload as stored: `{"<type>": {…}}`.
    pub stored: Box<RawValue>,
    /// The metadata as stored.
    pub metadata: Box<RawValue>,
}

/// An event as people and programs outside see it, in histories and live streams.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
pub struct PublicEvent {
    /// The project's version after it.
    pub version: u64,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: &'static str,
    /// Its payload.
    #[schema(value_type = Object)]
    pub payload: Box<RawValue>,
    /// Who caused it.
    pub actor: String,
    /// When it was recorded.
    #[serde(serialize_with = "rfc3339_millis")]
    pub recorded_at: DateTime<Utc>,
    /// Groups everything that followed from one request.
    pub correlation_id: String,
    /// What caused it.
    pub causation_id: Option<String>,
    /// Whether it happened elsewhere.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
}

/// Times leave the system as RFC 3339 in UTC with milliseconds.
pub fn rfc3339_millis<S: serde::Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

impl Recorded {
    /// The event as the outside sees it.
    pub fn to_public(&self) -> Result<PublicEvent, PostgresError> {
        let corrupt = |error: serde_json::Error| PostgresError::Corrupt(error.to_string());
        let stored: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(self.stored.get()).map_err(corrupt)?;
        let mut metadata: BTreeMap<String, String> =
            serde_json::from_str(self.metadata.get()).map_err(corrupt)?;
        let payload = stored.into_values().next();
        Ok(PublicEvent {
            version: self.version,
            event_type: self.event.name(),
            payload: payload.ok_or_else(|| PostgresError::Corrupt("an event without payload".to_owned()))?,
            actor: metadata.remove("actor").unwrap_or_default(),
            recorded_at: self.at,
            correlation_id: metadata.remove("correlationId").unwrap_or_default(),
            causation_id: metadata.remove("causationId"),
            imported: self.imported,
        })
    }
}

/// The tail as the readers of one process share it: what one has read, the others need not read again.
#[derive(Debug, Clone)]
pub struct Tail {
    pool: PgPool,
    recent: Arc<Mutex<Recent>>,
}

/// The newest events that were read, without a gap after `from`.
#[derive(Debug, Default)]
struct Recent {
    from: Place,
    events: VecDeque<Arc<Recorded>>,
}

/// Events that are kept for the other readers.
const RECENT_EVENTS: usize = 16_384;

impl Tail {
    /// A tail of this database's log.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, recent: Arc::default() }
    }

    /// Up to `limit` settled events after `after`, in order.
    pub async fn page(&self, after: Place, limit: usize) -> Result<Vec<Arc<Recorded>>, PostgresError> {
        let mut recent = self.recent.lock().await;
        let known = recent.after(after, limit);
        if !known.is_empty() {
            return Ok(known);
        }
        let page = read_page(&self.pool, after, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
        let page: Vec<Arc<Recorded>> = page.into_iter().map(Arc::new).collect();
        recent.add(after, &page);
        Ok(page)
    }
}

impl Recent {
    fn end(&self) -> Place {
        self.events.back().map_or(self.from, |newest| newest.place)
    }

    fn after(&self, after: Place, limit: usize) -> Vec<Arc<Recorded>> {
        if after < self.from {
            return Vec::new();
        }
        let start = self.events.partition_point(|event| event.place <= after);
        self.events.range(start..).take(limit).cloned().collect()
    }

    /// Takes in what follows on the newest; a reader that is far behind leaves this as it is.
    fn add(&mut self, after: Place, page: &[Arc<Recorded>]) {
        if after > self.end() {
            self.events.clear();
            self.from = after;
        }
        if after == self.end() {
            self.events.extend(page.iter().cloned());
        }
        while self.events.len() > RECENT_EVENTS {
            self.from = self.events.pop_front().map_or(self.from, |oldest| oldest.place);
        }
    }
}

/// Up to `limit` settled events after `after`, in order.
pub async fn read_page(pool: &PgPool, after: Place, limit: i64) -> Result<Vec<Recorded>, PostgresError> {
    let rows = sqlx::query(
        "SELECT e.log_epoch, e.transaction_id::text AS transaction, e.position, e.aggregate_id, e.sequence, \
           e.recorded_at, e.imported, e.event_type, e.event_version, e.payload::text AS payload, e.metadata::text AS metadata \
         FROM events e \
         WHERE (e.log_epoch, e.transaction_id, e.position) > ($1, $2::text::xid8, $3) \
           AND (e.log_epoch < (SELECT max(epoch) FROM log_epochs) \
                OR e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())) \
         ORDER BY e.log_epoch, e.transaction_id, e.position LIMIT $4",
    )
    .bind(after.epoch)
    .bind(after.transaction.to_string())
    .bind(after.position)
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("read the log"))?;
    rows.iter().map(recorded).collect()
}

/// The settled head of the log.
pub async fn head(pool: &PgPool) -> Result<Place, PostgresError> {
    let row = sqlx::query(
        "SELECT e.log_epoch, e.transaction_id::text AS transaction, e.position FROM events e \
         WHERE e.log_epoch < (SELECT max(epoch) FROM log_epochs) \
            OR e.transaction_id < pg_snapshot_xmin(pg_current_snapshot()) \
         ORDER BY e.log_epoch DESC, e.transaction_id DESC, e.position DESC LIMIT 1",
    )
    .fetch_optional(pool)
    .await
    .map_err(PostgresError::during("read the head of the log"))?;
    row.as_ref().map_or(Ok(Place::default()), place)
}

/// One project's events after a version, in order, settled or not: a stream's own order is its versions.
pub async fn read_stream(
    pool: &PgPool,
    project: ProjectId,
    after_version: u64,
    limit: i64,
) -> Result<Vec<Recorded>, PostgresError> {
    let rows = sqlx::query(
        "SELECT e.log_epoch, e.transaction_id::text AS transaction, e.position, e.aggregate_id, e.sequence, \
           e.recorded_at, e.imported, e.event_type, e.event_version, e.payload::text AS payload, e.metadata::text AS metadata \
         FROM events e WHERE e.aggregate_type = 'project' AND e.aggregate_id = $1 AND e.sequence > $2 \
         ORDER BY e.sequence LIMIT $3",
    )
    .bind(project.to_string())
    .bind(super::event_store::as_i64(after_version))
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("read a project's history"))?;
    rows.iter().map(recorded).collect()
}

pub(super) fn place(row: &sqlx::postgres::PgRow) -> Result<Place, PostgresError> {
    let transaction: String = row.get("transaction");
    let transaction =
        transaction.parse().map_err(|_| PostgresError::Corrupt(format!("transaction id {transaction}")))?;
    Ok(Place { epoch: row.get("log_epoch"), transaction, position: row.get("position") })
}

fn recorded(row: &sqlx::postgres::PgRow) -> Result<Recorded, PostgresError> {
    let corrupt =
        |what: &str, error: &dyn std::fmt::Display| PostgresError::Corrupt(format!("{what}: {error}"));
    let payload: String = row.get("payload");
    let project: String = row.get("aggregate_id");
    Ok(Recorded {
        place: place(row)?,
        project: project.parse().map_err(|error| corrupt("aggregate id", &error))?,
        version: u64::try_from(row.get::<i64, _>("sequence")).unwrap_or(0),
        at: row.get("recorded_at"),
        imported: row.get("imported"),
        event: read_event(row.get("event_type"), row.get("event_version"), &payload)?,
        stored: RawValue::from_string(payload).map_err(|error| corrupt("payload", &error))?,
        metadata: RawValue::from_string(row.get("metadata")).map_err(|error| corrupt("metadata", &error))?,
    })
}
