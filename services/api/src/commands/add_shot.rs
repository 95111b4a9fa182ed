//! `POST /v1/projects/{id}/shots`: add a shot by hand.

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use domain::ids::ProjectId;
use domain::project::{Command, Event, ShotPatch};
use domain::settings::{Mood, Transition};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::caller::{Caller, etag};
use crate::change_request::ChangeRequest;
use crate::extract::Json;
use crate::json::{Changed, Shot};
use crate::problem::Problem;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewShot, example = json!({ "prompt": "A pier at night", "narration": "They waited." }))]
pub(crate) struct Body {
    /// Its place from 1; at the end when absent.
    #[schema(minimum = 1, maximum = 200)]
    order: Option<u32>,
    #[schema(max_length = 200)]
    title: Option<String>,
    #[schema(max_length = 2_000)]
    prompt: Option<String>,
    #[schema(max_length = 2_000)]
    negative_prompt: Option<String>,
    #[schema(max_length = 10_000)]
    narration: Option<String>,
    mood: Option<Mood>,
    transition: Option<Transition>,
    /// Minimum length in seconds.
    #[schema(minimum = 0.5, maximum = 600)]
    duration: Option<f64>,
    /// False queues no picture and no voice.
    generate: Option<bool>,
}

/// 201 with the shot.
#[utoipa::path(
    post, path = "/v1/projects/{project}/shots", tag = "shots", operation_id = "addShot", summary = "Add a shot",
    params(Caller), request_body = Option<Body>,
    responses(
        (status = 201, description = "The shot", body = Changed<Shot>, headers(("Location"), ("ETag"))),
        (status = 409, description = "too_many_shots"),
    ),
)]
pub(crate) async fn post(asked: ChangeRequest<ProjectId>, body: Json<Body>) -> Result<Response, Problem> {
    let project = asked.ids;
    let Json { value, digest } = body;
    if value.order == Some(0) {
        return Err(Problem::invalid("order", "must be at least 1"));
    }
    let content = ShotPatch {
        title: value.title,
        prompt: value.prompt,
        negative_prompt: value.negative_prompt,
        narration: value.narration,
        mood: value.mood,
        transition: Some(value.transition),
        duration: Some(value.duration),
        locked: None,
    };
    let place = value.order.map(|order| order - 1);
    let command = Command::AddShot { place, content, generate: value.generate.unwrap_or(true) };
    let executed = asked.execute(project, command, digest).await?;
    let added = |event: &Event| match event {
        Event::ShotAdded(event) => Some(event.shot_id),
        _ => None,
    };
    let shot =
        asked.app.in_log(&executed, added).await?.ok_or_else(|| Problem::internal("no shot was added"))?;
    let version = executed.receipt.version;
    let body = Changed { item: asked.app.shot(project, shot, &asked.base).await?, project_version: version };
    let headers = [(LOCATION, format!("/v1/projects/{project}/shots/{shot}")), etag(version)];
    Ok((StatusCode::CREATED, headers, axum::Json(body)).into_response())
}
