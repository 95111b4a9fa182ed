//! New work is refused where there is no room for it; nothing else is.

use std::collections::BTreeMap;

use api::{Access, AuthConfig, Room};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use domain::job::Kind;
use serde_json::json;
use tower::ServiceExt;
use worker::providers::bench::Sleeping;

use super::{SECRET, Server, token};
use crate::harness::{LONG, until};

impl Server {
    async fn within(room: Room) -> Self {
        let server = Self::new().await;
        let auth = AuthConfig { jwt_secret: Some(SECRET.to_owned()), ..AuthConfig::default() };
        let access = Access::default().with_auth(auth).unwrap().within(room);
        Self { router: api::router(server.world.shared.api(access)), ..server }
    }

    async fn create(&self, who: &str) -> (StatusCode, String) {
        let body = json!({ "story": "One. Two.", "shotCount": 2 });
        let answer = self.ask("POST", "/v1/projects", Some(who), Some(body)).await;
        let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
        (answer.status, code)
    }
}

#[tokio::test]
async fn an_owner_has_no_more_projects_than_the_quota_and_others_are_not_touched_by_it() {
    let server = Server::within(Room { projects: Some(2), ..Room::default() }).await;
    let (ada, bob) = (token("ada", "editor"), token("bob", "editor"));
    let path = server.project_of(&ada).await;
    assert_eq!(server.create(&ada).await.0, StatusCode::CREATED);
    let full = (StatusCode::FORBIDDEN, "quota_exceeded".to_owned());
    assert_eq!(server.create(&ada).await, full);
    assert_eq!(server.create(&bob).await.0, StatusCode::CREATED);
    assert_eq!(server.ask("DELETE", &path, Some(&ada), None).await.status, StatusCode::OK);
    assert_eq!(server.create(&ada).await.0, StatusCode::CREATED, "there is room again");
    server.end().await;
}

#[tokio::test]
async fn a_repeated_request_is_answered_although_the_quota_is_used_up() {
    let server = Server::within(Room { projects: Some(1), ..Room::default() }).await;
    let ada = token("ada", "editor");
    let bearer = format!("Bearer {ada}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")].into();
    let create = async || {
        let body = json!({ "story": "One. Two.", "shotCount": 2 });
        server.send("POST", "/v1/projects", &headers, Some(body)).await
    };
    let first = create().await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    let again = create().await;
    assert_eq!((again.status, &again.body["id"]), (StatusCode::CREATED, &first.body["id"]), "{}", again.body);
    server.end().await;
}

#[tokio::test]
async fn open_tasks_count_for_the_owner_whoever_asks_for_more() {
    let server = Server::within(Room { open_tasks: Some(1), ..Room::default() }).await;
    let (ada, root) = (token("ada", "editor"), token("root", "admin"));
    let path = server.project_of(&ada).await;
    let film = server.ask("POST", &format!("{path}/film"), Some(&root), Some(json!({}))).await;
    assert_eq!((film.status, &film.body["code"]), (StatusCode::FORBIDDEN, &json!("quota_exceeded")));
    let rename = server.ask("PATCH", &path, Some(&ada), Some(json!({ "title": "Another" }))).await;
    assert_eq!(rename.status, StatusCode::OK, "{}", rename.body);
    server.end().await;
}

#[tokio::test]
async fn an_almost_full_disk_takes_no_new_work_and_still_lets_go_of_old() {
    let server = Server::new().await;
    let ada = token("ada", "editor");
    let path = server.project_of(&ada).await;
    let full = Room { free_bytes: u64::MAX, ..Room::default() };
    let auth = AuthConfig { jwt_secret: Some(SECRET.to_owned()), ..AuthConfig::default() };
    let access = Access::default().with_auth(auth).unwrap().within(full);
    let server = Server { router: api::router(server.world.shared.api(access)), ..server };
    let refused = server.ask("POST", "/v1/projects", Some(&ada), Some(json!({ "story": "One." }))).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("low_disk"))
    );
    assert_eq!(refused.headers["retry-after"], "60");
    assert_eq!(server.ask("GET", &path, Some(&ada), None).await.status, StatusCode::OK);
    assert_eq!(server.ask("DELETE", &path, Some(&ada), None).await.status, StatusCode::OK);
    server.end().await;
}

/// A request with a body that never comes: what is refused before it is read is refused at once.
async fn bring(server: &Server, method: &str, path: &str, kind: &str, who: &str) -> (u16, String) {
    let body = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let request = request.header("authorization", format!("Bearer {who}")).header("content-type", kind);
    let answer = server.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 100_000).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

const FORM: &str = "multipart/form-data; boundary=line";

#[tokio::test]
async fn whose_media_are_as_many_as_may_be_brings_and_asks_for_no_more() {
    let server = Server::within(Room { media_bytes: Some(1), ..Room::default() }).await;
    server.world.start_worker("all", Sleeping::default(), &Kind::ALL);
    let ada = token("ada", "editor");
    let path = server.project_of(&ada).await;
    let shot = until("there is a picture", LONG, async || {
        let shots = server.ask("GET", &format!("{path}/shots"), Some(&ada), None).await.body;
        let shot = shots["items"][0].clone();
        if shot["image"].is_object() {
            Ok(shot["id"].as_str().unwrap().to_owned())
        } else {
            Err(shots.to_string())
        }
    })
    .await;
    let full = (403, "quota_exceeded".to_owned());
    assert_eq!(bring(&server, "PUT", &format!("{path}/shots/{shot}/image"), FORM, &ada).await, full);
    assert_eq!(bring(&server, "PUT", &format!("{path}/music"), FORM, &ada).await, full);
    assert_eq!(bring(&server, "POST", "/v1/projects/import", "application/zip", &ada).await, full);
    let ask = async |method: &str, path: &str, body: serde_json::Value| {
        server.ask(method, path, Some(&ada), Some(body)).await.status.as_u16()
    };
    assert_eq!(ask("POST", &format!("{path}/film"), json!({})).await, 403);
    assert_eq!(ask("PATCH", &path, json!({ "story": "Another story." })).await, 403);
    assert_eq!(ask("PATCH", &path, json!({ "story": "Another.", "settings": { "fps": 30 } })).await, 403);
    assert_eq!(ask("PATCH", &path, json!({ "title": "Another", "settings": { "fps": 30 } })).await, 200);
    server.world.finish().await;
}

#[tokio::test]
async fn nothing_is_brought_to_an_almost_full_disk() {
    let server = Server::within(Room { free_bytes: u64::MAX, ..Room::default() }).await;
    let ada = token("ada", "editor");
    let full = (503, "low_disk".to_owned());
    assert_eq!(bring(&server, "POST", "/v1/projects/import", "application/zip", &ada).await, full);
    server.end().await;
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_before_also_when_there_is_no_room_for_another() {
    let server = Server::within(Room { projects: Some(1), ..Room::default() }).await;
    let bearer = format!("Bearer {}", token("ada", "editor"));
    let headers = BTreeMap::from([("authorization", bearer.as_str()), ("idempotency-key", "once")]);
    let create = async || {
        until("the request is dealt with", LONG, async || {
            let answer =
                server.send("POST", "/v1/projects", &headers, Some(json!({ "story": "One." }))).await;
            if answer.status == 503 { Err(answer.body.to_string()) } else { Ok(answer) }
        })
        .await
    };
    let (first, again) = (create().await, create().await);
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED), "{}", again.body);
    assert_eq!(first.body["id"], again.body["id"]);
    server.end().await;
}
