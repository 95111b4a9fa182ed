//! The program in processes of its own, to be killed, frozen and asked bad questions. They end with the test.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::{LONG, Own, until};

/// A role that has not found its servers by then has ended.
const START: Duration = Duration::from_secs(10);

/// The program, with nothing of this shell's own settings. `setpriv` lets the kernel end it when the thread of the
/// test ends, however that comes about.
pub(crate) fn program() -> Command {
    program_after(&[])
}

/// The program, started by another that takes these words.
fn program_after(starter: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).args(starter).arg(env!("CARGO_BIN_EXE_storytovideo"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("STORYTOVIDEO_") && text != "STORYTOVIDEO_CACHE_DIR" {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program to its end.
pub(crate) async fn run(folder: &Path, words: &[&str]) -> Said {
    let running = program().args(words).current_dir(folder).output();
    let output = tokio::time::timeout(4 * LONG, running).await;
    let output = output.unwrap_or_else(|_| panic!("{words:?} does not end")).unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// One role in a process of its own, its log in a file.
pub(crate) struct Role {
    words: Vec<String>,
    database_url: String,
    nats_url: String,
    log: PathBuf,
    /// Files that it may have open, if fewer than usual.
    files: Option<u32>,
    child: Child,
    started: Instant,
}

impl Role {
    /// An API, and its address.
    pub(crate) async fn api(own: &Own, database_url: &str, files: Option<u32>) -> (Self, SocketAddr) {
        let words = ["api", "--bind", "127.0.0.1:0"];
        let mut api = Self::start_within(files, own, database_url, "api", 40, &words);
        let address = until("the API says where it listens", LONG, async || {
            api.keep_alive();
            let said = api.log();
            let address = said.lines().find_map(|line| line.split_once("listens on http://"));
            address.map(|(_, address)| address.parse().unwrap()).ok_or(said)
        });
        let address = address.await;
        (api, address)
    }

    /// Starts the role that these words name, on a test's servers.
    pub(crate) fn start(
        own: &Own,
        database_url: &str,
        name: &str,
        lease_seconds: u32,
        words: &[&str],
    ) -> Self {
        Self::start_within(None, own, database_url, name, lease_seconds, words)
    }

    fn start_within(
        files: Option<u32>,
        own: &Own,
        database_url: &str,
        name: &str,
        lease_seconds: u32,
        words: &[&str],
    ) -> Self {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        words.extend(["--lease-seconds".to_owned(), lease_seconds.to_string(), "--media".to_owned()]);
        words.push(own.media().to_string_lossy().into_owned());
        let log = own.file(&format!("{name}.log"));
        let is_worker = words.first().is_some_and(|role| role == "worker");
        let nats_url = if is_worker { own.worker_nats_url() } else { own.nats_url().to_owned() };
        let database_url = database_url.to_owned();
        let child = spawn(&words, &database_url, &nats_url, &log, files);
        Self { words, database_url, nats_url, log, files, child, started: Instant::now() }
    }

    /// A worker that sleeps in place of working, and notes what it does.
    pub(crate) fn sleeper(
        own: &Own,
        database_url: &str,
        (name, kinds): (&str, &[&str]),
        lease_seconds: u32,
        millis: u64,
    ) -> Self {
        let (millis, notes) = (millis.to_string(), own.file("notes"));
        let mut words = vec!["worker", "--name", name, "--sleeping-ms", &millis, "--sleeping-notes"];
        let work = own.file("workers");
        words.extend([notes.to_str().unwrap(), "--work", work.to_str().unwrap()]);
        words.extend(kinds);
        Self::start(own, database_url, name, lease_seconds, &words)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid().cast_signed()).unwrap(), signal).unwrap();
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("the role runs")
    }

    /// Files and sockets that it has open.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// `kill -9`, and a new start.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
        self.start_again();
    }

    /// Starts the role again if it ended because a server was not there yet when it started, as whoever runs it
    /// would. Once it runs, it must bear everything.
    pub(crate) fn keep_alive(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            let is_start = self.started.elapsed() < START;
            assert!(is_start, "{:?} ended with {status}: {}", self.words, self.said());
            println!("{:?} ended with {status} and is started again: {}", self.words, self.said());
            self.start_again();
        }
    }

    fn start_again(&mut self) {
        self.child = spawn(&self.words, &self.database_url, &self.nats_url, &self.log, self.files);
        self.started = Instant::now();
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = tokio::time::timeout(LONG, self.child.wait()).await;
        let status =
            status.unwrap_or_else(|_| panic!("{:?} does not stop: {}", self.words, self.said())).unwrap();
        assert!(status.success(), "{:?} ended with {status}: {}", self.words, self.said());
    }

    /// All it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Bytes it has in memory.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }

    fn said(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// What a sleeping worker noted.
#[derive(Debug)]
pub(crate) struct Note {
    /// Whether a run started, as against ended.
    pub(crate) starts: bool,
    /// Milliseconds since 1970.
    pub(crate) millis: i64,
    /// The kind of the job.
    pub(crate) kind: String,
    /// The hash of its specification.
    pub(crate) spec: String,
}

/// What the sleeping workers on these servers noted so far.
pub(crate) fn notes(own: &Own) -> Vec<Note> {
    let text = fs::read_to_string(own.file("notes")).unwrap_or_default();
    let note = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let mut word = || words.next().expect("four words in a note");
        let starts = word() == "start";
        Note { starts, millis: word().parse().unwrap(), kind: word(), spec: word() }
    };
    text.lines().map(note).collect()
}

fn spawn(words: &[String], database_url: &str, nats_url: &str, log: &Path, files: Option<u32>) -> Child {
    let log = || File::options().create(true).append(true).open(log).unwrap();
    let limit = files.map(|files| format!("--nofile={files}:{files}"));
    let starter = limit.as_deref().map(|limit| ["prlimit", limit, "--"]);
    program_after(starter.as_ref().map_or(&[], |words| words.as_slice()))
        .args(words)
        .env("STORYTOVIDEO_DATABASE_URL", database_url)
        .env("STORYTOVIDEO_NATS_URL", nats_url)
        .stdout(log())
        .stderr(log())
        .spawn()
        .unwrap()
}
