//! What those clients change: projects, shots, videos and voices.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::ids::{ProjectId, ShotId, TaskId};
use domain::job::Kind;
use domain::project::{Command, CreateProject, Generate, Only, Parameters, ProjectPatch, ShotPatch};
use domain::settings::{FrameSize, Settings};
use infra::postgres::views::tasks::{self, TaskRow};
use serde_json::json;

use super::Answer;
use super::view::{View, time};
use crate::App;
use crate::caller::Caller;
use crate::commands::create_project::new_id;
use crate::execute::Wanted;
use crate::extract::{Base, Path};
use crate::facades::edit::{NO_DIGEST, transition_named};
use crate::facades::fields::Fields;
use crate::problem::Problem;

/// Shots of a project whose client does not say.
const SHOTS: u32 = 5;
/// More tasks than a storyboard and its shots can have.
const TASKS: i64 = 1_000;

pub(super) async fn create(State(app): State<Arc<App>>, caller: Caller, fields: Fields) -> Answer {
    let id = new_id(&app);
    let command = Command::CreateProject(CreateProject {
        id,
        story: fields.text(&["storyText"]).unwrap_or_default(),
        title: fields.text(&["title"]).unwrap_or_default(),
        description: fields.text(DESCRIPTION).unwrap_or_default(),
        style: fields.text(&["style"]).unwrap_or_default(),
        shot_count: Some(fields.count("shotCount")?.unwrap_or(SHOTS)),
        settings: Settings::default(),
    });
    let project = app.execute(&caller, id, command, fields.digest).await?.receipt.project;
    let (storyboard, shots) = storyboard_tasks(&app, project).await?;
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

pub(super) async fn revise(
    State(app): State<Arc<App>>,
    Path(id): Path<ProjectId>,
    base: Base,
    caller: Caller,
    fields: Fields,
) -> Answer {
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
    app.execute(&caller, id, Command::Together(commands), fields.digest).await?;
    let (storyboard, shots) =
        if tells_anew { storyboard_tasks(&app, id).await? } else { (String::new(), Vec::new()) };
    let view = View::load(&app, id, &base).await?.project();
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

pub(super) async fn revise_shot(
    State(app): State<Arc<App>>,
    Path((project, shot)): Path<(ProjectId, ShotId)>,
    caller: Caller,
    fields: Fields,
) -> Answer {
    let row = app.shot_row_of(project, shot).await?;
    // The desktop client sends the transition as a style.
    let transition = fields.text(&["transition"]).or_else(|| fields.text(&["style"]));
    let patch = ShotPatch {
        title: fields.text(&["title"]),
        prompt: fields.text(&["prompt"]),
        narration: fields.text(&["narration"]).or_else(|| fields.text(DESCRIPTION)),
        transition: transition.and_then(|name| transition_named(&name)).map(Some),
        ..ShotPatch::default()
    };
    let task = app.redo_shot(&caller, &row, patch, fields.digest).await?;
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

pub(super) async fn video(
    State(app): State<Arc<App>>,
    Path(id): Path<ProjectId>,
    caller: Caller,
    fields: Fields,
) -> Answer {
    app.project_row(id).await?;
    let fps = fields.count("fps")?;
    let task = match fields.text(&["shotId"]) {
        Some(shot) => {
            let unknown = |_| Problem::not_found("shot_not_found", "there is no such shot");
            let row = app.shot_row_of(id, shot.parse().map_err(unknown)?).await?;
            let parameters = Parameters { fps, ..Parameters::default() };
            app.generate_take(&caller, &row, Kind::Video, parameters, fields.digest).await?
        }
        None => {
            let parameters = film_parameters(&fields, fps)?;
            let wanted = Wanted { kind: Kind::Film, shot: None, parameters: Some(parameters.clone()) };
            let film = Command::RenderFilm { parameters };
            let executed = app.execute(&caller, id, film, fields.digest).await?;
            app.task_of(&executed, &wanted).await?
        }
    };
    let shot = fields.text(&["shotId"]).unwrap_or_default();
    Ok(Json(json!({ "message": "the video is made", "project_id": id, "shot_id": shot, "task_id": task })))
}

/// What the film is to be like; what is not given is the project's own.
fn film_parameters(fields: &Fields, fps: Option<u32>) -> Result<Parameters, Problem> {
    let invalid = |field: &str, words: &str| Problem::bad_request("invalid", format!("{field}: {words}"));
    let resolution = fields.text(&["resolution"]).map(|text| frame_size(&text)).transpose();
    let format = fields.text(&["format"]).map(|text| text.trim().to_lowercase().parse()).transpose();
    Ok(Parameters {
        fps,
        resolution: resolution.map_err(|words| invalid("resolution", &words))?,
        format: format.map_err(|words: String| invalid("format", &words))?,
        ..Parameters::default()
    })
}

/// Those clients write `1920x1080`, `1920 * 1080`, `1080P` and `1080`.
fn frame_size(text: &str) -> Result<FrameSize, String> {
    let spaceless: String = text.to_lowercase().split_whitespace().collect();
    let text = spaceless.replace(['*', '×'], "x");
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { format!("{text}p").parse() } else { text.parse() }
}

pub(super) async fn tts(
    State(app): State<Arc<App>>,
    Path(id): Path<ProjectId>,
    caller: Caller,
    fields: Fields,
) -> Answer {
    app.project_row(id).await?;
    let speed = fields.number("speed")?;
    // Providers take the name of a language for its own voice, and so they do with names they do not know.
    let voice = fields.text(&["voice"]).or_else(|| fields.text(&["lang"]));
    let parameters = Parameters {
        voice,
        speed,
        sample_rate: fields.count("sampleRate")?,
        voice_format: fields.text(&["format"]),
        ..Parameters::default()
    };
    let wanted = Generate { kinds: vec![Kind::Tts], shots: None, only: Only::All, parameters };
    let executed = app.execute(&caller, id, Command::Generate(wanted), fields.digest).await?;
    let task = app.batch_of(&executed).await?;
    Ok(Json(json!({ "task_id": task, "message": "the voices are made", "project_id": id })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolution_is_read_as_those_clients_write_it() {
        for (text, read) in [
            ("1920x1080", "1920x1080"),
            ("1080p", "1080p"),
            ("720 * 1280", "720x1280"),
            ("480P", "480p"),
            ("720", "720p"),
        ] {
            assert_eq!(frame_size(text).map(|size| size.to_string()), Ok(read.to_owned()), "{text}");
        }
        assert!(frame_size("big").is_err() && frame_size("1920x").is_err());
    }
}
