//! `DELETE /v1/projects/{id}`: to the trash. Work is cancelled, the history kept.

use axum::response::{IntoResponse, Response};
use domain::ids::ProjectId;
use domain::project::Command;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::{Caller, etag};
use crate::change_request::ChangeRequest;
use crate::problem::Problem;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeletedProject)]
struct Deleted {
    id: ProjectId,
    version: u64,
    deleted: bool,
}

/// 200 with the project's id and last version; again, the same.
#[utoipa::path(
    delete, path = "/v1/projects/{project}", tag = "projects", operation_id = "deleteProject",
    summary = "Put a project into the trash", params(Caller),
    responses((status = 200, description = "Its work is cancelled, its history kept", body = Deleted, headers(("ETag")))),
)]
pub(crate) async fn delete(asked: ChangeRequest<ProjectId>) -> Result<Response, Problem> {
    let project = asked.ids;
    let receipt = asked.execute(project, Command::DeleteProject, [0; 32]).await?.receipt;
    let body = Deleted { id: project, version: receipt.version, deleted: true };
    Ok(([etag(receipt.version)], axum::Json(body)).into_response())
}
