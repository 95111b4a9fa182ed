//! `POST /v1/tasks/{id}/cancel` and `…/retry`: stop a task, or queue an ended one again.

use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::TaskId;
use domain::project::Command;

use super::NoParameters;
use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::extract::Json;
use crate::json::{Changed, Task};
use crate::problem::Problem;

/// 200 with the task, which is cancelled; so is all that waits for it.
#[utoipa::path(
    post, path = "/v1/tasks/{task}/cancel", tag = "tasks", operation_id = "cancelTask", summary = "Stop a task",
    params(Caller), request_body = Option<NoParameters>,
    responses(
        (status = 200, description = "The cancelled task", body = Changed<Task>, headers(("Location"), ("ETag"))),
        (status = 409, description = "task_not_open"),
    ),
)]
pub(crate) async fn cancel(
    asked: ChangeRequest<TaskId>,
    body: Json<NoParameters>,
) -> Result<Response, Problem> {
    let task = asked.ids;
    let project = asked.app.task_row(task).await?.project_id;
    let executed = asked.execute(project, Command::CancelTask { task }, body.digest).await?;
    asked.tell_task(StatusCode::OK, task, &executed).await
}

/// 202 with the task, which waits for a worker again.
#[utoipa::path(
    post, path = "/v1/tasks/{task}/retry", tag = "tasks", operation_id = "retryTask",
    summary = "Queue a failed or cancelled task again", params(Caller), request_body = Option<NoParameters>,
    responses(
        (status = 202, description = "The task, waiting again", body = Changed<Task>, headers(("Location"), ("ETag"))),
        (status = 409, description = "task_not_retryable, dependency_failed, no_picture_yet, nothing_to_say, shot_locked, no_shots"),
    ),
)]
pub(crate) async fn retry(
    asked: ChangeRequest<TaskId>,
    body: Json<NoParameters>,
) -> Result<Response, Problem> {
    let task = asked.ids;
    let project = asked.app.task_row(task).await?.project_id;
    let executed = asked.execute(project, Command::RetryTask { task }, body.digest).await?;
    asked.tell_task(StatusCode::ACCEPTED, task, &executed).await
}
