//! The table `webhooks`: whom to tell what. Written by the API, read by the engine.

use chrono::{DateTime, Utc};
use domain::ids::ProjectId;
use domain::webhook::{Secret, Topic};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::PostgresError;

/// A webhook without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: Uuid,
    /// Whose it is; absent when nobody was asked who they are.
    pub owner: Option<String>,
    /// The project it is about; all of its owner's when absent.
    pub project: Option<ProjectId>,
    /// Where messages go.
    pub url: String,
    /// What it is told of.
    pub topics: Vec<Topic>,
    /// Its owner's words.
    pub description: String,
    /// Whether it is told anything.
    pub enabled: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A webhook to be made.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Its id; the same for the same request again.
    pub id: Uuid,
    /// Whose it is; absent when nobody was asked who they are.
    pub owner: Option<String>,
    /// The project it is about; all of its owner's when absent.
    pub project: Option<ProjectId>,
    /// Where messages go.
    pub url: String,
    /// What it is told of.
    pub topics: Vec<Topic>,
    /// Its owner's words.
    pub description: String,
    /// What its messages are signed with.
    pub secret: Secret,
    /// SHA-256 of the request.
    pub request_digest: [u8; 32],
}

/// What is to be changed of a webhook; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct Revision {
    /// Where messages go.
    pub url: Option<String>,
    /// What it is told of.
    pub topics: Option<Vec<Topic>>,
    /// Its owner's words.
    pub description: Option<String>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

/// What adding a webhook came to.
#[derive(Debug)]
pub enum Added {
    /// It was added now, or by the same request before.
    Webhook(Box<Webhook>, Secret),
    /// Its id was used for another request.
    OtherRequest,
    /// Its owner has as many as may be.
    TooMany,
}

const COLUMNS: &str = "id, owner, project_id, url, topics, description, enabled, created_at, updated_at";

/// Adds a webhook, unless its owner has `most` already.
pub async fn add(pool: &PgPool, new: &NewWebhook, most: i64) -> Result<Added, PostgresError> {
    let topics: Vec<&str> = new.topics.iter().map(|topic| topic.as_str()).collect();
    let added = sqlx::query(
        "INSERT INTO webhooks (id, owner, project_id, url, topics, description, enabled, secret, request_digest) \
         SELECT $1, $2, $3, $4, $5, $6, true, $7, $8 \
         WHERE (SELECT count(*) FROM webhooks WHERE owner IS NOT DISTINCT FROM $2) < $9 ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id)
    .bind(&new.owner)
    .bind(new.project.map(|project| project.0))
    .bind(&new.url)
    .bind(topics)
    .bind(&new.description)
    .bind(new.secret.reveal())
    .bind(new.request_digest.as_slice())
    .bind(most)
    .execute(pool)
    .await
    .map_err(PostgresError::during("add a webhook"))?;
    let row = sqlx::query(&format!("SELECT {COLUMNS}, secret, request_digest FROM webhooks WHERE id = $1"))
        .bind(new.id)
        .fetch_optional(pool)
        .await
        .map_err(PostgresError::during("read a webhook"))?;
    match row {
        None => Ok(Added::TooMany),
        Some(row) if added.rows_affected() == 1 || is_repeat(&row, new) => {
            let secret: String = row.get("secret");
            let secret = Secret::parse(&secret).ok_or_else(|| corrupt("a webhook's secret"))?;
            Ok(Added::Webhook(Box::new(read(&row)?), secret))
        }
        Some(_) => Ok(Added::OtherRequest),
    }
}

fn is_repeat(row: &PgRow, new: &NewWebhook) -> bool {
    let (owner, digest): (Option<String>, Vec<u8>) = (row.get("owner"), row.get("request_digest"));
    owner == new.owner && digest == new.request_digest
}

/// One webhook of `owner`, or of anybody.
pub async fn find(pool: &PgPool, owner: Option<&str>, id: Uuid) -> Result<Option<Webhook>, PostgresError> {
    let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE id = $1 AND ($2::text IS NULL OR owner = $2)");
    let row = sqlx::query(&sql).bind(id).bind(owner).fetch_optional(pool).await;
    row.map_err(PostgresError::during("read a webhook"))?.as_ref().map(read).transpose()
}

/// Webhooks of `owner`, or of anybody, in the order they were made, after `(created_at, id)`.
pub async fn list(
    pool: &PgPool,
    owner: Option<&str>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Webhook>, PostgresError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM webhooks WHERE ($1::text IS NULL OR owner = $1) \
           AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3)) ORDER BY created_at, id LIMIT $4"
    );
    let rows = sqlx::query(&sql)
        .bind(owner)
        .bind(after.map(|(at, _)| at))
        .bind(after.map(|(_, id)| id))
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(PostgresError::during("list webhooks"))?;
    rows.iter().map(read).collect()
}

/// Changes a webhook; `None` when it is gone.
pub async fn revise(pool: &PgPool, id: Uuid, revision: &Revision) -> Result<Option<Webhook>, PostgresError> {
    let topics = revision.topics.as_ref();
    let topics = topics.map(|topics| topics.iter().map(|topic| topic.as_str()).collect::<Vec<_>>());
    let sql = format!(
        "UPDATE webhooks SET url = COALESCE($2, url), topics = COALESCE($3, topics), \
           description = COALESCE($4, description), enabled = COALESCE($5, enabled), \
           updated_at = clock_timestamp() WHERE id = $1 RETURNING {COLUMNS}"
    );
    let row = sqlx::query(&sql)
        .bind(id)
        .bind(&revision.url)
        .bind(topics)
        .bind(&revision.description)
        .bind(revision.enabled)
        .fetch_optional(pool)
        .await
        .map_err(PostgresError::during("change a webhook"))?;
    row.as_ref().map(read).transpose()
}

/// Removes a webhook with its deliveries.
pub async fn remove(pool: &PgPool, id: Uuid) -> Result<(), PostgresError> {
    let removed = sqlx::query("DELETE FROM webhooks WHERE id = $1").bind(id).execute(pool).await;
    removed.map(drop).map_err(PostgresError::during("remove a webhook"))
}

fn corrupt(what: &str) -> PostgresError {
    PostgresError::Corrupt(what.to_owned())
}

fn read(row: &PgRow) -> Result<Webhook, PostgresError> {
    let topics: Vec<String> = row.get("topics");
    let topics = topics.iter().map(|topic| topic.parse().map_err(PostgresError::Corrupt));
    Ok(Webhook {
        id: row.get("id"),
        owner: row.get("owner"),
        project: row.get::<Option<Uuid>, _>("project_id").map(ProjectId),
        url: row.get("url"),
        topics: topics.collect::<Result<_, _>>()?,
        description: row.get("description"),
        enabled: row.get("enabled"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    })
}
