//! Decides the whole film before any encoder runs: every segment, voice and caption with its exact frames.
//!
//! Pure, so that it is tested without pictures, and so that a change of the film is seen as a change of
//! the plan. Frames count from 0; a range is its first frame and how many there are.

mod cut;
#[cfg(test)]
mod tests;
mod timing;

use domain::asset::AssetKey;
use domain::hash;
use domain::ids::ShotId;
use domain::job::{FilmMusic, FilmShot, FilmSpec, FilmVisual};
use domain::settings::{Captions, FilmFormat, Fit, Motion, OnMissing, Quality, Transition};
use serde::Serialize;

use super::captions::{self, Caption, Layout};
use timing::{Timing, timings};

/// Raised whenever the same specification gives other pixels or sound than before.
pub const PLAN_VERSION: u32 = 3;

/// Samples per second of every sound in a film.
pub const SAMPLE_RATE: u32 = 48_000;

/// Longest voice or user's own duration, in seconds: nothing sensible is longer.
const LONGEST_SHOT: f64 = 1_800.0;
/// Most shots of a film.
const MOST_SHOTS: usize = 200;

/// Why no film can be planned from a specification. None of these is mended by another attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is no shot, or each was left out because it has nothing to show.
    #[error("the film has no shot to show")]
    Empty,
    /// More shots than a project can have.
    #[error("the film has {0} shots; it can have 200")]
    TooManyShots(usize),
    /// A frame that cannot be encoded.
    #[error("a frame of {width}×{height} cannot be encoded: both must be even, and between 16 and 4096")]
    FrameSize {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A frame rate out of range.
    #[error("{0} frames per second cannot be encoded; it must be 12 to 60")]
    FrameRate(u32),
    /// A length that is no length.
    #[error("shot {shot} lasts or speaks for a length that is not between 0 and 1,800 seconds")]
    Duration {
        /// Place in the film, from 1.
        shot: usize,
    },
    /// A shot has nothing to show, and the film was asked to fail then.
    #[error("shot {shot} has nothing to show")]
    NothingToShow {
        /// Place in the film, from 1.
        shot: usize,
    },
}

/// A whole film, decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilmPlan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// How every frame is made.
    pub profile: Profile,
    /// Length of the film in frames: shots less transitions.
    pub frames: u64,
    /// The shots in their order.
    pub shots: Vec<PlannedShot>,
    /// What is encoded, in the order of the film; their frames sum to the film's.
    pub segments: Vec<Segment>,
    /// What is spoken, in order; no two overlap.
    pub voices: Vec<VoicePlacement>,
    /// What plays below the voices.
    pub music: FilmMusic,
    /// Where the captions go.
    pub caption_mode: Captions,
    /// The captions, in order; no two overlap.
    pub captions: Vec<Caption>,
    /// What is not as it was asked for.
    pub warnings: Vec<String>,
}

/// What every frame of a film has in common.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// How carefully it is encoded.
    pub quality: Quality,
    /// What it is kept in, which decides the codecs.
    #[serde(skip_serializing_if = "is_usual")]
    pub format: FilmFormat,
    /// How pictures of another shape fill the frame.
    pub fit: Fit,
}

/// One shot with its place in the film.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedShot {
    /// Which shot.
    pub shot_id: ShotId,
    /// First frame in the film, the transition into it included.
    pub first_frame: u64,
    /// Length in frames, the transitions at both ends included.
    pub frames: u64,
    /// What is seen.
    pub look: Look,
}

/// What a shot shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Look {
    /// A picture under a camera.
    Still {
        /// The picture.
        picture: AssetKey,
        /// How the camera moves.
        camera: Camera,
    },
    /// A clip; its last frame is held when it is too short.
    Clip {
        /// The clip.
        clip: AssetKey,
    },
    /// A title card.
    Card {
        /// Its words.
        title: String,
    },
}

/// A move from one view of a picture to another, at constant speed over the whole shot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Camera {
    /// What is seen at the shot's first frame.
    pub from: View,
    /// What is seen at its last.
    pub to: View,
}

/// The part of a picture that fills the frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct View {
    /// Enlargement: 1 shows the whole picture.
    pub zoom: f64,
    /// 0 shows the leftmost part that the zoom leaves room for, 1 the rightmost.
    pub x: f64,
    /// 0 shows the topmost part, 1 the lowest.
    pub y: f64,
}

/// A run of frames that is encoded alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// First frame in the film.
    pub first_frame: u64,
    /// Length in frames, at least 1.
    pub frames: u64,
    /// What is in it.
    pub content: Content,
}

/// What a segment shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Content {
    /// One shot.
    Body(Slice),
    /// The end of a shot and the beginning of the next, both at once.
    Transition {
        /// How the one becomes the other; never a cut.
        kind: Transition,
        /// The end of the one.
        from: Slice,
        /// The beginning of the other.
        to: Slice,
    },
}

/// A place within a shot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Slice {
    /// Index in [`FilmPlan::shots`].
    pub shot: usize,
    /// First frame within the shot.
    pub at: u64,
}

/// One voice with its place in the film.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VoicePlacement {
    /// The sound.
    pub asset: AssetKey,
    /// First frame in the film at which it is heard.
    pub first_frame: u64,
    /// Length in frames, rounded up.
    pub frames: u64,
}

impl FilmPlan {
    /// Plans a film.
    ///
    /// # Errors
    /// When the specification asks for something that is no film; see [`PlanError`].
    pub fn from(spec: &FilmSpec) -> Result<Self, PlanError> {
        let profile = profile(spec)?;
        let mut warnings = Vec::new();
        let shown = shown_shots(spec, &mut warnings)?;
        let timings = timings(&shown, spec.fps);
        let shots = place_shots(spec, &shown, &timings);
        let segments = segments(&shown, &timings, &shots);
        let layout = Layout::new(spec.width, spec.height);
        let captions = shown
            .iter()
            .zip(&timings)
            .zip(&shots)
            .flat_map(|((shot, timing), placed)| {
                let first = placed.first_frame + timing.lead;
                captions::plan(&shot.narration, &layout, first, timing.speech)
            })
            .collect();
        let whole = Self {
            version: PLAN_VERSION,
            frames: segments.iter().map(|segment| segment.frames).sum(),
            voices: voices(&shown, &timings, &shots),
            music: spec.music.clone(),
            caption_mode: spec.captions,
            profile,
            shots,
            segments,
            captions,
            warnings,
        };
        let most = spec.max_seconds.map(|seconds| (seconds * f64::from(spec.fps)) as u64);
        Ok(match most {
            Some(most) => whole.cut_at(most.max(1)),
            None => whole,
        })
    }

    /// Length of the film in seconds.
    pub fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.profile.fps)
    }

    /// The captions that are drawn into a segment, with frames counted from its first.
    pub fn burned_captions(&self, segment: &Segment) -> Vec<Caption> {
        if self.caption_mode != Captions::Burned {
            return Vec::new();
        }
        self.captions
            .iter()
            .filter_map(|caption| caption.within(segment.first_frame, segment.frames))
            .collect()
    }

    /// The name of a segment's pixels: 64 hexadecimal digits, a hash of everything that decides them.
    /// `encoder` names the encoder's build and the fonts, which the plan does not know.
    pub fn segment_key(&self, segment: &Segment, encoder: &str) -> String {
        let sources: Vec<_> = segment.slices().map(|slice| self.source(slice)).collect();
        let kind = match segment.content {
            Content::Body(_) => Transition::Cut,
            Content::Transition { kind, .. } => kind,
        };
        let decides = (
            (self.version, encoder, &self.profile),
            (kind, segment.frames, sources),
            self.burned_captions(segment),
        );
        hash::hash_json("film-segment/1", &decides)
    }

    /// What a slice shows: the look, the length of its shot (which decides the camera's speed), and where.
    fn source(&self, slice: Slice) -> (Option<&Look>, u64, u64) {
        let shot = self.shots.get(slice.shot);
        (shot.map(|shot| &shot.look), shot.map_or(0, |shot| shot.frames), slice.at)
    }
}

impl Segment {
    /// The one or two slices of shots that it shows.
    pub fn slices(&self) -> impl Iterator<Item = Slice> + use<> {
        let (first, second) = match self.content {
            Content::Body(slice) => (slice, None),
            Content::Transition { from, to, .. } => (from, Some(to)),
        };
        std::iter::once(first).chain(second)
    }
}

impl Camera {
    /// Most that a camera enlarges a picture.
    pub const MOST_ZOOM: f64 = 1.12;

    /// A camera that stands still and shows the whole picture.
    pub const FIXED: Self =
        Self { from: View { zoom: 1.0, x: 0.5, y: 0.5 }, to: View { zoom: 1.0, x: 0.5, y: 0.5 } };

    /// The move of a shot: the same for ever, and different from its neighbours'.
    fn of_shot(shot: ShotId) -> Self {
        let digest = hash::sha256(&[b"camera/1", shot.0.as_bytes()]);
        let near = |byte: u8| [0.2, 0.35, 0.5, 0.65, 0.8][usize::from(byte) % 5];
        let wide = View { zoom: 1.0, x: 0.5, y: 0.5 };
        let close = View { zoom: Self::MOST_ZOOM, x: near(digest[1]), y: near(digest[2]) };
        let side = View { zoom: Self::MOST_ZOOM, x: 0.0, y: near(digest[2]) };
        let (from, to) = match digest[0] % 6 {
            0 | 1 => (wide, close),
            2 | 3 => (close, wide),
            4 => (side, View { x: 1.0, ..side }),
            _ => (View { x: 1.0, ..side }, side),
        };
        Self { from, to }
    }

    /// What is seen at `progress`, 0 to 1, of the shot.
    pub fn view(&self, progress: f64) -> View {
        let between = |from: f64, to: f64| from + (to - from) * progress;
        View {
            zoom: between(self.from.zoom, self.to.zoom),
            x: between(self.from.x, self.to.x),
            y: between(self.from.y, self.to.y),
        }
    }
}

fn profile(spec: &FilmSpec) -> Result<Profile, PlanError> {
    let FilmSpec { width, height, fps, .. } = *spec;
    let encodable = |side: u32| (16..=4096).contains(&side) && side.is_multiple_of(2);
    if !encodable(width) || !encodable(height) {
        return Err(PlanError::FrameSize { width, height });
    }
    if !(12..=60).contains(&fps) {
        return Err(PlanError::FrameRate(fps));
    }
    let format = spec.format.unwrap_or(FilmFormat::Mp4);
    Ok(Profile { width, height, fps, quality: spec.quality, format, fit: spec.fit })
}

/// The names of segments are those that they had when there was no other format.
fn is_usual(format: &FilmFormat) -> bool {
    *format == FilmFormat::Mp4
}

/// The shots that the film shows, by its rule for those with nothing to show.
fn shown_shots<'a>(spec: &'a FilmSpec, warnings: &mut Vec<String>) -> Result<Vec<&'a FilmShot>, PlanError> {
    if spec.shots.len() > MOST_SHOTS {
        return Err(PlanError::TooManyShots(spec.shots.len()));
    }
    let mut shown = Vec::new();
    for (shot, number) in spec.shots.iter().zip(1..) {
        check_lengths(shot, number)?;
        match (&shot.visual, spec.on_missing) {
            (FilmVisual::Card, OnMissing::Fail) => return Err(PlanError::NothingToShow { shot: number }),
            (FilmVisual::Card, OnMissing::Skip) => {
                warnings.push(format!("shot {number} has nothing to show and was left out"));
                continue;
            }
            (FilmVisual::Card, OnMissing::Card) => {
                warnings.push(format!("shot {number} has nothing to show: a title card stands in for it"));
            }
            (FilmVisual::Still { .. } | FilmVisual::Clip { .. }, _) => {}
        }
        shown.push(shot);
    }
    if shown.is_empty() { Err(PlanError::Empty) } else { Ok(shown) }
}

fn check_lengths(shot: &FilmShot, number: usize) -> Result<(), PlanError> {
    let voice = shot.voice.as_ref().map(|voice| voice.duration_seconds);
    let sensible = |seconds: f64| (0.0..=LONGEST_SHOT).contains(&seconds);
    if voice.into_iter().chain(shot.duration_seconds).all(sensible) {
        Ok(())
    } else {
        Err(PlanError::Duration { shot: number })
    }
}

fn place_shots(spec: &FilmSpec, shots: &[&FilmShot], timings: &[Timing]) -> Vec<PlannedShot> {
    let mut first_frame = 0;
    let place = |(shot, timing): (&&FilmShot, &Timing)| {
        let placed =
            PlannedShot { shot_id: shot.shot_id, first_frame, frames: timing.frames, look: look(spec, shot) };
        first_frame += timing.frames - timing.transition;
        placed
    };
    shots.iter().zip(timings).map(place).collect()
}

fn look(spec: &FilmSpec, shot: &FilmShot) -> Look {
    match &shot.visual {
        FilmVisual::Still { picture } => {
            let camera = match spec.motion {
                Motion::KenBurns => Camera::of_shot(shot.shot_id),
                Motion::Still => Camera::FIXED,
            };
            Look::Still { picture: picture.clone(), camera }
        }
        FilmVisual::Clip { clip, .. } => Look::Clip { clip: clip.clone() },
        FilmVisual::Card => Look::Card { title: card_title(spec, shot) },
    }
}

/// A card shows the shot's title, or the film's when the shot has none.
fn card_title(spec: &FilmSpec, shot: &FilmShot) -> String {
    if shot.title.trim().is_empty() { spec.title.clone() } else { shot.title.clone() }
}

fn segments(shots: &[&FilmShot], timings: &[Timing], placed: &[PlannedShot]) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut overlap = 0;
    for (shot, (timing, place)) in timings.iter().zip(placed).enumerate() {
        let body_end = timing.frames - timing.transition;
        segments.push(Segment {
            first_frame: place.first_frame + overlap,
            frames: body_end - overlap,
            content: Content::Body(Slice { shot, at: overlap }),
        });
        overlap = timing.transition;
        if overlap > 0 {
            segments.push(Segment {
                first_frame: place.first_frame + body_end,
                frames: overlap,
                content: Content::Transition {
                    kind: shots[shot].transition,
                    from: Slice { shot, at: body_end },
                    to: Slice { shot: shot + 1, at: 0 },
                },
            });
        }
    }
    segments
}

fn voices(shots: &[&FilmShot], timings: &[Timing], placed: &[PlannedShot]) -> Vec<VoicePlacement> {
    let place = |((shot, timing), placed): ((&&FilmShot, &Timing), &PlannedShot)| {
        let voice = shot.voice.as_ref()?;
        let first_frame = placed.first_frame + timing.lead;
        Some(VoicePlacement { asset: voice.asset.clone(), first_frame, frames: timing.speech })
    };
    shots.iter().zip(timings).zip(placed).filter_map(place).collect()
}
