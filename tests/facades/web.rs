//! The Web API draft, line by line of its routes.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{at_work, finish, keys, leads_somewhere};
use crate::harness::{Http, World};

async fn status(http: &Http, task: &Value, awaited: &str) -> Value {
    let path = format!("/api/tasks/{}/status", task.as_str().unwrap());
    http.until(&path, |answer| answer["status"] == awaited).await
}

/// A project with its shots, and the path of its storyboard.
async fn a_storyboard() -> (World, Http, String, Value) {
    let (world, http) = at_work().await;
    let body = json!({ "title": "Lamp", "style": "anime", "story": "A fox found a lamp." });
    let created = http.ok("POST", "/api/projects/create", Some(body)).await;
    assert_eq!(created["shots"], json!([]));
    let done = status(&http, &created["task_id"], "SUCCESS").await;
    assert!(done["err_msg"].is_null() && !done["result"]["shots"].as_array().unwrap().is_empty(), "{done}");
    let path = format!("/api/projects/{}/storyboard", created["project_id"].as_str().unwrap());
    let drawn = |answer: &Value| answer["shots"][0]["status"] == "SUCCESS";
    let shot = http.until(&path, drawn).await["shots"][0].clone();
    (world, http, path, shot)
}

#[tokio::test]
async fn a_storyboard_is_read_with_its_pictures() {
    let (world, http, path, shot) = a_storyboard().await;
    let storyboard = http.ok("GET", &path, None).await;
    assert_eq!(keys(&storyboard), ["project_id", "shots", "updated_at"]);
    assert_eq!(keys(&shot), ["id", "image_url", "narration", "order", "prompt", "status", "video_url"]);
    assert!(leads_somewhere(&http, shot["image_url"].as_str().unwrap()).await);
    finish(world).await;
}

#[tokio::test]
async fn a_prompt_is_changed_without_making_anything() {
    let (world, http, path, shot) = a_storyboard().await;
    let update = format!("/api/shots/{}/update_prompt", shot["id"].as_str().unwrap());
    let changed = http.ok("POST", &update, Some(json!({ "prompt": "A whale" }))).await;
    assert_eq!(
        changed,
        json!({ "id": shot["id"], "prompt": "A whale", "narration": shot["narration"] }),
        "what is omitted stays"
    );
    let after = http.ok("GET", &path, None).await["shots"][0].clone();
    assert_eq!((&after["image_url"], &after["status"]), (&shot["image_url"], &json!("SUCCESS")));
    finish(world).await;
}

#[tokio::test]
async fn pictures_and_clips_are_made_on_request() {
    let (world, http, path, shot) = a_storyboard().await;
    let id = shot["id"].as_str().unwrap();
    let image = json!({ "model": "sd_turbo", "seed": 7, "cfg_scale": 4.5, "steps": 20 });
    let image = http.ok("POST", &format!("/api/shots/{id}/generate_image"), Some(image)).await;
    assert_eq!((keys(&image), &image["status"]), (vec!["status", "task_id"], &json!("QUEUED")));
    let made = status(&http, &image["task_id"], "SUCCESS").await;
    assert_eq!(keys(&made), ["err_msg", "result", "status", "task_id"]);
    assert!(leads_somewhere(&http, made["result"]["image_url"].as_str().unwrap()).await);
    let clip = json!({ "model": "svd_img2vid", "fps": 7, "duration": 2 });
    let clip = http.ok("POST", &format!("/api/shots/{id}/generate_video"), Some(clip)).await;
    let made = status(&http, &clip["task_id"], "SUCCESS").await;
    assert!(made["result"]["video_url"].is_string());
    let project = path.split('/').nth(3).unwrap();
    let again = http.ok("POST", &format!("/api/story/{project}/shot/{id}/generate"), None).await;
    assert_eq!(again["status"], "QUEUED");
    status(&http, &again["task_id"], "SUCCESS").await;
    finish(world).await;
}

#[tokio::test]
async fn errors_have_a_code_and_the_request() {
    let (world, http, _, shot) = a_storyboard().await;
    let (id, unknown) = (shot["id"].as_str().unwrap(), Uuid::now_v7());
    let model = Some(json!({ "model": "gpt" }));
    for (method, path, body, code) in [
        ("POST", "/api/projects/create".to_owned(), Some(json!({})), 400),
        ("GET", format!("/api/projects/{unknown}/storyboard"), None, 404),
        ("POST", format!("/api/shots/{unknown}/update_prompt"), Some(json!({ "prompt": "x" })), 404),
        ("POST", format!("/api/shots/{id}/generate_image"), model, 400),
        ("POST", format!("/api/shots/{id}/generate_image"), Some(json!({ "steps": "many" })), 400),
        ("GET", format!("/api/tasks/{unknown}/status"), None, 404),
        ("GET", "/api/tasks/7/status".to_owned(), None, 404),
    ] {
        let answer = http.ask(method, &path, &[("x-request-id", "r-1")], body).await;
        assert_eq!(answer.status, code, "{path}: {}", answer.body);
        assert_eq!(
            (&answer.body["code"], &answer.body["request_id"]),
            (&json!(code), &json!("r-1")),
            "{path}"
        );
    }
    let image = format!("/api/shots/{id}/generate_image");
    let named = http.ask("POST", &image, &[], Some(json!({ "model": "gpt" }))).await;
    assert!(named.body["message"].as_str().unwrap().contains("sd_turbo"), "{}", named.body);
    finish(world).await;
}

#[tokio::test]
async fn what_the_project_does_not_allow_is_a_business_error() {
    let (world, http, _, shot) = a_storyboard().await;
    let id = shot["id"].as_str().unwrap();
    let projects = http.ask("GET", "/v1/projects", &[], None).await.body;
    let project = projects["items"][0]["id"].as_str().unwrap();
    let lock = Some(json!({ "locked": true }));
    http.ok("PATCH", &format!("/v1/projects/{project}/shots/{id}"), lock).await;
    let refused = http.ask("POST", &format!("/api/shots/{id}/generate_image"), &[], None).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (400, &json!(900)));
    finish(world).await;
}
