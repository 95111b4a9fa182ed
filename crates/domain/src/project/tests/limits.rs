//! Every value from outside is within its range, or is refused by the name of its field.

use super::telling::{Telling, creation, settings_patch};
use crate::job::Kind;
use crate::project::{Command, CreateProject, Parameters, ProjectError, ProjectPatch, ShotPatch};
use crate::settings::Settings;

fn text(characters: usize) -> String {
    "字".repeat(characters)
}

fn field_of(error: ProjectError) -> &'static str {
    match error {
        ProjectError::Invalid { field, .. } => field,
        other => panic!("refused for another reason: {other}"),
    }
}

/// The field for which a creation is refused; empty when it is accepted.
fn creating(change: impl FnOnce(&mut CreateProject)) -> &'static str {
    let mut create = creation(None, Settings::default());
    change(&mut create);
    let decided = Telling::default().decide(Command::CreateProject(create));
    decided.map_or_else(field_of, |_| "")
}

fn with_settings(change: impl FnOnce(&mut Settings)) -> &'static str {
    let mut settings = Settings::default();
    change(&mut settings);
    let mut told = Telling::created(None, Settings::default());
    let revised = told.decide(settings_patch(settings.clone())).map_or_else(field_of, |_| "");
    assert_eq!(revised, creating(|create| create.settings = settings), "both ways in are guarded alike");
    revised
}

fn revising(change: impl FnOnce(&mut ShotPatch)) -> &'static str {
    let mut told = Telling::complete(&["One."], Settings::default());
    let mut patch = ShotPatch::default();
    change(&mut patch);
    let edit = told.editing(1, patch, true);
    told.decide(edit).map_or_else(field_of, |_| "")
}

fn generating(change: impl FnOnce(&mut Parameters)) -> &'static str {
    let mut told = Telling::complete(&["One."], Settings::default());
    let mut parameters = Parameters::default();
    change(&mut parameters);
    let take = Command::GenerateTake {
        shot: told.shot_id(1),
        kind: Kind::Image,
        parameters: parameters.clone(),
        candidates: 1,
    };
    let generated = told.decide(take).map_or_else(field_of, |_| "");
    let rendered = told.decide(Command::RenderFilm { parameters }).map_or_else(field_of, |_| "");
    assert_eq!(generated, rendered, "both ways in are guarded alike");
    generated
}

#[test]
fn a_story_has_1_to_20_000_characters_that_are_not_all_space() {
    assert_eq!(creating(|create| create.story = String::new()), "story");
    assert_eq!(creating(|create| create.story = " \n\t\u{3000}".to_owned()), "story");
    assert_eq!(creating(|create| create.story = text(20_001)), "story");
    assert_eq!(creating(|create| create.story = "a\0b".to_owned()), "story");
    assert_eq!(creating(|create| create.story = text(20_000)), "");
    assert_eq!(creating(|create| create.story = "🎨".to_owned()), "");
}

#[test]
fn a_title_is_one_line_of_at_most_200_characters() {
    assert_eq!(creating(|create| create.title = text(201)), "title");
    assert_eq!(creating(|create| create.title = "a\nb".to_owned()), "title");
    assert_eq!(creating(|create| create.title = "a\u{1b}[2J".to_owned()), "title");
    assert_eq!(creating(|create| create.title = text(200)), "");
    assert_eq!(creating(|create| create.title = "../../etc/passwd".to_owned()), "", "it is only a title");
}

#[test]
fn description_and_style_have_at_most_2_000_characters() {
    assert_eq!(creating(|create| create.description = text(2_001)), "description");
    assert_eq!(creating(|create| create.style = text(2_001)), "style");
    assert_eq!(creating(|create| create.style = "a\0".to_owned()), "style");
    assert_eq!(creating(|create| create.description = text(2_000)), "");
    assert_eq!(creating(|create| create.style = text(2_000)), "");
}

#[test]
fn a_revised_project_keeps_to_the_same_limits() {
    let mut told = Telling::created(None, Settings::default());
    let mut refused = |patch| field_of(told.refused(Command::ReviseProject(patch)));
    let patch = ProjectPatch::default;
    assert_eq!(refused(ProjectPatch { title: Some(text(201)), ..patch() }), "title");
    assert_eq!(refused(ProjectPatch { description: Some(text(2_001)), ..patch() }), "description");
    assert_eq!(refused(ProjectPatch { style: Some(text(2_001)), ..patch() }), "style");
    assert_eq!(refused(ProjectPatch { story: Some(String::new()), ..patch() }), "story");
    assert_eq!(refused(ProjectPatch { story: Some(text(20_001)), ..patch() }), "story");
}

#[test]
fn a_project_has_1_to_200_shots() {
    assert_eq!(creating(|create| create.shot_count = Some(0)), "shotCount");
    assert_eq!(creating(|create| create.shot_count = Some(201)), "shotCount");
    assert_eq!(creating(|create| create.shot_count = Some(1)), "");
    assert_eq!(creating(|create| create.shot_count = Some(200)), "");
}

#[test]
fn settings_keep_to_their_ranges() {
    assert_eq!(with_settings(|settings| settings.fps = 11), "settings.fps");
    assert_eq!(with_settings(|settings| settings.fps = 61), "settings.fps");
    assert_eq!(with_settings(|settings| settings.fps = 12), "");
    assert_eq!(with_settings(|settings| settings.fps = 60), "");
    for budget in [-0.01, 1e10, f64::NAN, f64::INFINITY] {
        assert_eq!(with_settings(|settings| settings.budget = Some(budget)), "settings.budget");
    }
    assert_eq!(with_settings(|settings| settings.budget = Some(0.0)), "");
    for language in ["", "e", "en_US", "中文", "en us", &"x".repeat(36)] {
        let refused = with_settings(|settings| settings.language = Some(language.to_owned()));
        assert_eq!(refused, "settings.language", "{language}");
    }
    assert_eq!(with_settings(|settings| settings.language = Some("zh-Hant-TW".to_owned())), "");
    for voice in ["", " ", "a\nb", "a\0b", &text(201)] {
        assert_eq!(with_settings(|settings| settings.voice = Some(voice.to_owned())), "settings.voice");
    }
}

#[test]
fn a_shot_keeps_to_its_ranges() {
    assert_eq!(revising(|patch| patch.prompt = Some(text(2_001))), "prompt");
    assert_eq!(revising(|patch| patch.prompt = Some("a\0".to_owned())), "prompt");
    assert_eq!(revising(|patch| patch.prompt = Some(text(2_000))), "");
    assert_eq!(revising(|patch| patch.negative_prompt = Some(text(2_001))), "negativePrompt");
    assert_eq!(revising(|patch| patch.narration = Some(text(10_001))), "narration");
    assert_eq!(revising(|patch| patch.narration = Some(text(10_000))), "");
    assert_eq!(revising(|patch| patch.title = Some(text(201))), "title");
    for seconds in [0.0, 0.49, -1.0, 600.1, f64::NAN, f64::INFINITY] {
        assert_eq!(revising(|patch| patch.duration = Some(Some(seconds))), "duration", "{seconds}");
    }
    assert_eq!(revising(|patch| patch.duration = Some(Some(0.5))), "");
    assert_eq!(revising(|patch| patch.duration = Some(Some(600.0))), "");
}

#[test]
fn parameters_keep_to_their_ranges() {
    assert_eq!(generating(|parameters| parameters.steps = Some(0)), "steps");
    assert_eq!(generating(|parameters| parameters.steps = Some(201)), "steps");
    for scale in [-0.1, 50.1, f64::NAN] {
        assert_eq!(generating(|parameters| parameters.cfg_scale = Some(scale)), "cfgScale");
    }
    assert_eq!(generating(|parameters| parameters.fps = Some(11)), "fps");
    assert_eq!(generating(|parameters| parameters.fps = Some(61)), "fps");
    for seconds in [0.4, 601.0, f64::NAN] {
        assert_eq!(generating(|parameters| parameters.duration_seconds = Some(seconds)), "duration");
    }
    for speed in [0.49, 2.01, f64::NAN] {
        assert_eq!(generating(|parameters| parameters.speed = Some(speed)), "speed");
    }
    for seconds in [0.9, 36_000.1, f64::NAN] {
        assert_eq!(generating(|parameters| parameters.max_seconds = Some(seconds)), "maxSeconds");
    }
    assert_eq!(generating(|parameters| parameters.model = Some(text(201))), "model");
    assert_eq!(generating(|parameters| parameters.voice = Some(String::new())), "voice");
}

#[test]
fn parameters_at_the_ends_of_their_ranges_are_accepted() {
    let most = Parameters {
        steps: Some(200),
        cfg_scale: Some(50.0),
        fps: Some(60),
        duration_seconds: Some(600.0),
        speed: Some(2.0),
        ..Parameters::default()
    };
    let least = Parameters {
        steps: Some(1),
        cfg_scale: Some(0.0),
        fps: Some(12),
        duration_seconds: Some(0.5),
        speed: Some(0.5),
        ..Parameters::default()
    };
    for accepted in [most, least] {
        assert_eq!(generating(|parameters| *parameters = accepted), "");
    }
}
