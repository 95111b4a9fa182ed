//! A world of its own for each test: a database, a nats-server, media, and whatever roles the test starts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{ClaimId, ProjectId};
use domain::job::Kind;
use domain::project::{Command, Project, TaskState};
use domain::settings::Settings;
use engine::Timing;
use infra::postgres::event_store::Receipt;
use infra::postgres::projection;
use infra::postgres::tail::{self, Recorded};
use infra::postgres::{PgPool, checkpoint};
use infra::postgres::{deliveries, dispatches};
use infra::runtime::{Clock, Lifecycle};
use standalone::stack::Shared;
use uuid::Uuid;
use worker::providers::Provider;

use super::servers::Database;
use super::{LONG, Own, a_film_of, envelope, shared_database, until};

/// Everything one test acts in.
pub(crate) struct World {
    pub(crate) shared: Shared,
    pub(crate) servers: Own,
    database: Database,
    roles: Lifecycle,
}

/// Times that let a test see a lost lease without waiting a minute.
fn quick() -> Timing {
    Timing { lease: Duration::from_secs(3), reconcile: Duration::from_secs(1), ..Timing::default() }
}

impl World {
    /// Servers and schema, and nobody at work.
    pub(crate) async fn new() -> Self {
        let database = shared_database().await;
        let servers = Own::nats().await;
        let shared =
            Shared::connect(&database.url, servers.nats_url(), &servers.media(), "test").await.unwrap();
        Self { shared, servers, database, roles: Lifecycle::default() }
    }

    /// With an engine at work.
    pub(crate) async fn with_engine() -> Self {
        let world = Self::new().await;
        world.start_engine();
        world
    }

    pub(crate) fn start_engine(&self) {
        let engine = self.shared.engine(quick());
        self.roles.spawn("engine", engine.run(self.roles.shutdown().clone()));
    }

    pub(crate) fn start_worker<P: Provider>(&self, name: &str, provider: P, kinds: &[Kind]) {
        let work = self.servers.file(&format!("work-{name}"));
        let slots: BTreeMap<Kind, u32> = kinds.iter().map(|kind| (*kind, 1)).collect();
        let heartbeat = Duration::from_secs(1);
        let config = worker::Config { slots, heartbeat, ..worker::Config::new(name.to_owned(), work) };
        let shutdown = self.roles.shutdown().clone();
        let worker =
            worker::run(config, self.shared.bus.clone(), Arc::new(provider), Clock::System, shutdown);
        self.roles.spawn(format!("worker {name}"), worker);
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.shared.pool
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database.url
    }

    /// A new project, and a word to the engine about it.
    pub(crate) async fn a_film_of(&self, shots: u32, settings: Settings) -> ProjectId {
        let project = a_film_of(&self.shared.store, shots, settings).await;
        self.shared.bus.wake().await;
        project
    }

    pub(crate) async fn execute(&self, project: ProjectId, command: Command) -> Receipt {
        let receipt = self.shared.store.execute(project, envelope(command)).await.unwrap();
        self.shared.bus.wake().await;
        receipt
    }

    pub(crate) async fn state(&self, project: ProjectId) -> Arc<Project> {
        self.shared.store.load(project).await.unwrap().state
    }

    pub(crate) async fn events(&self, project: ProjectId) -> Vec<Recorded> {
        tail::read_stream(self.pool(), project, 0, 100_000).await.unwrap()
    }

    /// Begins a project's one ready task in the log alone: a run that nobody ever hears of again.
    pub(crate) async fn begin_and_vanish(&self, project: ProjectId) {
        let state = self.state(project).await;
        let mut ready = state.open_tasks().filter(|(_, task)| task.state == TaskState::Pending);
        let (task, attempt) = ready.next().map(|(id, task)| (id, task.attempt)).expect("a task is ready");
        let claim = ClaimId(Uuid::new_v4());
        let started = Command::RecordTaskStarted { task, attempt, claim, worker: "nobody".to_owned() };
        self.execute(project, started).await;
    }

    /// Ends the roles and the database, once nothing is left to be done. For a world with an engine.
    pub(crate) async fn finish(self) {
        until("nothing is left to do", LONG, async || leftovers(&self.shared).await).await;
        self.end().await;
    }

    /// Ends without looking, for a world in which nobody was at work.
    pub(crate) async fn end(self) {
        self.roles.shutdown().cancel();
        self.roles.ended(Duration::from_secs(20)).await.unwrap();
        self.shared.store.close().await;
        self.servers.stop().await;
        self.database.drop().await;
    }
}

/// What is left lying about: open tasks, jobs not sent or not acknowledged, events not read.
pub(crate) async fn leftovers(shared: &Shared) -> Result<(), String> {
    let count =
        async |what: &str, sql: &str| match sqlx::query_scalar::<_, i64>(sql).fetch_one(&shared.pool).await {
            Ok(0) => Ok(()),
            Ok(count) => Err(format!("{count} {what}")),
            Err(error) => Err(error.to_string()),
        };
    let head = tail::head(&shared.pool).await.map_err(|error| error.to_string())?;
    for reader in [projection::READER, dispatches::READER, deliveries::READER, "relay"] {
        let place = checkpoint::load(&shared.pool, reader).await.map_err(|error| error.to_string())?;
        if place < head {
            return Err(format!("the {reader} is at {place:?}, the log at {head:?}"));
        }
    }
    count("open tasks", "SELECT count(*) FROM tasks WHERE status IN ('blocked', 'pending', 'processing')")
        .await?;
    count("open tasks in projects", "SELECT coalesce(sum(tasks_open), 0) FROM projects WHERE NOT deleted")
        .await?;
    count("dispatches", "SELECT count(*) FROM dispatches").await?;
    let queued = shared.bus.queued_tasks().await.map_err(|error| error.to_string())?;
    if queued.is_empty() { Ok(()) } else { Err(format!("{} queued jobs: {queued:?}", queued.len())) }
}
