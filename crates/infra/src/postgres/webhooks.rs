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
    /// Its id.
    pub id: Uuid,
    /// The request; the same for the same one again, within a day.
    pub request: Uuid,
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
    /// The request's key was used for another one.
    OtherRequest,
    /// Its owner has as many as may be.
    TooMany,
}

const COLUMNS: &str = "id, owner, project_id, url, topics, description, enabled, created_at, updated_at";

/// Adds a webhook, unless its owner has `most` already.
pub async fn add(pool: &PgPool, new: &NewWebhook, most: i64) -> Result<Added, PostgresError> {
    let topics: Vec<&str> = new.topics.iter().map(|topic| topic.as_str()).collect();
    let forgotten = "UPDATE webhooks SET request = NULL WHERE request = $1 AND created_at <= clock_timestamp() - interval '24 hours'";
    let forgotten = sqlx::query(forgotten).bind(new.request).execute(pool).await;
    forgotten.map_err(PostgresError::during("forget an old request"))?;
    let added = sqlx::query(
        "INSERT INTO webhooks (id, owner, project_id, url, topics, description, enabled, secret, request_digest, request) \
         SELECT $1, $2, $3, $4, $5, $6, true, $7, $8, $10 \
         WHERE (SELECT count(*) FROM webhooks WHERE owner IS NOT DISTINCT FROM $2) < $9 ON CONFLICT (request) DO NOTHING",
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
    .bind(new.request)
    .execute(pool)
    .await
    .map_err(PostgresError::during("add a webhook"))?;
    let row =
        sqlx::query(&format!("SELECT {COLUMNS}, secret, request_digest FROM webhooks WHERE request = $1"))
            .bind(new.request)
            .fetch_optional(pool)
            .await
            .map_err(PostgresError::during("read a webhook"))?;
    match row {
        None => Ok(Added::TooMany),
        Some(row) if added.rows_affected() == 1 || is_repeat(&row, new) => {
            Ok(Added::Webhook(Box::new(read(&row)?), secret(&row)?))
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

/// Gives a webhook another key; by the one before, messages are signed too for a day. The same request again within
/// that day answers the key that it brought. `None` when the webhook is gone.
pub async fn rotate(
    pool: &PgPool,
    id: Uuid,
    new: &Secret,
    request: Uuid,
) -> Result<Option<(Webhook, Secret)>, PostgresError> {
    sqlx::query(
        "UPDATE webhooks SET previous_secret = secret, previous_until = clock_timestamp() + interval '24 hours', \
           secret = $2, rotated_by = $3, updated_at = clock_timestamp() \
         WHERE id = $1 AND (rotated_by IS DISTINCT FROM $3 OR previous_until <= clock_timestamp())",
    )
    .bind(id)
    .bind(new.reveal())
    .bind(request)
    .execute(pool)
    .await
    .map_err(PostgresError::during("change a webhook's key"))?;
    let sql = format!("SELECT {COLUMNS}, secret FROM webhooks WHERE id = $1");
    let row = sqlx::query(&sql).bind(id).fetch_optional(pool).await;
    let row = row.map_err(PostgresError::during("read a webhook"))?;
    row.map(|row| Ok((read(&row)?, secret(&row)?))).transpose()
}

/// Removes a webhook with its deliveries.
pub async fn remove(pool: &PgPool, id: Uuid) -> Result<(), PostgresError> {
    let removed = sqlx::query("DELETE FROM webhooks WHERE id = $1").bind(id).execute(pool).await;
    removed.map(drop).map_err(PostgresError::during("remove a webhook"))
}

fn secret(row: &PgRow) -> Result<Secret, PostgresError> {
    Secret::parse(row.get("secret")).ok_or_else(|| corrupt("a webhook's secret"))
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
