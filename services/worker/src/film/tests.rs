//! Renders tiny films with the real ffmpeg.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::job::{Failure, FilmMusic, FilmSpec, FilmVisual};
use domain::settings::{Captions, Fit, Mood, Transition};
use tokio_util::sync::CancellationToken;

use super::fixtures::{film, key, make_inputs, shot, tools, varied_film};
use super::*;

async fn rendered(spec: &FilmSpec, folder: &Path) -> Result<Rendered, FilmError> {
    let inputs = make_inputs(spec, folder);
    let work = folder.join("work");
    std::fs::create_dir(&work).unwrap();
    render(spec, &inputs, &tools(), &work, |_| {}, &CancellationToken::new()).await
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Brightness of the pixels of one frame, 320 a row.
fn luma(film: &Path, frame: u64) -> Vec<u8> {
    let output = std::process::Command::new(tools().ffmpeg)
        .args(["-v", "error", "-i"])
        .arg(film)
        .args(["-vf", &format!("select=eq(n\\,{frame})"), "-frames:v", "1"])
        .args(["-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .output()
        .unwrap();
    output.stdout
}

#[tokio::test]
async fn a_film_of_three_shots_is_as_long_as_planned_and_leaves_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let spec = film(vec![
        shot(1, "One {\\b1}<i>--> 灯塔.", 1.0, Transition::Crossfade),
        shot(2, "Two.", 2.5, Transition::WipeLeft),
        shot(3, "Three.", 0.5, Transition::Cut),
    ]);
    let rendered = rendered(&spec, folder.path()).await.unwrap();
    let plan = FilmPlan::from(&spec).unwrap();
    assert!((rendered.duration_seconds - plan.seconds()).abs() < 1e-6);
    assert_eq!(rendered.segments, SegmentCounts { total: 5, encoded: 5, reused: 0 });
    assert_eq!(rendered.warnings, Vec::<String>::new());
    assert_eq!(names_in(&folder.path().join("work")), ["film.mp4", "film.srt", "film.vtt", "poster.jpg"]);
    assert!(std::fs::read_to_string(&rendered.srt).unwrap().contains("00:00:00,250 -->"));
    assert!(std::fs::read(&rendered.poster).unwrap().starts_with(&[0xff, 0xd8, 0xff]));
}

#[tokio::test]
async fn one_of_everything_makes_a_film() {
    let folder = tempfile::tempdir().unwrap();
    let small = film(Vec::new());
    let spec = FilmSpec {
        width: small.width,
        height: small.height,
        fps: small.fps,
        captions: Captions::Soft,
        fit: Fit::Blur,
        ..varied_film()
    };
    let rendered = rendered(&spec, folder.path()).await.unwrap();
    assert_eq!(rendered.warnings, ["shot 5 has nothing to show: a title card stands in for it"]);
    let probe = std::process::Command::new(tools().ffmpeg).arg("-i").arg(&rendered.mp4).output().unwrap();
    let probe = String::from_utf8_lossy(&probe.stderr).into_owned();
    for track in ["Video: h264", "yuv420p(tv, bt709", "Audio: aac", "Subtitle: mov_text", "The Lighthouse"] {
        assert!(probe.contains(track), "{track} is missing in {probe}");
    }
}

#[tokio::test]
async fn captions_are_drawn_while_they_are_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = film(vec![shot(1, "MMMMMMMMMMMMMMMMMMMM.", 1.0, Transition::Cut)]);
    spec.shots[0].visual = FilmVisual::Card;
    let rendered = rendered(&spec, folder.path()).await.unwrap();
    let brightest = |frame| luma(&rendered.mp4, frame)[320 * 120..].iter().copied().max();
    assert!(brightest(8) > Some(150), "no caption: {:?}", brightest(8));
    assert!(brightest(25) < Some(60), "the caption stays: {:?}", brightest(25));
}

#[tokio::test]
async fn broken_music_gives_a_film_without_music_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let asset = key("music", 1, "mp3");
    let spec = FilmSpec {
        music: FilmMusic::Asset { asset: asset.clone() },
        ..film(vec![shot(1, "One.", 1.0, Transition::Cut)])
    };
    let mut inputs = make_inputs(&spec, folder.path());
    let path = folder.path().join("music.mp3");
    std::fs::write(&path, b"ID3 this is no music").unwrap();
    inputs.insert(asset, path);
    let work = folder.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let rendered = render(&spec, &inputs, &tools(), &work, |_| {}, &CancellationToken::new()).await.unwrap();
    assert!(rendered.warnings[0].starts_with("the film has no music"), "{:?}", rendered.warnings);
}

#[tokio::test]
async fn music_is_heard_where_nobody_speaks() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = film(vec![shot(1, "", 0.5, Transition::Cut)]);
    spec.shots[0].voice = None;
    spec.shots[0].duration_seconds = Some(4.0);
    spec.music = FilmMusic::Mood { mood: Mood::Bright };
    let rendered = rendered(&spec, folder.path()).await.unwrap();
    assert_eq!(rendered.warnings, Vec::<String>::new());
    assert!(std::fs::read_to_string(&rendered.srt).unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_length_is_measured_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = film(vec![shot(1, "One.", 4.0, Transition::Cut)]);
    let inputs = make_inputs(&spec, folder.path());
    spec.shots[0].voice.as_mut().unwrap().duration_seconds = 1.0;
    let work = folder.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let rendered = render(&spec, &inputs, &tools(), &work, |_| {}, &CancellationToken::new()).await.unwrap();
    assert!(rendered.duration_seconds > 4.5);
    assert_eq!(rendered.warnings, ["the voice of shot 1 lasts 4.00 s, not 1.00 s"]);
}

#[tokio::test]
async fn a_broken_picture_fails_the_film_for_good_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let spec = film(vec![shot(1, "One.", 1.0, Transition::Cut)]);
    let mut inputs = make_inputs(&spec, folder.path());
    let path = folder.path().join("broken.png");
    std::fs::write(&path, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\x01\0 and no more").unwrap();
    inputs.insert(key("image", 1, "png"), path);
    let work = folder.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let error = render(&spec, &inputs, &tools(), &work, |_| {}, &CancellationToken::new()).await.unwrap_err();
    let failure = Failure::from(error);
    assert_eq!((failure.code.as_str(), failure.retryable), ("film_input_unusable", false), "{failure}");
    assert_eq!(names_in(&work), Vec::<String>::new());
}

#[tokio::test]
async fn a_cancelled_render_leaves_no_process_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = film(vec![shot(1, "One.", 1.0, Transition::Fade), shot(2, "Two.", 1.0, Transition::Cut)]);
    spec.shots[0].duration_seconds = Some(900.0);
    let inputs = make_inputs(&spec, folder.path());
    let work = folder.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let cancel = CancellationToken::new();
    let drew = AtomicBool::new(false);
    let cancel_when_drawing = |progress: Progress| {
        if progress.done > 0 {
            drew.store(true, Ordering::Relaxed);
            cancel.cancel();
        }
    };
    let error = render(&spec, &inputs, &tools(), &work, cancel_when_drawing, &cancel).await.unwrap_err();
    assert!(matches!(error, FilmError::Cancelled) && drew.load(Ordering::Relaxed));
    assert_eq!(names_in(&work), Vec::<String>::new());
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while let Some(process) = process_in(&work) {
        assert!(std::time::Instant::now() < deadline, "process {process} lives on");
        tokio::task::yield_now().await;
    }
}

/// A running process whose working folder is, or was, in `folder`.
fn process_in(folder: &Path) -> Option<String> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let works_here = |path: PathBuf| {
        std::fs::read_link(path.join("cwd"))
            .is_ok_and(|cwd| cwd.to_string_lossy().starts_with(&*folder.to_string_lossy()))
    };
    processes
        .map(|entry| entry.path())
        .find(|path| works_here(path.clone()))
        .map(|path| path.display().to_string())
}

#[tokio::test]
async fn a_missing_ffmpeg_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let spec = film(vec![shot(1, "One.", 1.0, Transition::Cut)]);
    let inputs = make_inputs(&spec, folder.path());
    let tools = FilmTools { ffmpeg: PathBuf::from("/nowhere/ffmpeg"), ..tools() };
    let rendered = render(&spec, &inputs, &tools, folder.path(), |_| {}, &CancellationToken::new()).await;
    let failure = Failure::from(rendered.unwrap_err());
    assert_eq!(failure.code, "ffmpeg_missing");
    assert!(failure.message.contains("/nowhere/ffmpeg: "), "{failure}");
}

#[test]
fn a_render_may_run_on_any_thread() {
    fn assert_send<T: Send>(_: &T) {}
    let (spec, inputs, tools) = (film(Vec::new()), HashMap::new(), tools());
    let cancel = CancellationToken::new();
    assert_send(&render(&spec, &inputs, &tools, Path::new("/"), |_| {}, &cancel));
}
