//! Shots come, go and change places by hand, and the storyboard is made again around what was done by hand.

use super::telling::{Telling, locked, narration, prompt, render, storyboard, video_on};
use crate::ids::ShotId;
use crate::job::{Kind, Output};
use crate::project::{Command, ProjectError, ShotPatch, limits};
use crate::settings::{Mood, Settings};

fn complete() -> Telling {
    Telling::complete(&["One.", "Two.", "Three."], Settings::default())
}

fn adding(place: Option<u32>, generate: bool) -> Command {
    let content = ShotPatch {
        prompt: Some("A pier".to_owned()),
        narration: Some("They waited.".to_owned()),
        mood: Some(Mood::Tense),
        ..ShotPatch::default()
    };
    Command::AddShot { place, content, generate }
}

fn again() -> Command {
    Command::MakeStoryboard { force: false, shot_count: None, alone: false }
}

fn ids(told: &Telling) -> Vec<ShotId> {
    told.project.shots.iter().map(|shot| shot.id).collect()
}

fn narrations(told: &Telling) -> Vec<&str> {
    told.project.shots.iter().map(|shot| shot.narration.as_str()).collect()
}

/// Brings a storyboard in other words than the first.
fn bring(told: &mut Telling, narrations: &[&str]) -> Vec<String> {
    let Output::Storyboard(mut output) = storyboard(narrations) else { unreachable!("it is a storyboard") };
    for shot in &mut output.shots {
        shot.prompt = format!("Another {}", shot.prompt);
    }
    told.finish_with(told.open(Kind::Storyboard, 0), Output::Storyboard(output))
}

#[test]
fn a_shot_is_added_where_it_is_wanted_and_its_picture_and_voice_are_queued() {
    let mut told = complete();
    assert_eq!(told.when(adding(Some(1), true)), ["ShotAdded 2", "TaskQueued image 2", "TaskQueued tts 2"]);
    assert_eq!(narrations(&told), ["One.", "They waited.", "Two.", "Three."]);
    assert_eq!(told.when(adding(None, false)), ["ShotAdded 5"]);
    assert_eq!(told.shot(5).mood, Mood::Tense);
}

#[test]
fn a_shot_is_not_added_beyond_the_end_or_in_words_that_are_too_long() {
    let mut told = complete();
    assert!(matches!(told.refused(adding(Some(4), true)), ProjectError::Invalid { field: "order", .. }));
    let content = ShotPatch { prompt: Some("x".repeat(2_001)), ..ShotPatch::default() };
    let long = Command::AddShot { place: None, content, generate: true };
    assert!(matches!(told.refused(long), ProjectError::Invalid { field: "prompt", .. }));
}

#[test]
fn no_project_has_more_than_200_shots() {
    let words: Vec<&str> = std::iter::repeat_n("One.", limits::SHOTS as usize).collect();
    let mut told = Telling::with_shots(&words, Settings::default());
    assert_eq!(told.refused(adding(None, false)), ProjectError::TooManyShots);
}

#[test]
fn a_shot_that_is_taken_out_takes_its_open_work_along() {
    let mut told = Telling::with_shots(&["One.", "Two."], video_on());
    let words = told.when(Command::RemoveShot { shot: told.shot_id(1) });
    assert_eq!(words.len(), 4, "{words:?}");
    assert_eq!(words.iter().filter(|word| word.ends_with(": ShotRemoved")).count(), 3, "{words:?}");
    assert_eq!(narrations(&told), ["Two."]);
    told.finish_everything();
    assert!(told.project.is_complete(told.shot(1)));
}

#[test]
fn the_film_of_a_shot_that_was_taken_out_is_stopped_and_one_of_no_shots_never_comes() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(render());
    let words = told.when(Command::RemoveShot { shot: told.shot_id(1) });
    assert_eq!(words, ["ShotRemoved", "TaskCancelled film: Superseded"]);
    assert_eq!(told.refused(render()), ProjectError::NoShots);
    let mut waiting = Telling::with_shots(&["One."], Settings::default());
    waiting.when(render());
    let words = waiting.when(Command::RemoveShot { shot: waiting.shot_id(1) });
    assert_eq!(words.last().map(String::as_str), Some("TaskCancelled film: DependencyFailed"));
}

#[test]
fn shots_change_places_and_only_the_film_is_stale_by_it() {
    let mut told = complete();
    told.when(render());
    told.finish_everything();
    let mut order = ids(&told);
    order.rotate_left(1);
    assert_eq!(told.when(Command::OrderShots { shots: order.clone() }), ["ShotsReordered"]);
    assert_eq!(narrations(&told), ["Two.", "Three.", "One."]);
    assert_eq!(told.stale(), ["film"]);
    assert!(told.when(Command::OrderShots { shots: order }).is_empty());
}

#[test]
fn an_order_names_every_shot_once() {
    let mut told = complete();
    let known = ids(&told);
    let stranger = ShotId(uuid::Uuid::from_u128(404));
    let orders = [
        vec![],
        known[..2].to_vec(),
        vec![known[0], known[0], known[1]],
        vec![known[0], known[1], stranger],
        [known.clone(), vec![known[0]]].concat(),
    ];
    for shots in orders {
        let refused = told.refused(Command::OrderShots { shots });
        assert!(matches!(refused, ProjectError::Invalid { field: "shots", .. }), "{refused}");
    }
}

#[test]
fn who_saw_another_arrangement_does_not_arrange() {
    let mut told = complete();
    let seen = Some(told.project.version);
    let mut order = ids(&told);
    order.reverse();
    told.when(adding(None, false));
    let late = told.decide_seen(Command::OrderShots { shots: order }, seen).unwrap_err();
    assert!(matches!(late, ProjectError::ChangedSince { .. }), "{late}");
    assert!(told.decide_seen(adding(None, false), seen).is_err());
    let shot = told.shot_id(1);
    assert!(told.decide_seen(Command::RemoveShot { shot }, seen).is_ok(), "that shot is as it was");
}

#[test]
fn a_locked_shot_is_not_taken_out() {
    let mut told = complete();
    told.edit(1, locked(true));
    assert_eq!(told.refused(Command::RemoveShot { shot: told.shot_id(1) }), ProjectError::ShotLocked);
}

#[test]
fn a_new_storyboard_replaces_what_nobody_touched_and_keeps_the_rest() {
    let mut told = complete();
    told.mark(1, narration("One, by hand."));
    told.edit(3, locked(true));
    let before = ids(&told);
    assert_eq!(told.when(again()), ["TaskQueued storyboard"]);
    let words = bring(&mut told, &["Uno.", "Due.", "Tre.", "Quattro."]);
    assert_eq!(narrations(&told), ["One, by hand.", "Due.", "Three.", "Quattro."]);
    assert_eq!((ids(&told)[0], ids(&told)[2]), (before[0], before[2]));
    assert_eq!(words.iter().filter(|word| word.starts_with("TaskQueued")).count(), 4, "{words:?}");
    assert!(told.shot(3).locked && told.shot(1).image.is_some());
}

#[test]
fn a_storyboard_in_the_same_words_changes_no_shot_and_costs_nothing() {
    let mut told = complete();
    let before = told.project.shots.clone();
    told.when(again());
    let board = told.open(Kind::Storyboard, 0);
    let words = told.finish_with(board, storyboard(&["One.", "Two.", "Three."]));
    assert_eq!(words, ["TaskFinished storyboard", "StoryboardAdopted"]);
    assert_eq!(told.project.shots, before);
}

#[test]
fn shots_added_by_hand_stay_between_the_new_ones() {
    let mut told = complete();
    told.when(adding(Some(1), false));
    told.when(again());
    bring(&mut told, &["Uno.", "Due."]);
    assert_eq!(narrations(&told), ["Uno.", "They waited.", "Due."]);
}

#[test]
fn a_shot_kept_beyond_the_end_of_the_new_storyboard_comes_after_it() {
    let mut told = complete();
    told.mark(3, narration("Three, by hand."));
    told.when(again());
    bring(&mut told, &["Uno."]);
    assert_eq!(narrations(&told), ["Uno.", "Three, by hand."]);
}

#[test]
fn by_force_every_shot_is_replaced_and_open_work_on_the_old_ones_ends_at_once() {
    let mut told = Telling::with_shots(&["One.", "Two."], Settings::default());
    told.edit(1, locked(true));
    let before = ids(&told);
    let words = told.when(Command::MakeStoryboard { force: true, shot_count: Some(2), alone: false });
    assert_eq!(words[0], "ShotCountRevised");
    assert_eq!(words.iter().filter(|word| word.ends_with(": Superseded")).count(), 4, "{words:?}");
    assert_eq!(words.iter().filter(|word| word.contains("at place")).count(), 4, "{words:?}");
    bring(&mut told, &["Uno.", "Due."]);
    assert!(ids(&told).iter().all(|id| !before.contains(id)));
    assert_eq!(told.open_work(), ["image 1 pending", "image 2 pending", "tts 1 pending", "tts 2 pending"]);
}

#[test]
fn work_on_a_shot_that_the_new_storyboard_replaces_is_stopped() {
    let mut told = complete();
    told.when(told.generating(1, Kind::Image));
    told.when(again());
    let words = bring(&mut told, &["Uno.", "Due.", "Tre."]);
    assert!(words.contains(&"TaskCancelled image 0: Superseded".to_owned()), "{words:?}");
    told.finish_everything();
    assert!(told.project.shots.iter().all(|shot| told.project.is_complete(shot)));
}

#[test]
fn tasks_that_waited_for_the_first_storyboard_keep_their_ids_when_it_is_made_again() {
    let mut told = Telling::created(Some(2), Settings::default());
    let picture = told.planned(Kind::Image, 1);
    told.when(Command::MakeStoryboard { force: false, shot_count: Some(1), alone: false });
    assert_eq!(told.planned(Kind::Image, 1), picture);
    assert_eq!(
        told.open_work(),
        ["image at place 1 blocked", "storyboard pending", "tts at place 1 blocked"]
    );
    told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One."]));
    assert_eq!(told.open(Kind::Image, 1), picture);
}

#[test]
fn the_same_storyboard_is_not_asked_for_twice() {
    let mut told = complete();
    told.when(again());
    assert!(told.when(again()).is_empty());
    assert_eq!(told.edit(1, prompt("A castle")).len(), 2, "shots go on being edited");
}
