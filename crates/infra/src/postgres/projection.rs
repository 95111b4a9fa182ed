//! Applies pages of the log to the read tables, with the checkpoint in the same transaction.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::ids::{ProjectId, ShotId, TaskId};
use domain::project::{Event, Project};
use sqlx::PgPool;

use super::leadership::Fence;
use super::tail::{Place, Recorded};
use super::views::films::FilmRow;
use super::views::projects::ProjectRow;
use super::views::shots::ShotRow;
use super::views::takes::{TakeChange, TakeRow};
use super::views::tasks::{self, TaskRow, TaskRows};
use super::views::{films, projects, shots, takes};
use super::{PostgresError, checkpoint, past};

/// Name of the projector's checkpoint.
pub const READER: &str = "projector";
/// The read tables, all of which the projector keeps, and that can be made again from the log.
pub const TABLES: [&str; 5] = ["projects", "shots", "tasks", "takes", "films"];
const STATES_KEPT: usize = 1_024;
const TASKS_KEPT: usize = 16_384;

/// Turns events into rows. Keeps the states and rows it worked on last, as its own writes are the only
/// ones; after a failed page it forgets them.
#[derive(Debug)]
pub struct Projection {
    pool: PgPool,
    states: lru::LruCache<ProjectId, Project>,
    tasks: lru::LruCache<TaskId, TaskRow>,
}

/// What a page changes.
#[derive(Default)]
struct Changes {
    projects: Vec<ProjectRow>,
    shots: Vec<ShotRow>,
    gone_shots: Vec<(ProjectId, ShotId)>,
    tasks: TaskRows,
    takes: Vec<TakeRow>,
    take_changes: Vec<TakeChange>,
    films: Vec<FilmRow>,
}

impl Projection {
    /// A projection into this database.
    pub fn new(pool: PgPool) -> Self {
        let size = |size| NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN);
        Self {
            pool,
            states: lru::LruCache::new(size(STATES_KEPT)),
            tasks: lru::LruCache::new(size(TASKS_KEPT)),
        }
    }

    /// Forgets the states and rows in memory; the next page reads them again.
    pub fn forget(&mut self) {
        self.states.clear();
        self.tasks.clear();
    }

    /// Applies a page that follows on `from`, and moves the checkpoint to its end.
    pub async fn apply(
        &mut self,
        from: Place,
        page: &[Arc<Recorded>],
        fence: &Fence,
    ) -> Result<Place, PostgresError> {
        let Some(last) = page.last() else { return Ok(from) };
        let applied = match self.changes(page).await {
            Ok(changes) => self.write(from, last.place, &changes, fence).await.map(|()| changes),
            Err(error) => Err(error),
        };
        match applied {
            Ok(changes) => {
                changes.tasks.into_iter().for_each(|(id, row)| drop(self.tasks.put(id, row)));
                Ok(last.place)
            }
            Err(error) => {
                self.forget();
                Err(error)
            }
        }
    }

    async fn changes(&mut self, page: &[Arc<Recorded>]) -> Result<Changes, PostgresError> {
        let mut changes = Changes { tasks: self.known_tasks(page).await?, ..Changes::default() };
        let mut by_project: HashMap<ProjectId, Vec<&Recorded>> = HashMap::new();
        for recorded in page {
            tasks::apply(&mut changes.tasks, recorded);
            let task = recorded.event.task().and_then(|id| changes.tasks.get(&id));
            changes.takes.extend(TakeRow::from_event(recorded, task));
            changes.take_changes.extend(TakeChange::from_event(recorded));
            by_project.entry(recorded.project).or_default().push(recorded);
        }
        for (project, events) in by_project {
            self.project_changes(project, &events, &mut changes).await?;
        }
        Ok(changes)
    }

    /// The rows of all tasks that a page is about and that exist already.
    async fn known_tasks(&mut self, page: &[Arc<Recorded>]) -> Result<TaskRows, PostgresError> {
        let mut rows = TaskRows::new();
        let mut missing = Vec::new();
        let ids: BTreeSet<TaskId> = page.iter().filter_map(|recorded| recorded.event.task()).collect();
        for id in ids {
            match self.tasks.get(&id) {
                Some(row) => drop(rows.insert(id, row.clone())),
                None => missing.push(id),
            }
        }
        rows.extend(tasks::load(&self.pool, &missing).await?);
        Ok(rows)
    }

    async fn project_changes(
        &mut self,
        project: ProjectId,
        events: &[&Recorded],
        changes: &mut Changes,
    ) -> Result<(), PostgresError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let mut state = self.state_before(project, first.version).await?;
        let before: Vec<ShotId> = state.shots.iter().map(|shot| shot.id).collect();
        let mut touched: HashMap<ShotId, DateTime<Utc>> = HashMap::new();
        for recorded in events {
            let shots = evolve(&mut state, &recorded.event);
            touched.extend(shots.into_iter().map(|shot| (shot, recorded.at)));
            changes.films.extend(FilmRow::from_event(recorded, state.settings.quality));
        }
        for (place, shot) in state.shots.iter().enumerate() {
            if let Some(at) = touched.get(&shot.id) {
                changes.shots.push(ShotRow::of(project, &state, (place, shot), *at));
            }
        }
        let gone = before.into_iter().filter(|id| state.shot(*id).is_none());
        changes.gone_shots.extend(gone.map(|shot| (project, shot)));
        changes.projects.push(ProjectRow::of(project, &state, first.at, last.at));
        self.states.put(project, state);
        Ok(())
    }

    async fn state_before(&mut self, project: ProjectId, version: u64) -> Result<Project, PostgresError> {
        let before = version.saturating_sub(1);
        match self.states.pop(&project) {
            Some(state) if state.version == before => Ok(state),
            _ if before == 0 => Ok(Project::default()),
            _ => past::state_at(&self.pool, project, before).await,
        }
    }

    async fn write(
        &self,
        from: Place,
        to: Place,
        changes: &Changes,
        fence: &Fence,
    ) -> Result<(), PostgresError> {
        // A page that is lost in a crash takes its checkpoint with it and is applied again.
        let begun = self.pool.begin_with("BEGIN; SET LOCAL synchronous_commit = off").await;
        let mut transaction = begun.map_err(PostgresError::during("begin a page"))?;
        checkpoint::advance(&mut transaction, READER, from, to, fence).await?;
        shots::write(&mut transaction, &changes.shots).await?;
        shots::remove(&mut transaction, &changes.gone_shots).await?;
        tasks::write(&mut transaction, changes.tasks.values()).await?;
        takes::write(&mut transaction, &changes.takes).await?;
        for change in &changes.take_changes {
            change.apply(&mut transaction).await?;
        }
        films::write(&mut transaction, &changes.films).await?;
        projects::write(&mut transaction, &changes.projects).await?;
        transaction.commit().await.map_err(PostgresError::during("commit a page"))
    }
}

/// Takes an event in, and answers the shots whose rows it may change.
pub(super) fn evolve(state: &mut Project, event: &Event) -> Vec<ShotId> {
    let shot_of_task = |state: &Project| state.tasks.get(&event.task()?)?.shot;
    // A task that ends may leave the state, and one that is queued is new to it.
    let before = shot_of_task(state);
    state.evolve(event);
    match event {
        Event::StyleRevised(_)
        | Event::SettingsRevised(_)
        | Event::StoryboardAdopted(_)
        | Event::ProjectRestored(_)
        | Event::ProjectForked(_)
        | Event::ShotAdded(_)
        | Event::ShotRemoved(_)
        | Event::ShotsReordered(_) => state.shots.iter().map(|shot| shot.id).collect(),
        Event::TakeSelected(event) => vec![event.shot_id],
        Event::TakeUploaded(event) => vec![event.shot_id],
        Event::ShotPromptRevised(event) => vec![event.shot_id],
        Event::ShotNarrationRevised(event) => vec![event.shot_id],
        Event::ShotDetailsRevised(event) => vec![event.shot_id],
        Event::ShotLocked(event) => vec![event.shot_id],
        Event::ShotUnlocked(event) => vec![event.shot_id],
        _ => shot_of_task(state).or(before).into_iter().collect(),
    }
}
