//! Commands in, events out: load, decide, append in one statement, and again when somebody was faster.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use domain::hash::sha256;
use domain::ids::{CommandId, ProjectId};
use domain::project::{Envelope, Event, Project, ProjectError};
use sqlx::{PgPool, Row};
use tokio::time::Instant;

use super::command_log::{self, First};
use super::hot::HotConnections;
use super::leadership::Fence;
use super::{PostgresError, snapshot};
use crate::runtime::Clock;

/// States kept in memory, so that most loads read only what is new.
const STATES_KEPT: usize = 512;
/// Events after which the next snapshot is written.
const SNAPSHOT_EVERY: u64 = 100;
/// Where an event's metadata say when it was recorded, so that its hash is over that too.
const RECORDED_AT: &str = "recordedAt";
/// How long a user's command is tried again while others keep being faster.
const USER_PATIENCE: Duration = Duration::from_secs(2);

/// Why a command had no effect.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// A rule of the domain forbids it.
    #[error(transparent)]
    Rule(#[from] ProjectError),
    /// Others kept changing the project at the same moment.
    #[error("the project is being changed by too many at once; try again")]
    Contended,
    /// PostgreSQL did not play along.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
}

/// What a command came to.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The project it was for; for a repeated command, the one of the first time.
    pub project: ProjectId,
    /// The project's version after it.
    pub version: u64,
    /// Whether the same command had been executed before.
    pub duplicate: bool,
    /// The project after it; absent for a repeated command.
    pub state: Option<Arc<Project>>,
    /// Of a repeated command that recorded no event: what caused it the first time. Else its events say so.
    pub cause: Option<String>,
}

/// A project's state with what is needed to append to its stream.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The state.
    pub state: Arc<Project>,
    /// Hash of the last event; the next one's predecessor.
    pub(crate) head: [u8; 32],
}

impl Loaded {
    /// Whether the stream has no event.
    pub(crate) fn is_nothing(&self) -> bool {
        self.state.version == 0
    }
}

/// What each command of a batch came to, and the state after all of them.
#[derive(Debug)]
pub struct BatchOutcome {
    /// In the order of the commands.
    pub outcomes: Vec<Result<(), ProjectError>>,
    /// The project after the batch.
    pub state: Arc<Project>,
}

/// The event store.
#[derive(Debug, Clone)]
pub struct EventStore {
    pool: PgPool,
    clock: Clock,
    hot: HotConnections,
    states: Arc<Mutex<lru::LruCache<ProjectId, Loaded>>>,
}

enum Appended {
    Done,
    VersionConflict,
    CommandSeenBefore,
}

/// One row of the log, before PostgreSQL adds its own columns.
pub(super) struct NewRow {
    pub(super) sequence: i64,
    pub(super) event_type: &'static str,
    pub(super) event_version: &'static str,
    pub(super) payload: String,
    pub(super) metadata: String,
    /// As the metadata say.
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) hash: [u8; 32],
}

impl EventStore {
    /// A store on this database, whose events were recorded when this clock says.
    pub fn new(pool: PgPool, clock: Clock) -> Self {
        let kept = NonZeroUsize::new(STATES_KEPT).unwrap_or(NonZeroUsize::MIN);
        Self {
            hot: HotConnections::new(pool.clone()),
            pool,
            clock,
            states: Arc::new(Mutex::new(lru::LruCache::new(kept))),
        }
    }

    /// Executes a user's command. A version conflict is tried again for up to 2 s; the same command id
    /// again has no effect and answers the first receipt.
    ///
    /// It is decided on the state in memory, if there is one: the append finds out whether that is the
    /// newest. Only what is refused, or changes nothing, is decided again on what the log has.
    pub async fn execute(&self, project: ProjectId, envelope: Envelope) -> Result<Receipt, ExecuteError> {
        let command = envelope.context.command;
        let started = Instant::now();
        let (mut loaded, mut is_newest) = match self.cached(project) {
            Some(cached) => (cached, false),
            None => (self.load(project).await?, true),
        };
        loop {
            let events = match loaded.state.decide(&envelope) {
                Ok(events) if !events.is_empty() => events,
                _ if !is_newest => {
                    (loaded, is_newest) = (self.load(project).await?, true);
                    continue;
                }
                Ok(_) => return self.nothing_new(project, &envelope, loaded).await,
                Err(rule) => return self.first_receipt(command).await?.ok_or(rule.into()),
            };
            let (rows, after) = self.extend(&loaded, &[(&envelope, events)])?;
            match self.append(project, &rows, Some((command, after.state.version)), None).await? {
                Appended::Done => {
                    self.keep(project, loaded.state.version, &after);
                    let version = after.state.version;
                    return Ok(Receipt {
                        project,
                        version,
                        duplicate: false,
                        state: Some(after.state),
                        cause: None,
                    });
                }
                Appended::CommandSeenBefore => match self.first_receipt(command).await? {
                    Some(first) => return Ok(first),
                    None if started.elapsed() > USER_PATIENCE => return Err(ExecuteError::Contended),
                    // Its id was used so long ago that it is another command now.
                    None => command_log::forget_old(&self.pool, command).await?,
                },
                Appended::VersionConflict if started.elapsed() > USER_PATIENCE => {
                    return Err(ExecuteError::Contended);
                }
                Appended::VersionConflict => (loaded, is_newest) = (self.load(project).await?, true),
            }
        }
    }

    /// The receipt of a command that changes nothing, or that did what it asks for when it came first. What
    /// comes with a cause may come again, so that it came is remembered.
    async fn nothing_new(
        &self,
        project: ProjectId,
        envelope: &Envelope,
        loaded: Loaded,
    ) -> Result<Receipt, ExecuteError> {
        let (command, version) = (envelope.context.command, loaded.state.version);
        let unchanged =
            Receipt { project, version, duplicate: false, state: Some(loaded.state), cause: None };
        let cause = envelope.context.causation.clone();
        if cause.is_some() {
            let first = First { about: project.0, version, cause };
            let connection = self.pool.acquire().await;
            let mut connection = connection.map_err(PostgresError::during("remember a command"))?;
            if command_log::remember(&mut connection, command, &first).await? {
                return Ok(unchanged);
            }
        }
        Ok(self.first_receipt(command).await?.unwrap_or(unchanged))
    }

    /// Executes what the engine has to record of one project, all in one commit, for as long as it
    /// takes. `loaded` is where to start; a write of an engine that no longer leads is refused.
    pub async fn record(
        &self,
        project: ProjectId,
        mut loaded: Loaded,
        envelopes: &[Envelope],
        fence: &Fence,
    ) -> Result<BatchOutcome, PostgresError> {
        let mut is_newest = false;
        loop {
            let (outcomes, decided) = decide_all(&loaded.state, envelopes);
            let changes_all =
                decided.len() == envelopes.len() && decided.iter().all(|(_, events)| !events.is_empty());
            if !changes_all && !is_newest {
                (loaded, is_newest) = (self.load(project).await?, true);
                continue;
            }
            let (rows, after) = self.extend(&loaded, &decided)?;
            match self.append(project, &rows, None, Some(fence)).await? {
                Appended::Done => {
                    self.keep(project, loaded.state.version, &after);
                    return Ok(BatchOutcome { outcomes, state: after.state });
                }
                Appended::VersionConflict | Appended::CommandSeenBefore => {
                    (loaded, is_newest) = (self.load(project).await?, true);
                }
            }
        }
    }

    /// The project as this process last saw it, which may be old.
    pub fn cached(&self, project: ProjectId) -> Option<Loaded> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).get(&project).cloned()
    }

    /// The project as the log has it now. A project that does not exist has version 0.
    pub async fn load(&self, project: ProjectId) -> Result<Loaded, PostgresError> {
        let mut loaded = match self.cached(project) {
            Some(loaded) => loaded,
            None => snapshot::load(&self.pool, project).await?.unwrap_or_default(),
        };
        let rows = sqlx::query(
            "SELECT event_type, event_version, payload::text, hash FROM events \
             WHERE aggregate_type = 'project' AND aggregate_id = $1 AND sequence > $2 ORDER BY sequence",
        )
        .bind(project.to_string())
        .bind(as_i64(loaded.state.version))
        .fetch_all(&self.pool)
        .await
        .map_err(PostgresError::during("load a project's events"))?;
        if !rows.is_empty() {
            let state = Arc::make_mut(&mut loaded.state);
            for row in &rows {
                state.evolve(&read_event(
                    &row.get::<String, _>(0),
                    &row.get::<String, _>(1),
                    &row.get::<String, _>(2),
                )?);
                loaded.head = read_hash(row.get::<Option<Vec<u8>>, _>(3).as_deref())?;
            }
            self.keep_in_memory(project, &loaded);
        }
        // Nobody has left a snapshot: of a history from elsewhere, or since states have another shape.
        if rows.len() as u64 >= SNAPSHOT_EVERY {
            snapshot::write_behind(self.pool.clone(), project, loaded.clone());
        }
        Ok(loaded)
    }

    /// The rows to append now, and the state after them.
    pub(super) fn extend(
        &self,
        loaded: &Loaded,
        decided: &[(&Envelope, Vec<Event>)],
    ) -> Result<(Vec<NewRow>, Loaded), PostgresError> {
        extend(loaded, decided, self.clock.now())
    }

    /// Closes the connections of this store and of the pool that it shares.
    pub async fn close(&self) {
        let closing = self.pool.close();
        self.hot.clear();
        closing.await;
    }

    /// Forgets the states in memory; the next loads come from snapshots and events.
    pub fn clear_cache(&self) {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn keep_in_memory(&self, project: ProjectId, loaded: &Loaded) {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).put(project, loaded.clone());
    }

    fn keep(&self, project: ProjectId, version_before: u64, after: &Loaded) {
        self.keep_in_memory(project, after);
        if after.state.version / SNAPSHOT_EVERY != version_before / SNAPSHOT_EVERY {
            snapshot::write_behind(self.pool.clone(), project, after.clone());
        }
    }

    /// What a command came to when it was first given; nothing if it was not within the last 24 hours.
    pub async fn first_receipt(&self, command: CommandId) -> Result<Option<Receipt>, PostgresError> {
        let first = command_log::first(&self.pool, command).await?;
        Ok(first.map(|First { about, version, cause }| Receipt {
            project: ProjectId(about),
            version,
            duplicate: true,
            state: None,
            cause,
        }))
    }

    /// One autocommitted statement: nothing takes a transaction id before it, so that the log's order
    /// agrees with the versions in each stream.
    async fn append(
        &self,
        project: ProjectId,
        rows: &[NewRow],
        command: Option<(CommandId, u64)>,
        fence: Option<&Fence>,
    ) -> Result<Appended, PostgresError> {
        if rows.is_empty() {
            return Ok(Appended::Done);
        }
        let mut connection = self.hot.take().await?;
        let result = sqlx::query(
            "WITH allowed AS (SELECT 1 WHERE $8::text IS NULL OR EXISTS \
               (SELECT 1 FROM leaderships WHERE role = $8 AND epoch = $9)), \
             appended AS (INSERT INTO events \
               (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, hash, recorded_at) \
               SELECT 'project', $1, n.sequence, n.type, n.version, n.payload::json, n.metadata::json, n.hash, n.at \
               FROM allowed, unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], \
                 $12::timestamptz[]) AS n(sequence, type, version, payload, metadata, hash, at) RETURNING 1), \
             logged AS (INSERT INTO command_log (command_id, aggregate_id, version) \
               SELECT $10, $1::uuid, $11 FROM allowed WHERE $10 IS NOT NULL) \
             SELECT count(*) FROM appended",
        )
        .bind(project.to_string())
        .bind(rows.iter().map(|row| row.sequence).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.event_type).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.event_version).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.payload.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.metadata.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.hash.as_slice()).collect::<Vec<_>>())
        .bind(fence.map(|fence| fence.role))
        .bind(fence.map(|fence| fence.epoch))
        .bind(command.map(|(command, _)| command.0))
        .bind(command.map(|(_, version)| as_i64(version)))
        .bind(rows.iter().map(|row| row.recorded_at).collect::<Vec<_>>())
        .fetch_one(&mut *connection)
        .await;
        match result {
            Ok(row) => {
                self.hot.keep(connection);
                if row.get::<i64, _>(0) == 0 {
                    Err(PostgresError::LeadershipLost)
                } else {
                    Ok(Appended::Done)
                }
            }
            Err(error) => conflict(error),
        }
    }
}

/// Tells the two unique violations apart by the constraint's name.
fn conflict(error: sqlx::Error) -> Result<Appended, PostgresError> {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::constraint) {
        Some("events_version") => Ok(Appended::VersionConflict),
        Some("command_log_once") => Ok(Appended::CommandSeenBefore),
        _ => Err(PostgresError::during("append events")(error)),
    }
}

type Decided<'a> = Vec<(&'a Envelope, Vec<Event>)>;

/// Decides one command after the other, each on the state that the ones before it left.
fn decide_all<'a>(
    start: &Project,
    envelopes: &'a [Envelope],
) -> (Vec<Result<(), ProjectError>>, Decided<'a>) {
    let mut state = start.clone();
    let mut outcomes = Vec::with_capacity(envelopes.len());
    let mut decided = Vec::with_capacity(envelopes.len());
    for envelope in envelopes {
        match state.decide(envelope) {
            Ok(events) => {
                events.iter().for_each(|event| state.evolve(event));
                decided.push((envelope, events));
                outcomes.push(Ok(()));
            }
            Err(error) => outcomes.push(Err(error)),
        }
    }
    (outcomes, decided)
}

/// The rows to append, and the state after them. Each is a microsecond younger than the one before it, so that
/// lists in the order of time are in the order of events.
fn extend(
    loaded: &Loaded,
    decided: &[(&Envelope, Vec<Event>)],
    now: DateTime<Utc>,
) -> Result<(Vec<NewRow>, Loaded), PostgresError> {
    let mut after = loaded.clone();
    let mut rows = Vec::new();
    let mut recorded_at = now.trunc_subsecs(6);
    for (envelope, events) in decided {
        let mut metadata = sorted(envelope.context.to_metadata());
        let state = Arc::make_mut(&mut after.state);
        for event in events {
            state.evolve(event);
            metadata.insert(RECORDED_AT.to_owned(), told(recorded_at));
            let (payload, metadata) = (to_json(event)?, to_json(&metadata)?);
            let hash = chain(&after.head, state.version, event.name(), event.version(), &payload, &metadata);
            after.head = hash;
            rows.push(NewRow {
                sequence: as_i64(state.version),
                event_type: event.name(),
                event_version: event.version(),
                payload,
                metadata,
                recorded_at,
                hash,
            });
            recorded_at += TimeDelta::microseconds(1);
        }
    }
    Ok((rows, after))
}

/// A time as metadata tell it.
fn told(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Whether an event was recorded when its metadata say. Those from before metadata said so are believed.
pub(crate) fn is_recorded_at(at: DateTime<Utc>, metadata: &str) -> bool {
    let metadata = serde_json::from_str::<HashMap<String, String>>(metadata).unwrap_or_default();
    metadata.get(RECORDED_AT).is_none_or(|said| *said == told(at))
}

fn sorted(metadata: HashMap<String, String>) -> std::collections::BTreeMap<String, String> {
    metadata.into_iter().collect()
}

/// The hash of an event: over its predecessor's, and all that was written of it, byte for byte. Each
/// part is preceded by its length, so that no two different events read the same.
pub fn chain(
    previous: &[u8; 32],
    sequence: u64,
    event_type: &str,
    event_version: &str,
    payload: &str,
    metadata: &str,
) -> [u8; 32] {
    let length = |text: &str| (text.len() as u64).to_be_bytes();
    sha256(&[
        previous,
        &sequence.to_be_bytes(),
        &length(event_type),
        event_type.as_bytes(),
        &length(event_version),
        event_version.as_bytes(),
        &length(payload),
        payload.as_bytes(),
        &length(metadata),
        metadata.as_bytes(),
    ])
}

/// Reads an event as it is stored; one of an unknown type or version is an error, never skipped.
pub(crate) fn read_event(
    event_type: &str,
    event_version: &str,
    payload: &str,
) -> Result<Event, PostgresError> {
    if !Event::TYPES.contains(&(event_type, event_version)) {
        let (event_type, event_version) = (event_type.to_owned(), event_version.to_owned());
        return Err(PostgresError::UnknownEvent { event_type, event_version });
    }
    serde_json::from_str(payload).map_err(|error| PostgresError::Corrupt(format!("{event_type}: {error}")))
}

pub(crate) fn read_hash(bytes: Option<&[u8]>) -> Result<[u8; 32], PostgresError> {
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| PostgresError::Corrupt("an event without its hash".to_owned()))
}

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, PostgresError> {
    serde_json::to_string(value).map_err(|error| PostgresError::Corrupt(error.to_string()))
}

pub(crate) fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
