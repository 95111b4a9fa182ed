//! The table `webhook_deliveries`: what each webhook is to be told, in lanes. A lane is what one webhook is
//! told of one project; only its first pending delivery is due at a time, so that order is kept.
//!
//! Whoever changes a lane holds its webhook's row, so that no delivery is left waiting behind one that ended
//! meanwhile.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::{ProjectId, ShotId, TaskId};
use domain::job::Kind;
use domain::metadata::Context;
use domain::webhook::{Secret, Topic};
use sqlx::{PgConnection, PgPool, Row};
use uuid::Uuid;

use super::command_log::{self, First};
use super::leadership::Fence;
use super::tail::Place;
use super::{PostgresError, checkpoint};

/// Name of the checkpoint of webhooks.
pub const READER: &str = "webhooks";
/// Deliveries are tried for so long.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);
/// A delivery whose attempt was begun and never ended is tried again after this.
const ATTEMPT_LEASE: Duration = Duration::from_secs(60);
/// How long deliveries are kept once they were last attempted.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Old deliveries that are removed at once.
const SWEEP: u64 = 10_000;

/// Something that happened and that webhooks may want to be told of.
#[derive(Debug, Clone, Copy)]
pub struct Fact {
    /// The project.
    pub project: ProjectId,
    /// The project's version after it.
    pub version: u64,
    /// As what it is told.
    pub topic: Topic,
    /// The task that it is about.
    pub task: TaskId,
    /// When it was recorded.
    pub at: DateTime<Utc>,
}

/// A fact that a webhook wants to be told of.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Its index among the facts asked for.
    pub fact: usize,
    /// The webhook.
    pub webhook: Uuid,
    /// The task's kind.
    pub kind: Kind,
    /// The task's shot.
    pub shot: Option<ShotId>,
}

/// Which webhooks want which facts. `None` as long as the read tables, which know the tasks' kinds, do not
/// have all of these facts.
pub async fn wanted(pool: &PgPool, facts: &[Fact]) -> Result<Option<Vec<Wanted>>, PostgresError> {
    let rows = sqlx::query(
        "SELECT f.number - 1 AS fact, w.id, t.kind, t.shot_id, COALESCE(p.version >= f.version, false) AS is_read \
         FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::uuid[], $5::timestamptz[]) \
           WITH ORDINALITY AS f(project_id, version, topic, task_id, at, number) \
         JOIN webhooks w ON w.enabled AND f.topic = ANY(w.topics) AND w.created_at <= f.at \
           AND (w.project_id IS NULL OR w.project_id = f.project_id) \
         LEFT JOIN projects p ON p.id = f.project_id LEFT JOIN tasks t ON t.id = f.task_id \
         WHERE p.id IS NULL OR w.project_id IS NOT NULL OR w.owner IS NOT DISTINCT FROM p.owner",
    )
    .bind(facts.iter().map(|fact| fact.project.0).collect::<Vec<_>>())
    .bind(facts.iter().map(|fact| super::event_store::as_i64(fact.version)).collect::<Vec<_>>())
    .bind(facts.iter().map(|fact| fact.topic.as_str()).collect::<Vec<_>>())
    .bind(facts.iter().map(|fact| fact.task.0).collect::<Vec<_>>())
    .bind(facts.iter().map(|fact| fact.at).collect::<Vec<_>>())
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("find what webhooks want"))?;
    let mut wanted = Vec::with_capacity(rows.len());
    for row in &rows {
        let kind = row.get::<Option<String>, _>("kind");
        let (Some(kind), true) = (kind, row.get("is_read")) else { return Ok(None) };
        wanted.push(Wanted {
            fact: usize::try_from(row.get::<i64, _>("fact")).unwrap_or(usize::MAX),
            webhook: row.get("id"),
            kind: kind.parse().map_err(PostgresError::Corrupt)?,
            shot: row.get::<Option<Uuid>, _>("shot_id").map(ShotId),
        });
    }
    Ok(Some(wanted))
}

/// A message for one webhook.
#[derive(Debug, Clone)]
pub struct Message {
    /// The webhook.
    pub webhook: Uuid,
    /// What it is about.
    pub fact: Fact,
    /// JSON.
    pub body: String,
}

/// Adds messages at the ends of their lanes, and moves the checkpoint, in one transaction.
pub async fn add(
    pool: &PgPool,
    (from, to): (Place, Place),
    messages: &[Message],
    fence: &Fence,
) -> Result<(), PostgresError> {
    let mut transaction = pool.begin().await.map_err(PostgresError::during("begin deliveries"))?;
    checkpoint::advance(&mut transaction, READER, from, to, fence).await?;
    if !messages.is_empty() {
        let webhooks: Vec<Uuid> = messages.iter().map(|message| message.webhook).collect();
        let projects: Vec<Uuid> = messages.iter().map(|message| message.fact.project.0).collect();
        hold(&mut transaction, &webhooks).await?;
        insert(&mut transaction, &webhooks, &projects, messages).await?;
        advance_lanes(&mut transaction, &webhooks, &projects).await?;
    }
    transaction.commit().await.map_err(PostgresError::during("commit deliveries"))
}

/// Waits for, and then keeps, the webhooks' rows until the end of the transaction.
async fn hold(connection: &mut PgConnection, webhooks: &[Uuid]) -> Result<(), PostgresError> {
    let held = sqlx::query("SELECT 1 FROM webhooks WHERE id = ANY($1) ORDER BY id FOR UPDATE");
    let held = held.bind(webhooks).execute(connection).await;
    held.map(drop).map_err(PostgresError::during("hold webhooks"))
}

async fn insert(
    connection: &mut PgConnection,
    webhooks: &[Uuid],
    projects: &[Uuid],
    messages: &[Message],
) -> Result<(), PostgresError> {
    let version = |message: &Message| super::event_store::as_i64(message.fact.version);
    let inserted = sqlx::query(
        "INSERT INTO webhook_deliveries (id, webhook_id, project_id, version, topic, body, give_up_at) \
         SELECT gen_random_uuid(), m.webhook_id, m.project_id, m.version, m.topic, m.body, \
           clock_timestamp() + make_interval(secs => $6) \
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[]) \
           AS m(webhook_id, project_id, version, topic, body) \
         JOIN webhooks w ON w.id = m.webhook_id ON CONFLICT DO NOTHING",
    )
    .bind(webhooks)
    .bind(projects)
    .bind(messages.iter().map(version).collect::<Vec<_>>())
    .bind(messages.iter().map(|message| message.fact.topic.as_str()).collect::<Vec<_>>())
    .bind(messages.iter().map(|message| message.body.as_str()).collect::<Vec<_>>())
    .bind(PATIENCE.as_secs_f64())
    .execute(connection)
    .await;
    inserted.map(drop).map_err(PostgresError::during("add deliveries"))
}

/// Makes the first pending delivery of each lane due, unless it is so already.
async fn advance_lanes(
    connection: &mut PgConnection,
    webhooks: &[Uuid],
    projects: &[Uuid],
) -> Result<(), PostgresError> {
    let advanced = sqlx::query(
        "UPDATE webhook_deliveries d SET due_at = clock_timestamp() \
         FROM (SELECT DISTINCT first.id FROM unnest($1::uuid[], $2::uuid[]) AS lane(webhook_id, project_id) \
           CROSS JOIN LATERAL (SELECT id FROM webhook_deliveries \
             WHERE webhook_id = lane.webhook_id AND project_id = lane.project_id AND state = 'pending' \
             ORDER BY version LIMIT 1) first) head \
         WHERE d.id = head.id AND d.due_at IS NULL",
    )
    .bind(webhooks)
    .bind(projects)
    .execute(connection)
    .await;
    advanced.map(drop).map_err(PostgresError::during("advance deliveries"))
}

/// A delivery whose next attempt has begun.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The delivery.
    pub delivery: Uuid,
    /// Its webhook.
    pub webhook: Uuid,
    /// Its project.
    pub project: ProjectId,
    /// Which attempt this is, from 1; nobody else has the same.
    pub number: u32,
    /// Where the message goes.
    pub url: String,
    /// What it is signed with: the webhook's key, and for a while the one before.
    pub secrets: Vec<Secret>,
    /// The message.
    pub body: String,
}

/// Begins attempts of what is due: `most` at once, and `most_of_each` of one webhook, of which `under_way`
/// says how many it has already.
pub async fn begin(
    pool: &PgPool,
    under_way: &[(Uuid, i64)],
    (most, most_of_each): (i64, i64),
    fence: &Fence,
) -> Result<Vec<Attempt>, PostgresError> {
    let rows = sqlx::query(
        "WITH room AS (SELECT w.id, w.url, w.secret, \
             CASE WHEN w.previous_until > clock_timestamp() THEN w.previous_secret END AS previous, $4 - COALESCE(u.attempts, 0) AS free FROM webhooks w \
             LEFT JOIN unnest($1::uuid[], $2::bigint[]) AS u(id, attempts) ON u.id = w.id WHERE w.enabled), \
           due AS (SELECT d.id, room.url, room.secret, room.previous FROM room CROSS JOIN LATERAL \
             (SELECT id, due_at FROM webhook_deliveries WHERE webhook_id = room.id AND state = 'pending' \
                AND due_at <= clock_timestamp() ORDER BY due_at LIMIT GREATEST(room.free, 0)) d \
             ORDER BY d.due_at LIMIT $3) \
         UPDATE webhook_deliveries d SET attempts = attempts + 1, attempted_at = clock_timestamp(), \
           due_at = clock_timestamp() + make_interval(secs => $5), answer = NULL, error = NULL \
         FROM due WHERE d.id = due.id AND d.state = 'pending' \
           AND EXISTS (SELECT 1 FROM leaderships WHERE role = $6 AND epoch = $7) \
         RETURNING d.id, d.webhook_id, d.project_id, d.attempts, d.body, due.url, due.secret, due.previous",
    )
    .bind(under_way.iter().map(|(webhook, _)| *webhook).collect::<Vec<_>>())
    .bind(under_way.iter().map(|(_, attempts)| *attempts).collect::<Vec<_>>())
    .bind(most)
    .bind(most_of_each)
    .bind(ATTEMPT_LEASE.as_secs_f64())
    .bind(fence.role)
    .bind(fence.epoch)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("begin deliveries"))?;
    rows.iter().map(attempt).collect()
}

fn attempt(row: &sqlx::postgres::PgRow) -> Result<Attempt, PostgresError> {
    let keys = [row.get::<Option<&str>, _>("secret"), row.get("previous")].into_iter().flatten();
    let secrets: Option<Vec<Secret>> = keys.map(Secret::parse).collect();
    Ok(Attempt {
        delivery: row.get("id"),
        webhook: row.get("webhook_id"),
        project: ProjectId(row.get("project_id")),
        number: u32::try_from(row.get::<i32, _>("attempts")).unwrap_or(1),
        url: row.get("url"),
        secrets: secrets.ok_or_else(|| PostgresError::Corrupt("a webhook's secret".to_owned()))?,
        body: row.get("body"),
    })
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The HTTP status of the answer, if there was one.
    pub answer: Option<u16>,
    /// Why the message is not taken to be delivered; absent when it is.
    pub error: Option<String>,
    /// How long to wait before the next attempt, if there has to be one.
    pub pause: Duration,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is or will be tried.
    Pending,
    /// Its receiver has taken it.
    Delivered,
    /// It was tried for a day, in vain.
    Dead,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// The word in the table, in requests and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    fn read(text: &str) -> Result<Self, PostgresError> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| PostgresError::Corrupt(format!("the state {text} of a delivery")))
    }
}

/// Records how an attempt ended, and makes the lane's next delivery due when this one has ended. The last attempt is
/// a day after the first. One that is no longer the first of its lane waits for its turn. Nothing happens to a
/// delivery that somebody else has attempted since. Answers where it stands.
pub async fn end(
    pool: &PgPool,
    attempt: &Attempt,
    ended: &Ended,
) -> Result<Option<DeliveryState>, PostgresError> {
    let mut transaction = pool.begin().await.map_err(PostgresError::during("begin a delivery's end"))?;
    hold(&mut transaction, &[attempt.webhook]).await?;
    let state: Option<String> = sqlx::query_scalar(
        "UPDATE webhook_deliveries SET answer = $3, error = $4, \
           state = CASE WHEN $4::text IS NULL THEN 'delivered' \
             WHEN now() >= give_up_at THEN 'dead' ELSE 'pending' END, \
           due_at = CASE WHEN $4::text IS NOT NULL AND now() < give_up_at AND due_at IS NOT NULL \
             THEN LEAST(now() + make_interval(secs => $5), give_up_at) END \
         WHERE id = $1 AND attempts = $2 AND state = 'pending' RETURNING state",
    )
    .bind(attempt.delivery)
    .bind(i64::from(attempt.number))
    .bind(ended.answer.map(i32::from))
    .bind(&ended.error)
    .bind(ended.pause.as_secs_f64())
    .fetch_optional(&mut *transaction)
    .await
    .map_err(PostgresError::during("end a delivery"))?;
    let state = state.as_deref().map(DeliveryState::read).transpose()?;
    if matches!(state, Some(DeliveryState::Delivered | DeliveryState::Dead)) {
        advance_lanes(&mut transaction, &[attempt.webhook], &[attempt.project.0]).await?;
    }
    transaction.commit().await.map_err(PostgresError::during("commit a delivery's end"))?;
    Ok(state)
}

/// Removes deliveries that ended long ago, up to a bound; answers whether there may be more of them.
pub async fn sweep(pool: &PgPool) -> Result<bool, PostgresError> {
    let swept = sqlx::query(
        "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries \
         WHERE state <> 'pending' AND attempted_at < clock_timestamp() - make_interval(secs => $1) LIMIT $2)",
    )
    .bind(KEPT.as_secs_f64())
    .bind(super::event_store::as_i64(SWEEP))
    .execute(pool)
    .await
    .map_err(PostgresError::during("remove old deliveries"))?;
    Ok(swept.rows_affected() == SWEEP)
}

/// A delivery as its webhook's owner sees it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id, which its receiver gets as `webhook-id`.
    pub id: Uuid,
    /// The project it is about.
    pub project: ProjectId,
    /// The project's version that it tells of.
    pub version: u64,
    /// As what.
    pub topic: Topic,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; absent when it waits for an earlier one.
    pub due_at: Option<DateTime<Utc>>,
    /// The HTTP status of the last answer.
    pub answer: Option<u16>,
    /// Why the last attempt came to nothing; absent while another is under way.
    pub error: Option<String>,
    /// When it was last tried.
    pub attempted_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A webhook's deliveries, newest first, before `(created_at, id)`.
pub async fn list(
    pool: &PgPool,
    webhook: Uuid,
    state: Option<DeliveryState>,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Delivery>, PostgresError> {
    let rows = sqlx::query(
        "SELECT id, project_id, version, topic, state, attempts, due_at, answer, error, attempted_at, created_at \
         FROM webhook_deliveries WHERE webhook_id = $1 AND ($2::text IS NULL OR state = $2) \
           AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4)) \
         ORDER BY created_at DESC, id DESC LIMIT $5",
    )
    .bind(webhook)
    .bind(state.map(DeliveryState::as_str))
    .bind(before.map(|(at, _)| at))
    .bind(before.map(|(_, id)| id))
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("list deliveries"))?;
    rows.iter().map(read).collect()
}

/// One delivery of a webhook.
pub async fn find(pool: &PgPool, webhook: Uuid, id: Uuid) -> Result<Option<Delivery>, PostgresError> {
    let row = sqlx::query(
        "SELECT id, project_id, version, topic, state, attempts, due_at, answer, error, attempted_at, created_at \
         FROM webhook_deliveries WHERE webhook_id = $1 AND id = $2",
    )
    .bind(webhook)
    .bind(id)
    .fetch_optional(pool)
    .await
    .map_err(PostgresError::during("read a delivery"))?;
    row.as_ref().map(read).transpose()
}

fn read(row: &sqlx::postgres::PgRow) -> Result<Delivery, PostgresError> {
    Ok(Delivery {
        id: row.get("id"),
        project: ProjectId(row.get("project_id")),
        version: u64::try_from(row.get::<i64, _>("version")).unwrap_or(0),
        topic: row.get::<String, _>("topic").parse().map_err(PostgresError::Corrupt)?,
        state: DeliveryState::read(row.get("state"))?,
        attempts: u32::try_from(row.get::<i32, _>("attempts")).unwrap_or(0),
        due_at: row.get("due_at"),
        answer: row.get::<Option<i32>, _>("answer").and_then(|answer| u16::try_from(answer).ok()),
        error: row.get("error"),
        attempted_at: row.get("attempted_at"),
        created_at: row.get("created_at"),
    })
}

/// What is to be delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// One delivery, unless it is pending.
    One(Uuid),
    /// All that are dead.
    Dead,
}

/// What came of asking for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redelivered {
    /// So many are pending again, since now or since the same request came first.
    Pending(u64),
    /// Another request came under the same command.
    OtherRequest,
}

/// Delivers what has ended again, under the same ids. What was due in one of their lanes waits when an earlier delivery
/// is pending again. The same request again, by the context of its command, does nothing more.
pub async fn redeliver(
    pool: &PgPool,
    webhook: Uuid,
    again: Again,
    asked: &Context,
) -> Result<Redelivered, PostgresError> {
    let mut transaction = pool.begin().await.map_err(PostgresError::during("begin a redelivery"))?;
    hold(&mut transaction, &[webhook]).await?;
    if asked.causation.is_some()
        && let Some(first) = command_log::first(&mut *transaction, asked.command).await?
    {
        let is_same = first.cause == asked.causation;
        return Ok(if is_same { Redelivered::Pending(first.version) } else { Redelivered::OtherRequest });
    }
    let projects: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE webhook_deliveries SET state = 'pending', due_at = NULL, \
           give_up_at = clock_timestamp() + make_interval(secs => $3) \
         WHERE webhook_id = $1 AND (id = $2 AND state <> 'pending' OR $2 IS NULL AND state = 'dead') \
         RETURNING project_id",
    )
    .bind(webhook)
    .bind(match again {
        Again::One(delivery) => Some(delivery),
        Again::Dead => None,
    })
    .bind(PATIENCE.as_secs_f64())
    .fetch_all(&mut *transaction)
    .await
    .map_err(PostgresError::during("deliver again"))?;
    sqlx::query(
        "UPDATE webhook_deliveries d SET due_at = NULL \
         WHERE webhook_id = $1 AND project_id = ANY($2) AND state = 'pending' AND due_at IS NOT NULL \
           AND EXISTS (SELECT FROM webhook_deliveries WHERE webhook_id = $1 AND project_id = d.project_id \
             AND state = 'pending' AND version < d.version)",
    )
    .bind(webhook)
    .bind(&projects)
    .execute(&mut *transaction)
    .await
    .map_err(PostgresError::during("order a redelivery"))?;
    let webhooks = vec![webhook; projects.len()];
    advance_lanes(&mut transaction, &webhooks, &projects).await?;
    let count = projects.len() as u64;
    if count > 0 && asked.causation.is_some() {
        let first = First { about: webhook, version: count, cause: asked.causation.clone() };
        command_log::remember(&mut transaction, asked.command, &first).await?;
    }
    transaction.commit().await.map_err(PostgresError::during("commit a redelivery"))?;
    Ok(Redelivered::Pending(count))
}
