//! Real servers. One PostgreSQL serves all tests of this process, with a database for each; those that hurt their
//! servers get their own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, mpsc};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, Executor, PgConnection};
use standalone::supervise::{DataFolder, Nats, Postgres};
use standalone::tools::{Places, Tool, Toolbox};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use super::{LONG, until};

/// Tests that use the shared PostgreSQL at once: it has 60 connections.
const AT_ONCE: usize = 4;

/// The PostgreSQL of this process, alive as long as the process.
struct Cluster {
    url: String,
    tools: Toolbox,
    turns: Semaphore,
}

static CLUSTER: LazyLock<Cluster> = LazyLock::new(Cluster::start);

impl Cluster {
    /// Each test has a runtime of its own, which ends with it; so the server is kept by a thread with another.
    fn start() -> Self {
        let (tell, hear) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let wanted = [Tool::Postgres, Tool::NatsServer];
                let places = Places::from_environment();
                let tools = Toolbox::prepare(&places, &wanted, &|line| eprintln!("{line}")).await.unwrap();
                let data = DataFolder::open(&folder_of_this_process()).unwrap();
                let postgres = Postgres::start(&data, &tools).await.unwrap();
                tell.send((postgres.url().to_owned(), tools)).unwrap();
                std::future::pending::<()>().await;
            });
        });
        let (url, tools) = hear.recv().expect("PostgreSQL starts");
        Self { url, tools, turns: Semaphore::new(AT_ONCE) }
    }
}

/// Below `target`, where nobody minds what a killed process leaves; the next process clears it away.
fn folder_of_this_process() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let of_process = |name: &str| name.strip_prefix("postgres-").and_then(|pid| pid.parse::<u32>().ok());
    for entry in fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let left = of_process(&entry.file_name().to_string_lossy());
        if left.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    folder.join(format!("postgres-{}", std::process::id()))
}

/// PostgreSQL and nats-server, found or installed.
pub(crate) fn tools() -> &'static Toolbox {
    &CLUSTER.tools
}

/// A database of its own in the shared PostgreSQL, and the turn to use it.
pub(crate) struct Database {
    pub(crate) url: String,
    name: String,
    _turn: SemaphorePermit<'static>,
}

pub(crate) async fn shared_database() -> Database {
    let turn = CLUSTER.turns.acquire().await.unwrap();
    let name = format!("test_{}", Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&CLUSTER.url).await.unwrap();
    connection.execute(format!("CREATE DATABASE {name}").as_str()).await.unwrap();
    let server = CLUSTER.url.strip_suffix("postgres").unwrap();
    Database { url: format!("{server}{name}"), name, _turn: turn }
}

impl Database {
    pub(crate) async fn drop(self) {
        let mut connection = PgConnection::connect(&CLUSTER.url).await.unwrap();
        connection.execute(format!("DROP DATABASE {} WITH (FORCE)", self.name).as_str()).await.unwrap();
    }
}

/// Servers of one test, to be killed at will. Ports and passwords stay the same over restarts.
pub(crate) struct Own {
    postgres: Option<Postgres>,
    nats: Option<Nats>,
    data: DataFolder,
    _folder: TempDir,
}

impl Own {
    pub(crate) async fn nats() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        let nats = Some(Nats::start(&data, tools()).await.unwrap());
        Self { postgres: None, nats, data, _folder: folder }
    }

    pub(crate) async fn postgres_and_nats() -> Self {
        let mut own = Self::nats().await;
        own.postgres = Some(Postgres::start(&own.data, tools()).await.unwrap());
        own
    }

    pub(crate) fn media(&self) -> PathBuf {
        self.data.media()
    }

    /// For files of the test itself.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }

    /// With a worker's rights.
    pub(crate) fn worker_nats_url(&self) -> String {
        self.nats.as_ref().unwrap().worker_url()
    }

    pub(crate) fn nats_url(&self) -> &str {
        self.nats.as_ref().unwrap().url()
    }

    pub(crate) fn postgres_url(&self) -> &str {
        self.postgres.as_ref().unwrap().url()
    }

    /// `kill -9`, and a new start on the same data.
    pub(crate) async fn kill_postgres(&mut self) {
        let killed = self.postgres.take().unwrap();
        let url = killed.url().to_owned();
        kill(&self.data.path().join("postgres/postmaster.pid"), &url).await;
        drop(killed);
        let data = &self.data;
        // The dead server's children may take a moment to notice.
        let started = until("PostgreSQL is back", LONG, async || {
            Postgres::start(data, tools()).await.map_err(|error| error.to_string())
        });
        self.postgres = Some(started.await);
        assert_eq!(self.postgres_url(), url, "PostgreSQL comes back where it was");
    }

    /// `kill -9`, and a new start on the same store.
    pub(crate) async fn kill_nats(&mut self) {
        self.stop_nats().await;
        self.start_nats().await;
    }

    /// `kill -9`, and a new start with nothing in store.
    pub(crate) async fn lose_the_store_of_nats(&mut self) {
        self.stop_nats().await;
        fs::remove_dir_all(self.data.path().join("nats/jetstream")).unwrap();
        self.start_nats().await;
    }

    pub(crate) async fn stop_nats(&mut self) {
        let killed = self.nats.take().unwrap();
        kill(&self.data.path().join("run/nats.pid"), killed.url()).await;
    }

    pub(crate) async fn start_nats(&mut self) {
        let data = &self.data;
        let started = until("nats-server is back", LONG, async || {
            Nats::start(data, tools()).await.map_err(|error| error.to_string())
        });
        self.nats = Some(started.await);
    }

    /// In order, so that nothing is written into a folder that is being removed.
    pub(crate) async fn stop(mut self) {
        if let Some(nats) = self.nats.take() {
            nats.stop().await;
        }
        if let Some(postgres) = self.postgres.take() {
            postgres.stop().await;
        }
    }
}

/// Kills the server that wrote this pid file, and waits until its port is free: else it would be started again on
/// another one, where nobody looks for it. Its end is no sign of that, as its threads end one by one.
async fn kill(pid_file: &Path, url: &str) {
    let pid = fs::read_to_string(pid_file).unwrap().lines().next().and_then(|pid| pid.trim().parse().ok());
    let pid = pid.and_then(Pid::from_raw).expect("the server wrote its pid");
    kill_process(pid, Signal::KILL).unwrap();
    let authority = url.rsplit('@').next().unwrap();
    let address = authority.split('/').next().unwrap();
    until("the server's port is free", LONG, async || {
        TcpListener::bind(address).map(drop).map_err(|error| format!("{address}: {error}"))
    })
    .await;
}
