//! Makes the pixels of one segment and encodes it alone.
//!
//! Frames are drawn here and piped to the encoder, so that a transition goes on exactly where the body before it
//! stopped, and nothing depends on how an encoder's filters count.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use domain::asset::AssetKey;
use domain::settings::Fit;
use tokio::sync::Mutex;

use super::camera::{FLAT, Lens, Picture};
use super::error::FilmError;
use super::ffmpeg::{Decoder, Ffmpeg, FfmpegError, Job, blocking};
use super::frame::{Size, mix};
use super::input::Inputs;
use super::plan::{Camera, Content, FilmPlan, Look, Profile, Segment, Slice};
use super::{FontFamilies, codec, fonts, subtitles};

/// Brightest luma, of 16 to 235, of a frame on which nothing is seen.
const BLACK: u8 = 24;
/// Background of title cards.
const CARD_COLOUR: &str = "0x14161c";

/// Encodes the segments of one film.
pub(super) struct Encoder<'a> {
    pub(super) ffmpeg: Ffmpeg,
    pub(super) plan: &'a FilmPlan,
    pub(super) inputs: &'a Inputs,
    pub(super) fonts: &'a FontFamilies,
    pub(super) threads: usize,
    pub(super) pictures: Vec<Mutex<Held>>,
}

/// A shot's decoded picture, kept for as long as a segment still wants it.
#[derive(Debug)]
pub(super) struct Held {
    picture: Option<Arc<Picture>>,
    wanted: usize,
}

impl Held {
    /// One for each shot of the plan, with how many segments show it.
    pub(super) fn of(plan: &FilmPlan) -> Vec<Mutex<Self>> {
        let mut wanted = vec![0; plan.shots.len()];
        for slice in plan.segments.iter().flat_map(Segment::slices) {
            wanted[slice.shot] += 1;
        }
        wanted.into_iter().map(|wanted| Mutex::new(Self { picture: None, wanted })).collect()
    }
}

/// A segment that was encoded.
#[derive(Debug)]
pub(super) struct Encoded {
    /// Its file in the folder.
    pub(super) name: String,
    /// Whether nothing is seen on any of its frames.
    pub(super) black: bool,
}

/// Where a segment's frames come from, one after the other.
enum Source {
    Still { picture: Arc<Picture>, camera: Camera, at: u64, frames: u64, lens: Box<Lens> },
    Clip { decoded: File },
}

impl Encoder<'_> {
    /// Encodes a segment into `segment-<index>.mp4` in the folder. `drawn` is told of each frame.
    pub(super) async fn encode(
        &self,
        index: usize,
        drawn: impl Fn() + Send + 'static,
    ) -> Result<Encoded, FilmError> {
        let segment = &self.plan.segments[index];
        let size = Size::new(self.plan.profile.width, self.plan.profile.height);
        let mut sources = Vec::new();
        // Kept on this side of the drawing thread: dropping them ends a decoder on which that thread may wait.
        let mut decoders = Vec::new();
        for slice in segment.slices() {
            let (source, decoder) = self.source(slice, segment.frames).await?;
            sources.push(source);
            decoders.push(decoder);
        }
        let filter = self.captions_filter(index, segment).await?;
        let name = format!("segment-{index}.mp4");
        let job = encode_job(&self.plan.profile, filter, self.threads, &name);
        let (content, frames) = (segment.content, segment.frames);
        let drawing = move |pipe| draw(content, frames, size, sources, pipe, &drawn);
        let fed = self.ffmpeg.feed(&job, drawing).await;
        let (report, seen) = fed.map_err(|error| self.blame(segment, error))?;
        if seen.frozen {
            return Err(FilmError::Wrong(format!("the picture of segment {index} stands still")));
        }
        match encoded_frames(&report) {
            Some(encoded) if encoded == frames => Ok(Encoded { name, black: seen.black }),
            encoded => Err(FilmError::Segment { index, expected: frames, encoded: encoded.unwrap_or(0) }),
        }
    }

    /// A clip that gives fewer frames than it was asked for cannot be decoded.
    fn blame(&self, segment: &Segment, error: FfmpegError) -> FilmError {
        let ended_early = match &error {
            FfmpegError::Pipe { source, .. } => source.kind() == io::ErrorKind::UnexpectedEof,
            _ => false,
        };
        let clip = segment.slices().find_map(|slice| match &self.plan.shots[slice.shot].look {
            Look::Clip { clip } => Some(clip.clone()),
            Look::Still { .. } | Look::Card { .. } => None,
        });
        match clip.filter(|_| ended_early) {
            Some(asset) => FilmError::Undecodable { asset, why: "it holds no pictures".to_owned() },
            None => FilmError::Ffmpeg(error),
        }
    }

    /// One frame of a shot without captions, as planar 4:2:0.
    pub(super) async fn still(&self, slice: Slice) -> Result<Vec<u8>, FilmError> {
        let size = Size::new(self.plan.profile.width, self.plan.profile.height);
        let (mut source, _decoder) = self.source(slice, 1).await?;
        let frame = blocking(move || {
            let mut frame = vec![0; size.bytes()];
            source.next(&mut frame).map(|()| frame)
        });
        frame.await.map_err(|source| FilmError::Disk { doing: "drawing the poster", source })
    }

    /// Opens a shot's frames; those of a clip come from a decoder, which runs for as long as it is kept.
    async fn source(&self, slice: Slice, frames: u64) -> Result<(Source, Option<Decoder>), FilmError> {
        let shot = &self.plan.shots[slice.shot];
        let size = Size::new(self.plan.profile.width, self.plan.profile.height);
        let camera = match &shot.look {
            Look::Still { camera, .. } => *camera,
            Look::Card { .. } => Camera::FIXED,
            Look::Clip { clip } => return self.clip(clip, slice.at, frames),
        };
        let picture = self.picture(slice.shot).await?;
        let lens = Box::new(Lens::new(size));
        Ok((Source::Still { picture, camera, at: slice.at, frames: shot.frames, lens }, None))
    }

    fn clip(&self, clip: &AssetKey, at: u64, frames: u64) -> Result<(Source, Option<Decoder>), FilmError> {
        let file = self.inputs.media(clip)?;
        let Profile { width, height, fps, fit, .. } = self.plan.profile;
        // The last frame is held for as long as it takes.
        let cut = format!(
            "fps={fps},tpad=stop_mode=clone:stop=-1,trim=start_frame={at}:end_frame={},setpts=PTS-STARTPTS",
            at + frames
        );
        let job = Job::new("decoding a clip")
            .args(["-threads", "1"])
            .input(file.format, &file.path)
            .args(["-an", "-filter_complex", &format!("[0:v:0]{cut},{}", fill(fit, width, height))])
            .args(["-frames:v", &frames.to_string(), "-f", "rawvideo", "pipe:1"]);
        let (decoded, decoder) = self.ffmpeg.open(&job)?;
        Ok((Source::Clip { decoded }, Some(decoder)))
    }

    /// A shot's picture, decoded once and forgotten after its last use.
    async fn picture(&self, shot: usize) -> Result<Arc<Picture>, FilmError> {
        let mut held = self.pictures[shot].lock().await;
        let picture = match held.picture.take() {
            Some(picture) => picture,
            None => Arc::new(self.decode(shot).await?),
        };
        held.wanted = held.wanted.saturating_sub(1);
        if held.wanted > 0 {
            held.picture = Some(Arc::clone(&picture));
        }
        Ok(picture)
    }

    async fn decode(&self, index: usize) -> Result<Picture, FilmError> {
        let Profile { width, height, fit, .. } = self.plan.profile;
        match &self.plan.shots[index].look {
            Look::Still { picture: asset, camera } => {
                let file = self.inputs.picture(asset)?;
                let zoom = camera.from.zoom.max(camera.to.zoom);
                let enlarged = |side: u32| (f64::from(side) * zoom / 2.0).ceil() as u32 * 2;
                let (width, height) = (enlarged(width), enlarged(height));
                let fit = if same_shape(file.size, (width, height)) { Fit::Crop } else { fit };
                let job = Job::new("decoding a picture").input(file.format, &file.path);
                let job = job.args(["-filter_complex", &fill(fit, width, height)]);
                let picture = self.picture_from(job, Size::new(width, height)).await;
                picture.map_err(|error| FilmError::decoding(asset, error))
            }
            Look::Card { title } => {
                let job = self.card_job(title, index).await?;
                Ok(self.picture_from(job, Size::new(width, height)).await?)
            }
            Look::Clip { clip } => {
                let why = "it is a clip where a picture is wanted".to_owned();
                Err(FilmError::Undecodable { asset: clip.clone(), why })
            }
        }
    }

    /// The one frame that a job gives.
    async fn picture_from(&self, job: Job, size: Size) -> Result<Picture, FfmpegError> {
        let job = job.args(["-frames:v", "1", "-f", "rawvideo", "pipe:1"]);
        let pixels = self.ffmpeg.output(&job, size.bytes() + 1).await?;
        if pixels.len() == size.bytes() {
            Ok(Picture { size, pixels })
        } else {
            Err(job.failed(format!("it gave {} bytes instead of {}", pixels.len(), size.bytes())))
        }
    }

    async fn card_job(&self, title: &str, index: usize) -> Result<Job, FilmError> {
        let Profile { width, height, .. } = self.plan.profile;
        let name = format!("card-{index}.ass");
        self.write(&name, subtitles::card(title, width, height, self.fonts)).await?;
        let background = format!("color=c={CARD_COLOUR}:s={width}x{height}:r=1,format=yuv420p");
        Ok(Job::new("drawing a title card")
            .args(["-f", "lavfi", "-i", &background])
            .args(["-vf", &drawing(&name)]))
    }

    async fn captions_filter(&self, index: usize, segment: &Segment) -> Result<Option<String>, FilmError> {
        let captions = self.plan.burned_captions(segment);
        if captions.is_empty() {
            return Ok(None);
        }
        let Profile { width, height, fps, .. } = self.plan.profile;
        let name = format!("captions-{index}.ass");
        self.write(&name, subtitles::ass(&captions, width, height, fps, self.fonts)).await?;
        Ok(Some(drawing(&name)))
    }

    async fn write(&self, name: &str, text: String) -> Result<(), FilmError> {
        let written = tokio::fs::write(self.ffmpeg.folder.join(name), text).await;
        written.map_err(|source| FilmError::Disk { doing: "writing captions", source })
    }
}

impl Source {
    /// Whether the last of so many of its frames must differ from the first. Of a move that is hardly begun
    /// nothing may be seen.
    fn moves(&self, frames_seen: u64) -> bool {
        match self {
            Self::Clip { .. } => false,
            Self::Still { picture, camera, frames, .. } => {
                camera.from != camera.to && frames_seen * 10 >= *frames && picture.contrast() >= FLAT
            }
        }
    }

    /// Draws its next frame.
    fn next(&mut self, frame: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Clip { decoded } => decoded.read_exact(frame),
            Self::Still { picture, camera, at, frames, lens } => {
                let progress = *at as f64 / frames.saturating_sub(1).max(1) as f64;
                lens.draw(picture, camera.view(progress), frame);
                *at += 1;
                Ok(())
            }
        }
    }
}

/// What was seen while a segment was drawn.
struct Seen {
    /// Nothing on any frame.
    black: bool,
    /// The last frame equals the first although the camera moves.
    frozen: bool,
}

/// Draws a segment's frames and writes them to the encoder.
fn draw(
    content: Content,
    frames: u64,
    size: Size,
    mut sources: Vec<Source>,
    mut pipe: File,
    drawn: &dyn Fn(),
) -> io::Result<Seen> {
    let mut frame = vec![0; size.bytes()];
    let mut other = vec![0; size.bytes()];
    let mut first = Vec::new();
    let mut seen =
        Seen { black: true, frozen: frames > 1 && sources.iter().any(|source| source.moves(frames)) };
    for at in 0..frames {
        match (content, sources.as_mut_slice()) {
            (Content::Transition { kind, .. }, [from, to]) => {
                from.next(&mut frame)?;
                to.next(&mut other)?;
                // Neither its first nor its last frame equals its neighbour's: no frame is shown twice.
                mix(kind, size, &mut frame, &other, (at + 1) as f64 / (frames + 1) as f64);
            }
            (_, [source, ..]) => source.next(&mut frame)?,
            (_, []) => return Err(io::ErrorKind::NotFound.into()),
        }
        let luma = &frame[..size.width * size.height];
        seen.black = seen.black && luma.iter().all(|pixel| *pixel <= BLACK);
        if at == 0 && seen.frozen {
            first.extend_from_slice(luma);
        }
        seen.frozen = seen.frozen && (at + 1 < frames || first == luma);
        pipe.write_all(&frame)?;
        drawn();
    }
    Ok(seen)
}

/// Encodes a segment from raw frames.
fn encode_job(profile: &Profile, filter: Option<String>, threads: usize, name: &str) -> Job {
    let Profile { width, height, fps, .. } = *profile;
    let filter = filter.unwrap_or_else(|| "null".to_owned());
    let job = Job::new("encoding a segment").raw_frames(width, height, fps).args(["-an", "-vf", &filter]);
    codec::encoding(job, profile)
        .args(["-g", &(fps * 2).to_string()])
        .args(["-pix_fmt", "yuv420p", "-color_range", "tv", "-colorspace", "bt709"])
        .args(["-color_primaries", "bt709", "-color_trc", "bt709", "-threads", &threads.to_string()])
        // One tick a frame, so that joining many segments rounds nothing.
        .args(["-video_track_timescale", &fps.to_string(), "-nostats", "-progress", "pipe:1"])
        .args(["-f", "mp4", name])
}

/// A filter that draws a script of captions with the fonts of the render.
fn drawing(script: &str) -> String {
    format!("ass={script}:fontsdir={}", fonts::FOLDER)
}

/// How many frames the encoder says it made, from its last progress report.
fn encoded_frames(report: &[u8]) -> Option<u64> {
    let report = String::from_utf8_lossy(report);
    report.lines().rev().find_map(|line| line.strip_prefix("frame="))?.trim().parse().ok()
}

fn same_shape(a: (u32, u32), b: (u32, u32)) -> bool {
    let ratio = |size: (u32, u32)| f64::from(size.0) / f64::from(size.1);
    (ratio(a) / ratio(b) - 1.0).abs() < 0.01
}

/// A filter that makes any picture fill a frame. It crops before it enlarges, so that a thin picture never
/// becomes a huge one.
fn fill(fit: Fit, width: u32, height: u32) -> String {
    let whole = format!(
        "crop='min(iw,ceil(ih*{width}/{height}))':'min(ih,ceil(iw*{height}/{width}))',\
         scale={width}:{height}:flags=lanczos"
    );
    let colour = "out_color_matrix=bt709:out_range=tv";
    match fit {
        Fit::Crop => format!("{whole}:{colour},format=yuv420p,setsar=1"),
        Fit::Blur => {
            let (small_width, small_height) = ((width / 16).max(2), (height / 16).max(2));
            format!(
                "split[a][b];[a]{whole},scale={small_width}:{small_height}:flags=area,boxblur=2:2,\
                 scale={width}:{height}:flags=bicubic,eq=brightness=-0.08[back];\
                 [b]scale={width}:{height}:force_original_aspect_ratio=decrease:flags=lanczos[front];\
                 [back][front]overlay=(W-w)/2:(H-h)/2:format=rgb,scale={width}:{height}:{colour},\
                 format=yuv420p,setsar=1"
            )
        }
    }
}
