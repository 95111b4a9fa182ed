//! Specifications and inputs for the tests of this folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use domain::asset::AssetKey;
use domain::ids::ShotId;
use domain::job::{FilmMusic, FilmShot, FilmSpec, FilmVisual, FilmVoice};
use domain::settings::{Captions, Fit, Mood, Motion, OnMissing, Quality, Transition};

use super::FilmTools;

pub(super) fn key(kind: &str, number: u32, extension: &str) -> AssetKey {
    AssetKey::new(kind, &format!("{number:064x}"), extension).unwrap()
}

/// A still that is spoken over for `seconds`.
pub(super) fn shot(number: u32, narration: &str, seconds: f64, transition: Transition) -> FilmShot {
    FilmShot {
        shot_id: ShotId(uuid::Uuid::from_u128(u128::from(number) * 0x9e37_79b9_7f4a_7c15 + 7)),
        title: format!("Shot {number}"),
        narration: narration.to_owned(),
        visual: FilmVisual::Still { picture: key("image", number, "png") },
        voice: Some(FilmVoice { asset: key("voice", number, "wav"), duration_seconds: seconds }),
        transition,
        duration_seconds: None,
    }
}

/// A tiny film without music: 320×180, 12 frames per second.
pub(super) fn film(shots: Vec<FilmShot>) -> FilmSpec {
    FilmSpec {
        title: "The Lighthouse".to_owned(),
        language: "en".to_owned(),
        width: 320,
        height: 180,
        fps: 12,
        quality: Quality::Preview,
        captions: Captions::Burned,
        music: FilmMusic::None,
        motion: Motion::KenBurns,
        fit: Fit::Crop,
        on_missing: OnMissing::Card,
        shots,
    }
}

/// A film with one of everything: each transition, a clip, a card, silence, Chinese, an own duration.
pub(super) fn varied_film() -> FilmSpec {
    let mut shots = vec![
        shot(
            1,
            "The keeper climbed the stairs every night, and every night he lit the lamp.",
            3.7,
            Transition::Crossfade,
        ),
        shot(2, "One winter the ships stopped coming. He waited.", 2.6, Transition::Fade),
        shot(
            3,
            "从前有一座灯塔，守塔人每天晚上都点亮灯火。后来船不再来了，他仍然等待。",
            6.1,
            Transition::Dissolve,
        ),
        shot(4, "", 0.0, Transition::WipeLeft),
        shot(5, "Short.", 0.4, Transition::SlideLeft),
        shot(6, "Nobody says this aloud, and yet there must be time to read it.", 0.0, Transition::Cut),
        shot(7, "The end.", 0.9, Transition::Crossfade),
    ];
    shots[1].duration_seconds = Some(5.0);
    shots[2].visual = FilmVisual::Clip { clip: key("video", 3, "mp4"), duration_seconds: 2.0 };
    shots[3].voice = None;
    shots[4].visual = FilmVisual::Card;
    shots[5].voice = None;
    let music = FilmMusic::Mood { mood: Mood::Calm };
    FilmSpec { width: 1280, height: 720, fps: 24, quality: Quality::Final, music, ..film(shots) }
}

/// The tools of this machine: ffmpeg from `STORYTOVIDEO_FFMPEG` or `PATH`.
pub(super) fn tools() -> FilmTools {
    let ffmpeg =
        std::env::var_os("STORYTOVIDEO_FFMPEG").map_or_else(|| PathBuf::from("ffmpeg"), PathBuf::from);
    let version = std::process::Command::new(&ffmpeg).arg("-version").output();
    assert!(
        version.is_ok_and(|output| output.status.success()),
        "this test needs ffmpeg with libx264 and libass: put it on PATH or set STORYTOVIDEO_FFMPEG"
    );
    FilmTools { ffmpeg, font_files: Vec::new(), font_family: "sans".to_owned(), threads: 2 }
}

/// Writes, for each asset of a film, a picture of coloured bars, a clip of noise, or a tone as long as it should
/// be.
pub(super) fn make_inputs(spec: &FilmSpec, folder: &Path) -> HashMap<AssetKey, PathBuf> {
    let mut inputs = HashMap::new();
    for shot in &spec.shots {
        if let Some(voice) = &shot.voice {
            let path = folder.join(voice.asset.as_str().replace('/', "-"));
            write_tone(&path, voice.duration_seconds);
            inputs.insert(voice.asset.clone(), path);
        }
        match &shot.visual {
            FilmVisual::Still { picture: asset } => {
                generate("testsrc2=s=400x200:r=1", "1", folder, asset, &mut inputs);
            }
            FilmVisual::Clip { clip: asset, .. } => {
                generate("testsrc2=s=160x120:r=10", "12", folder, asset, &mut inputs);
            }
            FilmVisual::Card => {}
        }
    }
    inputs
}

fn generate(
    source: &str,
    frames: &str,
    folder: &Path,
    asset: &AssetKey,
    inputs: &mut HashMap<AssetKey, PathBuf>,
) {
    let path = folder.join(asset.as_str().replace('/', "-"));
    let made = std::process::Command::new(tools().ffmpeg)
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", source, "-frames:v", frames])
        .arg(&path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    inputs.insert(asset.clone(), path);
}

/// A mono tone of 440 Hz at 16 kHz, as a speech provider would send its voice.
pub(super) fn write_tone(path: &Path, seconds: f64) {
    let samples = (seconds * 16_000.0) as u32;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + samples * 2).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend_from_slice(&16_000_u32.to_le_bytes());
    bytes.extend_from_slice(&32_000_u32.to_le_bytes());
    bytes.extend_from_slice(b"\x02\0\x10\0data");
    bytes.extend_from_slice(&(samples * 2).to_le_bytes());
    for at in 0..samples {
        let tone = (f64::from(at) / 16_000.0 * 440.0 * std::f64::consts::TAU).sin();
        bytes.extend_from_slice(&((tone * 3_000.0) as i16).to_le_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}
