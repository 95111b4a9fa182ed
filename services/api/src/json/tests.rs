//! What is shown is what the tables hold, with addresses that lead back to this server.

use infra::postgres::views::tasks::TaskRow;
use serde_json::{Value, json};

use super::*;

const ID: &str = "018f0000-0000-7000-8000-000000000001";

fn base() -> Base {
    Base::new("http://localhost:8080".to_owned(), None)
}

fn asset(kind: &str, extension: &str) -> Value {
    json!({ "key": format!("{kind}/{}.{extension}", "a".repeat(64)), "bytes": 12, "durationSeconds": 2.5 })
}

fn url(kind: &str, extension: &str) -> String {
    format!("http://localhost:8080/media/{kind}/{}.{extension}", "a".repeat(64))
}

fn film_output() -> Value {
    json!({
        "film": asset("film", "mp4"), "srt": asset("film", "srt"), "vtt": asset("film", "vtt"),
        "poster": asset("film", "jpg"), "width": 1280, "height": 720, "fps": 24, "durationSeconds": 61.5,
        "segments": { "total": 3, "encoded": 2, "reused": 1 }, "warnings": ["quiet"],
    })
}

fn task_row(result: Value) -> TaskRow {
    let row = json!({
        "id": ID, "project_id": ID, "version": 9, "kind": "image", "shot_id": ID, "status": "finished",
        "attempt": 1, "max_attempts": 4, "depends_on": [], "children": null, "parameters": { "seed": 5 }, "worker": "w-1",
        "made_with": { "provider": "builtin", "millis": 80 }, "result": result, "error": null, "reason": null,
        "due_at": null, "created_at": "2026-11-21T10:00:00.123456Z", "started_at": null,
        "finished_at": "2026-11-21T10:00:01Z",
    });
    serde_json::from_value(row).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_task_shows_what_it_made_by_url() {
    let made = json!({ "takeId": ID, "shotId": ID, "asset": asset("image", "png"), "selected": true });
    let task = serde_json::to_value(Task::of(task_row(made), &base())).unwrap();
    assert_eq!(task["type"], "generate_shot");
    assert_eq!(task["progress"], 100);
    assert_eq!(task["provider"], "builtin");
    assert_eq!(task["createdAt"], "2026-11-21T10:00:00.123Z");
    assert_eq!(task["finishedAt"], "2026-11-21T10:00:01.000Z");
    assert_eq!(task["result"]["url"], url("image", "png"));
    assert_eq!(task["result"]["selected"], true);
    for absent in ["startedAt", "error", "model"] {
        assert!(task.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn a_film_task_shows_all_its_files() {
    let row = task_row(json!({ "filmVersion": 2, "film": film_output() }));
    let task = serde_json::to_value(Task::of(row, &base())).unwrap();
    assert_eq!(task["result"]["filmVersion"], 2);
    assert_eq!(task["result"]["url"], url("film", "mp4"));
    assert_eq!(task["result"]["vttUrl"], url("film", "vtt"));
    assert_eq!(task["result"]["durationSeconds"], 61.5);
}

#[test]
fn a_film_has_the_documented_fields() {
    let row = json!({
        "id": ID, "project_id": ID, "version": 1, "quality": "final", "spec_hash": "h",
        "film": film_output(), "incomplete": [ID], "created_at": "2026-11-21T10:00:00Z",
    });
    let film = Film::of(serde_json::from_value(row).unwrap(), true, 2_500, &base());
    let film = serde_json::to_value(film).unwrap();
    let documented = [
        "createdAt",
        "durationSeconds",
        "fps",
        "height",
        "incomplete",
        "posterUrl",
        "quality",
        "renderSeconds",
        "segments",
        "sizeBytes",
        "srtUrl",
        "stale",
        "url",
        "version",
        "vttUrl",
        "warnings",
        "width",
    ];
    assert_eq!(keys(&film), documented);
    assert_eq!(film["renderSeconds"], 2.5);
    assert_eq!(film["segments"], json!({ "total": 3, "encoded": 2, "reused": 1 }));
}

#[test]
fn a_shot_has_the_documented_fields() {
    let take = json!({
        "id": ID, "asset": asset("image", "png"), "spec_hash": "h", "parameters": { "seed": 7 }, "selected_at": 3,
    });
    let row = json!({
        "id": ID, "project_id": ID, "version": 4, "place": 0, "title": "t", "prompt": "p",
        "negative_prompt": "", "narration": "n", "mood": "calm", "transition": null, "duration_seconds": null,
        "locked": false, "status": "completed", "image": take, "video": null, "voice": null,
        "stale": { "image": false, "video": false, "narration": true },
        "created_at": "2026-11-21T10:00:00Z", "updated_at": "2026-11-21T10:00:00Z",
    });
    let shot = serde_json::to_value(Shot::of(serde_json::from_value(row).unwrap(), &base())).unwrap();
    let documented = [
        "createdAt",
        "duration",
        "id",
        "image",
        "locked",
        "mood",
        "narration",
        "negativePrompt",
        "order",
        "projectId",
        "prompt",
        "stale",
        "status",
        "title",
        "transition",
        "updatedAt",
        "version",
    ];
    assert_eq!(keys(&shot), documented);
    assert_eq!(shot["order"], 1);
    assert_eq!(shot["image"]["takeId"], ID);
    assert_eq!(shot["image"]["url"], url("image", "png"));
    assert_eq!(shot["image"]["seed"], 7);
}

#[test]
fn progress_counts_ended_tasks() {
    assert_eq!(percent(0, 0), 0);
    assert_eq!(percent(3, 1), 66);
    assert_eq!(percent(3, 0), 100);
}
