//! Milestones: a cache of what folding a history came to at some of its versions, left by whoever folds, and deleted
//! freely.

use domain::ids::ProjectId;
use serde::de::DeserializeOwned;
use sqlx::PgPool;

use super::PostgresError;
use super::event_store::as_i64;
use super::snapshot::schema_hash;

/// The newest one that is not beyond a version.
pub(super) async fn before<T: DeserializeOwned>(
    pool: &PgPool,
    project: ProjectId,
    version: u64,
) -> Result<Option<T>, PostgresError> {
    let folded: Option<String> = sqlx::query_scalar(
        "SELECT folded::text FROM milestones WHERE project_id = $1 AND schema_hash = $2 AND version <= $3 \
         ORDER BY version DESC LIMIT 1",
    )
    .bind(project.0)
    .bind(schema_hash())
    .bind(as_i64(version))
    .fetch_optional(pool)
    .await
    .map_err(PostgresError::during("look for a milestone"))?;
    // An unreadable one is no loss: the events are all there, and it is written anew.
    Ok(folded.and_then(|folded| serde_json::from_str(&folded).ok()))
}

/// Leaves one. It is no error when that cannot be done.
pub(super) async fn leave(pool: &PgPool, project: ProjectId, version: u64, folded: &str) {
    let left = sqlx::query(
        "INSERT INTO milestones (project_id, schema_hash, version, folded) VALUES ($1, $2, $3, $4::json) \
         ON CONFLICT (project_id, schema_hash, version) DO UPDATE SET folded = excluded.folded",
    )
    .bind(project.0)
    .bind(schema_hash())
    .bind(as_i64(version))
    .bind(folded)
    .execute(pool)
    .await;
    if let Err(error) = left {
        tracing::debug!(%project, version, %error, "a milestone was not left");
    }
}
