//! `POST …/shots/{shotId}/image`, `…/video`, `…/narration`: make a picture, clip or voice again.

use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::{ProjectId, ShotId};
use domain::job::Kind;
use domain::project::{Command, Parameters};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::execute::Wanted;
use crate::extract::Json;
use crate::json::{Changed, Task};
use crate::problem::Problem;

/// How to make a picture.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ImageParameters, example = json!({ "seed": 7 }))]
pub(crate) struct ImageBody {
    /// By the provider's name for it.
    #[schema(min_length = 1, max_length = 200)]
    model: Option<String>,
    seed: Option<u32>,
    #[schema(minimum = 1, maximum = 200)]
    steps: Option<u32>,
    #[schema(minimum = 0, maximum = 50)]
    cfg_scale: Option<f64>,
    /// How many, each with a seed of its own; the first becomes the shot's own.
    #[schema(minimum = 1, maximum = 4)]
    candidates: Option<u32>,
}

/// How to make a clip.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = VideoParameters, example = json!({ "fps": 24, "duration": 3.5 }))]
pub(crate) struct VideoBody {
    /// By the provider's name for it.
    #[schema(min_length = 1, max_length = 200)]
    model: Option<String>,
    seed: Option<u32>,
    #[schema(minimum = 1, maximum = 200)]
    steps: Option<u32>,
    #[schema(minimum = 0, maximum = 50)]
    cfg_scale: Option<f64>,
    #[schema(minimum = 12, maximum = 60)]
    fps: Option<u32>,
    /// In seconds.
    #[schema(minimum = 0.5, maximum = 600)]
    duration: Option<f64>,
    /// How many, each with a seed of its own; the first becomes the shot's own.
    #[schema(minimum = 1, maximum = 4)]
    candidates: Option<u32>,
}

/// How to make a voice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NarrationParameters, example = json!({ "speed": 1.1 }))]
pub(crate) struct NarrationBody {
    /// By the provider's name for it.
    #[schema(min_length = 1, max_length = 200)]
    model: Option<String>,
    /// By the provider's name for it.
    #[schema(min_length = 1, max_length = 200)]
    voice: Option<String>,
    #[schema(minimum = 0.5, maximum = 2)]
    speed: Option<f64>,
}

impl From<ImageBody> for Made {
    fn from(body: ImageBody) -> Self {
        let ImageBody { model, seed, steps, cfg_scale, candidates } = body;
        let parameters = Parameters { model, seed, steps, cfg_scale, ..Parameters::default() };
        Self { parameters, candidates: candidates.unwrap_or(1) }
    }
}

impl From<VideoBody> for Made {
    fn from(body: VideoBody) -> Self {
        let VideoBody { model, seed, steps, cfg_scale, fps, duration, candidates } = body;
        let duration_seconds = duration;
        let parameters =
            Parameters { model, seed, steps, cfg_scale, fps, duration_seconds, ..Parameters::default() };
        Self { parameters, candidates: candidates.unwrap_or(1) }
    }
}

impl From<NarrationBody> for Made {
    fn from(body: NarrationBody) -> Self {
        let NarrationBody { model, voice, speed } = body;
        Self { parameters: Parameters { model, voice, speed, ..Parameters::default() }, candidates: 1 }
    }
}

/// How it is to be made, whatever the kind.
struct Made {
    parameters: Parameters,
    candidates: u32,
}

/// 202 with the task that makes the new picture; with several candidates, the batch of their tasks.
#[utoipa::path(
    post, path = "/v1/projects/{project}/shots/{shot}/image", tag = "shots", operation_id = "generateImage",
    summary = "Make a shot's picture again", params(Caller), request_body = Option<ImageBody>,
    responses(
        (status = 202, description = "The task that makes it", body = Changed<Task>, headers(("Location"), ("ETag"))),
        (status = 409, description = "shot_locked"),
    ),
)]
pub(crate) async fn image(
    asked: ChangeRequest<(ProjectId, ShotId)>,
    body: Json<ImageBody>,
) -> Result<Response, Problem> {
    generate(asked, Kind::Image, body).await
}

/// 202 with the task that makes the new clip; with several candidates, the batch of their tasks.
#[utoipa::path(
    post, path = "/v1/projects/{project}/shots/{shot}/video", tag = "shots", operation_id = "generateVideo",
    summary = "Make a shot's clip again", params(Caller), request_body = Option<VideoBody>,
    responses(
        (status = 202, description = "The task that makes it", body = Changed<Task>, headers(("Location"), ("ETag"))),
        (status = 409, description = "shot_locked, no_picture_yet"),
    ),
)]
pub(crate) async fn video(
    asked: ChangeRequest<(ProjectId, ShotId)>,
    body: Json<VideoBody>,
) -> Result<Response, Problem> {
    generate(asked, Kind::Video, body).await
}

/// 202 with the task that makes the new voice.
#[utoipa::path(
    post, path = "/v1/projects/{project}/shots/{shot}/narration", tag = "shots", operation_id = "generateNarration",
    summary = "Make a shot's voice again", params(Caller), request_body = Option<NarrationBody>,
    responses(
        (status = 202, description = "The task that makes it", body = Changed<Task>, headers(("Location"), ("ETag"))),
        (status = 409, description = "shot_locked, nothing_to_say"),
    ),
)]
pub(crate) async fn narration(
    asked: ChangeRequest<(ProjectId, ShotId)>,
    body: Json<NarrationBody>,
) -> Result<Response, Problem> {
    generate(asked, Kind::Tts, body).await
}

async fn generate<B: Into<Made>>(
    asked: ChangeRequest<(ProjectId, ShotId)>,
    kind: Kind,
    body: Json<B>,
) -> Result<Response, Problem> {
    let (project, shot) = asked.ids;
    let Made { parameters, candidates } = body.value.into();
    let command = Command::GenerateTake { shot, kind, parameters, candidates };
    let executed = asked.execute(project, command, body.digest).await?;
    let task = if candidates > 1 {
        asked.app.batch_of(&executed).await?
    } else {
        asked.app.task_of(&executed, &Wanted { kind, shot: Some(shot), parameters: None }).await?
    };
    asked.tell_task(StatusCode::ACCEPTED, task, &executed).await
}
