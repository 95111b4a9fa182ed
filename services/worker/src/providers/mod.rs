//! Providers: what turns a specification into media.

pub mod bench;
pub mod builtin;
pub mod external;

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;

use bytes::Bytes;
use domain::asset::AssetKey;
use domain::desk::Job;
use domain::job::{Failure, MadeWith, SegmentCounts, Spec, StoryboardOutput};
use infra::runtime::CancellationToken;
use tokio::sync::watch;

/// Makes what jobs ask for.
pub trait Provider: std::fmt::Debug + Send + Sync + 'static {
    /// Does one job. Dropping the future stops it and leaves nothing running.
    fn run(&self, spec: &Spec, context: &JobContext) -> impl Future<Output = Result<Made, Failure>> + Send;
}

/// What a job may use while it runs.
#[derive(Debug)]
pub struct JobContext {
    /// Which attempt of which task it is.
    pub job: Job,
    /// An empty folder of its own, removed afterwards.
    pub work: PathBuf,
    /// Where the assets lie that the specification names.
    pub inputs: HashMap<AssetKey, PathBuf>,
    /// How far it is.
    pub progress: watch::Sender<ProgressReport>,
    /// Cancelled when the job is not wanted any more.
    pub stop: CancellationToken,
}

/// How far a job is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProgressReport {
    /// 0 to 100.
    pub percent: u8,
    /// What it is doing.
    pub message: String,
    /// Seconds left, if known.
    pub eta_seconds: Option<f64>,
}

/// What a job made.
#[derive(Debug)]
pub struct Made {
    /// The files.
    pub files: Files,
    /// What made them; the time is filled in by the worker.
    pub made_with: MadeWith,
}

/// The files of a result.
#[derive(Debug)]
pub enum Files {
    /// Shots; no file at all.
    Storyboard(StoryboardOutput),
    /// A picture, clip or voice.
    Media(MadeFile),
    /// A film.
    Film(Box<FilmFiles>),
}

/// One file.
#[derive(Debug)]
pub struct MadeFile {
    /// Its bytes or where they are.
    pub content: Content,
    /// Its extension, without the dot.
    pub extension: &'static str,
    /// Its length in seconds, measured; absent for pictures and text.
    pub duration_seconds: Option<f64>,
}

/// Where a file's bytes are.
#[derive(Debug)]
pub enum Content {
    /// In memory.
    Bytes(Bytes),
    /// In the work folder.
    File(PathBuf),
}

/// The files of a film and its facts.
#[derive(Debug)]
pub struct FilmFiles {
    /// The MP4 or WebM.
    pub film: MadeFile,
    /// SubRip subtitles.
    pub srt: MadeFile,
    /// WebVTT subtitles.
    pub vtt: MadeFile,
    /// A JPEG.
    pub poster: MadeFile,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Length in seconds.
    pub duration_seconds: f64,
    /// What had to be encoded.
    pub segments: SegmentCounts,
    /// What went wrong without failing the film.
    pub warnings: Vec<String>,
}
