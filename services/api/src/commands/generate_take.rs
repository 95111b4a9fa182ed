//! `POST …/shots/{shotId}/image`, `…/video`, `…/narration`: make a picture, clip or voice again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::{ProjectId, ShotId};
use domain::job::Kind;
use domain::project::{Command, Parameters};
use serde::Deserialize;

use super::task_answer;
use crate::App;
use crate::caller::Caller;
use crate::execute::Wanted;
use crate::extract::{Base, Json, Path};
use crate::problem::Problem;

/// How to make a picture.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ImageBody {
    model: Option<String>,
    seed: Option<u32>,
    steps: Option<u32>,
    cfg_scale: Option<f64>,
}

/// How to make a clip.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VideoBody {
    model: Option<String>,
    seed: Option<u32>,
    steps: Option<u32>,
    cfg_scale: Option<f64>,
    fps: Option<u32>,
    duration: Option<f64>,
}

/// How to make a voice.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NarrationBody {
    model: Option<String>,
    voice: Option<String>,
    speed: Option<f64>,
}

impl From<ImageBody> for Parameters {
    fn from(body: ImageBody) -> Self {
        let ImageBody { model, seed, steps, cfg_scale } = body;
        Self { model, seed, steps, cfg_scale, ..Self::default() }
    }
}

impl From<VideoBody> for Parameters {
    fn from(body: VideoBody) -> Self {
        let VideoBody { model, seed, steps, cfg_scale, fps, duration } = body;
        Self { model, seed, steps, cfg_scale, fps, duration_seconds: duration, ..Self::default() }
    }
}

impl From<NarrationBody> for Parameters {
    fn from(body: NarrationBody) -> Self {
        let NarrationBody { model, voice, speed } = body;
        Self { model, voice, speed, ..Self::default() }
    }
}

/// 202 with the task that makes the new picture.
pub(crate) async fn image(
    state: State<Arc<App>>,
    ids: Path<(ProjectId, ShotId)>,
    base: Base,
    caller: Caller,
    body: Json<ImageBody>,
) -> Result<Response, Problem> {
    generate(state, ids, base, caller, Kind::Image, body).await
}

/// 202 with the task that makes the new clip.
pub(crate) async fn video(
    state: State<Arc<App>>,
    ids: Path<(ProjectId, ShotId)>,
    base: Base,
    caller: Caller,
    body: Json<VideoBody>,
) -> Result<Response, Problem> {
    generate(state, ids, base, caller, Kind::Video, body).await
}

/// 202 with the task that makes the new voice.
pub(crate) async fn narration(
    state: State<Arc<App>>,
    ids: Path<(ProjectId, ShotId)>,
    base: Base,
    caller: Caller,
    body: Json<NarrationBody>,
) -> Result<Response, Problem> {
    generate(state, ids, base, caller, Kind::Tts, body).await
}

async fn generate<B: Into<Parameters>>(
    State(app): State<Arc<App>>,
    Path((project, shot)): Path<(ProjectId, ShotId)>,
    base: Base,
    caller: Caller,
    kind: Kind,
    body: Json<B>,
) -> Result<Response, Problem> {
    let command = Command::GenerateTake { shot, kind, parameters: body.value.into() };
    let executed = app.execute(&caller, project, command, body.digest).await?;
    let task = app.task_of(&executed, &Wanted { kind, shot: Some(shot), parameters: None }).await?;
    task_answer(&app, StatusCode::ACCEPTED, task, executed.receipt.version, &base).await
}
