//! `POST /v1/webhooks/{id}/rotate`: sign a webhook's messages with a new key, and for a day with the old one too.

use std::sync::Arc;

use axum::extract::State;
use infra::postgres::webhooks;
use uuid::Uuid;

use super::NoParameters;
use super::create_webhook::{WebhookWithSecret, new_secret};
use crate::App;
use crate::caller::Caller;
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::queries::webhooks::no_such_webhook;

/// 200 with the webhook and its new secret, which is shown this once; the same `Idempotency-Key` again answers it
/// again. For 24 hours each message has two signatures.
#[utoipa::path(
    post, path = "/v1/webhooks/{webhook}/rotate", tag = "webhooks", operation_id = "rotateSecret",
    summary = "A new key for a webhook", params(Caller), request_body = Option<NoParameters>,
    responses(
        (status = 200, description = "The webhook, with its new secret", body = WebhookWithSecret),
        (status = 404, description = "webhook_not_found"),
    ),
)]
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<Uuid>,
    body: Json<NoParameters>,
) -> Result<axum::Json<WebhookWithSecret>, Problem> {
    let webhook = app.webhook(&caller.identity, id).await?;
    let request = caller.context(app.now(), body.digest).command.0;
    let rotated = webhooks::rotate(&app.api.pool, webhook.id, &new_secret()?, request).await?;
    let (webhook, secret) = rotated.ok_or_else(no_such_webhook)?;
    Ok(axum::Json(WebhookWithSecret::of(webhook, &secret)))
}
