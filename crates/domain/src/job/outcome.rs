//! What comes back from a job: what it made, with what, or why it failed. Whoever reports is not trusted.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::StoryboardShot;
use crate::asset::Asset;

/// What a finished job brings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Output {
    /// Shots, in order.
    Storyboard(StoryboardOutput),
    /// A picture, clip or voice.
    Media {
        /// What was stored.
        asset: Asset,
    },
    /// A film.
    Film(FilmOutput),
}

/// A finished storyboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoryboardOutput {
    /// A title for a project that has none.
    pub title: String,
    /// BCP 47 language of the story.
    pub language: String,
    /// The shots in order, 1 to 200.
    pub shots: Vec<StoryboardShot>,
}

/// A finished film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilmOutput {
    /// The MP4 or WebM.
    pub film: Asset,
    /// Subtitles as SubRip.
    pub srt: Asset,
    /// Subtitles as WebVTT.
    pub vtt: Asset,
    /// A JPEG of the first good frame.
    pub poster: Asset,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Length in seconds, measured.
    pub duration_seconds: f64,
    /// How many segments the film has, and how many had to be encoded.
    pub segments: SegmentCounts,
    /// What went wrong without failing the film.
    pub warnings: Vec<String>,
}

impl Output {
    /// The stored media.
    pub fn assets(&self) -> Vec<&Asset> {
        match self {
            Self::Storyboard(_) => Vec::new(),
            Self::Media { asset } => vec![asset],
            Self::Film(film) => vec![&film.film, &film.srt, &film.vtt, &film.poster],
        }
    }
}

impl FilmOutput {
    /// The same with as many and as long warnings as an event can bear: whoever reports is not trusted.
    pub fn bounded(&self) -> Self {
        let warnings = self.warnings.iter().take(100).map(|warning| reported(warning, 500)).collect();
        Self { warnings, ..self.clone() }
    }
}

/// What a render had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SegmentCounts {
    /// Segments of the film.
    pub total: u32,
    /// Encoded in this render.
    pub encoded: u32,
    /// Taken from the store.
    pub reused: u32,
}

/// What really made an asset, as against what was asked for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeWith {
    /// The provider, for example `builtin`.
    pub provider: String,
    /// The model, if the provider names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The seed really used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// How long it took, in milliseconds; 0 when the asset was there already.
    pub millis: u64,
    /// What it cost, in the currency of the providers' prices, up to 10⁹; absent when it cost nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Why it is not as good as what was asked for: a fallback provider, fewer steps, a smaller picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<String>,
}

/// 30 days: nothing takes longer.
const LONGEST_MILLIS: u64 = 30 * 24 * 3_600 * 1_000;

impl MadeWith {
    /// The same with its words and its time cut to a length that an event can bear, and without a price that is none: whoever
    /// reports is not trusted.
    pub fn bounded(&self) -> Self {
        let model = self.model.as_deref().map(|model| reported(model, 200));
        let degraded = self.degraded.as_deref().map(|reason| reported(reason, 500));
        let cost = self.cost.filter(|cost| (0.0..=1e9).contains(cost));
        let millis = self.millis.min(LONGEST_MILLIS);
        Self { provider: reported(&self.provider, 64), model, degraded, millis, cost, ..self.clone() }
    }
}

/// What a worker says, cut to so many characters, without those that neither a log nor a terminal can show.
pub(crate) fn reported(words: &str, characters: usize) -> String {
    let shown = |character: &char| !character.is_control() || matches!(character, '\n' | '\t');
    words.chars().filter(shown).take(characters).collect()
}

/// Why a job did not succeed, as a worker reports it and as an event stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, utoipa::ToSchema)]
#[error("{message} ({code})")]
pub struct Failure {
    /// Stable snake_case word.
    pub code: String,
    /// For people; may hold the model server's own words.
    pub message: String,
    /// Whether another attempt may succeed.
    pub retryable: bool,
}

impl Failure {
    /// A failure that another attempt may mend.
    pub fn retry(code: &str, message: impl fmt::Display) -> Self {
        Self { code: code.to_owned(), message: message.to_string(), retryable: true }
    }

    /// The same with its words cut to a length that an event can bear: whoever reports is not trusted.
    pub fn bounded(&self) -> Self {
        Self {
            code: reported(&self.code, 64),
            message: reported(&self.message, 2_000),
            retryable: self.retryable,
        }
    }

    /// A failure that no further attempt mends.
    pub fn fail(code: &str, message: impl fmt::Display) -> Self {
        Self { code: code.to_owned(), message: message.to_string(), retryable: false }
    }
}
