//! The table `media_names`: which stored media is named by which project. What no row names, or only rows that were
//! given up long enough ago, may be removed from the store.
//!
//! It follows the log by a checkpoint of its own, from the very first event: a row that is missing would cost
//! somebody a picture. An event that names media after it was given up takes that back, whatever came between.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::asset::AssetKey;
use domain::ids::{ProjectId, TakeId};
use domain::project::Event;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::leadership::Fence;
use super::tail::{Place, Recorded};
use super::{PostgresError, checkpoint};

/// Name of the collector's checkpoint.
pub const READER: &str = "media";

/// What an event means for stored media.
enum Change {
    /// A project names it.
    Named(Name),
    /// These takes are given up.
    Expired(ProjectId, Vec<TakeId>, DateTime<Utc>),
    /// All of a project is given up.
    Purged(ProjectId, DateTime<Utc>),
}

struct Name {
    key: String,
    project: ProjectId,
    take: Uuid,
}

/// Takes a page in that follows on `from`, and moves the checkpoint to its end.
pub async fn follow(
    pool: &PgPool,
    (from, to): (Place, Place),
    page: &[Arc<Recorded>],
    fence: &Fence,
) -> Result<(), PostgresError> {
    let mut transaction = pool.begin().await.map_err(PostgresError::during("begin names of media"))?;
    checkpoint::advance(&mut transaction, READER, from, to, fence).await?;
    let mut names = Vec::new();
    for change in page.iter().flat_map(|recorded| changes(recorded)) {
        match change {
            Change::Named(name) => names.push(name),
            given_up => {
                insert(&mut transaction, &std::mem::take(&mut names)).await?;
                give_up(&mut transaction, &given_up).await?;
            }
        }
    }
    insert(&mut transaction, &names).await?;
    transaction.commit().await.map_err(PostgresError::during("commit names of media"))
}

fn changes(recorded: &Recorded) -> Vec<Change> {
    let project = recorded.project;
    match &recorded.event {
        Event::TakesExpired(event) => vec![Change::Expired(project, event.takes.clone(), recorded.at)],
        Event::ProjectPurged(_) => vec![Change::Purged(project, recorded.at)],
        event => {
            let named = event.media().into_iter();
            named
                .map(|(take, asset)| {
                    let take = take.map_or(Uuid::nil(), |take| take.0);
                    Change::Named(Name { key: asset.key.to_string(), project, take })
                })
                .collect()
        }
    }
}

async fn insert(connection: &mut PgConnection, names: &[Name]) -> Result<(), PostgresError> {
    if names.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO media_names (key, project_id, take_id) \
         SELECT DISTINCT n.key, n.project_id, n.take_id FROM unnest($1::text[], $2::uuid[], $3::uuid[]) \
           AS n(key, project_id, take_id) \
         ON CONFLICT (key, project_id, take_id) DO UPDATE SET freed_at = NULL",
    )
    .bind(names.iter().map(|name| name.key.as_str()).collect::<Vec<_>>())
    .bind(names.iter().map(|name| name.project.0).collect::<Vec<_>>())
    .bind(names.iter().map(|name| name.take).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
    .map_err(PostgresError::during("write names of media"))
}

async fn give_up(connection: &mut PgConnection, change: &Change) -> Result<(), PostgresError> {
    let query = match change {
        Change::Named(_) => return Ok(()),
        Change::Expired(project, takes, at) => sqlx::query(
            "UPDATE media_names SET freed_at = $3 WHERE project_id = $1 AND take_id = ANY($2) AND freed_at IS NULL",
        )
        .bind(project.0)
        .bind(takes.iter().map(|take| take.0).collect::<Vec<Uuid>>())
        .bind(*at),
        Change::Purged(project, at) => {
            sqlx::query("UPDATE media_names SET freed_at = $2 WHERE project_id = $1 AND freed_at IS NULL")
                .bind(project.0)
                .bind(*at)
        }
    };
    query.execute(connection).await.map(drop).map_err(PostgresError::during("give media up"))
}

/// Whether every event that was recorded before `before` is taken in.
pub async fn is_read_until(pool: &PgPool, before: DateTime<Utc>) -> Result<bool, PostgresError> {
    let place = checkpoint::load(pool, READER).await?;
    sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT 1 FROM events e \
           WHERE (e.log_epoch, e.transaction_id, e.position) > ($1, $2::text::xid8, $3) AND e.recorded_at < $4)",
    )
    .bind(place.epoch)
    .bind(place.transaction.to_string())
    .bind(place.position)
    .bind(before)
    .fetch_one(pool)
    .await
    .map_err(PostgresError::during("compare a checkpoint with the log"))
}

/// Those of these that some project names, or did until after `since`.
pub async fn named_since(
    pool: &PgPool,
    keys: &[AssetKey],
    since: DateTime<Utc>,
) -> Result<HashSet<String>, PostgresError> {
    let named: Vec<String> = sqlx::query_scalar(
        "SELECT k.key FROM unnest($1::text[]) AS k(key) WHERE EXISTS (SELECT 1 FROM media_names n \
           WHERE n.key = k.key AND (n.freed_at IS NULL OR n.freed_at >= $2))",
    )
    .bind(keys.iter().map(AssetKey::as_str).collect::<Vec<_>>())
    .bind(since)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("look up who names media"))?;
    Ok(named.into_iter().collect())
}

/// Whether media was named once and is given up by all who did.
pub async fn is_given_up(pool: &PgPool, key: &AssetKey) -> Result<bool, PostgresError> {
    sqlx::query_scalar(
        "SELECT coalesce(bool_and(freed_at IS NOT NULL), false) FROM media_names WHERE key = $1",
    )
    .bind(key.as_str())
    .fetch_one(pool)
    .await
    .map_err(PostgresError::during("look up whether media is given up"))
}

/// The name by which a folder of media knows this database.
pub async fn owner(pool: &PgPool) -> Result<String, PostgresError> {
    let id: Uuid = sqlx::query_scalar("SELECT id FROM media_owner LIMIT 1")
        .fetch_one(pool)
        .await
        .map_err(PostgresError::during("read the database's name"))?;
    Ok(id.to_string())
}
