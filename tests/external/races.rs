//! Reports at the wrong moment, or of the wrong work: none of them ends what it is not about.

use std::sync::atomic::Ordering::SeqCst;

use domain::ids::{ProjectId, TaskId};
use domain::job::Kind;
use domain::project::{Command, TaskState};
use domain::settings::Settings;
use futures::StreamExt;
use serde_json::json;
use uuid::Uuid;

use super::{Stand, System, content, signed, success};
use crate::harness::{LONG, picture};

/// A picture whose second attempt its node was told of, and the report that failed the first one.
async fn a_second_attempt() -> (System, Stand, ProjectId, TaskId, serde_json::Value) {
    let (system, stand) = (System::start().await, Stand::open().await);
    system.world.start_worker("all", stand.provider(&[Kind::Image]), &Kind::ALL);
    let (project, task) = system.a_picture().await;
    stand.told(1).await;
    let failure = signed(json!({ "task_id": task, "status": "FAILED", "err_msg": "out of memory" }));
    assert_eq!(system.report(&failure).await.status, 200);
    stand.told(2).await;
    (system, stand, project, task, failure)
}

#[tokio::test]
async fn a_failure_that_comes_again_before_it_was_noted_neither_counts_nor_stops_the_next_attempt() {
    let (system, stand, project, task, failure) = a_second_attempt().await;
    // As when the server was killed between recording the failure and noting the report.
    sqlx::query("DELETE FROM external_reports").execute(system.world.pool()).await.unwrap();
    let mut stopped = system.world.shared.bus.cancellations().await.unwrap();
    let before = system.world.state(project).await;
    assert_eq!(system.report(&failure).await.status, 200);
    let after = system.world.state(project).await;
    assert_eq!((&after.tasks[&task], after.tasks[&task].attempt), (&before.tasks[&task], 2));
    let another = TaskId(Uuid::new_v4());
    system.world.shared.bus.publish_cancel(project, another).await.unwrap();
    let first = tokio::time::timeout(LONG, stopped.next()).await.unwrap();
    assert_eq!(first, Some(another), "nobody was stopped before");
    let url = stand.shows("a.png", content("image/png", picture(11)));
    assert_eq!(system.report(&success(task, &url)).await.body["status"], "SUCCESS");
    system.settled(project).await;
    system.world.finish().await;
}

#[tokio::test]
async fn what_was_made_before_a_task_was_stopped_does_not_end_it_once_it_is_tried_again() {
    let (system, stand, project, task, _) = a_second_attempt().await;
    system.world.execute(project, Command::CancelTask { task }).await;
    system.world.execute(project, Command::RetryTask { task }).await;
    let attempt = stand.told(3).await[2]["attempt"].clone();
    let url = stand.shows("a.png", content("image/png", picture(12)));
    let of = |attempt: &serde_json::Value| {
        let result = json!({ "image_url": url });
        signed(json!({ "task_id": task, "attempt": attempt, "status": "SUCCESS", "result": result }))
    };
    let late = system.report(&of(&json!(2))).await;
    assert_eq!(late.status, 200, "{}", late.body);
    assert!(system.world.state(project).await.tasks[&task].is_open(), "{}", late.body);
    assert_eq!(system.report(&of(&attempt)).await.body["status"], "SUCCESS");
    system.settled(project).await;
    system.world.finish().await;
}

#[tokio::test]
async fn a_report_ends_no_storyboard() {
    let system = System::start().await;
    let project = system.world.a_film_of(1, Settings::default()).await;
    system.world.begin_and_vanish(project).await;
    let state = system.world.state(project).await;
    let running = |task: &domain::project::Task| matches!(task.state, TaskState::Processing { .. });
    let (task, _) = state.open_tasks().find(|(_, task)| running(task)).unwrap();
    let failure = signed(json!({ "task_id": task, "status": "FAILED", "err_msg": "x" }));
    system.assert_refused(project, &[(failure, 400, "not made elsewhere")]).await;
    system.world.start_worker("all", worker::providers::bench::Sleeping::default(), &Kind::ALL);
    system.settled(project).await;
    system.world.finish().await;
}

#[tokio::test]
async fn a_node_that_has_no_time_is_asked_again_within_the_same_attempt() {
    let (system, stand) = (System::start().await, Stand::open().await);
    stand.shelf.busy.store(1, SeqCst);
    system.world.start_worker("all", stand.provider(&[Kind::Image]), &Kind::ALL);
    let (project, task) = system.a_picture().await;
    let order = stand.told(1).await.remove(0);
    assert_eq!((stand.shelf.busy.load(SeqCst), &order["attempt"]), (0, &json!(1)));
    let url = stand.shows("a.png", content("image/png", picture(13)));
    assert_eq!(system.report(&success(task, &url)).await.body["status"], "SUCCESS");
    system.settled(project).await;
    system.world.finish().await;
}
