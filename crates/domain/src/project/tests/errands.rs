//! Errands: each step by itself, and several commands that are one.

use super::telling::{Telling, asset, creation, narration, prompt, render, storyboard};
use crate::job::{Kind, Spec};
use crate::project::{
    Command, CreateProject, Generate, GivenShot, Only, Origin, Parameters, ProjectError, SceneName,
    ShotPatch, StartErrand,
};
use crate::settings::Settings;

fn errand(story: &str, usual: Parameters) -> Command {
    let project = CreateProject { story: story.to_owned(), ..creation(None, Settings::default()) };
    let external_id = Some("theirs".to_owned());
    Command::StartErrand(Box::new(StartErrand { project, origin: Origin::Gateway, external_id, usual }))
}

fn given(name: i64, content: ShotPatch) -> GivenShot {
    GivenShot { name: Some(SceneName::Number(name)), content, ..GivenShot::default() }
}

fn takes(kind: Kind) -> Command {
    let (kinds, parameters) = (vec![kind], Parameters::default());
    Command::Generate(Generate { kinds, shots: None, only: Only::All, parameters })
}

fn make_storyboard(alone: bool) -> Command {
    Command::MakeStoryboard { force: false, shot_count: None, alone }
}

#[test]
fn an_errand_queues_nothing_by_itself() {
    let mut told = Telling::default();
    assert_eq!(told.when(errand("", Parameters::default())), ["ProjectCreated", "ErrandTaken"]);
    assert!(told.project.open_tasks().next().is_none());
    let errand = told.project.errand.as_ref().unwrap();
    assert_eq!((errand.origin, errand.external_id.as_deref()), (Origin::Gateway, Some("theirs")));
}

#[test]
fn a_storyboard_alone_brings_shots_and_no_work() {
    let mut told = Telling::default();
    told.when(Command::Together(vec![errand("A lamp.", Parameters::default()), make_storyboard(true)]));
    assert_eq!(told.open_work(), ["storyboard pending"]);
    told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One.", "Two."]));
    assert_eq!((told.project.shots.len(), told.open_work().len()), (2, 0));
}

#[test]
fn a_storyboard_alone_leaves_nothing_waiting_for_an_earlier_one() {
    let mut told = Telling::created(Some(2), Settings::default());
    told.when(make_storyboard(true));
    assert_eq!(told.open_work(), ["storyboard pending"]);
    told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One.", "Two."]));
    assert_eq!(told.open_work(), [""; 0]);
}

#[test]
fn a_storyboard_needs_a_story() {
    let mut told = Telling::default();
    told.when(errand("", Parameters::default()));
    let refused = told.refused(make_storyboard(true));
    assert!(matches!(refused, ProjectError::Invalid { field: "story", .. }), "{refused}");
}

#[test]
fn given_shots_keep_their_names_and_only_what_is_asked_for_is_made() {
    let mut told = Telling::default();
    let shots = vec![given(7, prompt("A fox")), given(9, narration("It shone."))];
    let start = errand("", Parameters::default());
    told.when(Command::Together(vec![start, Command::GiveShots { shots }, takes(Kind::Image)]));
    assert_eq!(told.open_work(), ["image 1 pending", "image 2 pending"]);
    let names = told.project.shots.iter().map(|shot| told.project.scene_name(shot.id).cloned());
    let names: Vec<_> = names.map(Option::unwrap).collect();
    assert_eq!(names, [SceneName::Number(7), SceneName::Number(9)]);
    told.finish_everything();
    assert_eq!(told.open_work(), [""; 0]);
    assert!(told.shot(2).voice.is_none());
}

#[test]
fn a_shot_that_comes_with_its_picture_can_have_a_clip_at_once() {
    let mut told = Telling::default();
    let picture = Some(asset("image", 1, "png"));
    let shots = vec![GivenShot { picture, ..given(1, prompt("A fox")) }];
    let start = errand("", Parameters::default());
    told.when(Command::Together(vec![start, Command::GiveShots { shots }, takes(Kind::Video)]));
    assert_eq!(told.open_work(), ["video 1 pending"]);
}

#[test]
fn an_errand_that_nobody_touches_goes_to_the_trash() {
    let mut told = Telling::default();
    told.when(Command::Together(vec![errand("A lamp.", Parameters::default()), make_storyboard(true)]));
    let expire = |told: &Telling| Command::ExpireErrand { version: told.project.version };
    assert!(told.when(expire(&told)).is_empty(), "somebody waits for it");
    let seen = expire(&told);
    told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One."]));
    assert!(told.when(seen).is_empty(), "it was touched since");
    assert_eq!(told.when(expire(&told)), ["ProjectDeleted"]);
    assert!(told.when(expire(&told)).is_empty(), "it is there already");
    let mut own = Telling::complete(&["One."], Settings::default());
    assert!(own.when(expire(&own)).is_empty(), "what is somebody's own is never given up");
}

#[test]
fn a_take_of_a_given_shot_is_made_of_that_shot_alone() {
    let mut told = Telling::default();
    let with_take = |name, content, kind| GivenShot {
        take: Some((kind, Parameters { seed: Some(7), ..Parameters::default() })),
        ..given(name, content)
    };
    let first = Command::GiveShots { shots: vec![given(1, prompt("A fox"))] };
    told.when(Command::Together(vec![errand("", Parameters::default()), first]));
    let picture = Some(asset("image", 1, "png"));
    let clip = GivenShot { picture, ..with_take(3, prompt("A lamp"), Kind::Video) };
    told.when(Command::GiveShots { shots: vec![with_take(2, prompt("A whale"), Kind::Image), clip] });
    assert_eq!(told.open_work(), ["image 2 pending", "video 3 pending"]);
    assert_eq!(told.project.tasks[&told.open(Kind::Image, 2)].parameters.seed, Some(7));
    let before = told.project.clone();
    let refused =
        told.refused(Command::GiveShots { shots: vec![with_take(4, prompt("A ship"), Kind::Video)] });
    assert_eq!((told.project, refused), (before, ProjectError::NoPictureYet), "a clip needs a picture");
}

#[test]
fn a_voice_without_a_known_language_is_told_none() {
    let mut told = Telling::default();
    let shots = vec![given(1, narration("灯塔亮了。"))];
    told.when(Command::Together(vec![errand("", Parameters::default()), Command::GiveShots { shots }]));
    let spec = told.project.spec_of(Kind::Tts, Some(told.shot_id(1)), &Parameters::default());
    let Some(Spec::Tts(spec)) = spec else { panic!("there is something to say") };
    assert_eq!(spec.language, None);
}

#[test]
fn the_whole_chain_is_made_in_the_usual_way_of_the_errand() {
    let mut told = Telling::default();
    let usual = Parameters { steps: Some(6), speed: Some(1.5), ..Parameters::default() };
    told.when(Command::Together(vec![errand("A lamp.", usual.clone()), make_storyboard(false), render()]));
    told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One."]));
    for kind in [Kind::Image, Kind::Tts] {
        assert_eq!(told.project.tasks[&told.open(kind, 1)].parameters, usual, "{kind}");
    }
    told.finish_everything();
    assert!(told.project.film.is_some());
}

#[test]
fn of_commands_that_are_one_all_happen_or_none() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let before = told.project.clone();
    let edit = told.editing(1, prompt("A fox"), false);
    let unknown = Command::CancelTask { task: super::telling::unknown_task() };
    assert_eq!(told.refused(Command::Together(vec![edit.clone(), unknown])), ProjectError::TaskNotOpen);
    assert_eq!(told.project, before);
    let words = told.when(Command::Together(vec![edit, told.generating(1, Kind::Image)]));
    assert_eq!(words, ["ShotPromptRevised 1", "TaskQueued image 1"]);
}

#[test]
fn stopping_all_work_ends_batches_too() {
    let mut told = Telling::complete(&["One.", "Two."], Settings::default());
    told.when(takes(Kind::Image));
    let words = told.when(Command::CancelWork);
    assert_eq!(words.len(), 3, "{words:?}");
    assert!(told.project.batches.is_empty() && told.project.open_tasks().next().is_none());
}

#[test]
fn names_of_other_systems_have_limits() {
    let mut told = Telling::default();
    told.when(errand("", Parameters::default()));
    for name in ["x".repeat(201), "a\nb".to_owned()] {
        let shots = vec![GivenShot { name: Some(SceneName::Text(name)), ..GivenShot::default() }];
        assert!(matches!(told.refused(Command::GiveShots { shots }), ProjectError::Invalid { .. }));
    }
}
