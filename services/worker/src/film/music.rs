//! Composes music for a mood, so that a film has music without anybody's rights in it.
//!
//! The score comes from `music/score.rs` bar by bar and is played by `music/synth.rs` in small steps: memory does not
//! grow with the length. The same mood, length and seed give the same samples.

mod room;
mod score;
mod synth;

use std::io::{Seek, Write};

use domain::settings::Mood;

use crate::wav::{Format, WavError, Writer};
use score::Composer;
use synth::{STEP, Synth};

/// Frames per second of all music.
pub const SAMPLE_RATE: u32 = 48_000;
/// Shortest and longest music, in seconds; other lengths are clamped.
const SHORTEST: f64 = 1.0;
const LONGEST: f64 = 4.0 * 3_600.0;
/// Longest time in which the end fades away, in seconds: the last chord is to be heard.
const LONGEST_FADE: f64 = 2.0;
/// Frames that [`Music::write_wav`] hands on at once.
const BLOCK: usize = 4_800;

/// Music that is being played; hand out its samples with [`Music::fill`].
#[derive(Debug)]
pub struct Music {
    composer: Composer,
    synth: Synth,
    /// Frames that were rendered, and how many there are to render.
    frame: u64,
    frames: u64,
    fade: u64,
    /// The last step that was rendered, and how much of it was handed out, in samples.
    step: [f32; STEP * 2],
    taken: usize,
}

/// Composes `seconds` of music (1 s to 4 h) for a mood. It begins softly and ends on the tonic, faded out.
pub fn compose(mood: Mood, seconds: f64, seed: u64) -> Music {
    let seconds = if seconds.is_finite() { seconds.clamp(SHORTEST, LONGEST) } else { SHORTEST };
    let composer = Composer::new(mood, seconds, seed);
    let fade = frames((composer.tail() * 0.8).min(LONGEST_FADE));
    let synth = Synth::new(mood, seed);
    Music { composer, synth, frame: 0, frames: frames(seconds), fade, step: [0.0; STEP * 2], taken: STEP * 2 }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 4 hours of frames")]
fn frames(seconds: f64) -> u64 {
    (seconds * f64::from(SAMPLE_RATE)).round() as u64
}

impl Music {
    /// How many frames the whole music has.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Fills `block` with samples, left and right in turn, and says how many; fewer than asked for only at the end.
    pub fn fill(&mut self, block: &mut [i16]) -> usize {
        let mut filled = 0;
        for sample in block.iter_mut() {
            if self.taken == self.step.len() && !self.next_step() {
                break;
            }
            *sample = to_i16(self.step[self.taken]);
            self.taken += 1;
            filled += 1;
        }
        filled
    }

    /// Writes all the music as a 48 kHz stereo WAV file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_wav<W: Write + Seek>(mut self, file: W) -> Result<W, WavError> {
        let mut writer = Writer::new(file, Format { channels: 2, sample_rate: SAMPLE_RATE })?;
        let mut block = vec![0; BLOCK * 2];
        loop {
            match self.fill(&mut block) {
                0 => return writer.finish(),
                filled => writer.write(&block[..filled])?,
            }
        }
    }

    /// Renders the next step; false when the music is over.
    fn next_step(&mut self) -> bool {
        if self.frame >= self.frames {
            return false;
        }
        while let Some(bar) = self.composer.next_bar_before(self.frame + STEP as u64) {
            self.synth.schedule(bar);
        }
        self.synth.render(self.frame, &mut self.step);
        let left = self.frames - self.frame;
        for (at, pair) in self.step.chunks_exact_mut(2).enumerate() {
            let gain = fade_out(left.saturating_sub(at as u64 + 1), self.fade);
            pair[0] *= gain;
            pair[1] *= gain;
        }
        // The last step may reach beyond the end: hand out its front only, by moving that to the back.
        let kept = left.min(STEP as u64) as usize * 2;
        self.step.copy_within(..kept, STEP * 2 - kept);
        self.taken = STEP * 2 - kept;
        self.frame += STEP as u64;
        true
    }
}

/// 1 until `fade` frames before the end, then half a cosine down to 0.
fn fade_out(left: u64, fade: u64) -> f32 {
    if left >= fade {
        return 1.0;
    }
    let along = left as f32 / fade as f32;
    0.5 - 0.5 * (along * std::f32::consts::PI).cos()
}

#[expect(clippy::cast_possible_truncation, reason = "the synthesiser's limiter keeps samples within ±1")]
fn to_i16(sample: f32) -> i16 {
    (sample * 32_767.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(mood: Mood, seconds: f64, seed: u64) -> Vec<i16> {
        let mut music = compose(mood, seconds, seed);
        let mut samples = Vec::new();
        let mut block = [0; 1_234];
        loop {
            match music.fill(&mut block) {
                0 => return samples,
                filled => samples.extend_from_slice(&block[..filled]),
            }
        }
    }

    fn level(samples: &[i16]) -> f64 {
        let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        (sum / samples.len() as f64).sqrt()
    }

    #[test]
    fn the_music_has_exactly_the_length_that_was_asked_for() {
        for seconds in [1.0, 5.0, 7.3, 31.01] {
            let frames = (seconds * 48_000.0_f64).round() as usize;
            assert_eq!(played(Mood::Calm, seconds, 1).len(), frames * 2, "{seconds}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_music_and_another_seed_gives_other_music() {
        for mood in Mood::ALL {
            let first = played(*mood, 12.0, 7);
            assert_eq!(first, played(*mood, 12.0, 7));
            assert_ne!(first, played(*mood, 12.0, 8));
        }
    }

    #[test]
    fn the_music_neither_clips_nor_has_a_constant_offset() {
        for mood in Mood::ALL {
            let samples = played(*mood, 60.0, 3);
            let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!((6_000..31_000).contains(&peak), "{mood}: {peak}");
            let mean = samples.iter().map(|sample| f64::from(*sample)).sum::<f64>() / samples.len() as f64;
            assert!(mean.abs() < 5.0, "{mood}: {mean}");
        }
    }

    #[test]
    fn the_music_never_jumps() {
        for mood in Mood::ALL {
            let samples = played(*mood, 40.0, 5);
            for channel in 0..2 {
                let one: Vec<i32> = samples.iter().skip(channel).step_by(2).map(|s| i32::from(*s)).collect();
                let steepest = one.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max().unwrap();
                assert!(steepest < 6_000, "{mood}: {steepest}");
                assert!(one[0].abs() < 50 && one.last().unwrap().abs() < 50, "{mood}");
            }
        }
    }

    #[test]
    fn the_music_is_heard_from_the_first_seconds_to_the_last() {
        for mood in Mood::ALL {
            for seconds in [5.0, 90.0] {
                let samples = played(*mood, seconds, 11);
                let second = 2 * 48_000;
                let loudness = samples.chunks(second).map(level).collect::<Vec<_>>();
                assert!(
                    loudness[1..loudness.len() - 2].iter().all(|level| *level > 250.0),
                    "{mood}: {loudness:?}"
                );
                assert!(*loudness.last().unwrap() < loudness[loudness.len() / 2], "{mood}: {loudness:?}");
            }
        }
    }

    #[test]
    fn the_sound_is_wide_but_most_of_it_is_in_the_middle() {
        for mood in Mood::ALL {
            let samples = played(*mood, 30.0, 2);
            let pick = |mix: fn(f64, f64) -> f64| {
                let pairs = samples.chunks_exact(2).map(|pair| mix(pair[0].into(), pair[1].into()) as i16);
                level(&pairs.collect::<Vec<_>>())
            };
            let (middle, side) = (pick(|l, r| (l + r) / 2.0), pick(|l, r| (l - r) / 2.0));
            assert!(side > 0.05 * middle && side < 0.8 * middle, "{mood}: {middle} {side}");
        }
    }

    #[test]
    fn lengths_that_make_no_sense_are_clamped() {
        assert_eq!(compose(Mood::Calm, f64::NAN, 0).frames(), 48_000);
        assert_eq!(compose(Mood::Calm, -3.0, 0).frames(), 48_000);
        assert_eq!(compose(Mood::Calm, 1e12, 0).frames(), 4 * 3_600 * 48_000);
    }
}
