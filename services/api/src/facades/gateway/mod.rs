//! The StoryToVideo gateway: `/v1/generate`, `/v1/jobs`, a route for each step of the chain, and `/tasks`.
//!
//! Its clients keep their projects themselves. What they ask for becomes an errand: a project that is in no list,
//! remembers what the client calls things, and makes what is asked for and nothing else. Errors are
//! `{job_id, message, error}`: an empty id, the problem's code, and one sentence.

mod errand;
mod generate;
mod picture;
mod steps;
pub(super) mod view;

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::SecondsFormat;
use domain::ids::TaskId;
use domain::job::Kind;
use domain::project::Command;
use futures::stream::unfold;
use serde_json::{Value, json};

use super::call::NO_DIGEST;
use super::watch::{Form, Watch};
use crate::App;
use crate::auth::Identity;
use crate::caller::Caller;
use crate::extract::{Base, Path};
use crate::live::NO_BUFFERING;
use crate::problem::Problem;

type Answer = Result<Json<Value>, Problem>;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/health", get(health))
        .route("/v1/generate", post(generate::post))
        .route("/v1/jobs/{job}", get(job).delete(cancel))
        .route("/v1/jobs/{job}/result", get(result))
        .route("/storyboard", post(steps::storyboard))
        .route("/frames", post(steps::frames))
        .route("/clips", post(steps::clips))
        .route("/narration", post(steps::narration))
        .route("/render", post(steps::render))
        .route("/tasks/{task}", get(task))
        .route("/tasks/{task}/stream", get(stream))
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "service": "storytovideo" }))
}

async fn job(State(app): State<Arc<App>>, Path(job): Path<TaskId>, base: Base) -> Answer {
    Ok(Json(view::job(&app, job, &base).await?))
}

/// What a job's `resource_url` leads to where that is no media: the scenes, or what was made of each.
async fn result(State(app): State<Arc<App>>, Path(job): Path<TaskId>, base: Base) -> Answer {
    let (row, _) = app.shown_task(job).await?;
    let made = view::made(&app, &row, &base).await?;
    let none_yet = || Problem::not_found("no_result_yet", "the job has no result yet");
    made.map(|(_, made)| Json(made)).ok_or_else(none_yet)
}

/// A job that has ended is left as it is, and the answer says so. An errand's film is its whole chain.
async fn cancel(State(app): State<Arc<App>>, Path(task): Path<TaskId>, caller: Caller) -> Answer {
    let row = app.task_row(task).await?;
    let project = app.project_row(row.project_id).await?;
    let is_chain = row.kind == Kind::Film && row.status.is_open() && project.origin.is_some();
    let command = if is_chain { Command::CancelWork } else { Command::CancelTask { task } };
    match app.execute(&caller, project.id, command, NO_DIGEST).await {
        Ok(_) => {
            let at = app.now().to_rfc3339_opts(SecondsFormat::Secs, true);
            Ok(Json(json!({ "success": true, "deleteAT": at, "error": "" })))
        }
        Err(problem) if problem.code == "task_not_open" => {
            Ok(Json(json!({ "success": false, "deleteAT": "", "error": problem.detail })))
        }
        Err(problem) => Err(problem),
    }
}

async fn task(State(app): State<Arc<App>>, Path(task): Path<TaskId>, base: Base) -> Answer {
    Ok(Json(view::task(&app, task, &base).await?))
}

/// Server-sent events: the task at once and after every change; the stream ends with the task.
async fn stream(
    State(app): State<Arc<App>>,
    Path(task): Path<TaskId>,
    base: Base,
    identity: Identity,
) -> Result<impl IntoResponse, Problem> {
    let watch = Watch::start(app, &identity, task, (base, Form::Gateway)).await?;
    let events = unfold(watch, async |mut watch| {
        let task = watch.next().await?;
        Some((Ok::<_, Infallible>(Event::default().data(task.to_string())), watch))
    });
    Ok(([NO_BUFFERING], Sse::new(events).keep_alive(KeepAlive::default())))
}
