//! The contract between engine and workers: what a job asks for; [`Output`] and [`Failure`] are what comes back.

mod outcome;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::asset::AssetKey;
use crate::ids::ShotId;
use crate::settings::{Captions, FilmFormat, Fit, Mood, Motion, OnMissing, Quality, Transition, VoiceFormat};

pub(crate) use outcome::reported;
pub use outcome::{Failure, FilmOutput, MadeWith, Output, SegmentCounts, StoryboardOutput};

/// What sort of work a task is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Story → shots.
    Storyboard,
    /// Prompt → picture.
    Image,
    /// Picture → moving clip.
    Video,
    /// Narration → voice.
    Tts,
    /// Shots → film.
    Film,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Storyboard, Self::Image, Self::Video, Self::Tts, Self::Film];

    /// The word in subjects, consumers and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Storyboard => "storyboard",
            Self::Image => "image",
            Self::Video => "video",
            Self::Tts => "tts",
            Self::Film => "film",
        }
    }

    /// The task's `type` in the API.
    pub fn task_type(self) -> &'static str {
        match self {
            Self::Storyboard => "generate_storyboard",
            Self::Image => "generate_shot",
            Self::Video => "generate_video",
            Self::Tts => "generate_audio",
            Self::Film => "render_film",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            format!("unknown kind {text:?}; the kinds are storyboard, image, video, tts, film")
        })
    }
}

/// SHA-256 (64 hexadecimal digits) of what was asked for. Decides staleness and reuse.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpecHash(pub String);

/// Everything a worker needs to know to do one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Spec {
    /// Story → shots.
    Storyboard(StoryboardSpec),
    /// Prompt → picture.
    Image(ImageSpec),
    /// Picture → clip.
    Video(VideoSpec),
    /// Narration → voice.
    Tts(TtsSpec),
    /// Shots → film.
    Film(FilmSpec),
}

impl Spec {
    /// The kind of job this is for.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Storyboard(_) => Kind::Storyboard,
            Self::Image(_) => Kind::Image,
            Self::Video(_) => Kind::Video,
            Self::Tts(_) => Kind::Tts,
            Self::Film(_) => Kind::Film,
        }
    }

    /// The hash of all that is asked for.
    pub fn hash(&self) -> SpecHash {
        SpecHash(crate::hash::hash_json("spec/1", self))
    }

    /// The stored assets that the job reads.
    pub fn inputs(&self) -> Vec<&AssetKey> {
        match self {
            Self::Storyboard(_) | Self::Image(_) | Self::Tts(_) => Vec::new(),
            Self::Video(spec) => vec![&spec.image],
            Self::Film(spec) => spec
                .shots
                .iter()
                .flat_map(|shot| {
                    let visual = match &shot.visual {
                        FilmVisual::Still { picture } => Some(picture),
                        FilmVisual::Clip { clip, .. } => Some(clip),
                        FilmVisual::Card => None,
                    };
                    visual.into_iter().chain(shot.voice.as_ref().map(|voice| &voice.asset))
                })
                .chain(match &spec.music {
                    FilmMusic::Asset { asset } => Some(asset),
                    FilmMusic::Mood { .. } | FilmMusic::None => None,
                })
                .collect(),
        }
    }
}

/// Asks for a storyboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoryboardSpec {
    /// The story, 1 to 20,000 characters, as the person wrote it.
    pub story: String,
    /// Free text; known names map to a palette and a prompt fragment.
    pub style: String,
    /// BCP 47 language; detected when absent.
    pub language: Option<String>,
    /// How many shots, 1 to 200; chosen from the story's length when absent.
    pub shot_count: Option<u32>,
    /// Keep the story's own words as narration. The built-in provider always does.
    pub verbatim: bool,
}

/// Asks for a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSpec {
    /// What to show, up to 2,000 characters, any language.
    pub prompt: String,
    /// What not to show.
    pub negative_prompt: String,
    /// The project's style, free text.
    pub style: String,
    /// The feeling of the shot.
    pub mood: Mood,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Same seed and specification, same picture.
    pub seed: u32,
    /// The model asked for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Sampling steps asked for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Guidance scale asked for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cfg_scale: Option<f64>,
}

/// Asks for a moving clip of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoSpec {
    /// The picture to move.
    pub image: AssetKey,
    /// What happens in it.
    pub prompt: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Length in seconds.
    pub duration_seconds: f64,
    /// Same seed and specification, same clip.
    pub seed: u32,
    /// The model asked for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Sampling steps, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Guidance scale, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cfg_scale: Option<f64>,
}

/// Asks for a voice that speaks a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TtsSpec {
    /// What to say, up to 10,000 characters.
    pub text: String,
    /// BCP 47 language; detected from the text when absent.
    pub language: Option<String>,
    /// Voice by the provider's name; the language's own when absent.
    pub voice: Option<String>,
    /// Speed factor, 0.5 to 2; 1 is the voice's own.
    pub speed: f64,
    /// What it is kept in; WAV when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<VoiceFormat>,
    /// Samples per second, 8,000 to 192,000; the voice's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// The model asked for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Asks for a film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilmSpec {
    /// Shown on title cards.
    pub title: String,
    /// BCP 47 language of the captions, for example `en`.
    pub language: String,
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Frames per second, 12 to 60.
    pub fps: u32,
    /// How carefully to encode.
    pub quality: Quality,
    /// What it is kept in; MP4 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<FilmFormat>,
    /// The film ends after so many seconds at the latest, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<f64>,
    /// Where the subtitles go.
    pub captions: Captions,
    /// The music.
    pub music: FilmMusic,
    /// How stills move.
    pub motion: Motion,
    /// How pictures of another shape fill the frame.
    pub fit: Fit,
    /// What to do about a shot that has nothing to show.
    pub on_missing: OnMissing,
    /// The shots in their order, at least one.
    pub shots: Vec<FilmShot>,
}

/// One shot of a film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilmShot {
    /// Which shot, for a copy that of the original; moves are derived from it, so that they stay the same.
    pub shot_id: ShotId,
    /// Shown on a title card when there is nothing else.
    pub title: String,
    /// The words of the captions; empty for none.
    pub narration: String,
    /// What is seen.
    pub visual: FilmVisual,
    /// What is heard; absent for silence.
    pub voice: Option<FilmVoice>,
    /// How this shot goes over to the next; ignored on the last.
    pub transition: Transition,
    /// The user's own minimum length in seconds.
    pub duration_seconds: Option<f64>,
}

/// What a shot shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FilmVisual {
    /// A picture, moved by Ken Burns or not.
    Still {
        /// The picture.
        picture: AssetKey,
    },
    /// A moving clip.
    Clip {
        /// The clip.
        clip: AssetKey,
        /// Its length in seconds, measured when it was stored.
        #[serde(rename = "durationSeconds")]
        duration_seconds: f64,
    },
    /// A title card.
    Card,
}

/// A shot's voice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilmVoice {
    /// The sound.
    pub asset: AssetKey,
    /// Its length in seconds, measured when it was stored.
    pub duration_seconds: f64,
}

/// A film's music.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FilmMusic {
    /// No music.
    None,
    /// Synthesised for a mood.
    Mood {
        /// Which mood.
        mood: Mood,
    },
    /// The user's own.
    Asset {
        /// The upload.
        asset: AssetKey,
    },
}

/// One shot of a storyboard, before it has an id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoryboardShot {
    /// A few words.
    pub title: String,
    /// What the picture shows.
    pub prompt: String,
    /// What is said.
    pub narration: String,
    /// The feeling of the shot.
    pub mood: Mood,
}
