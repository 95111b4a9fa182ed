//! AI-Story: `/api/story` and `/api/shot`. Every answer is `{code, message, data}`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::ids::{ProjectId, ShotId};
use domain::job::{FilmOutput, Kind};
use domain::project::{Command, Parameters, ShotPatch};
use infra::postgres::views::projects::{self, Filter, ProjectRow, Sort};
use infra::postgres::views::shots::{self, ShotRow};
use infra::postgres::views::tasks::{self, TaskRow, TaskStatus};
use serde::Serialize;
use serde_json::{Value, json};

use super::call::{Call, transition_named};
use super::{mock_shots, title_of};
use crate::App;
use crate::caller::Caller;
use crate::extract::{Base, Path};
use crate::problem::Problem;

/// Stories that the list shows, the newest ones.
const LISTED: i64 = 200;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/story/create", post(create))
        .route("/api/story/all", get(all))
        .route("/api/story/{project}", get(story))
        .route("/api/story/{project}/status", get(status))
        .route("/api/story/{project}/shots", get(list_shots))
        .route("/api/story/{project}/generate-video", post(generate_video))
        .route("/api/story/{project}/preview", get(preview))
        .route("/api/story/{project}/mock-gen", post(mock_gen))
        .route("/api/shot/{shot}", get(shot))
        .route("/api/shot/{shot}/preview", get(shot))
        .route("/api/shot/{shot}/update", post(update_shot))
}

/// A success.
#[derive(Debug, Serialize)]
struct Answer {
    code: u16,
    message: &'static str,
    data: Value,
}

fn answer(data: Value) -> Result<Json<Answer>, Problem> {
    Ok(Json(Answer { code: 200, message: "success", data }))
}

async fn create(call: Call) -> Result<Json<Answer>, Problem> {
    let project = call.create(call.project(call.fields.text(&["content"]))).await?;
    let row = call.app.project_row(project).await?;
    answer(json!({
        "storyId": row.id, "title": title_of(&row), "status": story_status(&row), "createdAt": time(row.created_at),
    }))
}

async fn story(State(app): State<Arc<App>>, Path(id): Path<ProjectId>) -> Result<Json<Answer>, Problem> {
    let row = app.project_row(id).await?;
    answer(json!({
        "id": row.id, "title": title_of(&row), "content": row.story, "style": row.style,
        "status": story_status(&row), "createdAt": time(row.created_at),
    }))
}

async fn status(State(app): State<Arc<App>>, Path(id): Path<ProjectId>) -> Result<Json<Answer>, Problem> {
    let row = app.project_row(id).await?;
    answer(json!({ "id": row.id, "storyId": row.id, "status": story_status(&row) }))
}

async fn list_shots(
    State(app): State<Arc<App>>,
    Path(id): Path<ProjectId>,
    base: Base,
) -> Result<Json<Answer>, Problem> {
    answer(shots_of(&app, id, &base).await?)
}

async fn shots_of(app: &App, id: ProjectId, base: &Base) -> Result<Value, Problem> {
    let story = app.project_row(id).await?;
    let rows = shots::of_project(&app.api.pool, id).await?;
    let shots: Vec<Value> = rows.iter().map(|row| shot_json(row, &story, base)).collect();
    Ok(json!({ "storyId": id, "storyTitle": title_of(&story), "shots": shots }))
}

async fn shot(
    State(app): State<Arc<App>>,
    Path(id): Path<ShotId>,
    base: Base,
) -> Result<Json<Answer>, Problem> {
    let row = app.shot_row(id).await?;
    let story = app.project_row(row.project_id).await?;
    answer(shot_json(&row, &story, &base))
}

async fn update_shot(Path(id): Path<ShotId>, call: Call) -> Result<Json<Answer>, Problem> {
    let row = call.app.shot_row(id).await?;
    let fields = &call.fields;
    let patch = ShotPatch {
        prompt: fields.text(&["prompt"]),
        narration: fields.text(&["narration"]),
        transition: fields.text(&["transition"]).and_then(|name| transition_named(&name)).map(Some),
        ..ShotPatch::default()
    };
    if patch.prompt.is_some() {
        call.redo_shot(&row, patch).await?;
    } else if patch != ShotPatch::default() {
        call.execute(row.project_id, Command::ReviseShot { shot: id, patch, generate: true }).await?;
    }
    answer(json!({ "status": shot_status(&call.app.shot_row(id).await?.status) }))
}

/// For those who develop clients: shots that are there at once, in place of what the story has.
async fn mock_gen(Path(id): Path<ProjectId>, call: Call) -> Result<Json<Answer>, Problem> {
    mock_shots::give(&call, id).await?;
    answer(shots_of(&call.app, id, &call.base).await?)
}

async fn generate_video(Path(id): Path<ProjectId>, call: Call) -> Result<Json<Answer>, Problem> {
    call.app.project_row(id).await?;
    if call.app.api.store.load(id).await?.state.shots.is_empty() {
        return Err(Problem::bad_request("no_shots", "the story has no shots yet"));
    }
    answer(json!({ "id": call.render(id, Parameters::default()).await? }))
}

async fn preview(
    State(app): State<Arc<App>>,
    Path(id): Path<ProjectId>,
    base: Base,
) -> Result<Json<Answer>, Problem> {
    let story = app.project_row(id).await?;
    let film = tasks::newest(&app.api.pool, &[id], Kind::Film).await?.remove(&id);
    let film =
        film.ok_or_else(|| Problem::not_found("no_film_yet", "no video of this story was asked for yet"))?;
    answer(asset_json(&story, &film, &base))
}

async fn all(State(app): State<Arc<App>>, base: Base, caller: Caller) -> Result<Json<Answer>, Problem> {
    let filter = Filter {
        owners: caller.identity.owners(),
        text: None,
        status: None,
        deleted: false,
        sort: Sort::CreatedAt,
        descending: true,
        after: None,
        limit: LISTED,
    };
    let stories = projects::list(&app.api.pool, &filter).await?;
    let ids: Vec<ProjectId> = stories.iter().map(|story| story.id).collect();
    let films = tasks::newest(&app.api.pool, &ids, Kind::Film).await?;
    let asset = |story: &ProjectRow| Some(asset_json(story, films.get(&story.id)?, &base));
    answer(stories.iter().filter_map(asset).collect())
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// That client takes anything but `completed` for a failure.
fn story_status(story: &ProjectRow) -> &'static str {
    if story.status == "failed" { "failed" } else { "completed" }
}

fn shot_status(status: &str) -> &'static str {
    match status {
        "completed" => "completed",
        "failed" => "failed",
        _ => "generating",
    }
}

fn shot_json(row: &ShotRow, story: &ProjectRow, base: &Base) -> Value {
    let image = row.image.as_ref().map(|image| base.media(&image.asset.key)).unwrap_or_default();
    json!({
        "id": row.id, "storyId": row.project_id, "sortOrder": row.place + 1, "title": row.title,
        "prompt": row.prompt, "narration": row.narration,
        "transition": row.transition.unwrap_or(story.settings.transition),
        "status": shot_status(&row.status), "imageUrl": image,
        "createdAt": time(row.created_at), "updatedAt": time(row.updated_at),
    })
}

/// The video of a story: the newest that was asked for.
fn asset_json(story: &ProjectRow, task: &TaskRow, base: &Base) -> Value {
    let film = task.result.as_ref().and_then(|result| result.get("film"));
    let film = film.and_then(|film| serde_json::from_value::<FilmOutput>(film.clone()).ok());
    let film = film.filter(|_| task.status == TaskStatus::Finished);
    let url = |asset: fn(&FilmOutput) -> &domain::asset::Asset| {
        film.as_ref().map(|film| base.media(&asset(film).key)).unwrap_or_default()
    };
    let status = match task.status {
        TaskStatus::Finished => "completed",
        TaskStatus::Failed | TaskStatus::Cancelled => "failed",
        TaskStatus::Blocked | TaskStatus::Pending | TaskStatus::Processing => "generating",
    };
    json!({
        "id": task.id, "storyId": story.id, "title": title_of(story),
        "videoUrl": url(|film| &film.film), "thumbnailUrl": url(|film| &film.poster),
        "duration": film.as_ref().map_or(0, |film| film.duration_seconds.round() as u64),
        "status": status, "createdAt": time(task.created_at),
    })
}
