//! Joins what the synthesisers say into one WAV file, and checks that it is speech.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use super::{SpeakError, text};
use crate::wav::{Format, WavError, Writer};

/// Samples that are quieter than this, of 32,767, count as silence (−46 dB).
const QUIET: u16 = 160;
/// A text whose loudest sample is below this, of 32,767, was not spoken (−30 dB).
const AUDIBLE: u16 = 1_000;
/// Silence before and after the whole text, in seconds.
const EDGE: f64 = 0.05;
/// What is kept around the audible part of a piece, in seconds, so that soft consonants live.
const MARGIN: f64 = 0.025;
/// Length of what a text without words gives, in seconds.
const NOTHING: f64 = 0.6;
/// Sample rate of what a text without words gives.
const NOTHING_RATE: u32 = 22_050;

/// One channel of sound in memory: a piece of the narration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sound {
    /// Samples per second.
    pub(super) sample_rate: u32,
    /// What is heard.
    pub(super) samples: Vec<i16>,
}

/// A narration that is being written, one piece after another.
#[derive(Debug)]
pub(super) struct Narration {
    writer: Writer<BufWriter<File>>,
    peak: u16,
    /// Silence that comes before the next piece, in seconds.
    pause: f64,
}

/// What was written, measured from the samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    /// Length in seconds.
    pub(super) seconds: f64,
    /// Samples per second.
    pub(super) sample_rate: u32,
}

impl Narration {
    /// Begins a mono file at `path`.
    pub(super) fn begin(path: &Path, sample_rate: u32) -> Result<Self, WavError> {
        let file = BufWriter::new(File::create(path)?);
        let writer = Writer::new(file, Format { channels: 1, sample_rate })?;
        Ok(Self { writer, peak: 0, pause: EDGE })
    }

    /// Appends a piece without the silence around it, and remembers the `pause` that follows, in seconds.
    pub(super) fn append(&mut self, sound: &Sound, pause: f64) -> Result<(), SpeakError> {
        let rate = self.writer.format().sample_rate;
        if sound.sample_rate != rate {
            return Err(SpeakError::Broken(format!(
                "the voices speak at {} and {rate} Hz",
                sound.sample_rate
            )));
        }
        let voiced = trim(sound);
        if voiced.is_empty() {
            return Ok(());
        }
        self.silence(self.pause)?;
        self.writer.write(voiced)?;
        self.peak = voiced.iter().map(|sample| sample.unsigned_abs()).fold(self.peak, u16::max);
        self.pause = pause;
        Ok(())
    }

    /// Completes the file and checks that it holds what a person would need for `spoken` at `speed`.
    pub(super) fn finish(mut self, spoken: &str, speed: f64) -> Result<Measured, SpeakError> {
        if self.peak < AUDIBLE {
            return Err(SpeakError::Silent);
        }
        self.silence(EDGE)?;
        let measured =
            Measured { seconds: self.writer.seconds(), sample_rate: self.writer.format().sample_rate };
        let (shortest, longest) = plausible_seconds(spoken, speed);
        if !(shortest..=longest).contains(&measured.seconds) {
            return Err(SpeakError::Implausible { seconds: measured.seconds, shortest, longest });
        }
        self.writer.finish()?;
        Ok(measured)
    }

    fn silence(&mut self, seconds: f64) -> Result<(), WavError> {
        let samples = samples(seconds, self.writer.format().sample_rate);
        self.writer.write(&vec![0; samples])
    }
}

/// Writes the short silence that stands for a text without words.
pub(super) fn nothing(path: &Path) -> Result<Measured, SpeakError> {
    let mut narration = Narration::begin(path, NOTHING_RATE)?;
    narration.silence(NOTHING)?;
    let seconds = narration.writer.seconds();
    narration.writer.finish()?;
    Ok(Measured { seconds, sample_rate: NOTHING_RATE })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds of samples")]
fn samples(seconds: f64, sample_rate: u32) -> usize {
    (seconds * f64::from(sample_rate)).round() as usize
}

/// The audible part of a sound with a little around it; empty when nothing is audible.
fn trim(sound: &Sound) -> &[i16] {
    let audible = |sample: &i16| sample.unsigned_abs() > QUIET;
    let Some(first) = sound.samples.iter().position(audible) else { return &[] };
    let last = sound.samples.iter().rposition(audible).unwrap_or(first);
    let margin = samples(MARGIN, sound.sample_rate);
    &sound.samples[first.saturating_sub(margin)..(last + margin + 1).min(sound.samples.len())]
}

/// The shortest and the longest time that speaking a text can take, in seconds. Generous: it tells apart a voice
/// from a cut-off or endless one, not a good one from a bad one.
fn plausible_seconds(text: &str, speed: f64) -> (f64, f64) {
    let of = |c: char| match c {
        _ if text::is_han(c) => (0.06, 1.2),
        _ if c.is_numeric() => (0.02, 1.6),
        _ if c.is_alphabetic() => (0.006, 0.6),
        _ => (0.0, 0.5),
    };
    let (low, high) =
        text.chars().map(of).fold((0.0, 0.0), |sum: (f64, f64), time| (sum.0 + time.0, sum.1 + time.1));
    (low / speed, high / speed + 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(seconds: f64) -> Sound {
        let samples = (0..samples(seconds, 22_050)).map(|at| if at % 100 < 50 { 9_000 } else { -9_000 });
        Sound { sample_rate: 22_050, samples: samples.collect() }
    }

    fn padded(seconds: f64) -> Sound {
        let silence = vec![3; 22_050];
        Sound { sample_rate: 22_050, samples: [silence.clone(), tone(seconds).samples, silence].concat() }
    }

    fn narrate(sounds: &[(Sound, f64)], text: &str) -> Result<Measured, SpeakError> {
        let folder = tempfile::tempdir().unwrap();
        let mut narration = Narration::begin(&folder.path().join("voice.wav"), 22_050).unwrap();
        for (sound, pause) in sounds {
            narration.append(sound, *pause)?;
        }
        narration.finish(text, 1.0)
    }

    #[test]
    fn silence_around_a_piece_is_trimmed_and_the_pause_stands_between_pieces() {
        let measured = narrate(&[(padded(1.0), 0.4), (padded(1.0), 0.7)], "Two short sentences.").unwrap();
        let expected = 2.0 + 4.0 * MARGIN + 2.0 * EDGE + 0.4;
        assert!((measured.seconds - expected).abs() < 0.001, "{}", measured.seconds);
    }

    #[test]
    fn a_sound_without_a_voice_is_no_success() {
        let hum = Sound { sample_rate: 22_050, samples: vec![100; 50_000] };
        assert!(matches!(narrate(&[(hum, 0.4)], "Hello"), Err(SpeakError::Silent)));
        assert!(matches!(narrate(&[], "Hello"), Err(SpeakError::Silent)));
    }

    #[test]
    fn a_voice_that_is_cut_off_or_endless_is_no_success() {
        let long = "A sentence that nobody can say in the blink of an eye. ".repeat(4);
        assert!(matches!(narrate(&[(tone(0.2), 0.4)], &long), Err(SpeakError::Implausible { .. })));
        assert!(matches!(narrate(&[(tone(60.0), 0.4)], "Hi"), Err(SpeakError::Implausible { .. })));
    }

    #[test]
    fn pieces_of_another_sample_rate_are_refused() {
        let other = Sound { sample_rate: 16_000, ..tone(1.0) };
        assert!(matches!(narrate(&[(tone(1.0), 0.4), (other, 0.4)], "Hello"), Err(SpeakError::Broken(_))));
    }

    #[test]
    fn a_text_without_words_gives_a_short_silence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("voice.wav");
        assert!((nothing(&path).unwrap().seconds - NOTHING).abs() < 1e-9);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 44 + 2 * 13_230);
    }
}
