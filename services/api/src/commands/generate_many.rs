//! `POST /v1/projects/{id}/generate` and `…/retry`: work in bulk, followed as one task.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::{ProjectId, ShotId};
use domain::job::Kind;
use domain::project::{Command, Generate, Only, Parameters};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{NoParameters, task_answer};
use crate::App;
use crate::caller::Caller;
use crate::extract::{Base, Json, Path};
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
pub(crate) async fn generate(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    base: Base,
    caller: Caller,
    body: Json<Body>,
) -> Result<Response, Problem> {
    let Json { value: Body { kinds, shots, only }, digest } = body;
    let wanted = Generate {
        kinds: kinds.unwrap_or_default(),
        shots,
        only: only.unwrap_or_default(),
        parameters: Parameters::default(),
    };
    batch(&app, project, &base, &caller, (Command::Generate(wanted), digest)).await
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
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    base: Base,
    caller: Caller,
    body: Json<NoParameters>,
) -> Result<Response, Problem> {
    batch(&app, project, &base, &caller, (Command::RetryFailed, body.digest)).await
}

async fn batch(
    app: &Arc<App>,
    project: ProjectId,
    base: &Base,
    caller: &Caller,
    (command, digest): (Command, [u8; 32]),
) -> Result<Response, Problem> {
    let executed = app.execute(caller, project, command, digest).await?;
    let batch = app.batch_of(&executed).await?;
    task_answer(app, StatusCode::ACCEPTED, batch, executed.receipt.version, base).await
}
