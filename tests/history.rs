//! History over HTTP: a project as it was, back to it, forks, and the same in words.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use domain::job::Kind;
use serde_json::{Value, json};
use worker::providers::bench::Sleeping;

use crate::harness::{LONG, World, ask, get, until};

async fn post(world: &World, path: &str, body: Value) -> Value {
    let answer = ask(world, "POST", path, &[], Some(body)).await;
    assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.body);
    answer.body
}

/// A system at work, with a finished film of two shots.
async fn a_finished_film() -> (World, String) {
    let world = World::with_engine().await;
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    let create = json!({ "story": "One. Two.", "shotCount": 2, "settings": { "autoRender": true } });
    let project = post(&world, "/v1/projects", create).await;
    let path = format!("/v1/projects/{}", project["id"].as_str().unwrap());
    until_ready(&world, &path).await;
    (world, path)
}

async fn until_ready(world: &World, path: &str) -> Value {
    until("the project has a film of today", LONG, async || {
        let project = get(world, path).await;
        let film = &project["film"];
        let ready = project["status"] == "ready" && film["stale"] == false;
        if ready { Ok(project) } else { Err(project.to_string()) }
    })
    .await
}

fn shot_path(path: &str, project: &Value, number: usize) -> String {
    format!("{path}/shots/{}", project["shots"][number - 1]["id"].as_str().unwrap())
}

/// Edits a shot and waits for the new film.
async fn edit(world: &World, path: &str, shot: &str, prompt: &str) -> Value {
    let edited = ask(world, "PATCH", shot, &[], Some(json!({ "prompt": prompt }))).await;
    assert_eq!(edited.status, StatusCode::OK, "{}", edited.body);
    until_ready(world, path).await
}

/// What people make, as it shows; without versions and times.
fn content(project: &Value) -> Value {
    let shots = project["shots"].as_array().unwrap().iter().map(|shot| {
        let take = |kind: &str| shot[kind]["url"].clone();
        json!([shot["title"], shot["prompt"], shot["narration"], take("image"), take("voice"), shot["stale"]])
    });
    json!([project["title"], project["story"], project["style"], shots.collect::<Vec<_>>()])
}

#[tokio::test]
async fn every_version_of_a_project_can_be_seen_and_the_newest_is_what_is_there_now() {
    let (world, path) = a_finished_film().await;
    let before = get(&world, &path).await;
    let seen = before["version"].as_u64().unwrap();
    let now = edit(&world, &path, &shot_path(&path, &before, 1), "A castle").await;
    assert_eq!(get(&world, &format!("{path}?atVersion={}", now["version"])).await, now);
    assert_eq!(get(&world, &format!("{path}?atVersion={seen}")).await, before);
    let first = get(&world, &format!("{path}?atVersion=1")).await;
    assert_eq!((first["version"].as_u64(), first["shots"].as_array().unwrap().len()), (Some(1), 0));
    for never in ["0", "1000000", "18446744073709551615"] {
        let answer = ask(&world, "GET", &format!("{path}?atVersion={never}"), &[], None).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (StatusCode::NOT_FOUND, &json!("version_not_found"))
        );
    }
    for nonsense in ["-1", "x", ""] {
        let answer = ask(&world, "GET", &format!("{path}?atVersion={nonsense}"), &[], None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_restore_brings_the_content_back_cancels_open_work_and_queues_none() {
    let (world, path) = a_finished_film().await;
    let before = get(&world, &path).await;
    let shot = shot_path(&path, &before, 1);
    let edited = edit(&world, &path, &shot, "A castle").await;
    assert_ne!(content(&edited), content(&before));
    let version = &before["version"];
    let stale = ask(
        &world,
        "POST",
        &format!("{path}/restore"),
        &[("if-match", &format!("\"{version}\""))],
        Some(json!({ "version": version })),
    )
    .await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(get(&world, &path).await["version"], edited["version"]);

    let restored = post(&world, &format!("{path}/restore"), json!({ "version": version })).await;
    assert_eq!(content(&restored), content(&before));
    assert_eq!(restored["version"].as_u64(), edited["version"].as_u64().map(|version| version + 1));
    assert_eq!(restored["status"], "ready");
    let shots = get(&world, &format!("{path}/shots")).await;
    assert_eq!(shots["items"], restored["shots"]);
    world.finish().await;
}

#[tokio::test]
async fn a_version_that_never_was_is_neither_restored_nor_forked() {
    let (world, path) = a_finished_film().await;
    let before = get(&world, &path).await;
    for action in ["restore", "fork"] {
        for body in
            [json!({ "version": 0 }), json!({ "version": 100_000 }), json!({}), json!({ "version": -1 })]
        {
            let answer = ask(&world, "POST", &format!("{path}/{action}"), &[], Some(body.clone())).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{action} {body}");
            assert!(answer.body["errors"].to_string().contains("version"), "{}", answer.body);
        }
        let unknown = "/v1/projects/018f0000-0000-7000-8000-000000000001";
        let answer =
            ask(&world, "POST", &format!("{unknown}/{action}"), &[], Some(json!({ "version": 1 }))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(get(&world, &path).await, before);
    assert_eq!(get(&world, "/v1/projects").await["items"].as_array().unwrap().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_fork_is_complete_and_its_film_costs_no_generation() {
    let (world, path) = a_finished_film().await;
    let original = get(&world, &path).await;
    let version = &original["version"];
    let forking = || async {
        let body = Some(json!({ "version": version }));
        ask(&world, "POST", &format!("{path}/fork"), &[("idempotency-key", "f-1")], body).await
    };
    let answer = forking().await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let fork = answer.body;
    assert_ne!(fork["id"], original["id"]);
    assert_eq!(forking().await.body["id"], fork["id"], "the same key is the same fork");
    assert_eq!(content(&fork), content(&original));
    assert_eq!((fork["version"].as_u64(), fork["status"].as_str()), (Some(1), Some("ready")));
    let fork_path = format!("/v1/projects/{}", fork["id"].as_str().unwrap());
    assert_eq!(get(&world, &format!("{fork_path}/tasks")).await["items"], json!([]));
    let takes: Vec<(String, i64)> =
        sqlx::query_as("SELECT asset->>'key', count(*) FROM takes GROUP BY 1 ORDER BY 1")
            .fetch_all(world.pool())
            .await
            .unwrap();
    // The provider of these tests makes the same picture for every shot, and the same voice.
    assert_eq!(takes.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [4, 4], "{takes:?}");

    post(&world, &format!("{fork_path}/film"), json!({})).await;
    let done = until_ready(&world, &fork_path).await;
    assert_eq!(content(&done), content(&original));
    let tasks = get(&world, &format!("{fork_path}/tasks")).await;
    assert_eq!(tasks["items"].as_array().unwrap().len(), 1, "the film alone: {tasks}");
    assert_eq!(get(&world, &path).await, original, "the original is as it was");
    world.finish().await;
}

#[tokio::test]
async fn what_a_fork_asks_for_that_its_original_has_made_is_not_made_again() {
    let (world, path) = a_finished_film().await;
    let original = get(&world, &path).await;
    // From before there were any pictures: the fork asks for all of them itself.
    let history = get(&world, &format!("{path}/history?limit=200")).await;
    let adopted =
        history["items"].as_array().unwrap().iter().find(|event| event["type"] == "StoryboardAdopted");
    let fork = post(&world, &format!("{path}/fork"), json!({ "version": adopted.unwrap()["version"] })).await;
    let fork_path = format!("/v1/projects/{}", fork["id"].as_str().unwrap());
    assert!(fork["shots"][0].get("image").is_none());
    post(&world, &format!("{fork_path}/film"), json!({})).await;
    let done = until_ready(&world, &fork_path).await;
    assert_eq!(content(&done), content(&original));
    let tasks = get(&world, &format!("{fork_path}/tasks")).await;
    let made: BTreeMap<&str, Vec<&Value>> =
        tasks["items"].as_array().unwrap().iter().fold(BTreeMap::new(), |mut made, task| {
            made.entry(task["type"].as_str().unwrap()).or_insert_with(Vec::new).push(task);
            made
        });
    assert_eq!((made["generate_shot"].len(), made["generate_audio"].len()), (2, 2));
    for task in made["generate_shot"].iter().chain(&made["generate_audio"]) {
        let task = domain::ids::TaskId(task["id"].as_str().unwrap().parse().unwrap());
        let row = infra::postgres::views::tasks::find(world.pool(), task).await.unwrap().unwrap();
        assert_eq!(row.made_with.unwrap().millis, 0, "it was there already");
    }
    world.finish().await;
}

#[tokio::test]
async fn history_is_told_in_english_and_in_chinese() {
    let (world, path) = a_finished_film().await;
    let before = get(&world, &path).await;
    edit(&world, &path, &shot_path(&path, &before, 2), "A castle").await;
    let told = async |language: &str| {
        let mut sentences = Vec::new();
        let mut after = 0;
        loop {
            let page =
                get(&world, &format!("{path}/history?describe={language}&limit=7&after={after}")).await;
            let items = page["items"].as_array().unwrap();
            sentences.extend(items.iter().map(|event| event["sentence"].as_str().unwrap().to_owned()));
            match page["nextCursor"].as_str() {
                Some(next) => after = next.parse().unwrap(),
                None => return sentences,
            }
        }
    };
    let english = told("en").await;
    assert_eq!(english[0], "Somebody started the project.");
    let title = before["shots"][1]["title"].as_str().unwrap();
    assert!(english.contains(&format!("Somebody changed the picture of shot 2 “{title}”.")), "{english:?}");
    assert!(english.contains(&"Worker all completed version 1 of the film.".to_owned()), "{english:?}");
    let chinese = told("zh").await;
    assert_eq!(chinese.len(), english.len());
    assert!(chinese.contains(&format!("有人修改了镜头2《{title}》的画面描述。")), "{chinese:?}");
    let plain = get(&world, &format!("{path}/history")).await;
    assert!(plain["items"][0].get("sentence").is_none());
    let unknown = ask(&world, "GET", &format!("{path}/history?describe=fr"), &[], None).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    world.finish().await;
}
