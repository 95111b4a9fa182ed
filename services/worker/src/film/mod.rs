//! Renders films: plan, segments, sound, composition, proof.
//!
//! A render reads its inputs, writes into one folder, and leaves nothing behind when it fails, is cancelled or is
//! dropped: no process and no file.

mod camera;
pub mod captions;
mod codec;
mod compose;
mod error;
mod ffmpeg;
#[cfg(test)]
mod fixtures;
mod fonts;
mod frame;
mod input;
mod loudness;
pub mod music;
pub mod plan;
mod segment;
mod sound;
mod subtitles;
mod verify;
mod voice;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::asset::AssetKey;
use domain::job::{FilmMusic, FilmSpec, SegmentCounts};
use domain::settings::Captions;
use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::sync::CancellationToken;

pub use error::FilmError;
pub use ffmpeg::FfmpegError;
pub use input::InputError;
pub use plan::{FilmPlan, PlanError};
pub use voice::convert_voice;

use compose::Labels;
use ffmpeg::{Ffmpeg, blocking};
use input::Inputs;
use segment::{Encoded, Encoder, Held};
use sound::{Mix, Voice};

/// No render may take longer.
const LIMIT: Duration = Duration::from_secs(20 * 60);
/// A voice whose stored length is further off than this, in seconds, is worth a warning.
const WRONG_LENGTH: f64 = 0.1;
/// How often progress is told.
const TICK: Duration = Duration::from_millis(250);

/// The programs and fonts that a render uses.
#[derive(Debug, Clone)]
pub struct FilmTools {
    /// ffmpeg 5 or later, with libx264, libass and the AAC encoder (for WebM also libvpx and
    /// libopus): an absolute path, or a name to find in `PATH`.
    pub ffmpeg: PathBuf,
    /// Fonts for captions and title cards; together they should hold the film's script. Where a letter is in none
    /// of them, those of the system are asked.
    pub font_files: Vec<PathBuf>,
    /// The families to write in, as the files name them.
    pub fonts: FontFamilies,
    /// How many segments are encoded at a time; the cores that a render may use.
    pub threads: usize,
}

/// The families of fonts that captions are written in. A letter that is not in the one is taken from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FontFamilies {
    /// For every script but Chinese, Japanese and Korean; for example `DejaVu Sans`. A Chinese font draws curly
    /// quotes, apostrophes and ellipses as wide as its characters: without this family they are written straight.
    pub latin: Option<String>,
    /// For Chinese, Japanese and Korean; for example `Noto Sans CJK SC`.
    pub cjk: String,
}

/// How far a render is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Frames drawn.
    pub done: u64,
    /// Frames of the film; 0 while voices are being measured.
    pub frames: u64,
    /// Voices are measured first, and the parts joined last.
    pub stage: Stage,
}

/// What a render is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading and measuring the voices.
    Measuring,
    /// Encoding segments, and the sound beside them.
    Encoding,
    /// Joining and checking.
    Joining,
}

impl Progress {
    /// Per cent of the whole, 0 to 99: it is 100 only when the film is there.
    pub fn percent(&self) -> u8 {
        match self.stage {
            Stage::Measuring => 0,
            Stage::Encoding => (5 + self.done * 90 / self.frames.max(1)).min(95) as u8,
            Stage::Joining => 96,
        }
    }
}

/// A finished film, checked, in the work folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The film, its name ending as its format wants.
    pub film: PathBuf,
    /// Its captions as SubRip.
    pub srt: PathBuf,
    /// Its captions as WebVTT.
    pub vtt: PathBuf,
    /// A JPEG of its first good frame.
    pub poster: PathBuf,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Length in seconds, measured.
    pub duration_seconds: f64,
    /// What had to be encoded.
    pub segments: SegmentCounts,
    /// What went wrong without failing the film.
    pub warnings: Vec<String>,
}

/// Renders a film into `work`, an empty folder that belongs to this render. `inputs` says where each asset of the
/// specification lies. Takes at most 20 minutes.
///
/// # Errors
/// See [`FilmError`], which also converts to a [`domain::job::Failure`]. Nothing of ours is left in `work` then, nor
/// when the future is dropped.
pub async fn render(
    spec: &FilmSpec,
    inputs: &HashMap<AssetKey, PathBuf>,
    tools: &FilmTools,
    work: &Path,
    progress: impl Fn(Progress) + Send + Sync,
    cancel: &CancellationToken,
) -> Result<Rendered, FilmError> {
    // ffmpeg runs in a folder of its own, where a relative path would mean something else.
    let disk = |source| FilmError::Disk { doing: "finding the files", source };
    let work = std::path::absolute(work).map_err(disk)?;
    let absolute = |(key, path): (&AssetKey, &PathBuf)| Ok((key.clone(), std::path::absolute(path)?));
    let inputs = inputs.iter().map(absolute).collect::<io::Result<HashMap<_, _>>>().map_err(disk)?;
    let render = Render { spec, inputs: &inputs, tools, work: &work, progress: &progress };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(FilmError::Cancelled),
        rendered = tokio::time::timeout(LIMIT, render.run()) => rendered.unwrap_or(Err(FilmError::TooLong)),
    }
}

/// What a render is given.
struct Render<'a> {
    spec: &'a FilmSpec,
    inputs: &'a HashMap<AssetKey, PathBuf>,
    tools: &'a FilmTools,
    work: &'a Path,
    progress: &'a (dyn Fn(Progress) + Send + Sync),
}

/// Files and folders that go when it is dropped.
struct Scratch(Vec<PathBuf>);

impl Scratch {
    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for path in &self.0 {
            // What was never made needs no removing.
            _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        }
    }
}

/// The voices of a film by their asset.
type Voices = HashMap<AssetKey, Voice>;

impl Render<'_> {
    async fn run(&self) -> Result<Rendered, FilmError> {
        // Nothing is decoded for a film that cannot be planned.
        let format = FilmPlan::from(self.spec)?.profile.format;
        let film = format!("film.{}", codec::codec(format).extension);
        let outputs = [&film, "film.srt", "film.vtt", "poster.jpg"].map(|name| self.work.join(name));
        let kept = Scratch(outputs.to_vec());
        let folder = self.work.join("parts");
        let _parts = Scratch(vec![folder.clone()]);
        let ffmpeg = Ffmpeg { program: self.tools.ffmpeg.clone(), folder, limit: LIMIT };
        let inputs = self.prepare(&ffmpeg.folder).await?;
        codec::check(&ffmpeg, format).await?;
        let voices = self.voices(&ffmpeg, &inputs).await?;
        let (spec, mut warnings) = self.measured(&voices);
        let plan = FilmPlan::from(&spec)?;
        warnings.splice(0..0, plan.warnings.iter().cloned());
        let encoder = Encoder {
            ffmpeg,
            plan: &plan,
            inputs: &inputs,
            fonts: &self.tools.fonts,
            threads: (self.tools.threads / plan.segments.len()).max(1),
            pictures: Held::of(&plan),
        };
        let [film, srt, vtt, poster] = outputs;
        self.write_captions(&plan, &srt, &vtt).await?;
        let (segments, sound) = self.encode(&encoder, voices).await?;
        warnings.extend(sound.warning);
        warnings.extend(blackness(&plan, &segments));
        self.report(Stage::Joining, plan.frames, plan.frames);
        let labels = Labels {
            title: &spec.title,
            language: &spec.language,
            soft_captions: (spec.captions == Captions::Soft && !plan.captions.is_empty()).then_some(&srt),
        };
        compose::join(&encoder.ffmpeg, &plan, &segments, &labels, &film).await?;
        let duration_seconds = verify::film(&encoder.ffmpeg, &plan, &film, sound.audible).await?;
        compose::poster(&encoder, &poster).await?;
        kept.keep();
        let total = segments.len() as u32;
        let segments = SegmentCounts { total, encoded: total, reused: 0 };
        let plan::Profile { width, height, fps, .. } = plan.profile;
        Ok(Rendered { film, srt, vtt, poster, width, height, fps, duration_seconds, segments, warnings })
    }

    fn report(&self, stage: Stage, done: u64, frames: u64) {
        (self.progress)(Progress { done, frames, stage });
    }

    /// Makes the folder of the parts, puts the fonts there, and looks at the inputs.
    async fn prepare(&self, folder: &Path) -> Result<Inputs, FilmError> {
        self.report(Stage::Measuring, 0, 0);
        let (folder, files) = (folder.to_owned(), self.tools.font_files.clone());
        let (spec, paths) = (self.spec.clone(), self.inputs.clone());
        let look = blocking(move || {
            fonts::place(&folder, &files)?;
            Ok(Inputs::check(&spec, &paths))
        });
        look.await.map_err(|source| FilmError::Disk { doing: "preparing", source })?
    }

    /// Decodes and measures each voice once, however many shots speak it.
    async fn voices(&self, ffmpeg: &Ffmpeg, inputs: &Inputs) -> Result<Voices, FilmError> {
        let spoken = self.spec.shots.iter().filter_map(|shot| shot.voice.as_ref());
        let assets: BTreeSet<_> = spoken.map(|voice| &voice.asset).collect();
        let decode = |(index, asset): (usize, &AssetKey)| {
            let (asset, file) = (asset.clone(), inputs.media(asset));
            async move {
                let voice = sound::voice(ffmpeg, file?, index).await;
                let voice = voice.map_err(|error| FilmError::decoding(&asset, error))?;
                Ok((asset, voice))
            }
        };
        let decoded: Vec<_> = assets.into_iter().enumerate().map(decode).collect();
        stream::iter(decoded).buffer_unordered(self.tools.threads.max(1)).try_collect().await
    }

    /// The specification with the lengths that its voices really have.
    fn measured(&self, voices: &Voices) -> (FilmSpec, Vec<String>) {
        let mut spec = self.spec.clone();
        let mut warnings = Vec::new();
        for (shot, number) in spec.shots.iter_mut().zip(1..) {
            let Some(said) = &mut shot.voice else { continue };
            let Some(voice) = voices.get(&said.asset) else { continue };
            if (said.duration_seconds - voice.seconds).abs() > WRONG_LENGTH {
                let (stored, real) = (said.duration_seconds, voice.seconds);
                warnings.push(format!("the voice of shot {number} lasts {real:.2} s, not {stored:.2} s"));
            }
            if !voice.is_audible() {
                warnings.push(format!("the voice of shot {number} is silent"));
            }
            said.duration_seconds = voice.seconds;
        }
        (spec, warnings)
    }

    async fn write_captions(&self, plan: &FilmPlan, srt: &Path, vtt: &Path) -> Result<(), FilmError> {
        let fps = plan.profile.fps;
        for (path, text) in
            [(srt, subtitles::srt(&plan.captions, fps)), (vtt, subtitles::vtt(&plan.captions, fps))]
        {
            let written = tokio::fs::write(path, text).await;
            written.map_err(|source| FilmError::Disk { doing: "writing captions", source })?;
        }
        Ok(())
    }

    /// Encodes all segments, a few at a time, and the sound beside them.
    async fn encode(
        &self,
        encoder: &Encoder<'_>,
        voices: Voices,
    ) -> Result<(Vec<Encoded>, Sound), FilmError> {
        let plan = encoder.plan;
        let drawn = Arc::new(AtomicU64::new(0));
        let segment = |index| {
            let drawn = Arc::clone(&drawn);
            encoder.encode(index, move || _ = drawn.fetch_add(1, Ordering::Relaxed))
        };
        let segments = stream::iter((0..plan.segments.len()).map(segment))
            .buffered(self.tools.threads.max(1))
            .try_collect::<Vec<_>>();
        let sound = self.sound(&encoder.ffmpeg, plan, voices);
        let ticking = async {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                self.report(Stage::Encoding, drawn.load(Ordering::Relaxed), plan.frames);
            }
        };
        tokio::select! {
            made = async { tokio::try_join!(segments, sound) } => made,
            never = ticking => never,
        }
    }

    async fn sound(&self, ffmpeg: &Ffmpeg, plan: &FilmPlan, voices: Voices) -> Result<Sound, FilmError> {
        let (music, mut warning) = match sound::music(ffmpeg, plan, self.inputs).await {
            Ok(music) => (music, None),
            Err(error) if error.is_disk_full() => return Err(error),
            Err(error) => (None, Some(format!("the film has no music: {error}"))),
        };
        if music.is_none() && plan.music != FilmMusic::None {
            warning.get_or_insert("the film has no music: what was given is silent or too short".to_owned());
        }
        let audible =
            sound::encode(ffmpeg, codec::codec(plan.profile.format), Mix::new(plan, &voices, music)).await?;
        Ok(Sound { audible, warning })
    }
}

/// Warns of shots on which nothing is seen; a picture or clip may be meant to be black.
fn blackness(plan: &FilmPlan, segments: &[Encoded]) -> Vec<String> {
    let seconds = |frame: u64| frame as f64 / f64::from(plan.profile.fps);
    let black = plan.segments.iter().zip(segments).filter(|(_, encoded)| encoded.black);
    black
        .map(|(segment, _)| {
            let (from, to) = (seconds(segment.first_frame), seconds(segment.first_frame + segment.frames));
            format!("nothing but black is seen from {from:.1} s to {to:.1} s")
        })
        .collect()
}

/// What came of the sound.
struct Sound {
    audible: bool,
    warning: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_render_may_run_on_any_thread() {
        fn assert_send<T: Send>(_: &T) {}
        let fonts = FontFamilies { latin: None, cjk: "sans".to_owned() };
        let tools = FilmTools { ffmpeg: "ffmpeg".into(), font_files: Vec::new(), fonts, threads: 1 };
        let (spec, inputs) = (fixtures::film(Vec::new()), HashMap::new());
        let cancel = CancellationToken::new();
        assert_send(&render(&spec, &inputs, &tools, Path::new("/"), |_| {}, &cancel));
    }
}
