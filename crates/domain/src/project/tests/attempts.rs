//! Runs, attempts, claims and cancelling: what a worker's report may and may not do.

use chrono::TimeDelta;

use super::telling::{Telling, claim, envelope, failing, starting, unknown_task};
use crate::ids::{ClaimId, TaskId};
use crate::job::{Failure, Kind, MadeWith};
use crate::project::{Command, Event, MAX_ATTEMPTS, MAX_LOST_RUNS, ProjectError, TaskState};
use crate::settings::Settings;

fn one_shot() -> (Telling, TaskId) {
    let told = Telling::with_shots(&["One."], Settings::default());
    let picture = told.open(Kind::Image, 1);
    (told, picture)
}

fn deferring(told: &Telling, task: TaskId, claim: ClaimId) -> Command {
    let until = super::telling::start_of_time() + TimeDelta::hours(1);
    assert!(told.project.tasks.contains_key(&task));
    Command::RecordTaskDeferred { task, claim, until, reason: "throttled".to_owned() }
}

#[test]
fn a_task_fails_for_good_after_four_attempts() {
    let (mut told, picture) = one_shot();
    for attempt in 1..MAX_ATTEMPTS {
        told.start(picture, claim(attempt.into()));
        let words = told.when(failing(picture, Some(claim(attempt.into())), true));
        assert_eq!(words, [format!("TaskRetryScheduled image 1 (attempt {})", attempt + 1)]);
    }
    told.start(picture, claim(4));
    assert_eq!(told.when(failing(picture, Some(claim(4)), true)), ["TaskFailed image 1"]);
    assert_eq!(MAX_ATTEMPTS, 4);
}

#[test]
fn a_failure_that_nothing_mends_fails_at_once() {
    let (mut told, picture) = one_shot();
    told.start(picture, claim(1));
    assert_eq!(told.when(failing(picture, Some(claim(1)), false)), ["TaskFailed image 1"]);
    assert_eq!(told.project.tasks[&picture].state, TaskState::Failed);
}

/// The back-off in milliseconds after an attempt failed, for many commands.
fn back_offs(failed_attempt: u32) -> Vec<i64> {
    let (mut told, picture) = one_shot();
    for attempt in 1..failed_attempt {
        told.start(picture, claim(attempt.into()));
        told.when(failing(picture, Some(claim(attempt.into())), true));
    }
    told.start(picture, claim(9));
    let delay = |number| {
        let command = envelope(number, failing(picture, Some(claim(9)), true));
        match told.project.decide(&command).unwrap().as_slice() {
            [Event::TaskRetryScheduled(retry)] => (retry.due - command.context.at).num_milliseconds(),
            other => panic!("{other:?}"),
        }
    };
    (1_000..1_200).map(delay).collect()
}

#[test]
fn back_off_doubles_with_each_attempt_and_jitters_within_a_quarter() {
    for (attempt, seconds) in [(1, 1), (2, 2), (3, 4)] {
        let mut delays = back_offs(attempt);
        let base = seconds * 1_000;
        assert!(delays.iter().all(|delay| (base * 3 / 4..=base * 5 / 4).contains(delay)), "{delays:?}");
        delays.sort_unstable();
        delays.dedup();
        assert!(delays.len() > 30, "jitter spreads: {} values", delays.len());
    }
}

#[test]
fn a_late_failure_of_another_claim_is_ignored() {
    let (mut told, picture) = one_shot();
    told.start(picture, claim(1));
    told.start(picture, claim(2));
    assert!(told.when(failing(picture, Some(claim(1)), false)).is_empty());
    assert!(matches!(told.project.tasks[&picture].state, TaskState::Processing { .. }));
}

#[test]
fn a_failure_that_arrives_twice_uses_one_attempt() {
    let (mut told, picture) = one_shot();
    told.start(picture, claim(1));
    told.when(failing(picture, Some(claim(1)), true));
    assert!(told.when(failing(picture, Some(claim(1)), true)).is_empty());
    assert_eq!(told.project.tasks[&picture].attempt, 2);
}

#[test]
fn a_late_success_is_accepted_while_the_task_is_open() {
    let (mut told, picture) = one_shot();
    told.start(picture, claim(1));
    told.when(failing(picture, Some(claim(1)), true));
    assert_eq!(told.finish(picture), ["TaskFinished image 1"]);
}

#[test]
fn a_success_from_before_the_task_was_queued_again_is_ignored() {
    let (mut told, picture) = one_shot();
    let made = told.output(Kind::Image);
    told.start(picture, claim(1));
    told.when(Command::CancelTask { task: picture });
    told.when(Command::RetryTask { task: picture });
    let made_with = MadeWith::default();
    let late = |attempt| Command::RecordTaskFinished {
        task: picture,
        attempt,
        output: made.clone(),
        made_with: made_with.clone(),
    };
    assert!(told.when(late(1)).is_empty());
    assert_eq!(told.when(late(2)), ["TaskFinished image 1"]);
}

#[test]
fn a_reported_failure_is_cut_to_what_an_event_can_bear() {
    let failure = Failure::retry("code", "x".repeat(100_000));
    assert_eq!(failure.bounded().message.len(), 2_000);
}

#[test]
fn a_reported_price_is_one_and_a_reason_is_short() {
    let told =
        |cost| MadeWith { cost: Some(cost), degraded: Some("x".repeat(100_000)), ..MadeWith::default() };
    assert_eq!(told(0.25).bounded().cost, Some(0.25));
    for cost in [-1.0, 1.1e9, f64::NAN, f64::INFINITY] {
        assert_eq!(told(cost).bounded().cost, None, "{cost}");
    }
    assert_eq!(told(0.0).bounded().degraded.map(|reason| reason.len()), Some(500));
}

#[test]
fn what_a_worker_says_is_kept_without_what_no_table_can_hold() {
    let (mut told, picture) = one_shot();
    told.start(picture, claim(1));
    let failure = Failure::fail("co\0de", "one\0 two\u{1b}[2J\nthree");
    told.when(Command::RecordTaskFailed { task: picture, claim: Some(claim(1)), failure });
    let Some(Event::TaskFailed(failed)) = told.events.last() else { panic!("{:?}", told.events.last()) };
    assert_eq!((&*failed.failure.code, &*failed.failure.message), ("code", "one two[2J\nthree"));
}

#[test]
fn a_worker_cannot_put_a_task_off_for_longer_than_an_hour() {
    let (mut told, picture) = one_shot();
    told.start(picture, claim(1));
    let until = super::telling::start_of_time() + TimeDelta::days(3_650);
    let reason = "throttled".to_owned();
    told.when(Command::RecordTaskDeferred { task: picture, claim: claim(1), until, reason });
    let Some(Event::TaskDeferred(deferred)) = told.events.last() else { panic!("{:?}", told.events.last()) };
    assert!(deferred.due < until - TimeDelta::days(3_649), "{}", deferred.due);
}

#[test]
fn a_picture_under_the_key_of_another_kind_is_a_failure_of_its_attempt() {
    let (mut told, picture) = one_shot();
    let command = Command::RecordTaskFinished {
        task: picture,
        attempt: 1,
        output: told.output(Kind::Tts),
        made_with: MadeWith::default(),
    };
    told.when(command);
    let Some(Event::TaskRetryScheduled(retry)) = told.events.last() else {
        panic!("{:?}", told.events.last())
    };
    assert_eq!(retry.failure.code, "invalid_output");
}

#[test]
fn a_success_after_failing_for_good_is_ignored() {
    let (mut told, picture) = one_shot();
    told.fail(picture);
    assert!(told.finish(picture).is_empty());
}

#[test]
fn a_blocked_task_cannot_be_started_failed_or_finished() {
    let mut told = Telling::created(Some(1), Settings::default());
    let picture = told.planned(Kind::Image, 1);
    assert_eq!(told.refused(starting(picture, 1, claim(1))), ProjectError::TaskNotOpen);
    assert!(told.fail(picture).is_empty());
    assert!(told.finish(picture).is_empty());
}

#[test]
fn a_job_that_nobody_could_handle_fails_without_a_claim() {
    let (mut told, picture) = one_shot();
    assert_eq!(told.fail(picture), ["TaskFailed image 1"]);
    let (mut running, picture) = one_shot();
    running.start(picture, claim(1));
    assert_eq!(running.fail(picture), ["TaskFailed image 1"]);
    assert!(running.fail(picture).is_empty());
}

#[test]
fn a_new_claim_of_a_running_task_keeps_the_attempt() {
    let (mut told, picture) = one_shot();
    assert_eq!(told.start(picture, claim(1)), ["TaskStarted image 1"]);
    assert!(told.start(picture, claim(1)).is_empty(), "the same claim asked twice");
    assert_eq!(told.start(picture, claim(2)), ["TaskStarted image 1"]);
    assert_eq!(told.project.tasks[&picture].attempt, 1);
}

#[test]
fn a_task_that_loses_one_worker_after_the_other_fails() {
    let (mut told, picture) = one_shot();
    for run in 1..=MAX_LOST_RUNS {
        assert_eq!(told.start(picture, claim(run.into())), ["TaskStarted image 1"]);
    }
    assert_eq!(told.start(picture, claim(99)), ["TaskFailed image 1"]);
}

#[test]
fn a_worker_that_gives_a_task_back_has_not_lost_it() {
    let (mut told, picture) = one_shot();
    for run in 1..=2 * MAX_LOST_RUNS {
        assert_eq!(told.start(picture, claim(run.into())), ["TaskStarted image 1"]);
        let defer = deferring(&told, picture, claim(run.into()));
        told.when(defer);
    }
}

#[test]
fn a_job_of_an_earlier_attempt_is_stopped() {
    let (mut told, picture) = one_shot();
    told.start(picture, claim(1));
    told.when(failing(picture, Some(claim(1)), true));
    assert_eq!(told.refused(starting(picture, 1, claim(2))), ProjectError::AttemptSuperseded);
    assert_eq!(told.when(starting(picture, 2, claim(2))), ["TaskStarted image 1"]);
}

#[test]
fn a_job_of_an_ended_or_unknown_task_is_stopped() {
    let (mut told, picture) = one_shot();
    told.cancel(picture);
    assert_eq!(told.refused(starting(picture, 1, claim(1))), ProjectError::TaskNotOpen);
    assert_eq!(told.refused(starting(unknown_task(), 1, claim(1))), ProjectError::TaskNotOpen);
}

#[test]
fn a_deferred_task_keeps_its_attempt() {
    let (mut told, picture) = one_shot();
    told.start(picture, claim(1));
    let defer = deferring(&told, picture, claim(1));
    assert_eq!(told.when(defer.clone()), ["TaskDeferred image 1"]);
    assert!(told.when(defer).is_empty());
    let task = &told.project.tasks[&picture];
    assert_eq!((task.attempt, &task.state), (1, &TaskState::Pending));
    assert_eq!(told.start(picture, claim(2)), ["TaskStarted image 1"]);
}

#[test]
fn only_the_present_run_can_defer() {
    let (mut told, picture) = one_shot();
    told.start(picture, claim(1));
    told.start(picture, claim(2));
    let defer = deferring(&told, picture, claim(1));
    assert!(told.when(defer).is_empty());
}

#[test]
fn cancelling_stops_queued_and_running_work() {
    let (mut told, picture) = one_shot();
    assert_eq!(told.cancel(picture), ["TaskCancelled image 1: Requested"]);
    assert!(told.cancel(picture).is_empty(), "cancelling twice is cancelling once");
    let voice = told.open(Kind::Tts, 1);
    told.start(voice, claim(1));
    assert_eq!(told.cancel(voice), ["TaskCancelled tts 1: Requested"]);
    assert!(told.finish(voice).is_empty(), "a cancelled task ignores its late result");
}

#[test]
fn what_has_ended_cannot_be_cancelled() {
    let (mut told, picture) = one_shot();
    told.fail(picture);
    assert_eq!(told.refused(Command::CancelTask { task: picture }), ProjectError::TaskNotOpen);
    let voice = told.open(Kind::Tts, 1);
    told.finish(voice);
    assert_eq!(told.refused(Command::CancelTask { task: voice }), ProjectError::TaskNotOpen);
    assert_eq!(told.refused(Command::CancelTask { task: unknown_task() }), ProjectError::TaskNotOpen);
}
