//! The StoryToVideo gateway, step by step of its chain.

use domain::job::{Failure, Kind, Spec};
use serde_json::{Value, json};
use uuid::Uuid;
use worker::providers::bench::Noted;
use worker::providers::{JobContext, Made, Provider};

use super::{at_work, finish, keys, leads_somewhere};
use crate::harness::{Http, World};

/// Makes everything but clips.
#[derive(Debug, Default)]
struct NoClips(Noted);

impl Provider for NoClips {
    async fn run(&self, spec: &Spec, context: &JobContext) -> Result<Made, Failure> {
        match spec {
            Spec::Video(_) => Err(Failure::fail("no_provider", "nothing here makes clips")),
            spec => self.0.run(spec, context).await,
        }
    }
}

async fn at_work_without_clips() -> (World, Http) {
    let world = World::with_engine().await;
    world.start_worker("all", NoClips::default(), &Kind::ALL);
    let http = Http::of(&world);
    (world, http)
}

/// A task once it has ended.
async fn ended(http: &Http, task: &Value) -> Value {
    let path = format!("/tasks/{}", task.as_str().unwrap());
    let is_ended =
        |answer: &Value| ["finished", "failed", "cancelled"].contains(&answer["status"].as_str().unwrap());
    http.until(&path, is_ended).await
}

/// The project that a task is of, as the canonical API shows it.
async fn project_of(http: &Http, task: &Value) -> Value {
    let task = http.ok("GET", &format!("/v1/tasks/{}", task.as_str().unwrap()), None).await;
    http.ok("GET", &format!("/v1/projects/{}", task["projectId"].as_str().unwrap()), None).await
}

/// The tasks of that project, without batches.
async fn work_of(http: &Http, project: &Value) -> Vec<Value> {
    let path = format!("/v1/projects/{}/tasks", project["id"].as_str().unwrap());
    let tasks = http.ok("GET", &path, None).await["items"].as_array().unwrap().clone();
    tasks.into_iter().filter(|task| task["children"].is_null()).collect()
}

/// Pictures of two scenes.
async fn two_frames(http: &Http) -> Value {
    let storyboard = json!([{ "scene_id": 1, "prompt": "A fox" }, { "scene_id": 2, "prompt": "A lamp" }]);
    let asked = http.ok("POST", "/frames", Some(json!({ "storyboard": storyboard }))).await;
    ended(http, &asked["task_id"]).await["frames"].clone()
}

#[tokio::test]
async fn the_gateway_is_well() {
    let (world, http) = at_work().await;
    assert_eq!(http.ok("GET", "/health", None).await["status"], "ok");
    finish(world).await;
}

#[tokio::test]
async fn a_storyboard_is_made_and_nothing_after_it() {
    let (world, http) = at_work().await;
    let body = json!({ "story": "A fox found a lamp.", "style": "水墨风", "scenes": 2, "id": "theirs-1" });
    let asked = http.ok("POST", "/storyboard", Some(body)).await;
    let done = ended(&http, &asked["task_id"]).await;
    let shape = ["error", "id", "message", "progress", "result", "status", "storyboard", "task_id"];
    assert_eq!(keys(&done), shape);
    assert_eq!(
        (&done["status"], &done["progress"], &done["error"]),
        (&json!("finished"), &json!(100), &json!(""))
    );
    assert_eq!(done["result"]["storyboard"], done["storyboard"]);
    let scenes = done["storyboard"].as_array().unwrap();
    assert_eq!(scenes.len(), 2);
    assert_eq!(keys(&scenes[0]), ["bgm", "narration", "prompt", "scene_id", "title"]);
    let project = project_of(&http, &asked["task_id"]).await;
    assert_eq!((&project["origin"], &project["externalId"]), (&json!("gateway"), &json!("theirs-1")));
    assert_eq!(project["style"], "水墨风");
    assert_eq!(work_of(&http, &project).await.len(), 1, "nothing but the storyboard was made");
    assert_eq!(http.ok("GET", "/v1/projects", None).await["items"], json!([]), "it is in no list");
    assert_eq!(http.ok("GET", "/api/story/all", None).await["data"], json!([]));
    finish(world).await;
}

#[tokio::test]
async fn frames_are_made_of_scenes_that_keep_their_names() {
    let (world, http) = at_work().await;
    let body = json!({
        "storyboard": [
            { "scene_id": 7, "title": "Dusk", "prompt": "A fox", "narration": "It saw.", "bgm": "calm" },
            { "scene_id": "last", "title": "Dawn", "prompt": "A lamp", "narration": "", "bgm": "" },
        ],
        "image_style": { "resolution": "1024x1024", "num_steps": 6, "cfg_scale": 1.5, "seed": 42 },
    });
    let asked = http.ok("POST", "/frames", Some(body)).await;
    let done = ended(&http, &asked["task_id"]).await;
    assert_eq!(done["status"], "finished", "{done}");
    let frames = done["frames"].as_array().unwrap();
    let names: Vec<&Value> = frames.iter().map(|frame| &frame["scene_id"]).collect();
    assert_eq!(names, [&json!(7), &json!("last")]);
    for frame in frames {
        assert!(leads_somewhere(&http, frame["frame"].as_str().unwrap()).await);
    }
    let project = project_of(&http, &asked["task_id"]).await;
    let settings = &project["settings"];
    assert_eq!((&settings["aspect"], &settings["resolution"]), (&json!("1:1"), &json!("1024p")));
    let work = work_of(&http, &project).await;
    assert_eq!(work.len(), 2, "only pictures were made");
    for task in work {
        assert_eq!(task["type"], "generate_shot");
        let parameters = &task["parameters"];
        assert_eq!(
            (&parameters["steps"], &parameters["cfgScale"], &parameters["seed"]),
            (&json!(6), &json!(1.5), &json!(42))
        );
    }
    finish(world).await;
}

#[tokio::test]
async fn clips_are_made_of_frames_that_are_stored_here() {
    let (world, http) = at_work().await;
    let frames = two_frames(&http).await;
    let path = frames[1]["frame"].as_str().unwrap().strip_prefix("http://localhost").unwrap();
    let body = json!({
        "frames": [frames[0], { "scene_id": 2, "frame": path }],
        "video": { "fps": 24, "resolution": "1280x720", "transition_duration": 0.5 },
    });
    let asked = http.ok("POST", "/clips", Some(body)).await;
    let done = ended(&http, &asked["task_id"]).await;
    assert_eq!(done["status"], "finished", "{done}");
    let clips = done["clips"].as_array().unwrap();
    assert_eq!((&clips[0]["scene_id"], &clips[1]["scene_id"]), (&json!(1), &json!(2)));
    assert!(leads_somewhere(&http, clips[1]["clip"].as_str().unwrap()).await);
    let project = project_of(&http, &asked["task_id"]).await;
    let work = work_of(&http, &project).await;
    assert!(work.iter().all(|task| task["type"] == "generate_video" && task["parameters"]["fps"] == 24));
    finish(world).await;
}

#[tokio::test]
async fn clips_that_nothing_can_make_fail_and_say_why() {
    let (world, http) = at_work_without_clips().await;
    let frames = two_frames(&http).await;
    let asked = http.ok("POST", "/clips", Some(json!({ "frames": frames }))).await;
    let done = ended(&http, &asked["task_id"]).await;
    assert_eq!(done["status"], "failed");
    assert!(done["error"].as_str().unwrap().contains("nothing here makes clips"), "{done}");
    finish(world).await;
}

#[tokio::test]
async fn a_voice_is_made_for_each_line() {
    let (world, http) = at_work().await;
    let body = json!({
        "lines": [{ "scene_id": 1, "text": "灯塔亮了。" }, { "scene_id": 2, "text": "The ship came home." }],
        "voice": "nobody", "speed": 1.25, "format": "mp3", "sample_rate": 24000,
    });
    let asked = http.ok("POST", "/narration", Some(body)).await;
    let done = ended(&http, &asked["task_id"]).await;
    let audios = done["audios"].as_array().unwrap();
    assert_eq!((&audios[0]["scene_id"], &audios[1]["scene_id"]), (&json!(1), &json!(2)));
    assert!(leads_somewhere(&http, audios[0]["audio"].as_str().unwrap()).await);
    let project = project_of(&http, &asked["task_id"]).await;
    for task in work_of(&http, &project).await {
        let asked = json!({ "voice": "nobody", "speed": 1.25, "voiceFormat": "mp3", "sampleRate": 24000 });
        assert_eq!((&task["type"], &task["parameters"]), (&json!("generate_audio"), &asked));
    }
    finish(world).await;
}

#[tokio::test]
async fn rendering_runs_the_whole_chain_in_the_way_that_was_asked_for() {
    let (world, http) = at_work_without_clips().await;
    let body = json!({
        "story": "A fox found a lamp.", "style": "anime", "scenes": 2, "width": 639, "height": 360,
        "img_steps": 6, "cfg_scale": 2.5, "fps": 8, "clip_seconds": 3, "speaker": "nobody", "speed": 1.25,
        "bgm": "none",
    });
    let asked = http.ok("POST", "/render", Some(body)).await;
    let words = "the film is made; fps: 8 became 12; resolution: 639x360 became 640x360";
    assert_eq!(asked["message"], words, "what is beyond reach is told");
    assert_eq!((keys(&asked), &asked["error"]), (vec!["error", "job_id", "message"], &json!("")));
    let job = asked["job_id"].as_str().unwrap();
    let seen = http.listen(&format!("/tasks/{job}/stream"), &[]).await.until_the_end().await;
    let last = seen.last().unwrap();
    assert_eq!((&last["status"], &last["progress"]), (&json!("finished"), &json!(100)), "{last}");
    assert!(leads_somewhere(&http, last["video"].as_str().unwrap()).await);
    let bare = http.ok("GET", &format!("/v1/jobs/{job}"), None).await;
    assert_eq!((&bare["type"], &bare["status"]), (&json!("generate_video"), &json!("finished")));
    let video = &bare["result"]["task_video"];
    assert_eq!((&video["resolution"], &video["fps"]), (&json!("640x360"), &json!("12")));
    assert!(bare["result"]["resource_url"].as_str().unwrap().starts_with("/media/film/"));
    let project = project_of(&http, &asked["job_id"]).await;
    let settings = &project["settings"];
    assert_eq!((&settings["voice"], &settings["music"]), (&json!("nobody"), &json!("none")));
    let work = work_of(&http, &project).await;
    let of = |kind: &str| work.iter().find(|task| task["type"] == kind).unwrap();
    assert_eq!(of("generate_shot")["parameters"]["steps"], 6);
    assert_eq!(of("generate_audio")["parameters"]["speed"], 1.25);
    assert_eq!(of("generate_video")["status"], "failed", "the film goes without clips that nothing can make");
    finish(world).await;
}

#[tokio::test]
async fn a_chain_is_stopped_as_a_whole() {
    let world = World::with_engine().await;
    let http = Http::of(&world);
    let asked = http.ok("POST", "/render", Some(json!({ "story": "A fox.", "scenes": 1 }))).await;
    let job = format!("/v1/jobs/{}", asked["job_id"].as_str().unwrap());
    assert_eq!(http.ok("GET", &job, None).await["status"], "blocked");
    assert_eq!(http.ok("DELETE", &job, None).await["success"], true);
    let project = project_of(&http, &asked["job_id"]).await;
    let work = work_of(&http, &project).await;
    assert!(work.len() == 4 && work.iter().all(|task| task["status"] == "cancelled"), "{work:?}");
    assert_eq!(http.ok("DELETE", &job, None).await["success"], true, "once more is the same");
    finish(world).await;
}

#[tokio::test]
async fn errors_have_an_empty_job_a_code_and_a_sentence() {
    let (world, http) = at_work().await;
    let unknown = Uuid::now_v7();
    let none: Option<Value> = None;
    for (method, path, body, status) in [
        ("POST", "/storyboard".to_owned(), Some(json!({ "style": "anime" })), 400),
        ("POST", "/storyboard".to_owned(), Some(json!([1])), 400),
        ("POST", "/storyboard".to_owned(), Some(json!({ "story": "A", "scenes": 500 })), 400),
        ("POST", "/frames".to_owned(), Some(json!({ "storyboard": [] })), 400),
        ("POST", "/frames".to_owned(), Some(json!({ "storyboard": [{ "scene_id": 1 }] })), 400),
        ("POST", "/frames".to_owned(), Some(json!({ "storyboard": vec!["A fox"; 201] })), 400),
        (
            "POST",
            "/frames".to_owned(),
            Some(json!({ "storyboard": ["A fox"], "image_style": { "resolution": "big" } })),
            400,
        ),
        ("POST", "/clips".to_owned(), none.clone(), 400),
        ("POST", "/narration".to_owned(), Some(json!({ "lines": [{ "scene_id": 1 }] })), 400),
        ("POST", "/narration".to_owned(), Some(json!({ "lines": ["Hello"], "speed": "fast" })), 400),
        ("POST", "/render".to_owned(), Some(json!({ "story": "A", "scenes": 0.5 })), 400),
        ("POST", "/v1/generate".to_owned(), Some(json!({ "type": "paint" })), 400),
        ("POST", "/v1/generate".to_owned(), Some(json!({ "type": "generate_shot" })), 400),
        ("GET", format!("/tasks/{unknown}"), none.clone(), 404),
        ("GET", "/tasks/none".to_owned(), none.clone(), 404),
        ("GET", format!("/tasks/{unknown}/stream"), none.clone(), 404),
        ("GET", format!("/v1/jobs/{unknown}"), none.clone(), 404),
        ("DELETE", format!("/v1/jobs/{unknown}"), none, 404),
    ] {
        let answer = http.ask(method, &path, &[], body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert_eq!(keys(&answer.body), ["error", "job_id", "message"], "{path}: {}", answer.body);
        assert!(!answer.body["error"].as_str().unwrap().is_empty() && answer.body["job_id"] == "", "{path}");
    }
    assert_eq!(http.ok("GET", "/v1/projects", None).await["items"], json!([]));
    finish(world).await;
}
