//! External nodes: they are told what to make, and what they report counts once, if it is signed, and if what it names
//! may be fetched and is what was asked for.

mod formats;
mod races;
mod uploads;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use api::{Access, AuthConfig};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use axum::routing::{get, post};
use domain::hash::sha256;
use domain::ids::{ProjectId, TaskId};
use domain::job::Kind;
use domain::project::Command;
use domain::settings::Settings;
use domain::webhook::Secret;
use infra::runtime::{Clock, Lifecycle};
use serde_json::{Value, json};
use uuid::Uuid;
use worker::providers::bench::Sleeping;
use worker::providers::external::{Node, WithNode};

use crate::harness::{Answer, Http, LONG, Role, World, picture, status, until};

const SECRET: &str = "a secret that node and server share";
const REPORT: &str = "/api/webhook/task_complete";

type Answers = dyn Fn() -> Response<Body> + Send + Sync;

/// What a node was told, and what it has to show.
#[derive(Clone, Default)]
struct Shelf {
    /// Orders that it has no time for yet.
    busy: Arc<AtomicUsize>,
    orders: Arc<Mutex<Vec<Value>>>,
    files: Arc<Mutex<HashMap<String, Arc<Answers>>>>,
}

/// A node on this machine; it ends with the runtime of its test.
struct Stand {
    address: SocketAddr,
    shelf: Shelf,
}

impl Stand {
    async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shelf = Shelf::default();
        let app = Router::new().route("/jobs", post(order)).route("/files/{name}", get(file));
        let app = app.with_state(shelf.clone());
        Lifecycle::default().spawn_detached(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, shelf }
    }

    fn shows(&self, name: &str, answer: impl Fn() -> Response<Body> + Send + Sync + 'static) -> String {
        self.shelf.files.lock().unwrap().insert(name.to_owned(), Arc::new(answer));
        format!("http://{}/files/{name}", self.address)
    }

    fn provider(&self, kinds: &[Kind]) -> WithNode<Sleeping> {
        let node = Node {
            url: format!("http://{}/jobs", self.address),
            callback_url: format!("http://localhost{REPORT}"),
            secret: shared(),
            kinds: kinds.iter().copied().collect(),
        };
        WithNode::new(Some(node), Clock::System, Sleeping::default()).unwrap()
    }

    /// What it was told, once it was told so often.
    async fn told(&self, count: usize) -> Vec<Value> {
        until("the node is told", LONG, async || {
            let orders = self.shelf.orders.lock().unwrap().clone();
            if orders.len() >= count { Ok(orders) } else { Err(format!("{orders:?}")) }
        })
        .await
    }
}

fn shared() -> Secret {
    Secret::new(SECRET)
}

/// A node takes only orders that are signed as Standard Webhooks say.
async fn order(State(shelf): State<Shelf>, headers: HeaderMap, body: String) -> Response<Body> {
    let header = |name: &str| headers[name].to_str().unwrap();
    let at: i64 = header("webhook-timestamp").parse().unwrap();
    let is_fresh = (Clock::System.now().timestamp() - at).abs() < 300;
    if !is_fresh || header("webhook-signature") != shared().sign(header("webhook-id"), at, &body) {
        return status(401);
    }
    if shelf.busy.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
        return status(503);
    }
    shelf.orders.lock().unwrap().push(serde_json::from_str(&body).unwrap());
    status(202)
}

async fn file(State(shelf): State<Shelf>, Path(name): Path<String>) -> Response<Body> {
    let answer = shelf.files.lock().unwrap().get(&name).cloned();
    answer.map_or_else(|| status(404), |answer| answer())
}

fn content(kind: &'static str, bytes: Vec<u8>) -> impl Fn() -> Response<Body> + Send + Sync + 'static {
    move || Response::builder().header("content-type", kind).body(Body::from(bytes.clone())).unwrap()
}

/// HMAC-SHA256 by its definition (RFC 2104), for secrets of less than 64 bytes.
fn hmac(text: &str) -> String {
    let pad = |with: u8| {
        let mut key = [with; 64];
        key.iter_mut().zip(SECRET.bytes()).for_each(|(pad, byte)| *pad ^= byte);
        key
    };
    let inner = sha256(&[&pad(0x36), text.as_bytes()]);
    sha256(&[&pad(0x5c), &inner]).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A report with its signature. What `json!` makes is sorted, without spaces and unescaped.
fn signed(mut report: Value) -> Value {
    report["signature"] = json!(hmac(&report.to_string()));
    report
}

fn success(task: TaskId, url: &str) -> Value {
    signed(json!({ "task_id": task, "status": "SUCCESS", "result": { "image_url": url } }))
}

/// A system that takes reports, and may fetch from this machine.
struct System {
    world: World,
    http: Http,
}

impl System {
    async fn start() -> Self {
        let mut world = World::new().await;
        world.shared = world.shared.clone().allowing(&["127.0.0.0/8".parse().unwrap()]).unwrap();
        world.start_engine();
        let auth = AuthConfig { webhook_secret: Some(SECRET.to_owned()), ..AuthConfig::default() };
        let http = Http::with(&world.shared, Access::default().with_auth(auth).unwrap());
        Self { world, http }
    }

    /// The open picture of a project of one shot, once there is one.
    async fn a_picture(&self) -> (ProjectId, TaskId) {
        let project = self.world.a_film_of(1, Settings::default()).await;
        let task = until("a picture is wanted", LONG, async || {
            let state = self.world.state(project).await;
            let mut open = state.open_tasks().filter(|(_, task)| task.kind == Kind::Image);
            let ready = state.tasks.values().all(|task| task.kind != Kind::Storyboard);
            let task = open.next().map(|(id, _)| id).filter(|_| ready);
            task.ok_or_else(|| format!("{:?}", state.tasks))
        })
        .await;
        (project, task)
    }

    async fn report(&self, report: &Value) -> Answer {
        until("a report is dealt with", LONG, async || {
            let answer = self.http.ask("POST", REPORT, &[], Some(report.clone())).await;
            // A busy machine may not have read a change after 2 s.
            if answer.status == 503 { Err(answer.body.to_string()) } else { Ok(answer) }
        })
        .await
    }

    async fn version(&self, project: ProjectId) -> u64 {
        self.world.state(project).await.version
    }

    /// Of what was refused nothing stays.
    fn assert_nothing_left(&self) {
        let left = std::fs::read_dir(self.world.servers.media().join("incoming")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("upload")), "{left:?}");
    }

    /// Waits until nothing of a project is open.
    async fn settled(&self, project: ProjectId) {
        until("the project is settled", LONG, async || {
            let state = self.world.state(project).await;
            if state.open_tasks().next().is_none() { Ok(()) } else { Err(format!("{:?}", state.tasks)) }
        })
        .await;
    }
}

#[tokio::test]
async fn what_a_node_made_is_the_shots_picture_and_nobody_waits_for_it_any_more() {
    let (system, stand) = (System::start().await, Stand::open().await);
    system.world.start_worker("all", stand.provider(&[Kind::Image]), &Kind::ALL);
    let (project, task) = system.a_picture().await;
    let order = stand.told(1).await.remove(0);
    assert_eq!(
        (&order["task_id"], &order["attempt"], &order["kind"]),
        (&json!(task), &json!(1), &json!("image"))
    );
    assert_eq!((&order["prompt"], &order["params"]["width"]), (&json!("What shot 1 shows"), &json!(1280)));
    assert!(order["callback_url"].as_str().unwrap().ends_with(REPORT));
    let url = stand.shows("a.png", content("application/octet-stream", picture(7)));
    let answer = system.report(&success(task, &url)).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body),
        (200, &json!({ "task_id": task, "status": "SUCCESS" }))
    );
    let shots = system.http.ask("GET", &format!("/v1/projects/{project}/shots"), &[], None).await.body;
    let shown = shots["items"][0]["image"]["url"].as_str().unwrap();
    let path = shown.strip_prefix("http://localhost").expect("it is stored, not linked");
    assert_eq!(system.http.bytes(path).await, picture(7));
    let told = system.http.ask("GET", &format!("/v1/tasks/{task}"), &[], None).await.body;
    assert_eq!((&told["provider"], &told["status"]), (&json!("external"), &json!("finished")));
    system.settled(project).await;
    let version = system.version(project).await;
    let again = system.report(&success(task, &url)).await;
    assert_eq!((again.status.as_u16(), system.version(project).await), (200, version), "once is enough");
    system.world.finish().await;
}

/// A picture that its node was told of, and nothing else to be done.
async fn a_picture_alone() -> (System, Stand, ProjectId, TaskId) {
    let (system, stand) = (System::start().await, Stand::open().await);
    system.world.start_worker("all", stand.provider(&[Kind::Image]), &Kind::ALL);
    let (project, task) = system.a_picture().await;
    stand.told(1).await;
    until("the voice is done", LONG, async || {
        let open = system.world.state(project).await.open_tasks().count();
        if open == 1 { Ok(()) } else { Err(format!("{open} open")) }
    })
    .await;
    (system, stand, project, task)
}

impl System {
    /// Each of these reports is refused with such words, and nothing comes of it.
    async fn assert_refused(&self, project: ProjectId, reports: &[(Value, u16, &str)]) {
        let version = self.version(project).await;
        for (report, code, words) in reports {
            let answer = self.report(report).await;
            assert_eq!(answer.status.as_u16(), *code, "{report}: {}", answer.body);
            assert!(answer.body["message"].as_str().unwrap().contains(words), "{report}: {}", answer.body);
            assert_eq!(self.version(project).await, version, "{report}");
        }
    }
}

#[tokio::test]
async fn what_is_not_signed_or_makes_no_sense_has_no_effect() {
    let (system, stand, project, task) = a_picture_alone().await;
    let good = stand.shows("good.png", content("image/png", picture(1)));
    let mut forged = success(task, &good);
    forged["signature"] = json!("0".repeat(64));
    let unsigned = json!({ "task_id": task, "status": "SUCCESS", "result": { "image_url": good } });
    let mut changed = success(task, &good);
    changed["result"]["image_url"] = json!("http://127.0.0.1/other");
    let hour_old = Clock::System.now().timestamp() - 3_600;
    let stale = json!({ "task_id": task, "status": "FAILED", "timestamp": hour_old });
    let clip = json!({ "task_id": task, "status": "SUCCESS", "result": { "video_url": good } });
    let reports = [
        (forged, 401, "signature"),
        (unsigned, 401, "signature"),
        (changed, 401, "signature"),
        (signed(stale), 401, "timestamp"),
        (json!([]), 400, "object"),
        (success(TaskId(Uuid::new_v4()), &good), 404, "no such task"),
        (signed(json!({ "task_id": "../x", "status": "FAILED" })), 404, "no such task"),
        (signed(json!({ "task_id": task, "status": "DONE" })), 400, "status"),
        (signed(json!({ "task_id": task, "status": "SUCCESS" })), 400, "image_url"),
        (signed(clip), 400, "image_url"),
    ];
    system.assert_refused(project, &reports).await;
    let long = json!({ "task_id": task, "status": "FAILED", "err_msg": "x".repeat(70_000) });
    assert_eq!(system.report(&signed(long)).await.status, 413);
    assert_eq!(system.report(&success(task, &good)).await.status, 200, "a good one counts after all that");
    system.settled(project).await;
    system.world.finish().await;
}

#[tokio::test]
async fn a_result_that_may_not_be_fetched_or_is_not_what_it_must_be_is_not_stored() {
    let (system, stand, project, task) = a_picture_alone().await;
    let good = stand.shows("good.png", content("image/png", picture(1)));
    let redirect =
        move || Response::builder().status(302).header("location", &good).body(Body::empty()).unwrap();
    let endless = || {
        let piece = vec![0_u8; 1 << 20];
        let pieces = futures::stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone()));
        Response::new(Body::from_stream(pieces))
    };
    let declared = || {
        let silence = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let head = Response::builder().header("content-length", "99999999999");
        head.body(Body::from_stream(silence)).unwrap()
    };
    let cut = picture(3)[..60].to_vec();
    let reports = [
        ("http://169.254.169.254/latest/meta-data".to_owned(), "public address"),
        ("http://10.0.0.1/a.png".to_owned(), "public address"),
        ("file:///etc/passwd".to_owned(), "https://"),
        (stand.shows("redirect", redirect), "redirects are not followed"),
        (stand.shows("none", || status(410)), "410"),
        (stand.shows("page", content("text/html", picture(2))), "text/html"),
        (stand.shows("words", content("image/png", b"<html></html>".to_vec())), "PNG"),
        (stand.shows("cut", content("image/png", cut)), "damaged"),
        (stand.shows("empty", content("image/png", Vec::new())), "nothing"),
        (stand.shows("declared", declared), "50 MiB"),
        (stand.shows("endless", endless), "50 MiB"),
    ]
    .map(|(url, words)| (success(task, &url), 400, words));
    system.assert_refused(project, &reports).await;
    system.assert_nothing_left();
    let url = stand.shows("better.png", content("image/png", picture(6)));
    assert_eq!(system.report(&success(task, &url)).await.status, 200);
    system.settled(project).await;
    system.world.finish().await;
}

#[tokio::test]
async fn what_a_node_failed_to_make_is_tried_again_once_for_each_failure() {
    let (system, stand) = (System::start().await, Stand::open().await);
    system.world.start_worker("all", stand.provider(&[Kind::Image]), &Kind::ALL);
    let (project, task) = system.a_picture().await;
    stand.told(1).await;
    let failure = |attempt: u32, words: &str| {
        let report = json!({ "task_id": task, "status": "FAILED", "attempt": attempt, "err_msg": words });
        signed(report)
    };
    assert_eq!(system.report(&failure(1, "out of memory")).await.status, 200);
    let again = stand.told(2).await.remove(1);
    assert_eq!((&again["task_id"], &again["attempt"]), (&json!(task), &json!(2)));
    let shown = system.http.ask("GET", &format!("/v1/tasks/{task}"), &[], None).await.body;
    assert_eq!(shown["error"]["message"], "out of memory");
    let version = system.version(project).await;
    for late in [failure(1, "out of memory"), failure(1, "in other words")] {
        assert_eq!(system.report(&late).await.status, 200);
        assert_eq!(system.world.state(project).await.tasks[&task].attempt, 2, "after {version}");
    }
    let url = stand.shows("a.png", content("image/png", picture(9)));
    assert_eq!(system.report(&success(task, &url)).await.body["status"], "SUCCESS");
    system.settled(project).await;
    system.world.finish().await;
}

#[tokio::test]
async fn a_report_on_what_was_cancelled_has_no_effect_then_or_later() {
    let (system, stand) = (System::start().await, Stand::open().await);
    system.world.start_worker("all", stand.provider(&[Kind::Image]), &Kind::ALL);
    let (project, task) = system.a_picture().await;
    stand.told(1).await;
    system.world.execute(project, Command::CancelTask { task }).await;
    let url = stand.shows("a.png", content("image/png", picture(4)));
    let late = success(task, &url);
    until("the report is of no use", LONG, async || {
        let answer = system.report(&late).await;
        if answer.body["status"] == "FAILED" { Ok(()) } else { Err(answer.body.to_string()) }
    })
    .await;
    system.world.execute(project, Command::RetryTask { task }).await;
    stand.told(2).await;
    let again = system.report(&late).await;
    assert_eq!(again.status, 200);
    assert!(system.world.state(project).await.tasks.contains_key(&task), "a replay ends nothing");
    let newer = json!({ "task_id": task, "status": "SUCCESS", "result": { "image_url": url },
        "timestamp": Clock::System.now().timestamp() });
    assert_eq!(system.report(&signed(newer)).await.body["status"], "SUCCESS");
    system.settled(project).await;
    system.world.finish().await;
}

#[tokio::test]
async fn a_report_counts_also_while_no_worker_waits_for_it() {
    let (system, stand) = (System::start().await, Stand::open().await);
    let others = [Kind::Storyboard, Kind::Tts];
    system.world.start_worker("others", Sleeping::default(), &others);
    let (project, task) = system.a_picture().await;
    let url = stand.shows("a.png", content("image/png", picture(5)));
    let reports = [success(task, &url), success(task, &url)];
    let answers = futures::future::join_all(reports.iter().map(|report| system.report(report))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "two at once are one");
    let takes = system.http.ask("GET", &format!("/v1/projects/{project}/shots"), &[], None).await.body;
    assert!(takes["items"][0]["image"]["url"].is_string(), "{takes}");
    system.settled(project).await;
    system.world.finish().await;
}

/// A sound of so many seconds, silent.
fn voice(seconds: u32) -> Vec<u8> {
    let samples = vec![0; seconds as usize * 16_000];
    let rest = u32::try_from(samples.len()).unwrap().to_le_bytes();
    let format = b"fmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0";
    [b"RIFF\xff\xff\xff\xffWAVE".as_slice(), format, b"data", &rest, &samples].concat()
}

/// A clip that says to have so many seconds.
fn clip(seconds: u32) -> Vec<u8> {
    let part = |name: &[u8; 4], content: &[u8]| {
        let size = u32::try_from(content.len() + 8).unwrap().to_be_bytes();
        [size.as_slice(), name, content].concat()
    };
    let times = [[0; 12].as_slice(), &1_u32.to_be_bytes(), &seconds.to_be_bytes(), &[0; 80]].concat();
    let handler = part(b"hdlr", b"\0\0\0\0\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let movie = [part(b"mvhd", &times), part(b"trak", &part(b"mdia", &handler))].concat();
    [part(b"ftyp", b"isom\0\0\x02\0isom"), part(b"moov", &movie)].concat()
}

#[tokio::test]
async fn clips_and_voices_are_made_elsewhere_too_and_are_as_long_as_they_are() {
    let (system, stand) = (System::start().await, Stand::open().await);
    system.world.start_worker("all", stand.provider(&[Kind::Video, Kind::Tts]), &Kind::ALL);
    let settings = Settings { image_to_video: true, ..Settings::default() };
    let project = system.world.a_film_of(1, settings).await;
    let orders = stand.told(2).await;
    for (kind, name, bytes) in [("video", "video_url", clip(4)), ("tts", "audio_url", voice(3))] {
        let order = orders.iter().find(|order| order["kind"] == kind).expect("the node is told of it");
        if kind == "video" {
            let picture = order["params"]["image"].as_str().unwrap();
            assert!(picture.starts_with("data:image/png;base64,"), "{picture}");
        } else {
            assert_eq!(order["prompt"], "What shot 1 says.");
        }
        let url = stand.shows(kind, content("application/octet-stream", bytes));
        let report = json!({ "task_id": order["task_id"], "status": "SUCCESS", "result": { name: url } });
        let answer = system.report(&signed(report)).await;
        assert_eq!(answer.body["status"], "SUCCESS", "{}", answer.body);
    }
    system.settled(project).await;
    let state = system.world.state(project).await;
    let seconds = |kind| state.shots[0].take(kind).and_then(|take| take.asset.duration_seconds);
    assert_eq!((seconds(Kind::Video), seconds(Kind::Tts)), (Some(4.0), Some(3.0)));
    system.world.finish().await;
}

#[tokio::test]
async fn a_worker_that_is_killed_while_it_waits_tells_its_node_of_the_same_work_again() {
    let (system, stand) = (System::start().await, Stand::open().await);
    let own = &system.world.servers;
    system.world.start_worker("others", Sleeping::default(), &[Kind::Storyboard, Kind::Tts]);
    let (url, back, work) =
        (format!("http://{}/jobs", stand.address), format!("http://localhost{REPORT}"), own.file("workers"));
    let words =
        ["worker", "image", "--name", "waits", "--sleeping-ms", "1", "--work", work.to_str().unwrap()];
    let settings = own.file("storytovideo.toml");
    std::fs::write(&settings, format!("[webhooks]\ninbound_secret = {SECRET:?}\n")).unwrap();
    let settings = settings.to_str().unwrap();
    let node = ["--external-url", &url, "--external-callback-url", &back, "--config", settings];
    let mut worker =
        Role::start(own, system.world.database_url(), "waits", 3, &[words.as_slice(), &node].concat());
    let (project, task) = system.a_picture().await;
    stand.told(1).await;
    worker.kill().await;
    let told = stand.told(2).await;
    assert_eq!((&told[0]["task_id"], &told[0]["attempt"]), (&json!(task), &json!(1)));
    let work = |order: &Value| {
        let mut order = order.clone();
        order.as_object_mut().unwrap().remove("upload_url").expect("it is good for an hour from then");
        order
    };
    assert_eq!(work(&told[0]), work(&told[1]), "the same work, not more of it");
    let url = stand.shows("a.png", content("image/png", picture(8)));
    assert_eq!(system.report(&success(task, &url)).await.body["status"], "SUCCESS");
    system.settled(project).await;
    worker.stop().await;
    system.world.finish().await;
}

#[tokio::test]
async fn without_a_secret_no_report_is_taken() {
    let world = World::new().await;
    let answer = Http::of(&world).ask("POST", REPORT, &[], Some(success(TaskId(Uuid::new_v4()), "x"))).await;
    assert_eq!(answer.status, 404);
    assert!(answer.body["message"].as_str().unwrap().contains("webhooks.inbound_secret"), "{}", answer.body);
    world.end().await;
}
