//! The table `takes`: every picture, clip and voice that was made, and the index from what was asked
//! for to what was made.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::asset::Asset;
use domain::ids::{ProjectId, ShotId, TakeId, TaskId};
use domain::job::{MadeWith, SpecHash};
use domain::project::Event;
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
    /// The task that made it.
    pub task_id: TaskId,
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
    /// The take that an event brings, if it brings one.
    pub(crate) fn from_event(recorded: &Recorded) -> Option<Self> {
        let Event::TaskFinished(event) = &recorded.event else { return None };
        let take = event.take.as_ref()?;
        Some(Self {
            id: take.take_id,
            project_id: recorded.project,
            shot_id: take.shot_id,
            task_id: event.task_id,
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

/// What was made earlier for these specifications, by specification.
pub async fn by_spec(
    pool: &PgPool,
    specs: &[SpecHash],
) -> Result<HashMap<SpecHash, (Asset, MadeWith)>, PostgresError> {
    if specs.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT DISTINCT ON (spec_hash) spec_hash, asset::text, made_with::text FROM takes \
         WHERE spec_hash = ANY($1) ORDER BY spec_hash, created_at DESC",
    )
    .bind(specs.iter().map(|spec| spec.0.as_str()).collect::<Vec<_>>())
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("look earlier takes up"))?;
    rows.into_iter()
        .map(|(spec, asset, made_with)| Ok((SpecHash(spec), (from_json(&asset)?, from_json(&made_with)?))))
        .collect()
}
