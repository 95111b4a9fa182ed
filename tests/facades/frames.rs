//! What clips are made of: pictures of ours, pictures elsewhere, pictures that come along, and nothing else.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::job::Kind;
use serde_json::{Value, json};
use worker::providers::bench::Noted;

use super::{finish, leads_somewhere};
use crate::access::{Server, token};
use crate::harness::{Http, Receiver, World, picture, status};

fn data_url(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}

fn shown(kind: &'static str, bytes: Vec<u8>) -> Response<Body> {
    Response::builder().header("content-type", kind).body(Body::from(bytes)).unwrap()
}

/// A system that may fetch from this machine.
async fn that_fetches() -> (World, Http) {
    let mut world = World::new().await;
    world.shared = world.shared.clone().allowing(&["127.0.0.0/8".parse().unwrap()]).unwrap();
    world.start_engine();
    world.start_worker("all", Noted::default(), &Kind::ALL);
    let http = Http::of(&world);
    (world, http)
}

async fn refusal(http: &Http, frame: &str) -> String {
    let body = json!({ "frames": [{ "scene_id": 1, "frame": frame }] });
    let refused = http.ask("POST", "/clips", &[], Some(body)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{frame}: {}", refused.body);
    refused.body["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn clips_are_made_of_pictures_that_lie_elsewhere_or_come_along() {
    let (world, http) = that_fetches().await;
    let gallery = Receiver::answering(|_| shown("application/octet-stream", picture(3))).await;
    let body = json!({ "frames": [
        { "scene_id": 0, "frame": gallery.url() },
        { "scene_id": 1.5, "frame": data_url(&picture(4)) },
    ] });
    let key = [("idempotency-key", "once")];
    let asked = http.ask("POST", "/clips", &key, Some(body.clone())).await.body;
    let path = format!("/tasks/{}", asked["task_id"].as_str().unwrap());
    let done = http.until(&path, |task| task["status"] == "finished").await;
    assert_eq!((&done["clips"][0]["scene_id"], &done["clips"][1]["scene_id"]), (&json!(0), &json!("1.5")));
    let again = http.ask("POST", "/clips", &key, Some(body)).await.body;
    assert_eq!((&again["task_id"], gallery.told().len()), (&asked["task_id"], 1), "it is fetched once");
    let task = http.ok("GET", &path.replace("/tasks", "/v1/tasks"), None).await;
    let project =
        http.ok("GET", &format!("/v1/projects/{}", task["projectId"].as_str().unwrap()), None).await;
    for (shot, shade) in project["shots"].as_array().unwrap().iter().zip([3, 4]) {
        let url = shot["image"]["url"].as_str().unwrap();
        assert!(leads_somewhere(&http, url).await);
        let path = url.strip_prefix("http://localhost").unwrap();
        assert_eq!(http.bytes(path).await, picture(shade), "it is stored here, and not linked");
    }
    finish(world).await;
}

#[tokio::test]
async fn what_is_no_picture_or_not_to_be_fetched_is_refused() {
    let (world, http) = that_fetches().await;
    let cut = picture(5)[..60].to_vec();
    let answers: [fn(Vec<u8>) -> Response<Body>; 5] = [
        |_| shown("text/html", b"<html></html>".to_vec()),
        |cut| shown("image/png", cut),
        |_| shown("image/png", Vec::new()),
        |_| status(404),
        |_| Response::builder().status(302).header("location", "/other").body(Body::empty()).unwrap(),
    ];
    let gallery = Receiver::answering(move |number| answers[number](cut.clone())).await;
    for words in ["text/html", "damaged", "nothing", "404", "redirects"] {
        let told = refusal(&http, &gallery.url()).await;
        assert!(told.starts_with("frame: ") && told.contains(words), "{words}: {told}");
    }
    assert!(refusal(&http, "http://10.0.0.1/a.png").await.contains("public address"));
    let unknown = format!("/media/image/{}.png", "0".repeat(64));
    let not_base64 = "data:image/png;base64,%%%";
    for frame in
        ["", "/etc/passwd", "file:///etc/passwd", "data:image/png,AAAA", not_base64, unknown.as_str()]
    {
        assert!(refusal(&http, frame).await.contains("address of a picture"), "{frame}");
    }
    assert!(refusal(&http, &data_url(b"<html></html>")).await.contains("PNG"));
    assert_eq!(http.ok("GET", "/v1/projects", None).await["items"], json!([]));
    finish(world).await;
}

#[tokio::test]
async fn a_frame_of_ours_counts_only_while_its_address_does() {
    let server = Server::new().await;
    server.world.start_worker("all", Noted::default(), &Kind::ALL);
    let ada = token("ada", "editor");
    let http = async |method: &str, path: &str, body: Option<Value>| {
        let answer = server.ask(method, path, Some(&ada), body).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    };
    let asked = http("POST", "/frames", Some(json!({ "storyboard": ["A fox"] }))).await;
    let path = format!("/tasks/{}", asked["task_id"].as_str().unwrap());
    let done = crate::harness::until("the frame is made", crate::harness::LONG, async || {
        let task = http("GET", &path, None).await;
        if task["status"] == "finished" { Ok(task) } else { Err(task.to_string()) }
    });
    let frame = done.await["frames"][0]["frame"].as_str().unwrap().to_owned();
    let path = frame.strip_prefix("http://localhost").unwrap();
    let bob = token("bob", "editor");
    let clips = async |frame: &str| {
        let body = json!({ "frames": [frame] });
        server.ask("POST", "/clips", Some(&bob), Some(body)).await.status
    };
    assert_eq!(clips(path).await, StatusCode::OK, "whoever has the address may have the picture");
    let (bare, query) = path.split_once('?').unwrap();
    let forged = format!("{bare}?{}", query.replace("expires=1", "expires=2"));
    for frame in [bare, forged.as_str()] {
        assert_eq!(clips(frame).await, StatusCode::BAD_REQUEST, "{frame}");
    }
    server.end().await;
}
