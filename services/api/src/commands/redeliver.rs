//! `POST /v1/webhooks/{id}/redeliver` and `…/deliveries/{id}/redeliver`: tell again what was told, or what
//! could not be told for a day.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use infra::postgres::deliveries::{self, Again};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::NoParameters;
use crate::App;
use crate::caller::Caller;
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::queries::webhooks::Delivery;

/// How much is told again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Redelivered {
    redelivered: u64,
}

/// 202 with the delivery, which is pending again, under the same id.
#[utoipa::path(
    post, path = "/v1/webhooks/{webhook}/deliveries/{delivery}/redeliver", tag = "webhooks",
    operation_id = "redeliver", summary = "Tell again", params(Caller), request_body = Option<NoParameters>,
    responses(
        (status = 202, description = "The delivery, pending again", body = Delivery),
        (status = 404, description = "webhook_not_found, delivery_not_found"),
        (status = 409, description = "delivery_pending"),
    ),
)]
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((webhook, delivery)): Path<(Uuid, Uuid)>,
    body: Json<NoParameters>,
) -> Result<(StatusCode, axum::Json<Delivery>), Problem> {
    let webhook = app.webhook(&caller.identity, webhook).await?.id;
    let redelivered = app.redeliver(&caller, webhook, Again::One(delivery), body.digest).await?;
    let found = deliveries::find(&app.api.pool, webhook, delivery).await?;
    let found = found.ok_or_else(|| Problem::not_found("delivery_not_found", "there is no such delivery"))?;
    if redelivered == 0 {
        let detail = "this is still being tried; it can be told again once that has ended";
        return Err(Problem::new(StatusCode::CONFLICT, "delivery_pending", detail));
    }
    Ok((StatusCode::ACCEPTED, axum::Json(Delivery::of(found))))
}

/// 202 with how many dead deliveries are pending again.
#[utoipa::path(
    post, path = "/v1/webhooks/{webhook}/redeliver", tag = "webhooks", operation_id = "redeliverDead",
    summary = "Tell again all that was given up", params(Caller), request_body = Option<NoParameters>,
    responses(
        (status = 202, description = "How many are pending again", body = Redelivered),
        (status = 404, description = "webhook_not_found"),
    ),
)]
pub(crate) async fn dead(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(webhook): Path<Uuid>,
    body: Json<NoParameters>,
) -> Result<(StatusCode, axum::Json<Redelivered>), Problem> {
    let webhook = app.webhook(&caller.identity, webhook).await?.id;
    let redelivered = app.redeliver(&caller, webhook, Again::Dead, body.digest).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(Redelivered { redelivered })))
}

impl App {
    /// How many are pending again, now or by the same request before.
    async fn redeliver(
        &self,
        caller: &Caller,
        webhook: Uuid,
        again: Again,
        digest: [u8; 32],
    ) -> Result<u64, Problem> {
        let asked = caller.context(self.now(), digest);
        match deliveries::redeliver(&self.api.pool, webhook, again, &asked).await? {
            deliveries::Redelivered::Pending(count) => Ok(count),
            deliveries::Redelivered::OtherRequest => Err(Problem::reused_key()),
        }
    }
}
