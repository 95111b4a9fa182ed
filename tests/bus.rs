//! The bus against real nats-server: its topology, its queue, its dead letters, and what survives a restart.

use std::time::{Duration, Instant};

use async_nats::Client;
use domain::desk::{Job, Outcome};
use domain::ids::{ProjectId, TaskId};
use domain::job::{Failure, Kind};
use domain::project::{Command, Event, TaskState};
use domain::settings::Settings;
use infra::nats::{Bus, JobMessage, JobQueue, Sent};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Hand, LONG, Own, World, until};

fn some_job() -> Job {
    Job { project: ProjectId(Uuid::new_v4()), task: TaskId(Uuid::new_v4()), attempt: 1 }
}

async fn bus(own: &Own) -> Bus {
    let bus = Bus::connect(own.nats_url(), "test").await.unwrap();
    bus.apply_topology().await.unwrap();
    bus
}

async fn send(bus: &Bus, kind: Kind, job: Job) -> Sent {
    bus.send_jobs(&[(kind, job)]).await.pop().unwrap().unwrap()
}

/// A client without our adapter, for looking behind it.
async fn client(own: &Own) -> Client {
    let url: async_nats::ServerAddr = own.nats_url().parse().unwrap();
    let (user, password) = (url.username().unwrap().to_owned(), url.password().unwrap().to_owned());
    async_nats::ConnectOptions::with_user_and_password(user, password).connect(url).await.unwrap()
}

async fn api(client: &Client, subject: &str, body: Value) -> Value {
    let subject = format!("$JS.API.{subject}");
    let reply = client.request(subject, body.to_string().into()).await.unwrap();
    serde_json::from_slice(&reply.payload).unwrap()
}

/// The next job, as a worker's slot waits for it: with a new queue whenever the old one breaks.
async fn next(bus: &Bus, kind: Kind) -> JobMessage {
    let mut queue: Option<JobQueue> = None;
    until("a job is delivered", LONG, async || {
        if queue.is_none() {
            queue = Some(bus.job_queue(kind).await.map_err(|error| error.to_string())?);
        }
        let next = queue.as_mut().unwrap().next().await;
        if next.is_err() {
            queue = None;
        }
        next.map_err(|error| error.to_string())?.ok_or_else(|| "an empty pull".to_owned())
    })
    .await
}

async fn until_queued(bus: &Bus, wanted: &[TaskId]) {
    until("the queue holds what it should", LONG, async || {
        let queued = bus.queued_tasks().await.map_err(|error| error.to_string())?;
        let right = queued.len() == wanted.len() && wanted.iter().all(|task| queued.contains(task));
        if right { Ok(()) } else { Err(format!("{queued:?}, not {wanted:?}")) }
    })
    .await;
}

#[tokio::test]
async fn the_topology_applied_twice_changes_nothing() {
    let own = Own::nats().await;
    let bus = bus(&own).await;
    let client = client(&own).await;
    let look = async || {
        let stream = api(&client, "STREAM.INFO.STV_JOBS", json!({})).await;
        let consumer = api(&client, "CONSUMER.INFO.STV_JOBS.worker-image", json!({})).await;
        [
            stream["created"].clone(),
            stream["config"].clone(),
            consumer["created"].clone(),
            consumer["config"].clone(),
        ]
    };
    let before = look().await;
    bus.apply_topology().await.unwrap();
    assert_eq!(look().await, before);
    own.stop().await;
}

#[tokio::test]
async fn a_stream_or_consumer_that_somebody_changed_is_put_right() {
    let own = Own::nats().await;
    let bus = bus(&own).await;
    let client = client(&own).await;
    let mut stream = api(&client, "STREAM.INFO.STV_JOBS", json!({})).await["config"].clone();
    stream["max_msg_size"] = json!(5_000);
    assert_eq!(api(&client, "STREAM.UPDATE.STV_JOBS", stream).await["error"], Value::Null);
    let mut consumer = api(&client, "CONSUMER.INFO.STV_JOBS.worker-tts", json!({})).await["config"].clone();
    consumer["ack_wait"] = json!(1_000_000_000);
    let change = json!({ "stream_name": "STV_JOBS", "config": consumer });
    let changed = api(&client, "CONSUMER.DURABLE.CREATE.STV_JOBS.worker-tts", change).await;
    assert_eq!(changed["config"]["ack_wait"], json!(1_000_000_000));

    bus.apply_topology().await.unwrap();
    assert_eq!(
        api(&client, "STREAM.INFO.STV_JOBS", json!({})).await["config"]["max_msg_size"],
        json!(65_536)
    );
    let consumer = api(&client, "CONSUMER.INFO.STV_JOBS.worker-tts", json!({})).await;
    assert_eq!(consumer["config"]["ack_wait"], json!(60_000_000_000_u64));
    own.stop().await;
}

#[tokio::test]
async fn a_difference_that_cannot_be_put_right_is_reported() {
    let own = Own::nats().await;
    let client = client(&own).await;
    let other =
        json!({ "name": "STV_JOBS", "subjects": ["stv.jobs.>"], "retention": "limits", "storage": "memory" });
    assert_eq!(api(&client, "STREAM.CREATE.STV_JOBS", other).await["error"], Value::Null);
    let bus = Bus::connect(own.nats_url(), "test").await.unwrap();
    let refused = bus.apply_topology().await.unwrap_err().to_string();
    assert!(refused.contains("STV_JOBS"), "{refused}");
    own.stop().await;
}

#[tokio::test]
async fn a_task_is_queued_at_most_once_until_its_job_is_acknowledged() {
    let own = Own::nats().await;
    let bus = bus(&own).await;
    let job = some_job();
    assert_eq!(send(&bus, Kind::Image, job).await, Sent::Queued);
    assert_eq!(send(&bus, Kind::Image, job).await, Sent::AlreadyQueued);
    let delivered = next(&bus, Kind::Image).await;
    assert_eq!(delivered.job, job);
    assert_eq!(send(&bus, Kind::Image, job).await, Sent::AlreadyQueued, "in flight it is still in the queue");
    delivered.ack().await.unwrap();
    until_queued(&bus, &[]).await;
    assert_eq!(send(&bus, Kind::Image, job).await, Sent::Queued);
    own.stop().await;
}

#[tokio::test]
async fn a_job_that_is_given_back_comes_again_after_its_delay_and_not_before() {
    let own = Own::nats().await;
    let bus = bus(&own).await;
    let (delay, job) = (Duration::from_millis(1_200), some_job());
    send(&bus, Kind::Tts, job).await;
    next(&bus, Kind::Tts).await.nak(delay).await.unwrap();
    let given_back = Instant::now();
    let again = next(&bus, Kind::Tts).await;
    assert_eq!(again.job, job);
    assert!(given_back.elapsed() > delay.mul_f64(0.9), "{:?}", given_back.elapsed());
    again.ack().await.unwrap();
    own.stop().await;
}

#[tokio::test]
async fn a_removed_job_is_never_delivered() {
    let own = Own::nats().await;
    let bus = bus(&own).await;
    let (waiting, in_flight, stays) = (some_job(), some_job(), some_job());
    send(&bus, Kind::Video, in_flight).await;
    let delivered = next(&bus, Kind::Video).await;
    send(&bus, Kind::Video, waiting).await;
    send(&bus, Kind::Video, stays).await;
    for job in [waiting, in_flight] {
        bus.remove_job(job.project, job.task).await.unwrap();
    }
    until_queued(&bus, &[stays.task]).await;
    delivered.nak(Duration::from_millis(1)).await.unwrap();
    let last = next(&bus, Kind::Video).await;
    assert_eq!(last.job, stays);
    last.ack().await.unwrap();
    until_queued(&bus, &[]).await;
    own.stop().await;
}

#[tokio::test]
async fn a_job_that_arrives_after_seconds_of_idleness_is_delivered_at_once() {
    let own = Own::nats().await;
    let bus = bus(&own).await;
    let mut queue = bus.job_queue(Kind::Film).await.unwrap();
    // Longer than the heartbeats of an idle pull are apart: it must have had one.
    let idle = Duration::from_secs(8);
    let job = some_job();
    let sending = async {
        tokio::time::sleep(idle).await;
        send(&bus, Kind::Film, job).await;
        Instant::now()
    };
    let (delivered, sent) = tokio::join!(queue.next(), sending);
    assert_eq!(delivered.unwrap().expect("the pull still stands").job, job);
    assert!(sent.elapsed() < Duration::from_secs(1), "{:?}", sent.elapsed());
    own.stop().await;
}

#[tokio::test]
async fn a_pull_survives_the_restart_of_the_server() {
    let mut own = Own::nats().await;
    let bus = bus(&own).await;
    for kill in 0..3 {
        let job = some_job();
        let sending = async {
            own.kill_nats().await;
            // Jobs live in memory: the engine makes their stream again.
            until("the job can be sent", LONG, async || {
                bus.apply_topology().await.map_err(|error| error.to_string())?;
                let sent = bus.send_jobs(&[(Kind::Image, job)]).await.pop().unwrap();
                sent.map_err(|error| error.to_string())
            })
            .await;
        };
        let (delivered, ()) = tokio::join!(next(&bus, Kind::Image), sending);
        assert_eq!(delivered.job, job, "after kill {kill}");
        delivered.ack().await.unwrap();
        until_queued(&bus, &[]).await;
    }
    own.stop().await;
}

/// Deliveries that a job has.
const DELIVERIES: i64 = 5;

/// Gives the next job back until it is not delivered any more.
async fn give_back_too_often(bus: &Bus, kind: Kind) {
    for _ in 0..DELIVERIES {
        next(bus, kind).await.nak(Duration::from_millis(5)).await.unwrap();
    }
}

async fn dead_letters(world: &World) -> Vec<(Uuid, String, i64)> {
    let letters = sqlx::query_as("SELECT project_id, kind, deliveries FROM dead_letters");
    letters.fetch_all(world.pool()).await.unwrap()
}

#[tokio::test]
async fn a_job_that_was_given_back_too_often_before_it_was_begun_is_sent_again() {
    let world = World::with_engine().await;
    let bus = &world.shared.bus;
    let project = world.a_film_of(1, Settings::default()).await;
    give_back_too_often(bus, Kind::Storyboard).await;
    let again = next(bus, Kind::Storyboard).await;
    assert_eq!(again.job.attempt, 1);
    assert_eq!(dead_letters(&world).await, []);
    let state = world.state(project).await;
    assert_eq!(state.tasks[&again.job.task].state, TaskState::Pending);
    world.execute(project, Command::DeleteProject).await;
    again.ack().await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_dead_job_of_an_earlier_attempt_fails_nothing() {
    let world = World::with_engine().await;
    let bus = &world.shared.bus;
    let project = world.a_film_of(1, Settings::default()).await;
    let hand = Hand::new(&world, "hand").await;
    let (message, claim) = hand.start(Kind::Storyboard).await;
    let failed = Outcome::Failed { failure: Failure::retry("hiccup", "once") };
    hand.report_outcome(Kind::Storyboard, message.job, claim, failed).await;
    world.begin_and_vanish(project).await;
    message.nak(Duration::from_millis(5)).await.unwrap();
    for _ in 1..DELIVERIES {
        let early = next(bus, Kind::Storyboard).await;
        assert_eq!(early.job.attempt, 1, "the first attempt's job is in the way of the second's");
        early.nak(Duration::from_millis(5)).await.unwrap();
    }
    let second = next(bus, Kind::Storyboard).await;
    assert_eq!(second.job.attempt, 2);
    let state = world.state(project).await;
    assert!(matches!(state.tasks[&second.job.task].state, TaskState::Processing { .. }));
    assert_eq!(dead_letters(&world).await, []);
    world.execute(project, Command::DeleteProject).await;
    second.ack().await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_job_that_died_while_it_was_run_becomes_one_dead_letter_and_its_task_fails() {
    let world = World::with_engine().await;
    let bus = &world.shared.bus;
    let project = world.a_film_of(1, Settings::default()).await;
    world.begin_and_vanish(project).await;
    let giving_back = async {
        loop {
            next(bus, Kind::Storyboard).await.nak(Duration::from_millis(5)).await.unwrap();
        }
    };
    let failed = until("the task has failed", LONG, async || {
        let events = world.events(project).await;
        let count = events.len();
        let failed = events.into_iter().find_map(|recorded| match recorded.event {
            Event::TaskFailed(event) => Some(event.failure),
            _ => None,
        });
        failed.ok_or_else(|| format!("{count} events, none of them of a failure"))
    });
    // The server gives a job up when somebody asks for one. It is sent again while an engine that leads anew does
    // not know yet that nobody runs it.
    let failure = tokio::select! {
        failure = failed => failure,
        () = giving_back => unreachable!(),
    };
    assert_eq!((failure.code.as_str(), failure.retryable), ("worker_lost", false));
    until_queued(bus, &[]).await;
    assert_eq!(dead_letters(&world).await, [(project.0, "storyboard".to_owned(), DELIVERIES)]);
    let state = world.state(project).await;
    assert!(state.open_tasks().next().is_none(), "what waited for it has ended too");
    assert!(state.tasks.values().any(|task| task.state == TaskState::Failed));
    world.finish().await;
}

#[tokio::test]
async fn a_message_that_is_no_job_is_put_aside_and_holds_nothing_up() {
    let world = World::with_engine().await;
    let client = client(&world.servers).await;
    let subject = format!("stv.jobs.storyboard.{}.{}", Uuid::new_v4(), Uuid::new_v4());
    client.publish(subject, "no job".into()).await.unwrap();
    client.flush().await.unwrap();
    let project = world.a_film_of(1, Settings::default()).await;
    assert_eq!(next(&world.shared.bus, Kind::Storyboard).await.job.project, project);
    until("the queue holds the job alone", LONG, async || {
        let queued = world.shared.bus.queued_tasks().await.unwrap();
        if queued.len() == 1 { Ok(()) } else { Err(format!("{queued:?}")) }
    })
    .await;
    world.execute(project, Command::DeleteProject).await;
    world.finish().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_and_does_not_close_the_desk() {
    let world = World::with_engine().await;
    let client = client(&world.servers).await;
    for subject in ["stv.claim.image", "stv.lease.x", "stv.upload.image", "stv.result.image"] {
        client.publish_with_reply(subject, "nowhere", "{".into()).await.unwrap();
        client.publish(subject, "no reply wanted".into()).await.unwrap();
    }
    client.flush().await.unwrap();
    Hand::new(&world, "polite").await;
    for (subject, answer) in
        [("stv.claim.image", "stop"), ("stv.upload.image", "refused"), ("stv.result.image", "refused")]
    {
        let reply = client.request(subject, "{".into()).await.unwrap();
        let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
        assert_eq!(reply["answer"], answer, "{subject}");
    }
    let reply = client.request("stv.lease.x", "{".into()).await.unwrap();
    let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
    assert_eq!(reply["drain"], Value::Bool(true));
    world.finish().await;
}

#[tokio::test]
async fn a_worker_may_do_what_workers_do_and_nothing_else() {
    let own = Own::nats().await;
    let bus = bus(&own).await;
    let url: async_nats::ServerAddr = own.worker_nats_url().parse().unwrap();
    let (refusals, mut refused) = tokio::sync::mpsc::unbounded_channel();
    let (user, password) = (url.username().unwrap().to_owned(), url.password().unwrap().to_owned());
    let options = async_nats::ConnectOptions::with_user_and_password(user, password);
    let options = options.custom_inbox_prefix("_INBOX_worker").event_callback(move |event| {
        if let async_nats::Event::ServerError(error) = event {
            refusals.send(error.to_string().to_lowercase()).unwrap();
        }
        std::future::ready(())
    });
    let worker = options.connect(url).await.unwrap();
    let job = some_job();
    let forbidden = [
        format!("stv.jobs.image.{}.{}", job.project, job.task),
        format!("stv.events.{}.task-finished", job.project),
        format!("stv.cancel.{}.{}", job.project, job.task),
        "stv.drain".to_owned(),
        "stv.wake.log".to_owned(),
        "$JS.API.STREAM.DELETE.STV_JOBS".to_owned(),
        "$JS.API.STREAM.PURGE.STV_JOBS".to_owned(),
        "$JS.API.DIRECT.GET.STV_JOBS".to_owned(),
        "$JS.API.CONSUMER.MSG.NEXT.STV_ADVISORIES.dead-letters".to_owned(),
    ];
    for subject in forbidden {
        worker.publish(subject.clone(), "{}".into()).await.unwrap();
        worker.flush().await.unwrap();
        let refusal = tokio::time::timeout(LONG, refused.recv()).await.expect("it is refused").unwrap();
        assert!(
            refusal.contains("permissions violation") && refusal.contains(&subject.to_lowercase()),
            "{refusal}"
        );
    }
    for subject in ["stv.events.>", "stv.claim.*", "_INBOX_storytovideo.>", "$JS.EVENT.>"] {
        let _heard = worker.subscribe(subject).await.unwrap();
        worker.flush().await.unwrap();
        let refusal = tokio::time::timeout(LONG, refused.recv()).await.expect("it is refused").unwrap();
        assert!(refusal.contains("subscription"), "{subject}: {refusal}");
    }
    let as_worker = Bus::connect(&own.worker_nats_url(), "worker").await.unwrap();
    send(&bus, Kind::Image, job).await;
    next(&as_worker, Kind::Image).await.ack().await.unwrap();
    until_queued(&bus, &[]).await;
    own.stop().await;
}
