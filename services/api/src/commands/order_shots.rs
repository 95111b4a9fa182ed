//! `PUT /v1/projects/{id}/shots/order`: put the shots into another order.

use axum::response::{IntoResponse, Response};
use domain::ids::{ProjectId, ShotId};
use domain::project::Command;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::caller::{Caller, etag};
use crate::change_request::ChangeRequest;
use crate::extract::Json;
use crate::json::Shot;
use crate::problem::Problem;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ShotOrder)]
pub(crate) struct Body {
    /// Every shot of the project, once.
    #[schema(max_items = 200)]
    shots: Vec<ShotId>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderedShots)]
struct Ordered {
    shots: Vec<Shot>,
    project_version: u64,
}

/// 200 with the shots in their new order.
#[utoipa::path(
    put, path = "/v1/projects/{project}/shots/order", tag = "shots", operation_id = "orderShots",
    summary = "Put the shots into another order", params(Caller), request_body = Body,
    responses((status = 200, description = "The shots in that order", body = Ordered, headers(("ETag")))),
)]
pub(crate) async fn put(asked: ChangeRequest<ProjectId>, body: Json<Body>) -> Result<Response, Problem> {
    let project = asked.ids;
    let command = Command::OrderShots { shots: body.value.shots };
    let version = asked.execute(project, command, body.digest).await?.receipt.version;
    let body = Ordered { shots: asked.app.shots(project, &asked.base).await?, project_version: version };
    Ok(([etag(version)], axum::Json(body)).into_response())
}
