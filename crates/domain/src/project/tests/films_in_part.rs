//! Films of some of the shots: what is made for them, what they wait for, and what becomes of them when the shots
//! that they begin and end with are moved or taken out.

use super::telling::{Telling, narration, prompt};
use crate::ids::ShotId;
use crate::job::{FilmSpec, Kind, Spec};
use crate::project::{Command, Event, Parameters, ProjectError, ShotPatch};
use crate::settings::{FilmFormat, FrameSize, OnMissing, Quality, Settings};

const THREE: [&str; 3] = ["One.", "Two.", "Three."];

fn from_to(from: Option<ShotId>, to: Option<ShotId>) -> Parameters {
    Parameters { from_shot: from, to_shot: to, ..Parameters::default() }
}

/// Asks for the film of the shots with these numbers.
fn part(told: &Telling, from: usize, to: usize) -> Command {
    let parameters = from_to(Some(told.shot_id(from)), Some(told.shot_id(to)));
    Command::RenderFilm { parameters }
}

fn spec(told: &Telling, parameters: &Parameters) -> FilmSpec {
    match told.project.spec_of(Kind::Film, None, parameters) {
        Some(Spec::Film(film)) => film,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_part_has_the_shots_from_the_first_to_the_last() {
    let told = Telling::complete(&THREE, Settings::default());
    let [one, two, three] = [1, 2, 3].map(|number| told.shot_id(number));
    let shown = |from, to| {
        let shots = spec(&told, &from_to(from, to)).shots;
        shots.into_iter().map(|shot| shot.shot_id).collect::<Vec<_>>()
    };
    assert_eq!(shown(Some(two), None), [two, three]);
    assert_eq!(shown(None, Some(two)), [one, two]);
    assert_eq!(shown(Some(two), Some(two)), [two]);
    assert_eq!(shown(None, None), [one, two, three]);
}

#[test]
fn what_is_no_part_of_the_project_is_refused_by_name() {
    let mut told = Telling::complete(&THREE, Settings::default());
    let gone = ShotId(uuid::Uuid::from_u128(404));
    let mut field = |parameters| match told.refused(Command::RenderFilm { parameters }) {
        ProjectError::Invalid { field, .. } => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(from_to(Some(gone), None)), "fromShot");
    assert_eq!(field(from_to(None, Some(gone))), "toShot");
    assert_eq!(
        told.refused(part(&told.clone(), 2, 1)),
        ProjectError::Invalid {
            field: "fromShot",
            message: "must not come after toShot in the order of the shots".to_owned(),
        }
    );
}

#[test]
fn only_what_a_part_shows_is_made_for_it_and_waited_for() {
    let mut told = Telling::with_shots(&THREE, Settings::default());
    told.cancel(told.open(Kind::Image, 1));
    told.cancel(told.open(Kind::Image, 2));
    let words = told.when(part(&told.clone(), 2, 2));
    assert_eq!(words, ["TaskQueued image 2", "TaskPlanned film"]);
    told.finish(told.open(Kind::Image, 2));
    let words = told.finish(told.open(Kind::Tts, 2));
    assert_eq!(words, ["TaskFinished tts 2", "TaskQueued film"], "others are still being made");
    told.finish(told.open(Kind::Image, 3));
    let words = told.finish(told.open(Kind::Film, 0));
    assert_eq!(words, ["TaskFinished film", "FilmRendered version 1"]);
    let Some(Event::FilmRendered(film)) = told.events.last() else { panic!("no film") };
    assert!(film.incomplete.is_empty(), "the picture of shot 1 is not missed");
}

/// Asks for the first seconds of the film.
fn beginning(seconds: f64) -> Command {
    Command::RenderFilm { parameters: Parameters { max_seconds: Some(seconds), ..Parameters::default() } }
}

#[test]
fn what_a_cut_leaves_out_for_certain_is_neither_made_nor_waited_for() {
    let mut told = Telling::with_shots(&["One.", "Two.", "Three.", "Four."], Settings::default());
    for shot in 1..=4 {
        told.cancel(told.open(Kind::Image, shot));
    }
    // A shot lasts 2.5 s at least, and transitions take half a second of that: the fourth begins after 5.7 s.
    let words = told.when(beginning(5.0));
    assert_eq!(words, ["TaskQueued image 1", "TaskQueued image 2", "TaskQueued image 3", "TaskPlanned film"]);
    for shot in 1..=3 {
        told.finish(told.open(Kind::Image, shot));
        told.finish(told.open(Kind::Tts, shot));
    }
    let film = told.open(Kind::Film, 0);
    assert!(told.ready().contains(&film), "the voice of the fourth is still being made");
    assert_eq!(told.finish(film), ["TaskFinished film", "FilmRendered version 1"]);
    let Some(Event::FilmRendered(film)) = told.events.last() else { panic!("no film") };
    assert!(film.incomplete.is_empty(), "nobody misses the picture of the fourth");
    told.mark(4, narration("Other words."));
    assert!(!told.project.film_is_stale());
    told.mark(2, narration("Other words."));
    assert!(told.project.film_is_stale());
}

#[test]
fn a_film_that_is_cut_waits_no_longer_for_a_shot_that_an_edit_moves_behind_the_cut() {
    let mut told = Telling::complete(&["One.", "Two."], Settings::default());
    told.when(told.generating(2, Kind::Image));
    assert_eq!(told.when(beginning(5.0)), ["TaskPlanned film"]);
    let longer = ShotPatch { duration: Some(Some(6.0)), ..ShotPatch::default() };
    assert_eq!(told.mark(1, longer), ["ShotDetailsRevised 1", "TaskQueued film"]);
}

#[test]
fn a_long_voice_or_length_leaves_out_more_and_one_that_may_be_skipped_nothing() {
    let mut told = Telling::complete(&["One.", "Two.", "Three.", "Four."], Settings::default());
    let shown = |told: &Telling, on_missing| {
        let parameters = Parameters { max_seconds: Some(5.0), on_missing, ..Parameters::default() };
        told.project.film_range(&parameters).map(<[_]>::len)
    };
    assert_eq!(shown(&told, None), Ok(2), "each voice takes 2.5 s");
    told.mark(1, ShotPatch { duration: Some(Some(6.0)), ..ShotPatch::default() });
    assert_eq!(shown(&told, None), Ok(1));
    let told = Telling::with_shots(&["One.", "Two.", "Three.", "Four."], Settings::default());
    assert_eq!(shown(&told, None), Ok(3));
    assert_eq!(shown(&told, Some(OnMissing::Skip)), Ok(4));
}

#[test]
fn only_work_on_its_own_shots_overtakes_a_part() {
    let mut told = Telling::complete(&THREE, Settings::default());
    told.when(part(&told.clone(), 1, 2));
    assert_eq!(told.edit(3, prompt("A castle")), ["ShotPromptRevised 3", "TaskQueued image 3"]);
    let words = told.edit(2, prompt("A castle"));
    let expected = ["ShotPromptRevised 2", "TaskQueued image 2", "TaskCancelled film: Superseded"];
    assert_eq!(words, expected);
}

#[test]
fn a_part_is_stale_when_one_of_its_own_shots_is() {
    let mut told = Telling::complete(&THREE, Settings::default());
    told.when(part(&told.clone(), 1, 2));
    told.finish(told.open(Kind::Film, 0));
    told.mark(3, narration("Other words."));
    assert!(!told.project.film_is_stale());
    told.mark(2, narration("Other words."));
    assert!(told.project.film_is_stale());
}

#[test]
fn a_part_that_loses_its_first_or_last_shot_is_given_up() {
    let complete = Telling::complete(&THREE, Settings::default());
    for waits in [false, true] {
        let mut told = complete.clone();
        if waits {
            told.when(told.generating(2, Kind::Image));
        }
        let mut other = told.clone();
        told.when(part(&complete, 1, 2));
        let film = told.open(Kind::Film, 0);
        let words = told.when(Command::RemoveShot { shot: told.shot_id(1) });
        assert_eq!(words, ["ShotRemoved", "TaskCancelled film: Superseded"]);
        assert!(matches!(told.refused(Command::RetryTask { task: film }), ProjectError::Invalid { .. }));

        other.when(part(&complete, 1, 2));
        let shots = [3, 2, 1].map(|number| other.shot_id(number)).to_vec();
        let words = other.when(Command::OrderShots { shots });
        assert_eq!(words, ["ShotsReordered", "TaskCancelled film: Superseded"]);
    }
}

#[test]
fn a_part_that_waits_for_a_shot_which_is_moved_out_of_it_waits_no_longer() {
    let mut told = Telling::complete(&THREE, Settings::default());
    told.when(told.generating(2, Kind::Image));
    assert_eq!(told.when(part(&told.clone(), 1, 3)), ["TaskPlanned film"]);
    let shots = [1, 3, 2].map(|number| told.shot_id(number)).to_vec();
    assert_eq!(told.when(Command::OrderShots { shots }), ["ShotsReordered", "TaskQueued film"]);
}

#[test]
fn a_film_has_the_size_that_was_asked_for_whatever_its_quality() {
    let told = Telling::complete(&["One."], Settings::default());
    let size = |quality, resolution: &str| {
        let resolution: FrameSize = resolution.parse().unwrap();
        let spec =
            spec(&told, &Parameters { quality, resolution: Some(resolution), ..Parameters::default() });
        (spec.width, spec.height)
    };
    assert_eq!(size(None, "1080x1920"), (1080, 1920));
    assert_eq!(size(Some(Quality::Preview), "1080p"), (1920, 1080));
    let same = Parameters {
        resolution: "720p".parse().ok(),
        format: Some(FilmFormat::Mp4),
        ..Parameters::default()
    };
    assert_eq!(spec(&told, &same), spec(&told, &Parameters::default()), "the project's own, in other words");
    let other =
        Parameters { format: Some(FilmFormat::Webm), max_seconds: Some(9.0), ..Parameters::default() };
    let other = spec(&told, &other);
    assert_eq!((other.format, other.max_seconds), (Some(FilmFormat::Webm), Some(9.0)));
}
