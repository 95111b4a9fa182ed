//! The shapes of jobs and tasks that those clients read.

use std::collections::HashMap;

use domain::ids::{ShotId, TaskId};
use domain::job::{FilmOutput, Kind};
use domain::project::{Project, TakeMade};
use infra::postgres::views::projects;
use infra::postgres::views::tasks::{self, TaskRow, TaskStatus};
use serde_json::{Value, json};

use crate::App;
use crate::extract::Base;
use crate::facades::server;
use crate::problem::Problem;

/// A task with what it made, which is in `result` and beside it: clients look in either place.
pub(in crate::facades) async fn task(app: &App, id: TaskId, base: &Base) -> Result<Value, Problem> {
    let (row, _) = app.shown_task(id).await?;
    let mut task = json!({
        "task_id": id, "id": id, "status": row.status, "progress": progress(app, &row).await?,
        "message": row.reason.as_deref().unwrap_or_default(), "result": {}, "error": error(app, &row).await?,
    });
    if let Some((name, made)) = made(app, &row, base).await? {
        task["result"][name] = made.clone();
        task[name] = made;
    }
    Ok(task)
}

/// A job as the StoryToVideo server shows its tasks. Where there is more than one medium, or none, the path in
/// `resource_url` leads to a list.
pub(super) async fn job(app: &App, id: TaskId, base: &Base) -> Result<Value, Problem> {
    let (row, project) = app.shown_task(id).await?;
    let mut job = server::view::of_row(app, (row.clone(), project), &base.of_paths()).await?;
    job["progress"] = json!(progress(app, &row).await?);
    job["error"] = json!(error(app, &row).await?);
    let is_list = row.kind == Kind::Storyboard || row.children.is_some();
    if is_list && row.status == TaskStatus::Finished {
        job["result"]["resource_type"] = json!(name_of(row.kind));
        job["result"]["resource_id"] = json!(id);
        job["result"]["resource_url"] = json!(format!("/v1/jobs/{id}/result"));
    }
    Ok(job)
}

/// What a task has made, with the name of its member: scenes, a medium for each scene, or the film.
pub(super) async fn made(
    app: &App,
    row: &TaskRow,
    base: &Base,
) -> Result<Option<(&'static str, Value)>, Problem> {
    let is_finished = row.status == TaskStatus::Finished;
    let made = match row.kind {
        Kind::Storyboard if is_finished => scenes(&app.api.store.load(row.project_id).await?.state),
        Kind::Film if is_finished => film(row, base),
        Kind::Storyboard | Kind::Film => return Ok(None),
        Kind::Image | Kind::Video | Kind::Tts => {
            let takes = takes(app, row, base).await?;
            if takes.is_empty() && !is_finished {
                return Ok(None);
            }
            Value::Array(takes)
        }
    };
    Ok(Some((name_of(row.kind), made)))
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Storyboard => "storyboard",
        Kind::Image => "frames",
        Kind::Video => "clips",
        Kind::Tts => "audios",
        Kind::Film => "video",
    }
}

fn scenes(project: &Project) -> Value {
    let scene = |shot: &domain::project::Shot| {
        json!({
            "scene_id": scene_id(project, shot.id), "title": shot.title, "prompt": shot.prompt,
            "narration": shot.narration, "bgm": shot.mood,
        })
    };
    project.shots.iter().map(scene).collect()
}

/// The client's own name for a scene, else the shot's id.
fn scene_id(project: &Project, shot: ShotId) -> Value {
    project.scene_name(shot).map_or_else(|| json!(shot), |name| json!(name))
}

fn film(row: &TaskRow, base: &Base) -> Value {
    let film = row.result.as_ref().and_then(|result| serde_json::from_value(result["film"].clone()).ok());
    json!(film.map(|film: FilmOutput| base.media(&film.film.key)).unwrap_or_default())
}

/// What a take's task, or each task of a batch, has made, in the order of the shots.
async fn takes(app: &App, row: &TaskRow, base: &Base) -> Result<Vec<Value>, Problem> {
    let state = app.api.store.load(row.project_id).await?.state;
    let own = [row.id];
    let children = tasks::find_all(&app.api.pool, row.children.as_deref().unwrap_or(&own)).await?;
    let made = children.iter().filter_map(|child| child.result.clone());
    let made = made.filter_map(|result| serde_json::from_value::<TakeMade>(result).ok());
    let by_shot: HashMap<ShotId, TakeMade> = made.map(|take| (take.shot_id, take)).collect();
    let member = match row.kind {
        Kind::Tts => "audio",
        Kind::Video => "clip",
        Kind::Image | Kind::Storyboard | Kind::Film => "frame",
    };
    let shown = |shot: &domain::project::Shot| {
        let take = by_shot.get(&shot.id)?;
        Some(json!({ "scene_id": scene_id(&state, shot.id), member: base.media(&take.asset.key) }))
    };
    Ok(state.shots.iter().filter_map(shown).collect())
}

/// 0 to 100: of a film that waits, that of its project.
async fn progress(app: &App, row: &TaskRow) -> Result<u8, Problem> {
    if row.status != TaskStatus::Blocked || row.children.is_some() {
        return app.percent_of(row).await;
    }
    let project = projects::find(&app.api.pool, row.project_id).await?;
    let percent =
        |open: u32, total: u32| 100 * u64::from(total.saturating_sub(open)) / u64::from(total.max(1));
    let percent = project.map_or(0, |project| percent(project.tasks_open, project.tasks_total));
    Ok(u8::try_from(percent).unwrap_or(0).min(99))
}

/// Why a task failed or was cancelled; of a batch, with why the first of its tasks did.
async fn error(app: &App, row: &TaskRow) -> Result<String, Problem> {
    let own = row.error.as_ref().map(|error| error.message.clone());
    match row.status {
        TaskStatus::Cancelled => Ok(format!("cancelled: {}", row.reason.as_deref().unwrap_or("requested"))),
        TaskStatus::Failed => {
            let children =
                tasks::find_all(&app.api.pool, row.children.as_deref().unwrap_or_default()).await?;
            let cause = children.into_iter().find_map(|child| Some(child.error?.message));
            let words: Vec<String> = own.into_iter().chain(cause).collect();
            Ok(words.join(": "))
        }
        TaskStatus::Blocked | TaskStatus::Pending | TaskStatus::Processing | TaskStatus::Finished => {
            Ok(String::new())
        }
    }
}
