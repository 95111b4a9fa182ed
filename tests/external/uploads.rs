//! Results that nodes bring themselves, to the address that came with their order.

use axum::body::Body;
use domain::ids::TaskId;
use domain::job::Kind;
use domain::project::Command;
use domain::upload_pass::UploadPass;
use futures::stream;
use infra::runtime::Clock;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

use super::{Stand, System, a_picture_alone, shared};
use crate::harness::{Answer, picture};

/// Where a result may be brought, as this test's server knows it.
pub(super) fn address(order: &Value) -> &str {
    order["upload_url"].as_str().unwrap().strip_prefix("http://localhost").unwrap()
}

fn address_of(task: TaskId, attempt: u32, issued_ago: Duration) -> String {
    let pass = UploadPass::new(task, attempt, &shared(), Clock::System.now() - issued_ago);
    format!("/api/webhook/task_upload/{task}?{}", pass.to_query())
}

impl System {
    pub(super) async fn bring(&self, address: &str, body: impl Into<Body>) -> Answer {
        self.http.send("PUT", address, &[], body.into()).await
    }
}

#[tokio::test]
async fn what_a_node_brings_is_the_shots_picture_and_needs_no_report() {
    let (system, stand) = (System::start().await, Stand::open().await);
    system.world.start_worker("all", stand.provider(&[Kind::Image]), &Kind::ALL);
    let (project, task) = system.a_picture().await;
    let order = stand.told(1).await.remove(0);
    let answer = system.bring(address(&order), picture(21)).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body),
        (200, &json!({ "task_id": task, "status": "SUCCESS" }))
    );
    let shots = system.http.ask("GET", &format!("/v1/projects/{project}/shots"), &[], None).await.body;
    let shown = shots["items"][0]["image"]["url"].as_str().unwrap();
    assert_eq!(system.http.bytes(shown.strip_prefix("http://localhost").unwrap()).await, picture(21));
    system.settled(project).await;
    let version = system.version(project).await;
    let again = system.bring(address(&order), picture(22)).await;
    assert_eq!((again.status.as_u16(), system.version(project).await), (200, version), "once is enough");
    system.world.finish().await;
}

#[tokio::test]
async fn what_is_brought_without_a_pass_or_is_not_what_it_must_be_is_not_stored() {
    let (system, _stand, project, task) = a_picture_alone().await;
    let version = system.version(project).await;
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let good = address_of(task, 1, hours(0));
    let endless = || Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 1 << 20])));
    let broken = || {
        let pieces = [Ok(picture(23)), Err(std::io::Error::other("the line went dead"))];
        Body::from_stream(stream::iter(pieces))
    };
    let unknown = address_of(TaskId(Uuid::new_v4()), 1, hours(0));
    for (address, body, code, words) in [
        (good.replace("attempt=1", "attempt=2"), picture(23).into(), 401, "signature"),
        (good.split('?').next().unwrap().to_owned(), picture(23).into(), 400, "attempt"),
        (address_of(task, 1, hours(1)), picture(23).into(), 401, "an hour"),
        (unknown, picture(23).into(), 404, "no such task"),
        (good.clone(), Body::empty(), 400, "nothing"),
        (good.clone(), Body::from("<html></html>"), 400, "PNG"),
        (good.clone(), picture(23)[..60].to_vec().into(), 400, "damaged"),
        (good.clone(), broken(), 400, "too early"),
        (good.clone(), endless(), 413, "50 MiB"),
    ] {
        let answer = system.bring(&address, body).await;
        assert_eq!(answer.status.as_u16(), code, "{address}: {}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(words), "{address}: {}", answer.body);
        assert_eq!(system.version(project).await, version, "{address}");
    }
    let declared = [("content-length", "99999999999")];
    assert_eq!(
        system
            .http
            .send(
                "PUT",
                &good,
                &declared,
                Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>())
            )
            .await
            .status,
        413
    );
    system.assert_nothing_left();
    assert_eq!(system.bring(&good, picture(23)).await.body["status"], "SUCCESS", "a good one after all that");
    system.settled(project).await;
    system.world.finish().await;
}

#[tokio::test]
async fn what_is_brought_for_an_attempt_before_somebody_stopped_the_task_has_no_effect() {
    let (system, stand, project, task) = a_picture_alone().await;
    system.world.execute(project, Command::CancelTask { task }).await;
    let early = address_of(task, 1, Duration::ZERO);
    assert_eq!(system.bring(&early, picture(24)).await.status, 200);
    system.world.execute(project, Command::RetryTask { task }).await;
    let order = stand.told(2).await.remove(1);
    assert_eq!(system.bring(&early, picture(24)).await.status, 200);
    assert!(system.world.state(project).await.tasks[&task].is_open());
    assert_eq!(system.bring(address(&order), picture(24)).await.body["status"], "SUCCESS");
    system.settled(project).await;
    system.world.finish().await;
}
