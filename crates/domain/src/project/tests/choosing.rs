//! Takes are chosen, brought by hand, made several at a time; and music of one's own.

use super::telling::{Telling, asset, locked, prompt, render, settings_patch, video_on};
use crate::ids::TakeId;
use crate::job::{FilmMusic, FilmVisual, Kind, MadeWith, Spec};
use crate::project::event::TakesExpired;
use crate::project::{Command, EarlierTake, Parameters, Project, ProjectError, Take, TaskState};
use crate::settings::{Music, Settings};

fn choosing(told: &Telling, shot: usize, kind: Kind, take: &Take) -> Command {
    let take = EarlierTake {
        id: take.id,
        kind,
        asset: take.asset.clone(),
        parameters: take.parameters.clone(),
        made_with: MadeWith::default(),
    };
    Command::SelectTake { shot: told.shot_id(shot), take: Box::new(take) }
}

fn uploading(told: &Telling, shot: usize) -> Command {
    Command::UploadTake { shot: told.shot_id(shot), kind: Kind::Image, asset: asset("image", 900, "png") }
}

/// A shot with an earlier picture and the one that it uses.
fn with_two_pictures(settings: Settings) -> (Telling, Take) {
    let mut told = Telling::complete(&["One."], settings);
    let earlier = told.shot(1).image.clone().unwrap();
    told.when(told.generating(1, Kind::Image));
    told.finish_everything();
    (told, earlier)
}

fn film_of(project: &Project) -> crate::job::FilmSpec {
    match project.spec_of(Kind::Film, None, &Parameters::default()) {
        Some(Spec::Film(film)) => film,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_earlier_take_that_is_chosen_becomes_the_shots_own() {
    let (mut told, earlier) = with_two_pictures(Settings::default());
    told.when(render());
    told.finish_everything();
    let choose = choosing(&told, 1, Kind::Image, &earlier);
    assert_eq!(told.when(choose.clone()), ["TakeSelected image 1"]);
    assert_eq!(told.shot(1).image.as_ref().map(|take| take.id), Some(earlier.id));
    assert_eq!(told.stale(), ["film"]);
    assert!(told.when(choose).is_empty(), "it is chosen already");
}

#[test]
fn a_take_chosen_by_hand_is_not_stale_until_the_content_changes_again() {
    let (mut told, earlier) = with_two_pictures(Settings::default());
    told.edit(1, prompt("A lighthouse"));
    told.finish_everything();
    told.when(choosing(&told, 1, Kind::Image, &earlier));
    assert!(told.stale().is_empty(), "{:?}", told.stale());
    assert_eq!(told.when(render()), ["TaskQueued film"], "nobody makes it anew unasked");
    told.mark(1, prompt("A castle"));
    assert_eq!(told.stale(), ["image 1"]);
}

#[test]
fn a_stale_take_that_is_chosen_again_is_kept_for_todays_content() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.mark(1, prompt("A castle"));
    assert_eq!(told.stale(), ["image 1"]);
    let present = told.shot(1).image.clone().unwrap();
    assert_eq!(told.when(choosing(&told, 1, Kind::Image, &present)), ["TakeSelected image 1"]);
    assert!(told.stale().is_empty(), "{:?}", told.stale());
}

#[test]
fn a_take_chosen_while_another_is_being_made_stays() {
    let (mut told, earlier) = with_two_pictures(Settings::default());
    told.when(told.generating(1, Kind::Image));
    told.when(choosing(&told, 1, Kind::Image, &earlier));
    assert_eq!(told.finish(told.open(Kind::Image, 1)), ["TaskFinished image 1 not selected"]);
}

#[test]
fn another_picture_makes_the_clip_stale_and_its_own_clip_is_shown_with_it_again() {
    let (mut told, earlier) = with_two_pictures(video_on());
    let newer = told.shot(1).image.clone().unwrap();
    let shows_a_clip =
        |told: &Telling| matches!(film_of(&told.project).shots[0].visual, FilmVisual::Clip { .. });
    assert!(shows_a_clip(&told));
    told.when(choosing(&told, 1, Kind::Image, &earlier));
    assert_eq!(told.stale(), ["video 1"]);
    assert!(!shows_a_clip(&told), "the clip moves another picture");
    told.when(choosing(&told, 1, Kind::Image, &newer));
    assert!(told.stale().is_empty());
    assert!(shows_a_clip(&told));
}

#[test]
fn a_running_film_of_the_old_take_is_stopped_by_another_choice() {
    let (mut told, earlier) = with_two_pictures(Settings::default());
    told.when(render());
    let words = told.when(choosing(&told, 1, Kind::Image, &earlier));
    assert_eq!(words, ["TakeSelected image 1", "TaskCancelled film: Superseded"]);
}

#[test]
fn a_picture_of_ones_own_is_used_and_not_stale() {
    let mut told = Telling::complete(&["One."], Settings::default());
    assert_eq!(told.when(uploading(&told, 1)), ["TakeUploaded image 1"]);
    assert_eq!(told.shot(1).image.as_ref().map(|take| &take.asset), Some(&asset("image", 900, "png")));
    assert!(told.stale().is_empty());
    assert!(told.when(uploading(&told, 1)).is_empty(), "the same picture again");
}

#[test]
fn the_last_missing_picture_may_be_brought_by_hand() {
    let mut told = Telling::with_shots(&["One."], super::telling::auto_render());
    let picture = told.open(Kind::Image, 1);
    told.finish(told.open(Kind::Tts, 1));
    told.fail(picture);
    assert_eq!(told.when(uploading(&told, 1)), ["TakeUploaded image 1", "TaskQueued film"]);
}

#[test]
fn a_locked_shot_keeps_its_takes() {
    let (mut told, earlier) = with_two_pictures(Settings::default());
    told.edit(1, locked(true));
    assert_eq!(told.refused(uploading(&told, 1)), ProjectError::ShotLocked);
    let choose = choosing(&told, 1, Kind::Image, &earlier);
    assert_eq!(told.refused(choose), ProjectError::ShotLocked);
}

#[test]
fn candidates_are_made_beside_each_other_with_seeds_of_their_own_and_the_first_is_selected() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let words = told.when(told.candidates(1, Kind::Image, 4));
    assert_eq!(words[..4], ["TaskQueued image 1"; 4]);
    assert_eq!(words[4], "BatchPlanned of 4");
    let mut seeds: Vec<Option<u32>> = told.project.tasks.values().map(|task| task.parameters.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 4);
    let own = told.open_own(Kind::Image, 1);
    let others: Vec<_> = told.ready().into_iter().filter(|task| *task != own).collect();
    for other in others {
        assert_eq!(told.finish(other), ["TaskFinished image 1 not selected"]);
    }
    assert_eq!(told.finish(own), ["TaskFinished image 1", "TaskFinished batch"]);
    assert!(told.project.batches.is_empty());
}

#[test]
fn the_clip_waits_for_the_picture_that_becomes_the_shots_own() {
    let mut told = Telling::complete(&["One."], video_on());
    told.when(told.candidates(1, Kind::Image, 2));
    let own = told.open_own(Kind::Image, 1);
    assert_eq!(told.project.tasks[&told.open(Kind::Video, 1)].depends_on, [own]);
}

#[test]
fn new_candidates_take_the_place_of_the_old_ones() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(told.candidates(1, Kind::Image, 3));
    let words = told.when(told.candidates(1, Kind::Image, 1));
    assert_eq!(words.iter().filter(|word| word.ends_with(": Superseded")).count(), 3, "{words:?}");
    assert_eq!(words.last().map(String::as_str), Some("TaskCancelled batch: DependencyFailed"));
    assert_eq!(told.project.tasks.len(), 1, "the old ones are forgotten");
}

#[test]
fn there_are_one_to_four_candidates_and_none_of_a_voice() {
    let mut told = Telling::complete(&["One."], Settings::default());
    for (kind, count) in [(Kind::Image, 0), (Kind::Image, 5), (Kind::Tts, 2)] {
        let refused = told.refused(told.candidates(1, kind, count));
        assert!(matches!(refused, ProjectError::Invalid { field: "candidates", .. }), "{refused}");
    }
}

#[test]
fn takes_expire_unless_a_shot_uses_them() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let used = told.shot(1).image.as_ref().unwrap().id;
    assert!(told.when(Command::ExpireTakes { takes: vec![used] }).is_empty());
    let unused = TakeId(uuid::Uuid::from_u128(404));
    let events = told.decide(Command::ExpireTakes { takes: vec![used, unused] }).unwrap();
    assert_eq!(events, [TakesExpired { takes: vec![unused] }.into()]);
}

#[test]
fn music_of_ones_own_is_the_films_until_another_is_chosen() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let own = Settings { music: Music::Own, ..told.project.settings.clone() };
    let refused = told.refused(settings_patch(own.clone()));
    assert!(matches!(refused, ProjectError::Invalid { field: "settings.music", .. }), "{refused}");
    told.when(render());
    let music = asset("music", 1, "mp3");
    let words = told.when(Command::UploadMusic { asset: music.clone() });
    assert_eq!(words, ["MusicUploaded", "TaskCancelled film: Superseded"]);
    assert_eq!(film_of(&told.project).music, FilmMusic::Asset { asset: music.key.clone() });
    told.when(settings_patch(Settings { music: Music::None, ..own.clone() }));
    assert_eq!(film_of(&told.project).music, FilmMusic::None);
    told.when(settings_patch(own));
    assert_eq!(film_of(&told.project).music, FilmMusic::Asset { asset: music.key });
    assert_eq!(told.when(Command::RemoveMusic), ["MusicRemoved"]);
    assert!(matches!(film_of(&told.project).music, FilmMusic::Mood { .. }));
    assert!(told.when(Command::RemoveMusic).is_empty());
}

#[test]
fn a_failed_candidate_can_be_tried_again_beside_the_others() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(told.candidates(1, Kind::Image, 2));
    let own = told.open_own(Kind::Image, 1);
    let other = told.ready().into_iter().find(|task| *task != own).unwrap();
    told.fail(other);
    assert_eq!(told.finish(own), ["TaskFinished image 1", "TaskFailed batch"]);
    assert_eq!(told.project.tasks[&other].state, TaskState::Failed);
    assert_eq!(told.retry(other), ["TaskQueued image 1 (attempt 2)"]);
    assert_eq!(told.finish(other), ["TaskFinished image 1 not selected"]);
}
