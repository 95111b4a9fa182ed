//! `POST /v1/tickets`: for what cannot send a header, like a socket or a film in a page.

use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ids::ProjectId;
use domain::project::ProjectError;
use infra::postgres::tail::rfc3339_millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::auth::Identity;
use crate::extract::Json;
use crate::problem::Problem;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewTicket)]
pub(crate) struct Body {
    /// What it opens, for looking.
    project_id: ProjectId,
}

/// For `?ticket=`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ticket {
    /// The value of the parameter.
    ticket: String,
    /// When it opens nothing any more; what it opened stays open for as long as the
    /// credentials that it was got with are good.
    #[serde(serialize_with = "rfc3339_millis")]
    expires_at: DateTime<Utc>,
}

/// 200 with a ticket for one project and its media.
#[utoipa::path(
    post, path = "/v1/tickets", tag = "access", operation_id = "getTicket", summary = "A ticket for a project",
    request_body = Body,
    responses(
        (status = 200, description = "The ticket", body = Ticket),
        (status = 404, description = "project_not_found,project_deleted,project_purged"),
    ),
)]
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    identity: Identity,
    body: Json<Body>,
) -> Result<axum::Json<Ticket>, Problem> {
    let project = body.value.project_id;
    if !app.auth.may_see(&identity, project).await? {
        return Err(Problem::from(ProjectError::NotFound).hiding());
    }
    app.project_row(project).await?;
    let subject = identity.subject().unwrap_or("local");
    let ticket = app.auth.signing().await?.ticket(subject, identity.grounds(), project, app.now());
    let (ticket, until) = ticket.map_err(|error| Problem::internal(error.to_string()))?;
    Ok(axum::Json(Ticket { ticket, expires_at: until }))
}
