//! `POST /v1/projects/{id}/purge`: give a project in the trash up for good, without waiting for its 30 days.

use axum::response::{IntoResponse, Response};
use domain::ids::ProjectId;
use domain::project::Command;
use serde::Serialize;
use utoipa::ToSchema;

use super::NoParameters;
use crate::caller::{Caller, etag};
use crate::change_request::ChangeRequest;
use crate::extract::Json;
use crate::problem::Problem;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PurgedProject)]
struct Purged {
    id: ProjectId,
    version: u64,
    purged: bool,
}

/// 200 with the project's id and last version; again, the same. Its history stays for audits; media that no other
/// project names is removed some days later.
#[utoipa::path(
    post, path = "/v1/projects/{project}/purge", tag = "projects", operation_id = "purgeProject",
    summary = "Give a project in the trash up for good", params(Caller), request_body = Option<NoParameters>,
    responses(
        (status = 200, description = "Nothing brings it back", body = Purged, headers(("ETag"))),
        (status = 409, description = "not_purgeable"),
    ),
)]
pub(crate) async fn post(
    asked: ChangeRequest<ProjectId>,
    body: Json<NoParameters>,
) -> Result<Response, Problem> {
    let project = asked.ids;
    let command = Command::PurgeProject { early: true };
    let receipt = asked.execute(project, command, body.digest).await?.receipt;
    let body = Purged { id: project, version: receipt.version, purged: true };
    Ok(([etag(receipt.version)], axum::Json(body)).into_response())
}
