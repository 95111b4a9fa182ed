//! Live streams: everybody sees every version once and in order, however they listen, and however many they are.

use std::net::SocketAddr;
use std::time::Instant;

use axum::http::StatusCode;
use domain::desk::{Progress, ResultReply};
use domain::ids::{ProjectId, TaskId};
use domain::job::{Kind, Output};
use domain::project::{Command, ProjectPatch};
use domain::settings::Settings;
use futures::StreamExt;
use futures::future::join_all;
use infra::nats::Bus;
use serde_json::{Value, json};
use standalone::stack::Shared;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};
use uuid::Uuid;

use crate::harness::{Hand, Http, LONG, Listener, Own, Served, World, room_for, until};

/// Listeners in the test with many of them: half of each sort.
const LISTENERS: usize = 2_000;
/// Changes that they all see.
const CHANGES: u64 = 20;
/// Listeners that are let in at the same time.
const ENTERING: usize = 50;
/// Messages that are said at once, each about another task, as one alone would be shown ten times a second only.
const ROUND: usize = 500;

async fn rename(world: &World, project: ProjectId, title: String) -> u64 {
    let patch = ProjectPatch { title: Some(title), ..ProjectPatch::default() };
    world.execute(project, Command::ReviseProject(patch)).await.version
}

/// A project that can be read.
async fn a_project(world: &World, shots: u32) -> ProjectId {
    let project = world.a_film_of(shots, Settings::default()).await;
    let (http, path) = (Http::of(world), format!("/v1/projects/{project}"));
    until("the project can be read", LONG, async || match http.ask("GET", &path, &[], None).await.status {
        StatusCode::OK => Ok(()),
        status => Err(status.to_string()),
    })
    .await;
    project
}

/// Takes the next version, which must be the one after the last; answers whether it is the awaited one.
fn follow(seen: &mut Option<u64>, version: u64, last: u64) -> bool {
    assert!(seen.is_none_or(|seen| version == seen + 1), "{version} after {seen:?}");
    *seen = Some(version);
    version >= last
}

async fn watch_by_socket(address: SocketAddr, project: ProjectId, last: u64, door: &Semaphore) {
    let entering = door.acquire().await.unwrap();
    let url = format!("ws://{address}/v1/projects/{project}/stream");
    let (mut socket, _) = connect_async(url).await.unwrap();
    drop(entering);
    let mut seen = None;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_ne!(message["type"], "lagged");
        if let Some(version) = message["version"].as_u64()
            && follow(&mut seen, version, last)
        {
            return;
        }
    }
    panic!("the socket ended after {seen:?}");
}

async fn watch_by_events(address: SocketAddr, project: ProjectId, last: u64, door: &Semaphore) {
    let entering = door.acquire().await.unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /v1/projects/{project}/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    drop(entering);
    let mut lines = BufReader::new(stream).lines();
    let mut seen = None;
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(id) = line.strip_prefix("id: ")
            && follow(&mut seen, id.parse().unwrap(), last)
        {
            return;
        }
    }
    panic!("the events ended after {seen:?}");
}

async fn metric(address: SocketAddr, name: &str) -> u64 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is in {text}")).trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_who_watch_one_project_see_every_version_once_and_share_one_subscription() {
    let half = room_for(LISTENERS, 2) / 2;
    let world = World::with_engine().await;
    let project = a_project(&world, 2).await;
    let last = world.state(project).await.version + CHANGES;
    Served::during(&world, async |served| {
        let door = Semaphore::new(ENTERING);
        let sockets = join_all((0..half).map(|_| watch_by_socket(served.api, project, last, &door)));
        let events = join_all((0..half).map(|_| watch_by_events(served.api, project, last, &door)));
        let changing = async {
            let streams = 2 * half as u64;
            until("all are there", LONG, async || match metric(served.metrics, "stv_api_streams").await {
                open if open == streams => Ok(()),
                open => Err(format!("{open} streams")),
            })
            .await;
            assert_eq!(metric(served.metrics, "stv_api_watched_projects").await, 1);
            for change in 0..CHANGES {
                rename(&world, project, format!("Title {change}")).await;
            }
        };
        let watching = async { tokio::join!(sockets, events, changing) };
        tokio::time::timeout(LONG, watching).await.expect("all see the last version");
    })
    .await;
    world.execute(project, Command::DeleteProject).await;
    world.finish().await;
}

#[tokio::test]
async fn events_resume_after_the_last_that_the_client_has() {
    let world = World::with_engine().await;
    let project = a_project(&world, 1).await;
    let http = Http::of(&world);
    let path = format!("/v1/projects/{project}/events");
    let seen = rename(&world, project, "Seen".to_owned()).await;
    let missed = rename(&world, project, "Missed".to_owned()).await;
    for (path, headers) in [
        (path.clone(), vec![("last-event-id", seen.to_string())]),
        (format!("{path}?after={seen}"), vec![]),
        (format!("{path}?after=1"), vec![("last-event-id", seen.to_string())]),
    ] {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (id, message) = http.listen(&path, &headers).await.next().await.unwrap();
        assert_eq!((id, &message["type"]), (Some(missed), &Value::from("event")), "{path}");
        assert_eq!(message["event"]["payload"]["title"], "Missed");
    }
    until("a snapshot has all of it", LONG, async || {
        let read = http.ask("GET", &format!("/v1/projects/{project}"), &[], None).await.body;
        if read["version"] == missed { Ok(()) } else { Err(read["version"].to_string()) }
    })
    .await;
    // Nobody can have seen what did not happen yet.
    let (id, message) = http.listen(&format!("{path}?after=10000"), &[]).await.next().await.unwrap();
    assert_eq!((id, &message["type"]), (Some(missed), &Value::from("snapshot")));
    let refused = http.ask("GET", &path, &[("last-event-id", "x")], None).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::BAD_REQUEST, &"invalid_last_event_id".into())
    );
    let unknown = http.ask("GET", &format!("/v1/projects/{}/events", Uuid::now_v7()), &[], None).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    world.execute(project, Command::DeleteProject).await;
    world.finish().await;
}

/// How far some task is, said to all who watch the project.
async fn say_progress(bus: &Bus, project: ProjectId) {
    let task_id = TaskId(Uuid::now_v7());
    let report = Progress { task_id, progress: 1, message: String::new(), eta_seconds: None };
    bus.publish_progress(project, &report).await.unwrap();
}

/// The versions of the events that are shown until this one.
async fn versions_until(listener: &mut Listener, last: u64) -> Vec<u64> {
    let mut versions = Vec::new();
    while versions.last().is_none_or(|version| *version < last) {
        let (_, message) = listener.next().await.expect("the stream goes on");
        assert_ne!(message["type"], "lagged");
        if message["type"] == "event" {
            versions.extend(message["version"].as_u64());
        }
    }
    versions
}

/// Says how far tasks are until a listener is shown it.
async fn be_heard(bus: &Bus, project: ProjectId, hearing: impl Future<Output = ()>) {
    let saying = until("the bus is heard", LONG, async || {
        say_progress(bus, project).await;
        Err::<(), _>("nothing".to_owned())
    });
    tokio::select! { () = saying => {}, () = hearing => {} }
}

/// Says how far so many tasks are, and waits until this listener is shown all of it.
async fn watch_progress(bus: &Bus, project: ProjectId, listener: &mut Listener, messages: usize) {
    be_heard(bus, project, next_shown_progress(listener)).await;
    for _ in 0..messages / ROUND {
        for _ in 0..ROUND {
            say_progress(bus, project).await;
        }
        for _ in 0..ROUND {
            next_shown_progress(listener).await;
        }
    }
}

async fn next_shown_progress(listener: &mut Listener) {
    loop {
        let (_, message) = listener.next().await.expect("who reads is not let go");
        assert_ne!(message["type"], "lagged");
        if message["type"] == "progress" {
            return;
        }
    }
}

#[tokio::test]
async fn who_is_too_slow_is_told_and_let_go_while_others_go_on() {
    let world = World::with_engine().await;
    let project = a_project(&world, 1).await;
    let http = Http::of(&world);
    let path = format!("/v1/projects/{project}/events");
    let (mut slow, mut quick) = (http.listen(&path, &[]).await, http.listen(&path, &[]).await);
    // More than a stream's queue holds, and than one may miss.
    watch_progress(&world.shared.bus, project, &mut quick, 4_000).await;
    let mut last = Value::Null;
    while let Some((_, message)) = slow.next().await {
        last = message;
    }
    assert_eq!(last["type"], "lagged");
    world.execute(project, Command::DeleteProject).await;
    world.finish().await;
}

#[tokio::test]
async fn who_misses_a_burst_catches_up_from_the_log_and_is_not_let_go() {
    let world = World::with_engine().await;
    let project = a_project(&world, 1).await;
    let http = Http::of(&world);
    let path = format!("/v1/projects/{project}/events");
    let (mut busy, mut quick) = (http.listen(&path, &[]).await, http.listen(&path, &[]).await);
    busy.next().await.expect("it begins with a snapshot");
    let first = rename(&world, project, "Before the burst".to_owned()).await;
    versions_until(&mut quick, first).await;
    watch_progress(&world.shared.bus, project, &mut quick, 1_500).await;
    let last = rename(&world, project, "After the burst".to_owned()).await;
    versions_until(&mut quick, last).await;
    let versions = versions_until(&mut busy, last).await;
    assert!(versions.is_sorted_by(|one, next| one + 1 == *next), "{versions:?}");
    assert!(versions.contains(&first), "{versions:?}");
    world.execute(project, Command::DeleteProject).await;
    world.finish().await;
}

#[tokio::test]
async fn what_the_bus_lost_or_could_not_carry_is_read_from_the_log() {
    let world = World::with_engine().await;
    let project = a_project(&world, 1).await;
    // Nothing that the engine says comes here.
    let elsewhere = Own::nats().await;
    let bus = Bus::connect(elsewhere.nats_url(), "elsewhere").await.unwrap();
    let http = Http::on(&Shared { bus: bus.clone(), ..world.shared.clone() });
    let mut listener = http.listen(&format!("/v1/projects/{project}/events"), &[]).await;
    be_heard(&bus, project, next_shown_progress(&mut listener)).await;
    let lost = rename(&world, project, "Lost".to_owned()).await;
    let told = rename(&world, project, "Told of".to_owned()).await;
    let without_payload = json!({ "version": told, "type": "ProjectRenamed" });
    bus.publish_event(project, "ProjectRenamed", &without_payload).await.unwrap();
    assert!(versions_until(&mut listener, told).await.ends_with(&[lost, told]));
    world.execute(project, Command::DeleteProject).await;
    world.finish().await;
    elsewhere.stop().await;
}

#[tokio::test]
async fn the_newest_word_on_a_task_is_shown_and_at_most_ten_a_second() {
    let world = World::with_engine().await;
    let project = a_project(&world, 1).await;
    let bus = &world.shared.bus;
    let mut listener = Http::of(&world).listen(&format!("/v1/projects/{project}/events"), &[]).await;
    be_heard(bus, project, next_shown_progress(&mut listener)).await;
    let (task_id, started) = (TaskId(Uuid::now_v7()), Instant::now());
    for progress in 1..=100 {
        let report = Progress { task_id, progress, message: String::new(), eta_seconds: None };
        bus.publish_progress(project, &report).await.unwrap();
    }
    let (mut shown, mut last) = (0, 0);
    while last < 100 {
        let (_, message) = listener.next().await.expect("the stream goes on");
        if message["type"] == "progress" && message["taskId"] == json!(task_id) {
            let progress = message["progress"].as_u64().unwrap();
            assert!(progress > last, "{progress} after {last}");
            (shown, last) = (shown + 1, progress);
        }
    }
    let most = started.elapsed().as_millis() / 100 + 1;
    assert!(shown <= most, "{shown} in {:?}", started.elapsed());
    world.execute(project, Command::DeleteProject).await;
    world.finish().await;
}

/// What is shown of a task, when it is the awaited percentage.
async fn shows(listener: &mut Listener, task: &Value, percent: u64) -> Value {
    loop {
        let (_, message) = listener.next().await.expect("the stream goes on");
        if message["type"] == "progress" && &message["taskId"] == task && message["progress"] == percent {
            return message;
        }
    }
}

/// A task, by a server with sockets: it hears all workers.
async fn task_of(address: SocketAddr, id: &str) -> Value {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /v1/tasks/{id} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer has a body");
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn a_batch_is_as_far_as_its_children_on_average_live_and_when_it_is_asked_for() {
    let world = World::with_engine().await;
    let project = world.a_film_of(2, Settings::default()).await;
    let hand = Hand::new(&world, "hand").await;
    hand.do_storyboard(&world, project, 2).await;
    let path = format!("/v1/projects/{project}");
    Served::during(&world, async |served| {
        let http = Http::of(&world);
        let batch =
            http.ask("POST", &format!("{path}/generate"), &[], Some(json!({ "kinds": ["image"] }))).await;
        assert_eq!(batch.status, StatusCode::ACCEPTED, "{}", batch.body);
        let id = &batch.body["id"];
        let mut listener = http.listen(&format!("{path}/events"), &[]).await;
        let (first, _) = listener.next().await.unwrap();
        assert!(first.is_some(), "it begins with a snapshot");
        let (message, claim) = hand.start(Kind::Image).await;
        let say = async |progress| {
            let report =
                Progress { task_id: message.job.task, progress, message: String::new(), eta_seconds: None };
            world.shared.bus.publish_progress(project, &report).await.unwrap();
        };
        let asked = async || task_of(served.api, id.as_str().unwrap()).await["progress"].clone();
        // Said again until it is heard, as a worker goes on saying it.
        let saying = until("everybody has heard it", LONG, async || {
            say(60).await;
            Err::<(), _>("nothing".to_owned())
        });
        let heard = async {
            assert_eq!(shows(&mut listener, id, 30).await["message"], "0 of 2");
            until("the server shows it when it is asked", LONG, async || {
                let progress = asked().await;
                if progress == 30 { Ok(()) } else { Err(progress.to_string()) }
            })
            .await;
        };
        tokio::select! { () = saying => {}, () = heard => {} }
        let content = b"a picture";
        let asset = hand.upload(message.job, claim, content, content).await;
        let output = Output::Media { asset };
        assert_eq!(hand.report(Kind::Image, message.job, claim, output).await, ResultReply::Recorded);
        message.ack().await.unwrap();
        assert_eq!(shows(&mut listener, id, 50).await["message"], "1 of 2");
        until("it is so when it is asked for", LONG, async || {
            let progress = asked().await;
            if progress == 50 { Ok(()) } else { Err(progress.to_string()) }
        })
        .await;
    })
    .await;
    world.execute(project, Command::DeleteProject).await;
    world.finish().await;
}

/// A socket whose client takes little at a time.
async fn narrow_socket(address: SocketAddr, project: ProjectId) -> WebSocketStream<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(65_536).unwrap();
    let stream = socket.connect(address).await.unwrap();
    let url = format!("ws://{address}/v1/projects/{project}/stream");
    client_async(url, stream).await.unwrap().0
}

/// The next message about progress of a client that reads all.
async fn next_progress(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) {
    loop {
        let message = socket.next().await.expect("who reads is not let go").unwrap();
        let Message::Text(text) = message else { continue };
        assert!(!text.starts_with("{\"type\":\"lagged\""), "who reads has not lagged");
        if text.starts_with("{\"type\":\"progress\"") {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_whose_client_stops_reading_is_told_that_it_lagged_and_closed() {
    let world = World::with_engine().await;
    let project = a_project(&world, 1).await;
    Served::during(&world, async |served| {
        let mut slow = narrow_socket(served.api, project).await;
        let url = format!("ws://{}/v1/projects/{project}/stream", served.api);
        let (mut quick, _) = connect_async(url).await.unwrap();
        until("both are there", LONG, async || match metric(served.metrics, "stv_api_streams").await {
            2 => Ok(()),
            open => Err(format!("{open} streams")),
        })
        .await;
        // More than the sockets between them hold, and than the server keeps for who is behind.
        let telling = async {
            be_heard(&world.shared.bus, project, next_progress(&mut quick)).await;
            for _ in 0..12 {
                for _ in 0..ROUND {
                    let (task_id, message) = (TaskId(Uuid::now_v7()), "x".repeat(2_000));
                    let report = Progress { task_id, progress: 1, message, eta_seconds: None };
                    world.shared.bus.publish_progress(project, &report).await.unwrap();
                }
                for _ in 0..ROUND {
                    next_progress(&mut quick).await;
                }
            }
        };
        tokio::time::timeout(LONG, telling).await.expect("the quick one is told everything");
        let mut last = None;
        let closed = loop {
            match tokio::time::timeout(LONG, slow.next()).await.expect("the slow one is let go") {
                Some(Ok(Message::Close(frame))) => break frame,
                Some(Ok(Message::Text(text))) => last = Some(text),
                Some(Ok(_)) => {}
                ended => panic!("no close, but {ended:?} after {last:?}"),
            }
        };
        assert_eq!(last.as_deref(), Some("{\"type\":\"lagged\"}"));
        assert_eq!(closed.unwrap().code, CloseCode::Again);
    })
    .await;
    world.execute(project, Command::DeleteProject).await;
    world.finish().await;
}
