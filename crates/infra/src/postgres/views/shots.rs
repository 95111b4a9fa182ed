//! The table `shots`: one row a shot, with its selected takes and what is stale.

use chrono::{DateTime, Datelike, Utc};
use domain::ids::{ProjectId, ShotId};
use domain::job::Kind;
use domain::project::{Project, Shot, Take, Task, TaskState};
use domain::settings::{Mood, Transition};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use super::{from_json, upsert};
use crate::postgres::PostgresError;

const COLUMNS: &[&str] = &[
    "id",
    "project_id",
    "version",
    "place",
    "title",
    "prompt",
    "negative_prompt",
    "narration",
    "mood",
    "transition",
    "duration_seconds",
    "locked",
    "status",
    "image",
    "video",
    "voice",
    "stale",
    "created_at",
    "updated_at",
];

/// A shot as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShotRow {
    /// The shot.
    pub id: ShotId,
    /// Its project.
    pub project_id: ProjectId,
    /// The project's version at which its content last changed.
    pub version: u64,
    /// Its place in the film, from 0.
    pub place: u32,
    /// Its title.
    pub title: String,
    /// What its picture shows.
    pub prompt: String,
    /// What its picture must not show.
    pub negative_prompt: String,
    /// What is said.
    pub narration: String,
    /// Its feeling.
    pub mood: Mood,
    /// How it goes over to the next one; the project's way when absent.
    pub transition: Option<Transition>,
    /// Minimum length in seconds.
    pub duration_seconds: Option<f64>,
    /// Whether it refuses to be generated again.
    pub locked: bool,
    /// Its picture's: `created | pending | processing | completed | failed`.
    pub status: String,
    /// The selected picture.
    pub image: Option<Take>,
    /// The selected clip.
    pub video: Option<Take>,
    /// The selected voice.
    pub voice: Option<Take>,
    /// What is no longer what the content asks for.
    pub stale: Stale,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Which of a shot's takes are stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stale {
    /// The picture.
    pub image: bool,
    /// The clip.
    pub video: bool,
    /// The voice.
    pub narration: bool,
}

impl ShotRow {
    /// The row of a shot of a state, last touched at `at`.
    pub fn of(project: ProjectId, state: &Project, (place, shot): (usize, &Shot), at: DateTime<Utc>) -> Self {
        Self {
            id: shot.id,
            project_id: project,
            version: shot.revised,
            place: u32::try_from(place).unwrap_or(u32::MAX),
            title: shot.title.clone(),
            prompt: shot.prompt.clone(),
            negative_prompt: shot.negative_prompt.clone(),
            narration: shot.narration.clone(),
            mood: shot.mood,
            transition: shot.transition,
            duration_seconds: shot.duration_seconds,
            locked: shot.locked,
            status: picture_status(state, shot).to_owned(),
            image: shot.image.clone(),
            video: shot.video.clone(),
            voice: shot.voice.clone(),
            stale: Stale {
                image: state.is_stale(shot, Kind::Image),
                video: state.is_stale(shot, Kind::Video),
                narration: state.is_stale(shot, Kind::Tts),
            },
            created_at: made_at(shot.id).unwrap_or(at),
            updated_at: at,
        }
    }
}

/// Ids tell when they were made (RFC 9562, 5.7). So a shot that went and came back is as old as it was.
fn made_at(id: ShotId) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = id.0.get_timestamp()?.to_unix();
    let at = DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)?;
    Some(at).filter(|at| at.year() <= 9_999)
}

fn picture_status(state: &Project, shot: &Shot) -> &'static str {
    let own = |task: &Task| {
        task.kind == Kind::Image && task.shot == Some(shot.id) && task.parameters.candidate.is_none()
    };
    let newest = state.tasks.iter().rfind(|(_, task)| own(task));
    match newest.map(|(_, task)| &task.state) {
        Some(TaskState::Blocked | TaskState::Pending) => "pending",
        Some(TaskState::Processing { .. }) => "processing",
        _ if shot.image.is_some() => "completed",
        Some(TaskState::Failed | TaskState::Cancelled(_)) => "failed",
        None => "created",
    }
}

pub(crate) async fn write(connection: &mut PgConnection, rows: &[ShotRow]) -> Result<(), PostgresError> {
    upsert(connection, "shots", COLUMNS, &[], rows).await
}

/// Takes shots out that a project has no more.
pub(crate) async fn remove(
    connection: &mut PgConnection,
    shots: &[(ProjectId, ShotId)],
) -> Result<(), PostgresError> {
    if shots.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM shots s USING unnest($1::uuid[], $2::uuid[]) AS gone(project_id, id) \
         WHERE s.id = gone.id AND s.project_id = gone.project_id",
    )
    .bind(shots.iter().map(|(project, _)| project.0).collect::<Vec<_>>())
    .bind(shots.iter().map(|(_, shot)| shot.0).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(PostgresError::during("remove shots"))?;
    Ok(())
}

/// One shot.
pub async fn find(pool: &PgPool, id: ShotId) -> Result<Option<ShotRow>, PostgresError> {
    let json: Option<String> = sqlx::query_scalar("SELECT row_to_json(s)::text FROM shots s WHERE id = $1")
        .bind(id.0)
        .fetch_optional(pool)
        .await
        .map_err(PostgresError::during("find a shot"))?;
    json.as_deref().map(from_json).transpose()
}

/// A project's shots in their order.
pub async fn of_project(pool: &PgPool, project: ProjectId) -> Result<Vec<ShotRow>, PostgresError> {
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT row_to_json(s)::text FROM shots s WHERE project_id = $1 ORDER BY place")
            .bind(project.0)
            .fetch_all(pool)
            .await
            .map_err(PostgresError::during("list shots"))?;
    rows.iter().map(|row| from_json(row)).collect()
}
