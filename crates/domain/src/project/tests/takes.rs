//! Takes: made again on request, chosen when they arrive, ignored when nobody waits for them.

use super::telling::{Telling, asset, finishing, locked, prompt, video_on};
use crate::asset::Asset;
use crate::ids::{TakeId, TaskId};
use crate::job::{FilmVisual, Kind, MadeWith, Spec};
use crate::project::{Command, Event, Parameters, ProjectError, TakeMade, Task, TaskFinished};
use crate::settings::Settings;

fn seed_of(told: &Telling, task: &Task) -> u32 {
    match told.project.spec(task) {
        Some(Spec::Image(spec)) => spec.seed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn generating_a_picture_again_varies_its_seed() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let first = told.project.tasks[&told.open(Kind::Image, 1)].clone();
    told.finish_everything();
    let mut seeds = vec![seed_of(&told, &first)];
    for _ in 0..3 {
        told.when(told.generating(1, Kind::Image));
        seeds.push(seed_of(&told, &told.project.tasks[&told.open(Kind::Image, 1)]));
        told.finish_everything();
        assert!(!told.stale().contains(&"image 1".to_owned()), "a picture of another seed is not stale");
    }
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 4);
}

#[test]
fn a_seed_that_is_asked_for_is_used() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let parameters = Parameters { seed: Some(42), ..Parameters::default() };
    let generate =
        Command::GenerateTake { shot: told.shot_id(1), kind: Kind::Image, parameters, candidates: 1 };
    told.when(generate);
    assert_eq!(seed_of(&told, &told.project.tasks[&told.open(Kind::Image, 1)]), 42);
}

#[test]
fn each_shot_has_a_seed_of_its_own_that_stays() {
    let told = Telling::with_shots(&["One.", "Two."], Settings::default());
    let seed = |shot| seed_of(&told, &told.project.tasks[&told.open(Kind::Image, shot)]);
    assert_ne!(seed(1), seed(2));
    assert_eq!(seed(1), seed(1));
}

#[test]
fn generating_again_supersedes_the_open_task_and_its_late_result_is_ignored() {
    let mut told = Telling::with_shots(&["One."], video_on());
    let old = told.open(Kind::Image, 1);
    let words = told.when(told.generating(1, Kind::Image));
    assert_eq!(words.iter().filter(|word| word.ends_with("Superseded")).count(), 2, "{words:?}");
    assert_eq!(words[2..], ["TaskQueued image 1", "TaskPlanned video 1"]);
    let late = told.output(Kind::Image);
    assert!(told.finish_with(old, late).is_empty());
    assert!(told.shot(1).image.is_none());
}

#[test]
fn a_result_for_a_task_that_nobody_knows_changes_nothing() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let late = finishing(super::telling::unknown_task(), told.clone().output(Kind::Image));
    assert!(told.when(late).is_empty());
}

#[test]
fn a_result_that_arrives_twice_changes_nothing_the_second_time() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let picture = told.open(Kind::Image, 1);
    let output = told.output(Kind::Image);
    assert_eq!(told.finish_with(picture, output.clone()), ["TaskFinished image 1"]);
    assert!(told.finish_with(picture, output).is_empty());
}

#[test]
fn a_film_where_a_voice_was_asked_for_is_a_failure() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let film = told.output(Kind::Film);
    let words = told.finish_with(told.open(Kind::Tts, 1), film);
    assert_eq!(words, ["TaskRetryScheduled tts 1 (attempt 2)"]);
}

/// Somebody chose a take: told as the result of work that ran beside the rest.
fn chosen(told: &mut Telling, shot: usize, asset: Asset) -> TakeId {
    let shot_id = told.shot_id(shot);
    let task_id = TaskId(uuid::Uuid::from_u128(99));
    let mut beside = told.project.tasks[&told.open(Kind::Image, 1)].clone();
    beside.spec_hash = None;
    told.project.tasks.insert(task_id, beside.clone());
    let take_id = TakeId(uuid::Uuid::from_u128(77));
    told.given(TaskFinished {
        task_id,
        attempt: 1,
        spec_hash: told.project.spec(&beside).unwrap().hash(),
        take: Some(TakeMade { take_id, shot_id, asset, selected: true }),
        made_with: MadeWith::default(),
    });
    take_id
}

#[test]
fn a_finished_generation_does_not_replace_a_take_chosen_since() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(told.generating(1, Kind::Image));
    let choice = chosen(&mut told, 1, asset("image", 500, "png"));
    assert_eq!(told.finish(told.open(Kind::Image, 1)), ["TaskFinished image 1 not selected"]);
    assert_eq!(told.shot(1).image.as_ref().map(|take| take.id), Some(choice));
}

#[test]
fn a_finished_generation_becomes_the_shots_own_when_nobody_chose_another() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let before = told.shot(1).image.clone();
    told.when(told.generating(1, Kind::Image));
    assert_eq!(told.finish(told.open(Kind::Image, 1)), ["TaskFinished image 1"]);
    assert_ne!(told.shot(1).image, before);
}

#[test]
fn an_asset_keeps_what_was_asked_for_and_what_made_it() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let picture = told.open(Kind::Image, 1);
    let asked = told.project.tasks[&picture].spec_hash.clone().unwrap();
    told.finish(picture);
    let Some(Event::TaskFinished(finished)) = told.events.last() else { panic!() };
    assert_eq!(finished.spec_hash, asked);
    assert_eq!(finished.made_with.provider, "builtin");
    assert_eq!(told.shot(1).image.as_ref().map(|take| &take.spec_hash), Some(&asked));
}

#[test]
fn what_cannot_be_made_is_refused() {
    let mut told = Telling::with_shots(&["One.", ""], Settings::default());
    told.cancel(told.open(Kind::Image, 1));
    let mut refused = |shot, kind| told.refused(told.generating(shot, kind));
    assert_eq!(refused(1, Kind::Film), ProjectError::NotAShotKind(Kind::Film));
    assert_eq!(refused(1, Kind::Storyboard), ProjectError::NotAShotKind(Kind::Storyboard));
    assert_eq!(refused(1, Kind::Video), ProjectError::NoPictureYet);
    assert_eq!(refused(2, Kind::Tts), ProjectError::NothingToSay);
}

#[test]
fn a_clip_asked_for_while_its_picture_is_being_made_waits_for_it() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let parameters = Parameters { fps: Some(30), ..Parameters::default() };
    let generate =
        Command::GenerateTake { shot: told.shot_id(1), kind: Kind::Video, parameters, candidates: 1 };
    assert_eq!(told.when(generate), ["TaskPlanned video 1"]);
    let clip = told.open(Kind::Video, 1);
    let words = told.finish(told.open(Kind::Image, 1));
    assert_eq!(words, ["TaskFinished image 1", "TaskQueued video 1"]);
    assert_eq!(told.project.tasks[&clip].parameters.fps, Some(30));
}

#[test]
fn a_new_picture_supersedes_the_clip_that_is_being_made_of_the_old_one() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(told.generating(1, Kind::Video));
    let words = told.when(told.generating(1, Kind::Image));
    assert_eq!(words, ["TaskCancelled video 1: Superseded", "TaskQueued image 1"]);
}

#[test]
fn a_clip_of_the_old_picture_is_made_of_the_new_one_when_that_is_retried() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(told.generating(1, Kind::Image));
    let picture = told.open(Kind::Image, 1);
    told.fail(picture);
    told.when(told.generating(1, Kind::Video));
    let words = told.when(Command::RetryTask { task: picture });
    assert_eq!(words[1..], ["TaskCancelled video 1: Superseded", "TaskPlanned video 1"]);
    assert_eq!(told.finish(picture), ["TaskFinished image 1", "TaskQueued video 1"]);
}

#[test]
fn the_film_shows_a_clip_of_todays_picture_only() {
    let mut told = Telling::complete(&["One."], video_on());
    let visual = |told: &Telling| match told.project.spec_of(Kind::Film, None, &Parameters::default()) {
        Some(Spec::Film(film)) => film.shots[0].visual.clone(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(visual(&told), FilmVisual::Clip { .. }));
    told.edit(1, prompt("A lighthouse"));
    assert!(matches!(visual(&told), FilmVisual::Clip { .. }), "the last good one, until the new comes");
    told.finish(told.open(Kind::Image, 1));
    assert!(matches!(visual(&told), FilmVisual::Still { .. }));
    told.finish(told.open(Kind::Video, 1));
    assert!(matches!(visual(&told), FilmVisual::Clip { .. }));
}

#[test]
fn a_clip_is_newer_than_its_picture_even_when_the_clock_went_back() {
    let mut told = Telling::with_shots(&["One."], video_on());
    told.finish(told.open(Kind::Image, 1));
    let output = told.output(Kind::Video);
    let mut late = super::telling::envelope(1_000, finishing(told.open(Kind::Video, 1), output));
    late.context.at = super::telling::start_of_time();
    let events = told.project.decide(&late).unwrap();
    told.take_in(events);
    let Some(Spec::Film(film)) = told.project.spec_of(Kind::Film, None, &Parameters::default()) else {
        panic!()
    };
    assert!(matches!(film.shots[0].visual, FilmVisual::Clip { .. }));
}

#[test]
fn a_locked_shot_still_takes_what_was_queued_before() {
    let mut told = Telling::with_shots(&["One."], video_on());
    told.edit(1, locked(true));
    told.finish_everything();
    assert!(told.shot(1).image.is_some() && told.shot(1).video.is_some() && told.shot(1).voice.is_some());
}
