//! `GET /v1/projects/{id}/tasks` and `GET /v1/tasks/{id}`.

use std::sync::Arc;

use axum::extract::State;
use domain::ids::{ProjectId, TaskId};
use domain::project::ProjectError;
use infra::postgres::views::tasks;

use crate::App;
use crate::cursor;
use crate::extract::{Base, MinVersion, PageParameters, Path, Query};
use crate::json::{Page, Task};
use crate::problem::Problem;

/// One page of a project's tasks, in the order they were made.
#[utoipa::path(
    get, path = "/v1/projects/{project}/tasks", tag = "tasks", operation_id = "listTasks", summary = "A project's tasks",
    params(PageParameters),
    responses(
        (status = 200, description = "One page, in the order they were made", body = Page<Task>),
        (status = 400, description = "invalid_cursor"),
        (status = 422, description = "invalid"),
    ),
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    Query(page): Query<PageParameters>,
    base: Base,
) -> Result<axum::Json<Page<Task>>, Problem> {
    let (after, limit) = page.read()?;
    let after = after.map(|(at, id)| (at, TaskId(id)));
    app.project_row(project).await?;
    let rows = tasks::of_project(&app.api.pool, project, after, limit + 1).await?;
    let page = Page::cut(rows, limit, |row| cursor::encode(row.created_at, row.id.0));
    let Page { items, next_cursor } = page.map(|row| Task::of(row, &base));
    Ok(axum::Json(Page { items: app.measured(items).await?, next_cursor }))
}

/// One task.
#[utoipa::path(
    get, path = "/v1/tasks/{task}", tag = "tasks", operation_id = "getTask", summary = "A task",
    params(MinVersion),
    responses((status = 200, description = "The task", body = Task)),
)]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Path(task): Path<TaskId>,
    base: Base,
    at: MinVersion,
) -> Result<axum::Json<Task>, Problem> {
    app.wait_for(app.task_row(task).await?.project_id, at).await?;
    if tasks::is_given_up(&app.api.pool, task).await? {
        return Err(ProjectError::Purged.into());
    }
    Ok(axum::Json(app.task(task, &base).await?))
}
