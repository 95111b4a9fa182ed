//! The table `dispatches`: open, ready tasks and where their jobs stand. The dispatcher's own.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::desk::Job;
use domain::ids::{ProjectId, TaskId};
use domain::job::Kind;
use sqlx::{PgConnection, PgPool, Row};
use uuid::Uuid;

use super::leadership::{self, Fence};
use super::tail::Place;
use super::{PostgresError, checkpoint};

/// Name of the dispatcher's checkpoint.
pub const READER: &str = "dispatcher";

/// What a page of events means for one task's job.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A task is ready.
    Queue {
        /// Its kind.
        kind: Kind,
        /// Its project.
        project: ProjectId,
        /// The attempt.
        attempt: u32,
        /// When it was queued.
        at: DateTime<Utc>,
    },
    /// A task is to be tried (again) later.
    PutOff {
        /// The attempt; absent when it stays.
        attempt: Option<u32>,
        /// When, at the earliest.
        due: DateTime<Utc>,
    },
    /// A task has ended.
    Close,
}

/// How many jobs of a kind may be in the queue or in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The kind.
    pub kind: Kind,
    /// The number.
    pub jobs: i64,
}

/// What to send, and whether anything is left for later.
#[derive(Debug, Default)]
pub struct ToSend {
    /// Tasks that had a job and have ended.
    pub closed: Vec<TaskId>,
    /// Jobs that are due and admitted; marked as sent.
    pub jobs: Vec<(Kind, Job)>,
    /// Whether unsent rows remain.
    pub more_waits: bool,
}

/// Applies a page's changes, moves the checkpoint, and picks what to send, in one transaction.
pub async fn apply(
    pool: &PgPool,
    (from, to): (Place, Place),
    changes: &[(TaskId, Change)],
    windows: &[Window],
    fence: &Fence,
) -> Result<ToSend, PostgresError> {
    // A dispatch that is lost in a crash takes its checkpoint with it and is made again.
    let begun = pool.begin_with("BEGIN; SET LOCAL synchronous_commit = off").await;
    let mut transaction = begun.map_err(PostgresError::during("begin a dispatch"))?;
    if from == to {
        leadership::check(&mut transaction, fence).await?;
    } else {
        checkpoint::advance(&mut transaction, READER, from, to, fence).await?;
    }
    let closed = write(&mut transaction, changes).await?;
    let mut to_send = admit(&mut transaction, windows).await?;
    to_send.closed = closed;
    transaction.commit().await.map_err(PostgresError::during("commit a dispatch"))?;
    Ok(to_send)
}

async fn write(
    connection: &mut PgConnection,
    changes: &[(TaskId, Change)],
) -> Result<Vec<TaskId>, PostgresError> {
    let ended = changes.iter().filter(|(_, change)| *change == Change::Close).map(|(task, _)| task.0);
    let ended: Vec<Uuid> = ended.collect();
    let mut closed = Vec::new();
    if !ended.is_empty() {
        closed = sqlx::query_scalar("DELETE FROM dispatches WHERE task_id = ANY($1) RETURNING task_id")
            .bind(ended)
            .fetch_all(&mut *connection)
            .await
            .map_err(PostgresError::during("close dispatches"))?;
    }
    queue(connection, changes).await?;
    for (task, change) in changes {
        if let Change::PutOff { attempt, due } = change {
            sqlx::query(
                "UPDATE dispatches SET sent_at = NULL, due_at = $2, attempt = COALESCE($3, attempt) WHERE task_id = $1",
            )
            .bind(task.0)
            .bind(due)
            .bind(attempt.map(i64::from))
            .execute(&mut *connection)
            .await
            .map_err(PostgresError::during("put a dispatch off"))?;
        }
    }
    Ok(closed.into_iter().map(TaskId).collect())
}

async fn queue(connection: &mut PgConnection, changes: &[(TaskId, Change)]) -> Result<(), PostgresError> {
    let queued = changes.iter().filter_map(|(task, change)| match change {
        Change::Queue { kind, project, attempt, at } => Some((task, kind, project, attempt, at)),
        Change::PutOff { .. } | Change::Close => None,
    });
    let queued: Vec<_> = queued.collect();
    if queued.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO dispatches (task_id, project_id, kind, attempt, queued_at, due_at) \
         SELECT task, project, kind, attempt, at, at \
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[]) AS q(task, project, kind, attempt, at) \
         ON CONFLICT (task_id) DO UPDATE SET attempt = excluded.attempt, queued_at = excluded.queued_at, \
           due_at = excluded.due_at, sent_at = NULL",
    )
    .bind(queued.iter().map(|(task, ..)| task.0).collect::<Vec<_>>())
    .bind(queued.iter().map(|(_, _, project, ..)| project.0).collect::<Vec<_>>())
    .bind(queued.iter().map(|(_, kind, ..)| kind.as_str()).collect::<Vec<_>>())
    .bind(queued.iter().map(|(_, _, _, attempt, _)| i64::from(**attempt)).collect::<Vec<_>>())
    .bind(queued.iter().map(|(.., at)| **at).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(PostgresError::during("queue dispatches"))?;
    Ok(())
}

/// Marks as sent what is due, oldest first, as far as each kind's window has room and nobody paused it.
async fn admit(connection: &mut PgConnection, windows: &[Window]) -> Result<ToSend, PostgresError> {
    let rows = sqlx::query(
        "WITH room AS (SELECT w.kind, w.jobs - \
             (SELECT count(*) FROM dispatches d WHERE d.kind = w.kind AND d.sent_at IS NOT NULL) AS free \
           FROM unnest($1::text[], $2::bigint[]) AS w(kind, jobs) \
           WHERE NOT EXISTS (SELECT 1 FROM paused_kinds p WHERE p.kind = w.kind)), \
         due AS (SELECT d.task_id FROM room CROSS JOIN LATERAL \
           (SELECT task_id FROM dispatches WHERE kind = room.kind AND sent_at IS NULL AND due_at <= clock_timestamp() \
            ORDER BY due_at, task_id LIMIT GREATEST(room.free, 0)) d), \
         sent AS (UPDATE dispatches SET sent_at = clock_timestamp() WHERE task_id IN (SELECT task_id FROM due) \
           RETURNING task_id, project_id, kind, attempt) \
         SELECT w.unsent, s.task_id, s.project_id, s.kind, s.attempt \
         FROM (SELECT count(*) AS unsent FROM dispatches WHERE sent_at IS NULL) w LEFT JOIN sent s ON true",
    )
    .bind(windows.iter().map(|window| window.kind.as_str()).collect::<Vec<_>>())
    .bind(windows.iter().map(|window| window.jobs).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await
    .map_err(PostgresError::during("admit jobs"))?;
    // Counted as it was before the update; one row without a task says that nothing was sent.
    let unsent: i64 = rows.first().map_or(0, |row| row.get("unsent"));
    let sent = rows.iter().filter(|row| row.get::<Option<Uuid>, _>("task_id").is_some());
    let jobs: Vec<(Kind, Job)> = sent.map(read).collect::<Result<_, _>>()?;
    let more_waits = unsent > i64::try_from(jobs.len()).unwrap_or(i64::MAX);
    Ok(ToSend { closed: Vec::new(), jobs, more_waits })
}

fn read(row: &sqlx::postgres::PgRow) -> Result<(Kind, Job), PostgresError> {
    let kind: Kind = row.get::<String, _>("kind").parse().map_err(PostgresError::Corrupt)?;
    let job = Job {
        project: ProjectId(row.get("project_id")),
        task: TaskId(row.get("task_id")),
        attempt: u32::try_from(row.get::<i32, _>("attempt")).unwrap_or(1),
    };
    Ok((kind, job))
}

/// Marks jobs as not sent, so that they are sent again.
pub async fn mark_unsent(pool: &PgPool, tasks: &[TaskId], fence: &Fence) -> Result<(), PostgresError> {
    let leads: bool = sqlx::query_scalar(
        "WITH leads AS (SELECT 1 FROM leaderships WHERE role = $2 AND epoch = $3), \
         marked AS (UPDATE dispatches SET sent_at = NULL \
           WHERE task_id = ANY($1) AND EXISTS (SELECT 1 FROM leads)) \
         SELECT EXISTS (SELECT 1 FROM leads)",
    )
    .bind(tasks.iter().map(|task| task.0).collect::<Vec<_>>())
    .bind(fence.role)
    .bind(fence.epoch)
    .fetch_one(pool)
    .await
    .map_err(PostgresError::during("mark jobs as unsent"))?;
    if leads { Ok(()) } else { Err(PostgresError::LeadershipLost) }
}

/// Tasks whose jobs were sent more than `grace_seconds` ago, and that the queue does not hold.
pub async fn lost(
    pool: &PgPool,
    held: &HashSet<TaskId>,
    grace_seconds: f64,
) -> Result<Vec<(Kind, Job)>, PostgresError> {
    let rows = sqlx::query(
        "SELECT task_id, project_id, kind, attempt FROM dispatches \
         WHERE sent_at <= clock_timestamp() - make_interval(secs => $1)",
    )
    .bind(grace_seconds)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("list sent jobs"))?;
    let sent: Vec<(Kind, Job)> = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(sent.into_iter().filter(|(_, job)| !held.contains(&job.task)).collect())
}
