//! `POST /v1/projects/{id}/generate` and `…/retry`: work in bulk, followed as one task.

use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::{ProjectId, ShotId};
use domain::job::Kind;
use domain::project::{Command, Generate, Only, Parameters};
use serde::Deserialize;
use utoipa::ToSchema;

use super::NoParameters;
use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::extract::Json;
use crate::json::{Changed, Task};
use crate::problem::Problem;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = GenerateParameters, example = json!({ "kinds": ["image"], "only": "stale" }))]
pub(crate) struct Body {
    /// `image`, `video`, `tts`; all that a finished shot has when absent.
    #[schema(max_items = 3)]
    kinds: Option<Vec<Kind>>,
    /// All that are not locked when absent.
    #[schema(max_items = 200)]
    shots: Option<Vec<ShotId>>,
    /// `missing` when absent.
    only: Option<Only>,
}

/// 202 with a batch: a task that ends with its `children`. What is being made already is among them.
#[utoipa::path(
    post, path = "/v1/projects/{project}/generate", tag = "tasks", operation_id = "generateMany",
    summary = "Make many takes", params(Caller), request_body = Option<Body>,
    responses(
        (status = 202, description = "The batch", body = Changed<Task>, headers(("Location"), ("ETag"))),
        (status = 404, description = "shot_not_found"),
        (status = 409, description = "shot_locked, nothing_to_do"),
        (status = 422, description = "not_a_shot_kind"),
    ),
)]
pub(crate) async fn generate(asked: ChangeRequest<ProjectId>, body: Json<Body>) -> Result<Response, Problem> {
    let Json { value: Body { kinds, shots, only }, digest } = body;
    let wanted = Generate {
        kinds: kinds.unwrap_or_default(),
        shots,
        only: only.unwrap_or_default(),
        parameters: Parameters::default(),
    };
    batch(asked, (Command::Generate(wanted), digest)).await
}

/// 202 with a batch of everything that failed; what was cancelled because of it comes back too.
#[utoipa::path(
    post, path = "/v1/projects/{project}/retry", tag = "tasks", operation_id = "retryFailed",
    summary = "Queue everything that failed again", params(Caller), request_body = Option<NoParameters>,
    responses(
        (status = 202, description = "The batch", body = Changed<Task>, headers(("Location"), ("ETag"))),
        (status = 409, description = "nothing_to_do"),
    ),
)]
pub(crate) async fn retry(
    asked: ChangeRequest<ProjectId>,
    body: Json<NoParameters>,
) -> Result<Response, Problem> {
    batch(asked, (Command::RetryFailed, body.digest)).await
}

async fn batch(
    asked: ChangeRequest<ProjectId>,
    (command, digest): (Command, [u8; 32]),
) -> Result<Response, Problem> {
    let executed = asked.execute(asked.ids, command, digest).await?;
    let batch = asked.app.batch_of(&executed).await?;
    asked.tell_task(StatusCode::ACCEPTED, batch, &executed).await
}
