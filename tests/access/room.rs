//! New work is refused where there is no room for it; nothing else is.

use api::{Access, AuthConfig, Room};
use axum::http::StatusCode;
use serde_json::json;

use super::{SECRET, Server, token};

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
