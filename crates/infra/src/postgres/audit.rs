//! Audits the log: each event carries the hash of its predecessor and of all that was written of itself, so an
//! alteration shows. What is beside that is compared with it: when it was recorded with its metadata, whether it was
//! brought here with the last import, whose it is with the first event, and its place in the log with the one before. And
//! whoever kept a project's head sees also when the whole rest was written anew.

use std::collections::BTreeMap;
use std::fmt;

use domain::ids::ProjectId;
use domain::project::Event;
use sqlx::{PgPool, Row};

use super::PostgresError;
use super::event_store::{as_i64, chain, is_recorded_at};
use super::tail::{Place, place};

/// Events that are in memory at a time.
const PAGE: i64 = 2_000;
/// Projects that are in memory at a time.
const PROJECTS: i64 = 1_000;

/// The last event of a project's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The project.
    pub project: ProjectId,
    /// Its version.
    pub version: u64,
    /// The hash over all its events.
    pub hash: [u8; 32],
}

/// What is wrong with one event of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The project.
    pub project: ProjectId,
    /// The event's version.
    pub version: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// What is stored of it is not what was written.
    Altered,
    /// It is not there; of several in a row, this is the first.
    Missing,
    /// It and all before it agree with each other, and not with the head that was kept.
    NotAsKept,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Altered => "was altered",
            Self::Missing => "is missing",
            Self::NotAsKept => "is not the one whose head was kept",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "project {}: version {} {}", self.project, self.version, self.fault)
    }
}

/// Some projects' heads, in the order of their ids, after a project. An empty page is the end.
pub async fn heads(pool: &PgPool, after: Option<ProjectId>) -> Result<Vec<Head>, PostgresError> {
    // One step of the index per project: `DISTINCT ON` would read every event.
    let rows = sqlx::query(
        "WITH RECURSIVE ids AS ( \
           (SELECT aggregate_id AS id, 1 AS number FROM events WHERE aggregate_type = 'project' \
              AND aggregate_id > $1 ORDER BY aggregate_id LIMIT 1) \
           UNION ALL \
           SELECT next.id, ids.number + 1 FROM ids CROSS JOIN LATERAL \
             (SELECT aggregate_id AS id FROM events WHERE aggregate_type = 'project' \
                AND aggregate_id > ids.id ORDER BY aggregate_id LIMIT 1) next \
           WHERE ids.number < $2) \
         SELECT ids.id, head.sequence, head.hash FROM ids CROSS JOIN LATERAL \
           (SELECT sequence, hash FROM events WHERE aggregate_type = 'project' AND aggregate_id = ids.id \
            ORDER BY sequence DESC LIMIT 1) head",
    )
    .bind(after.map_or_else(String::new, |id| id.to_string()))
    .bind(PROJECTS)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("read the heads of the log"))?;
    rows.iter().map(head).collect()
}

fn head(row: &sqlx::postgres::PgRow) -> Result<Head, PostgresError> {
    let id: String = row.get(0);
    let project = id.parse().map_err(|_| PostgresError::Corrupt(format!("aggregate id {id}")))?;
    let hash = row.get::<Option<Vec<u8>>, _>(2);
    Ok(Head {
        project,
        version: u64::try_from(row.get::<i64, _>(1)).unwrap_or(0),
        // An event without its hash shows as altered when it is verified.
        hash: hash.and_then(|hash| hash.try_into().ok()).unwrap_or_default(),
    })
}

/// Computes a project's chain of hashes again, and compares it with the heads that were kept of it, by version.
/// Answers how many events it has, and hands over what is wrong, in the order of versions.
pub async fn verify(
    pool: &PgPool,
    project: ProjectId,
    kept: &BTreeMap<u64, [u8; 32]>,
    mut found: impl FnMut(Finding),
) -> Result<u64, PostgresError> {
    let mut report = |version, fault| found(Finding { project, version, fault });
    let imported = imported_until(pool, project).await?;
    let (mut previous, mut version, mut place_before) = ([0; 32], 0, Place::default());
    loop {
        let page = events(pool, project, version).await?;
        for row in &page {
            let sequence = u64::try_from(row.get::<i64, _>("sequence")).unwrap_or(0);
            let follows = sequence == version + 1;
            if !follows {
                report(version + 1, Fault::Missing);
            }
            version = sequence;
            let computed = chain(&previous, sequence, row.get(1), row.get(2), row.get(3), row.get(4));
            let stored: Option<[u8; 32]> =
                row.get::<Option<Vec<u8>>, _>("hash").and_then(|hash| hash.try_into().ok());
            // What follows on an event that is gone cannot be judged; what follows on an altered one can, by
            // the hash that was stored of it.
            let place = place(row)?;
            let is_as_told = row.get::<bool, _>("imported") == (sequence <= imported)
                && is_recorded_at(row.get("recorded_at"), row.get(4))
                && place > place_before
                && (sequence > 1 || starts(row.get(3), project));
            place_before = place;
            let is_altered = stored.is_none() || (follows && stored != Some(computed)) || !is_as_told;
            if is_altered {
                report(version, Fault::Altered);
            } else if kept.get(&version).is_some_and(|kept| Some(*kept) != stored) {
                report(version, Fault::NotAsKept);
            }
            previous = stored.unwrap_or(computed);
        }
        if page.is_empty() {
            break;
        }
    }
    let cut_off = kept.range(version + 1..).next_back();
    cut_off.into_iter().for_each(|(version, _)| report(*version, Fault::Missing));
    Ok(version)
}

/// Whether a first event starts this project. One that only a newer program knows is left to its hash.
fn starts(payload: &str, project: ProjectId) -> bool {
    serde_json::from_str::<Event>(payload).map_or(true, |event| event.started() == Some(project))
}

/// The version up to which a project's history was brought here, by what its last import says; 0 if it was not.
async fn imported_until(pool: &PgPool, project: ProjectId) -> Result<u64, PostgresError> {
    let last: Option<String> = sqlx::query_scalar(
        "SELECT payload::text FROM events WHERE aggregate_type = 'project' AND aggregate_id = $1 \
           AND event_type = 'ProjectImported' ORDER BY sequence DESC LIMIT 1",
    )
    .bind(project.to_string())
    .fetch_optional(pool)
    .await
    .map_err(PostgresError::during("look for an import"))?;
    // One that cannot be read was altered, and shows as that.
    let version = last.and_then(|payload| match serde_json::from_str(&payload) {
        Ok(Event::ProjectImported(event)) => Some(event.version),
        _ => None,
    });
    Ok(version.unwrap_or(0))
}

async fn events(
    pool: &PgPool,
    project: ProjectId,
    after: u64,
) -> Result<Vec<sqlx::postgres::PgRow>, PostgresError> {
    sqlx::query(
        "SELECT sequence, event_type, event_version, payload::text, metadata::text, hash, recorded_at, imported, \
           log_epoch, transaction_id::text AS transaction, position FROM events \
         WHERE aggregate_type = 'project' AND aggregate_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
    )
    .bind(project.to_string())
    .bind(as_i64(after))
    .bind(PAGE)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("read a project's events"))
}
