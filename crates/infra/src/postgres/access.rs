//! The tables of `0005_access.sql`: keys that callers show, and the key that we sign with.

use chrono::{DateTime, Utc};
use domain::ids::{ProjectId, ShotId, TaskId};
use sqlx::PgPool;
use uuid::Uuid;

use super::PostgresError;

/// A key as it is kept. Its secret is not: only the SHA-256 of it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ApiKeyRow {
    /// Its public part.
    pub id: Uuid,
    /// What it is for, in its maker's words.
    pub label: String,
    /// Whom it stands for: owner of what is started with it.
    pub subject: String,
    /// `viewer | editor | admin`.
    pub role: String,
    /// SHA-256 of the secret part.
    pub secret_hash: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it opens nothing any more.
    pub revoked_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "id, label, subject, role, secret_hash, created_at, revoked_at";

/// Keeps a new key.
pub async fn insert_key(pool: &PgPool, key: &ApiKeyRow) -> Result<(), PostgresError> {
    sqlx::query(
        "INSERT INTO api_keys (id, label, subject, role, secret_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(key.id)
    .bind(&key.label)
    .bind(&key.subject)
    .bind(&key.role)
    .bind(&key.secret_hash)
    .bind(key.created_at)
    .execute(pool)
    .await
    .map_err(PostgresError::during("keep a key"))?;
    Ok(())
}

/// Every key that ever was, newest first.
pub async fn keys(pool: &PgPool) -> Result<Vec<ApiKeyRow>, PostgresError> {
    sqlx::query_as(&format!("SELECT {COLUMNS} FROM api_keys ORDER BY created_at DESC, id"))
        .fetch_all(pool)
        .await
        .map_err(PostgresError::during("list keys"))
}

/// One key, revoked or not.
pub async fn key(pool: &PgPool, id: Uuid) -> Result<Option<ApiKeyRow>, PostgresError> {
    sqlx::query_as(&format!("SELECT {COLUMNS} FROM api_keys WHERE id = $1"))
        .bind(id)
        .fetch_optional(pool)
        .await
        .map_err(PostgresError::during("find a key"))
}

/// Ends a key; `false` when there is none of this id. One that has ended keeps its time.
pub async fn revoke_key(pool: &PgPool, id: Uuid, at: DateTime<Utc>) -> Result<bool, PostgresError> {
    let ended = sqlx::query("UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1")
        .bind(id)
        .bind(at)
        .execute(pool)
        .await
        .map_err(PostgresError::during("revoke a key"))?;
    Ok(ended.rows_affected() > 0)
}

/// Those of these keys that are not revoked.
pub async fn good_keys(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<Uuid>, PostgresError> {
    sqlx::query_scalar("SELECT id FROM api_keys WHERE id = ANY($1) AND revoked_at IS NULL")
        .bind(ids)
        .fetch_all(pool)
        .await
        .map_err(PostgresError::during("look at keys"))
}

/// Whether a key was ever made, even if it is revoked by now.
pub async fn any_key(pool: &PgPool) -> Result<bool, PostgresError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM api_keys)")
        .fetch_one(pool)
        .await
        .map_err(PostgresError::during("look for keys"))
}

/// The key that is kept under a name; `new` becomes it when there is none yet.
pub async fn signing_key(pool: &PgPool, name: &str, new: &[u8]) -> Result<Vec<u8>, PostgresError> {
    // The update changes nothing, and lets a key that was there before be returned.
    sqlx::query_scalar(
        "INSERT INTO signing_keys (name, key) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING key",
    )
    .bind(name)
    .bind(new)
    .fetch_one(pool)
    .await
    .map_err(PostgresError::during("read the signing key"))
}

/// The project of a task, and whom it belongs to.
pub async fn owner_of_task(
    pool: &PgPool,
    task: TaskId,
) -> Result<Option<(ProjectId, Option<String>)>, PostgresError> {
    let sql = "SELECT p.id, p.owner FROM tasks t JOIN projects p ON p.id = t.project_id WHERE t.id = $1";
    owner_of(pool, sql, task.0).await
}

/// The project of a shot, and whom it belongs to.
pub async fn owner_of_shot(
    pool: &PgPool,
    shot: ShotId,
) -> Result<Option<(ProjectId, Option<String>)>, PostgresError> {
    let sql = "SELECT p.id, p.owner FROM shots s JOIN projects p ON p.id = s.project_id WHERE s.id = $1";
    owner_of(pool, sql, shot.0).await
}

/// Whom a project belongs to.
pub async fn owner_of_project(
    pool: &PgPool,
    project: ProjectId,
) -> Result<Option<(ProjectId, Option<String>)>, PostgresError> {
    owner_of(pool, "SELECT id, owner FROM projects WHERE id = $1", project.0).await
}

/// Whom these projects belong to; those that were purged, or never were, are not there.
pub async fn owners_of_projects(
    pool: &PgPool,
    ids: &[ProjectId],
) -> Result<Vec<(ProjectId, Option<String>)>, PostgresError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows: Vec<(Uuid, Option<String>)> =
        sqlx::query_as("SELECT id, owner FROM projects WHERE id = ANY($1) AND NOT purged")
            .bind(ids)
            .fetch_all(pool)
            .await
            .map_err(PostgresError::during("read whom projects belong to"))?;
    Ok(rows.into_iter().map(|(project, owner)| (ProjectId(project), owner)).collect())
}

async fn owner_of(
    pool: &PgPool,
    sql: &'static str,
    id: Uuid,
) -> Result<Option<(ProjectId, Option<String>)>, PostgresError> {
    let row: Option<(Uuid, Option<String>)> = sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(pool)
        .await
        .map_err(PostgresError::during("read whom a project belongs to"))?;
    Ok(row.map(|(project, owner)| (ProjectId(project), owner)))
}

/// What an owner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Usage {
    /// Projects that are not in the trash.
    pub projects: i64,
    /// Tasks that are blocked, pending or processing.
    pub open_tasks: i64,
    /// Bytes of every take and film, those in the trash included.
    pub media_bytes: i64,
}

/// What an owner has, as far as the read tables know.
pub async fn usage(pool: &PgPool, owner: &str) -> Result<Usage, PostgresError> {
    sqlx::query_as(
        "WITH own AS (SELECT id, deleted, tasks_open FROM projects WHERE owner = $1 AND NOT purged) SELECT \
         count(*) FILTER (WHERE NOT deleted) AS projects, \
         coalesce(sum(tasks_open), 0)::bigint AS open_tasks, \
         coalesce((SELECT sum((t.asset->>'bytes')::bigint) FROM takes t WHERE t.expired_at IS NULL AND t.project_id IN (SELECT id FROM own)), 0)::bigint \
         + coalesce((SELECT sum((f.film->'film'->>'bytes')::bigint) FROM films f WHERE f.project_id IN (SELECT id FROM own)), 0)::bigint \
         AS media_bytes FROM own",
    )
    .bind(owner)
    .fetch_one(pool)
    .await
    .map_err(PostgresError::during("read what an owner has"))
}
