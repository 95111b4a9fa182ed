//! The Web API draft: `/api/projects`, `/api/shots`, `/api/tasks` and `/api/webhook`. Errors are `{code, message, request_id}`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use chrono::SecondsFormat;
use domain::ids::{ProjectId, ShotId, TaskId};
use domain::job::Kind;
use domain::project::{Command, Parameters, ShotPatch, Take, TakeMade};
use domain::upload_pass::UploadPass;
use infra::postgres::views::shots::{self, ShotRow};
use infra::postgres::views::tasks::{self, TaskRow, TaskStatus};
use serde_json::{Value, json};

use super::asked::Asked;
use super::call::Call;
use super::fields::Fields;
use crate::App;
use crate::auth::Client;
use crate::external::UPLOAD;
use crate::extract::{Base, Path, Query};
use crate::problem::Problem;

type Answer = Result<Json<Value>, Problem>;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/projects/create", post(create))
        .route("/api/projects/{project}/storyboard", get(storyboard))
        .route("/api/shots/{shot}/update_prompt", post(update_prompt))
        .route("/api/shots/{shot}/generate_image", post(generate_image))
        .route("/api/shots/{shot}/generate_video", post(generate_video))
        .route("/api/story/{project}/shot/{shot}/generate", post(generate))
        .route("/api/tasks/{task}/status", get(status))
        .route("/api/webhook/task_complete", post(task_complete))
        .route(UPLOAD, put(task_upload))
}

async fn create(call: Call) -> Answer {
    let project = call.create(call.project(call.fields.text(&["story"]))).await?;
    let task = tasks::newest(&call.app.api.pool, &[project], Kind::Storyboard).await?.remove(&project);
    let task = task.ok_or_else(|| Problem::internal("a new project has no storyboard task"))?.id;
    Ok(Json(json!({ "project_id": project, "shots": [], "task_id": task })))
}

async fn storyboard(State(app): State<Arc<App>>, Path(id): Path<ProjectId>, base: Base) -> Answer {
    let project = app.project_row(id).await?;
    let updated = project.updated_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    Ok(Json(json!({ "project_id": id, "shots": shots_of(&app, id, &base).await?, "updated_at": updated })))
}

async fn shots_of(app: &App, id: ProjectId, base: &Base) -> Result<Vec<Value>, Problem> {
    let rows = shots::of_project(&app.api.pool, id).await?;
    Ok(rows.iter().map(|row| shot_json(row, base)).collect())
}

fn shot_json(row: &ShotRow, base: &Base) -> Value {
    let url = |take: &Option<Take>| take.as_ref().map(|take| base.media(&take.asset.key)).unwrap_or_default();
    let status = match row.status.as_str() {
        "completed" => "SUCCESS",
        "failed" => "FAILED",
        "processing" => "RUNNING",
        _ => "PENDING",
    };
    json!({
        "id": row.id, "order": row.place + 1, "prompt": row.prompt, "narration": row.narration,
        "image_url": url(&row.image), "video_url": url(&row.video), "status": status,
    })
}

async fn update_prompt(Path(shot): Path<ShotId>, call: Call) -> Answer {
    let row = call.app.shot_row(shot).await?;
    let (prompt, narration) = (call.fields.text(&["prompt"]), call.fields.text(&["narration"]));
    let patch = ShotPatch { prompt, narration, ..ShotPatch::default() };
    if patch != ShotPatch::default() {
        call.execute(row.project_id, Command::ReviseShot { shot, patch, generate: false }).await?;
    }
    let row = call.app.shot_row(shot).await?;
    Ok(Json(json!({ "id": row.id, "prompt": row.prompt, "narration": row.narration })))
}

async fn generate_image(Path(shot): Path<ShotId>, call: Call) -> Answer {
    let model = model(&call.fields, &["sd_turbo", "builtin"])?;
    let parameters = Parameters { model, ..Asked::of(&call.fields).picture()? };
    let row = call.app.shot_row(shot).await?;
    queued(call.generate_take(&row, Kind::Image, parameters).await?)
}

async fn generate_video(Path(shot): Path<ShotId>, call: Call) -> Answer {
    let model = model(&call.fields, &["svd_img2vid", "builtin"])?;
    let parameters = Parameters { model, ..Asked::of(&call.fields).clip()? };
    let row = call.app.shot_row(shot).await?;
    queued(call.generate_take(&row, Kind::Video, parameters).await?)
}

async fn generate(Path((project, shot)): Path<(ProjectId, ShotId)>, call: Call) -> Answer {
    let row = call.app.shot_row_of(project, shot).await?;
    queued(call.generate_take(&row, Kind::Image, Parameters::default()).await?)
}

fn queued(task: TaskId) -> Answer {
    Ok(Json(json!({ "task_id": task, "status": "QUEUED" })))
}

/// The known names stand for the first provider of their kind.
fn model(fields: &Fields, known: &[&str]) -> Result<Option<String>, Problem> {
    match fields.text(&["model"]) {
        Some(model) if !known.contains(&model.as_str()) => {
            let detail = format!("model: {model} is not known; the models are {}", known.join(", "));
            Err(Problem::bad_request("unknown_model", detail))
        }
        _ => Ok(None),
    }
}

/// An external node has done a task, or failed to. Answers where the task stands then.
async fn task_complete(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Answer {
    let task = app.take_report(request, client).await?;
    standing(&app, task).await
}

/// An external node brings what it made. Answers the same.
async fn task_upload(
    State(app): State<Arc<App>>,
    Path(task): Path<TaskId>,
    Query(pass): Query<UploadPass>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Answer {
    app.take_upload(task, &pass, request, client).await?;
    standing(&app, task).await
}

async fn standing(app: &App, task: TaskId) -> Answer {
    let row = app.task_row(task).await?;
    Ok(Json(json!({ "task_id": task, "status": word(row.status) })))
}

fn word(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Blocked | TaskStatus::Pending => "PENDING",
        TaskStatus::Processing => "RUNNING",
        TaskStatus::Finished => "SUCCESS",
        TaskStatus::Failed | TaskStatus::Cancelled => "FAILED",
    }
}

async fn status(State(app): State<Arc<App>>, Path(task): Path<TaskId>, base: Base) -> Answer {
    let (row, _) = app.shown_task(task).await?;
    let error = match row.status {
        TaskStatus::Failed => row.error.as_ref().map(|error| error.message.clone()),
        TaskStatus::Cancelled => Some(format!("cancelled: {}", row.reason.as_deref().unwrap_or("requested"))),
        TaskStatus::Blocked | TaskStatus::Pending | TaskStatus::Processing | TaskStatus::Finished => None,
    };
    let result = result(&app, &row, &base).await?;
    Ok(Json(json!({ "task_id": task, "status": word(row.status), "result": result, "err_msg": error })))
}

async fn result(app: &App, row: &TaskRow, base: &Base) -> Result<Value, Problem> {
    let Some(stored) = row.result.as_ref().filter(|_| row.status == TaskStatus::Finished) else {
        return Ok(json!({}));
    };
    if row.kind == Kind::Storyboard {
        return Ok(json!({ "shots": shots_of(app, row.project_id, base).await? }));
    }
    let name = match row.kind {
        Kind::Image => "image_url",
        Kind::Tts => "audio_url",
        Kind::Video | Kind::Film | Kind::Storyboard => "video_url",
    };
    let take = serde_json::from_value::<TakeMade>(stored.clone()).map(|take| take.asset);
    let film = || serde_json::from_value(stored["film"]["film"].clone());
    let asset: Result<domain::asset::Asset, _> = take.or_else(|_| film());
    Ok(asset.map_or_else(|_| json!({}), |asset| json!({ name: base.media(&asset.key) })))
}
