//! Whole sessions of the clients of the systems that this one replaces, request by request as they send them:
//! spellings, empty bodies that are said to be JSON, polls, sockets, and what they put behind addresses of media.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use domain::job::{Failure, Kind, Spec};
use serde_json::{Value, json};
use tower::ServiceExt;
use worker::providers::{JobContext, Made, Provider};

use super::{at_work, finish, keys, leads_somewhere, watched};
use crate::harness::{LONG, World, until};

/// A client that says JSON with every request, whether it has a body or not.
struct Client {
    router: Router,
}

impl Client {
    fn of(world: &World) -> Self {
        Self { router: api::router(world.shared.api(api::Access::default())) }
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("content-type", "application/json").body(Body::from(body.to_owned()));
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 10_000_000).await.unwrap();
        (parts.status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// A success; a busy machine may need a moment to read what was written.
    async fn ok(&self, method: &str, path: &str, body: &str) -> Value {
        until(path, LONG, async || match self.ask(method, path, body).await {
            (StatusCode::SERVICE_UNAVAILABLE, told) => Err(told.to_string()),
            (status, told) => {
                assert_eq!(status, StatusCode::OK, "{method} {path}: {told}");
                Ok(told)
            }
        })
        .await
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text"))
}

/// What a task of the StoryToVideo server always has.
const TASK: [&str; 12] = [
    "id",
    "projectId",
    "type",
    "status",
    "progress",
    "message",
    "parameters",
    "result",
    "error",
    "estimatedDuration",
    "createdAt",
    "updatedAt",
];

/// The desktop client: all in the query, an empty body that is said to be JSON, the socket for each task.
#[tokio::test]
async fn the_desktop_client_makes_a_film() {
    let (world, http) = at_work().await;
    let client = Client::of(&world);
    let health = client.ok("GET", "/v1/api/health", "").await;
    assert_eq!(health["service"], "storytovideo");
    let query = "Title=%E7%81%AF&StoryText=A%20fox%20found%20a%20lamp.%20It%20shone.&Style=film&Desription=d&ShotCount=2";
    let created = client.ok("POST", &format!("/v1/api/projects?{query}"), "").await;
    let project = format!("/v1/api/projects/{}", text(&created["project_id"]));
    let told = watched(&world, &format!("/tasks/{}/wss", text(&created["text_task_id"]))).await;
    let told = told.last().unwrap();
    for field in TASK {
        assert!(!told[field].is_null(), "{field} is always there: {told}");
    }
    let shots = &told["result"]["task_shots"];
    assert_eq!((&shots["total_shots"], shots["total_time"].is_number()), (&json!(2), true));
    let shot = &shots["generated_shots"][0];
    assert_eq!(keys(shot), ["bgm", "narration", "path", "prompt", "scene_id", "title"]);
    for task in created["shot_task_ids"].as_array().unwrap() {
        let last = watched(&world, &format!("/tasks/{}/wss", text(task))).await.pop().unwrap();
        assert_eq!((&last["status"], &last["type"]), (&json!("finished"), &json!("generate_shot")));
        assert!(last["shotId"].is_string() && last["finishedAt"].is_string());
    }
    let listed = client.ok("GET", &format!("{project}/shots"), "").await;
    let shot = &listed["shots"][0];
    assert!(leads_somewhere(&http, text(&shot["imagePath"])).await);
    // It sends a transition as a style, and both what changed and what did not.
    let edit =
        format!("{project}/shots/{}?prompt=A%20red%20fox&style=Ken%20Burns&narration=", text(&shot["id"]));
    let edited = client.ok("POST", &edit, "").await;
    let last = watched(&world, &format!("/tasks/{}/wss", text(&edited["task_id"]))).await.pop().unwrap();
    assert_eq!(last["status"], "finished");
    let after = client.ok("GET", &format!("{project}/shots/{}", text(&shot["id"])), "").await["shot"].clone();
    assert_eq!((&after["transition"], &after["narration"]), (&json!("cut"), &shot["narration"]));
    let voices = client
        .ok("POST", &format!("{project}/tts?voice=&lang=zh&speed=0&sample_rate=16000&format=mp3"), "")
        .await;
    let last = watched(&world, &format!("/tasks/{}/wss", text(&voices["task_id"]))).await.pop().unwrap();
    assert_eq!(last["status"], "finished");
    let film = client.ok("POST", &format!("{project}/video?format=mp4&fps=24&shot_id="), "").await;
    let last = watched(&world, &format!("/tasks/{}/wss", text(&film["task_id"]))).await.pop().unwrap();
    assert_eq!((&last["type"], &last["status"]), (&json!("generate_video"), &json!("finished")));
    let detail = client.ok("GET", &project, "").await["project_detail"].clone();
    assert_eq!((&detail["status"], &detail["description"]), (&json!("ready"), &json!("d")));
    assert!(leads_somewhere(&http, text(&detail["videoUrl"])).await);
    finish(world).await;
}

/// The phone: JSON bodies in camelCase and snake_case, a poll each second, a rename, a new story, a deletion.
#[tokio::test]
async fn the_phone_edits_and_deletes() {
    let (world, http) = at_work().await;
    let client = Client::of(&world);
    let body =
        json!({ "title": "Lamp", "story_text": "A fox.", "style": "动画", "shot_count": 1, "userId": 7 });
    let created = client.ok("POST", "/v1/api/projects", &body.to_string()).await;
    let project = format!("/v1/api/projects/{}", text(&created["project_id"]));
    let is_done = |answer: &Value| answer["task"]["status"] == "finished";
    let task = format!("/v1/api/tasks/{}", text(&created["text_task_id"]));
    assert!(http.until(&task, is_done).await["task"]["startedAt"].is_string());
    let drawn = |answer: &Value| answer["project_detail"]["status"] == "audio_generated";
    let detail = http.until(&project, drawn).await;
    assert_eq!(detail["project_detail"]["style"], "动画");
    assert!(leads_somewhere(&http, text(&detail["project_detail"]["coverImage"])).await);
    let renamed = client.ok("PUT", &project, r#"{"title":"Light","shotCount":0,"storyText":""}"#).await;
    assert_eq!((&renamed["deleted"], &renamed["text_task"]), (&json!(0), &json!("")));
    let told = client.ok("PUT", &project, r#"{"storyText":"A whale sang.","ShotCount":2}"#).await;
    assert_eq!(told["shot_tasks"].as_array().unwrap().len(), 2);
    http.until(&format!("/v1/api/tasks/{}", text(&told["text_task"])), is_done).await;
    let is_told = |answer: &Value| {
        let shots = answer["shots"].as_array().unwrap();
        shots.len() == 2 && shots.iter().all(|shot| shot["status"] == "completed" && shot["audioPath"] != "")
    };
    let shots = http.until(&format!("{project}/shots"), is_told).await["shots"].clone();
    let removed = client.ok("DELETE", &format!("/v1/api/shots/{}", text(&shots[1]["id"])), "").await;
    assert_eq!(removed["shot_id"], shots[1]["id"]);
    let clip = json!({ "shot_id": shots[0]["id"], "fps": 24 }).to_string();
    let clip = client.ok("POST", &format!("{project}/video"), &clip).await;
    http.until(&format!("/v1/api/tasks/{}", text(&clip["task_id"])), is_done).await;
    assert_eq!(client.ok("DELETE", &project, "").await["success"], true);
    for path in [&project, "/v1/api/projects/undefined", "/v1/api/tasks/null", "/v1/api/projects/1/shots/2"] {
        let (status, told) = client.ask("GET", path, "").await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(told["error"].is_string(), "{path}: {told}");
    }
    finish(world).await;
}

/// A client of the gateway walks the chain by hand, and hands each answer to the next step.
#[tokio::test]
async fn a_gateway_client_walks_the_chain() {
    let (world, http) = at_work().await;
    let client = Client::of(&world);
    let done = async |task: &Value| {
        let path = format!("/tasks/{}", text(task));
        http.until(&path, |task| task["status"] == "finished").await
    };
    assert_eq!(client.ok("GET", "/health", "").await["status"], "ok");
    let story = json!({ "story": "A fox found a lamp.", "style": "anime", "scenes": 2 });
    let storyboard = client.ok("POST", "/storyboard", &story.to_string()).await;
    let storyboard = done(&storyboard["task_id"]).await["storyboard"].clone();
    let image_style = json!({ "resolution": "512x512", "num_steps": 4, "cfg_scale": 0, "seed": 0 });
    let frames = json!({ "storyboard": storyboard, "image_style": image_style });
    let frames = client.ok("POST", "/frames", &frames.to_string()).await;
    let frames = done(&frames["task_id"]).await["frames"].clone();
    let video = json!({ "fps": 24, "resolution": "", "transition_duration": 0.5 });
    let clips = json!({ "frames": frames, "video": video });
    let clips = client.ok("POST", "/clips", &clips.to_string()).await;
    let clips = done(&clips["task_id"]).await["clips"].clone();
    let line = |scene: &Value| json!({ "scene_id": scene["scene_id"], "text": scene["narration"] });
    let lines: Vec<Value> = storyboard.as_array().unwrap().iter().map(line).collect();
    let voices = json!({ "lines": lines, "voice": "", "speed": 1.0, "format": "wav" });
    let voices = client.ok("POST", "/narration", &voices.to_string()).await;
    let voices = done(&voices["task_id"]).await["audios"].clone();
    for (number, scene) in storyboard.as_array().unwrap().iter().enumerate() {
        for (list, member) in [(&frames, "frame"), (&clips, "clip"), (&voices, "audio")] {
            assert_eq!(list[number]["scene_id"], scene["scene_id"], "{member}");
            assert!(leads_somewhere(&http, text(&list[number][member])).await, "{member}");
        }
    }
    let film = client.ok("POST", "/render", &story.to_string()).await;
    let path = format!("/tasks/{}/stream", text(&film["job_id"]));
    let seen = http.listen(&path, &[]).await.until_the_end().await;
    assert!(leads_somewhere(&http, text(&seen.last().unwrap()["video"])).await);
    let ended = client.ok("DELETE", &format!("/v1/jobs/{}", text(&film["job_id"])), "").await;
    assert_eq!((&ended["success"], &ended["deleteAT"]), (&json!(false), &json!("")), "it has ended");
    finish(world).await;
}

/// A client of the Web API draft: a storyboard, an edit, a picture and a clip, each polled.
#[tokio::test]
async fn a_client_of_the_web_api_edits_and_generates() {
    let (world, http) = at_work().await;
    let client = Client::of(&world);
    let done = async |task: &Value| {
        let path = format!("/api/tasks/{}/status", text(task));
        http.until(&path, |task| task["status"] == "SUCCESS").await
    };
    let body = json!({ "title": "", "style": "cartoon", "story": "A fox found a lamp." });
    let created = client.ok("POST", "/api/projects/create", &body.to_string()).await;
    assert!(!done(&created["task_id"]).await["result"]["shots"].as_array().unwrap().is_empty());
    let board = format!("/api/projects/{}/storyboard", text(&created["project_id"]));
    let shot = http.until(&board, |board| board["shots"][0]["status"] == "SUCCESS").await["shots"][0].clone();
    let of_shot = format!("/api/shots/{}", text(&shot["id"]));
    let words = json!({ "prompt": "A red fox", "narration": "" }).to_string();
    let edited = client.ok("POST", &format!("{of_shot}/update_prompt"), &words).await;
    assert_eq!((&edited["prompt"], &edited["narration"]), (&json!("A red fox"), &shot["narration"]));
    let image = client.ok("POST", &format!("{of_shot}/generate_image"), "").await;
    let image = done(&image["task_id"]).await["result"]["image_url"].clone();
    assert!(leads_somewhere(&http, text(&image)).await);
    let clip = json!({ "model": "svd_img2vid", "fps": "24", "duration": 2.5 }).to_string();
    let clip = client.ok("POST", &format!("{of_shot}/generate_video"), &clip).await;
    assert!(done(&clip["task_id"]).await["result"]["video_url"].is_string());
    let path = format!("/api/story/{}/shot/{}/generate", text(&created["project_id"]), text(&shot["id"]));
    done(&client.ok("POST", &path, "{}").await["task_id"]).await;
    let (status, told) = client.ask("GET", "/api/tasks/undefined/status", "").await;
    assert_eq!((status, &told["code"]), (StatusCode::NOT_FOUND, &json!(404)));
    finish(world).await;
}

/// AI-Story's phone app: a story, its shots, an edit, the video, and the list with the asset.
#[tokio::test]
async fn the_ai_story_app_makes_a_video() {
    let (world, http) = at_work().await;
    let client = Client::of(&world);
    let body = json!({ "content": "A fox found a lamp.", "style": "梦幻" });
    let created = client.ok("POST", "/api/story/create", &body.to_string()).await["data"].clone();
    assert_eq!(created["status"], "completed");
    let story = format!("/api/story/{}", text(&created["storyId"]));
    assert_eq!(client.ok("GET", &format!("{story}/status"), "").await["data"]["status"], "completed");
    let drawn = |answer: &Value| {
        let shots = answer["data"]["shots"].as_array().unwrap();
        !shots.is_empty() && shots.iter().all(|shot| shot["status"] == "completed")
    };
    let shot = http.until(&format!("{story}/shots"), drawn).await["data"]["shots"][0].clone();
    let of_shot = format!("/api/shot/{}", text(&shot["id"]));
    let edit = json!({ "prompt": "A red fox", "transition": "Volume Mix" }).to_string();
    let edited = client.ok("POST", &format!("{of_shot}/update"), &edit).await;
    // It may be there already.
    assert!(["generating", "completed"].contains(&text(&edited["data"]["status"])), "{edited}");
    let path = format!("{of_shot}/preview");
    let is_new = |answer: &Value| {
        answer["data"]["status"] == "completed" && answer["data"]["imageUrl"] != shot["imageUrl"]
    };
    let redrawn = http.until(&path, is_new).await["data"].clone();
    assert_eq!((&redrawn["transition"], &redrawn["narration"]), (&json!("crossfade"), &shot["narration"]));
    client.ok("POST", &format!("{story}/generate-video"), "").await;
    let preview = format!("{story}/preview");
    let asset = http.until(&preview, |answer| answer["data"]["status"] == "completed").await["data"].clone();
    assert!(leads_somewhere(&http, text(&asset["videoUrl"])).await);
    assert!(leads_somewhere(&http, text(&asset["thumbnailUrl"])).await);
    assert_eq!(client.ok("GET", "/api/story/all", "").await["data"], json!([asset]));
    finish(world).await;
}

/// Fails every storyboard.
#[derive(Debug)]
struct Speechless;

impl Provider for Speechless {
    async fn run(&self, _: &Spec, _: &JobContext) -> Result<Made, Failure> {
        Err(Failure::fail("model_down", "there is nobody to tell it"))
    }
}

#[tokio::test]
async fn a_storyboard_that_fails_is_told_by_each_in_its_own_words() {
    let world = World::with_engine().await;
    world.start_worker("all", Speechless, &Kind::ALL);
    let http = crate::harness::Http::of(&world);
    let client = Client::of(&world);
    let created = client.ok("POST", "/v1/api/projects", r#"{"storyText":"A fox."}"#).await;
    let project = text(&created["project_id"]);
    let path = format!("/v1/api/projects/{project}");
    http.until(&path, |answer| answer["project_detail"]["status"] == "failed").await;
    let task = text(&created["text_task_id"]);
    let told = client.ok("GET", &format!("/v1/api/tasks/{task}"), "").await["task"].clone();
    assert_eq!((&told["status"], &told["error"]), (&json!("failed"), &json!("there is nobody to tell it")));
    let story = client.ok("GET", &format!("/api/story/{project}/status"), "").await;
    assert_eq!(story["data"]["status"], "failed");
    let web = client.ok("GET", &format!("/api/tasks/{task}/status"), "").await;
    assert_eq!((&web["status"], &web["err_msg"]), (&json!("FAILED"), &json!("there is nobody to tell it")));
    let gateway = client.ok("GET", &format!("/tasks/{task}"), "").await;
    assert_eq!(
        (&gateway["status"], &gateway["error"]),
        (&json!("failed"), &json!("there is nobody to tell it"))
    );
    for picture in created["shot_task_ids"].as_array().unwrap() {
        let last = watched(&world, &format!("/tasks/{}/wss", text(picture))).await.pop().unwrap();
        assert_eq!(last["status"], "cancelled", "the socket closes on that too");
    }
    finish(world).await;
}

#[tokio::test]
async fn a_whole_story_fits_into_the_query() {
    let world = World::with_engine().await;
    let client = Client::of(&world);
    let story = "%E7%81%AF".repeat(6_000);
    let created = client.ok("POST", &format!("/v1/api/projects?StoryText={story}&ShotCount=1"), "").await;
    let path = format!("/v1/api/projects/{}", text(&created["project_id"]));
    let detail = client.ok("GET", &path, "").await["project_detail"].clone();
    assert_eq!(text(&detail["storyText"]).chars().count(), 6_000);
    assert_eq!((&detail["videoUrl"], &detail["coverImage"]), (&json!(""), &json!("")));
    client.ok("DELETE", &path, "").await;
    finish(world).await;
}

#[tokio::test]
async fn built_in_shots_are_given_in_developer_mode_only() {
    let (world, http) = at_work().await;
    let body = json!({ "content": "A fox found a lamp." });
    let created = http.ok("POST", "/api/story/create", Some(body)).await["data"]["storyId"].clone();
    let path = format!("/api/story/{}/mock-gen", text(&created));
    let refused = http.ask("POST", &path, &[], None).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::FORBIDDEN, &json!(403)));
    assert!(refused.body["message"].as_str().unwrap().contains("api.developer_mode"));
    let api = api::Api { developer_mode: true, ..world.shared.api(api::Access::default()) };
    let client = Client { router: api::router(api) };
    let given = client.ok("POST", &path, "").await["data"].clone();
    let titles: Vec<&Value> = given["shots"].as_array().unwrap().iter().map(|shot| &shot["title"]).collect();
    assert_eq!(titles, ["Dusk", "Storm", "Dawn"]);
    let drawn = |answer: &Value| {
        answer["data"]["shots"].as_array().unwrap().iter().all(|shot| shot["status"] == "completed")
    };
    http.until(&format!("/api/story/{}/shots", text(&created)), drawn).await;
    finish(world).await;
}

/// The member that tells each façade's errors, with the routes that its table has.
const ROUTES: [(&str, &[&str]); 4] = [
    (
        "error",
        &[
            "GET /v1/api/projects/ID",
            "PUT /v1/api/projects/ID",
            "DELETE /v1/api/projects/ID",
            "GET /v1/api/projects/ID/shots",
            "GET /v1/api/projects/ID/shots/ID",
            "POST /v1/api/projects/ID/shots/ID",
            "DELETE /v1/api/shots/ID",
            "POST /v1/api/projects/ID/video",
            "POST /v1/api/projects/ID/tts",
            "GET /v1/api/tasks/ID",
            "GET /tasks/ID/wss",
        ],
    ),
    (
        "job_id",
        &[
            "GET /v1/jobs/ID",
            "GET /v1/jobs/ID/result",
            "DELETE /v1/jobs/ID",
            "GET /tasks/ID",
            "GET /tasks/ID/stream",
        ],
    ),
    (
        "request_id",
        &[
            "GET /api/projects/ID/storyboard",
            "POST /api/shots/ID/update_prompt",
            "POST /api/shots/ID/generate_image",
            "POST /api/shots/ID/generate_video",
            "POST /api/story/ID/shot/ID/generate",
            "GET /api/tasks/ID/status",
        ],
    ),
    (
        "data",
        &[
            "GET /api/story/ID",
            "GET /api/story/ID/status",
            "GET /api/story/ID/shots",
            "GET /api/shot/ID",
            "GET /api/shot/ID/preview",
            "POST /api/shot/ID/update",
            "POST /api/story/ID/generate-video",
            "GET /api/story/ID/preview",
        ],
    ),
];

#[tokio::test]
async fn what_no_facade_knows_is_404_in_the_words_of_each_also_when_it_is_no_id() {
    let world = World::with_engine().await;
    let client = Client::of(&world);
    let unknown = uuid::Uuid::now_v7().to_string();
    for (member, routes) in ROUTES {
        for (route, id) in routes.iter().flat_map(|route| [(route, unknown.as_str()), (route, "7")]) {
            let route = route.replace("ID", id);
            let (method, path) = route.split_once(' ').unwrap();
            let (status, told) = client.ask(method, path, "").await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{route}: {told}");
            assert!(told.get(member).is_some(), "{route}: {told}");
        }
    }
    world.finish().await;
}
