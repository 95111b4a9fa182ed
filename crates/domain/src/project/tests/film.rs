//! Films: asked for or made by themselves, when everything that they need has come.

use super::telling::{
    Telling, auto_render, narration, prompt, render, settings_patch, style_patch, video_on,
};
use crate::job::{FilmVisual, Kind, Spec};
use crate::project::{Command, Event, Parameters, ProjectError};
use crate::settings::{FilmFormat, OnMissing, Quality, Settings};

fn preview() -> Command {
    let parameters = Parameters { quality: Some(Quality::Preview), ..Parameters::default() };
    Command::RenderFilm { parameters }
}

fn visuals(told: &Telling, parameters: &Parameters) -> Vec<FilmVisual> {
    match told.project.spec_of(Kind::Film, None, parameters) {
        Some(Spec::Film(film)) => film.shots.into_iter().map(|shot| shot.visual).collect(),
        other => panic!("{other:?}"),
    }
}

fn incomplete(told: &Telling) -> usize {
    let newest = |event: &Event| match event {
        Event::FilmRendered(film) => Some(film.incomplete.len()),
        _ => None,
    };
    told.events.iter().rev().find_map(newest).expect("a film was rendered")
}

#[test]
fn a_film_of_a_complete_project_is_queued_at_once() {
    let mut told = Telling::complete(&["One."], Settings::default());
    assert_eq!(told.when(render()), ["TaskQueued film"]);
    assert_eq!(told.finish(told.open(Kind::Film, 0)), ["TaskFinished film", "FilmRendered version 1"]);
    assert!(!told.project.film_is_stale());
    assert_eq!(incomplete(&told), 0);
}

#[test]
fn films_are_counted() {
    let mut told = Telling::complete(&["One."], Settings::default());
    for version in 1..=3 {
        told.when(render());
        told.finish(told.open(Kind::Film, 0));
        assert_eq!(told.project.film.as_ref().map(|film| film.version), Some(version));
    }
}

#[test]
fn a_film_asked_for_early_waits_for_open_work() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    assert_eq!(told.when(render()), ["TaskPlanned film"]);
    told.finish(told.open(Kind::Tts, 1));
    let words = told.finish(told.open(Kind::Image, 1));
    assert_eq!(words, ["TaskFinished image 1", "TaskQueued film"]);
}

#[test]
fn a_film_asked_for_before_the_storyboard_waits_for_its_shots_too() {
    for shot_count in [None, Some(2), Some(5)] {
        let mut told = Telling::created(shot_count, video_on());
        told.when(render());
        told.finish(told.open(Kind::Storyboard, 0));
        assert!(told.open_work().contains(&"film blocked".to_owned()), "{shot_count:?}");
        told.finish_everything();
        assert_eq!(told.project.film.as_ref().map(|film| film.version), Some(1));
        assert_eq!(incomplete(&told), 0);
    }
}

#[test]
fn a_film_queues_what_is_missing_or_stale_and_waits_for_it() {
    let mut told = Telling::with_shots(&["One.", "Two."], Settings::default());
    told.cancel(told.open(Kind::Image, 1));
    told.finish_everything();
    told.mark(2, narration("Other words."));
    assert_eq!(told.when(render()), ["TaskQueued image 1", "TaskQueued tts 2", "TaskPlanned film"]);
    told.finish_everything();
    assert_eq!(incomplete(&told), 0);
}

#[test]
fn a_film_queues_the_clips_that_new_settings_ask_for() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(settings_patch(video_on()));
    assert_eq!(told.when(render()), ["TaskQueued video 1", "TaskPlanned film"]);
}

#[test]
fn a_clip_that_new_settings_ask_for_waits_for_a_picture_in_the_making() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    told.when(settings_patch(video_on()));
    assert_eq!(told.when(render()), ["TaskPlanned video 1", "TaskPlanned film"]);
    told.finish_everything();
    assert_eq!(incomplete(&told), 0);
}

#[test]
fn a_clip_of_a_stale_picture_gives_way_to_one_of_the_new_picture() {
    let mut told = Telling::complete(&["One."], video_on());
    told.when(told.generating(1, Kind::Video));
    told.when(style_patch("ink"));
    let words = told.when(render());
    let expected = [
        "TaskCancelled video 1: Superseded",
        "TaskQueued image 1",
        "TaskPlanned video 1",
        "TaskPlanned film",
    ];
    assert_eq!(words, expected);
}

#[test]
fn the_same_open_film_is_answered_again() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    told.when(render());
    assert!(told.when(render()).is_empty());
    told.finish(told.open(Kind::Image, 1));
    told.finish(told.open(Kind::Tts, 1));
    assert!(told.when(render()).is_empty());
    assert_eq!(told.when(preview()), ["TaskQueued film"], "another film is another task");
}

#[test]
fn a_film_asked_for_in_other_words_is_the_same() {
    let own = Parameters::default();
    let words = [
        Parameters { quality: Some(Quality::Final), ..own.clone() },
        Parameters { format: Some(FilmFormat::Mp4), fps: Some(24), ..own.clone() },
    ];
    for mut told in
        [Telling::complete(&["One."], Settings::default()), Telling::created(None, Settings::default())]
    {
        assert_eq!(told.when(render()).len(), 1);
        for parameters in words.clone() {
            assert!(told.when(Command::RenderFilm { parameters }).is_empty());
        }
        let to_shot = told.project.shots.last().map(|shot| shot.id);
        let part =
            Command::RenderFilm { parameters: Parameters { to_shot, max_seconds: Some(9.0), ..own.clone() } };
        assert_eq!(told.when(part).len(), 1, "it may come to be another");
    }
}

#[test]
fn a_film_asked_for_again_picks_up_what_became_stale_meanwhile() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(render());
    told.mark(1, prompt("A lighthouse"));
    let words = told.when(render());
    let expected = ["TaskQueued image 1", "TaskPlanned film", "TaskCancelled film: Superseded"];
    assert_eq!(words, expected);
    told.finish_everything();
    assert!(told.stale().is_empty());
}

#[test]
fn a_waiting_film_asked_for_again_also_waits_for_what_became_stale_meanwhile() {
    let mut told = Telling::complete(&["One.", "Two."], Settings::default());
    told.when(told.generating(1, Kind::Image));
    told.when(render());
    told.mark(2, prompt("A lighthouse"));
    assert_eq!(told.when(render()), ["TaskQueued image 2"]);
    told.finish_everything();
    assert!(told.stale().is_empty());
}

#[test]
fn a_film_leaves_locked_shots_as_they_are() {
    let mut told = Telling::complete(&["One.", "Two."], Settings::default());
    told.edit(1, super::telling::locked(true));
    told.when(style_patch("ink"));
    assert_eq!(told.when(render()), ["TaskQueued image 2", "TaskPlanned film"]);
}

#[test]
fn there_is_no_film_without_shots() {
    let mut told = Telling::created(None, Settings::default());
    let storyboard = told.open(Kind::Storyboard, 0);
    told.fail(storyboard);
    assert_eq!(told.refused(render()), ProjectError::NoShots);
    told.retry(storyboard);
    assert_eq!(told.when(render()), ["TaskPlanned film"], "shots are coming");
}

#[test]
fn a_storyboard_that_fails_cancels_the_film_that_waits_and_brings_it_back_when_retried() {
    let mut told = Telling::created(Some(1), Settings::default());
    told.when(render());
    let (storyboard, film) = (told.open(Kind::Storyboard, 0), told.open(Kind::Film, 0));
    let words = told.fail(storyboard);
    assert!(words.contains(&"TaskCancelled film: DependencyFailed".to_owned()), "{words:?}");
    assert_eq!(told.refused(Command::RetryTask { task: film }), ProjectError::DependencyFailed);
    told.retry(storyboard);
    told.finish_everything();
    assert!(told.project.film.is_some());
}

#[test]
fn a_film_that_was_cancelled_is_not_retried_without_shots() {
    let mut told = Telling::created(None, Settings::default());
    told.when(render());
    let film = told.open(Kind::Film, 0);
    told.cancel(film);
    told.fail(told.open(Kind::Storyboard, 0));
    assert_eq!(told.refused(Command::RetryTask { task: film }), ProjectError::DependencyFailed);
}

#[test]
fn a_film_goes_without_a_failed_shot_and_says_so() {
    let mut told = Telling::with_shots(&["One.", "Two."], Settings::default());
    told.when(render());
    told.fail(told.open(Kind::Image, 1));
    told.finish_everything();
    assert_eq!(incomplete(&told), 1);
    let shown = visuals(&told, &Parameters::default());
    assert!(matches!(shown[..], [FilmVisual::Card, FilmVisual::Still { .. }]), "{shown:?}");
    let skip = Parameters { on_missing: Some(OnMissing::Skip), ..Parameters::default() };
    assert_eq!(visuals(&told, &skip).len(), 1);
}

#[test]
fn a_shot_whose_new_picture_failed_shows_its_last_good_one() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let good = told.shot(1).image.as_ref().map(|take| take.asset.key.clone()).unwrap();
    told.edit(1, prompt("A lighthouse"));
    told.when(render());
    told.fail(told.open(Kind::Image, 1));
    assert_eq!(visuals(&told, &Parameters::default()), [FilmVisual::Still { picture: good }]);
    told.finish_everything();
    assert_eq!(incomplete(&told), 1);
}

#[test]
fn a_retried_film_waits_for_open_work() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(render());
    let film = told.open(Kind::Film, 0);
    told.fail(film);
    assert_eq!(told.retry(film), ["TaskQueued film (attempt 2)"]);
    told.fail(film);
    told.when(told.generating(1, Kind::Image));
    assert_eq!(told.retry(film), ["TaskPlanned film"]);
    assert_eq!(
        told.finish(told.open(Kind::Image, 1)),
        ["TaskFinished image 1", "TaskQueued film (attempt 3)"]
    );
}

#[test]
fn a_film_is_not_retried_beside_an_open_one_that_is_the_same() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(render());
    let film = told.open(Kind::Film, 0);
    told.mark(1, prompt("A lighthouse"));
    told.when(render());
    assert_eq!(told.refused(Command::RetryTask { task: film }), ProjectError::TaskNotRetryable);
}

#[test]
fn a_film_whose_shot_is_made_anew_is_superseded() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(render());
    let film = told.open(Kind::Film, 0);
    let words = told.when(told.generating(1, Kind::Image));
    assert_eq!(words, ["TaskQueued image 1", "TaskCancelled film: Superseded"]);
    assert!(told.finish(film).is_empty());
}

#[test]
fn with_auto_render_the_film_is_queued_when_the_last_asset_arrives() {
    let mut told = Telling::with_shots(&["One."], auto_render());
    assert_eq!(told.finish(told.open(Kind::Tts, 1)), ["TaskFinished tts 1"]);
    assert_eq!(told.finish(told.open(Kind::Image, 1)), ["TaskFinished image 1", "TaskQueued film"]);
}

#[test]
fn without_auto_render_no_film_is_queued() {
    assert!(Telling::complete(&["One."], Settings::default()).project.film.is_none());
}

#[test]
fn an_automatic_film_that_fails_or_is_cancelled_does_not_loop() {
    let mut told = Telling::with_shots(&["One."], auto_render());
    told.finish(told.open(Kind::Tts, 1));
    told.finish(told.open(Kind::Image, 1));
    let film = told.open(Kind::Film, 0);
    assert_eq!(told.fail(film), ["TaskFailed film"]);
    told.retry(film);
    assert_eq!(told.cancel(film), ["TaskCancelled film: Requested"]);
}

#[test]
fn an_automatic_film_comes_again_after_an_edit() {
    let mut told = Telling::complete(&["One."], auto_render());
    assert_eq!(told.project.film.as_ref().map(|film| film.version), Some(1));
    told.edit(1, prompt("A lighthouse"));
    assert_eq!(told.finish(told.open(Kind::Image, 1)), ["TaskFinished image 1", "TaskQueued film"]);
}

#[test]
fn an_automatic_film_overtaken_by_an_edit_comes_when_that_is_done() {
    let mut told = Telling::complete(&["One."], auto_render());
    told.edit(1, narration("Other words."));
    told.finish(told.open(Kind::Tts, 1));
    let words = told.edit(1, prompt("A lighthouse"));
    assert_eq!(words, ["ShotPromptRevised 1", "TaskQueued image 1", "TaskCancelled film: Superseded"]);
    assert_eq!(told.cancel(told.open(Kind::Image, 1)), ["TaskCancelled image 1: Requested"]);
    told.edit(1, prompt("A castle"));
    assert_eq!(told.finish(told.open(Kind::Image, 1)), ["TaskFinished image 1", "TaskQueued film"]);
}

#[test]
fn a_film_superseded_by_work_that_was_then_cancelled_comes_again() {
    let mut told = Telling::with_shots(&["One."], auto_render());
    told.finish(told.open(Kind::Tts, 1));
    told.finish(told.open(Kind::Image, 1));
    told.when(told.generating(1, Kind::Image));
    let words = told.cancel(told.open(Kind::Image, 1));
    assert_eq!(words, ["TaskCancelled image 1: Requested", "TaskQueued film"]);
}

#[test]
fn a_preview_does_not_bring_the_automatic_film_again() {
    let mut told = Telling::complete(&["One."], auto_render());
    told.when(preview());
    let words = told.finish(told.open(Kind::Film, 0));
    assert_eq!(words, ["TaskFinished film", "FilmRendered version 2"]);
}

#[test]
fn a_preview_that_is_overtaken_does_not_bring_the_automatic_film_again() {
    let mut told = Telling::complete(&["One."], auto_render());
    told.when(preview());
    told.when(told.generating(1, Kind::Image));
    assert_eq!(told.cancel(told.open(Kind::Image, 1)), ["TaskCancelled image 1: Requested"]);
}

#[test]
fn a_preview_asked_for_early_does_not_replace_the_automatic_film() {
    let mut told = Telling::with_shots(&["One."], auto_render());
    told.when(preview());
    told.finish_everything();
    assert_eq!(told.project.film.as_ref().map(|film| film.version), Some(2));
    assert_eq!(told.project.film.as_ref().map(|film| film.parameters.clone()), Some(Parameters::default()));
}

#[test]
fn a_film_asked_for_in_the_projects_own_quality_is_the_automatic_one() {
    let mut told = Telling::with_shots(&["One."], auto_render());
    let parameters = Parameters { quality: Some(Quality::Final), ..Parameters::default() };
    told.when(Command::RenderFilm { parameters });
    told.finish_everything();
    assert_eq!(told.project.film.as_ref().map(|film| film.version), Some(1));
}

#[test]
fn of_two_films_that_failed_only_the_newest_is_kept() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(render());
    told.when(preview());
    let films: Vec<_> = told.ready();
    films.iter().for_each(|film| {
        told.fail(*film);
    });
    assert_eq!(told.project.tasks.keys().collect::<Vec<_>>(), [&films[1]]);
}

#[test]
fn a_film_without_a_clip_that_settings_no_longer_ask_for_is_not_stale() {
    let mut told = Telling::complete(&["One."], video_on());
    told.when(settings_patch(Settings::default()));
    told.edit(1, prompt("A lighthouse"));
    told.when(render());
    told.finish_everything();
    assert!(!told.project.film_is_stale());
}
