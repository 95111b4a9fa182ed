//! What a worker is asked for: the shot's own words and choices, else the project's.

use super::telling::{Telling, narration, settings_patch, style_patch, video_on};
use crate::job::{FilmMusic, FilmSpec, ImageSpec, Kind, Output, Spec, StoryboardOutput, TtsSpec, VideoSpec};
use crate::project::{Parameters, ShotPatch};
use crate::settings::{Aspect, Mood, Music, Quality, Resolution, Settings, Transition, VoiceFormat};

fn image(told: &Telling, parameters: &Parameters) -> ImageSpec {
    match told.project.spec_of(Kind::Image, Some(told.shot_id(1)), parameters) {
        Some(Spec::Image(spec)) => spec,
        other => panic!("{other:?}"),
    }
}

fn video(told: &Telling, parameters: &Parameters) -> VideoSpec {
    match told.project.spec_of(Kind::Video, Some(told.shot_id(1)), parameters) {
        Some(Spec::Video(spec)) => spec,
        other => panic!("{other:?}"),
    }
}

fn tts(told: &Telling, parameters: &Parameters) -> TtsSpec {
    match told.project.spec_of(Kind::Tts, Some(told.shot_id(1)), parameters) {
        Some(Spec::Tts(spec)) => spec,
        other => panic!("{other:?}"),
    }
}

fn film(told: &Telling, parameters: &Parameters) -> FilmSpec {
    match told.project.spec_of(Kind::Film, None, parameters) {
        Some(Spec::Film(spec)) => spec,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_storyboard_is_asked_for_with_the_story_word_for_word() {
    let told = Telling::created(Some(4), Settings { verbatim_narration: true, ..Settings::default() });
    let Some(Spec::Storyboard(spec)) = told.project.spec_of(Kind::Storyboard, None, &Parameters::default())
    else {
        panic!()
    };
    assert_eq!(spec.story, told.project.story);
    assert_eq!((spec.shot_count, spec.verbatim), (Some(4), true));
}

#[test]
fn a_picture_has_the_style_and_frame_of_the_project() {
    let portrait =
        Settings { aspect: Aspect::Tall, resolution: Resolution::new(1080).unwrap(), ..Settings::default() };
    let mut told = Telling::with_shots(&["One."], portrait);
    told.when(style_patch("ink"));
    let spec = image(&told, &Parameters::default());
    assert_eq!((spec.width, spec.height), (1080, 1920));
    assert_eq!((spec.prompt.as_str(), spec.style.as_str()), ("Picture 1", "ink"));
}

#[test]
fn a_clip_moves_the_selected_picture_for_as_long_as_the_shot_or_the_asker_says() {
    let mut told = Telling::complete(&["One."], video_on());
    let picture = told.shot(1).image.as_ref().map(|take| take.asset.key.clone()).unwrap();
    let plain = video(&told, &Parameters::default());
    assert_eq!((plain.image, plain.duration_seconds, plain.fps), (picture, 4.0, 24));
    told.edit(1, ShotPatch { duration: Some(Some(8.0)), ..ShotPatch::default() });
    assert!((video(&told, &Parameters::default()).duration_seconds - 8.0).abs() < f64::EPSILON);
    let own = Parameters::default();
    let asked = Parameters {
        duration_seconds: Some(2.0),
        fps: Some(12),
        steps: Some(6),
        cfg_scale: Some(1.5),
        ..own.clone()
    };
    let spec = video(&told, &asked);
    assert_eq!((spec.duration_seconds, spec.fps), (2.0, 12));
    assert_eq!((spec.steps, spec.cfg_scale), (Some(6), Some(1.5)));
    let hash = |parameters| Spec::Video(video(&told, parameters)).hash();
    let other = Parameters { steps: Some(6), ..own.clone() };
    assert_ne!(hash(&other), hash(&own), "other steps, another clip");
}

#[test]
fn a_voice_speaks_the_language_of_the_settings_else_of_the_storyboard() {
    let mut told = Telling::created(None, Settings::default());
    let Output::Storyboard(found) = super::telling::storyboard(&["一。"]) else { panic!() };
    let chinese = StoryboardOutput { language: "zh".to_owned(), ..found };
    told.finish_with(told.open(Kind::Storyboard, 0), Output::Storyboard(chinese));
    assert_eq!(tts(&told, &Parameters::default()).language.as_deref(), Some("zh"));
    assert_eq!(film(&told, &Parameters::default()).language, "zh");
    let chosen =
        Settings { language: Some("fr".to_owned()), voice: Some("siwis".to_owned()), ..Settings::default() };
    told.when(settings_patch(chosen));
    let spec = tts(&told, &Parameters::default());
    assert_eq!((spec.language.as_deref(), spec.voice.as_deref()), (Some("fr"), Some("siwis")));
    let asked = Parameters { voice: Some("tom".to_owned()), speed: Some(1.5), ..Parameters::default() };
    let spec = tts(&told, &asked);
    assert_eq!((spec.voice.as_deref(), spec.speed), (Some("tom"), 1.5));
}

#[test]
fn a_voice_is_asked_for_in_a_format_and_at_a_rate_or_as_it_is() {
    let told = Telling::with_shots(&["One."], Settings::default());
    let plain = tts(&told, &Parameters::default());
    for (format, asked) in [("mp3", Some(VoiceFormat::Mp3)), ("wav", None), ("pcm", None)] {
        let parameters = Parameters { voice_format: Some(format.to_owned()), ..Parameters::default() };
        assert_eq!(tts(&told, &parameters).format, asked, "{format}");
    }
    let low = Parameters { sample_rate: Some(16_000), ..Parameters::default() };
    assert_eq!(tts(&told, &low), TtsSpec { sample_rate: Some(16_000), ..plain.clone() });
    let stored = serde_json::to_string(&plain).unwrap();
    assert!(!stored.contains("format") && !stored.contains("sampleRate"), "the same as ever: {stored}");
}

#[test]
fn a_film_has_every_shot_in_order_with_its_words_voice_and_transition() {
    let mut told = Telling::complete(&["One.", "Two."], Settings::default());
    told.edit(2, ShotPatch { transition: Some(Some(Transition::Cut)), ..ShotPatch::default() });
    let spec = film(&told, &Parameters::default());
    let shots: Vec<_> = spec.shots.iter().map(|shot| (shot.shot_id, shot.narration.as_str())).collect();
    assert_eq!(shots, [(told.shot_id(1), "One."), (told.shot_id(2), "Two.")]);
    assert_eq!(spec.shots[0].transition, Transition::Crossfade);
    assert_eq!(spec.shots[1].transition, Transition::Cut);
    let voice = spec.shots[0].voice.as_ref().map(|voice| (voice.asset.clone(), voice.duration_seconds));
    let take = told.shot(1).voice.as_ref().map(|take| (take.asset.key.clone(), 2.5));
    assert_eq!(voice, take);
}

#[test]
fn a_shot_whose_words_were_taken_away_is_silent() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.edit(1, narration(""));
    assert!(film(&told, &Parameters::default()).shots[0].voice.is_none());
}

#[test]
fn titles_are_part_of_a_film_only_where_a_card_shows_them() {
    let mut told = Telling::with_shots(&["One.", "Two."], Settings::default());
    assert_eq!(film(&told, &Parameters::default()).title, "The lamp");
    told.finish(told.open(Kind::Image, 1));
    let spec = film(&told, &Parameters::default());
    assert_eq!((spec.shots[0].title.as_str(), spec.shots[1].title.as_str()), ("", "Shot 2"));
    told.finish_everything();
    assert_eq!(film(&told, &Parameters::default()).title, "");
}

#[test]
fn a_preview_is_smaller_and_otherwise_the_same() {
    let told = Telling::complete(&["One."], Settings::default());
    let last = film(&told, &Parameters::default());
    let asked = Parameters { quality: Some(Quality::Preview), ..Parameters::default() };
    let preview = film(&told, &asked);
    assert_eq!((last.width, last.height, preview.width, preview.height), (1280, 720, 960, 540));
    let same = FilmSpec { width: 1280, height: 720, quality: Quality::Final, ..preview };
    assert_eq!(same, last);
}

#[test]
fn music_follows_the_mood_of_most_shots_unless_it_is_chosen() {
    let mut told = Telling::complete(&["One.", "Two.", "Three."], Settings::default());
    let music = |told: &Telling| film(told, &Parameters::default()).music;
    let mood = |mood| ShotPatch { mood: Some(mood), ..ShotPatch::default() };
    assert_eq!(music(&told), FilmMusic::Mood { mood: Mood::Calm });
    told.edit(1, mood(Mood::Tense));
    told.edit(2, mood(Mood::Tense));
    assert_eq!(music(&told), FilmMusic::Mood { mood: Mood::Tense });
    told.edit(3, mood(Mood::Bright));
    told.edit(1, mood(Mood::Calm));
    assert_eq!(music(&told), FilmMusic::Mood { mood: Mood::Calm }, "calm where no mood prevails");
    told.when(settings_patch(Settings { music: Music::Bright, ..Settings::default() }));
    assert_eq!(music(&told), FilmMusic::Mood { mood: Mood::Bright });
    told.when(settings_patch(Settings { music: Music::None, ..Settings::default() }));
    assert_eq!(music(&told), FilmMusic::None);
}

#[test]
fn two_specifications_that_differ_have_different_hashes() {
    let told = Telling::complete(&["One."], video_on());
    let hash = |parameters: &Parameters| Spec::Image(image(&told, parameters)).hash();
    let plain = Parameters::default();
    assert_eq!(hash(&plain), hash(&plain));
    let others = [
        Parameters { seed: Some(1), ..plain.clone() },
        Parameters { steps: Some(4), ..plain.clone() },
        Parameters { cfg_scale: Some(4.5), ..plain.clone() },
        Parameters { model: Some("sd_turbo".to_owned()), ..plain.clone() },
    ];
    assert!(others.iter().all(|other| hash(other) != hash(&plain)));
}
