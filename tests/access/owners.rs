//! What belongs to somebody else is as if it did not exist.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Server, token};

async fn first_task(server: &Server, path: &str, who: &str) -> String {
    let tasks = server.ask("GET", &format!("{path}/tasks"), Some(who), None).await.body;
    tasks["items"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn another_owners_project_is_not_there_whatever_is_asked_of_it() {
    let server = Server::new().await;
    let (ada, bob) = (token("ada", "editor"), token("bob", "editor"));
    let path = server.project_of(&ada).await;
    let task = first_task(&server, &path, &ada).await;
    let unknown = "/v1/projects/01900000-0000-7000-8000-000000000001";
    for (method, rest) in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/shots"),
        ("GET", "/tasks"),
        ("GET", "/history"),
        ("GET", "/film"),
        ("POST", "/film"),
        ("GET", "/film/download"),
        ("GET", "/stream"),
        ("GET", "/events"),
    ] {
        let theirs = server.ask(method, &format!("{path}{rest}"), Some(&bob), Some(json!({}))).await;
        let nobodys = server.ask(method, &format!("{unknown}{rest}"), Some(&bob), Some(json!({}))).await;
        assert_eq!(theirs.status, StatusCode::NOT_FOUND, "{method} {rest}: {}", theirs.body);
        assert_eq!(without_id(theirs.body), without_id(nobodys.body), "{method} {rest}");
    }
    for (method, rest) in [("GET", ""), ("POST", "/cancel"), ("POST", "/retry")] {
        let theirs = server.ask(method, &format!("/v1/tasks/{task}{rest}"), Some(&bob), None).await;
        assert_eq!((theirs.status, &theirs.body["code"]), (StatusCode::NOT_FOUND, &json!("task_not_found")));
    }
    let ticket =
        server.ask("POST", "/v1/tickets", Some(&bob), Some(json!({ "projectId": id_of(&path) }))).await;
    assert_eq!(ticket.status, StatusCode::NOT_FOUND);
    assert_eq!(server.ask("GET", &path, Some(&ada), None).await.body["status"], "created", "nothing changed");
    server.end().await;
}

fn without_id(mut body: Value) -> Value {
    body["requestId"] = Value::Null;
    body
}

fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn a_list_shows_ones_own_and_an_admin_everything() {
    let server = Server::new().await;
    let (ada, bob, root) = (token("ada", "editor"), token("bob", "editor"), token("root", "admin"));
    let of_ada = server.project_of(&ada).await;
    let of_bob = server.project_of(&bob).await;
    let listed = async |who: &str| {
        let list = server.ask("GET", "/v1/projects", Some(who), None).await.body;
        let items = list["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&ada).await, [id_of(&of_ada)]);
    assert_eq!(listed(&bob).await, [id_of(&of_bob)]);
    assert_eq!(listed(&root).await, [id_of(&of_bob), id_of(&of_ada)]);
    assert_eq!(server.ask("GET", &of_ada, Some(&root), None).await.status, StatusCode::OK);
    server.end().await;
}

#[tokio::test]
async fn the_same_idempotency_key_of_somebody_else_is_another_key() {
    let server = Server::new().await;
    let create = async |who: &str| {
        let bearer = format!("Bearer {who}");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")].into();
        server.send("POST", "/v1/projects", &headers, Some(json!({ "story": "One." }))).await
    };
    let (ada, bob) = (token("ada", "editor"), token("bob", "editor"));
    let first = create(&ada).await.body["id"].clone();
    assert_eq!(create(&ada).await.body["id"], first);
    let other = create(&bob).await;
    assert_eq!(other.status, StatusCode::CREATED);
    assert_ne!(other.body["id"], first);
    server.end().await;
}

#[tokio::test]
async fn a_ticket_opens_one_project_for_looking_and_nothing_else() {
    let server = Server::new().await;
    let ada = token("ada", "editor");
    let (path, other) = (server.project_of(&ada).await, server.project_of(&ada).await);
    let body = json!({ "projectId": id_of(&path) });
    let ticket = server.ask("POST", "/v1/tickets", Some(&ada), Some(body)).await.body;
    let ticket = ticket["ticket"].as_str().unwrap().to_owned();
    let status = async |method: &str, path: &str| {
        server.ask(method, &format!("{path}?ticket={ticket}"), None, Some(json!({}))).await.status
    };
    assert_eq!(status("GET", &path).await, StatusCode::OK);
    assert_eq!(status("GET", &format!("{path}/tasks")).await, StatusCode::OK);
    assert_eq!(status("GET", &other).await, StatusCode::NOT_FOUND);
    assert_eq!(status("GET", "/v1/projects").await, StatusCode::FORBIDDEN);
    assert_eq!(status("DELETE", &path).await, StatusCode::UNAUTHORIZED);
    let task = first_task(&server, &path, &ada).await;
    assert_eq!(status("GET", &format!("/v1/tasks/{task}")).await, StatusCode::OK);
    server.end().await;
}
