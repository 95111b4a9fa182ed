//! `POST /v1/projects/{id}/storyboard`: make the storyboard again.

use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::ProjectId;
use domain::job::Kind;
use domain::project::Command;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::execute::Wanted;
use crate::extract::Json;
use crate::json::{Changed, Task};
use crate::problem::Problem;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = StoryboardParameters, example = json!({ "force": false }))]
pub(crate) struct Body {
    /// True keeps no shot, not even those that are locked, edited or added by hand.
    force: Option<bool>,
    /// As before when absent.
    #[schema(minimum = 1, maximum = 200)]
    shot_count: Option<u32>,
}

/// 202 with the task; an open one that asks for the same is answered again.
#[utoipa::path(
    post, path = "/v1/projects/{project}/storyboard", tag = "projects", operation_id = "makeStoryboard",
    summary = "Make the storyboard again", params(Caller), request_body = Option<Body>,
    responses((status = 202, description = "The task that makes it", body = Changed<Task>, headers(("Location"), ("ETag")))),
)]
pub(crate) async fn post(asked: ChangeRequest<ProjectId>, body: Json<Body>) -> Result<Response, Problem> {
    let project = asked.ids;
    let Json { value: Body { force, shot_count }, digest } = body;
    let command = Command::MakeStoryboard { force: force.unwrap_or(false), shot_count, alone: false };
    let executed = asked.execute(project, command, digest).await?;
    let wanted = Wanted { kind: Kind::Storyboard, shot: None, parameters: None };
    let task = asked.app.task_of(&executed, &wanted).await?;
    asked.tell_task(StatusCode::ACCEPTED, task, &executed).await
}
