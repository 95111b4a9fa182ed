//! API keys and the sessions they begin.

use std::collections::BTreeMap;

use api::{Access, NewKey, Role};
use axum::http::StatusCode;
use infra::postgres::access;
use infra::runtime::Clock;
use serde_json::json;

use super::Server;
use crate::harness::{LONG, run, until};

impl Server {
    pub(crate) async fn key(&self, owner: &str, role: Role) -> NewKey {
        let key = NewKey::new("test", owner, role, Clock::System.now());
        access::insert_key(self.world.pool(), &key.row).await.unwrap();
        key
    }
}

#[tokio::test]
async fn the_first_key_switches_authentication_on_and_its_end_does_not_switch_it_off() {
    let server = Server::with(|auth| api::AuthConfig { jwt_secret: None, ..auth }).await;
    assert_eq!(server.ask("GET", "/v1/projects", None, None).await.status, StatusCode::OK);
    let key = server.key("ada", Role::Editor).await;
    until("strangers are refused", LONG, async || {
        match server.ask("GET", "/v1/projects", None, None).await.status {
            StatusCode::UNAUTHORIZED => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    assert_eq!(server.ask("GET", "/v1/projects", Some(&key.text), None).await.status, StatusCode::OK);
    access::revoke_key(server.world.pool(), key.row.id, Clock::System.now()).await.unwrap();
    let again = api::router(server.world.shared.api(Access::default()));
    let server = Server { router: again, ..server };
    assert_eq!(server.ask("GET", "/v1/projects", None, None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        server.ask("GET", "/v1/projects", Some(&key.text), None).await.status,
        StatusCode::UNAUTHORIZED
    );
    server.end().await;
}

#[tokio::test]
async fn a_key_begins_a_session_that_ends_with_it() {
    let server = Server::new().await;
    let key = server.key("ada", Role::Editor).await;
    let begin = server.ask("POST", "/v1/session", None, Some(json!({ "apiKey": key.text }))).await;
    assert_eq!(begin.status, StatusCode::OK, "{}", begin.body);
    assert_eq!((&begin.body["subject"], &begin.body["role"]), (&json!("ada"), &json!("editor")));
    assert!(begin.headers.get("set-cookie").is_none());
    let token = begin.body["token"].as_str().unwrap().to_owned();
    let path = server.project_of(&token).await;
    assert_eq!(
        server.ask("GET", &path, Some(&key.text), None).await.status,
        StatusCode::OK,
        "the same owner"
    );
    access::revoke_key(server.world.pool(), key.row.id, Clock::System.now()).await.unwrap();
    until("the session is over", LONG, async || {
        match server.ask("GET", &path, Some(&token), None).await.status {
            StatusCode::UNAUTHORIZED => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    let wrong = format!("{}0", &key.text[..key.text.len() - 1]);
    for bad in ["", "x", wrong.as_str()] {
        let refused = server.ask("POST", "/v1/session", None, Some(json!({ "apiKey": bad }))).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{bad}");
    }
    server.end().await;
}

#[tokio::test]
async fn times_of_sessions_and_tickets_have_milliseconds_like_all_others() {
    let server = Server::new().await;
    let key = server.key("ada", Role::Editor).await;
    let begin = server.ask("POST", "/v1/session", None, Some(json!({ "apiKey": key.text }))).await;
    let path = server.project_of(&key.text).await;
    let body = json!({ "projectId": path.rsplit('/').next() });
    let ticket = server.ask("POST", "/v1/tickets", Some(&key.text), Some(body)).await;
    for answer in [begin, ticket] {
        let until = answer.body["expiresAt"].as_str().unwrap();
        assert!(until.len() == "2026-11-21T10:00:00.000Z".len() && until.ends_with('Z'), "{until}");
    }
    server.end().await;
}

#[tokio::test]
async fn an_address_that_shows_too_many_bad_keys_has_only_known_ones_looked_up() {
    let server = Server::new().await;
    let known = server.key("ada", Role::Viewer).await;
    let status = async |key: &NewKey| server.ask("GET", "/v1/projects", Some(&key.text), None).await.status;
    assert_eq!(status(&known).await, StatusCode::OK);
    let mut refused = 0;
    // The window slides meanwhile, and may let one through.
    for _ in 0..5 {
        let fresh = server.key("bob", Role::Viewer).await;
        while status(&NewKey::new("guessed", "eve", Role::Admin, Clock::System.now())).await
            == StatusCode::UNAUTHORIZED
        {}
        refused += u32::from(status(&fresh).await == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused > 0, "nobody looks whether it is a good one");
    assert_eq!(status(&known).await, StatusCode::OK, "who is known is not shut out by that");
    server.end().await;
}

#[tokio::test]
async fn a_cookie_is_for_our_own_pages_alone() {
    let server = Server::new().await;
    let key = server.key("ada", Role::Editor).await;
    let body = json!({ "apiKey": key.text, "cookie": true });
    let begin = server.ask("POST", "/v1/session", None, Some(body)).await;
    let set = begin.headers["set-cookie"].to_str().unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Path=/"), "{set}");
    let cookie = set.split(';').next().unwrap();
    let create = async |origin: Option<&str>| {
        let mut headers = BTreeMap::from([("cookie", cookie)]);
        headers.extend(origin.map(|origin| ("origin", origin)));
        let answer = server.send("POST", "/v1/projects", &headers, Some(json!({ "story": "One." }))).await;
        (answer.status, answer.body["code"].clone())
    };
    assert_eq!(create(Some("http://localhost")).await.0, StatusCode::CREATED);
    assert_eq!(create(None).await, (StatusCode::FORBIDDEN, json!("origin_required")));
    assert_eq!(
        create(Some("https://evil.example")).await,
        (StatusCode::FORBIDDEN, json!("origin_not_allowed"))
    );
    let look = server.send("GET", "/v1/projects", &BTreeMap::from([("cookie", cookie)]), None).await;
    assert_eq!(look.status, StatusCode::OK);
    let end = server.ask("DELETE", "/v1/session", None, None).await;
    assert_eq!(end.status, StatusCode::NO_CONTENT);
    assert!(end.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    server.end().await;
}

#[tokio::test]
async fn an_old_client_shows_its_key_in_the_path_where_that_is_allowed() {
    let server = Server::with(|auth| api::AuthConfig { path_keys: true, ..auth }).await;
    let key = server.key("ada", Role::Viewer).await.text;
    let status = async |path: &str| server.ask("GET", path, None, None).await.status;
    assert_eq!(status(&format!("/k/{key}/v1/projects?limit=1")).await, StatusCode::OK);
    assert_eq!(status("/k/nonsense/v1/projects").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("/k//v1/projects").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&format!("/k/{key}/nowhere")).await, StatusCode::NOT_FOUND);
    server.end().await;
    let server = Server::new().await;
    let key = server.key("ada", Role::Viewer).await.text;
    let off = server.ask("GET", &format!("/k/{key}/v1/projects"), None, None).await;
    assert_eq!(off.status, StatusCode::UNAUTHORIZED);
    server.end().await;
}

#[tokio::test]
async fn the_program_makes_lists_and_revokes_keys() {
    let server = Server::with(|auth| api::AuthConfig { jwt_secret: None, ..auth }).await;
    let folder = tempfile::tempdir().unwrap();
    let url = server.world.database_url().to_owned();
    let keys = async |words: &[&str]| {
        let said = run(folder.path(), &[&["keys", "--database-url", &url, "--json"], words].concat()).await;
        assert_eq!(said.code, Some(0), "{words:?}: {said:?}");
        said.out
    };
    let made = keys(&["create", "--owner", "ada", "--role", "viewer", "--label", "for a look"]).await;
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let who = until("the key opens the door", LONG, async || {
        let answer = server.ask("GET", "/v1/session", Some(key), None).await;
        // A key that nobody had asked for was not there a moment ago.
        if answer.body["subject"].is_string() { Ok(answer.body) } else { Err(answer.body.to_string()) }
    })
    .await;
    assert_eq!(who, json!({ "subject": "ada", "role": "viewer" }));
    let listed = keys(&["list"]).await;
    let secret = key.rsplit('_').next().unwrap();
    assert!(listed.contains(id) && listed.contains("for a look") && !listed.contains(secret), "{listed}");
    let revoked: serde_json::Value = serde_json::from_str(&keys(&["revoke", id]).await).unwrap();
    assert_eq!(revoked, json!({ "id": id, "revoked": true }));
    let listed: serde_json::Value = serde_json::from_str(&keys(&["list"]).await).unwrap();
    assert!(listed["revokedAt"].as_str().is_some_and(|at| at.len() == 24), "{listed}");
    let table = run(folder.path(), &["keys", "--database-url", &url, "list"]).await.out;
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[0].starts_with("ID ") && lines[1].starts_with(id) && lines[1].contains("revoked"),
        "{table}"
    );
    until("the key opens nothing", LONG, async || {
        match server.ask("GET", "/v1/session", Some(key), None).await.status {
            StatusCode::UNAUTHORIZED => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    let unknown = ["keys", "--database-url", &url, "revoke", "01900000-0000-7000-8000-000000000001"];
    let unknown = run(folder.path(), &unknown).await;
    assert!(unknown.code == Some(64) && unknown.err.contains("keys list"), "{unknown:?}");
    server.end().await;
}
