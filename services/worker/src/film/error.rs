//! How a render fails, and whether trying again may help.

use std::io;

use domain::asset::AssetKey;
use domain::job::Failure;
use domain::settings::FilmFormat;

use super::ffmpeg::FfmpegError;
use super::input::InputError;
use super::plan::PlanError;

/// Why there is no film.
#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    /// The specification is no film.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An input may not be decoded.
    #[error(transparent)]
    Input(#[from] InputError),
    /// ffmpeg could not do it.
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
    /// The ffmpeg here was built without what the film's format needs.
    #[error(
        "the ffmpeg of this worker has no encoder {encoder}, without which it makes no films in {format}: ask for \
         another format, or install an ffmpeg that has it (`storytovideo doctor` tells which one is used)"
    )]
    NoEncoder {
        /// What was asked for.
        format: FilmFormat,
        /// By ffmpeg's name.
        encoder: &'static str,
    },
    /// An input that the specification names was not fetched.
    #[error("the film needs {asset}, which was not fetched")]
    MissingInput {
        /// Which.
        asset: AssetKey,
    },
    /// A picture, clip or voice that looked right and could not be decoded.
    #[error("{asset} could not be decoded: {why}")]
    Undecodable {
        /// Which.
        asset: AssetKey,
        /// The decoder's last words.
        why: String,
    },
    /// A segment came out with the wrong number of frames.
    #[error("segment {index} has {encoded} frames instead of {expected}")]
    Segment {
        /// Place in the plan, from 0.
        index: usize,
        /// Frames planned.
        expected: u64,
        /// Frames encoded.
        encoded: u64,
    },
    /// The finished film is not what was planned, and is not published.
    #[error("the finished film is wrong: {0}")]
    Wrong(String),
    /// The work folder could not be used.
    #[error("the work folder failed while {doing}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The whole render took more than 20 minutes.
    #[error("the render took more than 20 minutes and was ended")]
    TooLong,
    /// It was told to stop.
    #[error("the render was cancelled")]
    Cancelled,
}

impl FilmError {
    /// Blames an input for a failed decoding, and nothing else for anything else.
    pub(super) fn decoding(asset: &AssetKey, error: FfmpegError) -> Self {
        match error {
            FfmpegError::Failed { messages, .. } => Self::Undecodable { asset: asset.clone(), why: messages },
            error => Self::Ffmpeg(error),
        }
    }

    /// Stable snake_case word.
    fn code(&self) -> &'static str {
        match self {
            _ if self.is_disk_full() => "disk_full",
            Self::Plan(_) => "film_not_possible",
            Self::Input(_) | Self::Undecodable { .. } => "film_input_unusable",
            Self::MissingInput { .. } => "film_input_missing",
            Self::Ffmpeg(FfmpegError::Start { .. }) => "ffmpeg_missing",
            Self::NoEncoder { .. } => "encoder_missing",
            Self::TooLong | Self::Ffmpeg(FfmpegError::TooLong { .. }) => "film_too_slow",
            Self::Ffmpeg(_) => "ffmpeg_failed",
            Self::Segment { .. } | Self::Wrong(_) => "film_wrong",
            Self::Disk { .. } => "work_folder",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn is_disk_full(&self) -> bool {
        match self {
            Self::Ffmpeg(FfmpegError::DiskFull { .. }) => true,
            Self::Disk { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    /// Whether the same render may succeed later or elsewhere.
    fn retryable(&self) -> bool {
        match self {
            Self::Plan(_) | Self::Cancelled | Self::Undecodable { .. } | Self::NoEncoder { .. } => false,
            // It would take as long again; whoever has a faster worker retries it.
            Self::TooLong | Self::Ffmpeg(FfmpegError::TooLong { .. }) => false,
            Self::Input(error) => matches!(error, InputError::Unreadable { .. }),
            Self::Ffmpeg(_) | Self::MissingInput { .. } | Self::Segment { .. } => true,
            Self::Wrong(_) | Self::Disk { .. } => true,
        }
    }
}

impl From<FilmError> for Failure {
    fn from(error: FilmError) -> Self {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self { code: error.code().to_owned(), message, retryable: error.retryable() }
    }
}
