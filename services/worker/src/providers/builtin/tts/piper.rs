//! Keeps Piper processes with a loaded voice and hands them sentences. Loading takes a second or two, a sentence a
//! tenth of its length.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;

use super::sound::Sound;
use super::{Piper, SpeakError};

/// The program that the Python interpreter runs.
const SERVER: &str = include_str!("piper_server.py");
/// From start to a loaded voice, on a slow disk.
const START_LIMIT: Duration = Duration::from_secs(90);
/// One piece of at most 300 characters takes about two seconds.
const PIECE_LIMIT: Duration = Duration::from_secs(60);
/// Longest line of an answer, in bytes.
const MAX_LINE: u64 = 4_096;
/// Longest sound of one answer, in bytes: ten minutes.
const MAX_BYTES: usize = 10 * 60 * 22_050 * 2;
/// Threads of one process. On two busy cores a second one gained nothing; more processes bear more.
const THREADS: &str = "1";
/// What a process may see of the environment: enough to start Python, no secrets.
const ENVIRONMENT: [&str; 7] =
    ["PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "PYENV_ROOT", "SYSTEMROOT"];

/// A bounded number of Piper processes, started when they are needed.
#[derive(Debug)]
pub(super) struct PiperPool {
    tool: Piper,
    permits: Semaphore,
    idle: Mutex<Vec<Process>>,
}

/// A line of an answer.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    Sound {
        rate: u32,
        bytes: usize,
    },
    Error {
        error: String,
    },
    Done {
        #[expect(dead_code, reason = "its presence is the message")]
        done: bool,
    },
}

impl PiperPool {
    /// At most `processes` processes of `tool`, at least one.
    pub(super) fn new(tool: Piper, processes: usize) -> Self {
        Self { tool, permits: Semaphore::new(processes.max(1)), idle: Mutex::default() }
    }

    /// Says one piece. A process that died since it was last used is replaced, once.
    pub(super) async fn say(&self, speed: f64, text: &str) -> Result<Vec<Sound>, SpeakError> {
        let _permit =
            self.permits.acquire().await.map_err(|_| SpeakError::Broken("Piper is closed".to_owned()))?;
        if let Some(process) = self.take_idle()
            && let Ok(sounds) = self.say_with(process, speed, text).await
        {
            return Ok(sounds);
        }
        let process = limit(START_LIMIT, Process::start(&self.tool)).await?;
        self.say_with(process, speed, text).await
    }

    /// Says one piece with a process, which is kept only if all went well.
    async fn say_with(&self, mut process: Process, speed: f64, text: &str) -> Result<Vec<Sound>, SpeakError> {
        let sounds = limit(PIECE_LIMIT, process.say(speed, text)).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        Ok(sounds)
    }

    fn take_idle(&self) -> Option<Process> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// A resident Python process. Killed when dropped; ends by itself when its input ends.
#[derive(Debug)]
struct Process {
    #[expect(dead_code, reason = "held so that the process is killed when this is dropped")]
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    /// Starts Python and waits until the voice is loaded.
    async fn start(tool: &Piper) -> Result<Self, SpeakError> {
        let mut child = command(&tool.python, &tool.packages)
            .spawn()
            .map_err(|source| SpeakError::Missing { program: tool.python.clone(), source })?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(SpeakError::Broken("Piper has no pipes".to_owned()));
        };
        let mut process = Self { child, stdin, stdout: BufReader::new(stdout) };
        match process.read().await? {
            Answer::Done { .. } => Ok(process),
            Answer::Error { error } => Err(SpeakError::NotStarted(error)),
            Answer::Sound { .. } => Err(SpeakError::Broken("Piper spoke before it was asked".to_owned())),
        }
    }

    async fn say(&mut self, speed: f64, text: &str) -> Result<Vec<Sound>, SpeakError> {
        let request = serde_json::json!({ "text": text, "speed": speed });
        self.stdin.write_all(format!("{request}\n").as_bytes()).await?;
        let mut sounds = Vec::new();
        let mut total = 0;
        loop {
            match self.read().await? {
                Answer::Done { .. } => return Ok(sounds),
                Answer::Error { error } => return Err(SpeakError::Broken(format!("Piper: {error}"))),
                Answer::Sound { rate, bytes } => {
                    total += bytes;
                    if total > MAX_BYTES {
                        return Err(SpeakError::Broken("Piper does not stop speaking".to_owned()));
                    }
                    let mut raw = vec![0; bytes];
                    self.stdout.read_exact(&mut raw).await?;
                    let samples =
                        raw.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
                    sounds.push(Sound { sample_rate: rate, samples });
                }
            }
        }
    }

    async fn read(&mut self) -> Result<Answer, SpeakError> {
        let mut line = Vec::new();
        (&mut self.stdout).take(MAX_LINE).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(SpeakError::Broken("Piper's process ended".to_owned()));
        }
        serde_json::from_slice(&line)
            .map_err(|error| SpeakError::Broken(format!("Piper answered something else: {error}")))
    }
}

/// Python in isolated mode: neither its environment variables nor installed packages change what runs.
fn command(python: &Path, packages: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .args(["-I", "-S", "-B", "-u", "-c", SERVER])
        .arg(packages)
        .arg(THREADS)
        .env_clear()
        .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn limit<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, SpeakError>>,
) -> Result<T, SpeakError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(SpeakError::TooSlow(limit)))
}
