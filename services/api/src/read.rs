//! What several handlers read: a project as a whole, all of one version.

use std::time::Duration;

use domain::ids::{ProjectId, TaskId};
use domain::project::ProjectError;
use infra::postgres::views::projects::ProjectRow;
use infra::postgres::views::tasks::{TaskRow, TaskStatus};
use infra::postgres::views::{films, projects, shots, tasks};
use tokio::time::Instant;

use crate::App;
use crate::extract::{Base, MinVersion};
use crate::json::{Film, Progress, Project, ProjectSummary, Shot, Task};
use crate::live::mean;
use crate::problem::Problem;

/// How long the read tables may take to have a version that somebody asks for, and one that somebody just made: who
/// was told to ask again might make it twice.
const READ_PATIENCE: Duration = Duration::from_secs(2);
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// Pauses between looks, in milliseconds; the last one repeats.
const PAUSES: [u64; 7] = [2, 3, 4, 6, 10, 16, 25];
/// Reads of a project that changes meanwhile are done again so often.
const CONSISTENT_READS: usize = 4;
/// Ended tasks that a snapshot shows.
const ENDED_TASKS: i64 = 1_000;

impl App {
    /// A project that is not in the trash.
    pub(crate) async fn project_row(&self, id: ProjectId) -> Result<ProjectRow, Problem> {
        let row = projects::find(&self.api.pool, id).await?;
        let row = row.ok_or_else(|| Problem::from(ProjectError::NotFound))?;
        match row {
            _ if row.purged => Err(ProjectError::Purged.into()),
            _ if row.deleted => Err(ProjectError::Deleted.into()),
            row => Ok(row),
        }
    }

    /// The same, at the version that the caller asks for or a later one.
    pub(crate) async fn project_row_at(&self, id: ProjectId, at: MinVersion) -> Result<ProjectRow, Problem> {
        self.wait_for(id, at).await?;
        self.project_row(id).await
    }

    /// Waits until the read tables have what the caller asks for. A version that the log does not have is not
    /// waited for.
    pub(crate) async fn wait_for(&self, id: ProjectId, at: MinVersion) -> Result<(), Problem> {
        let Some(version) = at.0 else { return Ok(()) };
        if projects::version(&self.api.pool, id).await?.is_some_and(|read| read >= version) {
            return Ok(());
        }
        match self.api.store.load(id).await?.state.version {
            0 => Err(domain::project::ProjectError::NotFound.into()),
            newest if newest < version => {
                let detail = format!("the project has no version {version} yet; its newest is {newest}");
                Err(Problem::unavailable("projection_behind", detail))
            }
            _ => self.wait_until(id, version, READ_PATIENCE).await,
        }
    }

    /// Waits until the read tables have a version that was just made, else 503 `projection_behind`.
    pub(crate) async fn wait_until_read(&self, id: ProjectId, version: u64) -> Result<(), Problem> {
        self.wait_until(id, version, WRITE_PATIENCE).await
    }

    /// The same with another patience.
    pub(crate) async fn wait_until(
        &self,
        id: ProjectId,
        version: u64,
        patience: Duration,
    ) -> Result<(), Problem> {
        let started = Instant::now();
        let mut pauses = PAUSES.iter().copied();
        let mut pause = 0;
        while projects::version(&self.api.pool, id).await?.is_none_or(|read| read < version) {
            if started.elapsed() >= patience {
                let detail = "the change is stored, but cannot be read yet; ask again in a moment";
                return Err(Problem::unavailable("projection_behind", detail));
            }
            pause = pauses.next().unwrap_or(pause);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Ok(())
    }

    /// A project with its shots and film. All parts are of one version unless it changes all the time.
    pub(crate) async fn project(&self, id: ProjectId, base: &Base) -> Result<(u64, Project), Problem> {
        let mut reads_left = CONSISTENT_READS;
        loop {
            let row = self.project_row(id).await?;
            let version = row.version;
            let shots = self.shots(id, base).await?;
            let film = self.film(&row, base).await?;
            let progress = self.progress(&row).await?;
            reads_left -= 1;
            if reads_left == 0 || projects::version(&self.api.pool, id).await? == Some(version) {
                let summary = ProjectSummary::of(row, progress, base);
                return Ok((version, Project { summary, shots, film }));
            }
        }
    }

    /// A project's shots in their order.
    pub(crate) async fn shots(&self, id: ProjectId, base: &Base) -> Result<Vec<Shot>, Problem> {
        let rows = shots::of_project(&self.api.pool, id).await?;
        Ok(rows.into_iter().map(|row| Shot::of(row, base)).collect())
    }

    /// A project's newest film.
    pub(crate) async fn film(&self, project: &ProjectRow, base: &Base) -> Result<Option<Film>, Problem> {
        let Some(film) = films::newest(&self.api.pool, project.id).await? else { return Ok(None) };
        let task = tasks::find(&self.api.pool, film.id).await?;
        let millis = task.and_then(|task| task.made_with).map_or(0, |made| made.millis);
        Ok(Some(Film::of(film, project.film_stale, millis, base)))
    }

    /// How far a project is.
    pub(crate) async fn progress(&self, project: &ProjectRow) -> Result<Progress, Problem> {
        if project.tasks_open == 0 {
            return Ok(Progress::of(project, None, None));
        }
        let open = tasks::open_work(&self.api.pool, project.id).await?;
        let stage = open.iter().map(|work| work.kind).min();
        let eta = self.pace.eta(&self.api, &open).await?;
        Ok(Progress::of(project, stage, eta))
    }

    /// The open tasks of a project and the newest ended ones, in the order they were made.
    pub(crate) async fn recent_tasks(&self, id: ProjectId, base: &Base) -> Result<Vec<Task>, Problem> {
        let rows = tasks::recent(&self.api.pool, id, ENDED_TASKS).await?;
        self.measured(rows.into_iter().map(|row| Task::of(row, base)).collect()).await
    }

    /// A task as it is shown.
    pub(crate) async fn task(&self, id: TaskId, base: &Base) -> Result<Task, Problem> {
        let task = Task::of(self.task_row(id).await?, base);
        let mut measured = self.measured(vec![task]).await?;
        measured.pop().ok_or_else(|| Problem::internal("a task was lost while it was measured"))
    }

    /// Tasks, with how far they are.
    pub(crate) async fn measured(&self, mut shown: Vec<Task>) -> Result<Vec<Task>, Problem> {
        let batches: Vec<TaskId> = shown.iter().filter_map(Task::open_batch).collect();
        let children = tasks::children(&self.api.pool, &batches).await?;
        for task in &mut shown {
            task.measure(children.get(&task.id()), |id, status| self.percent(id, status));
        }
        Ok(shown)
    }

    /// How far a task is that has a job, 0 to 100.
    pub(crate) fn percent(&self, task: TaskId, status: TaskStatus) -> u8 {
        match status {
            TaskStatus::Finished => 100,
            TaskStatus::Processing => self.streams.percentages().of(task),
            TaskStatus::Blocked | TaskStatus::Pending | TaskStatus::Failed | TaskStatus::Cancelled => 0,
        }
    }

    /// The same of a task that may be a batch, which is as far as its children are on average.
    pub(crate) async fn percent_of(&self, row: &TaskRow) -> Result<u8, Problem> {
        if row.children.is_none() || !row.status.is_open() {
            return Ok(self.percent(row.id, row.status));
        }
        let children = tasks::children(&self.api.pool, &[row.id]).await?.remove(&row.id);
        let children = children.unwrap_or_default().into_iter();
        Ok(mean(children.map(|(id, status)| self.percent(id, status))))
    }

    /// A task, of whatever project.
    pub(crate) async fn task_row(&self, id: TaskId) -> Result<TaskRow, Problem> {
        let row = tasks::find(&self.api.pool, id).await?;
        row.ok_or_else(no_such_task)
    }
}

/// There is no such task: 404.
pub(crate) fn no_such_task() -> Problem {
    Problem::not_found("task_not_found", "there is no such task")
}
