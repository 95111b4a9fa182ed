//! Decides the whole film before any encoder runs: every segment, voice and caption with its exact frames.
//!
//! Pure, so that it is tested without pictures, and so that a change of the film is seen as a change of
//! the plan. Frames count from 0; a range is its first frame and how many there are.

use domain::asset::AssetKey;
use domain::hash;
use domain::ids::ShotId;
use domain::job::{FilmMusic, FilmShot, FilmSpec, FilmVisual};
use domain::settings::{Captions, Fit, Motion, OnMissing, Quality, Transition};
use serde::Serialize;

use super::captions::{self, Caption, Layout};

/// Raised whenever the same specification gives other pixels or sound than before.
pub const PLAN_VERSION: u32 = 2;

/// Samples per second of every sound in a film.
pub const SAMPLE_RATE: u32 = 48_000;

/// No shot is shorter, in seconds.
const SHORTEST_SHOT: f64 = 2.5;
/// Silence before a voice, in seconds.
const LEAD: f64 = 0.25;
/// Silence after a voice, in seconds.
const TAIL: f64 = 0.35;
/// Least silence between the voices of two shots, in seconds, however long their transition.
const PAUSE: f64 = 0.3;
/// Length of a transition that has room, in seconds.
const TRANSITION: f64 = 0.5;
/// How many letters are read in a second, for narration that nobody speaks.
const READING_SPEED: f64 = 15.0;
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
        Ok(Self {
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

/// The lengths within one shot, in frames.
struct Timing {
    lead: u64,
    speech: u64,
    frames: u64,
    /// Overlap with the next shot; 0 for a cut and on the last shot.
    transition: u64,
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
    Ok(Profile { width, height, fps, quality: spec.quality, fit: spec.fit })
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

/// Frames that `seconds` take, rounded up; a hair over a whole frame is rounding, not time.
fn frames_in(seconds: f64, fps: u32) -> u64 {
    (seconds * f64::from(fps) - 1e-6).ceil().max(0.0) as u64
}

fn timings(shots: &[&FilmShot], fps: u32) -> Vec<Timing> {
    let mut timings: Vec<_> = shots.iter().map(|shot| timing(shot, fps)).collect();
    let pause = frames_in(PAUSE, fps);
    let mut tails = vec![frames_in(TAIL, fps); shots.len()];
    for next in 1..timings.len() {
        let shorter = timings[next - 1].frames.min(timings[next].frames);
        let asked =
            if shots[next - 1].transition == Transition::Cut { 0 } else { frames_in(TRANSITION, fps) };
        let transition = asked.min(shorter / 3);
        let short = (transition + pause).saturating_sub(tails[next - 1] + timings[next].lead);
        timings[next - 1].transition = transition;
        timings[next].lead += short / 2;
        tails[next - 1] += short - short / 2;
    }
    for (timing, tail) in timings.iter_mut().zip(tails) {
        timing.frames = timing.frames.max(timing.lead + timing.speech + tail);
    }
    timings
}

/// A shot's lengths as if it stood alone. Neighbours only make it longer, so that a transition that was
/// no longer than a third of it stays so.
fn timing(shot: &FilmShot, fps: u32) -> Timing {
    let speech = match &shot.voice {
        Some(voice) => voice.duration_seconds,
        None => (captions::reading_weight(&shot.narration) / READING_SPEED).min(LONGEST_SHOT),
    };
    let (lead, speech, tail) = (frames_in(LEAD, fps), frames_in(speech, fps), frames_in(TAIL, fps));
    let own = frames_in(shot.duration_seconds.unwrap_or(0.0), fps);
    let frames = frames_in(SHORTEST_SHOT, fps).max(lead + speech + tail).max(own);
    Timing { lead, speech, frames, transition: 0 }
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

#[cfg(test)]
mod tests {
    use super::super::fixtures::{film, shot, varied_film};
    use super::*;
    use proptest::prelude::*;

    /// Compares with a plan that was looked at once. After a wanted change: raise [`PLAN_VERSION`], look at what
    /// the failure prints, and store it.
    fn assert_golden(spec: &FilmSpec, golden: &str) {
        let plan = serde_json::to_value(FilmPlan::from(spec).unwrap()).unwrap();
        let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
        assert!(plan == golden, "the plan changed; it is now\n{plan:#}");
    }

    #[test]
    fn a_film_with_one_of_everything_is_planned_as_ever() {
        assert_golden(&varied_film(), include_str!("golden/varied.json"));
    }

    #[test]
    fn a_tall_film_is_planned_as_ever() {
        let spec = FilmSpec { width: 720, height: 1280, fps: 30, ..varied_film() };
        assert_golden(&spec, include_str!("golden/tall.json"));
    }

    #[test]
    fn the_voice_leads() {
        let spec = film(vec![shot(1, "", 10.0, Transition::Cut)]);
        let plan = FilmPlan::from(&spec).unwrap();
        // 3 frames of lead, 120 of voice, 5 (4.2 rounded up) of tail.
        assert_eq!((plan.frames, plan.voices[0].first_frame, plan.voices[0].frames), (128, 3, 120));
    }

    #[test]
    fn no_shot_is_shorter_than_two_and_a_half_seconds_or_than_the_user_wants() {
        let mut spec = film(vec![shot(1, "", 0.1, Transition::Cut), shot(2, "", 0.1, Transition::Cut)]);
        spec.shots[1].duration_seconds = Some(4.01);
        let plan = FilmPlan::from(&spec).unwrap();
        assert_eq!(plan.shots.iter().map(|shot| shot.frames).collect::<Vec<_>>(), [30, 49]);
    }

    #[test]
    fn a_transition_overlaps_both_shots_and_voices_keep_their_pause() {
        let spec = film(vec![shot(1, "", 3.0, Transition::Crossfade), shot(2, "", 3.0, Transition::Cut)]);
        let plan = FilmPlan::from(&spec).unwrap();
        let shots: u64 = plan.shots.iter().map(|shot| shot.frames).sum();
        assert_eq!(plan.frames, shots - 6);
        let silence = plan.voices[1].first_frame - plan.voices[0].first_frame - plan.voices[0].frames;
        assert!(silence >= 4, "{silence} frames between voices");
    }

    #[test]
    fn a_shot_with_nothing_to_show_follows_the_films_rule() {
        let mut spec = film(vec![shot(1, "", 1.0, Transition::Cut), shot(2, "", 1.0, Transition::Cut)]);
        spec.shots[0].visual = FilmVisual::Card;
        let plan = |on_missing| FilmPlan::from(&FilmSpec { on_missing, ..spec.clone() });
        let card = plan(OnMissing::Card).unwrap();
        assert_eq!(card.shots[0].look, Look::Card { title: "Shot 1".to_owned() });
        let skip = plan(OnMissing::Skip).unwrap();
        assert_eq!((skip.shots.len(), skip.voices.len(), skip.warnings.len()), (1, 1, 1));
        assert_eq!(plan(OnMissing::Fail), Err(PlanError::NothingToShow { shot: 1 }));
    }

    #[test]
    fn what_is_no_film_is_refused() {
        let good = film(vec![shot(1, "", 1.0, Transition::Cut)]);
        let refused = |spec: FilmSpec| FilmPlan::from(&spec).unwrap_err();
        assert_eq!(refused(film(Vec::new())), PlanError::Empty);
        assert_eq!(refused(FilmSpec { fps: 61, ..good.clone() }), PlanError::FrameRate(61));
        let odd = FilmSpec { width: 321, ..good.clone() };
        assert_eq!(refused(odd), PlanError::FrameSize { width: 321, height: 180 });
        for seconds in [f64::NAN, f64::INFINITY, -1.0, 1e9] {
            assert_eq!(
                refused(film(vec![shot(1, "", seconds, Transition::Cut)])),
                PlanError::Duration { shot: 1 }
            );
        }
        let many = film((0..201).map(|number| shot(number, "", 1.0, Transition::Cut)).collect());
        assert_eq!(refused(many), PlanError::TooManyShots(201));
    }

    #[test]
    fn a_new_picture_renames_its_own_segments_alone() {
        let spec = film((1..=5).map(|n| shot(n, "Hello there.", 2.0, Transition::Crossfade)).collect());
        let mut edited = spec.clone();
        edited.shots[2].visual =
            FilmVisual::Still { picture: super::super::fixtures::key("image", 99, "png") };
        let keys = |spec: &FilmSpec| {
            let plan = FilmPlan::from(spec).unwrap();
            plan.segments.iter().map(|segment| plan.segment_key(segment, "x264")).collect::<Vec<_>>()
        };
        let (before, after) = (keys(&spec), keys(&edited));
        let changed: Vec<_> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
        assert_eq!(changed, [3, 4, 5]);
    }

    #[test]
    fn a_segment_keeps_its_name_when_the_film_before_it_grows() {
        let spec = film((1..=3).map(|n| shot(n, "Hello there.", 2.0, Transition::Cut)).collect());
        let mut longer = spec.clone();
        longer.shots[0].duration_seconds = Some(9.0);
        let last = |spec: &FilmSpec| {
            let plan = FilmPlan::from(spec).unwrap();
            plan.segment_key(plan.segments.last().unwrap(), "x264")
        };
        assert_eq!(last(&spec), last(&longer));
        assert_ne!(last(&spec), last(&FilmSpec { fps: 13, ..spec.clone() }));
    }

    fn any_transition() -> impl Strategy<Value = Transition> {
        proptest::sample::select(Transition::ALL)
    }

    fn any_shot() -> impl Strategy<Value = FilmShot> {
        (any::<u32>(), "[a-z,. 灯塔。，]{0,80}", 0.0..8.0_f64, any_transition(), any::<bool>(), 0.0..6.0_f64)
            .prop_map(|(number, narration, seconds, transition, spoken, own)| {
                let mut shot = shot(number, &narration, seconds, transition);
                shot.duration_seconds = (own > 3.0).then_some(own);
                shot.voice = shot.voice.filter(|_| spoken);
                shot
            })
    }

    proptest! {
        #[test]
        fn frames_sum_exactly_and_nothing_overlaps(
            shots in proptest::collection::vec(any_shot(), 1..12),
            fps in 12..=60_u32,
        ) {
            let spec = FilmSpec { fps, ..film(shots) };
            let plan = FilmPlan::from(&spec).unwrap();
            let mut next = 0;
            for segment in &plan.segments {
                prop_assert_eq!(segment.first_frame, next);
                prop_assert!(segment.frames > 0);
                next += segment.frames;
                for slice in segment.slices() {
                    let shot = &plan.shots[slice.shot];
                    prop_assert_eq!(shot.first_frame + slice.at, segment.first_frame);
                    prop_assert!(slice.at + segment.frames <= shot.frames);
                    if matches!(segment.content, Content::Transition { .. }) {
                        prop_assert!(segment.frames * 3 <= shot.frames);
                    }
                }
            }
            prop_assert_eq!(next, plan.frames);
            let mut silent_from = 0;
            for voice in &plan.voices {
                prop_assert!(voice.first_frame >= silent_from);
                silent_from = voice.first_frame + voice.frames;
            }
            prop_assert!(silent_from <= plan.frames);
            let mut free_from = 0;
            for caption in &plan.captions {
                prop_assert!(caption.first_frame >= free_from && caption.frames > 0);
                free_from = caption.first_frame + caption.frames;
            }
            prop_assert!(free_from <= plan.frames);
        }
    }
}
