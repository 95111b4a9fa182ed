//! The shapes that those clients read: projects, shots and tasks without nulls and without fractions of seconds.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::asset::Asset;
use domain::ids::{ProjectId, TaskId};
use domain::job::{FilmOutput, Kind};
use domain::project::{Take, TakeMade};
use domain::settings::FilmFormat;
use infra::postgres::views::films::{self, FilmRow};
use infra::postgres::views::projects::ProjectRow;
use infra::postgres::views::shots::{self, ShotRow};
use infra::postgres::views::tasks::{TaskRow, TaskStatus};
use serde_json::{Value, json};

use crate::App;
use crate::extract::Base;
use crate::problem::Problem;

/// A project with all that its shapes are made of.
pub(super) struct View {
    project: ProjectRow,
    shots: Vec<ShotRow>,
    film: Option<FilmRow>,
    /// Shots it has or is to have.
    shot_count: u32,
    base: Base,
}

/// A task by itself, also of a project that was deleted.
pub(in crate::facades) async fn task(app: &App, task: TaskId, base: &Base) -> Result<Value, Problem> {
    of_row(app, app.shown_task(task).await?, base).await
}

/// The same of a task that was read already.
pub(in crate::facades) async fn of_row(
    app: &App,
    (row, project): (TaskRow, ProjectRow),
    base: &Base,
) -> Result<Value, Problem> {
    let row = told(app, row).await?;
    let percent = app.percent_of(&row).await?;
    Ok(View::of(app, project, base).await?.task(&row, percent))
}

/// A batch is told with the parameters that its tasks have in common.
pub(super) async fn told(app: &App, row: TaskRow) -> Result<TaskRow, Problem> {
    let Some(first) = row.children.as_ref().and_then(|children| children.first()) else { return Ok(row) };
    let parameters = app.task_row(*first).await?.parameters;
    Ok(TaskRow { parameters, ..row })
}

impl View {
    pub(super) async fn load(app: &App, id: ProjectId, base: &Base) -> Result<Self, Problem> {
        Self::of(app, app.project_row(id).await?, base).await
    }

    async fn of(app: &App, project: ProjectRow, base: &Base) -> Result<Self, Problem> {
        let id = project.id;
        let shots = shots::of_project(&app.api.pool, id).await?;
        let film = films::newest(&app.api.pool, id).await?;
        let shot_count = match u32::try_from(shots.len()).unwrap_or(u32::MAX) {
            0 => app.api.store.load(id).await?.state.shot_count.unwrap_or(0),
            count => count,
        };
        Ok(Self { project, shots, film, shot_count, base: base.clone() })
    }

    /// The project; each name of several words in both spellings.
    pub(super) fn project(&self) -> Value {
        let Self { project, film, .. } = self;
        let film = film.as_ref().map(|film| &film.film);
        let cover = film.map(|film| self.url(&film.poster)).unwrap_or_else(|| {
            let image = self.shots.iter().find_map(|shot| shot.image.as_ref());
            image.map(|image| self.url(&image.asset)).unwrap_or_default()
        });
        let video = film.map(|film| self.url(&film.film)).unwrap_or_default();
        let (created, updated) = (time(project.created_at), time(project.updated_at));
        json!({
            "id": project.id, "title": project.title, "style": project.style, "status": self.status(),
            "description": project.description,
            "duration": film.map_or(0, |film| film.duration_seconds.round() as u64),
            "storyText": project.story, "story_text": project.story,
            "coverImage": cover, "cover_image": cover, "videoUrl": video, "video_url": video,
            "shotCount": self.shot_count, "shot_count": self.shot_count,
            "createdAt": created, "created_at": created, "updatedAt": updated, "updated_at": updated,
        })
    }

    /// How far it is, in the order in which a film comes about.
    fn status(&self) -> &'static str {
        let every = |take: fn(&ShotRow) -> &Option<Take>| self.shots.iter().all(|shot| take(shot).is_some());
        if self.film.is_some() {
            return if self.project.film_stale { "video_generated" } else { "ready" };
        }
        if self.shots.is_empty() {
            return if self.project.status == "failed" { "failed" } else { "created" };
        }
        if every(|shot| &shot.image) {
            return if every(|shot| &shot.voice) { "audio_generated" } else { "images_generated" };
        }
        if self.shots.iter().any(|shot| shot.image.is_some()) { "shots_generated" } else { "text_generated" }
    }

    pub(super) fn shots(&self) -> Vec<Value> {
        self.shots.iter().map(|row| self.shot(row)).collect()
    }

    pub(super) fn shot(&self, row: &ShotRow) -> Value {
        let path = |take: &Option<Take>| take.as_ref().map(|take| self.url(&take.asset)).unwrap_or_default();
        let voice = row.voice.as_ref().and_then(|voice| voice.asset.duration_seconds);
        json!({
            "id": row.id, "projectId": row.project_id, "order": row.place + 1, "title": row.title,
            "description": row.narration, "prompt": row.prompt, "negativePrompt": row.negative_prompt,
            "narration": row.narration, "bgm": row.mood, "status": row.status,
            "imagePath": path(&row.image), "audioPath": path(&row.voice), "videoPath": path(&row.video),
            "duration": row.duration_seconds.or(voice).unwrap_or(0.0),
            "transition": row.transition.unwrap_or(self.project.settings.transition),
            "createdAt": time(row.created_at), "updatedAt": time(row.updated_at),
        })
    }

    /// A task that is so far, in per cent.
    pub(super) fn task(&self, row: &TaskRow, percent: u8) -> Value {
        let updated = row.finished_at.or(row.started_at).unwrap_or(row.created_at);
        let mut task = json!({
            "id": row.id, "projectId": row.project_id, "status": row.status,
            "type": if row.kind == Kind::Film { Kind::Video.task_type() } else { row.kind.task_type() },
            "progress": percent,
            "message": row.reason.as_deref().unwrap_or_default(),
            "parameters": self.parameters(row), "result": self.result(row),
            "error": row.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default(),
            "estimatedDuration": 0, "createdAt": time(row.created_at), "updatedAt": time(updated),
        });
        for (name, at) in [("startedAt", row.started_at), ("finishedAt", row.finished_at)] {
            if let Some(at) = at {
                task[name] = json!(time(at));
            }
        }
        if let Some(shot) = row.shot_id {
            task["shotId"] = json!(shot);
        }
        task
    }

    fn parameters(&self, row: &TaskRow) -> Value {
        let (settings, style) = (&self.project.settings, &self.project.style);
        let shot = row.shot_id.and_then(|id| self.shots.iter().find(|shot| shot.id == id));
        let transition = shot.and_then(|shot| shot.transition).unwrap_or(settings.transition);
        let own_size = row.parameters.resolution.map(|size| size.pixels(settings.aspect));
        let (width, height) = own_size.unwrap_or_else(|| settings.frame_size());
        let voice = row.parameters.voice.as_ref().or(settings.voice.as_ref());
        json!({
            "shot_defaults": {
                "shot_count": self.shot_count, "style": style, "storyText": self.project.story,
            },
            "shot": {
                "transition": transition, "shotId": row.shot_id.map(|id| id.to_string()).unwrap_or_default(),
                "image_width": "1024", "image_height": "1024", "style": style,
                "prompt": shot.map(|shot| shot.prompt.as_str()).unwrap_or_default(),
            },
            "video": {
                "resolution": format!("{width}x{height}"), "fps": row.parameters.fps.unwrap_or(settings.fps),
                "format": row.parameters.format.unwrap_or(FilmFormat::Mp4), "bitrate": 0,
            },
            "tts": {
                "voice": voice.map(String::as_str).unwrap_or_default(),
                "lang": self.project.language.as_deref().unwrap_or_default(),
                "sample_rate": row.parameters.sample_rate.unwrap_or(0),
                "format": row.parameters.voice_format.as_deref().unwrap_or("wav"),
            },
            "depends_on": row.depends_on,
        })
    }

    fn result(&self, row: &TaskRow) -> Value {
        let nothing = json!({ "resource_type": "", "resource_id": "", "resource_url": "" });
        let Some(stored) = row.result.as_ref().filter(|_| row.status == TaskStatus::Finished) else {
            return nothing;
        };
        if row.kind == Kind::Storyboard {
            let mut result = self.resource("storyboard", row.project_id.to_string(), String::new());
            result["task_shots"] = self.generated_shots();
            return result;
        }
        if let Ok(take) = serde_json::from_value::<TakeMade>(stored.clone()) {
            let word = match row.kind {
                Kind::Tts => "audio",
                Kind::Video => "video",
                _ => "image",
            };
            let mut result = self.resource(word, take.take_id.to_string(), self.url(&take.asset));
            if row.kind == Kind::Video {
                let (width, height) = self.project.settings.frame_size();
                let fps = row.parameters.fps.unwrap_or(self.project.settings.fps);
                result["task_video"] = self.video(&take.asset, fps, (width, height));
            }
            return result;
        }
        let film =
            stored.get("film").and_then(|film| serde_json::from_value::<FilmOutput>(film.clone()).ok());
        film.map_or(nothing, |film| {
            let mut result = self.resource("video", row.id.to_string(), self.url(&film.film));
            result["task_video"] = self.video(&film.film, film.fps, (film.width, film.height));
            result
        })
    }

    fn resource(&self, resource_type: &str, id: String, url: String) -> Value {
        json!({ "resource_type": resource_type, "resource_id": id, "resource_url": url })
    }

    fn generated_shots(&self) -> Value {
        let shot = |row: &ShotRow| {
            json!({
                "scene_id": row.id, "title": row.title, "prompt": row.prompt, "narration": row.narration,
                "bgm": row.mood,
                "path": row.image.as_ref().map(|image| self.url(&image.asset)).unwrap_or_default(),
            })
        };
        let shots: Vec<Value> = self.shots.iter().map(shot).collect();
        json!({ "total_shots": shots.len(), "total_time": 0, "generated_shots": shots })
    }

    /// All of it text, as those clients want it.
    fn video(&self, asset: &Asset, fps: u32, (width, height): (u32, u32)) -> Value {
        let seconds = asset.duration_seconds.unwrap_or(0.0);
        json!({
            "path": self.url(asset), "duration": format!("{seconds:.2}"), "fps": fps.to_string(),
            "resolution": format!("{width}x{height}"), "format": asset.key.extension(),
            "total_time": format!("{seconds:.2}"),
        })
    }

    fn url(&self, asset: &Asset) -> String {
        self.base.media(&asset.key)
    }
}

/// Without a fraction: one client drops others.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
