//! Specifications for the tests of this folder.

use domain::asset::AssetKey;
use domain::ids::ShotId;
use domain::job::{FilmMusic, FilmShot, FilmSpec, FilmVisual, FilmVoice};
use domain::settings::{Captions, Fit, Mood, Motion, OnMissing, Quality, Transition};

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
