//! An edit marks stale what it touches, redoes only that, and is refused where somebody protects it.

use super::telling::{
    Telling, auto_render, locked, narration, prompt, settings_patch, style_patch, video_on,
};
use crate::job::Kind;
use crate::project::{Command, ProjectError, ProjectPatch, ShotPatch};
use crate::settings::{Mood, Settings, Transition};

/// Two shots with every take, and a film.
fn finished(settings: Settings) -> Telling {
    let mut told = Telling::complete(&["One.", "Two."], settings);
    told.when(super::telling::render());
    told.finish_everything();
    assert!(told.stale().is_empty() && told.open_work().is_empty());
    told
}

#[test]
fn a_revised_prompt_makes_picture_clip_and_film_stale_and_nothing_else() {
    let mut told = finished(video_on());
    told.mark(1, prompt("A lighthouse"));
    assert_eq!(told.stale(), ["image 1", "video 1", "film"]);
}

#[test]
fn a_revised_prompt_queues_the_new_picture_and_plans_its_clip() {
    let mut told = finished(video_on());
    let words = told.edit(1, prompt("A lighthouse"));
    assert_eq!(words, ["ShotPromptRevised 1", "TaskQueued image 1", "TaskPlanned video 1"]);
    told.finish_everything();
    assert_eq!(told.stale(), ["film"]);
}

#[test]
fn a_revised_prompt_cancels_the_work_on_the_old_one() {
    let mut told = Telling::with_shots(&["One.", "Two."], video_on());
    let words = told.edit(1, prompt("A lighthouse"));
    assert_eq!(words[0], "ShotPromptRevised 1");
    assert!(words.contains(&"TaskCancelled image 1: Superseded".to_owned()));
    assert!(words.contains(&"TaskCancelled video 1: Superseded".to_owned()));
    assert_eq!(words[3..], ["TaskQueued image 1", "TaskPlanned video 1"]);
    assert_eq!(told.open_work().len(), 6, "the voice and the other shot go on");
}

#[test]
fn a_revised_negative_prompt_or_mood_redoes_the_picture_too() {
    let mut told = finished(Settings::default());
    let negative = ShotPatch { negative_prompt: Some("people".to_owned()), ..ShotPatch::default() };
    assert_eq!(told.edit(1, negative), ["ShotPromptRevised 1", "TaskQueued image 1"]);
    let mood = ShotPatch { mood: Some(Mood::Tense), ..ShotPatch::default() };
    assert_eq!(
        told.edit(1, mood),
        ["ShotDetailsRevised 1", "TaskCancelled image 1: Superseded", "TaskQueued image 1"]
    );
}

#[test]
fn a_revised_narration_makes_voice_and_film_stale_and_queues_the_new_voice() {
    let mut told = finished(video_on());
    assert_eq!(told.edit(2, narration("Two and a half.")), ["ShotNarrationRevised 2", "TaskQueued tts 2"]);
    assert_eq!(told.stale(), ["tts 2", "film"]);
    assert_eq!(
        told.edit(2, narration("Two and more.")),
        ["ShotNarrationRevised 2", "TaskCancelled tts 2: Superseded", "TaskQueued tts 2"]
    );
}

#[test]
fn a_narration_taken_away_leaves_no_voice_to_make_and_nothing_stale_but_the_film() {
    let mut told = finished(Settings::default());
    assert_eq!(told.edit(1, narration(" ")), ["ShotNarrationRevised 1"]);
    assert_eq!(told.stale(), ["film"]);
    told.when(super::telling::render());
    told.finish_everything();
    assert!(told.stale().is_empty(), "{:?}", told.stale());
}

#[test]
fn a_failed_voice_is_not_retried_when_there_is_nothing_left_to_say() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let voice = told.open(Kind::Tts, 1);
    told.fail(voice);
    told.edit(1, narration(""));
    assert_eq!(told.refused(Command::RetryTask { task: voice }), ProjectError::NothingToSay);
}

#[test]
fn an_edit_that_only_marks_cancels_outdated_work_and_queues_nothing() {
    let mut told = Telling::with_shots(&["One."], video_on());
    let words = told.mark(1, prompt("A lighthouse"));
    let expected = [
        "ShotPromptRevised 1",
        "TaskCancelled image 1: Superseded",
        "TaskCancelled video 1: DependencyFailed",
    ];
    assert_eq!(words, expected);
    assert_eq!(told.open_work(), ["tts 1 pending"]);
}

#[test]
fn an_edit_that_only_marks_a_finished_shot_is_one_event() {
    let mut told = finished(Settings::default());
    assert_eq!(told.mark(1, prompt("A lighthouse")), ["ShotPromptRevised 1"]);
    assert_eq!(told.mark(1, narration("Other words.")), ["ShotNarrationRevised 1"]);
    assert!(told.open_work().is_empty());
}

#[test]
fn title_and_transition_of_a_shot_touch_no_take() {
    let mut told = finished(video_on());
    let patch = ShotPatch {
        title: Some("Dawn".to_owned()),
        transition: Some(Some(Transition::Cut)),
        ..ShotPatch::default()
    };
    assert_eq!(told.edit(1, patch), ["ShotDetailsRevised 1"]);
    assert_eq!(told.stale(), ["film"]);
    told.edit(1, ShotPatch { transition: Some(None), ..ShotPatch::default() });
    assert_eq!(told.shot(1).transition, None, "the project's way again");
}

#[test]
fn another_length_of_a_shot_remakes_its_clip() {
    let mut told = finished(video_on());
    let longer = ShotPatch { duration: Some(Some(8.0)), ..ShotPatch::default() };
    assert_eq!(told.edit(1, longer.clone()), ["ShotDetailsRevised 1", "TaskQueued video 1"]);
    let none = ShotPatch { duration: Some(None), ..ShotPatch::default() };
    assert_eq!(
        told.edit(1, none),
        ["ShotDetailsRevised 1", "TaskCancelled video 1: Superseded", "TaskQueued video 1"]
    );
    let mut stills = finished(Settings::default());
    assert_eq!(stills.edit(1, longer), ["ShotDetailsRevised 1"]);
}

#[test]
fn a_new_style_makes_every_picture_and_its_clip_stale_and_queues_nothing() {
    let mut told = finished(video_on());
    assert_eq!(told.when(style_patch("ink")), ["StyleRevised"]);
    assert_eq!(told.stale(), ["image 1", "video 1", "image 2", "video 2", "film"]);
    assert!(told.open_work().is_empty());
}

#[test]
fn a_new_style_while_the_storyboard_is_made_makes_another_and_what_waits_waits_for_it() {
    let mut told = Telling::created(Some(2), Settings::default());
    let waiting = told.open_work().len();
    assert!(told.when(style_patch("ink")).contains(&"TaskQueued storyboard".to_owned()));
    assert_eq!(told.open_work().len(), waiting);
    told.finish_everything();
    assert!(told.stale().is_empty());
    assert!(told.project.shots.iter().all(|shot| told.project.is_complete(shot)));
}

#[test]
fn a_new_style_while_pictures_are_made_makes_them_in_the_new_style() {
    let mut told = Telling::with_shots(&["One.", "Two."], video_on());
    let work = told.open_work().len();
    told.when(style_patch("ink"));
    assert_eq!(told.open_work().len(), work, "nothing that was wanted is given up");
    told.when(super::telling::render());
    told.finish_everything();
    assert!(told.stale().is_empty());
}

#[test]
fn new_settings_make_stale_what_they_touch_and_queue_nothing() {
    let mut told = finished(Settings::default());
    let spoken = Settings { voice: Some("joe".to_owned()), ..Settings::default() };
    assert_eq!(told.when(settings_patch(spoken)), ["SettingsRevised"]);
    assert_eq!(told.stale(), ["tts 1", "tts 2", "film"]);
    assert!(told.open_work().is_empty());
}

#[test]
fn a_new_story_changes_no_shot_and_makes_no_take_stale() {
    let mut told = finished(Settings::default());
    let shots = told.project.shots.clone();
    let story = ProjectPatch { story: Some("Another one.".to_owned()), ..ProjectPatch::default() };
    assert_eq!(told.when(Command::ReviseProject(story)), ["StoryRevised"]);
    assert_eq!(told.project.shots, shots);
    assert!(told.stale().is_empty());
}

#[test]
fn new_settings_keep_the_seed_unless_they_name_one() {
    let mut told = finished(Settings::default());
    let seed = told.project.settings.seed;
    told.when(settings_patch(Settings { fps: 30, ..Settings::default() }));
    assert_eq!(told.project.settings.seed, seed);
}

#[test]
fn the_same_values_give_no_events() {
    let mut told = finished(auto_render());
    let same = told.shot(1).clone();
    let patch = ShotPatch {
        title: Some(same.title),
        prompt: Some(same.prompt),
        negative_prompt: Some(same.negative_prompt),
        narration: Some(same.narration),
        mood: Some(same.mood),
        transition: Some(same.transition),
        duration: Some(same.duration_seconds),
        locked: Some(false),
    };
    assert!(told.edit(1, patch).is_empty());
    let project = told.project.clone();
    let patch = ProjectPatch {
        title: Some(project.title),
        description: Some(project.description),
        style: Some(project.style),
        settings: Some(Settings { seed: None, ..project.settings }),
        story: Some(project.story),
    };
    assert!(told.when(Command::ReviseProject(patch)).is_empty());
}

#[test]
fn a_locked_shot_refuses_edits_generation_and_retries() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let picture = told.open(Kind::Image, 1);
    told.fail(picture);
    assert_eq!(told.edit(1, locked(true)), ["ShotLocked 1"]);
    let edit = told.editing(1, prompt("A lighthouse"), true);
    let generate = told.generating(1, Kind::Image);
    for command in [edit, generate, Command::RetryTask { task: picture }] {
        assert_eq!(told.refused(command), ProjectError::ShotLocked);
    }
}

#[test]
fn an_edit_that_unlocks_a_shot_may_change_it_in_the_same_breath() {
    let mut told = finished(Settings::default());
    told.edit(1, locked(true));
    let patch = ShotPatch { locked: Some(false), ..prompt("A lighthouse") };
    assert_eq!(told.edit(1, patch), ["ShotUnlocked 1", "ShotPromptRevised 1", "TaskQueued image 1"]);
}

#[test]
fn an_edit_may_lock_what_it_changed() {
    let mut told = finished(Settings::default());
    let patch = ShotPatch { locked: Some(true), ..prompt("A lighthouse") };
    assert_eq!(told.edit(1, patch), ["ShotPromptRevised 1", "ShotLocked 1", "TaskQueued image 1"]);
}

#[test]
fn an_edit_is_refused_only_when_that_shot_changed_after_the_version_seen() {
    let mut told = finished(Settings::default());
    let seen = told.project.version;
    told.edit(1, prompt("A lighthouse"));
    let revised = told.shot(1).revised;
    let late = told.editing(1, prompt("A castle"), true);
    let error = told.decide_seen(late.clone(), Some(seen)).unwrap_err();
    assert_eq!(error, ProjectError::ChangedSince { seen, revised });
    assert!(told.decide_seen(late, Some(revised)).is_ok());
    let other_shot = told.editing(2, prompt("A castle"), true);
    assert!(told.decide_seen(other_shot, Some(seen)).is_ok());
    assert!(told.decide_seen(style_patch("ink"), Some(seen)).is_ok());
}

#[test]
fn a_version_that_the_project_never_had_was_not_seen() {
    let mut told = finished(Settings::default());
    let version = told.project.version;
    let edit = told.editing(1, prompt("A castle"), true);
    let seen = version + 1;
    assert_eq!(told.decide_seen(edit, Some(seen)).unwrap_err(), ProjectError::NeverAt { seen, version });
}

#[test]
fn work_on_a_shot_is_no_change_of_its_content() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let seen = Some(told.project.version);
    told.finish_everything();
    let edit = told.editing(1, prompt("A lighthouse"), true);
    assert!(told.decide_seen(edit, seen).is_ok());
}

#[test]
fn an_edit_of_the_project_is_refused_only_when_its_own_fields_changed() {
    let mut told = finished(Settings::default());
    let seen = Some(told.project.version);
    told.edit(1, prompt("A lighthouse"));
    assert!(told.decide_seen(style_patch("ink"), seen).is_ok());
    told.when(style_patch("ink"));
    let error = told.decide_seen(style_patch("noir"), seen).unwrap_err();
    assert!(matches!(error, ProjectError::ChangedSince { .. }));
}

#[test]
fn the_title_that_a_storyboard_gives_counts_as_a_change_of_the_project() {
    let mut told = Telling::created(None, Settings::default());
    let seen = Some(told.project.version);
    told.finish(told.open(Kind::Storyboard, 0));
    let rename = ProjectPatch { title: Some("Mine".to_owned()), ..ProjectPatch::default() };
    let error = told.decide_seen(Command::ReviseProject(rename), seen).unwrap_err();
    assert!(matches!(error, ProjectError::ChangedSince { .. }));
}

#[test]
fn a_shot_that_does_not_exist_cannot_be_edited() {
    let mut told = finished(Settings::default());
    let shot = crate::ids::ShotId(uuid::Uuid::from_u128(404));
    let edit = Command::ReviseShot { shot, patch: prompt("A lighthouse"), generate: true };
    assert_eq!(told.refused(edit), ProjectError::ShotNotFound);
}
