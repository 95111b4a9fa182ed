//! The table `tasks`: every task a project ever had.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::{ProjectId, ShotId, TaskId};
use domain::job::{Failure, Kind, MadeWith};
use domain::project::{CancelReason, Event, Parameters};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{from_json, upsert};
use crate::postgres::PostgresError;
use crate::postgres::tail::Recorded;

const COLUMNS: &[&str] = &[
    "id",
    "project_id",
    "version",
    "kind",
    "shot_id",
    "status",
    "attempt",
    "max_attempts",
    "depends_on",
    "children",
    "parameters",
    "worker",
    "made_with",
    "result",
    "error",
    "reason",
    "due_at",
    "created_at",
    "started_at",
    "finished_at",
];

/// A task as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRow {
    /// The task.
    pub id: TaskId,
    /// Its project.
    pub project_id: ProjectId,
    /// The project's version at which it last changed.
    pub version: u64,
    /// Its kind.
    pub kind: Kind,
    /// Its shot.
    pub shot_id: Option<ShotId>,
    /// Where it stands.
    pub status: TaskStatus,
    /// The attempt that runs or will run next, from 1.
    pub attempt: u32,
    /// Attempts allowed.
    pub max_attempts: u32,
    /// What it waits for.
    pub depends_on: Vec<TaskId>,
    /// What a batch consists of; absent for a task with a job of its own.
    pub children: Option<Vec<TaskId>>,
    /// How to make it.
    pub parameters: Parameters,
    /// Who has or had it.
    pub worker: Option<String>,
    /// What made its result.
    pub made_with: Option<MadeWith>,
    /// What it made.
    pub result: Option<Value>,
    /// Why its last attempt failed.
    pub error: Option<Failure>,
    /// Why it was cancelled or put off.
    pub reason: Option<String>,
    /// When the next attempt starts at the earliest.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When a worker was last given it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// It waits for other tasks.
    Blocked,
    /// It waits for a worker.
    Pending,
    /// A worker has it.
    Processing,
    /// It succeeded.
    Finished,
    /// It failed for good.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl TaskStatus {
    /// Blocked, pending or processing.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Blocked | Self::Pending | Self::Processing)
    }
}

/// Rows of tasks while a page of events is applied to them.
pub(crate) type TaskRows = HashMap<TaskId, TaskRow>;

/// Changes the row that an event is about.
pub(crate) fn apply(rows: &mut TaskRows, recorded: &Recorded) {
    match &recorded.event {
        Event::BatchPlanned(event) => {
            let row = created(rows, recorded, event.task_id, event.kind);
            row.children = Some(event.children.clone());
            row.started_at = Some(recorded.at);
            reopen(row, TaskStatus::Processing, 1);
        }
        Event::TaskPlanned(event) => {
            let row = created(rows, recorded, event.task_id, event.kind);
            row.shot_id = event.shot_id;
            row.depends_on.clone_from(&event.depends_on);
            row.parameters = event.parameters.clone();
            row.max_attempts = event.max_attempts;
            reopen(row, TaskStatus::Blocked, event.attempt);
        }
        Event::TaskQueued(event) => {
            let row = created(rows, recorded, event.task_id, event.kind);
            row.shot_id = event.shot_id;
            row.parameters = event.parameters.clone();
            row.max_attempts = event.max_attempts;
            reopen(row, TaskStatus::Pending, event.attempt);
        }
        event => {
            let Some(row) = event.task().and_then(|id| rows.get_mut(&id)) else { return };
            row.version = recorded.version;
            progress(row, event, recorded.at);
        }
    }
}

fn created<'a>(rows: &'a mut TaskRows, recorded: &Recorded, id: TaskId, kind: Kind) -> &'a mut TaskRow {
    let row = rows.entry(id).or_insert_with(|| TaskRow {
        id,
        project_id: recorded.project,
        version: 0,
        kind,
        shot_id: None,
        status: TaskStatus::Blocked,
        attempt: 1,
        max_attempts: 1,
        depends_on: Vec::new(),
        children: None,
        parameters: Parameters::default(),
        worker: None,
        made_with: None,
        result: None,
        error: None,
        reason: None,
        due_at: None,
        created_at: recorded.at,
        started_at: None,
        finished_at: None,
    });
    row.version = recorded.version;
    row
}

fn reopen(row: &mut TaskRow, status: TaskStatus, attempt: u32) {
    row.status = status;
    row.attempt = attempt;
    row.worker = None;
    row.error = None;
    row.reason = None;
    row.due_at = None;
    row.finished_at = None;
}

fn progress(row: &mut TaskRow, event: &Event, at: DateTime<Utc>) {
    match event {
        Event::TaskStarted(event) => {
            row.status = TaskStatus::Processing;
            row.attempt = event.attempt;
            row.worker = Some(event.worker.clone());
            row.reason = None;
            row.due_at = None;
            row.started_at = Some(at);
        }
        Event::TaskRetryScheduled(event) => {
            row.status = TaskStatus::Pending;
            row.attempt = event.attempt;
            row.error = Some(event.failure.clone());
            row.due_at = Some(event.due);
        }
        Event::TaskDeferred(event) => {
            row.status = TaskStatus::Pending;
            row.reason = Some(event.reason.clone());
            row.due_at = Some(event.due);
        }
        Event::TaskFinished(event) => {
            end(row, TaskStatus::Finished, at);
            row.error = None;
            row.made_with = row.children.is_none().then(|| event.made_with.clone());
            row.result = event.take.as_ref().and_then(|take| serde_json::to_value(take).ok());
        }
        Event::TaskFailed(event) => {
            end(row, TaskStatus::Failed, at);
            row.error = Some(event.failure.clone());
        }
        Event::TaskCancelled(event) => {
            end(row, TaskStatus::Cancelled, at);
            row.reason = Some(word(event.reason).to_owned());
        }
        Event::StoryboardAdopted(event) => {
            row.result = Some(json!({ "shots": event.shots.len(), "title": event.title }));
        }
        Event::FilmRendered(event) => {
            row.result = Some(json!({ "filmVersion": event.film_version, "film": event.film }));
        }
        _ => {}
    }
}

fn end(row: &mut TaskRow, status: TaskStatus, at: DateTime<Utc>) {
    row.status = status;
    row.due_at = None;
    row.finished_at = Some(at);
}

fn word(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::Requested => "requested",
        CancelReason::DependencyFailed => "dependency_failed",
        CancelReason::Superseded => "superseded",
        CancelReason::Surplus => "surplus",
        CancelReason::ProjectDeleted => "project_deleted",
        CancelReason::Imported => "imported",
        CancelReason::ShotRemoved => "shot_removed",
    }
}

pub(crate) async fn write<'a>(
    connection: &mut PgConnection,
    rows: impl Iterator<Item = &'a TaskRow>,
) -> Result<(), PostgresError> {
    upsert(connection, "tasks", COLUMNS, &["created_at"], &rows.collect::<Vec<_>>()).await
}

/// The rows of these tasks, as far as they exist.
pub(crate) async fn load(pool: &PgPool, ids: &[TaskId]) -> Result<TaskRows, PostgresError> {
    if ids.is_empty() {
        return Ok(TaskRows::new());
    }
    let rows: Vec<String> = sqlx::query_scalar("SELECT row_to_json(t)::text FROM tasks t WHERE id = ANY($1)")
        .bind(ids.iter().map(|id| id.0).collect::<Vec<Uuid>>())
        .fetch_all(pool)
        .await
        .map_err(PostgresError::during("load tasks"))?;
    rows.iter().map(|row| from_json::<TaskRow>(row).map(|row| (row.id, row))).collect()
}

/// Whether a task is of a project that is given up for good.
pub async fn is_given_up(pool: &PgPool, id: TaskId) -> Result<bool, PostgresError> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM tasks t JOIN projects p ON p.id = t.project_id WHERE t.id = $1 AND p.purged)",
    )
    .bind(id.0)
    .fetch_one(pool)
    .await
    .map_err(PostgresError::during("look up whose a task is"))
}

/// One task.
pub async fn find(pool: &PgPool, id: TaskId) -> Result<Option<TaskRow>, PostgresError> {
    Ok(load(pool, &[id]).await?.remove(&id))
}

/// These tasks, as far as they exist, in this order.
pub async fn find_all(pool: &PgPool, ids: &[TaskId]) -> Result<Vec<TaskRow>, PostgresError> {
    let mut rows = load(pool, ids).await?;
    Ok(ids.iter().filter_map(|id| rows.remove(id)).collect())
}

/// The tasks that a worker of this name was given and has not answered for.
pub async fn processed_by(pool: &PgPool, worker: &str) -> Result<Vec<(ProjectId, TaskId)>, PostgresError> {
    let rows: Vec<(Uuid, Uuid)> =
        sqlx::query_as("SELECT project_id, id FROM tasks WHERE status = 'processing' AND worker = $1")
            .bind(worker)
            .fetch_all(pool)
            .await
            .map_err(PostgresError::during("list a worker's tasks"))?;
    Ok(rows.into_iter().map(|(project, task)| (ProjectId(project), TaskId(task))).collect())
}

/// A project's tasks in the order they were made, after `(created_at, id)`.
pub async fn of_project(
    pool: &PgPool,
    project: ProjectId,
    after: Option<(DateTime<Utc>, TaskId)>,
    limit: i64,
) -> Result<Vec<TaskRow>, PostgresError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT row_to_json(t)::text FROM tasks t WHERE project_id = $1 \
           AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3)) ORDER BY created_at, id LIMIT $4",
    )
    .bind(project.0)
    .bind(after.map(|(at, _)| at))
    .bind(after.map(|(_, id)| id.0))
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("list tasks"))?;
    rows.iter().map(|row| from_json(row)).collect()
}

/// A project's open tasks, and as many of the ended ones, the newest, in the order they were made.
pub async fn recent(pool: &PgPool, project: ProjectId, ended: i64) -> Result<Vec<TaskRow>, PostgresError> {
    // Each half has an index of its own: nobody reads all that a project ever had.
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT row_to_json(t)::text FROM ( \
           (SELECT * FROM tasks WHERE project_id = $1 AND status IN ('blocked', 'pending', 'processing')) \
           UNION ALL \
           (SELECT * FROM tasks WHERE project_id = $1 AND status NOT IN ('blocked', 'pending', 'processing') \
            ORDER BY created_at DESC, id DESC LIMIT $2)) t ORDER BY created_at, id",
    )
    .bind(project.0)
    .bind(ended)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("list the newest tasks"))?;
    rows.iter().map(|row| from_json(row)).collect()
}

/// The newest task of a project that is no part of a batch.
pub async fn latest(pool: &PgPool, project: ProjectId) -> Result<Option<TaskRow>, PostgresError> {
    let row: Option<String> = sqlx::query_scalar(
        "SELECT row_to_json(t)::text FROM tasks t WHERE project_id = $1 AND NOT EXISTS ( \
           SELECT 1 FROM tasks b CROSS JOIN LATERAL json_array_elements_text(b.children) AS child(id) \
           WHERE b.project_id = $1 AND b.children IS NOT NULL AND child.id::uuid = t.id) \
         ORDER BY created_at DESC, id DESC LIMIT 1",
    )
    .bind(project.0)
    .fetch_optional(pool)
    .await
    .map_err(PostgresError::during("find the newest task"))?;
    row.as_deref().map(from_json).transpose()
}

/// The newest task of a kind of each of these projects that has one.
pub async fn newest(
    pool: &PgPool,
    projects: &[ProjectId],
    kind: Kind,
) -> Result<HashMap<ProjectId, TaskRow>, PostgresError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT ON (project_id) row_to_json(t)::text FROM tasks t \
         WHERE project_id = ANY($1) AND kind = $2 ORDER BY project_id, created_at DESC, id DESC",
    )
    .bind(projects.iter().map(|project| project.0).collect::<Vec<Uuid>>())
    .bind(kind.as_str())
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("find the newest tasks"))?;
    rows.iter().map(|row| from_json::<TaskRow>(row).map(|row| (row.project_id, row))).collect()
}

/// What is open of one kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenWork {
    /// The kind.
    pub kind: Kind,
    /// Tasks that are blocked, pending or processing.
    pub open: u32,
    /// Those of them that a worker has.
    pub running: u32,
}

/// What is open of a project, by kind. Batches are not counted beside what they consist of.
pub async fn open_work(pool: &PgPool, project: ProjectId) -> Result<Vec<OpenWork>, PostgresError> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT kind, count(*), count(*) FILTER (WHERE status = 'processing') FROM tasks \
         WHERE project_id = $1 AND status IN ('blocked', 'pending', 'processing') AND children IS NULL GROUP BY kind",
    )
    .bind(project.0)
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("count open tasks"))?;
    let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    rows.into_iter()
        .map(|(kind, open, running)| {
            let kind = kind.parse().map_err(PostgresError::Corrupt)?;
            Ok(OpenWork { kind, open: number(open), running: number(running) })
        })
        .collect()
}

/// The children of batches, and where each stands.
pub async fn children(
    pool: &PgPool,
    batches: &[TaskId],
) -> Result<HashMap<TaskId, Vec<(TaskId, TaskStatus)>>, PostgresError> {
    if batches.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, Uuid, String)> = sqlx::query_as(
        "SELECT b.id, c.id, to_json(c.status)::text \
         FROM tasks b CROSS JOIN LATERAL json_array_elements_text(b.children) AS child(id) \
         JOIN tasks c ON c.id = child.id::uuid WHERE b.id = ANY($1)",
    )
    .bind(batches.iter().map(|id| id.0).collect::<Vec<Uuid>>())
    .fetch_all(pool)
    .await
    .map_err(PostgresError::during("list the children of batches"))?;
    let mut children: HashMap<TaskId, Vec<(TaskId, TaskStatus)>> = HashMap::new();
    for (batch, child, status) in rows {
        children.entry(TaskId(batch)).or_default().push((TaskId(child), from_json(&status)?));
    }
    Ok(children)
}
