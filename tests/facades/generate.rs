//! `POST /v1/generate` and `/v1/jobs`: one step for a task of the StoryToVideo server.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{at_work, finish, keys, leads_somewhere};
use crate::harness::{Http, LONG, World, until};

async fn asked(http: &Http, body: Value) -> String {
    let answer = http.ok("POST", "/v1/generate", Some(body)).await;
    assert_eq!((keys(&answer), &answer["error"]), (vec!["error", "job_id", "message"], &json!("")));
    answer["job_id"].as_str().unwrap().to_owned()
}

/// A job once it has finished.
async fn finished(http: &Http, job: &str) -> Value {
    http.until(&format!("/v1/jobs/{job}"), |job| job["status"] == "finished").await
}

async fn project_of(http: &Http, job: &str) -> String {
    http.ok("GET", &format!("/v1/tasks/{job}"), None).await["projectId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_belongs_to_one_project_of_the_client_is_one_errand() {
    let (world, http) = at_work().await;
    let told = json!({
        "id": "t-1", "project_id": "p-1", "type": "generate_storyboard", "status": "pending", "message": "",
        "parameters": { "shot_defaults": { "shot_count": 2, "style": "anime", "storyText": "A fox found a lamp." } },
    });
    let storyboard = asked(&http, told).await;
    let done = finished(&http, &storyboard).await;
    assert_eq!((&done["type"], &done["id"]), (&json!("generate_storyboard"), &json!(storyboard)));
    let scenes = http.ok("GET", done["result"]["resource_url"].as_str().unwrap(), None).await;
    assert_eq!(keys(&scenes[0]), ["bgm", "narration", "prompt", "scene_id", "title"]);
    let project = project_of(&http, &storyboard).await;
    let shot = scenes[0]["scene_id"].clone();
    let drawn = json!({
        "id": "t-2", "projectId": "p-1", "type": "generate_shot",
        "parameters": { "shot": { "shotId": shot, "prompt": "A fox by night", "image_width": "1024", "image_height": "1024" } },
    });
    let picture = asked(&http, drawn).await;
    let done = finished(&http, &picture).await;
    assert_eq!((project_of(&http, &picture).await, &done["shotId"]), (project.clone(), &shot));
    let path = done["result"]["resource_url"].as_str().unwrap();
    assert!(
        path.starts_with("/media/image/") && leads_somewhere(&http, &format!("http://localhost{path}")).await
    );
    let theirs = json!({
        "projectId": "p-1", "type": "generate_shot",
        "parameters": { "shot": { "shotId": "s-9", "prompt": "A whale" } },
    });
    let added = asked(&http, theirs.clone()).await;
    finished(&http, &added).await;
    let again = asked(&http, theirs).await;
    finished(&http, &again).await;
    let state = http.ok("GET", &format!("/v1/projects/{project}"), None).await;
    assert_eq!(state["shots"].as_array().unwrap().len(), 3, "the client's own name finds the shot again");
    assert_eq!(state["externalId"], "p-1");
    let voices = asked(&http, json!({ "projectId": "p-1", "type": "generate_audio" })).await;
    let done = finished(&http, &voices).await;
    let audios = http.ok("GET", done["result"]["resource_url"].as_str().unwrap(), None).await;
    assert_eq!(audios.as_array().unwrap().len(), 2, "of the shots that have words");
    finish(world).await;
}

#[tokio::test]
async fn a_project_of_ours_is_worked_on_itself() {
    let (world, http) = at_work().await;
    let body = json!({ "story": "A fox found a lamp.", "shotCount": 1 });
    let key = [("idempotency-key", "one")];
    let created = until("the project can be read", LONG, async || {
        let answer = http.ask("POST", "/v1/projects", &key, Some(body.clone())).await;
        if answer.status == 201 { Ok(answer.body) } else { Err(answer.body.to_string()) }
    });
    let created = created.await;
    let project = created["id"].as_str().unwrap();
    let path = format!("/v1/projects/{project}");
    let ready = http.until(&path, |answer| answer["status"] == "ready").await;
    let shot = &ready["shots"][0]["id"];
    let clip = json!({ "projectId": project, "type": "generate_video", "parameters": { "shot": { "shotId": shot } } });
    let clip = finished(&http, &asked(&http, clip).await).await;
    assert_eq!((&clip["projectId"], &clip["shotId"]), (&json!(project), shot));
    let video = json!({ "fps": 12, "resolution": "640x360", "format": "webm" });
    let film = json!({ "projectId": project, "type": "generate_video", "parameters": { "video": video } });
    let film = finished(&http, &asked(&http, film).await).await;
    let asked_for = &film["parameters"]["video"];
    assert_eq!((&asked_for["resolution"], &asked_for["format"]), (&json!("640x360"), &json!("webm")));
    assert_eq!((&film["projectId"], &film["result"]["task_video"]["fps"]), (&json!(project), &json!("12")));
    let unknown = json!({ "shot": { "shotId": Uuid::now_v7(), "prompt": "A whale" } });
    let unknown = json!({ "projectId": project, "type": "generate_shot", "parameters": unknown });
    assert_eq!(http.ask("POST", "/v1/generate", &[], Some(unknown)).await.status, 404);
    let listed = http.ok("GET", "/v1/projects", None).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "it stays in the list, and nothing comes to it");
    finish(world).await;
}

#[tokio::test]
async fn a_call_without_a_project_brings_what_it_needs() {
    let (world, http) = at_work().await;
    let shot = json!({ "shot": { "shotId": "s-1", "prompt": "A fox", "style": "anime" } });
    let picture = asked(&http, json!({ "id": "t-1", "type": "generate_shot", "parameters": shot })).await;
    let picture = finished(&http, &picture).await;
    let frame = picture["result"]["resource_url"].clone();
    let project =
        http.ok("GET", &format!("/v1/projects/{}", picture["projectId"].as_str().unwrap()), None).await;
    assert_eq!((&project["externalId"], &project["style"]), (&json!("t-1"), &json!("anime")));
    let words =
        json!({ "tts": { "text": "It shone.", "voice": "nobody", "sample_rate": 16000, "format": "mp3" } });
    let voice = asked(&http, json!({ "type": "generate_audio", "parameters": words })).await;
    let voice = finished(&http, &voice).await;
    let tts = &voice["parameters"]["tts"];
    assert_eq!(
        (&tts["voice"], &tts["sample_rate"], &tts["format"]),
        (&json!("nobody"), &json!(16000), &json!("mp3")),
        "what was asked for is told"
    );
    let clip = json!({ "type": "generate_video", "parameters": { "shot": { "frame": frame } } });
    let clip = finished(&http, &asked(&http, clip).await).await;
    assert!(clip["result"]["resource_url"].as_str().unwrap().starts_with("/media/video/"));
    finish(world).await;
}

#[tokio::test]
async fn a_repeated_call_gives_a_shot_and_its_take_once() {
    let world = World::with_engine().await;
    let http = Http::of(&world);
    let drawn = |name: &str| {
        let shot = json!({ "shot": { "shotId": name, "prompt": "A whale" } });
        json!({ "projectId": "p-1", "type": "generate_shot", "parameters": shot })
    };
    let first = asked(&http, drawn("s-1")).await;
    let again = async || {
        until("the shot can be read", LONG, async || {
            let key = [("idempotency-key", "one")];
            let answer = http.ask("POST", "/v1/generate", &key, Some(drawn("s-2"))).await;
            let job = answer.body["job_id"].as_str().filter(|_| answer.status == 200);
            job.map(str::to_owned).ok_or_else(|| answer.body.to_string())
        })
        .await
    };
    let second = again().await;
    assert_eq!(again().await, second);
    let project = http.ok("GET", &format!("/v1/projects/{}", project_of(&http, &first).await), None).await;
    assert_eq!(project["shots"].as_array().unwrap().len(), 2);
    for job in [first, second] {
        assert_eq!(http.ok("DELETE", &format!("/v1/jobs/{job}"), None).await["success"], true);
    }
    finish(world).await;
}

#[tokio::test]
async fn a_job_is_stopped_once_and_a_repeated_call_is_one() {
    let world = World::with_engine().await;
    let http = Http::of(&world);
    let body = json!({ "story": "A fox found a lamp." });
    let key = [("idempotency-key", "one")];
    let asked = async || {
        until("the errand can be read", LONG, async || {
            let answer = http.ask("POST", "/storyboard", &key, Some(body.clone())).await;
            let task = answer.body["task_id"].as_str().filter(|_| answer.status == 200);
            task.map(str::to_owned).ok_or_else(|| answer.body.to_string())
        })
        .await
    };
    let task = asked().await;
    assert_eq!(asked().await, task);
    let other = http.ask("POST", "/storyboard", &key, Some(json!({ "story": "A whale." }))).await;
    assert_eq!((other.status.as_u16(), &other.body["message"]), (400, &json!("idempotency_key_reused")));
    let path = format!("/v1/jobs/{task}");
    let stopped = http.ok("DELETE", &path, None).await;
    assert_eq!((keys(&stopped), &stopped["success"]), (vec!["deleteAT", "error", "success"], &json!(true)));
    assert_eq!(http.ok("GET", &path, None).await["status"], "cancelled");
    let shown = http.ok("GET", &format!("/tasks/{task}"), None).await;
    assert_eq!((&shown["status"], &shown["error"]), (&json!("cancelled"), &json!("cancelled: requested")));
    finish(world).await;
}
