//! How long each shot lasts: the voice leads, and transitions make room for themselves.

use domain::job::FilmShot;
use domain::project::limits::SHORTEST_SHOT;
use domain::settings::Transition;

use super::LONGEST_SHOT;
use crate::film::captions;

/// Silence before a voice, in seconds.
const LEAD: f64 = 0.25;
/// Silence after a voice, in seconds.
const TAIL: f64 = 0.35;
/// The same after the last voice, in which the music comes to its end.
const CLOSING: f64 = 1.25;
/// Least silence between the voices of two shots, in seconds, however long their transition.
const PAUSE: f64 = 0.3;
/// Length of a transition that has room, in seconds.
const TRANSITION: f64 = 0.5;
/// How many letters are read in a second, for narration that nobody speaks.
const READING_SPEED: f64 = 15.0;

/// The lengths within one shot, in frames.
pub(super) struct Timing {
    pub(super) lead: u64,
    pub(super) speech: u64,
    pub(super) frames: u64,
    /// Overlap with the next shot; 0 for a cut and on the last shot.
    pub(super) transition: u64,
}

/// Frames that `seconds` take, rounded up; a hair over a whole frame is rounding, not time.
pub(super) fn frames_in(seconds: f64, fps: u32) -> u64 {
    (seconds * f64::from(fps) - 1e-6).ceil().max(0.0) as u64
}

pub(super) fn timings(shots: &[&FilmShot], fps: u32) -> Vec<Timing> {
    let mut timings: Vec<_> = shots.iter().map(|shot| timing(shot, fps)).collect();
    let pause = frames_in(PAUSE, fps);
    let mut tails = vec![frames_in(TAIL, fps); shots.len()];
    if let Some(last) = tails.last_mut() {
        *last = frames_in(CLOSING, fps);
    }
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
