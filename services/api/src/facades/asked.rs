//! How clients of the façades want takes and films made.
//!
//! They know the limits of other models. A number that is beyond ours becomes the nearest that is not: that is no
//! reason to refuse a call, and where an answer has words for it, they say so.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use domain::project::{Parameters, limits};
use domain::settings::{Aspect, FrameSize, Resolution, Settings, VoiceFormat};

use super::fields::Fields;
use crate::problem::Problem;

/// Reads what is asked for, and remembers what had to be made something else.
pub(super) struct Asked<'a> {
    fields: &'a Fields,
    changes: Vec<String>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(fields: &'a Fields) -> Self {
        Self { fields, changes: Vec::new() }
    }

    /// How a picture is to be made.
    pub(super) fn picture(&mut self) -> Result<Parameters, Problem> {
        Ok(Parameters {
            seed: self.seed()?,
            steps: self.whole(&["steps", "num_steps", "img_steps"], limits::STEPS)?,
            cfg_scale: self.number(&["cfg_scale"], limits::CFG_SCALE)?,
            ..Parameters::default()
        })
    }

    /// How a clip is to be made.
    pub(super) fn clip(&mut self) -> Result<Parameters, Problem> {
        Ok(Parameters {
            fps: self.fps()?,
            duration_seconds: self.number(&["duration", "clip_seconds"], limits::SHOT_SECONDS)?,
            ..Parameters::default()
        })
    }

    /// How a voice is to sound. A language stands for its own voice.
    pub(super) fn voice(&mut self) -> Result<Parameters, Problem> {
        Ok(Parameters {
            voice: self.fields.text(&["voice", "speaker", "lang"]),
            speed: self.number(&["speed"], limits::SPEED)?,
            sample_rate: self.whole(&["sample_rate"], limits::SAMPLE_RATE)?,
            voice_format: self.voice_format(),
            ..Parameters::default()
        })
    }

    /// One that nobody makes becomes WAV.
    fn voice_format(&mut self) -> Option<String> {
        let asked = self.fields.text(&["format"])?.trim().to_lowercase();
        let near = asked.parse().unwrap_or(VoiceFormat::Wav);
        self.note("format", asked, near);
        Some(near.to_string())
    }

    /// What a film is to be like; what is not said is the project's own.
    pub(super) fn film(&mut self) -> Result<Parameters, Problem> {
        let format = self.fields.text(&["format"]).map(|text| text.trim().to_lowercase().parse());
        Ok(Parameters {
            fps: self.fps()?,
            resolution: self.frame()?,
            format: format.transpose().map_err(|words: String| invalid("format", &words))?,
            ..Parameters::default()
        })
    }

    /// The settings for pictures of this size.
    pub(super) fn settings(&mut self) -> Result<Settings, Problem> {
        let Some(asked) = self.size()? else { return Ok(Settings::default()) };
        let settings = asked.of_pictures();
        match asked {
            Size::Lines(_) => self.note("resolution", asked, settings.resolution),
            Size::Pixels(..) => {
                let (width, height) = settings.frame_size();
                self.note("resolution", asked, Size::Pixels(width, height));
            }
        }
        Ok(settings)
    }

    /// The size of a film's frame.
    pub(super) fn frame(&mut self) -> Result<Option<FrameSize>, Problem> {
        let Some(asked) = self.size()? else { return Ok(None) };
        let near = match asked {
            Size::Pixels(width, height) => FrameSize::nearest(width, height),
            Size::Lines(lines) => FrameSize::Lines(Resolution::nearest(lines)),
        };
        self.note("resolution", asked, near);
        Ok(Some(near))
    }

    /// Frames per second.
    fn fps(&mut self) -> Result<Option<u32>, Problem> {
        self.whole(&["fps"], limits::FPS)
    }

    /// A size: `resolution`, else width and height.
    pub(super) fn size(&self) -> Result<Option<Size>, Problem> {
        if let Some(text) = self.fields.text(&["resolution"]) {
            let read = text.parse().map(Some);
            return read.map_err(|()| invalid("resolution", "must be like 1024x576 or 720p"));
        }
        let (width, height) =
            (self.first(&["width", "image_width"])?, self.first(&["height", "image_height"])?);
        let side = |(_, pixels): (&str, f64)| pixels.round().clamp(1.0, f64::from(u16::MAX)) as u32;
        Ok(width.zip(height).map(|(width, height)| Size::Pixels(side(width), side(height))))
    }

    /// Any below 1 stands for whatever seed there is; long ones lose what is beyond 32 bits.
    fn seed(&mut self) -> Result<Option<u32>, Problem> {
        let Some(asked) = self.fields.number("seed")?.filter(|seed| *seed >= 1.0) else { return Ok(None) };
        let seed = (asked.trunc() % (f64::from(u32::MAX) + 1.0)) as u32;
        self.note("seed", asked, seed);
        Ok(Some(seed))
    }

    fn whole(&mut self, names: &[&str], range: RangeInclusive<u32>) -> Result<Option<u32>, Problem> {
        let Some((name, asked)) = self.first(names)? else { return Ok(None) };
        let near = asked.round().clamp((*range.start()).into(), (*range.end()).into()) as u32;
        self.note(name, asked, near);
        Ok(Some(near))
    }

    fn number(&mut self, names: &[&str], range: RangeInclusive<f64>) -> Result<Option<f64>, Problem> {
        let Some((name, asked)) = self.first(names)? else { return Ok(None) };
        let near = asked.clamp(*range.start(), *range.end());
        self.note(name, asked, near);
        Ok(Some(near))
    }

    /// The first of these numbers that was given, with its name.
    fn first<'n>(&self, names: &[&'n str]) -> Result<Option<(&'n str, f64)>, Problem> {
        for name in names {
            if let Some(number) = self.fields.number(name)? {
                return Ok(Some((name, number)));
            }
        }
        Ok(None)
    }

    fn note(&mut self, name: &str, asked: impl Display, near: impl Display) {
        let (asked, near) = (asked.to_string(), near.to_string());
        if asked != near {
            self.changes.push(format!("{name}: {asked} became {near}"));
        }
    }

    /// These words, and what became of what was asked for.
    pub(super) fn answer(&self, words: &str) -> String {
        let words = Some(words).filter(|words| !words.is_empty()).into_iter();
        words.chain(self.changes.iter().map(String::as_str)).collect::<Vec<_>>().join("; ")
    }
}

fn invalid(field: &str, words: &str) -> Problem {
    Problem::bad_request("invalid", format!("{field}: {words}"))
}

/// A size as those clients write it: `1920x1080`, `1920 * 1080`, `1080P` and `1080`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Pixels(u32, u32),
    Lines(u32),
}

impl Size {
    /// The nearest of the shapes and sizes that pictures have.
    pub(super) fn of_pictures(self) -> Settings {
        let plain = Settings::default();
        let (width, height) = match self {
            Self::Pixels(width, height) => (width, height),
            Self::Lines(lines) => return Settings { resolution: Resolution::nearest(lines), ..plain },
        };
        let ratio = |(width, height): (u32, u32)| (f64::from(width) / f64::from(height)).ln();
        let resolution = Resolution::nearest(width.min(height));
        let distance =
            |aspect: &Aspect| (ratio(resolution.frame_size(*aspect)) - ratio((width, height))).abs();
        let nearest = Aspect::ALL.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        Settings { resolution, aspect: nearest.unwrap_or(plain.aspect), ..plain }
    }
}

impl FromStr for Size {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim().to_lowercase();
        let pixels = |text: &str| text.trim().parse().ok().filter(|pixels| *pixels > 0).ok_or(());
        match text.split_once(['x', '*', '×']) {
            Some((width, height)) => Ok(Self::Pixels(pixels(width)?, pixels(height)?)),
            None => Ok(Self::Lines(pixels(text.trim_end_matches('p'))?)),
        }
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pixels(width, height) => write!(f, "{width}x{height}"),
            Self::Lines(lines) => write!(f, "{lines}p"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(json: Value) -> Fields {
        Fields::of(json.as_object().unwrap().clone())
    }

    #[test]
    fn a_size_is_read_as_those_clients_write_it() {
        for (text, size) in [
            ("1920x1080", "1920x1080"),
            ("1080p", "1080p"),
            ("720 * 1280", "720x1280"),
            ("480P", "480p"),
            ("720", "720p"),
        ] {
            assert_eq!(text.parse::<Size>().map(|size| size.to_string()), Ok(size.to_owned()), "{text}");
        }
        for text in ["big", "0x0", "p", "x", "1x", "-1x5", "99999999999"] {
            assert_eq!(text.parse::<Size>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_picture_has_the_nearest_size_that_there_is() {
        for (text, size) in [
            ("1024x576", (1024, 576)),
            ("1024x1024", (1024, 1024)),
            ("720x1280", (720, 1280)),
            ("640 * 480", (640, 480)),
            ("384x256", (480, 360)),
            ("1080p", (1920, 1080)),
            ("10p", (640, 360)),
        ] {
            assert_eq!(text.parse::<Size>().unwrap().of_pictures().frame_size(), size, "{text}");
        }
    }

    #[test]
    fn what_is_beyond_reach_becomes_the_nearest_and_the_answer_says_so() {
        let fields =
            fields(json!({ "fps": "7.4", "num_steps": 500, "cfg_scale": -2, "speed": 1.5, "seed": -1 }));
        let mut asked = Asked::of(&fields);
        let (picture, clip) = (asked.picture().unwrap(), asked.clip().unwrap());
        assert_eq!((picture.steps, picture.cfg_scale, picture.seed), (Some(200), Some(0.0), None));
        assert_eq!((clip.fps, clip.duration_seconds), (Some(12), None));
        assert_eq!(asked.voice().unwrap().speed, Some(1.5));
        let words = "queued; num_steps: 500 became 200; cfg_scale: -2 became 0; fps: 7.4 became 12";
        assert_eq!(asked.answer("queued"), words);
    }

    #[test]
    fn a_film_has_its_own_size_if_it_is_one() {
        for (text, near, words) in [
            ("640x480", "640x480", ""),
            ("1023x767", "1024x768", "resolution: 1023x767 became 1024x768"),
            ("144p", "360p", "resolution: 144p became 360p"),
        ] {
            let fields = fields(json!({ "resolution": text }));
            let mut asked = Asked::of(&fields);
            assert_eq!(asked.film().unwrap().resolution.map(|size| size.to_string()).as_deref(), Some(near));
            assert_eq!(asked.answer(""), words);
        }
    }

    #[test]
    fn long_seeds_are_cut_and_nonsense_is_refused() {
        let seed = |value: Value| {
            let fields = fields(json!({ "seed": value }));
            Asked::of(&fields).picture().map(|parameters| parameters.seed)
        };
        assert_eq!(seed(json!(4_294_967_298_u64)).unwrap(), Some(2));
        assert_eq!(seed(json!("42")).unwrap(), Some(42));
        for nonsense in [json!("x"), json!("NaN"), json!("1e400")] {
            assert_eq!(seed(nonsense).unwrap_err().status.as_u16(), 400);
        }
    }
}
