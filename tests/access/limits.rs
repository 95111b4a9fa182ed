//! How much a caller may ask for, and what every answer tells browsers.

use std::collections::BTreeMap;

use api::{AuthConfig, Rates};
use axum::http::StatusCode;
use serde_json::json;

use super::{Server, token};

#[tokio::test]
async fn whoever_asks_too_much_is_told_when_to_come_back_and_others_are_not_disturbed() {
    let few = Rates { reads: 5, writes: 2, polls: 3 };
    let server = Server::with(|auth| AuthConfig { rates: few, ..auth }).await;
    let (ada, bob) = (token("ada", "editor"), token("bob", "editor"));
    for left in (0..5).rev() {
        let answer = server.ask("GET", "/v1/projects", Some(&ada), None).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["ratelimit-limit"], "5");
        assert_eq!(answer.headers["ratelimit-remaining"], left.to_string().as_str());
    }
    let refused = server.ask("GET", "/v1/projects", Some(&ada), None).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_requests"))
    );
    let wait: u32 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    let told = |name: &str| refused.headers[name].to_str().unwrap();
    assert_eq!((told("ratelimit-limit"), told("ratelimit-remaining")), ("5", "0"));
    assert_eq!(server.ask("GET", "/v1/projects", Some(&bob), None).await.status, StatusCode::OK);
    let create = server.ask("POST", "/v1/projects", Some(&ada), Some(json!({ "story": "One." }))).await;
    assert_eq!(create.status, StatusCode::CREATED, "writing is counted by itself");
    server.end().await;
}

#[tokio::test]
async fn an_error_tells_what_is_left_like_any_other_answer() {
    let server = Server::new().await;
    let (viewer, editor) = (token("vic", "viewer"), token("ada", "editor"));
    for (method, path, who, status) in [
        ("GET", "/v1/projects?limit=0", &editor, 422),
        ("GET", "/v1/projects/01900000-0000-7000-8000-000000000000", &editor, 404),
        ("GET", "/nowhere", &editor, 404),
        ("DELETE", "/v1/projects", &editor, 405),
        ("GET", "/v1/api/projects/nothing", &editor, 404),
        ("GET", "/v1/queues", &viewer, 403),
    ] {
        let answer = server.ask(method, path, Some(who), None).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.headers.contains_key("ratelimit-remaining"), "{path}: {:?}", answer.headers);
    }
    server.end().await;
}

#[tokio::test]
async fn forged_credentials_cannot_be_tried_for_ever() {
    let server = Server::new().await;
    let mut last = StatusCode::UNAUTHORIZED;
    for _ in 0..200 {
        last = server.ask("GET", "/v1/projects", Some("a.b.c"), None).await.status;
        if last != StatusCode::UNAUTHORIZED {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let good = server.ask("GET", "/v1/projects", Some(&token("ada", "viewer")), None).await;
    assert_eq!(good.status, StatusCode::OK, "who is known is not shut out by that");
    server.end().await;
}

#[tokio::test]
async fn a_task_counts_for_itself_once_it_is_ones_own_and_made_up_ones_count_together() {
    let few = Rates { reads: 6, writes: 2, polls: 3 };
    let server = Server::with(|auth| AuthConfig { rates: few, ..auth }).await;
    for (name, role) in [("eve", "viewer"), ("root", "admin")] {
        let mut last = StatusCode::NOT_FOUND;
        for _ in 0..7 {
            let path = format!("/v1/tasks/{}", uuid::Uuid::now_v7());
            last = server.ask("GET", &path, Some(&token(name, role)), None).await.status;
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS, "{name}");
    }
    let ada = token("ada", "editor");
    let body = json!({ "story": "One. Two.", "shotCount": 2 });
    let project = server.ask("POST", "/v1/projects", Some(&ada), Some(body)).await.body;
    let path = format!("/v1/projects/{}/tasks", project["id"].as_str().unwrap());
    let tasks = server.ask("GET", &path, Some(&ada), None).await.body;
    for task in tasks["items"].as_array().unwrap().iter().take(2) {
        let poll = async || {
            let path = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
            server.ask("GET", &path, Some(&ada), None).await.status
        };
        // The first look counts with all others, and the next three for the task.
        for look in 0..4 {
            assert_eq!(poll().await, StatusCode::OK, "{look}");
        }
        assert_eq!(poll().await, StatusCode::TOO_MANY_REQUESTS);
    }
    server.end().await;
}

#[tokio::test]
async fn headers_of_more_than_64_kib_are_refused() {
    let server = Server::new().await;
    let ada = format!("Bearer {}", token("ada", "viewer"));
    let ask = async |length: usize| {
        let long = "x".repeat(length);
        let headers = BTreeMap::from([("authorization", ada.as_str()), ("x-long", long.as_str())]);
        server.send("GET", "/v1/projects", &headers, None).await
    };
    assert_eq!(ask(60_000).await.status, StatusCode::OK);
    let refused = ask(100_000).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &json!("headers_too_large"))
    );
    server.end().await;
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let server = Server::new().await;
    for path in ["/healthz", "/v1/projects", "/nowhere"] {
        let headers = server.ask("GET", path, None, None).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
        assert!(headers.get("strict-transport-security").is_none(), "there is no TLS here");
        assert!(headers.get("ratelimit-limit").is_none(), "nobody is known here");
    }
    server.end().await;
}

#[tokio::test]
async fn an_id_of_a_request_that_would_break_a_header_is_replaced() {
    let server = Server::new().await;
    let split = BTreeMap::from([("x-request-id", "a; b\tc")]);
    let answer = server.send("GET", "/healthz", &split, None).await;
    assert_eq!(answer.headers["x-request-id"].len(), 36);
    server.end().await;
}
