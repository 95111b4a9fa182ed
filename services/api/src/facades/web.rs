//! The Web API draft: `/api/projects`, `/api/shots`, `/api/tasks` and `/api/webhook`. Errors are `{code, message, request_id}`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use chrono::SecondsFormat;
use domain::ids::{ProjectId, ShotId, TaskId};
use domain::job::Kind;
use domain::project::{Command, CreateProject, Parameters, ShotPatch, Take, TakeMade};
use domain::settings::Settings;
use infra::postgres::views::shots::{self, ShotRow};
use infra::postgres::views::tasks::{self, TaskRow, TaskStatus};
use serde_json::{Value, json};

use super::fields::Fields;
use crate::App;
use crate::auth::Client;
use crate::caller::Caller;
use crate::commands::create_project::new_id;
use crate::extract::{Base, Path};
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
}

async fn create(State(app): State<Arc<App>>, caller: Caller, fields: Fields) -> Answer {
    let id = new_id(&app);
    let command = Command::CreateProject(CreateProject {
        id,
        story: fields.text(&["story"]).unwrap_or_default(),
        title: fields.text(&["title"]).unwrap_or_default(),
        description: String::new(),
        style: fields.text(&["style"]).unwrap_or_default(),
        shot_count: None,
        settings: Settings::default(),
    });
    let project = app.execute(&caller, id, command, fields.digest).await?.receipt.project;
    let task = tasks::newest(&app.api.pool, &[project], Kind::Storyboard).await?.remove(&project);
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

async fn update_prompt(
    State(app): State<Arc<App>>,
    Path(shot): Path<ShotId>,
    caller: Caller,
    fields: Fields,
) -> Answer {
    let row = app.shot_row(shot).await?;
    let (prompt, narration) = (fields.text(&["prompt"]), fields.text(&["narration"]));
    let patch = ShotPatch { prompt, narration, ..ShotPatch::default() };
    if patch != ShotPatch::default() {
        let revise = Command::ReviseShot { shot, patch, generate: false };
        app.execute(&caller, row.project_id, revise, fields.digest).await?;
    }
    let row = app.shot_row(shot).await?;
    Ok(Json(json!({ "id": row.id, "prompt": row.prompt, "narration": row.narration })))
}

async fn generate_image(
    State(app): State<Arc<App>>,
    Path(shot): Path<ShotId>,
    caller: Caller,
    fields: Fields,
) -> Answer {
    let row = app.shot_row(shot).await?;
    let parameters = Parameters {
        model: model(&fields, &["sd_turbo", "builtin"])?,
        seed: fields.count("seed")?,
        steps: fields.count("steps")?,
        cfg_scale: fields.number("cfg_scale")?,
        ..Parameters::default()
    };
    queued(app.generate_take(&caller, &row, Kind::Image, parameters, fields.digest).await?)
}

async fn generate_video(
    State(app): State<Arc<App>>,
    Path(shot): Path<ShotId>,
    caller: Caller,
    fields: Fields,
) -> Answer {
    let row = app.shot_row(shot).await?;
    let parameters = Parameters {
        model: model(&fields, &["svd_img2vid", "builtin"])?,
        fps: fields.count("fps")?,
        duration_seconds: fields.number("duration")?,
        ..Parameters::default()
    };
    queued(app.generate_take(&caller, &row, Kind::Video, parameters, fields.digest).await?)
}

async fn generate(
    State(app): State<Arc<App>>,
    Path((project, shot)): Path<(ProjectId, ShotId)>,
    caller: Caller,
    fields: Fields,
) -> Answer {
    let row = app.shot_row_of(project, shot).await?;
    queued(app.generate_take(&caller, &row, Kind::Image, Parameters::default(), fields.digest).await?)
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
    let row = app.task_row(task).await?;
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
