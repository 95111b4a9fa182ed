//! The table `takes`: every picture, clip and voice that was made, and the index from what was asked
//! for to what was made.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::asset::Asset;
use domain::ids::{ProjectId, ShotId, TakeId, TaskId};
use domain::job::{MadeWith, SpecHash};
use domain::project::{ContentTake, Event, TaskFinished};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use super::{from_json, upsert};
use crate::postgres::PostgresError;
use crate::postgres::tail::Recorded;

const COLUMNS: &[&str] =
    &["id", "project_id", "shot_id", "task_id", "spec_hash", "asset", "made_with", "created_at"];

/// One take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TakeRow {
    /// The take.
    pub id: TakeId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its shot.
    pub shot_id: ShotId,
    /// The task of this system that made it; none for what was copied or brought here.
    pub task_id: Option<TaskId>,
    /// What was asked for.
    pub spec_hash: SpecHash,
    /// The stored media.
    pub asset: Asset,
    /// What made it.
    pub made_with: MadeWith,
    /// When.
    pub created_at: DateTime<Utc>,
}

impl TakeRow {
    /// The takes that an event brings.
    pub(crate) fn from_event(recorded: &Recorded) -> Vec<Self> {
        match &recorded.event {
            Event::TaskFinished(event) => Self::made(recorded, event).into_iter().collect(),
            Event::ProjectForked(event) => {
                event.content.takes().map(|(shot, take)| Self::copied(recorded, shot, take)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn copied(recorded: &Recorded, shot_id: ShotId, take: &ContentTake) -> Self {
        Self {
            id: take.take_id,
            project_id: recorded.project,
            shot_id,
            task_id: None,
            spec_hash: take.spec_hash.clone(),
            asset: take.asset.clone(),
            made_with: take.made_with.clone(),
            created_at: recorded.at,
        }
    }

    fn made(recorded: &Recorded, event: &TaskFinished) -> Option<Self> {
        let take = event.take.as_ref()?;
        Some(Self {
            id: take.take_id,
            project_id: recorded.project,
            shot_id: take.shot_id,
            task_id: Some(event.task_id).filter(|_| !recorded.imported),
            spec_hash: event.spec_hash.clone(),
            asset: take.asset.clone(),
            made_with: event.made_with.clone(),
            created_at: recorded.at,
        })
    }
}

pub(crate) async fn write(connection: &mut PgConnection, rows: &[TakeRow]) -> Result<(), PostgresError> {
    upsert(connection, "takes", COLUMNS, &[], rows).await
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
         WHERE spec_hash = ANY($1) AND task_id IS NOT NULL ORDER BY spec_hash, created_at DESC",
    )
    .bind(specs.iter().map(|spec| spec.0.as_str()).collect::<Vec<_>>())
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("look earlier takes up"))?;
    rows.into_iter()
        .map(|(spec, asset, made_with)| Ok((SpecHash(spec), (from_json(&asset)?, from_json(&made_with)?))))
        .collect()
}
