//! `POST /v1/dead-letters/{id}/replay`: queue the task of a job that could not be handled again.

use axum::http::StatusCode;
use axum::response::Response;
use domain::project::Command;
use infra::postgres::dead_letters;
use uuid::Uuid;

use super::NoParameters;
use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::extract::Json;
use crate::json::{Changed, Task};
use crate::problem::Problem;

/// 202 with the task, which waits for a worker again.
#[utoipa::path(
    post, path = "/v1/dead-letters/{letter}/replay", tag = "operations", operation_id = "replayDeadLetter",
    summary = "Queue the task of a dead letter again", params(Caller), request_body = Option<NoParameters>,
    responses(
        (status = 202, description = "The task, waiting again", body = Changed<Task>, headers(("Location"), ("ETag"))),
        (status = 404, description = "dead_letter_not_found, project_not_found, project_deleted, project_purged, task_not_found"),
        (status = 409, description = "task_not_retryable, dependency_failed, no_picture_yet, nothing_to_say, shot_locked, no_shots"),
    ),
)]
pub(crate) async fn post(asked: ChangeRequest<Uuid>, body: Json<NoParameters>) -> Result<Response, Problem> {
    let letter = asked.ids;
    let letter = dead_letters::find(&asked.app.api.pool, letter).await?;
    let letter =
        letter.ok_or_else(|| Problem::not_found("dead_letter_not_found", "there is no such dead letter"))?;
    let command = Command::RetryTask { task: letter.task };
    let executed = asked.execute(letter.project, command, body.digest).await?;
    dead_letters::mark_replayed(&asked.app.api.pool, letter.id).await?;
    asked.tell_task(StatusCode::ACCEPTED, letter.task, &executed).await
}
