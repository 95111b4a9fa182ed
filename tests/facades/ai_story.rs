//! AI-Story, line by line of its routes.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{at_work, finish, keys, leads_somewhere};
use crate::harness::{Http, World};

/// A story whose shots have pictures.
async fn a_story() -> (World, Http, String) {
    let (world, http) = at_work().await;
    let story = json!({ "content": "A fox found a lamp. It carried it home.", "style": "水墨风" });
    let created = http.ok("POST", "/api/story/create", Some(story)).await;
    let id = created["data"]["storyId"].as_str().unwrap().to_owned();
    let path = format!("/api/story/{id}/shots");
    let all_drawn = |answer: &Value| {
        let shots = answer["data"]["shots"].as_array().unwrap();
        !shots.is_empty() && shots.iter().all(|shot| shot["status"] == "completed")
    };
    http.until(&path, all_drawn).await;
    (world, http, id)
}

#[tokio::test]
async fn a_story_is_completed_from_the_start_and_has_a_title() {
    let (world, http) = at_work().await;
    let story = json!({ "content": "A fox found a lamp.", "style": "水墨风" });
    let created = http.ok("POST", "/api/story/create", Some(story)).await;
    assert_eq!((&created["code"], created["message"].is_string()), (&json!(200), true));
    let data = &created["data"];
    assert_eq!(keys(data), ["createdAt", "status", "storyId", "title"]);
    assert_eq!((&data["status"], &data["title"]), (&json!("completed"), &json!("A fox found a lamp.")));
    let id = data["storyId"].as_str().unwrap();
    let read = http.ok("GET", &format!("/api/story/{id}"), None).await;
    assert_eq!(keys(&read["data"]), ["content", "createdAt", "id", "status", "style", "title"]);
    assert_eq!(read["data"]["style"], "水墨风");
    let status = http.ok("GET", &format!("/api/story/{id}/status"), None).await;
    assert_eq!(status["data"]["status"], "completed");
    finish(world).await;
}

#[tokio::test]
async fn shots_are_listed_in_order_and_shown_alone() {
    let (world, http, id) = a_story().await;
    let listed = http.ok("GET", &format!("/api/story/{id}/shots"), None).await;
    assert_eq!(keys(&listed["data"]), ["shots", "storyId", "storyTitle"]);
    let shot = &listed["data"]["shots"][0];
    let documented = [
        "createdAt",
        "id",
        "imageUrl",
        "narration",
        "prompt",
        "sortOrder",
        "status",
        "storyId",
        "title",
        "transition",
        "updatedAt",
    ];
    assert_eq!(keys(shot), documented);
    assert_eq!((&shot["sortOrder"], &shot["storyId"]), (&json!(1), &json!(id)));
    assert!(leads_somewhere(&http, shot["imageUrl"].as_str().unwrap()).await);
    // Its voice may come meanwhile, which changes its time.
    let timeless = |shot: &Value| {
        let mut shot = shot.clone();
        shot["updatedAt"].take();
        shot
    };
    for path in ["", "/preview"] {
        let alone = http.ok("GET", &format!("/api/shot/{}{path}", shot["id"].as_str().unwrap()), None).await;
        assert_eq!(timeless(&alone["data"]), timeless(shot));
    }
    finish(world).await;
}

#[tokio::test]
async fn a_prompt_starts_a_new_picture_even_unchanged_and_omitted_fields_stay() {
    let (world, http, id) = a_story().await;
    let listed = http.ok("GET", &format!("/api/story/{id}/shots"), None).await;
    let before = &listed["data"]["shots"][0];
    let path = format!("/api/shot/{}", before["id"].as_str().unwrap());
    let update = format!("{path}/update");
    let words = json!({ "narration": "It shone.", "transition": "wipe" });
    assert_eq!(http.ok("POST", &update, Some(words)).await["data"]["status"], "completed");
    let told = http.ok("GET", &path, None).await["data"].clone();
    assert_eq!((&told["prompt"], &told["imageUrl"]), (&before["prompt"], &before["imageUrl"]));
    assert_eq!((&told["narration"], &told["transition"]), (&json!("It shone."), &json!("wipe_left")));
    let again = json!({ "prompt": before["prompt"], "narration": "" });
    assert_eq!(http.ok("POST", &update, Some(again)).await["data"]["status"], "generating");
    let drawn = http.until(&path, |answer| answer["data"]["status"] == "completed").await;
    assert_ne!(drawn["data"]["imageUrl"], before["imageUrl"], "a new picture has a new address");
    assert_eq!(drawn["data"]["narration"], "It shone.", "what is empty was not given");
    finish(world).await;
}

#[tokio::test]
async fn a_video_is_generating_without_an_address_until_it_is_there() {
    let (world, http, id) = a_story().await;
    let preview = format!("/api/story/{id}/preview");
    assert_eq!(http.ask("GET", &preview, &[], None).await.status, 404);
    assert_eq!(http.ok("GET", "/api/story/all", None).await["data"], json!([]));
    let asked = http.ok("POST", &format!("/api/story/{id}/generate-video"), None).await;
    let first = http.ok("GET", &preview, None).await["data"].clone();
    assert_eq!(asked["data"]["id"], first["id"]);
    if first["status"] == "generating" {
        assert_eq!(first["videoUrl"], "");
    }
    let done = http.until(&preview, |answer| answer["data"]["status"] == "completed").await["data"].clone();
    let documented =
        ["createdAt", "duration", "id", "status", "storyId", "thumbnailUrl", "title", "videoUrl"];
    assert_eq!(keys(&done), documented);
    assert!(leads_somewhere(&http, done["videoUrl"].as_str().unwrap()).await);
    assert!(done["duration"].is_u64() && !done["title"].as_str().unwrap().is_empty());
    assert_eq!(http.ok("GET", "/api/story/all", None).await["data"], json!([done]));
    finish(world).await;
}

#[tokio::test]
async fn errors_are_told_in_the_envelope() {
    let (world, http) = at_work().await;
    let unknown = Uuid::now_v7();
    for (method, path, body, status) in [
        ("POST", "/api/story/create".to_owned(), Some(json!({ "content": " " })), 400),
        ("POST", "/api/story/create".to_owned(), Some(json!([1])), 400),
        ("GET", format!("/api/story/{unknown}"), None, 404),
        ("GET", "/api/story/no-id".to_owned(), None, 404),
        ("GET", format!("/api/shot/{unknown}"), None, 404),
        ("POST", format!("/api/shot/{unknown}/update"), Some(json!({ "prompt": "x" })), 404),
    ] {
        let answer = http.ask(method, &path, &[], body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert_eq!(keys(&answer.body), ["code", "data", "message"], "{path}");
        assert_eq!(answer.body["code"], status, "{path}");
    }
    let hand = json!({ "content": "A fox.", "style": "" });
    let id = http.ok("POST", "/api/story/create", Some(hand)).await["data"]["storyId"].clone();
    let id = id.as_str().unwrap();
    let too_long = format!("/api/story/{id}?x={}", "x".repeat(60 * 1024));
    assert_eq!(http.ask("GET", &too_long, &[], None).await.status, 414);
    finish(world).await;
}

#[tokio::test]
async fn a_video_of_a_story_without_shots_is_refused() {
    let world = World::with_engine().await;
    let http = Http::of(&world);
    let created = http.ok("POST", "/api/story/create", Some(json!({ "content": "A fox." }))).await;
    let id = created["data"]["storyId"].as_str().unwrap();
    let refused = http.ask("POST", &format!("/api/story/{id}/generate-video"), &[], None).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (400, &json!(400)));
    assert_eq!(http.ask("DELETE", &format!("/v1/projects/{id}"), &[], None).await.status, 200);
    finish(world).await;
}
