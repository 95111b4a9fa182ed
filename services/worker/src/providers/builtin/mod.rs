//! The built-in providers: real and deterministic, without GPU or network, so that a film can be made
//! anywhere, and so that every test of the whole system makes a real one.

pub mod image;
pub mod language;
pub mod storyboard;
pub mod tts;

use domain::job::{Failure, FilmSpec, ImageSpec, MadeWith, Spec, StoryboardSpec, TtsSpec};
use domain::settings::FilmFormat;

use self::tts::Speech;
use super::{Content, Files, FilmFiles, JobContext, Made, MadeFile, ProgressReport, Provider};
use crate::film::{self, FilmTools};

/// The name that takes are marked with.
const NAME: &str = "builtin";

/// All built-in providers.
#[derive(Debug)]
pub struct Builtin {
    speech: Speech,
    film: FilmTools,
}

impl Builtin {
    /// The built-in providers on these tools.
    pub fn new(speech: Speech, film: FilmTools) -> Self {
        Self { speech, film }
    }

    async fn speak(&self, spec: &TtsSpec, context: &JobContext) -> Result<Made, Failure> {
        let language = spec.language.clone().unwrap_or_else(|| language::detect(&spec.text).to_owned());
        let wav = context.work.join("voice.wav");
        let spoken = self.speech.speak(spec, &language, &wav).await?;
        let another = another_voice(spec.voice.as_deref(), &language, &spoken.voice);
        let converted = film::convert_voice(&self.film, spec, (&wav, spoken.sample_rate)).await;
        let kept = converted.as_ref().err().map(|error| format!("the voice stays as it was made: {error}"));
        let file = converted.unwrap_or(wav);
        let file = MadeFile {
            extension: if file.extension().is_some_and(|extension| extension == "mp3") {
                "mp3"
            } else {
                "wav"
            },
            content: Content::File(file),
            duration_seconds: Some(spoken.duration_seconds),
        };
        let reasons: Vec<String> = another.into_iter().chain(kept).collect();
        let degraded = Some(reasons.join("; ")).filter(|reasons| !reasons.is_empty());
        let made = made(Files::Media(file), Some(spoken.voice), None);
        Ok(Made { made_with: MadeWith { degraded, ..made.made_with }, ..made })
    }

    async fn render(&self, spec: &FilmSpec, context: &JobContext) -> Result<Made, Failure> {
        let progress = |progress: film::Progress| {
            let message = format!("{:?}", progress.stage).to_lowercase();
            context.progress.send_replace(ProgressReport {
                percent: progress.percent(),
                message,
                eta_seconds: None,
            });
        };
        // A render is a large future; on the heap it does not burden the stack of everything around it.
        let rendered =
            Box::pin(film::render(spec, &context.inputs, &self.film, &context.work, progress, &context.stop))
                .await?;
        let seconds = rendered.duration_seconds;
        let file = |path, extension, duration_seconds| MadeFile {
            content: Content::File(path),
            extension,
            duration_seconds,
        };
        let files = FilmFiles {
            film: file(rendered.film, spec.format.unwrap_or(FilmFormat::Mp4).as_str(), Some(seconds)),
            srt: file(rendered.srt, "srt", None),
            vtt: file(rendered.vtt, "vtt", None),
            poster: file(rendered.poster, "jpg", None),
            width: rendered.width,
            height: rendered.height,
            fps: rendered.fps,
            duration_seconds: seconds,
            segments: rendered.segments,
            warnings: rendered.warnings,
        };
        Ok(made(Files::Film(Box::new(files)), None, None))
    }
}

impl Provider for Builtin {
    async fn run(&self, spec: &Spec, context: &JobContext) -> Result<Made, Failure> {
        match spec {
            Spec::Storyboard(spec) => write_storyboard(spec.clone()).await,
            Spec::Image(spec) => draw(spec.clone()).await,
            Spec::Tts(spec) => self.speak(spec, context).await,
            Spec::Film(spec) => self.render(spec, context).await,
            Spec::Video(_) => Err(Failure::fail(
                "no_provider",
                "nothing here makes moving clips: let a node do it (external.kinds), or go without imageToVideo",
            )),
        }
    }
}

/// What to say when the voice that was asked for is not the one that spoke.
fn another_voice(asked: Option<&str>, language: &str, spoken: &str) -> Option<String> {
    // A language stands for its own voice.
    let is_met = |asked: &str| [spoken, language].iter().any(|name| asked.eq_ignore_ascii_case(name));
    let asked = asked.map(str::trim).filter(|asked| !asked.is_empty() && !is_met(asked))?;
    Some(format!("no voice called {asked:?} speaks {language:?} here; {spoken} was taken instead"))
}

async fn write_storyboard(spec: StoryboardSpec) -> Result<Made, Failure> {
    let output = blocking(move || storyboard::storyboard(&spec)).await?;
    let output = output.map_err(|error| Failure::fail("empty_story", error))?;
    Ok(made(Files::Storyboard(output), None, None))
}

async fn draw(spec: ImageSpec) -> Result<Made, Failure> {
    let seed = spec.seed;
    let png = blocking(move || image::draw(&spec)).await?;
    let png = png.map_err(|error| Failure::fail("cannot_draw", error))?;
    let file = MadeFile { content: Content::Bytes(png.into()), extension: "png", duration_seconds: None };
    Ok(made(Files::Media(file), None, Some(seed)))
}

/// Heavy work, off the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Failure::retry("provider_panicked", "the provider broke down"))
}

fn made(files: Files, model: Option<String>, seed: Option<u32>) -> Made {
    Made { files, made_with: MadeWith { provider: NAME.to_owned(), model, seed, ..MadeWith::default() } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_voice_than_the_one_that_was_asked_for_is_told() {
        let told = another_voice(Some("nova"), "fr", "fr+Annie");
        assert_eq!(told.unwrap(), "no voice called \"nova\" speaks \"fr\" here; fr+Annie was taken instead");
        for asked in [None, Some(""), Some(" "), Some("EN-GB+f3"), Some("en")] {
            assert_eq!(another_voice(asked, "en", "en-gb+f3"), None, "{asked:?}");
        }
    }
}
