//! What changes something: one use case a file.

pub(crate) mod add_shot;
pub(crate) mod create_project;
pub(crate) mod create_webhook;
pub(crate) mod delete_project;
pub(crate) mod drain_worker;
pub(crate) mod end_task;
pub(crate) mod generate_many;
pub(crate) mod generate_take;
pub(crate) mod import_project;
pub(crate) mod make_storyboard;
pub(crate) mod order_shots;
pub(crate) mod pause_queue;
pub(crate) mod purge_project;
pub(crate) mod redeliver;
pub(crate) mod remove_shot;
pub(crate) mod render_film;
pub(crate) mod replay_dead_letter;
pub(crate) mod restore;
pub(crate) mod revise_project;
pub(crate) mod revise_shot;
pub(crate) mod revise_webhook;
pub(crate) mod rotate_secret;
pub(crate) mod select_take;
pub(crate) mod session;
pub(crate) mod ticket;
pub(crate) mod undelete_project;
pub(crate) mod upload_image;
pub(crate) mod upload_music;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use domain::ids::TaskId;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::caller::etag;
use crate::extract::Base;
use crate::json::Changed;
use crate::problem::Problem;

/// The body of what the address says all about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParameters {}

/// The answer that tells of a task: its present state, and where to ask again.
async fn task_answer(
    app: &Arc<App>,
    status: StatusCode,
    task: TaskId,
    version: u64,
    base: &Base,
) -> Result<Response, Problem> {
    let item = app.task(task, base).await?;
    let body = Changed { item, project_version: version };
    let headers = [(LOCATION, format!("/v1/tasks/{task}")), etag(version)];
    Ok((status, headers, axum::Json(body)).into_response())
}
