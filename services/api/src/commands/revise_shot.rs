//! `PATCH /v1/projects/{id}/shots/{shotId}`: edit a shot, and make again what that outdates.

use axum::response::Response;
use domain::ids::{ProjectId, ShotId};
use domain::project::{Command, ShotPatch};
use domain::settings::{Mood, Transition};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::extract::{Json, nullable};
use crate::json::{Changed, Shot};
use crate::problem::Problem;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ShotChanges, example = json!({ "prompt": "A lamp in the storm", "generate": false }))]
pub(crate) struct Body {
    #[schema(max_length = 200)]
    title: Option<String>,
    #[schema(max_length = 2_000)]
    prompt: Option<String>,
    #[schema(max_length = 2_000)]
    negative_prompt: Option<String>,
    #[schema(max_length = 10_000)]
    narration: Option<String>,
    mood: Option<Mood>,
    /// Null goes back to the project's.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Transition>)]
    transition: Option<Option<Transition>>,
    /// Null takes the minimum length away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>, minimum = 0.5, maximum = 600)]
    duration: Option<Option<f64>>,
    locked: Option<bool>,
    /// False only marks stale.
    generate: Option<bool>,
}

/// 200 with the shot as it is then.
#[utoipa::path(
    patch, path = "/v1/projects/{project}/shots/{shot}", tag = "shots", operation_id = "reviseShot",
    summary = "Edit a shot", params(Caller), request_body = Option<Body>,
    responses(
        (status = 200, description = "The shot as it is then", body = Changed<Shot>, headers(("ETag"))),
        (status = 409, description = "shot_locked"),
    ),
)]
pub(crate) async fn patch(
    asked: ChangeRequest<(ProjectId, ShotId)>,
    body: Json<Body>,
) -> Result<Response, Problem> {
    let (project, shot) = asked.ids;
    let Json { value, digest } = body;
    let patch = ShotPatch {
        title: value.title,
        prompt: value.prompt,
        negative_prompt: value.negative_prompt,
        narration: value.narration,
        mood: value.mood,
        transition: value.transition,
        duration: value.duration,
        locked: value.locked,
    };
    let command = Command::ReviseShot { shot, patch, generate: value.generate.unwrap_or(true) };
    let executed = asked.execute(project, command, digest).await?;
    asked.tell_shot((project, shot), &executed).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_may_be_absent_or_taken_away() {
        let duration = |body| serde_json::from_str::<Body>(body).unwrap().duration;
        assert_eq!(duration("{}"), None);
        assert_eq!(duration("{\"duration\":null}"), Some(None));
        assert_eq!(duration("{\"duration\":4}"), Some(Some(4.0)));
    }
}
