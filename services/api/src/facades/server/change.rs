//! What those clients change: projects, shots, videos and voices.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::ids::{ProjectId, ShotId, TaskId};
use domain::job::Kind;
use domain::project::{Command, CreateProject, Generate, Only, ProjectPatch, ShotPatch};
use infra::postgres::views::tasks::{self, TaskRow};
use serde_json::json;

use super::Answer;
use super::view::{View, time};
use crate::App;
use crate::caller::Caller;
use crate::extract::Path;
use crate::facades::asked::Asked;
use crate::facades::call::{Call, NO_DIGEST, transition_named};
use crate::problem::Problem;

/// Shots of a project whose client does not say.
const SHOTS: u32 = 5;
/// More tasks than a storyboard and its shots can have.
const TASKS: i64 = 1_000;

pub(super) async fn create(call: Call) -> Answer {
    let project = call
        .create(CreateProject {
            description: call.fields.text(DESCRIPTION).unwrap_or_default(),
            shot_count: Some(call.fields.count("shotCount")?.unwrap_or(SHOTS)),
            ..call.project(call.fields.text(&["storyText"]))
        })
        .await?;
    let (storyboard, shots) = storyboard_tasks(&call.app, project).await?;
    Ok(Json(json!({ "project_id": project, "text_task_id": storyboard, "shot_task_ids": shots })))
}

/// One client has never spelled it right.
const DESCRIPTION: &[&str] = &["description", "desription"];

/// The newest storyboard, and the pictures that wait for it.
async fn storyboard_tasks(app: &App, project: ProjectId) -> Result<(String, Vec<TaskId>), Problem> {
    let rows = tasks::of_project(&app.api.pool, project, None, TASKS).await?;
    let storyboard = rows.iter().rev().find(|row| row.kind == Kind::Storyboard).map(|row| row.id);
    let waits = |row: &&TaskRow| {
        row.kind == Kind::Image && storyboard.is_some_and(|storyboard| row.depends_on.contains(&storyboard))
    };
    let shots = rows.iter().filter(waits).map(|row| row.id).collect();
    Ok((storyboard.map(|id| id.to_string()).unwrap_or_default(), shots))
}

pub(super) async fn revise(Path(id): Path<ProjectId>, call: Call) -> Answer {
    let (app, fields) = (&call.app, &call.fields);
    app.project_row(id).await?;
    let state = app.api.store.load(id).await?.state;
    let story = fields.text(&["storyText"]).filter(|story| *story != state.story);
    let shot_count = fields.count("shotCount")?.filter(|count| Some(*count) != state.shot_count);
    let tells_anew = story.is_some() || shot_count.is_some();
    let revise = Command::ReviseProject(ProjectPatch {
        title: fields.text(&["title"]),
        description: fields.text(DESCRIPTION),
        style: fields.text(&["style"]),
        story,
        settings: None,
    });
    let commands = if tells_anew {
        vec![Command::CancelWork, revise, Command::MakeStoryboard { force: true, shot_count, alone: false }]
    } else {
        vec![revise]
    };
    let cancelled = if tells_anew { state.open_tasks().count() } else { 0 };
    call.execute(id, Command::Together(commands)).await?;
    let (storyboard, shots) =
        if tells_anew { storyboard_tasks(app, id).await? } else { (String::new(), Vec::new()) };
    let view = View::load(app, id, &call.base).await?.project();
    Ok(Json(json!({
        "updateAT": view["updatedAt"], "project": view, "deleted": cancelled, "text_task": storyboard,
        "shot_tasks": shots,
    })))
}

pub(super) async fn delete(State(app): State<Arc<App>>, Path(id): Path<ProjectId>, caller: Caller) -> Answer {
    app.project_row(id).await?;
    app.execute(&caller, id, Command::DeleteProject, NO_DIGEST).await?;
    let at = time(app.api.clock.now());
    Ok(Json(json!({ "success": true, "deleteAt": at, "message": "the project is deleted" })))
}

pub(super) async fn revise_shot(Path((project, shot)): Path<(ProjectId, ShotId)>, call: Call) -> Answer {
    let row = call.app.shot_row_of(project, shot).await?;
    let fields = &call.fields;
    // The desktop client sends the transition as a style.
    let transition = fields.text(&["transition"]).or_else(|| fields.text(&["style"]));
    let patch = ShotPatch {
        title: fields.text(&["title"]),
        prompt: fields.text(&["prompt"]),
        narration: fields.text(&["narration"]).or_else(|| fields.text(DESCRIPTION)),
        transition: transition.and_then(|name| transition_named(&name)).map(Some),
        ..ShotPatch::default()
    };
    let task = call.redo_shot(&row, patch).await?;
    Ok(Json(json!({ "shot_id": shot, "task_id": task, "message": "the picture is made again" })))
}

pub(super) async fn delete_shot(
    State(app): State<Arc<App>>,
    Path(shot): Path<ShotId>,
    caller: Caller,
) -> Answer {
    let project = app.shot_row(shot).await?.project_id;
    app.execute(&caller, project, Command::RemoveShot { shot }, NO_DIGEST).await?;
    Ok(Json(json!({ "message": "the shot is deleted", "shot_id": shot, "project_id": project })))
}

pub(super) async fn video(Path(id): Path<ProjectId>, call: Call) -> Answer {
    call.app.project_row(id).await?;
    let shot = call.fields.text(&["shotId"]);
    let mut asked = Asked::of(&call.fields);
    let task = match &shot {
        Some(shot) => {
            let unknown = |_| Problem::not_found("shot_not_found", "there is no such shot");
            let row = call.app.shot_row_of(id, shot.parse().map_err(unknown)?).await?;
            call.generate_take(&row, Kind::Video, asked.clip()?).await?
        }
        None => call.render(id, asked.film()?).await?,
    };
    Ok(Json(json!({
        "message": asked.answer("the video is made"), "project_id": id, "shot_id": shot.unwrap_or_default(),
        "task_id": task,
    })))
}

/// Providers take the name of a language for its own voice, and so they do with names they do not know.
pub(super) async fn tts(Path(id): Path<ProjectId>, call: Call) -> Answer {
    call.app.project_row(id).await?;
    let mut asked = Asked::of(&call.fields);
    let wanted =
        Generate { kinds: vec![Kind::Tts], shots: None, only: Only::All, parameters: asked.voice()? };
    let executed = call.execute(id, Command::Generate(wanted)).await?;
    let task = call.app.batch_of(&executed).await?;
    let message = asked.answer("the voices are made");
    Ok(Json(json!({ "task_id": task, "message": message, "project_id": id })))
}
