//! Takes, batches and the trash by HTTP: given requests, then responses, and the tables that everybody reads.

use api::Access;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use domain::job::Kind;
use domain::settings::Settings;
use infra::postgres::views::projects;
use serde_json::{Value, json};
use tower::ServiceExt;
use worker::providers::bench::Sleeping;

use crate::harness::{LONG, World, picture, until};

async fn send(world: &World, request: Request<Body>) -> (StatusCode, Value) {
    let router = api::router(world.shared.api(Access::default()));
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 10_000_000).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn ask(world: &World, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    send(world, request.header("content-type", "application/json").body(body).unwrap()).await
}

async fn get(world: &World, path: &str) -> Value {
    let (status, body) = ask(world, "GET", path, Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

/// Puts one file into a form, by a name that is not to be trusted.
async fn upload(world: &World, path: &str, content: &[u8]) -> (StatusCode, Value) {
    let head = "--line\r\ncontent-disposition: form-data; name=\"file\"; filename=\"../../x.php\"\r\n\r\n";
    let form = [head.as_bytes(), content, b"\r\n--line--\r\n"].concat();
    let request = Request::put(path).header("host", "localhost");
    let request = request.header("content-type", "multipart/form-data; boundary=line");
    send(world, request.body(Body::from(form)).unwrap()).await
}

/// A finished project of two shots: its path, and the paths of its shots.
async fn a_project() -> (World, String, Vec<String>) {
    let world = World::with_engine().await;
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    let project = world.a_film_of(2, Settings::default()).await;
    let path = format!("/v1/projects/{project}");
    until("the project is read", LONG, async || {
        projects::find(world.pool(), project).await.unwrap().ok_or("not yet".to_owned())
    })
    .await;
    settled(&world, &path).await;
    let shots = shots(&world, &path).await;
    (world, path, shots)
}

async fn shots(world: &World, path: &str) -> Vec<String> {
    let shots = get(world, &format!("{path}/shots")).await;
    let ids = shots["items"].as_array().unwrap().iter().map(|shot| shot["id"].as_str().unwrap().to_owned());
    ids.map(|id| format!("{path}/shots/{id}")).collect()
}

async fn settled(world: &World, path: &str) {
    until("nothing is open", LONG, async || {
        let project = get(world, path).await;
        let is_settled = project["status"] == "ready" && project["progress"]["percent"] == 100;
        if is_settled { Ok(()) } else { Err(project["status"].to_string()) }
    })
    .await;
}

/// The batch once it has ended.
async fn ended(world: &World, batch: &Value) -> Value {
    let path = format!("/v1/tasks/{}", batch["id"].as_str().unwrap());
    until("the batch has ended", LONG, async || {
        let task = get(world, &path).await;
        if task["status"] == "finished" { Ok(task) } else { Err(task.to_string()) }
    })
    .await
}

async fn takes(world: &World, shot: &str, kind: &str) -> Vec<Value> {
    let takes = get(world, &format!("{shot}/takes")).await;
    takes["items"].as_array().unwrap().iter().filter(|take| take["kind"] == kind).cloned().collect()
}

#[tokio::test]
async fn candidates_come_as_one_batch_and_any_of_them_can_be_chosen() {
    let (world, path, shots) = a_project().await;
    let (status, batch) =
        ask(&world, "POST", &format!("{}/image", shots[0]), json!({ "candidates": 3, "seed": 5 })).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{batch}");
    assert_eq!(batch["children"].as_array().unwrap().len(), 3);
    assert_eq!(ended(&world, &batch).await["progress"], 100);
    settled(&world, &path).await;
    let made = takes(&world, &shots[0], "image").await;
    assert_eq!(made.len(), 4, "{made:?}");
    let chosen: Vec<&Value> = made.iter().filter(|take| take["chosen"] == true).collect();
    assert_eq!(chosen.len(), 1);
    assert_eq!(chosen[0]["parameters"]["seed"], 5, "the first of the candidates");
    let other = made.iter().find(|take| take["parameters"]["candidate"] == 3).unwrap();
    let choice = json!({ "takeId": other["id"] });
    let (status, shot) = ask(&world, "PUT", &format!("{}/selection", shots[0]), choice.clone()).await;
    assert_eq!(status, StatusCode::OK, "{shot}");
    assert_eq!(shot["image"]["takeId"], other["id"]);
    assert_eq!(shot["stale"]["image"], false);
    let (status, body) = ask(&world, "PUT", &format!("{}/selection", shots[1]), choice).await;
    assert_eq!((status, &body["code"]), (StatusCode::NOT_FOUND, &json!("take_not_found")), "of another shot");
    world.finish().await;
}

#[tokio::test]
async fn a_picture_of_ones_own_is_used_and_what_is_none_changes_nothing() {
    let (world, path, shots) = a_project().await;
    let before = get(&world, &path).await["version"].clone();
    for hostile in [&b"<svg onload=alert(1)>"[..], b"#!/bin/sh", b"", &picture(0)[..60]] {
        let (status, body) = upload(&world, &format!("{}/image", shots[0]), hostile).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    assert_eq!(get(&world, &path).await["version"], before);
    let (status, shot) = upload(&world, &format!("{}/image", shots[0]), &picture(0)).await;
    assert_eq!(status, StatusCode::OK, "{shot}");
    let made = takes(&world, &shots[0], "image").await;
    let own = made.iter().find(|take| take["chosen"] == true).unwrap();
    assert_eq!(own["provider"], "upload");
    let media = shot["image"]["url"].as_str().unwrap().strip_prefix("http://localhost").unwrap().to_owned();
    let request = Request::get(media).header("host", "localhost").body(Body::empty()).unwrap();
    assert_eq!(send(&world, request).await.0, StatusCode::OK);
    let lock = json!({ "locked": true });
    assert_eq!(ask(&world, "PATCH", &shots[0], lock).await.0, StatusCode::OK);
    let (status, body) = upload(&world, &format!("{}/image", shots[0]), &picture(0)).await;
    assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("shot_locked")));
    world.finish().await;
}

#[tokio::test]
async fn music_of_ones_own_is_the_projects_until_it_is_taken_away() {
    let (world, path, _) = a_project().await;
    let music = format!("{path}/music");
    assert_eq!(
        upload(&world, &music, b"#EXTM3U\nfile:///etc/passwd").await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let (status, project) = upload(&world, &music, b"RIFF\x24\0\0\0WAVEfmt ").await;
    assert_eq!(status, StatusCode::OK, "{project}");
    assert_eq!(project["settings"]["music"], "own");
    assert!(project["music"]["url"].as_str().unwrap().ends_with(".wav"));
    let (_, project) = ask(&world, "PATCH", &path, json!({ "settings": { "music": "calm" } })).await;
    assert_eq!(project["settings"]["music"], "calm");
    let (status, project) = ask(&world, "DELETE", &music, Value::Null).await;
    assert_eq!((status, project["music"].is_null()), (StatusCode::OK, true));
    world.finish().await;
}

#[tokio::test]
async fn shots_come_go_and_change_places() {
    let (world, path, before) = a_project().await;
    let new = json!({ "order": 1, "prompt": "A pier", "narration": "They waited.", "generate": false });
    let (status, added) = ask(&world, "POST", &format!("{path}/shots"), new).await;
    assert_eq!((status, &added["order"]), (StatusCode::CREATED, &json!(1)), "{added}");
    let mut order: Vec<String> = shots(&world, &path).await;
    assert_eq!(order.len(), 3);
    order.reverse();
    let ids: Vec<&str> = order.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
    let (status, body) = ask(&world, "PUT", &format!("{path}/shots/order"), json!({ "shots": ids })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(shots(&world, &path).await, order);
    let too_few = json!({ "shots": ids[..2] });
    let (status, _) = ask(&world, "PUT", &format!("{path}/shots/order"), too_few).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, removed) = ask(&world, "DELETE", &before[0], Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{removed}");
    assert_eq!(ask(&world, "GET", &before[0], Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(shots(&world, &path).await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn work_in_bulk_is_estimated_made_and_followed_as_one_task() {
    let (world, path, shots) = a_project().await;
    for shot in &shots {
        let edit = json!({ "prompt": "Somewhere else", "generate": false });
        assert_eq!(ask(&world, "PATCH", shot, edit).await.0, StatusCode::OK);
    }
    let estimate = get(&world, &format!("{path}/estimate?only=stale")).await;
    assert_eq!(estimate["tasks"], 2, "{estimate}");
    assert_eq!(estimate["kinds"][0]["kind"], "image");
    let (status, batch) = ask(&world, "POST", &format!("{path}/generate"), json!({ "only": "stale" })).await;
    assert_eq!((status, batch["children"].as_array().unwrap().len()), (StatusCode::ACCEPTED, 2), "{batch}");
    ended(&world, &batch).await;
    let (status, nothing) = ask(&world, "POST", &format!("{path}/retry"), Value::Null).await;
    assert_eq!((status, &nothing["code"]), (StatusCode::CONFLICT, &json!("nothing_to_do")), "nothing failed");
    let (status, nothing) =
        ask(&world, "POST", &format!("{path}/generate"), json!({ "only": "stale" })).await;
    assert_eq!(
        (status, &nothing["code"]),
        (StatusCode::CONFLICT, &json!("nothing_to_do")),
        "nothing is stale"
    );
    let wrong = json!({ "kinds": ["film"] });
    let (status, body) = ask(&world, "POST", &format!("{path}/generate"), wrong).await;
    assert_eq!((status, &body["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("not_a_shot_kind")));
    world.finish().await;
}

#[tokio::test]
async fn the_storyboard_is_made_again_around_what_was_done_by_hand() {
    let (world, path, shots_before) = a_project().await;
    let edit = json!({ "title": "By hand", "generate": false });
    assert_eq!(ask(&world, "PATCH", &shots_before[0], edit).await.0, StatusCode::OK);
    let (status, task) = ask(&world, "POST", &format!("{path}/storyboard"), Value::Null).await;
    assert_eq!((status, &task["type"]), (StatusCode::ACCEPTED, &json!("generate_storyboard")), "{task}");
    ended(&world, &task).await;
    settled(&world, &path).await;
    assert_eq!(shots(&world, &path).await[0], shots_before[0]);
    let by_force = json!({ "force": true, "shotCount": 3 });
    let (_, task) = ask(&world, "POST", &format!("{path}/storyboard"), by_force).await;
    ended(&world, &task).await;
    settled(&world, &path).await;
    assert!(!shots(&world, &path).await.contains(&shots_before[0]));
    world.finish().await;
}

#[tokio::test]
async fn a_deleted_project_is_listed_in_the_trash_and_comes_back_whole() {
    let (world, path, shots) = a_project().await;
    assert_eq!(ask(&world, "DELETE", &path, Value::Null).await.0, StatusCode::OK);
    assert_eq!(get(&world, "/v1/projects").await["items"], json!([]));
    let trash = get(&world, "/v1/projects?status=deleted").await;
    assert!(trash["items"][0]["deletedAt"].is_string(), "{trash}");
    let (status, project) = ask(&world, "POST", &format!("{path}/undelete"), Value::Null).await;
    assert_eq!(
        (status, project["shots"].as_array().unwrap().len()),
        (StatusCode::OK, shots.len()),
        "{project}"
    );
    assert_eq!(get(&world, "/v1/projects?status=deleted").await["items"], json!([]));
    world.finish().await;
}
