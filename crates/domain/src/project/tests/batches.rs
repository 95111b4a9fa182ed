//! Work in bulk: what it is about, and the one task by which it is followed.

use super::telling::{Telling, locked, narration, prompt, render, video_on};
use crate::ids::ShotId;
use crate::job::Kind;
use crate::project::{Command, Generate, Lifecycle, Only, Parameters, ProjectError, limits};
use crate::settings::Settings;
use chrono::TimeDelta;

fn many(kinds: &[Kind], only: Only) -> Command {
    Command::Generate(Generate {
        kinds: kinds.to_vec(),
        shots: None,
        only,
        parameters: Parameters::default(),
    })
}

#[test]
fn what_is_missing_is_made_as_one_batch() {
    let mut told = Telling::with_shots(&["One.", "Two."], Settings::default());
    for (kind, shot) in [(Kind::Image, 1), (Kind::Tts, 2)] {
        told.cancel(told.open(kind, shot));
    }
    let words = told.when(many(&[], Only::Missing));
    assert_eq!(words, ["TaskQueued image 1", "TaskQueued tts 2", "BatchPlanned of 4"]);
    told.finish_everything();
    assert_eq!(told.project.batches.len(), 0);
    assert_eq!(
        told.refused(many(&[], Only::Missing)),
        ProjectError::NothingToDo,
        "nothing is missing any more"
    );
    assert_eq!(told.refused(Command::RetryFailed), ProjectError::NothingToDo, "nothing failed");
}

#[test]
fn only_what_is_stale_is_made_again() {
    let mut told = Telling::complete(&["One.", "Two."], Settings::default());
    told.mark(1, prompt("A lighthouse"));
    told.mark(2, narration("Two and a half."));
    assert_eq!(told.when(many(&[Kind::Tts], Only::Stale)), ["TaskQueued tts 2", "BatchPlanned of 1"]);
    assert_eq!(
        told.when(many(&[], Only::Stale)),
        ["TaskQueued image 1", "BatchPlanned of 2"],
        "what is being made counts"
    );
}

#[test]
fn all_pictures_are_made_again_with_new_seeds() {
    let mut told = Telling::complete(&["One.", "Two."], Settings::default());
    told.when(many(&[Kind::Image], Only::All));
    let seeds: Vec<Option<u32>> = told.project.tasks.values().map(|task| task.parameters.seed).collect();
    assert!(seeds.len() == 2 && seeds[0].is_some() && seeds[0] != seeds[1], "{seeds:?}");
}

#[test]
fn clips_are_made_where_there_is_a_picture_or_one_comes_along() {
    let mut told = Telling::with_shots(&["One.", "Two."], Settings::default());
    told.finish(told.open(Kind::Image, 1));
    told.cancel(told.open(Kind::Image, 2));
    assert_eq!(told.when(many(&[Kind::Video], Only::Missing)), ["TaskQueued video 1", "BatchPlanned of 1"]);
    let words = told.when(many(&[Kind::Video, Kind::Image], Only::Missing));
    assert_eq!(words, ["TaskQueued image 2", "TaskPlanned video 2", "BatchPlanned of 3"]);
}

#[test]
fn locked_shots_are_left_out_unless_they_are_named() {
    let mut told = Telling::complete(&["One.", "Two."], Settings::default());
    told.edit(1, locked(true));
    assert_eq!(told.when(many(&[Kind::Image], Only::All)), ["TaskQueued image 2", "BatchPlanned of 1"]);
    let named = |shot| {
        Command::Generate(Generate {
            kinds: vec![Kind::Image],
            shots: Some(vec![shot]),
            only: Only::All,
            parameters: Parameters::default(),
        })
    };
    assert_eq!(told.refused(named(told.shot_id(1))), ProjectError::ShotLocked);
    let stranger = ShotId(uuid::Uuid::from_u128(404));
    assert_eq!(told.refused(named(stranger)), ProjectError::ShotNotFound);
    assert_eq!(told.refused(many(&[Kind::Film], Only::All)), ProjectError::NotAShotKind(Kind::Film));
}

#[test]
fn a_batch_of_which_a_child_failed_has_failed_and_what_failed_is_retried_at_once() {
    let mut told = Telling::with_shots(&["One.", "Two."], video_on());
    told.when(many(&[], Only::Missing));
    let picture = told.open(Kind::Image, 1);
    told.fail(picture);
    told.finish_everything();
    let last = told.events.last().map(|event| event.name().to_owned());
    assert_eq!(last.as_deref(), Some("TaskFailed"));
    let words = told.when(Command::RetryFailed);
    assert_eq!(words, ["TaskQueued image 1 (attempt 2)", "TaskPlanned video 1", "BatchPlanned of 2"]);
    let words = told.finish(picture);
    assert_eq!(words, ["TaskFinished image 1", "TaskQueued video 1 (attempt 2)"], "{words:?}");
    assert_eq!(told.finish(told.open(Kind::Video, 1)), ["TaskFinished video 1", "TaskFinished batch"]);
}

#[test]
fn a_child_that_is_tried_again_while_its_batch_goes_on_counts_again() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    told.when(many(&[], Only::Missing));
    let picture = told.open(Kind::Image, 1);
    told.fail(picture);
    told.retry(picture);
    told.finish(told.open(Kind::Tts, 1));
    assert_eq!(told.finish(picture), ["TaskFinished image 1", "TaskFinished batch"]);
}

#[test]
fn a_batch_that_is_cancelled_takes_its_open_children_along_and_is_not_retried() {
    let mut told = Telling::with_shots(&["One.", "Two."], Settings::default());
    told.finish(told.open(Kind::Image, 1));
    told.when(many(&[Kind::Image, Kind::Tts], Only::Missing));
    let batch = *told.project.batches.keys().next().unwrap();
    let words = told.cancel(batch);
    assert_eq!(words.len(), 4, "{words:?}");
    assert_eq!(words[0], "TaskCancelled batch: Requested");
    assert!(told.open_work().is_empty() && told.project.batches.is_empty());
    assert_eq!(told.refused(Command::RetryTask { task: batch }), ProjectError::TaskNotRetryable);
}

#[test]
fn everything_that_failed_is_retried_the_storyboard_with_all_that_waits_for_it() {
    let mut told = Telling::created(Some(1), Settings::default());
    told.when(render());
    let board = told.open(Kind::Storyboard, 0);
    told.fail(board);
    let words = told.when(Command::RetryFailed);
    assert_eq!(words[0], "TaskQueued storyboard (attempt 2)");
    assert_eq!(words.last().map(String::as_str), Some("BatchPlanned of 4"));
    told.finish_everything();
    assert!(told.project.film.is_some() && told.project.batches.is_empty());
}

#[test]
fn a_project_comes_back_out_of_the_trash_for_30_days() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let shots = told.project.shots.clone();
    let overdue = Command::PurgeProject { early: false };
    assert!(told.when(Command::UndeleteProject).is_empty());
    for early in [false, true] {
        assert_eq!(told.refused(Command::PurgeProject { early }), ProjectError::NotPurgeable);
    }
    told.when(Command::DeleteProject);
    assert_eq!(told.refused(overdue.clone()), ProjectError::NotPurgeable);
    assert_eq!(told.when(Command::UndeleteProject), ["ProjectUndeleted"]);
    assert_eq!((told.project.lifecycle, &told.project.shots), (Lifecycle::Active, &shots));
    told.when(Command::DeleteProject);
    let mut late = super::telling::envelope(9_000, Command::UndeleteProject);
    late.context.at = told.project.deleted_at.unwrap() + TimeDelta::days(limits::TRASH_DAYS);
    assert!(told.project.decide(&late).is_ok(), "the thirtieth day counts");
    late.context.at += TimeDelta::seconds(1);
    assert_eq!(told.project.decide(&late).unwrap_err(), ProjectError::TrashExpired);
    assert_eq!(told.refused(render()), ProjectError::Deleted);
    late.command = overdue;
    let purged = told.project.decide(&late).unwrap();
    assert_eq!(told.take_in(purged), ["ProjectPurged"]);
}

#[test]
fn a_project_in_the_trash_can_be_given_up_at_once_and_then_nothing_brings_it_back() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(Command::DeleteProject);
    assert_eq!(told.when(Command::PurgeProject { early: true }), ["ProjectPurged"]);
    for early in [false, true] {
        assert!(told.when(Command::PurgeProject { early }).is_empty());
    }
    for command in [Command::UndeleteProject, Command::DeleteProject, render()] {
        assert_eq!(told.refused(command), ProjectError::Purged);
    }
}

#[test]
fn a_batch_makes_everything_in_the_way_that_is_wanted() {
    let mut told = Telling::complete(&["One.", "Two."], Settings::default());
    let parameters = Parameters { voice: Some("amy".to_owned()), speed: Some(1.5), ..Parameters::default() };
    let wanted = |parameters: &Parameters| {
        let parameters = parameters.clone();
        Command::Generate(Generate { kinds: vec![Kind::Tts], shots: None, only: Only::All, parameters })
    };
    told.when(wanted(&Parameters::default()));
    told.when(wanted(&parameters));
    let open: Vec<_> = told.project.open_tasks().map(|(_, task)| task.parameters.clone()).collect();
    assert_eq!(open, [parameters.clone(), parameters.clone()], "the others gave place");
    let refused = told.refused(wanted(&Parameters { speed: Some(9.0), ..parameters }));
    assert!(matches!(refused, ProjectError::Invalid { field: "speed", .. }));
}
