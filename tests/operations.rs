//! What operators see and do: queues that are paused, workers that are drained, dead letters that are replayed.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::ProjectId;
use domain::job::Kind;
use domain::settings::Settings;
use infra::runtime::CancellationToken;
use serde_json::{Value, json};
use worker::providers::bench::Sleeping;

use crate::harness::{Hand, Http, LONG, World, answer_of, until};

async fn queue(world: &World, kind: &str) -> Value {
    let queues = answer_of(world, "GET", "/v1/queues", 200, None).await;
    let queues = queues["items"].as_array().unwrap().clone();
    queues.into_iter().find(|queue| queue["kind"] == kind).unwrap()
}

async fn until_queue(world: &World, kind: &str, (depth, in_flight): (u64, u64)) -> Value {
    until("the queue is like that", LONG, async || {
        let queue = queue(world, kind).await;
        let like_that = queue["depth"] == depth && queue["inFlight"] == in_flight;
        if like_that { Ok(queue) } else { Err(queue.to_string()) }
    })
    .await
}

/// The workers, once an engine leads.
async fn workers(world: &World) -> Result<Value, String> {
    let answer = Http::of(world).ask("GET", "/v1/workers", &[], None).await;
    if answer.status == 200 { Ok(answer.body) } else { Err(answer.body.to_string()) }
}

#[tokio::test]
async fn a_kind_that_is_paused_waits_and_everything_else_goes_on() {
    let world = World::with_engine().await;
    let paused = answer_of(&world, "POST", "/v1/queues/image/pause", 200, None).await;
    assert_eq!(paused["paused"], true);
    answer_of(&world, "POST", "/v1/queues/image/pause", 200, None).await;
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    world.a_film_of(3, Settings::default()).await;
    let waiting = until_queue(&world, "image", (3, 0)).await;
    assert!(waiting["oldestSeconds"].as_f64().unwrap() >= 0.0);
    until_queue(&world, "tts", (0, 0)).await;
    assert_eq!(queue(&world, "image").await["depth"], 3);
    assert!(world.shared.bus.queued_tasks().await.unwrap().is_empty(), "nothing was sent");
    let resumed = answer_of(&world, "POST", "/v1/queues/image/resume", 200, None).await;
    assert_eq!(resumed["paused"], false);
    until_queue(&world, "image", (0, 0)).await;
    answer_of(&world, "POST", "/v1/queues/nothing/pause", 404, None).await;
    world.finish().await;
}

#[tokio::test]
async fn a_drained_worker_finishes_what_it_runs_and_another_does_the_rest() {
    let world = World::with_engine().await;
    let slow = Sleeping { durations: [(Kind::Image, Duration::from_millis(1_500))].into() };
    world.start_worker("old", slow, &Kind::ALL);
    world.a_film_of(4, Settings::default()).await;
    let running = until("it runs a picture", LONG, async || {
        let workers = workers(&world).await?;
        let running = workers["items"][0]["running"].as_array().cloned().unwrap_or_default();
        let picture = queue(&world, "image").await["inFlight"] == 1 && !running.is_empty();
        if picture { Ok(workers) } else { Err(workers.to_string()) }
    })
    .await;
    assert_eq!(
        (&running["items"][0]["name"], &running["items"][0]["draining"]),
        (&json!("old"), &json!(false))
    );
    answer_of(&world, "POST", "/v1/workers/old/drain", 202, None).await;
    answer_of(&world, "POST", "/v1/workers/nobody/drain", 404, None).await;
    until("it has finished and takes no more", LONG, async || {
        let workers = answer_of(&world, "GET", "/v1/workers", 200, None).await;
        let worker = &workers["items"][0];
        let done = worker["draining"] == true && worker["running"] == json!([]);
        let left = queue(&world, "image").await;
        if done && left["inFlight"] == 0 && left["depth"] != 0 {
            Ok(())
        } else {
            Err(format!("{workers} {left}"))
        }
    })
    .await;
    world.start_worker("new", Sleeping::default(), &Kind::ALL);
    until_queue(&world, "image", (0, 0)).await;
    world.finish().await;
}

/// Begins a project's storyboard, and gives its job back until the queue gives it up.
async fn lose_the_storyboard(world: &World, project: ProjectId) {
    world.begin_and_vanish(project).await;
    let giving_back = async {
        loop {
            let mut queue = world.shared.bus.job_queue(Kind::Storyboard).await.unwrap();
            if let Some(job) = queue.next().await.unwrap() {
                job.nak(Duration::from_millis(5)).await.unwrap();
            }
        }
    };
    let given_up = until("it is given up", LONG, async || {
        let letters = answer_of(world, "GET", "/v1/dead-letters", 200, None).await;
        let open = world.state(project).await.open_tasks().count();
        if letters["items"] == json!([]) || open > 0 { Err(format!("{letters} {open} open")) } else { Ok(()) }
    });
    // The server gives a job up when somebody asks for one.
    tokio::select! {
        () = given_up => {}
        () = giving_back => unreachable!(),
    }
}

#[tokio::test]
async fn a_dead_letter_is_listed_and_its_task_can_be_queued_again() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, Settings::default()).await;
    lose_the_storyboard(&world, project).await;
    let letters = answer_of(&world, "GET", "/v1/dead-letters", 200, None).await;
    let letter = &letters["items"][0];
    assert_eq!((&letter["projectId"], &letter["kind"]), (&json!(project), &json!("storyboard")));
    let replay = format!("/v1/dead-letters/{}/replay", letter["id"].as_str().unwrap());
    let task = answer_of(&world, "POST", &replay, 202, None).await;
    assert_eq!((&task["id"], &task["status"]), (&letter["taskId"], &json!("pending")));
    let twice = Http::of(&world).ask("POST", &replay, &[], None).await;
    assert_eq!((twice.status.as_u16(), &twice.body["code"]), (409, &json!("task_not_retryable")));
    let letters = answer_of(&world, "GET", "/v1/dead-letters", 200, None).await;
    assert!(letters["items"][0]["replayedAt"].is_string());
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    world.finish().await;
}

#[tokio::test]
async fn of_two_workers_with_one_name_the_earlier_ends_and_says_why() {
    let world = World::with_engine().await;
    let work = world.servers.file("work-twin");
    let heartbeat = Duration::from_millis(200);
    let config = worker::Config { heartbeat, ..worker::Config::new("twin".to_owned(), work) };
    let (bus, clock) = (world.shared.bus.clone(), world.shared.clock.clone());
    let shutdown = CancellationToken::new();
    let earlier = worker::run(config, bus, Arc::new(Sleeping::default()), clock, shutdown);
    let later = async {
        until("the earlier one is known", LONG, async || {
            let workers = workers(&world).await?;
            if workers["items"][0]["name"] == "twin" { Ok(()) } else { Err(workers.to_string()) }
        })
        .await;
        Hand::new(&world, "twin").await;
    };
    let both = async { tokio::join!(earlier, later) };
    let (ended, ()) = tokio::time::timeout(LONG, both).await.expect("the earlier one ends");
    let reason = ended.unwrap_err().to_string();
    assert!(reason.contains("twin") && reason.contains("--name"), "{reason}");
    world.finish().await;
}
