//! Providers that only sleep, to measure everything around them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use domain::job::{Failure, Kind, MadeWith, SegmentCounts, Spec, StoryboardOutput, StoryboardShot, StoryboardSpec};
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
