//! What projects cost by HTTP, what their budgets hold back, and how long they are said to take.

use std::sync::Arc;

use axum::http::StatusCode;
use domain::job::{Failure, Kind, MadeWith, Spec};
use domain::settings::Settings;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use worker::providers::bench::Sleeping;
use worker::providers::{JobContext, Made, Provider};

use crate::harness::{Answer, Http, LONG, World, until};

/// Pictures have a price, and are made one for each permit; the rest is free.
#[derive(Debug, Clone)]
struct Priced {
    permits: Arc<Semaphore>,
}

impl Provider for Priced {
    async fn run(&self, spec: &Spec, context: &JobContext) -> Result<Made, Failure> {
        let made = Sleeping::default().run(spec, context).await?;
        if spec.kind() != Kind::Image {
            return Ok(made);
        }
        self.permits.acquire().await.map_err(|error| Failure::fail("closed", error))?.forget();
        let made_with =
            MadeWith { cost: Some(0.25), degraded: Some("fewer steps".to_owned()), ..made.made_with };
        Ok(Made { made_with, ..made })
    }
}

/// A project of three shots with this budget, and what lets its pictures be made.
async fn a_project(budget: f64) -> (World, Http, String, Arc<Semaphore>) {
    let world = World::with_engine().await;
    let permits = Arc::new(Semaphore::new(0));
    world.start_worker("all", Priced { permits: permits.clone() }, &Kind::ALL);
    let http = Http::of(&world);
    let project = world.a_film_of(3, Settings { budget: Some(budget), ..Settings::default() }).await;
    (world, http, format!("/v1/projects/{project}"), permits)
}

/// The project once it is as it should be.
async fn once(http: &Http, path: &str, what: impl Fn(&Value) -> bool) -> Value {
    until(path, LONG, async || {
        let Answer { body, .. } = http.ask("GET", path, &[], None).await;
        if what(&body) { Ok(body) } else { Err(body.to_string()) }
    })
    .await
}

#[tokio::test]
async fn a_project_stops_at_its_budget_and_goes_on_when_that_is_raised() {
    let (world, http, path, permits) = a_project(0.6).await;
    permits.add_permits(100);
    let project = once(&http, &path, |project| project["status"] == "failed").await;
    assert_eq!(project["cost"], 0.5, "two pictures of three");
    let listed = http.ask("GET", "/v1/projects", &[], None).await.body;
    assert_eq!(listed["items"][0]["cost"], 0.5);
    let before = http.ask("GET", &format!("{path}?atVersion=1"), &[], None).await.body;
    assert_eq!(before["cost"], 0.0);
    let tasks = http.ask("GET", &format!("{path}/tasks"), &[], None).await.body;
    let failed = tasks["items"].as_array().unwrap().iter().find(|task| task["status"] == "failed").unwrap();
    assert_eq!(failed["error"]["code"], "budget_spent", "{failed}");
    let patch = json!({ "settings": { "budget": 0.75 } });
    let patched = http.ask("PATCH", &path, &[], Some(patch)).await;
    assert_eq!(patched.status, StatusCode::OK, "{}", patched.body);
    let retried = http.ask("POST", &format!("{path}/retry"), &[], None).await;
    assert_eq!(retried.status, StatusCode::ACCEPTED, "{}", retried.body);
    let project = once(&http, &path, |project| project["status"] == "ready").await;
    assert_eq!(project["cost"], 0.75);
    let shot = project["shots"][0]["id"].as_str().unwrap();
    let takes = http.ask("GET", &format!("{path}/shots/{shot}/takes"), &[], None).await.body;
    let picture = takes["items"].as_array().unwrap().iter().find(|take| take["kind"] == "image").unwrap();
    assert_eq!((&picture["cost"], &picture["degraded"]), (&json!(0.25), &json!("fewer steps")));
    world.finish().await;
}

#[tokio::test]
async fn a_fork_and_a_picture_that_is_there_already_cost_nothing() {
    let (world, http, path, permits) = a_project(1.0).await;
    permits.add_permits(100);
    let project = once(&http, &path, |project| project["status"] == "ready").await;
    let fork = http
        .ask("POST", &format!("{path}/fork"), &[], Some(json!({ "version": project["version"] })))
        .await
        .body;
    assert_eq!(fork["cost"], 0.0, "{fork}");
    let shot = project["shots"][0]["id"].as_str().unwrap();
    for _ in 0..2 {
        let picture = Some(json!({ "seed": 7 }));
        let asked = http.ask("POST", &format!("{path}/shots/{shot}/image"), &[], picture).await;
        assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
        let task = format!("/v1/tasks/{}", asked.body["id"].as_str().unwrap());
        once(&http, &task, |task| task["status"] == "finished").await;
    }
    once(&http, &path, |project| project["cost"] == 1.0).await;
    world.finish().await;
}

#[tokio::test]
async fn the_time_that_is_left_is_told_once_such_work_was_done() {
    let (world, http, path, permits) = a_project(100.0).await;
    let waiting = |project: &Value| project["progress"]["stage"] == "image";
    let project = once(&http, &path, waiting).await;
    assert_eq!(project["progress"]["etaSeconds"], Value::Null, "nobody knows yet how long pictures take");
    permits.add_permits(3);
    let project = once(&http, &path, |project| project["status"] == "ready").await;
    assert_eq!(project["progress"]["etaSeconds"], Value::Null, "nothing is left to do");
    let again = http
        .ask("POST", &format!("{path}/generate"), &[], Some(json!({ "only": "all", "kinds": ["image"] })))
        .await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{}", again.body);
    let left = once(&http, &path, |project| project["progress"]["etaSeconds"].is_number()).await;
    assert!(left["progress"]["etaSeconds"].as_f64().unwrap() > 0.0);
    permits.add_permits(3);
    world.finish().await;
}
