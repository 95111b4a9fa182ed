//! The StoryToVideo server: `/v1/api` and `/tasks/{id}/wss`. Errors are `{"error": …}`; nothing is ever null.

mod change;
pub(super) mod view;
mod watch;

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::ids::{ProjectId, ShotId, TaskId};
use infra::postgres::views::tasks;
use serde_json::{Value, json};

use self::view::View;
use crate::App;
use crate::extract::{Base, Path};
use crate::problem::Problem;

type Answer = Result<Json<Value>, Problem>;

pub(super) fn routes() -> Router<Arc<App>> {
    let project = get(project).put(change::revise).delete(change::delete);
    let shot = get(shot).post(change::revise_shot);
    Router::new()
        .route("/v1/api/health", get(health))
        .route("/v1/api/projects", post(change::create))
        .route("/v1/api/projects/{project}", project)
        .route("/v1/api/projects/{project}/shots", get(list_shots))
        .route("/v1/api/projects/{project}/shots/{shot}", shot)
        .route("/v1/api/projects/{project}/video", post(change::video))
        .route("/v1/api/projects/{project}/tts", post(change::tts))
        .route("/v1/api/shots/{shot}", axum::routing::delete(change::delete_shot))
        .route("/v1/api/tasks/{task}", get(task))
        .route("/tasks/{task}/wss", get(watch::open))
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "service": "storytovideo" }))
}

async fn project(State(app): State<Arc<App>>, Path(id): Path<ProjectId>, base: Base) -> Answer {
    let view = View::load(&app, id, &base).await?;
    let recent = match tasks::latest(&app.api.pool, id).await? {
        Some(task) => {
            let task = view::told(&app, task).await?;
            view.task(&task, app.percent_of(&task).await?)
        }
        None => json!({}),
    };
    Ok(Json(json!({ "project_detail": view.project(), "shots": view.shots(), "recent_task": recent })))
}

async fn list_shots(State(app): State<Arc<App>>, Path(id): Path<ProjectId>, base: Base) -> Answer {
    let shots = View::load(&app, id, &base).await?.shots();
    Ok(Json(json!({ "project_id": id, "total_shots": shots.len(), "shots": shots })))
}

async fn shot(
    State(app): State<Arc<App>>,
    Path((project, shot)): Path<(ProjectId, ShotId)>,
    base: Base,
) -> Answer {
    let row = app.shot_row_of(project, shot).await?;
    let view = View::load(&app, project, &base).await?;
    Ok(Json(json!({ "shot": view.shot(&row) })))
}

async fn task(State(app): State<Arc<App>>, Path(task): Path<TaskId>, base: Base) -> Answer {
    Ok(Json(json!({ "task": view::task(&app, task, &base).await? })))
}
