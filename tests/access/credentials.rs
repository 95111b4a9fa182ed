//! Whoever asks must say who they are, before anything else is looked at.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::json;

use super::{SECRET, Server, now, signed, token};

const ID: &str = "01900000-0000-7000-8000-000000000001";

#[tokio::test]
async fn nothing_is_told_to_whoever_does_not_say_who_they_are() {
    let server = Server::new().await;
    for (method, path) in [
        ("GET", "/v1/projects".to_owned()),
        ("GET", format!("/v1/projects/{ID}")),
        ("POST", "/v1/projects".to_owned()),
        ("GET", format!("/v1/projects/{ID}/stream")),
        ("GET", format!("/v1/projects/{ID}/events")),
        ("GET", format!("/media/image/{}.png", "0".repeat(64))),
        ("GET", format!("/tasks/{ID}/wss")),
        ("GET", "/nowhere".to_owned()),
        ("PUT", "/healthz".to_owned()),
        ("GET", "/openapi.json".to_owned()),
        ("GET", "/v1/projects/../../etc/passwd".to_owned()),
        ("GET", "/studio/../v1/projects".to_owned()),
        ("GET", "/%76%31/projects".to_owned()),
        ("GET", "//v1/projects".to_owned()),
        ("OPTIONS", "/v1/projects".to_owned()),
    ] {
        // A body that is no JSON and a name that is not ours would be refused, too, but later.
        let answer = server.ask(method, &path, None, Some(json!(["nonsense"]))).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}: {}", answer.body);
        let told = if path.starts_with("/tasks/") { "error" } else { "code" };
        let words = answer.body[told].as_str().unwrap_or_default();
        assert!(words == "credentials_missing" || told == "error" && !words.is_empty(), "{}", answer.body);
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    }
    for path in ["/healthz", "/readyz"] {
        let answer = server.ask("GET", path, Some("nonsense"), None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    server.end().await;
}

#[tokio::test]
async fn what_is_forged_over_or_malformed_opens_nothing() {
    let server = Server::new().await;
    let exp = now() + 60;
    let over = signed(&json!({ "sub": "ada", "exp": now() - 3_600 }), SECRET);
    let forged =
        signed(&json!({ "sub": "ada", "role": "admin", "exp": exp }), "another secret entirely, and long");
    for credential in [
        over.as_str(),
        forged.as_str(),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJleHAiOjk5OTk5OTk5OTl9.",
        "stv_01900000000070008000000000000001_0000000000000000000000000000000000000000000000000000000000000000",
        "stv_",
        "x",
    ] {
        let answer = server.ask("GET", "/v1/projects", Some(credential), None).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{credential}");
        assert_eq!(answer.body["code"], "credentials_invalid", "{credential}");
        assert!(!answer.body.to_string().contains(credential) || credential == "x", "nothing is told back");
    }
    let basic = BTreeMap::from([("authorization", "Basic YTpi")]);
    assert_eq!(server.send("GET", "/v1/projects", &basic, None).await.status, StatusCode::UNAUTHORIZED);
    let ticket = server.ask("GET", &format!("/v1/projects/{ID}?ticket=x"), None, None).await;
    assert_eq!(ticket.status, StatusCode::UNAUTHORIZED);
    let good = server.ask("GET", "/v1/projects", Some(&token("ada", "viewer")), None).await;
    assert_eq!(good.status, StatusCode::OK);
    server.end().await;
}

#[tokio::test]
async fn a_viewer_looks_an_editor_changes_and_an_admin_sees_everything() {
    let server = Server::new().await;
    let (viewer, editor, admin) = (token("ada", "viewer"), token("ada", "editor"), token("root", "admin"));
    let create = || Some(json!({ "story": "One." }));
    let refused = server.ask("POST", "/v1/projects", Some(&viewer), create()).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::FORBIDDEN, &json!("role_insufficient")));
    let path = server.project_of(&editor).await;
    assert_eq!(server.ask("GET", &path, Some(&viewer), None).await.status, StatusCode::OK);
    for method in ["PATCH", "DELETE"] {
        let refused = server.ask(method, &path, Some(&viewer), Some(json!({}))).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method}");
    }
    assert_eq!(server.ask("GET", &path, Some(&admin), None).await.status, StatusCode::OK);
    let workers = server.ask("GET", "/v1/workers", Some(&editor), None).await.status;
    assert_ne!(workers, StatusCode::OK, "what is about everybody's work is for admins");
    let who = server.ask("GET", "/v1/session", Some(&editor), None).await.body;
    assert_eq!(who, json!({ "subject": "ada", "role": "editor" }));
    let history = server.ask("GET", &format!("{path}/history"), Some(&viewer), None).await.body;
    assert_eq!(history["items"][0]["actor"], "user:ada");
    server.end().await;
}

#[tokio::test]
async fn who_came_by_a_trusted_network_needs_no_credentials_but_none_that_are_bad() {
    let server = Server::with(|auth| api::AuthConfig {
        trusted_networks: vec!["10.0.0.0/8".parse().unwrap()],
        ..auth
    })
    .await;
    // A request by no connection comes from nowhere that could be trusted.
    let answer = server.ask("GET", "/v1/projects", None, None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let spoofed = BTreeMap::from([("x-forwarded-for", "10.0.0.1")]);
    assert_eq!(server.send("GET", "/v1/projects", &spoofed, None).await.status, StatusCode::UNAUTHORIZED);
    server.end().await;
}
