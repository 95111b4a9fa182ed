//! What the formats of a film are made of: its encoders, their settings, and what a finished file says of itself.
//!
//! Segments lie in MP4 whatever is in them, as that counts time in frames; WebM, which counts it in milliseconds,
//! comes in only when they are joined.

use domain::settings::{FilmFormat, Quality};

use super::error::FilmError;
use super::ffmpeg::{Ffmpeg, Job};
use super::plan::Profile;

/// How a film of one format is made, by ffmpeg's names.
#[derive(Debug)]
pub(super) struct Codec {
    /// By the encoders' own names, those of pictures, of sound and of a soft track.
    encoders: [&'static str; 3],
    /// Of the finished file, without the dot.
    pub(super) extension: &'static str,
    pub(super) muxer: &'static str,
    pub(super) demuxer: &'static str,
    pub(super) video: &'static str,
    pub(super) sound: &'static str,
    /// Of a soft track of captions.
    pub(super) captions: &'static str,
    /// The file of the mixed sound, and the arguments that encode it.
    pub(super) sound_file: &'static str,
    pub(super) sound_encoder: &'static [&'static str],
}

const MP4: Codec = Codec {
    encoders: ["libx264", "aac", "mov_text"],
    extension: "mp4",
    muxer: "mp4",
    demuxer: "mov",
    video: "h264",
    sound: "aac",
    captions: "mov_text",
    sound_file: "sound.m4a",
    sound_encoder: &["-c:a", "aac", "-b:a", "160k", "-f", "mp4"],
};

const WEBM: Codec = Codec {
    encoders: ["libvpx-vp9", "libopus", "webvtt"],
    extension: "webm",
    muxer: "webm",
    demuxer: "matroska",
    video: "vp9",
    sound: "opus",
    captions: "webvtt",
    sound_file: "sound.webm",
    sound_encoder: &["-c:a", "libopus", "-b:a", "128k", "-f", "webm"],
};

/// How a film of this format is made.
pub(super) fn codec(format: FilmFormat) -> &'static Codec {
    match format {
        FilmFormat::Mp4 => &MP4,
        FilmFormat::Webm => &WEBM,
    }
}

/// Asks ffmpeg whether it can make films of this format, before anything is made that it cannot finish.
pub(super) async fn check(ffmpeg: &Ffmpeg, format: FilmFormat) -> Result<(), FilmError> {
    let job = Job::new("telling its encoders").arg("-encoders");
    let told = ffmpeg.output(&job, 1 << 20).await?;
    let told = String::from_utf8_lossy(&told);
    let known: Vec<&str> = told.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let mut encoders = codec(format).encoders.into_iter();
    match encoders.find(|encoder| !known.contains(encoder)) {
        Some(encoder) => Err(FilmError::NoEncoder { format, encoder }),
        None => Ok(()),
    }
}

/// Adds the encoder of the pictures: the same settings for every segment of a film, whatever is in it, as only so
/// can they be joined by copying.
pub(super) fn encoding(job: Job, profile: &Profile) -> Job {
    match (profile.format, profile.quality) {
        (FilmFormat::Mp4, Quality::Final) => h264(job, "veryfast", "20"),
        (FilmFormat::Mp4, Quality::Preview) => h264(job, "ultrafast", "26"),
        (FilmFormat::Webm, Quality::Final) => vp9(job, "5", "30"),
        (FilmFormat::Webm, Quality::Preview) => vp9(job, "8", "38"),
    }
}

fn h264(job: Job, preset: &str, crf: &str) -> Job {
    job.args(["-c:v", "libx264", "-preset", preset, "-crf", crf, "-profile:v", "high"]).args([
        "-flags",
        "+cgop",
        "-x264-params",
        "stitchable=1",
    ])
}

/// `realtime` is what makes the speeds above 5 possible.
fn vp9(job: Job, speed: &str, crf: &str) -> Job {
    job.args(["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", speed])
        .args(["-crf", crf, "-b:v", "0", "-row-mt", "1"])
}
