//! Snapshots: a cache of states, written after the commit, and deleted freely.
//!
//! A snapshot is kept under a hash of what decides its shape and meaning, so that a program never
//! reads the snapshot of one whose state looks different.

use domain::hash::hash_json;
use domain::ids::ProjectId;
use domain::project::Project;
use sqlx::PgPool;

use super::PostgresError;
use super::event_store::{Loaded, as_i64, read_hash, to_json};
use super::leadership::Fence;

/// Raise this when the state's shape or the meaning of `evolve` changes.
const MEANING: u32 = 4;

/// What a cached state must be of.
pub(super) fn schema_hash() -> String {
    hash_json("snapshot", &(MEANING, env!("CARGO_PKG_VERSION"), Project::default()))
}

pub(super) async fn load(pool: &PgPool, project: ProjectId) -> Result<Option<Loaded>, PostgresError> {
    let row: Option<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT state::text, hash FROM snapshots WHERE aggregate_id = $1 AND schema_hash = $2",
    )
    .bind(project.0)
    .bind(schema_hash())
    .fetch_optional(pool)
    .await
    .map_err(PostgresError::during("load a snapshot"))?;
    let Some((state, hash)) = row else { return Ok(None) };
    // An unreadable snapshot is no loss: the events are all there.
    let Ok(state) = serde_json::from_str::<Project>(&state) else { return Ok(None) };
    Ok(Some(Loaded { state: state.into(), head: read_hash(Some(&hash))? }))
}

/// Writes a snapshot in the background; if it fails, the next one will do.
pub(super) fn write_behind(pool: PgPool, project: ProjectId, loaded: Loaded) {
    #[expect(clippy::disallowed_methods, reason = "a cache write whose loss means nothing")]
    tokio::spawn(async move {
        if let Err(error) = write(&pool, project, &loaded).await {
            tracing::debug!(%project, %error, "a snapshot was not written");
        }
    });
}

async fn write(pool: &PgPool, project: ProjectId, loaded: &Loaded) -> Result<(), PostgresError> {
    sqlx::query(
        "INSERT INTO snapshots (aggregate_id, schema_hash, version, hash, state) VALUES ($1, $2, $3, $4, $5::json) \
         ON CONFLICT (aggregate_id, schema_hash) DO UPDATE SET \
         version = excluded.version, hash = excluded.hash, state = excluded.state \
         WHERE snapshots.version < excluded.version",
    )
    .bind(project.0)
    .bind(schema_hash())
    .bind(as_i64(loaded.state.version))
    .bind(loaded.head.as_slice())
    .bind(to_json(&*loaded.state)?)
    .execute(pool)
    .await
    .map_err(PostgresError::during("write a snapshot"))?;
    Ok(())
}

/// Forgets up to `most` snapshots, and as many milestones, that a program left whose states look different, and
/// answers how many. One of another version that runs beside this one leaves them again.
pub async fn sweep(pool: &PgPool, most: u32, fence: &Fence) -> Result<u64, PostgresError> {
    let mut swept = 0;
    for (table, key) in
        [("snapshots", "aggregate_id, schema_hash"), ("milestones", "project_id, schema_hash, version")]
    {
        let deleted = sqlx::query(&format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE schema_hash <> $1 LIMIT $2) \
             AND EXISTS (SELECT FROM leaderships WHERE role = $3 AND epoch = $4)"
        ))
        .bind(schema_hash())
        .bind(i64::from(most))
        .bind(fence.role)
        .bind(fence.epoch)
        .execute(pool)
        .await
        .map_err(PostgresError::during("forget old snapshots"))?;
        swept += deleted.rows_affected();
    }
    Ok(swept)
}
