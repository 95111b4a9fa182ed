//! `POST /v1/webhooks`: have something told whenever it happens.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use domain::ids::ProjectId;
use domain::webhook::{Secret, Topic};
use infra::postgres::webhooks::{self, Added, NewWebhook};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::caller::Caller;
use crate::extract::Json;
use crate::problem::Problem;
use crate::queries::webhooks::Webhook;

/// Webhooks of one owner.
const MOST: i64 = 100;
/// Longest description, in characters.
const DESCRIPTION_LIMIT: usize = 200;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewWebhook, example = json!({ "url": "https://example.org/films", "events": ["film.rendered"] }))]
pub(crate) struct Body {
    /// Where messages go: `https://` or `http://`, a public address, at most 2,000 characters.
    #[schema(max_length = 2_000)]
    url: String,
    /// Everything when absent.
    #[schema(min_items = 1, max_items = 3)]
    events: Option<Vec<Topic>>,
    /// All projects of the owner when absent.
    project_id: Option<ProjectId>,
    #[schema(max_length = 200)]
    description: Option<String>,
}

/// A webhook with the key to its messages, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: Webhook,
    /// `whsec_` and the key in base64. Messages are signed with it as Standard Webhooks say.
    secret: String,
}

impl WebhookWithSecret {
    /// The shape of a row, and the key to its messages.
    pub(crate) fn of(webhook: webhooks::Webhook, secret: &Secret) -> Self {
        Self { webhook: Webhook::of(webhook), secret: secret.reveal() }
    }
}

/// 201 with the webhook and its secret; the same `Idempotency-Key` again answers both again.
#[utoipa::path(
    post, path = "/v1/webhooks", tag = "webhooks", operation_id = "createWebhook",
    summary = "Have something told whenever it happens", params(Caller), request_body = Body,
    responses(
        (status = 201, description = "The webhook, with its secret", body = WebhookWithSecret, headers(("Location"))),
        (status = 409, description = "too_many_webhooks"),
    ),
)]
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Json<Body>,
) -> Result<Response, Problem> {
    let Json { value, digest } = body;
    let url = checked_url(&app, value.url)?;
    let topics = checked_topics(value.events.unwrap_or_else(|| Topic::ALL.to_vec()))?;
    let description = checked_description(value.description.unwrap_or_default())?;
    if let Some(project) = value.project_id {
        check_project(&app, &caller, project).await?;
    }
    let context = caller.context(app.api.clock.now(), digest);
    let new = NewWebhook {
        id: Uuid::now_v7(),
        request: context.command.0,
        owner: context.owner,
        project: value.project_id,
        url,
        topics,
        description,
        secret: new_secret()?,
        request_digest: digest,
    };
    match webhooks::add(&app.api.pool, &new, MOST).await? {
        Added::Webhook(webhook, secret) => {
            let location = [(LOCATION, format!("/v1/webhooks/{}", webhook.id))];
            let created = WebhookWithSecret::of(*webhook, &secret);
            Ok((StatusCode::CREATED, location, axum::Json(created)).into_response())
        }
        Added::OtherRequest => Err(Problem::reused_key()),
        Added::TooMany => {
            let detail = format!("there are {MOST} webhooks already; remove one first");
            Err(Problem::new(StatusCode::CONFLICT, "too_many_webhooks", detail))
        }
    }
}

/// A project that the caller may see.
async fn check_project(app: &App, caller: &Caller, project: ProjectId) -> Result<(), Problem> {
    let unknown = || Problem::invalid("projectId", "there is no such project");
    if !app.auth.may_see(&caller.identity, project).await? {
        return Err(unknown().hiding());
    }
    match app.project_row(project).await {
        Err(problem) if problem.status == StatusCode::NOT_FOUND => Err(unknown()),
        row => row.map(drop),
    }
}

/// A key that nobody can guess.
pub(crate) fn new_secret() -> Result<Secret, Problem> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Secret::new(random))
}

/// A URL that messages may go to.
pub(crate) fn checked_url(app: &App, url: String) -> Result<String, Problem> {
    match app.api.outbound.check_url(&url) {
        Ok(()) => Ok(url),
        Err(error) => Err(Problem::invalid("url", error.to_string())),
    }
}

/// Each topic once, and one at least.
pub(crate) fn checked_topics(mut topics: Vec<Topic>) -> Result<Vec<Topic>, Problem> {
    topics.sort_unstable();
    topics.dedup();
    if topics.is_empty() {
        return Err(Problem::invalid("events", "must name one event at least; leave it out for all"));
    }
    Ok(topics)
}

/// One line of text.
pub(crate) fn checked_description(text: String) -> Result<String, Problem> {
    if text.chars().count() > DESCRIPTION_LIMIT {
        let message = format!("must have at most {DESCRIPTION_LIMIT} characters");
        return Err(Problem::invalid("description", message));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::invalid("description", "must not contain control characters"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_kept_once_and_never_none() {
        let twice = vec![Topic::FilmRendered, Topic::TaskFailed, Topic::FilmRendered];
        assert_eq!(checked_topics(twice).unwrap(), [Topic::TaskFailed, Topic::FilmRendered]);
        assert_eq!(checked_topics(Vec::new()).unwrap_err().errors[0].field, "events");
    }

    #[test]
    fn a_description_is_one_short_line() {
        assert!(checked_description("長".repeat(200)).is_ok());
        for text in ["x".repeat(201), "a\nb".to_owned(), "a\0b".to_owned()] {
            assert_eq!(checked_description(text).unwrap_err().errors[0].field, "description");
        }
    }
}
