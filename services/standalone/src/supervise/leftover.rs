//! Ends a server that a killed run left on the data folder. It is known by its pid file, and believed only
//! when the process's command line names the same program and the same folder: pids are used again.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::SuperviseError;

/// How long a leftover may take to shut down before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked whether it has ended.
const POLL: Duration = Duration::from_millis(20);

/// A server as its pid file and command line show it.
pub(super) struct Leftover<'a> {
    pub(super) server: &'static str,
    pub(super) program: &'static str,
    pub(super) pid_file: &'a Path,
    /// An argument that only the server of this data folder has.
    pub(super) argument: &'a Path,
    /// Asks it to shut down.
    pub(super) stop: Signal,
}

impl Leftover<'_> {
    /// Ends the server if it still runs.
    ///
    /// # Errors
    /// [`SuperviseError::Leftover`] when it runs and cannot be ended.
    pub(super) async fn end(&self) -> Result<(), SuperviseError> {
        let Some(pid) = self.pid() else { return Ok(()) };
        // Opened before it is looked at, so that what is signalled is what was looked at.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(()) };
        if !self.is_it(pid) {
            return Ok(());
        }
        tracing::warn!(
            server = self.server,
            pid = pid.as_raw_nonzero().get(),
            "ending what an earlier run left"
        );
        for signal in [self.stop, Signal::KILL] {
            match pidfd_send_signal(&process, signal) {
                Ok(()) => {}
                Err(rustix::io::Errno::SRCH) => return Ok(()),
                Err(error) => return Err(self.error(pid, &error.to_string())),
            }
            if self.wait_for_end(pid).await {
                return Ok(());
            }
        }
        Err(self.error(pid, "it does not end"))
    }

    fn error(&self, pid: Pid, reason: &str) -> SuperviseError {
        let pid = pid.as_raw_nonzero().get();
        SuperviseError::Leftover { server: self.server, pid, reason: reason.to_owned() }
    }

    fn pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.pid_file).ok()?;
        Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
    }

    fn is_it(&self, pid: Pid) -> bool {
        let command_line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        let mut words = command_line.split(|&byte| byte == 0).map(OsStr::from_bytes);
        let program = words.next().map(Path::new).and_then(Path::file_name);
        program == Some(OsStr::new(self.program)) && words.any(|word| word == self.argument)
    }

    async fn wait_for_end(&self, pid: Pid) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !self.is_it(pid) {
                return true;
            }
            tokio::time::sleep(POLL).await;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};

    use super::*;

    fn run_as(program: &str, argument: &Path) -> Child {
        // `sh` shows any name and argument it is given.
        let script = "while :; do sleep 1; done";
        let mut child = Command::new("sh").arg0(program).args(["-c", script]).arg(argument).spawn().unwrap();
        // The kernel shows the command line only a moment after the program has begun.
        while fs::read(format!("/proc/{}/cmdline", child.id())).unwrap().is_empty() {
            assert_eq!(child.try_wait().unwrap(), None);
            std::thread::yield_now();
        }
        child
    }

    fn leftover<'a>(pid_file: &'a Path, argument: &'a Path) -> Leftover<'a> {
        Leftover { server: "test", program: "nats-server", pid_file, argument, stop: Signal::TERM }
    }

    #[tokio::test]
    async fn a_server_left_on_this_folder_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("pid");
        let mut left = run_as("/usr/bin/nats-server", folder.path());
        fs::write(&pid_file, format!("{}\nmore\n", left.id())).unwrap();
        let waiter = std::thread::spawn(move || left.wait().unwrap());
        leftover(&pid_file, folder.path()).end().await.unwrap();
        assert!(!waiter.join().unwrap().success());
    }

    #[tokio::test]
    async fn a_process_that_only_has_its_pid_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("pid");
        let mut another = run_as("nats-server", Path::new("/another/folder"));
        fs::write(&pid_file, another.id().to_string()).unwrap();
        leftover(&pid_file, folder.path()).end().await.unwrap();
        assert!(another.try_wait().unwrap().is_none());
        another.kill().unwrap();
        another.wait().unwrap();
    }
}
