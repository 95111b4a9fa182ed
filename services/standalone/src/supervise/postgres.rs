//! PostgreSQL on the data folder: made once by initdb, reached over the loopback address with a password.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::syncfs;
use rustix::process::Signal;
use tokio::process::Command;

use super::data_folder::{DataFolder, write_whole};
use super::endpoint::Endpoint;
use super::identity::Identity;
use super::leftover::Leftover;
use super::log::Log;
use super::supervised::{Server, Supervised};
use super::{Postgres, SuperviseError};
use crate::tools::{Tool, Toolbox};

/// The database user, who owns everything.
const USER: &str = "storytovideo";
/// How often a start is tried when others take the port between its choice and its use.
const PORT_TRIES: usize = 3;
/// What differs from PostgreSQL's defaults, and why.
const SETTINGS: [&str; 13] = [
    "listen_addresses=127.0.0.1",
    // A socket's path may have 108 bytes, and a data folder's may be longer.
    "unix_socket_directories=",
    // The log is the one truth; never faster at its cost, whatever a configuration file says.
    "fsync=on",
    "full_page_writes=on",
    // After a crash: one call for the disk instead of one for each of a thousand files.
    "recovery_init_sync_method=syncfs",
    "shared_buffers=96MB",
    "max_connections=100",
    "max_wal_size=512MB",
    // Short queries by key; parallel workers would need more shared memory than containers have.
    "jit=off",
    "max_parallel_workers_per_gather=0",
    // A forgotten transaction holds back every reader of the settled log.
    "idle_in_transaction_session_timeout=60s",
    "timezone=UTC",
    "log_timezone=UTC",
];

/// How PostgreSQL is run on one data folder.
#[derive(Debug)]
pub struct PostgresServer {
    program: PathBuf,
    folder: PathBuf,
    identity: Identity,
    port: u16,
    url: String,
}

impl Supervised<PostgresServer> {
    /// Starts PostgreSQL on the data folder, making the database first if there is none, and waits until it
    /// answers. The user owns the server; the database is `postgres`.
    ///
    /// # Errors
    /// [`SuperviseError`], with the server's last words when it does not start.
    pub async fn start(data: &DataFolder, tools: &Toolbox) -> Result<Postgres, SuperviseError> {
        let programs = tools.path(Tool::Postgres).ok_or(SuperviseError::NotPrepared(Tool::Postgres))?;
        let folder = data.postgres();
        end_leftover(&folder).await?;
        let identity = Identity::for_server(data.path(), &programs.join("postgres")).await?;
        if !folder.exists() {
            init(data, programs, identity).await?;
        }
        identity.take_over(&folder)?;
        let kept = folder.join("endpoint.json");
        let mut endpoint = Endpoint::read(&kept)?;
        for attempt in 1.. {
            if endpoint.leave_taken_port(PostgresServer::NAME)? {
                endpoint.keep(&kept)?;
            }
            let server = PostgresServer::new(programs, &folder, identity, &endpoint);
            match Supervised::launch(server, Log::new(data.log("postgres"))).await {
                Err(_) if attempt < PORT_TRIES && endpoint.leave_taken_port(PostgresServer::NAME)? => {}
                outcome => return outcome,
            }
        }
        Err(SuperviseError::NoPort { server: PostgresServer::NAME })
    }
}

/// Where the database of a data folder is that another process has open; `None` when nobody has.
///
/// # Errors
/// The folder or what is kept in it cannot be read.
pub fn running_database(data: &Path) -> Result<Option<String>, SuperviseError> {
    match DataFolder::open(data) {
        Err(SuperviseError::InUse { folder, .. }) => {
            Endpoint::read(&folder.join("postgres/endpoint.json")).map(|endpoint| Some(url(&endpoint)))
        }
        Ok(_) => Ok(None),
        Err(error) => Err(error),
    }
}

fn url(endpoint: &Endpoint) -> String {
    let Endpoint { port, password } = endpoint;
    format!("postgres://{USER}:{password}@127.0.0.1:{port}/postgres")
}

impl PostgresServer {
    fn new(programs: &Path, folder: &Path, identity: Identity, endpoint: &Endpoint) -> Self {
        Self {
            program: programs.join("postgres"),
            folder: folder.to_path_buf(),
            identity,
            port: endpoint.port,
            url: url(endpoint),
        }
    }
}

impl Server for PostgresServer {
    const NAME: &'static str = "postgres";
    /// "Fast": sessions are ended, everything is written.
    const STOP: Signal = Signal::INT;

    fn command(&self) -> Command {
        // When we are killed it quits at once, as from a crash: the next start finds the port and folder
        // free.
        let mut command = self.identity.command(&self.program, Some("QUIT"));
        command.arg("-D").arg(&self.folder).arg("-c").arg(format!("port={}", self.port));
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
    }

    fn url(&self) -> &str {
        &self.url
    }

    /// The postmaster writes its state into the last line of its pid file; `pg_ctl` reads it too.
    async fn is_ready(&self, pid: u32) -> bool {
        let state = fs::read_to_string(self.folder.join("postmaster.pid")).unwrap_or_default();
        let mut lines = state.lines();
        lines.next() == Some(pid.to_string().as_str())
            && lines.last().is_some_and(|line| line.trim() == "ready")
    }
}

async fn end_leftover(folder: &Path) -> Result<(), SuperviseError> {
    let pid_file = folder.join("postmaster.pid");
    let leftover = Leftover {
        server: PostgresServer::NAME,
        program: "postgres",
        pid_file: &pid_file,
        argument: folder,
        stop: Signal::INT,
    };
    leftover.end().await
}

/// Makes a database under another name and lets it be seen when it is whole. The password is kept inside it,
/// so that neither is ever there without the other.
async fn init(data: &DataFolder, programs: &Path, identity: Identity) -> Result<(), SuperviseError> {
    let draft = data.path().join("postgres.new");
    let password_file = data.path().join("postgres.password");
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(SuperviseError::file(&draft))?;
    }
    fs::create_dir(&draft).map_err(SuperviseError::file(&draft))?;
    let endpoint = Endpoint::choose(PostgresServer::NAME)?;
    write_whole(&password_file, &endpoint.password, 0o600)?;
    for path in [&draft, &password_file] {
        identity.take_over(path)?;
    }
    let made = initdb(programs, identity, &draft, &password_file).await;
    fs::remove_file(&password_file).map_err(SuperviseError::file(&password_file))?;
    made?;
    endpoint.keep(&draft.join("endpoint.json"))?;
    // In place of initdb's own, which syncs a thousand files one by one.
    let whole = File::open(&draft).and_then(|folder| Ok(syncfs(folder)?));
    whole.and_then(|()| fs::rename(&draft, data.postgres())).map_err(SuperviseError::file(&draft))
}

async fn initdb(
    programs: &Path,
    identity: Identity,
    folder: &Path,
    password: &Path,
) -> Result<(), SuperviseError> {
    let mut command = identity.command(&programs.join("initdb"), None);
    command.arg("--pgdata").arg(folder).arg("--username").arg(USER).arg("--pwfile").arg(password);
    command.args(["--auth=scram-sha-256", "--locale=C", "--encoding=UTF8", "--no-sync"]).kill_on_drop(true);
    let output =
        command.output().await.map_err(|error| SuperviseError::InitDb { reason: error.to_string() })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(SuperviseError::InitDb { reason: lines.join(" / ") })
}
