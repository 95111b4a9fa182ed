//! `GET /v1/webhooks`, one of them, and what it was told. Secrets are in no answer.

use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ids::ProjectId;
use domain::webhook::Topic;
use infra::postgres::deliveries::{self, DeliveryState};
use infra::postgres::tail::rfc3339_millis;
use infra::postgres::views::projects::Owners;
use infra::postgres::webhooks;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::App;
use crate::auth::Identity;
use crate::cursor;
use crate::extract::{PageParameters, Path, Query, page_limit};
use crate::json::{Page, optional_millis};
use crate::problem::Problem;

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Webhook {
    id: Uuid,
    /// The project it is about; all of its owner's when null.
    project_id: Option<ProjectId>,
    url: String,
    /// What it is told of.
    events: Vec<Topic>,
    description: String,
    /// Whether it is told anything.
    enabled: bool,
    #[serde(serialize_with = "rfc3339_millis")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339_millis")]
    updated_at: DateTime<Utc>,
}

impl Webhook {
    /// The shape of a row.
    pub(crate) fn of(row: webhooks::Webhook) -> Self {
        Self {
            id: row.id,
            project_id: row.project,
            url: row.url,
            events: row.topics,
            description: row.description,
            enabled: row.enabled,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// One message to a webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    /// What its receiver gets as `webhook-id`.
    id: Uuid,
    project_id: ProjectId,
    /// The project's version that it tells of.
    version: u64,
    event: Topic,
    #[schema(pattern = "^(pending|delivered|dead)$")]
    status: &'static str,
    /// How often it was tried.
    attempts: u32,
    /// When it is tried next; absent while an earlier one of the project is pending.
    #[serde(serialize_with = "optional_millis", skip_serializing_if = "Option::is_none")]
    due_at: Option<DateTime<Utc>>,
    /// The HTTP status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<u16>,
    /// Why the last attempt came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(serialize_with = "optional_millis", skip_serializing_if = "Option::is_none")]
    attempted_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rfc3339_millis")]
    created_at: DateTime<Utc>,
}

impl Delivery {
    /// The shape of a row.
    pub(crate) fn of(row: deliveries::Delivery) -> Self {
        Self {
            id: row.id,
            project_id: row.project,
            version: row.version,
            event: row.topic,
            status: row.state.as_str(),
            attempts: row.attempts,
            due_at: row.due_at,
            answer: row.answer,
            error: row.error,
            attempted_at: row.attempted_at,
            created_at: row.created_at,
        }
    }
}

impl App {
    /// A webhook of the caller's own, or anybody's for an admin.
    pub(crate) async fn webhook(&self, identity: &Identity, id: Uuid) -> Result<webhooks::Webhook, Problem> {
        let owner = owner_seen_by(identity);
        let found = webhooks::find(&self.api.pool, owner.as_deref(), id).await?;
        found.ok_or_else(|| if owner.is_some() { no_such_webhook().hiding() } else { no_such_webhook() })
    }
}

/// Whose webhooks the caller sees; everybody's when absent.
fn owner_seen_by(identity: &Identity) -> Option<String> {
    match identity.owners() {
        Owners::All => None,
        Owners::Only(owner) => Some(owner),
    }
}

/// Somebody else may have removed it.
pub(crate) fn no_such_webhook() -> Problem {
    Problem::not_found("webhook_not_found", "there is no such webhook")
}

/// One page of webhooks, in the order they were made.
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "webhooks", operation_id = "listWebhooks", summary = "Who is told what",
    params(PageParameters),
    responses(
        (status = 200, description = "One page, in the order they were made", body = Page<Webhook>),
        (status = 400, description = "invalid_cursor"),
        (status = 422, description = "invalid"),
    ),
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(page): Query<PageParameters>,
) -> Result<axum::Json<Page<Webhook>>, Problem> {
    let (after, limit) = page.read()?;
    let rows = webhooks::list(&app.api.pool, owner_seen_by(&identity).as_deref(), after, limit + 1).await?;
    let page = Page::cut(rows, limit, |row| cursor::encode(row.created_at, row.id));
    Ok(axum::Json(page.map(Webhook::of)))
}

/// One webhook.
#[utoipa::path(
    get, path = "/v1/webhooks/{webhook}", tag = "webhooks", operation_id = "getWebhook", summary = "A webhook",
    responses(
        (status = 200, description = "The webhook", body = Webhook),
        (status = 404, description = "webhook_not_found"),
    ),
)]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(id): Path<Uuid>,
) -> Result<axum::Json<Webhook>, Problem> {
    Ok(axum::Json(Webhook::of(app.webhook(&identity, id).await?)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryParameters {
    /// Only those that stand there.
    #[param(pattern = "^(pending|delivered|dead)$")]
    status: Option<String>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// Items of a page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// One page of what a webhook was, is or will be told, newest first.
#[utoipa::path(
    get, path = "/v1/webhooks/{webhook}/deliveries", tag = "webhooks", operation_id = "listDeliveries",
    summary = "What a webhook is told", params(DeliveryParameters),
    responses(
        (status = 200, description = "One page, newest first", body = Page<Delivery>),
        (status = 400, description = "invalid_cursor"),
        (status = 404, description = "webhook_not_found"),
        (status = 422, description = "invalid"),
    ),
)]
pub(crate) async fn deliveries(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(id): Path<Uuid>,
    Query(parameters): Query<DeliveryParameters>,
) -> Result<axum::Json<Page<Delivery>>, Problem> {
    let limit = page_limit(parameters.limit)?;
    let before = parameters.cursor.as_deref().map(cursor::decode).transpose()?;
    let state = parameters.status.as_deref().map(known_state).transpose()?;
    let webhook = app.webhook(&identity, id).await?;
    let rows = deliveries::list(&app.api.pool, webhook.id, state, before, limit + 1).await?;
    let page = Page::cut(rows, limit, |row| cursor::encode(row.created_at, row.id));
    Ok(axum::Json(page.map(Delivery::of)))
}

fn known_state(word: &str) -> Result<DeliveryState, Problem> {
    let known = DeliveryState::ALL.into_iter().find(|state| state.as_str() == word);
    known.ok_or_else(|| Problem::invalid("status", "must be one of: pending, delivered, dead"))
}
