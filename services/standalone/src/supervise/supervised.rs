//! Keeps one server running: starts it, starts it again when it dies, stops it in order.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::SuperviseError;
use super::log::Log;
use super::spawn::Spawner;

/// How long a server may take until it answers; PostgreSQL may have a crash to recover from.
const READY_LIMIT: Duration = Duration::from_secs(300);
/// How often is asked whether a starting server is ready.
const READY_POLL: Duration = Duration::from_millis(10);
/// How long a server may take to stop in order before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How often the length of the log is looked at.
const LOG_POLL: Duration = Duration::from_secs(5);
/// Starts in a row that may fail before the server is given up.
const MAX_FAILURES: u32 = 8;
/// A server that stayed up this long has not failed to start.
const STABLE: Duration = Duration::from_secs(60);
/// The wait before the second start in a row; doubled for each further one.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
/// The longest wait between two starts.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);

/// A server that can be supervised.
pub trait Server: Send + Sync {
    /// Its name in messages and of its log.
    const NAME: &'static str;
    /// Asks it to stop in order.
    const STOP: Signal;
    /// The command that runs it in the foreground.
    fn command(&self) -> Command;
    /// Where clients find it, password included.
    fn url(&self) -> &str;
    /// Whether the server that runs as `pid` answers.
    fn is_ready(&self, pid: u32) -> impl Future<Output = bool> + Send;
}

/// A running server. Dropping it ends the server without ceremony; [`Supervised::stop`] is better.
pub struct Supervised<S> {
    server: S,
    child: Child,
    log: Log,
    spawner: Spawner,
}

impl<S: Server> Supervised<S> {
    /// Starts the server and waits until it answers.
    pub(super) async fn launch(server: S, log: Log) -> Result<Self, SuperviseError> {
        let spawner = Spawner::start(S::NAME).map_err(SuperviseError::file(log.path()))?;
        let child = spawn(&server, &spawner, &log).await?;
        let mut supervised = Self { server, child, log, spawner };
        supervised.wait_until_ready().await?;
        Ok(supervised)
    }

    /// Where clients find it, password included; the same for as long as this lives.
    #[must_use]
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// How it is run.
    pub(super) fn server(&self) -> &S {
        &self.server
    }

    /// The server's process, for tests that kill it.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Keeps the server running until `shutdown` is cancelled, and then stops it in order.
    ///
    /// # Errors
    /// When it dies again and again; it has then been given up.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), SuperviseError> {
        let mut failures = 0;
        loop {
            let started = Instant::now();
            let status = tokio::select! {
                status = self.watch() => status,
                () = shutdown.cancelled() => {
                    self.stop().await;
                    return Ok(());
                }
            };
            if started.elapsed() > STABLE {
                failures = 0;
            }
            let what = format!(
                "ended ({})",
                status.map_or_else(|error| error.to_string(), |status| status.to_string())
            );
            tracing::error!(server = S::NAME, what, last_words = self.log.last_words(), "starting it again");
            tokio::select! {
                started = self.start_again(&mut failures, what) => started?,
                () = shutdown.cancelled() => {
                    self.stop().await;
                    return Ok(());
                }
            }
        }
    }

    /// Stops the server in order, and kills it if that takes too long.
    pub async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            // It may have ended just now.
            let _ = kill_process(pid, S::STOP);
        }
        if tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            tracing::warn!(server = S::NAME, "did not stop in time and is killed");
            let _ = self.child.kill().await;
        }
    }

    /// Waits for the server's end and keeps its log short meanwhile.
    async fn watch(&mut self) -> std::io::Result<ExitStatus> {
        loop {
            tokio::select! {
                status = self.child.wait() => return status,
                () = tokio::time::sleep(LOG_POLL) => {
                    if let Err(error) = self.log.trim() {
                        tracing::warn!(server = S::NAME, %error, "its log cannot be put aside");
                    }
                }
            }
        }
    }

    async fn start_again(&mut self, failures: &mut u32, mut what: String) -> Result<(), SuperviseError> {
        loop {
            *failures += 1;
            if *failures > MAX_FAILURES {
                return Err(dead::<S>(&self.log, format!("{what} {MAX_FAILURES} times in a row")));
            }
            tokio::time::sleep(back_off(*failures)).await;
            match self.start_once().await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::error!(server = S::NAME, %error, failures, "did not start");
                    what = "did not start".to_owned();
                }
            }
        }
    }

    /// Starts the next child, which is ours to stop from its first moment.
    async fn start_once(&mut self) -> Result<(), SuperviseError> {
        self.child = spawn(&self.server, &self.spawner, &self.log).await?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Result<(), SuperviseError> {
        let log = &self.log;
        let Some(pid) = self.child.id() else { return Err(dead::<S>(log, "ended at once".to_owned())) };
        let ready = async {
            while !self.server.is_ready(pid).await {
                tokio::time::sleep(READY_POLL).await;
            }
        };
        tokio::select! {
            () = ready => return Ok(()),
            status = self.child.wait() => {
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                return Err(dead::<S>(log, format!("does not start ({status})")));
            }
            () = tokio::time::sleep(READY_LIMIT) => {}
        }
        // It may have ended just now.
        let _ = self.child.kill().await;
        Err(SuperviseError::NotReady { server: S::NAME, limit: READY_LIMIT, log: log.path().to_path_buf() })
    }
}

/// The wait before the start that follows so many failures in a row.
fn back_off(failures: u32) -> Duration {
    FIRST_BACK_OFF.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_BACK_OFF)
}

async fn spawn<S: Server>(server: &S, spawner: &Spawner, log: &Log) -> Result<Child, SuperviseError> {
    let log_file = || log.open().map_err(SuperviseError::file(log.path()));
    let mut command = server.command();
    // Not killed on drop: the spawner's end gives it its death signal, which lets it clean up.
    command.stdin(Stdio::null()).stdout(log_file()?).stderr(log_file()?).kill_on_drop(false);
    spawner.spawn(command).await.map_err(|error| dead::<S>(log, format!("does not start ({error})")))
}

fn dead<S: Server>(log: &Log, what: String) -> SuperviseError {
    SuperviseError::Server {
        server: S::NAME,
        what,
        log: log.path().to_path_buf(),
        last_words: log.last_words(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_between_starts_grows_to_its_bound() {
        assert_eq!(back_off(1), FIRST_BACK_OFF);
        assert_eq!(back_off(3), FIRST_BACK_OFF * 4);
        assert_eq!(back_off(u32::MAX), LONGEST_BACK_OFF);
    }
}
