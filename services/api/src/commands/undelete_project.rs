//! `POST /v1/projects/{id}/undelete`: out of the trash again, for 30 days after the deletion.

use axum::response::Response;
use domain::ids::ProjectId;
use domain::project::Command;

use super::NoParameters;
use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::extract::Json;
use crate::json::Project;
use crate::problem::Problem;

/// 200 with the project; its cancelled work stays cancelled. Again, the same.
#[utoipa::path(
    post, path = "/v1/projects/{project}/undelete", tag = "projects", operation_id = "undeleteProject",
    summary = "Take a project out of the trash", params(Caller), request_body = Option<NoParameters>,
    responses(
        (status = 200, description = "The project", body = Project, headers(("ETag"))),
        (status = 410, description = "trash_expired"),
    ),
)]
pub(crate) async fn post(
    asked: ChangeRequest<ProjectId>,
    body: Json<NoParameters>,
) -> Result<Response, Problem> {
    let project = asked.ids;
    asked.execute(project, Command::UndeleteProject, body.digest).await?;
    asked.tell_project(project).await
}
