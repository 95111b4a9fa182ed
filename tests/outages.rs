//! What the system does while one of its servers is away, or its media cannot be read.

use std::fs;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use domain::ids::ProjectId;
use domain::job::Kind;
use domain::project::Event;
use domain::settings::Settings;
use futures::StreamExt;
use infra::nats::LiveMessage;
use infra::postgres::checkpoint;
use infra::postgres::tail::Place;
use infra::runtime::Lifecycle;
use serde_json::{Value, json};
use standalone::stack::Shared;
use worker::providers::bench::Sleeping;

use crate::harness::{Http, LONG, World, until};

/// Watches that something does not happen, for longer than it would take.
async fn never(span: Duration, mut look: impl AsyncFnMut() -> Result<(), String>) {
    let started = Instant::now();
    until("the time is over", 2 * span, async || {
        if let Err(seen) = look().await {
            panic!("{seen}");
        }
        if started.elapsed() >= span { Ok(()) } else { Err(format!("{:?}", started.elapsed())) }
    })
    .await;
}

async fn is_made_in_the_end(world: &World, project: ProjectId) {
    until("every task has ended", LONG, async || {
        let state = world.state(project).await;
        let open: Vec<_> = state.open_tasks().map(|(_, task)| (task.kind, task.state.clone())).collect();
        if open.is_empty() { Ok(()) } else { Err(format!("{open:?}")) }
    })
    .await;
    let bad = world.events(project).await.into_iter().find(|recorded| {
        matches!(
            recorded.event,
            Event::TaskFailed(_) | Event::TaskCancelled(_) | Event::TaskRetryScheduled(_)
        )
    });
    assert!(bad.is_none(), "no attempt is used up by an outage: {bad:?}");
}

#[tokio::test]
async fn while_nats_is_away_a_new_engine_and_api_start_and_show_what_commands_did() {
    let mut world = World::new().await;
    let nats = world.servers.nats_url().to_owned();
    world.servers.stop_nats().await;
    let media = world.servers.media();
    let roles = Lifecycle::default();
    let started = Shared::connect(world.database_url(), &nats, &media, "without NATS").await.unwrap();
    roles.spawn("engine", started.engine(engine::Timing::default()).run(roles.shutdown().clone()));
    let http = Http::on(&started);
    let create = json!({ "story": "One. Two.", "shotCount": 1 });
    let created = http.ask("POST", "/v1/projects", &[], Some(create)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    let id = created.body["id"].as_str().unwrap().to_owned();
    until("the read tables show it", LONG, async || {
        let tasks = http.ask("GET", &format!("/v1/projects/{id}/tasks"), &[], None).await;
        match tasks.body["items"].as_array() {
            Some(items) if items.len() == 3 => Ok(()),
            _ => Err(tasks.body.to_string()),
        }
    })
    .await;
    // Longer than a flush is waited for, and than the relay's checkpoint stays unsaved.
    never(Duration::from_secs(8), async || {
        let place = checkpoint::load(world.pool(), "relay").await.map_err(|error| error.to_string())?;
        if place == Place::default() {
            Ok(())
        } else {
            Err("what nobody could hear counts as told".to_owned())
        }
    })
    .await;
    roles.shutdown().cancel();
    roles.ended(Duration::from_secs(20)).await.unwrap();

    world.servers.start_nats().await;
    let project: ProjectId = id.parse().unwrap();
    let mut live = until("somebody listens", LONG, async || {
        world.shared.bus.watch(project).await.map_err(|error| error.to_string())
    })
    .await;
    world.start_engine();
    let first = tokio::time::timeout(LONG, live.next()).await.expect("the events are told").unwrap();
    assert!(matches!(first, LiveMessage::Event(event) if event["version"] == 1));
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    is_made_in_the_end(&world, project).await;
    world.finish().await;
}

#[tokio::test]
async fn jobs_wait_while_media_cannot_be_read_and_no_delivery_is_used_up() {
    let world = World::with_engine().await;
    let (user, address) = world.servers.nats_url().split_once('@').unwrap();
    let (user, password) = user.trim_start_matches("nats://").split_once(':').unwrap();
    let client = async_nats::ConnectOptions::with_user_and_password(user.into(), password.into());
    let client = client.connect(address).await.unwrap();
    let mut claims = client.subscribe("stv.claim.storyboard").await.unwrap();
    client.flush().await.unwrap();
    let incoming = world.servers.media().join("incoming");
    fs::remove_dir(&incoming).unwrap();
    fs::write(&incoming, "in the way").unwrap();
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    let project = world.a_film_of(1, Settings::default()).await;
    // More than a job may be delivered.
    for claim in 0..7 {
        let heard = tokio::time::timeout(LONG, claims.next()).await;
        assert!(heard.is_ok(), "claim {claim} is made");
    }
    let consumer = "$JS.API.CONSUMER.INFO.STV_JOBS.worker-storyboard";
    let answer = client.request(consumer, "".into()).await.unwrap();
    let consumer: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(
        (&consumer["delivered"]["consumer_seq"], &consumer["num_redelivered"]),
        (&json!(1), &json!(0))
    );
    fs::remove_file(&incoming).unwrap();
    fs::create_dir(&incoming).unwrap();
    is_made_in_the_end(&world, project).await;
    world.finish().await;
}
