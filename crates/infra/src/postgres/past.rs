//! A project as it was after one of its events: its rows as the projector would have written them then, folded
//! from the log page by page. Long histories have milestones on the way, where the next look back begins.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::{ProjectId, ShotId};
use domain::job::Kind;
use domain::project::{Event, Project};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::event_store::to_json;
use super::projection::evolve;
use super::tail::{Recorded, read_stream};
use super::views::films::FilmRow;
use super::views::projects::ProjectRow;
use super::views::shots::ShotRow;
use super::{PostgresError, milestones};

/// Events that are in memory at a time. Milestones are left at multiples of it.
const PAGE: u64 = 250;

/// A project at one of its versions.
#[derive(Debug)]
pub struct Past {
    /// The state.
    pub state: Project,
    /// Its row.
    pub project: ProjectRow,
    /// Its shots' rows, in their order.
    pub shots: Vec<ShotRow>,
    /// The newest film, and how many milliseconds its task took.
    pub film: Option<(FilmRow, u64)>,
    /// The first kind of work that was open.
    pub stage: Option<Kind>,
}

/// The project as it was after its `version`th event; nothing when it never had that version.
pub async fn at(pool: &PgPool, project: ProjectId, version: u64) -> Result<Option<Past>, PostgresError> {
    let folded = Folded::until(pool, project, version).await?;
    Ok(folded.into_past(project).filter(|past| past.state.version == version))
}

/// The project's state after its `version`th event, or after its last if it has fewer.
pub async fn state_at(pool: &PgPool, project: ProjectId, version: u64) -> Result<Project, PostgresError> {
    Ok(Folded::until(pool, project, version).await?.state)
}

/// What a project's events add up to. Raise the meaning of snapshots when this changes.
#[derive(Default, Serialize, Deserialize)]
struct Folded {
    state: Project,
    /// When the first event was recorded, and the last one.
    times: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// When each shot was last touched.
    touched: HashMap<ShotId, DateTime<Utc>>,
    /// How long the task took that finished last; a film comes right after its own.
    millis: u64,
    film: Option<(FilmRow, u64)>,
}

impl Folded {
    async fn until(pool: &PgPool, project: ProjectId, version: u64) -> Result<Self, PostgresError> {
        let mut folded: Self = milestones::before(pool, project, version).await?.unwrap_or_default();
        let mut read = folded.state.version;
        // Since the newest milestone, in bytes, and how large the last one would have been.
        let (mut bytes, mut size) = (0, 0);
        while read < version {
            let limit = PAGE.min(version - read);
            let page = read_stream(pool, project, read, limit.cast_signed()).await?;
            let Some(last) = page.last() else { break };
            read = last.version;
            for recorded in &page {
                bytes += recorded.stored.get().len() + recorded.metadata.get().len();
                folded.take_in(recorded);
            }
            let is_whole = folded.state.version == read && read.is_multiple_of(PAGE);
            if is_whole && bytes >= size {
                let milestone = folded.as_milestone()?;
                size = milestone.len();
                // So all of a project's take no more room than its history.
                if size <= bytes {
                    milestones::leave(pool, project, read, &milestone).await;
                    bytes = 0;
                }
            }
        }
        Ok(folded)
    }

    fn as_milestone(&mut self) -> Result<String, PostgresError> {
        // A shot that comes back is touched by that.
        self.touched.retain(|shot, _| self.state.shot(*shot).is_some());
        to_json(self)
    }

    fn take_in(&mut self, recorded: &Recorded) {
        let shots = evolve(&mut self.state, &recorded.event);
        self.times = Some((self.times.map_or(recorded.at, |(first, _)| first), recorded.at));
        self.touched.extend(shots.into_iter().map(|shot| (shot, recorded.at)));
        if let Event::TaskFinished(event) = &recorded.event {
            self.millis = event.made_with.millis;
        }
        if let Some(film) = FilmRow::from_event(recorded, self.state.settings.quality) {
            self.film = Some((film, self.millis));
        }
    }

    fn into_past(self, project: ProjectId) -> Option<Past> {
        let (created_at, at) = self.times?;
        let row = |(place, shot): (usize, &domain::project::Shot)| {
            let touched = self.touched.get(&shot.id).copied().unwrap_or(at);
            ShotRow::of(project, &self.state, (place, shot), touched)
        };
        Some(Past {
            project: ProjectRow::of(project, &self.state, created_at, at),
            shots: self.state.shots.iter().enumerate().map(row).collect(),
            stage: self.state.open_tasks().map(|(_, task)| task.kind).min(),
            film: self.film,
            state: self.state,
        })
    }
}
