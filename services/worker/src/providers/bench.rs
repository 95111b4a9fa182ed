//! Providers that only sleep, to measure everything around them and to break it on purpose.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use domain::job::{
    Failure, Kind, MadeWith, SegmentCounts, Spec, StoryboardOutput, StoryboardShot, StoryboardSpec,
};
use domain::settings::Mood;

use super::{Content, Files, FilmFiles, JobContext, Made, MadeFile, Provider};

/// Sleeps so long per kind, then answers with the same few bytes.
#[derive(Debug, Clone, Default)]
pub struct Sleeping {
    /// How long each kind takes; 0 when absent.
    pub durations: BTreeMap<Kind, Duration>,
}

impl Provider for Sleeping {
    async fn run(&self, spec: &Spec, _context: &JobContext) -> Result<Made, Failure> {
        let duration = self.durations.get(&spec.kind()).copied().unwrap_or_default();
        if !duration.is_zero() {
            tokio::time::sleep(duration).await;
        }
        let files = match spec {
            Spec::Storyboard(spec) => Files::Storyboard(storyboard(spec)),
            Spec::Image(_) => Files::Media(file("png", None)),
            Spec::Video(_) => Files::Media(file("mp4", Some(1.0))),
            Spec::Tts(_) => Files::Media(file("wav", Some(1.0))),
            Spec::Film(spec) => Files::Film(Box::new(FilmFiles {
                film: file("mp4", Some(1.0)),
                srt: file("srt", None),
                vtt: file("vtt", None),
                poster: file("jpg", None),
                width: spec.width,
                height: spec.height,
                fps: spec.fps,
                duration_seconds: 1.0,
                segments: SegmentCounts::default(),
                warnings: Vec::new(),
            })),
        };
        Ok(Made { files, made_with: MadeWith { provider: "bench".to_owned(), ..MadeWith::default() } })
    }
}

/// A sleeper whose work can be counted: each run notes its start and its end, and makes files that no other
/// specification has, so that they have to be uploaded like real ones.
#[derive(Debug, Clone, Default)]
pub struct Noted {
    /// Does the work.
    pub sleeping: Sleeping,
    /// Gets a line `start|end <milliseconds since 1970> <kind> <hash of the specification>` at a time; nothing
    /// is noted when absent.
    pub notes: Option<PathBuf>,
}

impl Noted {
    /// One write in append mode, so that the lines of several processes do not mix.
    fn note(&self, what: &str, spec: &Spec) -> Result<(), Failure> {
        let Some(path) = &self.notes else { return Ok(()) };
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let line = format!("{what} {millis} {} {}\n", spec.kind(), spec.hash().0);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(|error| Failure::fail("notes", format!("{} cannot be written: {error}", path.display())))
    }
}

impl Provider for Noted {
    async fn run(&self, spec: &Spec, context: &JobContext) -> Result<Made, Failure> {
        self.note("start", spec)?;
        let mut made = self.sleeping.run(spec, context).await?;
        let content = |file: &mut MadeFile| {
            let words = format!("{} for {}", file.extension, spec.hash().0);
            file.content = Content::Bytes(words.into());
        };
        match &mut made.files {
            Files::Storyboard(_) => {}
            Files::Media(file) => content(file),
            Files::Film(film) => {
                for file in [&mut film.film, &mut film.srt, &mut film.vtt, &mut film.poster] {
                    content(file);
                }
            }
        }
        self.note("end", spec)?;
        Ok(made)
    }
}

fn file(extension: &'static str, duration_seconds: Option<f64>) -> MadeFile {
    let content = Content::Bytes(Bytes::from_static(b"made by nobody, to measure how fast"));
    MadeFile { content, extension, duration_seconds }
}

fn storyboard(spec: &StoryboardSpec) -> StoryboardOutput {
    let shot = |number| StoryboardShot {
        title: format!("Shot {number}"),
        prompt: format!("What shot {number} shows"),
        narration: format!("What shot {number} says."),
        mood: Mood::Calm,
    };
    StoryboardOutput {
        title: "Bench".to_owned(),
        language: "en".to_owned(),
        shots: (1..=spec.shot_count.unwrap_or(20)).map(shot).collect(),
    }
}
