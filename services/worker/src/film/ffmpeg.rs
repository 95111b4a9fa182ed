//! Runs ffmpeg: explicit arguments and never a shell, no network, bounded time and output, and no child left
//! behind. A run that is dropped kills its process; whoever feeds or drains it then finds a broken pipe and ends.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// Last bytes of ffmpeg's messages that are kept for its error.
const KEPT_MESSAGES: usize = 4_096;
/// Largest picture that is decoded, in pixels; also refused before decoding.
const MOST_PIXELS: &str = "67108864";
/// Largest piece of memory that it may take at once, in bytes: such a picture with four bytes a pixel, and some more.
/// A few bytes of a PNG's profile or comment unpack to as much as there is.
const MOST_MEMORY: &str = "300000000";

/// How a run of ffmpeg fails.
#[derive(Debug, thiserror::Error)]
pub enum FfmpegError {
    /// It could not be started.
    #[error("ffmpeg could not be started at {program}")]
    Start {
        /// The program asked for.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It ran and failed.
    #[error("ffmpeg failed while {doing}: {messages}")]
    Failed {
        /// What it was asked to do, for people.
        doing: &'static str,
        /// Its last words.
        messages: String,
    },
    /// It was killed for running too long.
    #[error("ffmpeg took more than {seconds} s while {doing} and was ended")]
    TooLong {
        /// What it was asked to do, for people.
        doing: &'static str,
        /// Its limit.
        seconds: u64,
    },
    /// No room for what it writes.
    #[error("the disk is full (while {doing})")]
    DiskFull {
        /// What it was asked to do, for people.
        doing: &'static str,
    },
    /// Its pipes broke, or whoever fed it failed.
    #[error("the connection to ffmpeg broke while {doing}")]
    Pipe {
        /// What it was asked to do, for people.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// An ffmpeg to run, and the folder to run it in.
#[derive(Debug, Clone)]
pub(super) struct Ffmpeg {
    pub(super) program: PathBuf,
    /// Names in arguments without a folder are in here.
    pub(super) folder: PathBuf,
    /// One run may take this long.
    pub(super) limit: Duration,
}

/// The arguments of one run.
#[derive(Debug, Clone)]
pub(super) struct Job {
    doing: &'static str,
    arguments: Vec<OsString>,
}

impl Job {
    /// A run that is described as `doing` in errors.
    pub(super) fn new(doing: &'static str) -> Self {
        let job = Self { doing, arguments: Vec::new() };
        job.args(["-hide_banner", "-nostdin", "-loglevel", "warning", "-max_alloc", MOST_MEMORY, "-y"])
    }

    pub(super) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(super) fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(arguments.into_iter().map(OsString::from));
        self
    }

    /// The error of a run that ended well and did not do what it should.
    pub(super) fn failed(&self, messages: String) -> FfmpegError {
        FfmpegError::Failed { doing: self.doing, messages }
    }

    /// Messages as one short text that says nothing of this machine: files are called by their names alone.
    fn readable(&self, messages: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(messages).into_owned();
        for argument in &self.arguments {
            let argument = argument.to_string_lossy();
            let path = Path::new(argument.strip_prefix("file:").unwrap_or(&argument));
            if let Some(name) = path.file_name().filter(|_| path.is_absolute()) {
                text = text.replace(&*argument, &name.to_string_lossy());
            }
        }
        // What speaks, with its address: `[wav @ 0x557cc938ca80] `.
        let words = |line| str::split_once(line, "] ").map_or(line, |(_, words)| words).trim();
        let lines: Vec<_> = text.lines().map(words).filter(|line| !line.is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(8)..];
        if last.is_empty() { "it said nothing".to_owned() } else { last.join(" | ") }
    }

    /// Reads a file of a known format, and nothing that the file may point to.
    pub(super) fn input(self, format: &str, path: &Path) -> Self {
        let mut url = OsString::from("file:");
        url.push(path);
        self.args(["-protocol_whitelist", "file,pipe", "-max_pixels", MOST_PIXELS, "-f", format, "-i"])
            .arg(url)
    }

    /// Reads raw frames from standard input.
    pub(super) fn raw_frames(self, width: u32, height: u32, fps: u32) -> Self {
        self.args(["-protocol_whitelist", "file,pipe", "-f", "rawvideo", "-pix_fmt", "yuv420p"])
            .args(["-color_range", "tv", "-video_size", &format!("{width}x{height}")])
            .args(["-framerate", &fps.to_string(), "-i", "pipe:0"])
    }
}

/// A run that somebody reads from. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Decoder(#[expect(dead_code, reason = "held for its drop")] Child);

/// A started ffmpeg, with the pipes that its user asked for.
struct Running {
    child: Child,
    doing: &'static str,
}

impl Ffmpeg {
    /// Runs to the end, and returns what it wrote to standard output, of which no more than `most` bytes are
    /// kept.
    pub(super) async fn output(&self, job: &Job, most: usize) -> Result<Vec<u8>, FfmpegError> {
        let running = self.start(job, Stdio::null(), Stdio::piped())?;
        self.finish(job, running, most, std::future::ready(Ok(()))).await
    }

    /// Runs to the end while `feed`, on a thread of its own, writes its standard input. Returns what it wrote to
    /// standard output (at most 64 KiB), and what `feed` says.
    pub(super) async fn feed<T: Send + 'static>(
        &self,
        job: &Job,
        feed: impl FnOnce(File) -> io::Result<T> + Send + 'static,
    ) -> Result<(Vec<u8>, T), FfmpegError> {
        let mut running = self.start(job, Stdio::piped(), Stdio::piped())?;
        let pipe = |source| FfmpegError::Pipe { doing: job.doing, source };
        let stdin = running.child.stdin.take().ok_or_else(|| pipe(io::ErrorKind::BrokenPipe.into()))?;
        let stdin = File::from(stdin.into_owned_fd().map_err(pipe)?);
        let mut fed = None;
        let feeding = async {
            fed = Some(blocking(move || feed(stdin)).await?);
            Ok(())
        };
        let output = self.finish(job, running, 65_536, feeding).await?;
        Ok((output, fed.ok_or_else(|| pipe(io::ErrorKind::BrokenPipe.into()))?))
    }

    /// Runs to the end while `drain`, on a thread of its own, reads its standard output.
    pub(super) async fn drain<T: Send + 'static>(
        &self,
        job: &Job,
        drain: impl FnOnce(File) -> io::Result<T> + Send + 'static,
    ) -> Result<T, FfmpegError> {
        let mut running = self.start(job, Stdio::null(), Stdio::piped())?;
        let stdout = running.stdout()?;
        let mut drained = None;
        let draining = async {
            drained = Some(blocking(move || drain(stdout)).await?);
            Ok(())
        };
        self.finish(job, running, 0, draining).await?;
        drained.ok_or(FfmpegError::Pipe { doing: job.doing, source: io::ErrorKind::BrokenPipe.into() })
    }

    /// Starts a run whose standard output is read by somebody else.
    pub(super) fn open(&self, job: &Job) -> Result<(File, Decoder), FfmpegError> {
        // Nobody would read its messages, and a full pipe would stop it.
        let mut running = self.start(job, Stdio::null(), Stdio::null())?;
        let stdout = running.stdout()?;
        Ok((stdout, Decoder(running.child)))
    }

    fn start(&self, job: &Job, stdin: Stdio, stderr: Stdio) -> Result<Running, FfmpegError> {
        let child = Command::new(&self.program)
            .args(&job.arguments)
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env("XDG_CACHE_HOME", self.folder.join("cache"))
            .env("FONTCONFIG_FILE", self.folder.join(super::fonts::CONFIGURATION))
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn();
        match child {
            Ok(child) => Ok(Running { child, doing: job.doing }),
            Err(source) => {
                Err(FfmpegError::Start { program: self.program.to_string_lossy().into_owned(), source })
            }
        }
    }

    /// Waits for the end of the process and of whoever serves its pipes.
    async fn finish(
        &self,
        job: &Job,
        mut running: Running,
        most: usize,
        served: impl Future<Output = io::Result<()>>,
    ) -> Result<Vec<u8>, FfmpegError> {
        let doing = job.doing;
        let stdout = running.child.stdout.take();
        let stderr = running.child.stderr.take();
        let work = async {
            tokio::join!(head(stdout, most), tail(stderr, KEPT_MESSAGES), served, running.child.wait())
        };
        let Ok((output, messages, served, status)) = tokio::time::timeout(self.limit, work).await else {
            return Err(FfmpegError::TooLong { doing, seconds: self.limit.as_secs() });
        };
        let messages = job.readable(&messages);
        let full = served.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::StorageFull);
        if full || messages.contains("No space left on device") {
            return Err(FfmpegError::DiskFull { doing });
        }
        match status {
            // Its own words say more than the broken pipe that follows from its end.
            Ok(status) if !status.success() => Err(FfmpegError::Failed { doing, messages }),
            Ok(_) => {
                served.map_err(|source| FfmpegError::Pipe { doing, source })?;
                Ok(output)
            }
            Err(source) => Err(FfmpegError::Pipe { doing, source }),
        }
    }
}

impl Running {
    fn stdout(&mut self) -> Result<File, FfmpegError> {
        let pipe = |source| FfmpegError::Pipe { doing: self.doing, source };
        let stdout = self.child.stdout.take().ok_or_else(|| pipe(io::ErrorKind::BrokenPipe.into()))?;
        Ok(File::from(stdout.into_owned_fd().map_err(pipe)?))
    }
}

/// Runs `work` on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Reads to the end and keeps the first `most` bytes.
async fn head(pipe: Option<impl AsyncRead + Unpin>, most: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    each_chunk(pipe, |chunk| {
        let room = most - kept.len();
        kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
    })
    .await;
    kept
}

/// Reads to the end and keeps about the last `most` bytes.
async fn tail(pipe: Option<impl AsyncRead + Unpin>, most: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    each_chunk(pipe, |chunk| {
        kept.extend_from_slice(chunk);
        let surplus = kept.len().saturating_sub(most);
        kept.drain(..surplus);
    })
    .await;
    kept
}

async fn each_chunk(pipe: Option<impl AsyncRead + Unpin>, mut use_chunk: impl FnMut(&[u8])) {
    let Some(mut pipe) = pipe else { return };
    // Not an array: it would be a part of every future around this one.
    let mut buffer = vec![0; 8_192];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        use_chunk(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A program that reads its input and then does what `script` says, in place of ffmpeg.
    async fn fed(script: &str, limit: Duration) -> FfmpegError {
        let ffmpeg = Ffmpeg { program: "sh".into(), folder: std::env::temp_dir(), limit };
        let job = Job { doing: "trying", arguments: ["-c", script].map(OsString::from).to_vec() };
        ffmpeg.feed(&job, |mut pipe| pipe.write_all(b"frame")).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_full_disk_is_called_that() {
        let full =
            fed("cat; echo 'a.mp4: No space left on device' >&2; exit 1", Duration::from_secs(60)).await;
        assert!(matches!(full, FfmpegError::DiskFull { doing: "trying" }), "{full}");
    }

    #[tokio::test]
    async fn the_last_words_of_a_failure_are_kept() {
        let failed =
            fed("cat; yes lost | head -n 9999 >&2; echo last words >&2; exit 1", Duration::from_secs(60));
        let words = failed.await.to_string();
        assert!(words.ends_with("last words") && words.len() < 200, "{words}");
    }

    #[test]
    fn what_it_says_tells_nothing_of_the_machine() {
        let job = Job::new("trying").input("wav", Path::new("/srv/a folder/ab.wav"));
        let said = b"[wav @ 0x557cc938ca80] no 'fmt ' tag\nfile:/srv/a folder/ab.wav: Invalid data\n";
        assert_eq!(job.readable(said), "no 'fmt ' tag | ab.wav: Invalid data");
    }

    #[tokio::test]
    async fn a_run_that_takes_too_long_is_ended() {
        let late = fed("exec sleep 1000", Duration::from_millis(50)).await;
        assert!(matches!(late, FfmpegError::TooLong { .. }), "{late}");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let program = PathBuf::from("/nowhere/ffmpeg");
        let ffmpeg = Ffmpeg { program, folder: std::env::temp_dir(), limit: Duration::from_secs(60) };
        let missing = ffmpeg.output(&Job::new("trying"), 0).await.unwrap_err();
        let failure = domain::job::Failure::from(super::super::FilmError::from(missing));
        assert_eq!(failure.code, "ffmpeg_missing");
        assert!(failure.message.contains("/nowhere/ffmpeg: "), "{failure}");
    }
}
