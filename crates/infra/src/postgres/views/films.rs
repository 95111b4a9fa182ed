//! The table `films`: every film that was rendered.

use chrono::{DateTime, Utc};
use domain::ids::{ProjectId, ShotId, TaskId};
use domain::job::{FilmOutput, SpecHash};
use domain::project::Event;
use domain::settings::Quality;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use super::{from_json, upsert};
use crate::postgres::PostgresError;
use crate::postgres::tail::Recorded;

const COLUMNS: &[&str] =
    &["id", "project_id", "version", "quality", "spec_hash", "film", "incomplete", "created_at"];

/// One film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FilmRow {
    /// The task that made it.
    pub id: TaskId,
    /// Its project.
    pub project_id: ProjectId,
    /// Counts the project's films, from 1.
    pub version: u32,
    /// How carefully it was encoded; the project's own when not said.
    pub quality: Quality,
    /// What was asked for.
    pub spec_hash: SpecHash,
    /// The files and their facts.
    pub film: FilmOutput,
    /// Shots that had nothing of their own to show.
    pub incomplete: Vec<ShotId>,
    /// When.
    pub created_at: DateTime<Utc>,
}

impl FilmRow {
    /// The film that an event brings, if it brings one.
    pub(crate) fn from_event(recorded: &Recorded, project_quality: Quality) -> Option<Self> {
        let Event::FilmRendered(event) = &recorded.event else { return None };
        Some(Self {
            id: event.task_id,
            project_id: recorded.project,
            version: event.film_version,
            quality: event.parameters.quality.unwrap_or(project_quality),
            spec_hash: event.spec_hash.clone(),
            film: (*event.film).clone(),
            incomplete: event.incomplete.clone(),
            created_at: recorded.at,
        })
    }
}

pub(crate) async fn write(connection: &mut PgConnection, rows: &[FilmRow]) -> Result<(), PostgresError> {
    upsert(connection, "films", COLUMNS, &[], rows).await
}

/// A project's newest film.
pub async fn newest(pool: &PgPool, project: ProjectId) -> Result<Option<FilmRow>, PostgresError> {
    let row: Option<String> = sqlx::query_scalar(
        "SELECT row_to_json(f)::text FROM films f WHERE project_id = $1 ORDER BY version DESC LIMIT 1",
    )
    .bind(project.0)
    .fetch_optional(pool)
    .await
    .map_err(PostgresError::during("find a film"))?;
    row.as_deref().map(from_json).transpose()
}
