//! The table `dispatches`: open, ready tasks and where their jobs stand. The dispatcher's own.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::desk::Job;
use domain::ids::{ProjectId, TaskId};
use domain::job::Kind;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::PostgresError;
use super::leadership::Fence;
use super::tail::Place;

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

/// The state that the function `dispatch_page` raises when somebody else leads or reads.
const LEADERSHIP_LOST: &str = "SV001";

/// Applies a page's changes, moves the checkpoint, and picks what to send, in one statement: migration 0008.
pub async fn apply(
    pool: &PgPool,
    (from, to): (Place, Place),
    changes: &[(TaskId, Change)],
    windows: &[Window],
    fence: &Fence,
) -> Result<ToSend, PostgresError> {
    let page = Page::of(changes);
    let rows = sqlx::query(
        "SELECT * FROM dispatch_page($1, $2, $3, $4, $5::text::xid8, $6, $7, $8::text::xid8, $9, \
         $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
    )
    .bind(fence.role)
    .bind(fence.epoch)
    .bind(READER)
    .bind(from.epoch)
    .bind(from.transaction.to_string())
    .bind(from.position)
    .bind(to.epoch)
    .bind(to.transaction.to_string())
    .bind(to.position)
    .bind(page.ended)
    .bind(page.queued_tasks)
    .bind(page.queued_projects)
    .bind(page.queued_kinds)
    .bind(page.queued_attempts)
    .bind(page.queued_times)
    .bind(page.put_off_tasks)
    .bind(page.put_off_attempts)
    .bind(page.put_off_times)
    .bind(windows.iter().map(|window| window.kind.as_str()).collect::<Vec<_>>())
    .bind(windows.iter().map(|window| window.jobs).collect::<Vec<_>>())
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    to_send(&rows)
}

/// A page's changes, a column each.
#[derive(Debug, Default)]
struct Page {
    ended: Vec<Uuid>,
    queued_tasks: Vec<Uuid>,
    queued_projects: Vec<Uuid>,
    queued_kinds: Vec<&'static str>,
    queued_attempts: Vec<i64>,
    queued_times: Vec<DateTime<Utc>>,
    put_off_tasks: Vec<Uuid>,
    put_off_attempts: Vec<Option<i64>>,
    put_off_times: Vec<DateTime<Utc>>,
}

impl Page {
    fn of(changes: &[(TaskId, Change)]) -> Self {
        let mut page = Self::default();
        for (task, change) in changes {
            match change {
                Change::Queue { kind, project, attempt, at } => {
                    page.queued_tasks.push(task.0);
                    page.queued_projects.push(project.0);
                    page.queued_kinds.push(kind.as_str());
                    page.queued_attempts.push(i64::from(*attempt));
                    page.queued_times.push(*at);
                }
                Change::PutOff { attempt, due } => {
                    page.put_off_tasks.push(task.0);
                    page.put_off_attempts.push(attempt.map(i64::from));
                    page.put_off_times.push(*due);
                }
                Change::Close => page.ended.push(task.0),
            }
        }
        page
    }
}

fn failed(error: sqlx::Error) -> PostgresError {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
        Some(code) if code == LEADERSHIP_LOST => PostgresError::LeadershipLost,
        _ => PostgresError::during("dispatch a page")(error),
    }
}

fn to_send(rows: &[sqlx::postgres::PgRow]) -> Result<ToSend, PostgresError> {
    let mut found = ToSend::default();
    let mut unsent = 0;
    for row in rows {
        let task: Option<Uuid> = row.get("task_id");
        match (row.get("closed"), task) {
            (true, Some(task)) => found.closed.push(TaskId(task)),
            (true, None) => {}
            (false, task) => {
                // Counted as it was before jobs were marked as sent; a row without a task says that none was.
                unsent = row.get("unsent");
                if task.is_some() {
                    found.jobs.push(read(row)?);
                }
            }
        }
    }
    found.more_waits = unsent > i64::try_from(found.jobs.len()).unwrap_or(i64::MAX);
    Ok(found)
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

/// Of these tasks those that are open and ready.
pub async fn open_among(pool: &PgPool, tasks: &[TaskId]) -> Result<HashSet<TaskId>, PostgresError> {
    let open: Vec<Uuid> = sqlx::query_scalar("SELECT task_id FROM dispatches WHERE task_id = ANY($1)")
        .bind(tasks.iter().map(|task| task.0).collect::<Vec<_>>())
        .fetch_all(pool)
        .await
        .map_err(PostgresError::during("look for open tasks"))?;
    Ok(open.into_iter().map(TaskId).collect())
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
