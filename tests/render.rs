//! Tiny films with the real ffmpeg: what comes out is what was planned, and nothing is left when it does not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use domain::asset::AssetKey;
use domain::ids::ShotId;
use domain::job::{Failure, FilmMusic, FilmShot, FilmSpec, FilmVisual, FilmVoice, SegmentCounts};
use domain::settings::{Captions, FilmFormat, Fit, Mood, Motion, OnMissing, Quality, Transition};
use standalone::stack::film_tools;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::film::{FilmError, FilmPlan, FilmTools, FontFamilies, Progress, Rendered, render};

use super::harness::{LONG, provider_tools, until};

/// A film to render, with its inputs, and a folder to render it in.
struct Studio {
    tools: FilmTools,
    spec: FilmSpec,
    inputs: HashMap<AssetKey, PathBuf>,
    folder: TempDir,
}

impl Studio {
    /// Makes, for each asset of a film, a picture of coloured bars, a clip of the same, or a tone.
    async fn new(spec: FilmSpec) -> Self {
        let tools = film_tools(provider_tools().await).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("work")).unwrap();
        let mut studio = Self { tools, spec, inputs: HashMap::new(), folder };
        for shot in studio.spec.shots.clone() {
            if let Some(voice) = &shot.voice {
                let path = studio.path_of(&voice.asset);
                write_tone(&path, voice.duration_seconds);
                studio.inputs.insert(voice.asset.clone(), path);
            }
            match &shot.visual {
                FilmVisual::Still { picture } => studio.generate("testsrc2=s=400x200:r=1", "1", picture),
                FilmVisual::Clip { clip, .. } => studio.generate("testsrc2=s=160x120:r=10", "12", clip),
                FilmVisual::Card => {}
            }
        }
        studio
    }

    fn path_of(&self, asset: &AssetKey) -> PathBuf {
        self.folder.path().join(asset.as_str().replace('/', "-"))
    }

    fn generate(&mut self, source: &str, frames: &str, asset: &AssetKey) {
        let path = self.path_of(asset);
        self.ffmpeg(&["-f", "lavfi", "-i", source, "-frames:v", frames], path.to_str());
        self.inputs.insert(asset.clone(), path);
    }

    /// Runs ffmpeg to its end.
    fn ffmpeg(&self, arguments: &[&str], output: Option<&str>) -> Output {
        let mut command = Command::new(&self.tools.ffmpeg);
        command.args(["-hide_banner", "-nostdin", "-y"]).args(arguments).args(output);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    async fn render(&self) -> Result<Rendered, FilmError> {
        self.render_until(&CancellationToken::new(), |_| {}).await
    }

    async fn render_until(
        &self,
        cancel: &CancellationToken,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<Rendered, FilmError> {
        render(&self.spec, &self.inputs, &self.tools, &self.work(), progress, cancel).await
    }

    /// The names of what the render left.
    fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.work()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Brightness of the pixels of one frame, 320 a row.
    fn luma(&self, film: &Path, frame: u64) -> Vec<u8> {
        let select = format!("select=eq(n\\,{frame})");
        let film = film.to_str().unwrap();
        let arguments = ["-i", film, "-vf", &select, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray"];
        self.ffmpeg(&arguments, Some("-")).stdout
    }

    /// What ffmpeg says of a film when it decodes all of it with this filter on its sound.
    fn heard(&self, film: &Path, filter: &str) -> String {
        let film = film.to_str().unwrap();
        let said = self.ffmpeg(&["-i", film, "-vn", "-af", filter, "-f", "null"], Some("-")).stderr;
        String::from_utf8_lossy(&said).into_owned()
    }
}

fn key(kind: &str, number: u32, extension: &str) -> AssetKey {
    AssetKey::new(kind, &format!("{number:064x}"), extension).unwrap()
}

/// A still that is spoken over for `seconds`.
fn shot(number: u32, narration: &str, seconds: f64, transition: Transition) -> FilmShot {
    FilmShot {
        shot_id: ShotId(Uuid::from_u128(u128::from(number) * 0x9e37_79b9_7f4a_7c15 + 7)),
        title: format!("Shot {number}"),
        narration: narration.to_owned(),
        visual: FilmVisual::Still { picture: key("image", number, "png") },
        voice: Some(FilmVoice { asset: key("voice", number, "wav"), duration_seconds: seconds }),
        transition,
        duration_seconds: None,
    }
}

/// A tiny film without music: 320×180, 12 frames per second.
fn film(shots: Vec<FilmShot>) -> FilmSpec {
    FilmSpec {
        title: "The Lighthouse".to_owned(),
        language: "en".to_owned(),
        width: 320,
        height: 180,
        fps: 12,
        quality: Quality::Preview,
        format: None,
        max_seconds: None,
        captions: Captions::Burned,
        music: FilmMusic::None,
        motion: Motion::KenBurns,
        fit: Fit::Crop,
        on_missing: OnMissing::Card,
        shots,
    }
}

/// Five seconds with one of everything: each transition, a clip, a card, silence, Chinese, an own duration.
fn varied_film() -> FilmSpec {
    let mut shots = vec![
        shot(1, "The keeper climbed the stairs every night.", 1.7, Transition::Crossfade),
        shot(2, "He waited.", 0.6, Transition::Fade),
        shot(3, "从前有一座灯塔，守塔人每天晚上都点亮灯火。", 3.1, Transition::Dissolve),
        shot(4, "", 0.0, Transition::WipeLeft),
        shot(5, "Short.", 0.4, Transition::SlideLeft),
        shot(6, "Nobody says this aloud.", 0.0, Transition::Cut),
        shot(7, "The end.", 0.9, Transition::Crossfade),
    ];
    shots[1].duration_seconds = Some(3.0);
    shots[2].visual = FilmVisual::Clip { clip: key("video", 3, "mp4"), duration_seconds: 1.2 };
    shots[3].voice = None;
    shots[4].visual = FilmVisual::Card;
    shots[5].voice = None;
    let music = FilmMusic::Mood { mood: Mood::Calm };
    FilmSpec { captions: Captions::Soft, fit: Fit::Blur, music, ..film(shots) }
}

/// A mono tone of 440 Hz at 16 kHz, as a speech provider would send its voice.
fn write_tone(path: &Path, seconds: f64) {
    let samples = (seconds * 16_000.0) as u32;
    let sample = |at: u32| (f64::from(at) / 16_000.0 * 440.0 * std::f64::consts::TAU).sin() * 3_000.0;
    let samples: Vec<i16> = (0..samples).map(|at| sample(at) as i16).collect();
    let format = worker::wav::Format { channels: 1, sample_rate: 16_000 };
    let mut writer = worker::wav::Writer::new(std::fs::File::create(path).unwrap(), format).unwrap();
    writer.write(&samples).unwrap();
    writer.finish().unwrap();
}

#[tokio::test]
async fn a_film_of_three_shots_is_as_long_as_planned_and_leaves_nothing_else() {
    let studio = Studio::new(film(vec![
        shot(1, "One {\\b1}<i>--> 灯塔.", 1.0, Transition::Crossfade),
        shot(2, "Two.", 2.5, Transition::WipeLeft),
        shot(3, "Three.", 0.5, Transition::Cut),
    ]))
    .await;
    let rendered = studio.render().await.unwrap();
    let plan = FilmPlan::from(&studio.spec).unwrap();
    assert!((rendered.duration_seconds - plan.seconds()).abs() < 1e-6);
    assert_eq!(rendered.segments, SegmentCounts { total: 5, encoded: 5, reused: 0 });
    assert_eq!(rendered.warnings, Vec::<String>::new());
    assert_eq!(studio.left(), ["film.mp4", "film.srt", "film.vtt", "poster.jpg"]);
    assert!(std::fs::read_to_string(&rendered.srt).unwrap().contains("00:00:00,250 -->"));
    assert!(std::fs::read(&rendered.poster).unwrap().starts_with(&[0xff, 0xd8, 0xff]));
    // A voice of any level is brought to −16 LUFS; the ends of such short ones weigh a little.
    let heard = studio.heard(&rendered.film, "ebur128=peak=true");
    let summary = heard.rsplit_once("Summary:").unwrap().1;
    let number = |name: &str| {
        let after = summary.split_once(name).unwrap().1;
        after.split_whitespace().next().unwrap().parse::<f64>().unwrap()
    };
    assert!((number("I:") + 16.0).abs() < 1.5, "{summary}");
    assert!(number("Peak:") < -1.0, "{summary}");
}

#[tokio::test]
async fn one_of_everything_makes_a_film() {
    let studio = Studio::new(varied_film()).await;
    let rendered = studio.render().await.unwrap();
    assert_eq!(rendered.warnings, ["shot 5 has nothing to show: a title card stands in for it"]);
    let probe = studio.heard(&rendered.film, "anull");
    for track in
        ["Video: h264", "yuv420p(tv, bt709", "(eng): Audio: aac", "Subtitle: mov_text", "The Lighthouse"]
    {
        assert!(probe.contains(track), "{track} is missing in {probe}");
    }
}

/// A film of one card whose caption is seen from frame 3 on; the brightest pixel there, and the last frame's.
async fn brightest(narration: &str, change: impl Fn(&mut FilmTools)) -> (Option<u8>, Option<u8>) {
    let mut spec = film(vec![shot(1, narration, 1.0, Transition::Cut)]);
    spec.shots[0].visual = FilmVisual::Card;
    let mut studio = Studio::new(spec).await;
    change(&mut studio.tools);
    let rendered = studio.render().await.unwrap();
    let brightest = |frame| studio.luma(&rendered.film, frame)[320 * 120..].iter().copied().max();
    (brightest(8), brightest(25))
}

#[tokio::test]
async fn captions_are_drawn_while_they_are_spoken() {
    for narration in ["MMMMMMMMMMMM.", "灯塔灯塔灯塔灯塔。"] {
        let (while_spoken, afterwards) = brightest(narration, |_| {}).await;
        assert!(while_spoken > Some(150), "no caption of {narration}: {while_spoken:?}");
        assert!(afterwards < Some(60), "the caption stays: {afterwards:?}");
    }
}

#[tokio::test]
async fn captions_are_drawn_with_one_font_alone() {
    let chinese_alone = |tools: &mut FilmTools| {
        let cjk = tools.fonts.cjk.clone();
        tools.font_files.drain(..tools.font_files.len() - 1);
        tools.fonts = FontFamilies { latin: None, cjk };
    };
    let (while_spoken, _) = brightest("“MMM isn’t MMM…”", chinese_alone).await;
    assert!(while_spoken > Some(150), "{while_spoken:?}");
}

#[tokio::test]
async fn broken_music_gives_a_film_without_music_and_says_so() {
    let asset = key("music", 1, "mp3");
    let mut spec = film(vec![shot(1, "One.", 1.0, Transition::Cut)]);
    spec.music = FilmMusic::Asset { asset: asset.clone() };
    let mut studio = Studio::new(spec).await;
    let path = studio.path_of(&asset);
    std::fs::write(&path, b"ID3 this is no music").unwrap();
    studio.inputs.insert(asset, path);
    let warnings = studio.render().await.unwrap().warnings;
    assert!(warnings[0].starts_with("the film has no music"), "{warnings:?}");
    assert!(!warnings[0].contains(studio.folder.path().to_str().unwrap()), "{warnings:?}");
}

#[tokio::test]
async fn music_is_heard_where_nobody_speaks() {
    let mut spec = film(vec![shot(1, "", 0.5, Transition::Cut)]);
    spec.shots[0].voice = None;
    spec.shots[0].duration_seconds = Some(4.0);
    spec.music = FilmMusic::Mood { mood: Mood::Bright };
    let studio = Studio::new(spec).await;
    let rendered = studio.render().await.unwrap();
    assert_eq!(rendered.warnings, Vec::<String>::new());
    assert!(std::fs::read_to_string(&rendered.srt).unwrap().is_empty());
    let heard = studio.heard(&rendered.film, "silencedetect=noise=-50dB:d=1.5");
    assert!(!heard.contains("silence_start"), "{heard}");
}

#[tokio::test]
async fn music_outlasts_the_last_word() {
    let mut spec = film(vec![shot(1, "One.", 3.0, Transition::Cut)]);
    spec.music = FilmMusic::Mood { mood: Mood::Calm };
    let studio = Studio::new(spec).await;
    let rendered = studio.render().await.unwrap();
    assert!((rendered.duration_seconds - 4.5).abs() < 1e-6, "{}", rendered.duration_seconds);
    let heard = studio.heard(&rendered.film, "atrim=3.4:4.1,volumedetect");
    let loudest = heard.rsplit_once("max_volume: ").unwrap().1.split_whitespace().next().unwrap();
    assert!((-45.0..-12.0).contains(&loudest.parse::<f64>().unwrap()), "{loudest} dB after the voice");
}

#[tokio::test]
async fn a_wrong_length_is_measured_and_told() {
    let mut studio = Studio::new(film(vec![shot(1, "One.", 4.0, Transition::Cut)])).await;
    studio.spec.shots[0].voice.as_mut().unwrap().duration_seconds = 1.0;
    let rendered = studio.render().await.unwrap();
    assert!(rendered.duration_seconds > 4.5);
    assert_eq!(rendered.warnings, ["the voice of shot 1 lasts 4.00 s, not 1.00 s"]);
}

#[tokio::test]
async fn a_still_moves_and_a_black_one_is_told() {
    let mut studio = Studio::new(film(vec![
        shot(1, "", 1.0, Transition::Cut),
        shot(2, "", 1.0, Transition::Crossfade),
        shot(3, "", 1.0, Transition::Cut),
    ]))
    .await;
    studio.generate("color=black:s=400x200:r=1", "1", &key("image", 2, "png"));
    let rendered = studio.render().await.unwrap();
    assert_eq!(rendered.warnings, ["nothing but black is seen from 2.5 s to 4.5 s"]);
    let pairs = [(0, 1), (14, 15), (28, 29)].map(|(one, next)| {
        let (one, next) = (studio.luma(&rendered.film, one), studio.luma(&rendered.film, next));
        one.iter().zip(&next).filter(|(a, b)| a.abs_diff(**b) > 2).count()
    });
    assert!(pairs.iter().all(|moved| *moved > 500), "{pairs:?} pixels change from frame to frame");
}

#[tokio::test]
async fn a_film_that_is_cut_ends_there_and_its_voice_dies_away() {
    let shots = vec![shot(1, "One.", 1.0, Transition::Fade), shot(2, "Two, and more.", 6.0, Transition::Cut)];
    let studio = Studio::new(FilmSpec { max_seconds: Some(5.0), ..film(shots) }).await;
    let rendered = studio.render().await.unwrap();
    assert!((rendered.duration_seconds - 5.0).abs() < 1e-6);
    assert_eq!(rendered.warnings, ["the film ends after 5.0 s, as was asked"]);
    assert_eq!(rendered.segments.total, 3);
    assert!(std::fs::read_to_string(&rendered.srt).unwrap().contains("--> 00:00:05,000"));
    let loudest = |from: f64, to: f64| {
        let heard = studio.heard(&rendered.film, &format!("atrim={from}:{to},volumedetect"));
        let peak = heard.rsplit_once("max_volume: ").unwrap().1.split_whitespace().next().unwrap();
        peak.parse::<f64>().unwrap()
    };
    let (before, at_the_end) = (loudest(4.3, 4.6), loudest(4.96, 5.0));
    assert!(at_the_end < before - 10.0, "{before} dB, and {at_the_end} dB at the end");
}

#[tokio::test]
async fn a_film_is_kept_in_webm_when_that_is_asked_for() {
    let studio = Studio::new(FilmSpec { format: Some(FilmFormat::Webm), ..varied_film() }).await;
    let rendered = studio.render().await.unwrap();
    let plan = FilmPlan::from(&studio.spec).unwrap();
    assert!((rendered.duration_seconds - plan.seconds()).abs() < 0.002, "{}", rendered.duration_seconds);
    assert_eq!(studio.left(), ["film.srt", "film.vtt", "film.webm", "poster.jpg"]);
    let probe = studio.heard(&rendered.film, "anull");
    for track in ["matroska,webm", "Video: vp9", "bt709", "Audio: opus", "Subtitle: webvtt", "The Lighthouse"]
    {
        assert!(probe.contains(track), "{track} is missing in {probe}");
    }
}

#[tokio::test]
async fn an_ffmpeg_that_cannot_make_a_format_is_told_before_anything_is_made() {
    let shots = vec![shot(1, "One.", 1.0, Transition::Cut)];
    let mut studio = Studio::new(FilmSpec { format: Some(FilmFormat::Webm), ..film(shots) }).await;
    let real = studio.tools.ffmpeg.display().to_string();
    studio.tools.ffmpeg = studio.folder.path().join("ffmpeg");
    let script =
        format!("#!/bin/sh\ncase \"$*\" in *-encoders*) {real} \"$@\" | grep -v libvpx;; *) exit 1;; esac\n");
    // Written by another process: a file that this one has open while another test forks cannot be run.
    let mut write = Command::new("sh");
    write.args(["-c", r#"printf %s "$2" > "$1" && chmod 755 "$1""#, "sh"]).arg(&studio.tools.ffmpeg);
    assert!(write.arg(script).status().unwrap().success());
    let failure = Failure::from(studio.render().await.unwrap_err());
    assert_eq!((failure.code.as_str(), failure.retryable), ("encoder_missing", false), "{failure}");
    assert!(failure.message.contains("no encoder libvpx-vp9"), "{failure}");
    assert_eq!(studio.left(), Vec::<String>::new());
}

#[tokio::test]
async fn a_film_has_any_shape_and_pictures_of_another_fill_it() {
    for (width, height) in [(128, 3840), (3840, 128), (180, 320)] {
        let shots = vec![shot(1, "MMMMMMMMMMMM MMMMMM.", 1.0, Transition::Cut)];
        let mut studio = Studio::new(FilmSpec { width, height, ..film(shots) }).await;
        studio.generate("color=white:s=400x200:r=1", "1", &key("image", 1, "png"));
        let rendered = studio.render().await.unwrap();
        assert_eq!((rendered.width, rendered.height, rendered.warnings), (width, height, Vec::new()));
        let frame = studio.luma(&rendered.film, 0);
        assert_eq!(frame.len(), (width * height) as usize);
        assert!(frame.iter().all(|pixel| *pixel > 200), "no bars beside the picture");
    }
}

#[tokio::test]
async fn a_broken_picture_fails_the_film_for_good_and_leaves_nothing() {
    let mut studio = Studio::new(film(vec![shot(1, "One.", 1.0, Transition::Cut)])).await;
    let path = studio.folder.path().join("broken.png");
    std::fs::write(&path, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\x01\0 and no more").unwrap();
    studio.inputs.insert(key("image", 1, "png"), path);
    let failure = Failure::from(studio.render().await.unwrap_err());
    assert_eq!((failure.code.as_str(), failure.retryable), ("film_input_unusable", false), "{failure}");
    assert_eq!(studio.left(), Vec::<String>::new());
}

#[tokio::test]
async fn a_cancelled_render_leaves_no_process_and_no_file() {
    let mut spec = film(vec![shot(1, "One.", 1.0, Transition::Fade), shot(2, "Two.", 1.0, Transition::Cut)]);
    spec.shots[0].duration_seconds = Some(900.0);
    let studio = Studio::new(spec).await;
    let cancel = CancellationToken::new();
    let drew = AtomicBool::new(false);
    let cancel_when_drawing = |progress: Progress| {
        if progress.done > 0 {
            drew.store(true, Ordering::Relaxed);
            cancel.cancel();
        }
    };
    let error = studio.render_until(&cancel, cancel_when_drawing).await.unwrap_err();
    assert!(matches!(error, FilmError::Cancelled) && drew.load(Ordering::Relaxed));
    assert_eq!(studio.left(), Vec::<String>::new());
    until("no process works there", LONG, async || match process_in(&studio.work()) {
        Some(process) => Err(process),
        None => Ok(()),
    })
    .await;
}

/// A running process whose working folder is, or was, in `folder`.
fn process_in(folder: &Path) -> Option<String> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let works_here = |path: &Path| {
        std::fs::read_link(path.join("cwd"))
            .is_ok_and(|cwd| cwd.to_string_lossy().starts_with(&*folder.to_string_lossy()))
    };
    processes.map(|entry| entry.path()).find(|path| works_here(path)).map(|path| path.display().to_string())
}
