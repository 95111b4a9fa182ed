//! HTTP and the live stream against the whole system: given requests, then responses, events, tables and stream.

use std::time::Duration;

use api::{Access, Listeners};
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use domain::job::Kind;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tower::ServiceExt;
use worker::providers::bench::Sleeping;

use crate::harness::{LONG, World, ask, get, until};

/// A system with every role at work, and a project of two shots that renders itself.
async fn a_project_by_http() -> (World, String) {
    let world = World::with_engine().await;
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    let create = json!({ "story": "One. Two.", "shotCount": 2, "settings": { "autoRender": true } });
    let answer = ask(&world, "POST", "/v1/projects", &[], Some(create)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let path = format!("/v1/projects/{}", answer.body["id"].as_str().unwrap());
    (world, path)
}

async fn until_ready(world: &World, path: &str) -> Value {
    until("the project is ready", LONG, async || {
        let project = get(world, path).await;
        if project["status"] == "ready" && !project["film"].is_null() {
            Ok(project)
        } else {
            Err(project["status"].to_string())
        }
    })
    .await
}

#[tokio::test]
async fn a_story_that_is_posted_becomes_a_film_that_can_be_downloaded() {
    let (world, path) = a_project_by_http().await;
    let project = until_ready(&world, &path).await;
    assert_eq!(project["shots"].as_array().unwrap().len(), 2);
    assert_eq!(project["progress"]["percent"], 100);
    let film = get(&world, &format!("{path}/film")).await;
    assert_eq!((film["version"].as_u64(), film["stale"].as_bool()), (Some(1), Some(false)));
    let part = ask(&world, "GET", &format!("{path}/film/download"), &[("range", "bytes=0-3")], None).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    let history = get(&world, &format!("{path}/history?limit=200")).await;
    let types: Vec<&str> =
        history["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    let finished = types.iter().filter(|event_type| **event_type == "TaskFinished").count();
    assert_eq!(finished, 6, "a storyboard, two pictures, two voices, a film: {types:?}");
    let tasks = get(&world, &format!("{path}/tasks?limit=200")).await;
    assert!(tasks["items"].as_array().unwrap().iter().all(|task| task["status"] == "finished"), "{tasks}");
    world.finish().await;
}

#[tokio::test]
async fn the_second_of_two_who_edit_a_shot_is_told_and_changes_nothing() {
    let (world, path) = a_project_by_http().await;
    let project = until_ready(&world, &path).await;
    let shot = format!("{path}/shots/{}", project["shots"][0]["id"].as_str().unwrap());
    let seen = project["version"].as_u64().unwrap().to_string();
    let tag = format!("\"{seen}\"");
    let edit = |prompt: &str| Some(json!({ "prompt": prompt, "generate": false }));
    let first = ask(&world, "PATCH", &shot, &[("if-match", &tag)], edit("A castle")).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    assert_ne!(first.etag.as_deref(), Some(tag.as_str()));
    assert_eq!(first.body["stale"]["image"], true);
    let second = ask(&world, "PATCH", &shot, &[("if-match", &tag)], edit("A cave")).await;
    assert_eq!(
        (second.status, &second.body["code"]),
        (StatusCode::PRECONDITION_FAILED, &json!("version_mismatch"))
    );
    assert_eq!(get(&world, &shot).await["prompt"], "A castle");
    world.finish().await;
}

#[tokio::test]
async fn bad_requests_get_a_problem_that_says_what_to_do() {
    let world = World::new().await;
    let create = |body: Value| ask(&world, "POST", "/v1/projects", &[], Some(body));
    for (body, field) in [
        (json!({ "story": " \n " }), "story"),
        (json!({ "story": "x".repeat(20_001) }), "story"),
        (json!({ "story": "One.", "shotCount": 0 }), "shotCount"),
        (json!({ "story": "One.", "shotCount": 201 }), "shotCount"),
        (json!({ "story": "One.", "settings": { "fps": 1000 } }), "settings.fps"),
        (json!({ "story": "One.", "unknown": 1 }), "unknown"),
    ] {
        let answer = create(body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}: {}", answer.body);
        assert!(answer.body["errors"].to_string().contains(field), "{field}: {}", answer.body);
        assert!(answer.body["requestId"].is_string());
    }
    let unknown = ask(&world, "GET", "/v1/projects/../../etc/passwd", &[], None).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let elsewhere = ask(&world, "GET", "/v1/projects", &[("origin", "https://evil.example")], None).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    assert_eq!(get(&world, "/v1/projects").await["items"], json!([]));
    world.end().await;
}

#[tokio::test]
async fn the_document_and_its_page_need_nothing_from_elsewhere() {
    let world = World::new().await;
    let document = get(&world, "/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let router = api::router(world.shared.api(Access::default()));
    for (path, content_type) in
        [("/docs", "text/html"), ("/docs/page.js", "text/javascript"), ("/docs/page.css", "text/css")]
    {
        let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with(content_type), "{path}");
        let text = to_bytes(response.into_body(), 100_000).await.unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("://"), "{path} leads elsewhere");
    }
    assert_eq!(ask(&world, "GET", "/docs/other.js", &[], None).await.status, StatusCode::NOT_FOUND);
    world.end().await;
}

#[tokio::test]
async fn the_same_idempotency_key_makes_one_project() {
    let world = World::with_engine().await;
    let create = || {
        let body = json!({ "story": "One.", "shotCount": 1 });
        ask(&world, "POST", "/v1/projects", &[("idempotency-key", "k-1")], Some(body))
    };
    let (first, second) = (create().await, create().await);
    assert_eq!(first.body["id"], second.body["id"]);
    assert_eq!(get(&world, "/v1/projects").await["items"].as_array().unwrap().len(), 1);
    let path = format!("/v1/projects/{}", first.body["id"].as_str().unwrap());
    assert_eq!(ask(&world, "DELETE", &path, &[], None).await.status, StatusCode::OK);
    assert_eq!(ask(&world, "GET", &path, &[], None).await.status, StatusCode::NOT_FOUND);
    world.finish().await;
}

#[tokio::test]
async fn a_key_whose_request_changed_nothing_is_remembered_too() {
    let world = World::with_engine().await;
    let create = json!({ "story": "One.", "shotCount": 1 });
    let project = ask(&world, "POST", "/v1/projects", &[], Some(create)).await.body;
    let path = format!("/v1/projects/{}", project["id"].as_str().unwrap());
    let film = async |key: &str, body: Value| {
        ask(&world, "POST", &format!("{path}/film"), &[("idempotency-key", key)], Some(body)).await
    };
    let first = film("k-1", json!({ "fps": 25 })).await.body["id"].clone();
    // The film of this specification is open, so these make none.
    let in_other_words = json!({ "fps": 25, "format": "mp4", "resolution": "720p" });
    assert_eq!(film("k-2", in_other_words.clone()).await.body["id"], first);
    let reused = film("k-2", json!({ "fps": 30 })).await;
    assert_eq!(
        (reused.status, &reused.body["code"]),
        (StatusCode::CONFLICT, &json!("idempotency_key_reused"))
    );
    let cancel = format!("/v1/tasks/{}/cancel", first.as_str().unwrap());
    assert_eq!(ask(&world, "POST", &cancel, &[], None).await.status, StatusCode::OK);
    assert_eq!(film("k-2", in_other_words).await.body["id"], first, "the same answer as the first time");
    assert_ne!(film("k-3", json!({ "fps": 25 })).await.body["id"], first);
    assert_eq!(ask(&world, "DELETE", &path, &[], None).await.status, StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn a_fork_is_repeated_although_its_source_is_gone() {
    let world = World::with_engine().await;
    let create = json!({ "story": "One.", "shotCount": 1 });
    let project = ask(&world, "POST", "/v1/projects", &[], Some(create)).await.body;
    let path = format!("/v1/projects/{}", project["id"].as_str().unwrap());
    let fork = async || {
        let body = json!({ "version": 1 });
        ask(&world, "POST", &format!("{path}/fork"), &[("idempotency-key", "k")], Some(body)).await
    };
    let first = fork().await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    assert_eq!(ask(&world, "DELETE", &path, &[], None).await.status, StatusCode::OK);
    let again = fork().await;
    assert_eq!((again.status, &again.body["id"]), (StatusCode::CREATED, &first.body["id"]), "{}", again.body);
    world.finish().await;
}

#[tokio::test]
async fn a_version_that_nobody_saw_is_neither_waited_for_nor_taken_as_seen() {
    let (world, path) = a_project_by_http().await;
    let project = until_ready(&world, &path).await;
    let task = get(&world, &format!("{path}/tasks")).await["items"][0]["id"].clone();
    let task = format!("/v1/tasks/{}", task.as_str().unwrap());
    let beyond = project["version"].as_u64().unwrap() + 1;
    for item in [&path, &task] {
        let behind = ask(&world, "GET", &format!("{item}?minVersion={beyond}"), &[], None).await;
        assert_eq!(
            (behind.status, &behind.body["code"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("projection_behind")),
            "{item}"
        );
        assert_eq!(
            ask(&world, "GET", &format!("{item}?minVersion={}", beyond - 1), &[], None).await.status,
            200
        );
    }
    let nobody = "/v1/projects/01900000-0000-7000-8000-000000000000?minVersion=1";
    assert_eq!(ask(&world, "GET", nobody, &[], None).await.status, StatusCode::NOT_FOUND);
    let seen = format!("\"{beyond}\"");
    let edit = ask(&world, "PATCH", &path, &[("if-match", &seen)], Some(json!({ "title": "Mine" }))).await;
    assert_eq!(edit.status, StatusCode::PRECONDITION_FAILED, "{}", edit.body);
    world.finish().await;
}

#[tokio::test]
async fn the_stream_shows_every_version_once_and_in_order() {
    let (world, path) = a_project_by_http().await;
    let listeners = Listeners::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let address = listeners.api.local_addr().unwrap();
    let shutdown = infra::runtime::CancellationToken::new();
    let serving = api::run(listeners, world.shared.api(Access::default()), shutdown.clone());
    let watching = async {
        let (mut socket, _) = connect_async(format!("ws://{address}{path}/stream")).await.unwrap();
        let mut version = None;
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            match message["type"].as_str().unwrap() {
                "snapshot" => version = message["version"].as_u64(),
                "event" => {
                    assert_eq!(message["version"].as_u64(), version.map(|version| version + 1));
                    version = message["version"].as_u64();
                    if message["event"]["type"] == "FilmRendered" {
                        break;
                    }
                }
                _ => {}
            }
        }
        shutdown.cancel();
        version
    };
    let (served, version) = tokio::join!(serving, tokio::time::timeout(Duration::from_secs(60), watching));
    served.unwrap();
    let ready = until_ready(&world, &path).await;
    assert!(version.unwrap() <= ready["version"].as_u64());
    world.finish().await;
}

#[tokio::test]
async fn an_idempotency_key_counts_for_a_day_and_is_another_request_after_that() {
    let world = World::with_engine().await;
    let key = [("idempotency-key", "k")];
    let create = async |path: &str, body: Value| {
        until("the request is dealt with", LONG, async || {
            let answer = ask(&world, "POST", path, &key, Some(body.clone())).await;
            // A busy machine may not have read a change after 2 s.
            if answer.status == 503 { Err(answer.body.to_string()) } else { Ok(answer) }
        })
        .await
    };
    let a_day_later = async |table: &str, time: &str| {
        let sql = format!("UPDATE {table} SET {time} = {time} - interval '24 hours'");
        sqlx::query(&sql).execute(world.pool()).await.unwrap();
    };
    let first = create("/v1/projects", json!({ "story": "One." })).await;
    let other = create("/v1/projects", json!({ "story": "Two." })).await;
    assert_eq!((first.status.as_u16(), other.status.as_u16()), (201, 409));
    a_day_later("command_log", "recorded_at").await;
    let second = create("/v1/projects", json!({ "story": "Two." })).await;
    let again = create("/v1/projects", json!({ "story": "Two." })).await;
    assert_eq!((second.status.as_u16(), &second.body["id"]), (201, &again.body["id"]));
    assert_ne!(first.body["id"], second.body["id"]);
    let hook = |name: &str| json!({ "url": format!("https://example.org/{name}") });
    let first = create("/v1/webhooks", hook("a")).await;
    a_day_later("webhooks", "created_at").await;
    let second = create("/v1/webhooks", hook("b")).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 201), "{}", second.body);
    assert_ne!(first.body["id"], second.body["id"]);
    world.end().await;
}

#[tokio::test]
async fn whoever_leads_forgets_commands_and_reports_that_count_no_more() {
    let world = World::new().await;
    let recorded = |count: u32, age: &str| {
        format!(
            "INSERT INTO command_log (command_id, aggregate_id, version, recorded_at) \
             SELECT gen_random_uuid(), gen_random_uuid(), 1, clock_timestamp() - interval '{age}' \
             FROM generate_series(1, {count})"
        )
    };
    let reported = |days: u32| {
        format!(
            "INSERT INTO external_reports (task_id, signature, recorded_at) \
             VALUES (gen_random_uuid(), '\\x00', clock_timestamp() - interval '{days} days')"
        )
    };
    for sql in [recorded(2_500, "25 hours"), recorded(10, "23 hours"), reported(31), reported(29)] {
        sqlx::query(&sql).execute(world.pool()).await.unwrap();
    }
    world.start_engine();
    until("the old ones are gone", LONG, async || {
        let left = "SELECT (SELECT count(*) FROM command_log), (SELECT count(*) FROM external_reports)";
        match sqlx::query_as(left).fetch_one(world.pool()).await.unwrap() {
            (10_i64, 1_i64) => Ok(()),
            left => Err(format!("{left:?} are left")),
        }
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn projects_are_listed_by_title_and_by_their_last_change_page_by_page() {
    let world = World::with_engine().await;
    let mut paths = Vec::new();
    for title in ["beta", "Alpha", "Ünder", "alpha"] {
        let create = json!({ "story": "One.", "title": title });
        let created = ask(&world, "POST", "/v1/projects", &[], Some(create)).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
        paths.push(format!("/v1/projects/{}", created.body["id"].as_str().unwrap()));
    }
    let edit = ask(&world, "PATCH", &paths[1], &[], Some(json!({ "description": "Edited last" }))).await;
    assert_eq!(edit.status, StatusCode::OK, "{}", edit.body);
    let listed = async |query: &str| {
        let (mut titles, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = get(&world, &format!("/v1/projects?limit=1&{query}{cursor}")).await;
            let items = page["items"].as_array().unwrap();
            titles.extend(items.iter().map(|item| item["title"].as_str().unwrap().to_owned()));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return titles,
            }
        }
    };
    // Titles that differ in case alone are in the order of their ids, which is that of their creation.
    assert_eq!(listed("sort=title").await, ["Alpha", "alpha", "beta", "Ünder"]);
    assert_eq!(listed("sort=-title").await, ["Ünder", "beta", "alpha", "Alpha"]);
    assert_eq!(listed("sort=updatedAt").await, ["Alpha", "alpha", "Ünder", "beta"]);
    assert_eq!(listed("sort=-updatedAt").await, ["beta", "Ünder", "alpha", "Alpha"]);
    assert_eq!(listed("sort=createdAt").await, ["alpha", "Ünder", "Alpha", "beta"]);
    assert_eq!(
        listed("sort=-createdAt").await,
        listed("sort=createdAt").await.into_iter().rev().collect::<Vec<_>>()
    );
    assert_eq!(listed("sort=title&q=ALPHA").await, ["Alpha", "alpha"]);
    let by_title = get(&world, "/v1/projects?limit=1&sort=title").await;
    let mixed = format!("/v1/projects?cursor={}", by_title["nextCursor"].as_str().unwrap());
    let refused = ask(&world, "GET", &mixed, &[], None).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (400, &json!("invalid_cursor")));
    world.end().await;
}
