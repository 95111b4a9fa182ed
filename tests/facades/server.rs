//! The StoryToVideo server, line by line of its routes: in queries and in bodies, as the desktop and the phone send it.

use axum::http::StatusCode;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::{at_work, finish, keys, leads_somewhere, watched};
use crate::harness::{Http, LONG, Served, World};

/// What a project has.
const PROJECT: [&str; 18] = [
    "coverImage",
    "cover_image",
    "createdAt",
    "created_at",
    "description",
    "duration",
    "id",
    "shotCount",
    "shot_count",
    "status",
    "storyText",
    "story_text",
    "style",
    "title",
    "updatedAt",
    "updated_at",
    "videoUrl",
    "video_url",
];

/// What a shot has.
const SHOT: [&str; 17] = [
    "audioPath",
    "bgm",
    "createdAt",
    "description",
    "duration",
    "id",
    "imagePath",
    "narration",
    "negativePrompt",
    "order",
    "projectId",
    "prompt",
    "status",
    "title",
    "transition",
    "updatedAt",
    "videoPath",
];

/// A project of two shots that is created as the desktop client does it, all in the query.
async fn create(http: &Http) -> (String, Value) {
    let query = "Title=Lamp&StoryText=A%20fox%20found%20a%20lamp.%20It%20shone.&Style=%E6%B0%B4%E5%A2%A8%E9%A3%8E&ShotCount=2";
    let created = http.ok("POST", &format!("/v1/api/projects?{query}"), None).await;
    (format!("/v1/api/projects/{}", created["project_id"].as_str().unwrap()), created)
}

/// The same, with pictures and voices.
async fn a_project() -> (World, Http, String) {
    let (world, http) = at_work().await;
    let (path, _) = create(&http).await;
    http.until(&path, |answer| answer["project_detail"]["status"] == "audio_generated").await;
    (world, http, path)
}

async fn ended(http: &Http, task: &Value) -> Value {
    let path = format!("/v1/api/tasks/{}", task.as_str().unwrap());
    let is_ended = |answer: &Value| {
        ["finished", "failed", "cancelled"].contains(&answer["task"]["status"].as_str().unwrap())
    };
    http.until(&path, is_ended).await["task"].clone()
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}

#[tokio::test]
async fn the_server_is_well() {
    let (world, http) = at_work().await;
    let health = http.ok("GET", "/v1/api/health", None).await;
    assert_eq!(health, json!({ "status": "ok", "service": "storytovideo" }));
    finish(world).await;
}

#[tokio::test]
async fn a_project_has_its_tasks_before_its_storyboard_is_done() {
    let world = World::with_engine().await;
    let http = Http::of(&world);
    let (path, created) = create(&http).await;
    assert_eq!(keys(&created), ["project_id", "shot_task_ids", "text_task_id"]);
    let shots = created["shot_task_ids"].as_array().unwrap();
    assert_eq!(shots.len(), 2);
    let task = http.ok("GET", &format!("/v1/api/tasks/{}", shots[0].as_str().unwrap()), None).await;
    assert_eq!(
        (&task["task"]["status"], &task["task"]["type"]),
        (&json!("blocked"), &json!("generate_shot"))
    );
    assert_eq!(task["task"]["parameters"]["depends_on"], json!([created["text_task_id"]]));
    assert!(!has_null(&task), "{task}");
    for (body, count) in [
        (json!({ "story_text": "One. Two.", "shot_count": 3, "title": "x", "desription": "d" }), 3),
        (json!({ "storyText": "One. Two.", "shotCount": 0 }), 5),
    ] {
        let created = http.ok("POST", "/v1/api/projects", Some(body)).await;
        assert_eq!(created["shot_task_ids"].as_array().unwrap().len(), count);
        let path = format!("/v1/api/projects/{}", created["project_id"].as_str().unwrap());
        let detail = http.ok("GET", &path, None).await["project_detail"].clone();
        assert_eq!((&detail["shotCount"], &detail["status"]), (&json!(count), &json!("created")));
        http.ok("DELETE", &path, None).await;
    }
    http.ok("DELETE", &path, None).await;
    finish(world).await;
}

#[tokio::test]
async fn a_project_is_shown_with_its_shots_and_its_newest_task() {
    let (world, http, path) = a_project().await;
    let answer = http.ok("GET", &path, None).await;
    assert_eq!(keys(&answer), ["project_detail", "recent_task", "shots"]);
    assert!(!has_null(&answer), "{answer}");
    let project = &answer["project_detail"];
    assert_eq!(keys(project), PROJECT);
    assert_eq!((&project["style"], &project["title"]), (&json!("水墨风"), &json!("Lamp")));
    assert_eq!(project["createdAt"].as_str().unwrap().len(), "2026-11-21T10:00:00Z".len());
    let shot = &answer["shots"][0];
    assert_eq!(keys(shot), SHOT);
    assert_eq!((&shot["status"], &shot["description"]), (&json!("completed"), &shot["narration"]));
    assert!(leads_somewhere(&http, shot["imagePath"].as_str().unwrap()).await);
    let task = &answer["recent_task"];
    for field in ["id", "projectId", "type", "status", "progress", "message", "parameters", "result", "error"]
    {
        assert!(!task[field].is_null(), "{field}");
    }
    let listed = http.ok("GET", &format!("{path}/shots"), None).await;
    assert_eq!(keys(&listed), ["project_id", "shots", "total_shots"]);
    assert_eq!((&listed["total_shots"], &listed["shots"][0]), (&json!(2), shot));
    let alone = http.ok("GET", &format!("{path}/shots/{}", shot["id"].as_str().unwrap()), None).await;
    assert_eq!(alone, json!({ "shot": shot }));
    finish(world).await;
}

#[tokio::test]
async fn a_new_story_or_count_makes_a_new_storyboard_and_a_rename_does_not() {
    let (world, http, path) = a_project().await;
    let renamed = http.ok("PUT", &format!("{path}?Title=Light&Desription=d"), None).await;
    assert_eq!(keys(&renamed), ["deleted", "project", "shot_tasks", "text_task", "updateAT"]);
    assert_eq!((&renamed["text_task"], &renamed["shot_tasks"]), (&json!(""), &json!([])));
    assert_eq!(
        (&renamed["project"]["title"], &renamed["project"]["description"]),
        (&json!("Light"), &json!("d"))
    );
    let body = json!({ "StoryText": "A whale sang.", "ShotCount": 3 });
    let told = http.ok("PUT", &path, Some(body)).await;
    assert_eq!(told["shot_tasks"].as_array().unwrap().len(), 3);
    assert_eq!(ended(&http, &told["text_task"]).await["status"], "finished");
    let is_told = |answer: &Value| {
        let shots = answer["shots"].as_array().unwrap();
        shots.len() == 3 && shots.iter().all(|shot| shot["status"] == "completed" && shot["audioPath"] != "")
    };
    let after = http.until(&path, is_told).await["project_detail"].clone();
    assert_eq!((&after["title"], &after["storyText"]), (&json!("Light"), &json!("A whale sang.")));
    finish(world).await;
}

#[tokio::test]
async fn a_new_story_cancels_what_is_open() {
    let world = World::with_engine().await;
    let http = Http::of(&world);
    let (path, created) = create(&http).await;
    let told = http.ok("PUT", &path, Some(json!({ "storyText": "A whale sang." }))).await;
    assert_eq!(told["deleted"], 5, "the storyboard, two pictures and two voices");
    let before =
        http.ok("GET", &format!("/v1/api/tasks/{}", created["text_task_id"].as_str().unwrap()), None).await;
    assert_eq!(before["task"]["status"], "cancelled");
    let after = http.ok("GET", &format!("/v1/api/tasks/{}", told["text_task"].as_str().unwrap()), None).await;
    assert_eq!(after["task"]["status"], "pending");
    http.ok("DELETE", &path, None).await;
    finish(world).await;
}

#[tokio::test]
async fn a_shot_that_is_edited_gets_a_new_picture_even_for_the_same_prompt() {
    let (world, http, path) = a_project().await;
    let shot = http.ok("GET", &path, None).await["shots"][0].clone();
    let of_shot = format!("{path}/shots/{}", shot["id"].as_str().unwrap());
    // The desktop client names the transition as a style.
    let query = "title=Dawn&style=wipe&description=It%20shone%20on.";
    let edited =
        http.ok("POST", &format!("{of_shot}?{query}"), Some(json!({ "prompt": shot["prompt"] }))).await;
    assert_eq!(keys(&edited), ["message", "shot_id", "task_id"]);
    let task = ended(&http, &edited["task_id"]).await;
    assert_eq!((&task["status"], &task["shotId"]), (&json!("finished"), &shot["id"]));
    assert_eq!(task["result"]["resource_type"], "image");
    let after = http.ok("GET", &of_shot, None).await["shot"].clone();
    assert_ne!(after["imagePath"], shot["imagePath"], "a new picture has a new path");
    assert_eq!(task["result"]["resource_url"], after["imagePath"]);
    assert_eq!(
        (&after["title"], &after["transition"], &after["narration"], &after["prompt"]),
        (&json!("Dawn"), &json!("wipe_left"), &json!("It shone on."), &shot["prompt"])
    );
    let deleted = http.ok("DELETE", &format!("/v1/api/shots/{}", shot["id"].as_str().unwrap()), None).await;
    assert_eq!(keys(&deleted), ["message", "project_id", "shot_id"]);
    assert_eq!(http.ok("GET", &format!("{path}/shots"), None).await["total_shots"], 1);
    finish(world).await;
}

#[tokio::test]
async fn a_clip_a_film_and_voices_are_made_on_request() {
    let (world, http, path) = a_project().await;
    let shot = http.ok("GET", &path, None).await["shots"][0]["id"].clone();
    let clip = http.ok("POST", &format!("{path}/video?shot_id={}", shot.as_str().unwrap()), None).await;
    assert_eq!(keys(&clip), ["message", "project_id", "shot_id", "task_id"]);
    assert_eq!(clip["shot_id"], shot);
    assert_eq!(ended(&http, &clip["task_id"]).await["result"]["task_video"]["format"], "mp4");
    let voices =
        json!({ "voice": "nobody", "lang": "en", "sample_rate": 24000, "format": "wav", "speed": 1.2 });
    let voices = http.ok("POST", &format!("{path}/tts"), Some(voices)).await;
    assert_eq!(keys(&voices), ["message", "project_id", "task_id"]);
    let batch = ended(&http, &voices["task_id"]).await;
    let tts = &batch["parameters"]["tts"];
    assert_eq!(
        (&tts["voice"], &tts["sample_rate"], &tts["format"]),
        (&json!("nobody"), &json!(24000), &json!("wav"))
    );
    let known = http.ok("GET", &format!("/v1/tasks/{}", voices["task_id"].as_str().unwrap()), None).await;
    let child = format!("/v1/tasks/{}", known["children"][0].as_str().unwrap());
    let used = http.ok("GET", &child, None).await["parameters"].clone();
    assert_eq!((&used["voice"], &used["speed"]), (&json!("nobody"), &json!(1.2)), "they are really used");
    assert_eq!((&batch["type"], &batch["status"]), (&json!("generate_audio"), &json!("finished")));
    let recent = http.ok("GET", &path, None).await["recent_task"]["id"].clone();
    assert_eq!(recent, voices["task_id"], "what a batch consists of does not show");
    let film = json!({ "format": "mp4", "resolution": "640x360", "fps": 12 });
    let film = http.ok("POST", &format!("{path}/video"), Some(film)).await;
    assert_eq!(film["shot_id"], "");
    let task = ended(&http, &film["task_id"]).await;
    assert_eq!((&task["type"], &task["progress"]), (&json!("generate_video"), &json!(100)));
    let video = &task["result"]["task_video"];
    assert_eq!((&video["resolution"], &video["fps"]), (&json!("640x360"), &json!("12")));
    assert_eq!(task["parameters"]["video"]["resolution"], "640x360");
    let project = http.until(&path, |answer| answer["project_detail"]["status"] == "ready").await;
    assert_eq!(project["project_detail"]["videoUrl"], video["path"]);
    assert!(leads_somewhere(&http, video["path"].as_str().unwrap()).await);
    finish(world).await;
}

#[tokio::test]
async fn a_watched_task_is_shown_at_once_and_until_it_has_ended() {
    let (world, http) = at_work().await;
    let (path, created) = create(&http).await;
    let project = created["project_id"].as_str().unwrap();
    let task = created["shot_task_ids"][0].as_str().unwrap();
    let seen = watched(&world, &format!("/tasks/{task}/wss")).await;
    let last = seen.last().unwrap();
    assert_eq!((&last["status"], &last["projectId"]), (&json!("finished"), &json!(project)));
    let path_of_task = format!("/v1/api/tasks/{}", last["id"].as_str().unwrap());
    let asked = http.ok("GET", &path_of_task, None).await["task"].clone();
    assert_eq!(asked["finishedAt"], last["finishedAt"]);
    // The picture's address names the server as the caller did, which was once by a socket.
    let file = |task: &Value| {
        let url = task["result"]["resource_url"].as_str().unwrap().to_owned();
        url.rsplit('/').next().unwrap().to_owned()
    };
    assert_eq!(file(&asked), file(last));
    assert_eq!(asked["result"]["resource_id"], last["result"]["resource_id"]);
    http.until(&path, |answer| answer["project_detail"]["status"] == "audio_generated").await;
    finish(world).await;
}

#[tokio::test]
async fn a_watched_task_that_is_cancelled_closes_its_socket() {
    let world = World::with_engine().await;
    let http = Http::of(&world);
    let (path, created) = create(&http).await;
    let task = created["text_task_id"].as_str().unwrap().to_owned();
    let last = Served::during(&world, async |served| {
        let (mut socket, _) = connect_async(format!("ws://{}/tasks/{task}/wss", served.api)).await.unwrap();
        let first = socket.next().await.unwrap().unwrap().into_text().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&first).unwrap()["status"], "pending");
        http.ok("DELETE", &path, None).await;
        let mut ended = false;
        while let Some(Ok(message)) = tokio::time::timeout(LONG, socket.next()).await.unwrap() {
            ended |= matches!(message, Message::Close(_));
        }
        ended
    })
    .await;
    assert!(last);
    finish(world).await;
}

#[tokio::test]
async fn errors_are_told_in_one_word() {
    let (world, http) = at_work().await;
    let unknown = Uuid::now_v7();
    for (method, path, status) in [
        ("POST", "/v1/api/projects".to_owned(), StatusCode::BAD_REQUEST),
        ("POST", "/v1/api/projects?StoryText=a&ShotCount=many".to_owned(), StatusCode::BAD_REQUEST),
        ("POST", "/v1/api/projects?StoryText=a&ShotCount=500".to_owned(), StatusCode::BAD_REQUEST),
        ("GET", format!("/v1/api/projects/{unknown}"), StatusCode::NOT_FOUND),
        ("GET", "/v1/api/projects/none".to_owned(), StatusCode::NOT_FOUND),
        ("PUT", format!("/v1/api/projects/{unknown}?Title=x"), StatusCode::NOT_FOUND),
        ("DELETE", format!("/v1/api/projects/{unknown}"), StatusCode::NOT_FOUND),
        ("GET", format!("/v1/api/projects/{unknown}/shots"), StatusCode::NOT_FOUND),
        ("POST", format!("/v1/api/projects/{unknown}/video"), StatusCode::NOT_FOUND),
        ("POST", format!("/v1/api/projects/{unknown}/tts"), StatusCode::NOT_FOUND),
        ("POST", format!("/v1/api/projects/{unknown}/shots/{unknown}?prompt=x"), StatusCode::NOT_FOUND),
        ("DELETE", format!("/v1/api/shots/{unknown}"), StatusCode::NOT_FOUND),
        ("GET", format!("/v1/api/tasks/{unknown}"), StatusCode::NOT_FOUND),
        ("GET", format!("/tasks/{unknown}/wss"), StatusCode::NOT_FOUND),
    ] {
        let answer = http.ask(method, &path, &[], None).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert!(
            answer.body["error"].is_string() && keys(&answer.body) == ["error"],
            "{path}: {}",
            answer.body
        );
    }
    finish(world).await;
}
