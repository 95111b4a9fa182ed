//! PostgreSQL and nats-server as child processes on one data folder.
//!
//! One process at a time owns a data folder ([`DataFolder`]). What a killed process left running on it is
//! found by its pid file and ended; the children die with their parent, by the kernel's parent-death signal;
//! one that dies by itself is started again on the same port with a bounded back-off ([`Supervised`]).

mod data_folder;
mod endpoint;
mod identity;
mod leftover;
mod log;
mod nats;
mod postgres;
mod spawn;
mod supervised;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use data_folder::DataFolder;
pub use nats::NatsServer;
pub use postgres::{PostgresServer, running_database};
pub use supervised::Supervised;

use crate::tools::Tool;

/// PostgreSQL, supervised.
pub type Postgres = Supervised<PostgresServer>;
/// nats-server with JetStream, supervised.
pub type Nats = Supervised<NatsServer>;

/// Why a data folder cannot be used, or a server on it does not run. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// Another process works on the data folder.
    #[error(
        "the data folder {folder} is in use by process {pid}: stop that one first, or choose another with --data"
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The process that holds it, as it wrote itself down.
        pid: String,
    },
    /// A newer version of this program has laid out the data folder.
    #[error(
        "the data folder {folder} has layout {found}, and this program knows up to {known}: use the newer storytovideo, or choose another folder with --data"
    )]
    Newer {
        /// The data folder.
        folder: PathBuf,
        /// Its layout.
        found: String,
        /// The newest layout this program knows.
        known: u32,
    },
    /// The folder holds files that are not ours.
    #[error(
        "{folder} is not a data folder and not empty: name a new or empty folder with --data, or one that storytovideo made"
    )]
    NotOurs {
        /// The folder.
        folder: PathBuf,
    },
    /// The path of the data folder cannot be handed to the servers.
    #[error("the data folder's path {0:?} holds control characters: choose another with --data")]
    BadPath(PathBuf),
    /// A file or folder cannot be read or written.
    #[error(
        "{path} cannot be used ({cause}): see its owner, its mode and the free space of its disk, or choose another folder with --data"
    )]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The tools were prepared without this one.
    #[error("{} was not prepared", .0.wanted())]
    NotPrepared(Tool),
    /// Root has no way to run PostgreSQL here, which refuses to run as root.
    #[error(
        "PostgreSQL refuses to run as root, and here no user namespace and no other account can both enter {folder} and run {program}: run as another user, or choose a folder that others may enter with --data and STORYTOVIDEO_CACHE_DIR"
    )]
    NoIdentity {
        /// The data folder.
        folder: PathBuf,
        /// The server.
        program: PathBuf,
    },
    /// A new database could not be made.
    #[error("initdb failed: {reason}")]
    InitDb {
        /// Its last words.
        reason: String,
    },
    /// No port is free on the loopback address.
    #[error("no free port on 127.0.0.1 for {server}")]
    NoPort {
        /// The server that needs it.
        server: &'static str,
    },
    /// A process that an earlier run left on the data folder cannot be ended.
    #[error(
        "{server} (process {pid}) still runs on this data folder from an earlier run and cannot be ended ({reason}): end it by hand"
    )]
    Leftover {
        /// What runs.
        server: &'static str,
        /// Its process.
        pid: i32,
        /// Why it cannot be ended.
        reason: String,
    },
    /// A server does not start, or does not stay up.
    #[error("{server} {what}; its last words, from {log}: {last_words}")]
    Server {
        /// The server.
        server: &'static str,
        /// What happened.
        what: String,
        /// Its log.
        log: PathBuf,
        /// The end of its log, on one line.
        last_words: String,
    },
    /// A server did not answer in time.
    #[error("{server} was not ready within {} s; see {log}", .limit.as_secs())]
    NotReady {
        /// The server.
        server: &'static str,
        /// How long was waited.
        limit: Duration,
        /// Its log.
        log: PathBuf,
    },
}

impl SuperviseError {
    /// Whether the user must change something first (exit code 64), and trying again alone is no use.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::InUse { .. }
                | Self::Newer { .. }
                | Self::NotOurs { .. }
                | Self::BadPath(_)
                | Self::File { .. }
                | Self::NotPrepared(_)
                | Self::NoIdentity { .. }
        )
    }

    /// Wraps what the system said of `path`.
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { path, cause }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rustix::process::{Pid, Signal, kill_process};
    use tokio_util::sync::CancellationToken;

    use super::supervised::Server;
    use super::*;
    use crate::tools::{Places, Toolbox};

    async fn servers(folder: &Path) -> (DataFolder, Postgres, Nats) {
        let places = Places::from_environment();
        let tools = Toolbox::prepare(&places, &[Tool::Postgres, Tool::NatsServer], &|_| ()).await.unwrap();
        let data = DataFolder::open(folder).unwrap();
        let postgres = Postgres::start(&data, &tools).await.unwrap();
        let nats = Nats::start(&data, &tools).await.unwrap();
        (data, postgres, nats)
    }

    fn pid_in(file: &Path) -> Option<u32> {
        fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
    }

    fn is_alive(pid: u32) -> bool {
        // Empty for a process that has ended and was not yet waited for.
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty())
    }

    async fn until(what: &str, mut condition: impl FnMut() -> bool) {
        let wait = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(
            tokio::time::timeout(Duration::from_secs(60), wait).await.is_ok(),
            "still waiting until {what}"
        );
    }

    /// Kills a server under supervision, waits for its successor, and stops that.
    async fn kill_and_stop<S: Server>(server: Supervised<S>, pid_file: &Path) {
        let killed = pid_in(pid_file).unwrap();
        let shutdown = CancellationToken::new();
        let trouble = async {
            kill_process(Pid::from_raw(killed.cast_signed()).unwrap(), Signal::KILL).unwrap();
            until("its successor runs", || {
                pid_in(pid_file).is_some_and(|pid| pid != killed && is_alive(pid))
            })
            .await;
            shutdown.cancel();
        };
        let (ran, ()) = tokio::join!(server.run(shutdown.clone()), trouble);
        ran.unwrap();
        assert!(pid_in(pid_file).is_none_or(|pid| !is_alive(pid)));
    }

    #[tokio::test]
    async fn a_server_that_is_killed_comes_back_and_stops_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let (data, postgres, nats) = servers(folder.path()).await;
        kill_and_stop(postgres, &data.postgres().join("postmaster.pid")).await;
        kill_and_stop(nats, &data.run("nats.pid")).await;
    }

    #[tokio::test]
    async fn servers_end_with_their_supervisor_and_start_again_where_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let (data, postgres, nats) = servers(folder.path()).await;
        let urls = (postgres.url().to_owned(), nats.url().to_owned());
        let pids =
            [data.postgres().join("postmaster.pid"), data.run("nats.pid")].map(|file| pid_in(&file).unwrap());
        drop((data, postgres, nats));
        until("the servers have ended", || !pids.iter().any(|&pid| is_alive(pid))).await;
        let (_data, postgres, nats) = servers(folder.path()).await;
        assert_eq!((postgres.url().to_owned(), nats.url().to_owned()), urls);
        postgres.stop().await;
        nats.stop().await;
    }
}
