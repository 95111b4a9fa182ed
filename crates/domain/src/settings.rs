//! A project's settings: what the film looks and sounds like, and what happens by itself.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word used in JSON and on the command line.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some([$($word),+])).into()
            }
        }

        impl ToSchema for $name {}

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("must be one of: {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}

words!(/// Shape of the film.
Aspect {
    /// Landscape; the default.
    Wide = "16:9",
    /// Portrait, for phones.
    Tall = "9:16",
    /// Square.
    Square = "1:1",
    /// Classic television.
    Classic = "4:3",
});

words!(/// How carefully the film is encoded.
Quality {
    /// 540 lines at the fastest preset; same plan.
    Preview = "preview",
    /// The project's own resolution.
    Final = "final",
});

words!(/// What a film is kept in.
FilmFormat {
    /// MP4 with H.264 and AAC, which everything plays; the default.
    Mp4 = "mp4",
    /// WebM with VP9 and Opus, for pages that want nothing else.
    Webm = "webm",
});

words!(/// What a voice is kept in.
VoiceFormat {
    /// Samples as they are; the default.
    Wav = "wav",
    /// MP3, for players that want nothing else.
    Mp3 = "mp3",
});

words!(/// What joins a shot to the next.
Transition {
    /// A hard cut.
    Cut = "cut",
    /// Fade to black and up again.
    Fade = "fade",
    /// Both pictures mixed; the default.
    Crossfade = "crossfade",
    /// Pixels switch one by one.
    Dissolve = "dissolve",
    /// The next shot uncovers the old one from right to left.
    WipeLeft = "wipe_left",
    /// The next shot pushes the old one out to the left.
    SlideLeft = "slide_left",
});

words!(/// Where the subtitles go. `.srt` and `.vtt` files come along in every case.
Captions {
    /// Drawn into the picture; the default.
    Burned = "burned",
    /// A soft track of the MP4.
    Soft = "soft",
    /// Not in the MP4.
    Off = "off",
});

words!(/// The film's music.
Music {
    /// Follows the mood of most of the story; the default.
    Auto = "auto",
    /// Slow and warm.
    Calm = "calm",
    /// Low and restless.
    Tense = "tense",
    /// Quick and major.
    Bright = "bright",
    /// The user's own, once it is uploaded.
    Own = "own",
    /// No music.
    None = "none",
});

words!(/// The feeling of a shot; it colours the picture and picks the music.
Mood {
    /// Slow and warm.
    Calm = "calm",
    /// Low and restless.
    Tense = "tense",
    /// Quick and major.
    Bright = "bright",
});

words!(/// What a film does about a shot that has nothing to show.
OnMissing {
    /// A title card in its place; the default.
    Card = "card",
    /// Leave the shot out.
    Skip = "skip",
    /// Fail the film.
    Fail = "fail",
});

words!(/// How a still picture behaves in the film.
Motion {
    /// Slow zoom and pan; the default.
    KenBurns = "ken_burns",
    /// It stands still.
    Still = "still",
});

words!(/// How a picture of another shape fills the frame.
Fit {
    /// Cropped; the default.
    Crop = "crop",
    /// Whole, on a blurred copy of itself.
    Blur = "blur",
});

/// Everything that is chosen once per project. Unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Shape of the film.
    pub aspect: Aspect,
    /// Lines of the shorter side, as `360p` to `2160p`.
    #[schema(value_type = String, pattern = "^[0-9]{3,4}p$", example = "720p")]
    pub resolution: Resolution,
    /// Frames per second, 12 to 60.
    #[schema(minimum = 12, maximum = 60)]
    pub fps: u32,
    /// BCP 47 language of the narration, for example `en` or `zh`; detected from the story when absent.
    #[schema(pattern = "^[A-Za-z0-9-]{2,35}$", example = "en")]
    pub language: Option<String>,
    /// Voice, by the speech provider's name for it; the language's own when absent.
    #[schema(max_length = 200)]
    pub voice: Option<String>,
    /// The film's music.
    pub music: Music,
    /// Where the subtitles go.
    pub captions: Captions,
    /// The transition of shots that choose none.
    pub transition: Transition,
    /// How stills move.
    pub motion: Motion,
    /// How pictures of another shape fill the frame.
    pub fit: Fit,
    /// Make a moving clip from every picture.
    pub image_to_video: bool,
    /// Render the film as soon as its last asset arrives.
    pub auto_render: bool,
    /// Quality of films rendered by themselves.
    pub quality: Quality,
    /// What a film does about a shot that has nothing to show.
    pub on_missing: OnMissing,
    /// Keep the story's own words as narration, whatever the storyboard provider would rather say.
    pub verbatim_narration: bool,
    /// Upper limit of spending, in the currency of the providers' prices. What would cost more fails as
    /// `budget_spent` before it starts, and can be retried when the budget is raised. What a kind costs is known from
    /// the last one that was made, so the first ones of each kind are not held back.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub budget: Option<f64>,
    /// Seed of everything random; chosen at creation when absent.
    pub seed: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            aspect: Aspect::Wide,
            resolution: Resolution::default(),
            fps: 24,
            language: None,
            voice: None,
            music: Music::Auto,
            captions: Captions::Burned,
            transition: Transition::Crossfade,
            motion: Motion::KenBurns,
            fit: Fit::Crop,
            image_to_video: false,
            auto_render: false,
            quality: Quality::Final,
            on_missing: OnMissing::Card,
            verbatim_narration: false,
            budget: None,
            seed: None,
        }
    }
}

impl Settings {
    /// Width and height in pixels, both even.
    pub fn frame_size(&self) -> (u32, u32) {
        self.resolution.frame_size(self.aspect)
    }
}

/// Lines of the shorter side of the frame: 360 to 2160, written `720p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution(u32);

/// 720 lines.
impl Default for Resolution {
    fn default() -> Self {
        Self(720)
    }
}

impl Resolution {
    /// 360 lines.
    pub const SMALLEST: Self = Self(360);
    /// 2160 lines.
    pub const LARGEST: Self = Self(2160);
    /// 540 lines, the size of previews.
    pub const PREVIEW: Self = Self(540);

    /// The resolution with so many lines, when it is between 360 and 2160.
    pub fn new(lines: u32) -> Option<Self> {
        (Self::SMALLEST.0..=Self::LARGEST.0).contains(&lines).then_some(Self(lines))
    }

    /// The resolution that comes nearest to so many lines.
    pub fn nearest(lines: u32) -> Self {
        Self(lines.clamp(Self::SMALLEST.0, Self::LARGEST.0))
    }

    /// Lines of the shorter side.
    pub fn lines(self) -> u32 {
        self.0
    }

    /// Width and height in pixels, both even.
    pub fn frame_size(self, aspect: Aspect) -> (u32, u32) {
        let even = |pixels: u32| pixels / 2 * 2;
        let short = even(self.0);
        match aspect {
            Aspect::Wide => (even(short * 16 / 9 + 1), short),
            Aspect::Tall => (short, even(short * 16 / 9 + 1)),
            Aspect::Square => (short, short),
            Aspect::Classic => (even(short * 4 / 3 + 1), short),
        }
    }
}

impl FromStr for Resolution {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.strip_suffix('p')
            .and_then(|lines| lines.parse().ok())
            .and_then(Self::new)
            .ok_or_else(|| "must be between 360p and 2160p".to_owned())
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}p", self.0)
    }
}

impl Serialize for Resolution {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Resolution {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Size of one film's frame: `1920x1080`, or `1080p` for so many lines in the project's own shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameSize {
    /// In the project's own shape.
    Lines(Resolution),
    /// In the shape that follows from them.
    Pixels {
        /// Even, 128 to 3840.
        width: u32,
        /// Even, 128 to 3840.
        height: u32,
    },
}

/// Pixels of one side of a frame.
const SIDE: RangeInclusive<u32> = 128..=3840;

impl FrameSize {
    /// The frame that comes nearest to so many pixels, in their shape unless that is a strip.
    pub fn nearest(width: u32, height: u32) -> Self {
        let (width, height) = (f64::from(width.max(1)), f64::from(height.max(1)));
        let (least, most) = (f64::from(*SIDE.start()), f64::from(*SIDE.end()));
        let scale = (least / width.min(height)).max(1.0).min(most / width.max(height));
        let side = |pixels: f64| ((pixels * scale).clamp(least, most) / 2.0).round() as u32 * 2;
        Self::Pixels { width: side(width), height: side(height) }
    }

    /// Width and height in pixels, both even, of a film of a project with this shape.
    pub fn pixels(self, aspect: Aspect) -> (u32, u32) {
        match self {
            Self::Lines(resolution) => resolution.frame_size(aspect),
            Self::Pixels { width, height } => (width, height),
        }
    }
}

impl FromStr for FrameSize {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be like 1920x1080, both even and 128 to 3840, or 360p to 2160p".to_owned();
        let Some((width, height)) = text.split_once('x') else {
            return text.parse().map(Self::Lines).map_err(|_| wrong());
        };
        let side = |digits: &str| {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            let pixels = is_number.then(|| digits.parse::<u32>().ok()).flatten();
            pixels.filter(|pixels| SIDE.contains(pixels) && pixels.is_multiple_of(2))
        };
        let (width, height) = side(width).zip(side(height)).ok_or_else(wrong)?;
        Ok(Self::Pixels { width, height })
    }
}

impl fmt::Display for FrameSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines(resolution) => resolution.fmt(f),
            Self::Pixels { width, height } => write!(f, "{width}x{height}"),
        }
    }
}

impl Serialize for FrameSize {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FrameSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for FrameSize {
    fn schema() -> RefOr<Schema> {
        let words = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^([0-9]{3,4}p|[0-9]{3,4}x[0-9]{3,4})$"));
        words.examples(["1920x1080", "1080p"]).into()
    }
}

impl ToSchema for FrameSize {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_told_by_its_sides_or_by_its_lines() {
        let pixels = |text: &str, aspect| text.parse::<FrameSize>().map(|size| size.pixels(aspect));
        assert_eq!(pixels("1920x1080", Aspect::Tall), Ok((1920, 1080)), "its own shape");
        assert_eq!(pixels("1080p", Aspect::Tall), Ok((1080, 1920)), "the project's shape");
        assert_eq!(pixels("128x3840", Aspect::Wide), Ok((128, 3840)));
        for wrong in [
            "",
            "x",
            "big",
            "1921x1080",
            "126x128",
            "3842x128",
            "128x",
            "+640x+360",
            "640X360",
            "1x1x1",
            "90p",
            "9999p",
        ] {
            assert!(pixels(wrong, Aspect::Wide).is_err(), "{wrong}");
        }
        for (asked, near) in [
            ((1920, 1080), (1920, 1080)),
            ((1023, 767), (1024, 768)),
            ((7680, 4320), (3840, 2160)),
            ((64, 48), (170, 128)),
            ((u32::MAX, 1), (3840, 128)),
            ((0, 0), (128, 128)),
        ] {
            let size = FrameSize::nearest(asked.0, asked.1);
            assert_eq!(size.pixels(Aspect::Wide), near, "{asked:?}");
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for same in ["640x360", "720p"] {
            assert_eq!(same.parse::<FrameSize>().map(|size| size.to_string()), Ok(same.to_owned()));
        }
    }
}
