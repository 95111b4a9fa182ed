//! A task as it leaves the system, with what it made.

use chrono::{DateTime, Utc};
use domain::ids::{ProjectId, ShotId, TakeId, TaskId};
use domain::job::{Failure, FilmOutput};
use domain::project::{Parameters, TakeMade};
use infra::postgres::tail::rfc3339_millis;
use infra::postgres::views::tasks::{TaskRow, TaskStatus};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Media, optional_millis};
use crate::extract::Base;
use crate::live::mean;

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
    /// 100 once it has succeeded; what its worker said last while it is processed; of an open batch the mean of its
    /// children.
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

    /// Its id.
    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    /// Says how far it is: as far as its children on average, if it has some.
    pub(crate) fn measure(
        &mut self,
        children: Option<&Vec<(TaskId, TaskStatus)>>,
        percent: impl Fn(TaskId, TaskStatus) -> u8,
    ) {
        self.progress = match children {
            Some(children) => mean(children.iter().map(|(id, status)| percent(*id, *status))),
            None => percent(self.id, self.status),
        };
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
