//! Puts a film together from its encoded parts, without encoding them again, and takes its poster.

use std::io::Write;
use std::path::Path;

use domain::settings::FilmFormat;

use super::camera::{FLAT, contrast};
use super::captions;
use super::codec::codec;
use super::error::FilmError;
use super::ffmpeg::{Ffmpeg, Job};
use super::plan::{Content, FilmPlan, Look, Profile, Slice};
use super::segment::{Encoded, Encoder};

/// How many shots are tried for the poster.
const POSTER_SHOTS: usize = 3;

/// Joins the segments and the sound into `film`. `subtitles`, if given, become a soft track.
pub(super) async fn join(
    ffmpeg: &Ffmpeg,
    plan: &FilmPlan,
    segments: &[Encoded],
    labels: &Labels<'_>,
    film: &Path,
) -> Result<(), FilmError> {
    let list: String = segments.iter().map(|segment| format!("file {}\n", segment.name)).collect();
    let list = format!("ffconcat version 1.0\n{list}");
    let written = tokio::fs::write(ffmpeg.folder.join("segments.ffconcat"), list).await;
    written.map_err(|source| FilmError::Disk { doing: "listing the segments", source })?;
    let codec = codec(plan.profile.format);
    let whitelist = ["-protocol_whitelist", "file,pipe"];
    let mut job = Job::new("joining the film")
        .args(whitelist)
        .args(["-f", "concat", "-i", "segments.ffconcat"])
        .args(whitelist)
        .args(["-f", codec.demuxer, "-i", codec.sound_file]);
    if let Some(srt) = labels.soft_captions {
        job = job.input("srt", srt);
    }
    job = job.args(["-map", "0:v:0", "-map", "1:a:0", "-c:v", "copy", "-c:a", "copy", "-map_metadata", "-1"]);
    if labels.soft_captions.is_some() {
        job = job.args(["-map", "2:s:0", "-c:s", codec.captions, "-disposition:s:0", "default"]);
    }
    if let Some(language) = three_letters(labels.language) {
        let language = format!("language={language}");
        job = job.args(["-metadata:s:a", &language, "-metadata:s:s", &language]);
    }
    let title = captions::clean(labels.title);
    job = job.args(["-metadata", &format!("title={title}")]);
    if plan.profile.format == FilmFormat::Mp4 {
        let ticks = plan.profile.fps.to_string();
        job = job.args(["-movflags", "+faststart", "-video_track_timescale", &ticks]);
    }
    ffmpeg.output(&job.args(["-f", codec.muxer]).arg(film), 0).await?;
    Ok(())
}

/// What is written beside pictures and sound.
pub(super) struct Labels<'a> {
    pub(super) title: &'a str,
    /// BCP 47.
    pub(super) language: &'a str,
    /// The SubRip file of the soft track.
    pub(super) soft_captions: Option<&'a Path>,
}

/// MP4 names languages by ISO 639-2; those that the film is likely to be in.
fn three_letters(language: &str) -> Option<&'static str> {
    let known = [
        ("en", "eng"),
        ("zh", "zho"),
        ("de", "deu"),
        ("fr", "fra"),
        ("es", "spa"),
        ("it", "ita"),
        ("pt", "por"),
        ("ru", "rus"),
        ("ja", "jpn"),
        ("ko", "kor"),
        ("ar", "ara"),
        ("th", "tha"),
        ("hi", "hin"),
        ("vi", "vie"),
        ("nl", "nld"),
        ("pl", "pol"),
        ("tr", "tur"),
        ("uk", "ukr"),
        ("he", "heb"),
        ("id", "ind"),
        ("sv", "swe"),
    ];
    let primary = language.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    known.into_iter().find(|(two, _)| *two == primary).map(|(_, three)| three)
}

/// Writes a JPEG of the first good frame: of an early shot, not flat, without captions.
pub(super) async fn poster(encoder: &Encoder<'_>, file: &Path) -> Result<(), FilmError> {
    let Profile { width, height, fps, .. } = encoder.plan.profile;
    let mut best: Option<(f64, Vec<u8>)> = None;
    for slice in poster_slices(encoder.plan) {
        let frame = encoder.still(slice).await?;
        let contrast = contrast(&frame[..(width * height) as usize]);
        if best.as_ref().is_none_or(|(least, _)| contrast > *least) {
            best = Some((contrast, frame));
        }
        if contrast >= FLAT {
            break;
        }
    }
    let Some((_, frame)) = best else {
        return Err(FilmError::Wrong("it has no frame for a poster".to_owned()));
    };
    let job = Job::new("writing the poster")
        .raw_frames(width, height, fps)
        .args(["-frames:v", "1", "-vf", "scale=in_color_matrix=bt709:out_color_matrix=bt601:out_range=pc"])
        .args(["-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-q:v", "3", "-f", "image2", "-update", "1"])
        .arg(file);
    encoder.ffmpeg.feed(&job, move |mut pipe| pipe.write_all(&frame)).await?;
    Ok(())
}

/// The middles of the first shots; title cards only when there is nothing else.
fn poster_slices(plan: &FilmPlan) -> Vec<Slice> {
    let bodies = || {
        plan.segments.iter().filter_map(|segment| match segment.content {
            Content::Body(slice) => Some(Slice { at: slice.at + segment.frames / 2, ..slice }),
            Content::Transition { .. } => None,
        })
    };
    let is_card = |slice: &Slice| matches!(plan.shots[slice.shot].look, Look::Card { .. });
    let pictures: Vec<_> = bodies().filter(|slice| !is_card(slice)).take(POSTER_SHOTS).collect();
    if pictures.is_empty() { bodies().take(1).collect() } else { pictures }
}
