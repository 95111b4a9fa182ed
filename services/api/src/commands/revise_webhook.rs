//! `PATCH /v1/webhooks/{id}` and `DELETE`: change a webhook, or remove it with all it was to be told.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use domain::webhook::Topic;
use infra::postgres::webhooks::{self, Revision};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::create_webhook::{checked_description, checked_topics, checked_url};
use crate::App;
use crate::auth::Identity;
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::queries::webhooks::{Webhook, no_such_webhook};

/// What is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = WebhookRevision)]
pub(crate) struct Body {
    #[schema(max_length = 2_000)]
    url: Option<String>,
    #[schema(min_items = 1, max_items = 3)]
    events: Option<Vec<Topic>>,
    #[schema(max_length = 200)]
    description: Option<String>,
    /// What is pending waits while this is false; what happens meanwhile is never told.
    enabled: Option<bool>,
}

/// 200 with the webhook.
#[utoipa::path(
    patch, path = "/v1/webhooks/{webhook}", tag = "webhooks", operation_id = "reviseWebhook",
    summary = "Change a webhook", request_body = Body,
    responses(
        (status = 200, description = "The webhook", body = Webhook),
        (status = 404, description = "webhook_not_found"),
    ),
)]
pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(id): Path<Uuid>,
    body: Json<Body>,
) -> Result<axum::Json<Webhook>, Problem> {
    let webhook = app.webhook(&identity, id).await?;
    let Body { url, events, description, enabled } = body.value;
    let revision = Revision {
        url: url.map(|url| checked_url(&app, url)).transpose()?,
        topics: events.map(checked_topics).transpose()?,
        description: description.map(checked_description).transpose()?,
        enabled,
    };
    let revised = webhooks::revise(&app.api.pool, webhook.id, &revision).await?;
    revised.map(|webhook| axum::Json(Webhook::of(webhook))).ok_or_else(no_such_webhook)
}

/// 204; it is told nothing any more.
#[utoipa::path(
    delete, path = "/v1/webhooks/{webhook}", tag = "webhooks", operation_id = "removeWebhook",
    summary = "Remove a webhook",
    responses(
        (status = 204, description = "It is told nothing any more"),
        (status = 404, description = "webhook_not_found"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let webhook = app.webhook(&identity, id).await?;
    webhooks::remove(&app.api.pool, webhook.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
