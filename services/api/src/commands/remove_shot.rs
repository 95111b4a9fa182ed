//! `DELETE /v1/projects/{id}/shots/{shotId}`: take a shot out. Its takes stay in the history.

use axum::response::{IntoResponse, Response};
use domain::ids::{ProjectId, ShotId};
use domain::project::Command;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::{Caller, etag};
use crate::change_request::ChangeRequest;
use crate::problem::Problem;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RemovedShot)]
struct Removed {
    id: ShotId,
    project_version: u64,
    deleted: bool,
}

/// 200 with the shot's id; its open work is cancelled.
#[utoipa::path(
    delete, path = "/v1/projects/{project}/shots/{shot}", tag = "shots", operation_id = "removeShot",
    summary = "Take a shot out", params(Caller),
    responses(
        (status = 200, description = "It is out, and its open work cancelled", body = Removed, headers(("ETag"))),
        (status = 409, description = "shot_locked"),
    ),
)]
pub(crate) async fn delete(asked: ChangeRequest<(ProjectId, ShotId)>) -> Result<Response, Problem> {
    let (project, shot) = asked.ids;
    let version = asked.execute(project, Command::RemoveShot { shot }, [0; 32]).await?.receipt.version;
    let body = Removed { id: shot, project_version: version, deleted: true };
    Ok(([etag(version)], axum::Json(body)).into_response())
}
