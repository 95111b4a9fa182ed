//! The shapes that leave the system: `lowerCamelCase`, times in UTC with milliseconds, media as absolute
//! URLs.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::asset::Asset;
use domain::ids::{ProjectId, ShotId, TakeId, TaskId};
use domain::job::{Failure, FilmOutput, Kind, SegmentCounts};
use domain::project::{Parameters, Take, TakeMade};
use domain::settings::{Mood, Quality, Settings, Transition};
use infra::postgres::tail::rfc3339_millis;
use infra::postgres::views::films::FilmRow;
use infra::postgres::views::projects::ProjectRow;
use infra::postgres::views::shots::{ShotRow, Stale};
use infra::postgres::views::takes::TakeRow;
use infra::postgres::views::tasks::{TaskRow, TaskStatus};
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::extract::Base;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Where the next page starts; none after the last.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of `limit` items, of one more that were looked for: that one only says that there are more.
    pub(crate) fn cut(mut items: Vec<T>, limit: i64, place: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(place);
        Self { items, next_cursor }
    }

    /// The same page of what its items become.
    pub(crate) fn map<U>(self, shape: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(shape).collect(), next_cursor: self.next_cursor }
    }
}

/// A project as it is listed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProjectSummary {
    id: ProjectId,
    version: u64,
    title: String,
    description: String,
    story: String,
    style: String,
    settings: Settings,
    #[schema(pattern = "^(created|storyboard|generating|ready|failed)$")]
    status: String,
    progress: Progress,
    /// What it has cost so far; the built-in providers cost nothing.
    cost: f64,
    /// The user's own music; the film has it while `settings.music` is `own`.
    #[serde(skip_serializing_if = "Option::is_none")]
    music: Option<Media>,
    /// When it went to the trash.
    #[serde(serialize_with = "optional_millis", skip_serializing_if = "Option::is_none")]
    deleted_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rfc3339_millis")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339_millis")]
    updated_at: DateTime<Utc>,
}

/// A project with its shots and its film.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Project {
    #[serde(flatten)]
    pub(crate) summary: ProjectSummary,
    pub(crate) shots: Vec<Shot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) film: Option<Film>,
}

/// How far a project is.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Progress {
    /// 0 to 100: tasks that have ended, of all it ever had.
    percent: u8,
    /// The first kind of work that is still open.
    stage: Option<Kind>,
    /// Seconds left; not estimated yet.
    eta_seconds: Option<f64>,
}

impl Progress {
    fn of(total: u32, open: u32, stage: Option<Kind>) -> Self {
        let ended = u64::from(total.saturating_sub(open));
        let percent = (ended * 100).checked_div(u64::from(total)).unwrap_or(0);
        Self { percent: u8::try_from(percent).unwrap_or(100), stage, eta_seconds: None }
    }
}

impl ProjectSummary {
    /// The shape of a row; `stage` is the first kind of work that is still open.
    pub(crate) fn of(row: ProjectRow, stage: Option<Kind>, base: &Base) -> Self {
        Self {
            id: row.id,
            version: row.version,
            title: row.title,
            description: row.description,
            story: row.story,
            style: row.style,
            settings: row.settings,
            status: row.status,
            progress: Progress::of(row.tasks_total, row.tasks_open, stage),
            cost: 0.0,
            music: row.music.map(|asset| Media::of(&asset, base)),
            deleted_at: row.deleted_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A shot.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shot {
    id: ShotId,
    project_id: ProjectId,
    /// The project's version at which its content last changed.
    version: u64,
    /// Its place in the film, from 1.
    order: u32,
    title: String,
    prompt: String,
    negative_prompt: String,
    narration: String,
    mood: Mood,
    /// The project's own when null.
    transition: Option<Transition>,
    /// Minimum length in seconds.
    duration: Option<f64>,
    locked: bool,
    #[schema(pattern = "^(created|pending|processing|completed|failed)$")]
    status: String,
    stale: Stale,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<SelectedTake>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video: Option<SelectedTake>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice: Option<SelectedTake>,
    #[serde(serialize_with = "rfc3339_millis")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339_millis")]
    updated_at: DateTime<Utc>,
}

/// A picture, clip or voice that a shot uses.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SelectedTake {
    take_id: TakeId,
    #[serde(flatten)]
    media: Media,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

/// Stored media.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Media {
    url: String,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
}

impl Media {
    fn of(asset: &Asset, base: &Base) -> Self {
        Self {
            url: base.media(&asset.key),
            size_bytes: asset.bytes,
            duration_seconds: asset.duration_seconds,
        }
    }
}

impl SelectedTake {
    fn of(take: Take, base: &Base) -> Self {
        Self {
            take_id: take.id,
            media: Media::of(&take.asset, base),
            seed: take.parameters.seed,
            model: take.parameters.model,
        }
    }
}

impl Shot {
    /// The shape of a row.
    pub(crate) fn of(row: ShotRow, base: &Base) -> Self {
        let take = |take: Option<Take>| take.map(|take| SelectedTake::of(take, base));
        Self {
            id: row.id,
            project_id: row.project_id,
            version: row.version,
            order: row.place + 1,
            title: row.title,
            prompt: row.prompt,
            negative_prompt: row.negative_prompt,
            narration: row.narration,
            mood: row.mood,
            transition: row.transition,
            duration: row.duration_seconds,
            locked: row.locked,
            status: row.status,
            stale: row.stale,
            image: take(row.image),
            video: take(row.video),
            voice: take(row.voice),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A picture, clip or voice that a shot had at some time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Take)]
pub(crate) struct ShotTake {
    id: TakeId,
    shot_id: ShotId,
    /// The task that made it; absent for what was uploaded, copied or brought from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<TaskId>,
    kind: Kind,
    /// Whether the shot uses it.
    chosen: bool,
    /// Whether its media was given up, so that there is no `url`.
    expired: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
    /// Who made it; `upload` when the user did.
    provider: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    parameters: Parameters,
    /// How long it took, in seconds; 0 when it was there already.
    seconds: f64,
    /// In the currency of the providers' prices.
    cost: f64,
    /// Why it is not as good as what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<String>,
    #[serde(serialize_with = "rfc3339_millis")]
    created_at: DateTime<Utc>,
}

impl ShotTake {
    /// The shape of a row; `chosen` are the takes that the shot uses.
    pub(crate) fn of(row: TakeRow, chosen: &[TakeId], base: &Base) -> Self {
        let expired = row.expired_at.is_some();
        Self {
            id: row.id,
            shot_id: row.shot_id,
            task_id: row.task_id,
            kind: row.kind,
            chosen: chosen.contains(&row.id),
            expired,
            url: (!expired).then(|| base.media(&row.asset.key)),
            size_bytes: row.asset.bytes,
            duration_seconds: row.asset.duration_seconds,
            provider: row.made_with.provider,
            model: row.made_with.model.or_else(|| row.parameters.model.clone()),
            seed: row.made_with.seed.or(row.parameters.seed),
            parameters: row.parameters,
            seconds: row.made_with.millis as f64 / 1_000.0,
            cost: row.made_with.cost.unwrap_or(0.0),
            degraded: row.made_with.degraded,
            created_at: row.created_at,
        }
    }
}

/// A film.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Film {
    /// Counts the project's films, from 1.
    version: u32,
    quality: Quality,
    url: String,
    srt_url: String,
    vtt_url: String,
    poster_url: String,
    duration_seconds: f64,
    width: u32,
    height: u32,
    fps: u32,
    size_bytes: u64,
    /// Whether it shows something older than the project.
    stale: bool,
    incomplete: Vec<ShotId>,
    segments: SegmentCounts,
    render_seconds: f64,
    warnings: Vec<String>,
    #[serde(serialize_with = "rfc3339_millis")]
    created_at: DateTime<Utc>,
}

impl Film {
    /// The shape of a row; `render_millis` is how long its task took.
    pub(crate) fn of(row: FilmRow, stale: bool, render_millis: u64, base: &Base) -> Self {
        let FilmOutput { film, srt, vtt, poster, width, height, fps, duration_seconds, segments, warnings } =
            row.film;
        Self {
            version: row.version,
            quality: row.quality,
            url: base.media(&film.key),
            srt_url: base.media(&srt.key),
            vtt_url: base.media(&vtt.key),
            poster_url: base.media(&poster.key),
            duration_seconds,
            width,
            height,
            fps,
            size_bytes: film.bytes,
            stale,
            incomplete: row.incomplete,
            segments,
            render_seconds: render_millis as f64 / 1_000.0,
            warnings,
            created_at: row.created_at,
        }
    }
}

/// A task.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task {
    id: TaskId,
    project_id: ProjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    shot_id: Option<ShotId>,
    #[serde(rename = "type")]
    #[schema(example = "generate_shot")]
    task_type: &'static str,
    status: TaskStatus,
    /// 100 once it has succeeded, else 0, and of a batch the share of its children that have succeeded: other
    /// percentages travel on live streams only.
    progress: u8,
    /// Why it was cancelled or put off.
    message: String,
    attempt: u32,
    max_attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    parameters: Parameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    result: Option<TaskResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    depends_on: Vec<TaskId>,
    /// Of a batch, which has no job of its own and ends with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    children: Option<Vec<TaskId>>,
    #[serde(serialize_with = "rfc3339_millis")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "optional_millis", skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "optional_millis", skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
}

/// What a task made.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum TaskResult {
    Take(TakeResult),
    Film(FilmResult),
    /// A storyboard: how many shots, and the title.
    Other(Value),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TakeResult {
    take_id: TakeId,
    shot_id: ShotId,
    #[serde(flatten)]
    media: Media,
    /// Whether it became the shot's own.
    selected: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FilmResult {
    film_version: u64,
    #[serde(flatten)]
    media: Media,
    srt_url: String,
    vtt_url: String,
    poster_url: String,
}

impl TaskResult {
    /// Results are stored as the events brought them; the outside sees URLs in place of keys.
    fn of(stored: Value, base: &Base) -> Self {
        if stored.get("takeId").is_some()
            && let Ok(take) = serde_json::from_value::<TakeMade>(stored.clone())
        {
            let media = Media::of(&take.asset, base);
            return Self::Take(TakeResult {
                take_id: take.take_id,
                shot_id: take.shot_id,
                media,
                selected: take.selected,
            });
        }
        if let Some(film) = stored.get("film")
            && let Ok(film) = serde_json::from_value::<FilmOutput>(film.clone())
        {
            let duration_seconds = Some(film.duration_seconds);
            return Self::Film(FilmResult {
                film_version: stored["filmVersion"].as_u64().unwrap_or(0),
                media: Media { duration_seconds, ..Media::of(&film.film, base) },
                srt_url: base.media(&film.srt.key),
                vtt_url: base.media(&film.vtt.key),
                poster_url: base.media(&film.poster.key),
            });
        }
        Self::Other(stored)
    }
}

impl Task {
    /// Its id, if it is a batch that goes on.
    pub(crate) fn open_batch(&self) -> Option<TaskId> {
        (self.children.is_some() && self.status.is_open()).then_some(self.id)
    }

    /// Says how far it is, if that is known.
    pub(crate) fn set_progress(&mut self, known: &HashMap<TaskId, u8>) {
        self.progress = known.get(&self.id).copied().unwrap_or(self.progress);
    }

    /// The shape of a row.
    pub(crate) fn of(row: TaskRow, base: &Base) -> Self {
        let (provider, made_by) =
            row.made_with.map(|made| (Some(made.provider), made.model)).unwrap_or_default();
        Self {
            id: row.id,
            project_id: row.project_id,
            shot_id: row.shot_id,
            task_type: row.kind.task_type(),
            status: row.status,
            progress: if row.status == TaskStatus::Finished { 100 } else { 0 },
            message: row.reason.unwrap_or_default(),
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            worker: row.worker,
            provider,
            model: made_by.or_else(|| row.parameters.model.clone()),
            parameters: row.parameters,
            result: row.result.map(|result| TaskResult::of(result, base)),
            error: row.error,
            depends_on: row.depends_on,
            children: row.children,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}

/// The answer to a change of something that has no project version of its own.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Changed<T> {
    /// What was changed or made.
    #[serde(flatten)]
    pub(crate) item: T,
    /// The project's version after it.
    pub(crate) project_version: u64,
}

pub(crate) fn optional_millis<S: Serializer>(
    at: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339_millis(at, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "018f0000-0000-7000-8000-000000000001";

    fn base() -> Base {
        Base::new("http://localhost:8080".to_owned(), None)
    }

    fn asset(kind: &str, extension: &str) -> Value {
        json!({ "key": format!("{kind}/{}.{extension}", "a".repeat(64)), "bytes": 12, "durationSeconds": 2.5 })
    }

    fn url(kind: &str, extension: &str) -> String {
        format!("http://localhost:8080/media/{kind}/{}.{extension}", "a".repeat(64))
    }

    fn film_output() -> Value {
        json!({
            "film": asset("film", "mp4"), "srt": asset("film", "srt"), "vtt": asset("film", "vtt"),
            "poster": asset("film", "jpg"), "width": 1280, "height": 720, "fps": 24, "durationSeconds": 61.5,
            "segments": { "total": 3, "encoded": 2, "reused": 1 }, "warnings": ["quiet"],
        })
    }

    fn task_row(result: Value) -> TaskRow {
        let row = json!({
            "id": ID, "project_id": ID, "version": 9, "kind": "image", "shot_id": ID, "status": "finished",
            "attempt": 1, "max_attempts": 4, "depends_on": [], "children": null, "parameters": { "seed": 5 }, "worker": "w-1",
            "made_with": { "provider": "builtin", "millis": 80 }, "result": result, "error": null, "reason": null,
            "due_at": null, "created_at": "2026-11-21T10:00:00.123456Z", "started_at": null,
            "finished_at": "2026-11-21T10:00:01Z",
        });
        serde_json::from_value(row).unwrap()
    }

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn a_task_shows_what_it_made_by_url() {
        let made = json!({ "takeId": ID, "shotId": ID, "asset": asset("image", "png"), "selected": true });
        let task = serde_json::to_value(Task::of(task_row(made), &base())).unwrap();
        assert_eq!(task["type"], "generate_shot");
        assert_eq!(task["progress"], 100);
        assert_eq!(task["provider"], "builtin");
        assert_eq!(task["createdAt"], "2026-11-21T10:00:00.123Z");
        assert_eq!(task["finishedAt"], "2026-11-21T10:00:01.000Z");
        assert_eq!(task["result"]["url"], url("image", "png"));
        assert_eq!(task["result"]["selected"], true);
        for absent in ["startedAt", "error", "model"] {
            assert!(task.get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn a_film_task_shows_all_its_files() {
        let row = task_row(json!({ "filmVersion": 2, "film": film_output() }));
        let task = serde_json::to_value(Task::of(row, &base())).unwrap();
        assert_eq!(task["result"]["filmVersion"], 2);
        assert_eq!(task["result"]["url"], url("film", "mp4"));
        assert_eq!(task["result"]["vttUrl"], url("film", "vtt"));
        assert_eq!(task["result"]["durationSeconds"], 61.5);
    }

    #[test]
    fn a_film_has_the_documented_fields() {
        let row = json!({
            "id": ID, "project_id": ID, "version": 1, "quality": "final", "spec_hash": "h",
            "film": film_output(), "incomplete": [ID], "created_at": "2026-11-21T10:00:00Z",
        });
        let film = Film::of(serde_json::from_value(row).unwrap(), true, 2_500, &base());
        let film = serde_json::to_value(film).unwrap();
        let documented = [
            "createdAt",
            "durationSeconds",
            "fps",
            "height",
            "incomplete",
            "posterUrl",
            "quality",
            "renderSeconds",
            "segments",
            "sizeBytes",
            "srtUrl",
            "stale",
            "url",
            "version",
            "vttUrl",
            "warnings",
            "width",
        ];
        assert_eq!(keys(&film), documented);
        assert_eq!(film["renderSeconds"], 2.5);
        assert_eq!(film["segments"], json!({ "total": 3, "encoded": 2, "reused": 1 }));
    }

    #[test]
    fn a_shot_has_the_documented_fields() {
        let take = json!({
            "id": ID, "asset": asset("image", "png"), "spec_hash": "h", "parameters": { "seed": 7 }, "selected_at": 3,
        });
        let row = json!({
            "id": ID, "project_id": ID, "version": 4, "place": 0, "title": "t", "prompt": "p",
            "negative_prompt": "", "narration": "n", "mood": "calm", "transition": null, "duration_seconds": null,
            "locked": false, "status": "completed", "image": take, "video": null, "voice": null,
            "stale": { "image": false, "video": false, "narration": true },
            "created_at": "2026-11-21T10:00:00Z", "updated_at": "2026-11-21T10:00:00Z",
        });
        let shot = serde_json::to_value(Shot::of(serde_json::from_value(row).unwrap(), &base())).unwrap();
        let documented = [
            "createdAt",
            "duration",
            "id",
            "image",
            "locked",
            "mood",
            "narration",
            "negativePrompt",
            "order",
            "projectId",
            "prompt",
            "stale",
            "status",
            "title",
            "transition",
            "updatedAt",
            "version",
        ];
        assert_eq!(keys(&shot), documented);
        assert_eq!(shot["order"], 1);
        assert_eq!(shot["image"]["takeId"], ID);
        assert_eq!(shot["image"]["url"], url("image", "png"));
        assert_eq!(shot["image"]["seed"], 7);
    }

    #[test]
    fn progress_counts_ended_tasks() {
        assert_eq!(Progress::of(0, 0, None).percent, 0);
        assert_eq!(Progress::of(3, 1, Some(Kind::Image)).percent, 66);
        assert_eq!(Progress::of(3, 0, None).percent, 100);
    }
}
