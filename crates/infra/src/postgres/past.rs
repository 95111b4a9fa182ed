//! A project as it was after one of its events: its rows as the projector would have written them then, folded
//! from the log page by page.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::{ProjectId, ShotId, TaskId};
use domain::job::Kind;
use domain::project::{Event, Project};
use sqlx::PgPool;

use super::PostgresError;
use super::projection::touched_shots;
use super::tail::{Recorded, read_stream};
use super::views::films::FilmRow;
use super::views::projects::ProjectRow;
use super::views::shots::ShotRow;

/// Events that are in memory at a time.
const PAGE: i64 = 500;

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
    let mut folding = Folding::default();
    fold(pool, project, version, |recorded| folding.take_in(recorded)).await?;
    Ok(folding.into_past(project).filter(|past| past.state.version == version))
}

/// The project's state after its `version`th event, or after its last if it has fewer.
pub async fn state_at(pool: &PgPool, project: ProjectId, version: u64) -> Result<Project, PostgresError> {
    let mut state = Project::default();
    fold(pool, project, version, |recorded| state.evolve(&recorded.event)).await?;
    Ok(state)
}

async fn fold(
    pool: &PgPool,
    project: ProjectId,
    version: u64,
    mut take_in: impl FnMut(&Recorded),
) -> Result<(), PostgresError> {
    let mut read = 0;
    while read < version {
        let left = i64::try_from(version - read).unwrap_or(PAGE);
        let page = read_stream(pool, project, read, PAGE.min(left)).await?;
        let Some(last) = page.last() else { break };
        read = last.version;
        page.iter().for_each(&mut take_in);
    }
    Ok(())
}

#[derive(Default)]
struct Folding {
    state: Project,
    times: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// When each shot was last touched.
    touched: HashMap<ShotId, DateTime<Utc>>,
    /// The shots of tasks.
    shot_of: HashMap<TaskId, ShotId>,
    /// How long the task took that finished last; a film comes right after its own.
    millis: u64,
    film: Option<(FilmRow, u64)>,
}

impl Folding {
    fn take_in(&mut self, recorded: &Recorded) {
        self.state.evolve(&recorded.event);
        self.times = Some((self.times.map_or(recorded.at, |(first, _)| first), recorded.at));
        self.remember_shot(&recorded.event);
        let shots = touched_shots(&self.state, &recorded.event, |task| self.shot_of.get(&task).copied());
        self.touched.extend(shots.into_iter().map(|shot| (shot, recorded.at)));
        if let Event::TaskFinished(event) = &recorded.event {
            self.millis = event.made_with.millis;
        }
        if let Some(film) = FilmRow::from_event(recorded, self.state.settings.quality) {
            self.film = Some((film, self.millis));
        }
    }

    fn remember_shot(&mut self, event: &Event) {
        let (task, shot) = match event {
            Event::TaskPlanned(event) => (event.task_id, event.shot_id),
            Event::TaskQueued(event) => (event.task_id, event.shot_id),
            _ => return,
        };
        if let Some(shot) = shot {
            self.shot_of.insert(task, shot);
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
