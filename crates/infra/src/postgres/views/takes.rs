//! The table `takes`: every picture, clip and voice that a shot ever had, and the index from what was asked
//! for to what was made.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::asset::Asset;
use domain::ids::{ProjectId, ShotId, TakeId, TaskId};
use domain::job::{Kind, MadeWith, SpecHash};
use domain::project::{ContentTake, Event, Parameters, TakeUploaded, TaskFinished};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::tasks::TaskRow;
use super::{from_json, upsert};
use crate::postgres::PostgresError;
use crate::postgres::tail::Recorded;

const COLUMNS: &[&str] = &[
    "id",
    "project_id",
    "shot_id",
    "task_id",
    "kind",
    "spec_hash",
    "parameters",
    "asset",
    "made_with",
    "expired_at",
    "created_at",
];

/// One take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TakeRow {
    /// The take.
    pub id: TakeId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its shot.
    pub shot_id: ShotId,
    /// The task of this system that made it; none for what was uploaded, copied or brought here.
    pub task_id: Option<TaskId>,
    /// A picture, a clip or a voice.
    pub kind: Kind,
    /// What was asked for.
    pub spec_hash: SpecHash,
    /// How it was asked for.
    pub parameters: Parameters,
    /// The stored media.
    pub asset: Asset,
    /// What made it.
    pub made_with: MadeWith,
    /// When its media was given up.
    pub expired_at: Option<DateTime<Utc>>,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// What happens to takes of a project that are there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TakeChange {
    project: ProjectId,
    /// Those that it happens to; all when absent.
    takes: Option<Vec<TakeId>>,
    /// When their media was given up; nothing when shots use them, so that it is wanted again.
    expired_at: Option<DateTime<Utc>>,
}

impl TakeRow {
    /// The takes that an event brings. `task` is the event's task.
    pub(crate) fn from_event(recorded: &Recorded, task: Option<&TaskRow>) -> Vec<Self> {
        match &recorded.event {
            Event::TaskFinished(event) => {
                task.and_then(|task| Self::made(recorded, event, task)).into_iter().collect()
            }
            Event::TakeUploaded(event) => vec![Self::uploaded(recorded, event)],
            Event::ProjectForked(event) => {
                let takes = event.content.takes();
                takes.map(|(shot, kind, take)| Self::copied(recorded, (shot, kind), take)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn made(recorded: &Recorded, event: &TaskFinished, task: &TaskRow) -> Option<Self> {
        let take = event.take.as_ref()?;
        Some(Self {
            id: take.take_id,
            project_id: recorded.project,
            shot_id: take.shot_id,
            task_id: Some(event.task_id).filter(|_| !recorded.imported),
            kind: task.kind,
            spec_hash: event.spec_hash.clone(),
            parameters: task.parameters.clone(),
            asset: take.asset.clone(),
            made_with: event.made_with.clone(),
            expired_at: None,
            created_at: recorded.at,
        })
    }

    fn uploaded(recorded: &Recorded, event: &TakeUploaded) -> Self {
        Self {
            id: event.take_id,
            project_id: recorded.project,
            shot_id: event.shot_id,
            task_id: None,
            kind: event.kind,
            spec_hash: event.spec_hash.clone(),
            parameters: Parameters::default(),
            asset: event.asset.clone(),
            made_with: MadeWith { provider: "upload".to_owned(), ..MadeWith::default() },
            expired_at: None,
            created_at: recorded.at,
        }
    }

    fn copied(recorded: &Recorded, (shot_id, kind): (ShotId, Kind), take: &ContentTake) -> Self {
        Self {
            id: take.take_id,
            project_id: recorded.project,
            shot_id,
            task_id: None,
            kind,
            spec_hash: take.spec_hash.clone(),
            parameters: take.parameters.clone(),
            asset: take.asset.clone(),
            made_with: take.made_with.clone(),
            expired_at: None,
            created_at: recorded.at,
        }
    }
}

impl TakeChange {
    /// What an event does to takes that are there.
    pub(crate) fn from_event(recorded: &Recorded) -> Option<Self> {
        let (takes, expired_at) = match &recorded.event {
            Event::TakeSelected(event) => (Some(vec![event.take_id]), None),
            Event::ProjectRestored(event) => {
                (Some(event.content.takes().map(|(_, _, take)| take.take_id).collect()), None)
            }
            Event::TakesExpired(event) => (Some(event.takes.clone()), Some(recorded.at)),
            Event::ProjectPurged(_) => (None, Some(recorded.at)),
            _ => return None,
        };
        Some(Self { project: recorded.project, takes, expired_at })
    }

    /// Applies it to the rows.
    pub(crate) async fn apply(&self, connection: &mut PgConnection) -> Result<(), PostgresError> {
        let takes = self.takes.as_ref().map(|takes| takes.iter().map(|take| take.0).collect::<Vec<Uuid>>());
        let which = if takes.is_some() { "id = ANY($2)" } else { "$2::uuid[] IS NULL" };
        sqlx::query(&format!(
            "UPDATE takes SET expired_at = $3 \
             WHERE project_id = $1 AND {which} AND (expired_at IS NULL) <> ($3::timestamptz IS NULL)"
        ))
        .bind(self.project.0)
        .bind(takes)
        .bind(self.expired_at)
        .execute(connection)
        .await
        .map(drop)
        .map_err(PostgresError::during("change takes"))
    }
}

pub(crate) async fn write(connection: &mut PgConnection, rows: &[TakeRow]) -> Result<(), PostgresError> {
    upsert(connection, "takes", COLUMNS, &[], rows).await
}

/// The takes of a shot, oldest first, after `(created_at, id)`.
pub async fn of_shot(
    pool: &PgPool,
    shot: ShotId,
    after: Option<(DateTime<Utc>, TakeId)>,
    limit: i64,
) -> Result<Vec<TakeRow>, PostgresError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT row_to_json(t)::text FROM takes t WHERE shot_id = $1 \
           AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3)) ORDER BY created_at, id LIMIT $4",
    )
    .bind(shot.0)
    .bind(after.map(|(at, _)| at))
    .bind(after.map(|(_, id)| id.0))
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("list takes"))?;
    rows.iter().map(|row| from_json(row)).collect()
}

/// One take of a shot.
pub async fn find(pool: &PgPool, shot: ShotId, id: TakeId) -> Result<Option<TakeRow>, PostgresError> {
    let row: Option<String> =
        sqlx::query_scalar("SELECT row_to_json(t)::text FROM takes t WHERE id = $1 AND shot_id = $2")
            .bind(id.0)
            .bind(shot.0)
            .fetch_optional(pool)
            .await
            .map_err(PostgresError::during("find a take"))?;
    row.as_deref().map(from_json).transpose()
}

/// A page of takes: those that no shot uses, and the place of the last one that was looked at.
#[derive(Debug)]
pub struct Unused {
    /// With their projects.
    pub unused: Vec<(ProjectId, TakeId)>,
    /// Where the next page begins; nothing after the last.
    pub last: Option<(DateTime<Utc>, TakeId)>,
}

/// Of up to `limit` takes after a place, oldest first, those that no shot uses, and whose shot (or whose project,
/// where the shot is gone) has not changed since `before`.
pub async fn unused_since(
    pool: &PgPool,
    after: Option<(DateTime<Utc>, TakeId)>,
    before: DateTime<Utc>,
    limit: usize,
) -> Result<Unused, PostgresError> {
    let rows: Vec<(Uuid, Uuid, DateTime<Utc>, bool)> = sqlx::query_as(
        "SELECT t.project_id, t.id, t.created_at, \
           NOT p.deleted AND coalesce(s.updated_at, p.updated_at) < $3 AND t.id::text <> ALL \
             (ARRAY[coalesce(s.image->>'id', ''), coalesce(s.video->>'id', ''), coalesce(s.voice->>'id', '')]) \
         FROM takes t JOIN projects p ON p.id = t.project_id LEFT JOIN shots s ON s.id = t.shot_id \
         WHERE t.expired_at IS NULL AND t.created_at < $3 \
           AND ($1::timestamptz IS NULL OR (t.created_at, t.id) > ($1, $2)) \
         ORDER BY t.created_at, t.id LIMIT $4",
    )
    .bind(after.map(|(at, _)| at))
    .bind(after.map(|(_, id)| id.0))
    .bind(before)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("list takes that no shot uses"))?;
    let last = rows.last().map(|(_, take, at, _)| (*at, TakeId(*take)));
    let unused = rows.into_iter().filter(|(.., is_unused)| *is_unused);
    Ok(Unused {
        unused: unused.map(|(project, take, ..)| (ProjectId(project), TakeId(take))).collect(),
        last,
    })
}

/// Those of these takes whose media is given up.
pub async fn expired_among(pool: &PgPool, takes: &[TakeId]) -> Result<HashSet<TakeId>, PostgresError> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM takes WHERE id = ANY($1) AND expired_at IS NOT NULL")
            .bind(takes.iter().map(|take| take.0).collect::<Vec<Uuid>>())
            .fetch_all(pool)
            .await
            .map_err(PostgresError::during("look up expired takes"))?;
    Ok(ids.into_iter().map(TakeId).collect())
}

/// What was made here earlier for these specifications, by specification. What a history from elsewhere says
/// was made for them is not believed: another's project would show it.
pub async fn by_spec(
    pool: &PgPool,
    specs: &[SpecHash],
) -> Result<HashMap<SpecHash, (Asset, MadeWith)>, PostgresError> {
    if specs.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT DISTINCT ON (spec_hash) spec_hash, asset::text, made_with::text FROM takes \
         WHERE spec_hash = ANY($1) AND task_id IS NOT NULL AND expired_at IS NULL \
         ORDER BY spec_hash, created_at DESC",
    )
    .bind(specs.iter().map(|spec| spec.0.as_str()).collect::<Vec<_>>())
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("look earlier takes up"))?;
    rows.into_iter()
        .map(|(spec, asset, made_with)| Ok((SpecHash(spec), (from_json(&asset)?, from_json(&made_with)?))))
        .collect()
}
