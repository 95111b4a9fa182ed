//! What follows from a failure, a cancelled task, a retry, and a project thrown away.

use super::telling::{Telling, auto_render, claim, failing, finishing, prompt, render, starting, video_on};
use crate::job::Kind;
use crate::project::{Command, Lifecycle, ProjectError};
use crate::settings::Settings;

#[test]
fn a_storyboard_that_fails_cancels_all_that_waits_for_it() {
    let mut told = Telling::created(Some(2), Settings::default());
    let words = told.fail(told.open(Kind::Storyboard, 0));
    assert_eq!(words[0], "TaskFailed storyboard");
    assert_eq!(words.iter().filter(|word| word.ends_with(": DependencyFailed")).count(), 4);
    assert!(told.open_work().is_empty());
}

#[test]
fn retrying_the_storyboard_brings_back_what_waited_for_it() {
    let mut told = Telling::created(Some(1), Settings::default());
    let storyboard = told.open(Kind::Storyboard, 0);
    let before = told.open_work();
    told.fail(storyboard);
    let words = told.retry(storyboard);
    assert_eq!(words[0], "TaskQueued storyboard (attempt 2)");
    assert_eq!(told.open_work(), before);
    told.finish_everything();
    assert_eq!(told.project.shots.len(), 3);
    assert!(told.project.shots.iter().all(|shot| told.project.is_complete(shot)));
}

#[test]
fn cancelling_the_storyboard_cancels_all_that_waits_for_it() {
    let mut told = Telling::created(Some(1), Settings::default());
    told.when(render());
    told.cancel(told.open(Kind::Storyboard, 0));
    assert!(told.open_work().is_empty());
}

#[test]
fn a_picture_that_fails_cancels_its_clip_and_its_retry_brings_it_back() {
    let mut told = Telling::with_shots(&["One.", "Two."], video_on());
    let picture = told.open(Kind::Image, 1);
    assert_eq!(told.fail(picture), ["TaskFailed image 1", "TaskCancelled video 1: DependencyFailed"]);
    assert_eq!(told.retry(picture), ["TaskQueued image 1 (attempt 2)", "TaskPlanned video 1"]);
    told.finish_everything();
    assert!(told.shot(1).video.is_some());
}

#[test]
fn a_clip_that_somebody_cancelled_is_not_brought_back() {
    let mut told = Telling::with_shots(&["One."], video_on());
    told.cancel(told.open(Kind::Video, 1));
    let picture = told.open(Kind::Image, 1);
    told.fail(picture);
    assert_eq!(told.retry(picture), ["TaskQueued image 1 (attempt 2)"]);
}

#[test]
fn what_waits_for_a_failed_task_is_not_retried_alone() {
    let mut told = Telling::with_shots(&["One."], video_on());
    let clip = told.open(Kind::Video, 1);
    told.fail(told.open(Kind::Image, 1));
    assert_eq!(told.refused(Command::RetryTask { task: clip }), ProjectError::DependencyFailed);
}

#[test]
fn a_cancelled_clip_that_is_retried_waits_for_its_picture_again() {
    let mut told = Telling::with_shots(&["One."], video_on());
    let clip = told.open(Kind::Video, 1);
    told.cancel(clip);
    assert_eq!(told.retry(clip), ["TaskPlanned video 1"]);
    told.finish_everything();
    assert!(told.shot(1).video.is_some());
}

#[test]
fn a_retried_task_has_four_more_attempts() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let picture = told.open(Kind::Image, 1);
    told.fail(picture);
    told.retry(picture);
    for attempt in 2..=5_u32 {
        told.when(starting(picture, attempt, claim(attempt.into())));
        let words = told.when(failing(picture, Some(claim(attempt.into())), true));
        assert_eq!(words[0].starts_with("TaskFailed"), attempt == 5, "{words:?}");
    }
}

#[test]
fn only_what_has_ended_can_be_retried() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let picture = told.open(Kind::Image, 1);
    assert_eq!(told.refused(Command::RetryTask { task: picture }), ProjectError::TaskNotRetryable);
    told.finish(picture);
    assert_eq!(told.refused(Command::RetryTask { task: picture }), ProjectError::TaskNotRetryable);
}

#[test]
fn only_the_newest_ended_task_of_a_kind_and_shot_can_be_retried() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let old = told.open(Kind::Image, 1);
    told.fail(old);
    told.when(told.generating(1, Kind::Image));
    assert_eq!(told.refused(Command::RetryTask { task: old }), ProjectError::TaskNotRetryable);
}

#[test]
fn a_retry_makes_what_todays_content_asks_for() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let picture = told.open(Kind::Image, 1);
    told.fail(picture);
    told.mark(1, prompt("A lighthouse"));
    told.retry(picture);
    told.finish(picture);
    assert!(told.stale().is_empty());
}

#[test]
fn a_story_revised_while_its_storyboard_is_made_makes_another() {
    let mut told = Telling::created(Some(1), Settings::default());
    let story = crate::project::ProjectPatch {
        story: Some("Another one.".to_owned()),
        ..crate::project::ProjectPatch::default()
    };
    let words = told.when(Command::ReviseProject(story));
    assert_eq!(words[..3], ["StoryRevised", "TaskCancelled storyboard: Superseded", "TaskQueued storyboard"]);
    assert_eq!(told.open_work().len(), 3);
    told.finish_everything();
    assert!(!told.project.storyboard_is_stale());
}

#[test]
fn deleting_a_project_cancels_everything() {
    let mut told = Telling::created(Some(1), Settings::default());
    told.when(render());
    let words = told.when(Command::DeleteProject);
    assert_eq!(words.iter().filter(|word| word.ends_with(": ProjectDeleted")).count(), 4);
    assert_eq!(words.last().map(String::as_str), Some("ProjectDeleted"));
    assert!(told.open_work().is_empty());
    assert_eq!(told.project.lifecycle, Lifecycle::Deleted);
}

#[test]
fn deleting_a_project_that_renders_by_itself_queues_no_film() {
    let mut told = Telling::with_shots(&["One."], auto_render());
    told.finish(told.open(Kind::Tts, 1));
    told.finish(told.open(Kind::Image, 1));
    told.when(told.generating(1, Kind::Image));
    told.when(Command::DeleteProject);
    assert!(told.open_work().is_empty(), "{:?}", told.open_work());
}

#[test]
fn results_for_a_deleted_project_change_nothing_and_its_jobs_are_stopped() {
    let mut told = Telling::with_shots(&["One."], Settings::default());
    let (picture, voice) = (told.open(Kind::Image, 1), told.open(Kind::Tts, 1));
    told.start(picture, claim(1));
    told.when(Command::DeleteProject);
    let output = told.output(Kind::Image);
    assert!(told.when(finishing(picture, output)).is_empty());
    assert!(told.when(failing(picture, Some(claim(1)), true)).is_empty());
    assert!(told.when(failing(voice, None, false)).is_empty());
    assert_eq!(told.refused(starting(voice, 1, claim(2))), ProjectError::TaskNotOpen);
}

#[test]
fn a_deleted_project_is_deleted_once_and_cannot_be_changed() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(Command::DeleteProject);
    assert!(told.when(Command::DeleteProject).is_empty());
    let edit = told.editing(1, prompt("A lighthouse"), true);
    for command in [edit, told.generating(1, Kind::Image), render()] {
        assert_eq!(told.refused(command), ProjectError::Deleted);
    }
}

#[test]
fn a_retried_clip_waits_for_a_picture_in_the_making() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(told.generating(1, Kind::Video));
    let clip = told.open(Kind::Video, 1);
    told.cancel(clip);
    told.edit(1, prompt("A lighthouse"));
    assert_eq!(told.retry(clip), ["TaskPlanned video 1"]);
    let words = told.finish(told.open(Kind::Image, 1));
    assert_eq!(words, ["TaskFinished image 1", "TaskQueued video 1 (attempt 2)"]);
}
