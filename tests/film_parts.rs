//! Films of a part, in another size, of some seconds and in another format, asked for as clients do and made for
//! real.

use std::fs;

use axum::http::StatusCode;
use domain::job::Kind;
use serde_json::{Value, json};
use standalone::stack::builtin;
use worker::providers::bench::Sleeping;

use crate::harness::{LONG, Served, World, ask, get, provider_tools, run, until};

const STORY: &str = "The keeper climbed the stairs and lit the lamp. At midnight the storm came over the sea. \
                     In the morning the ship lay safe in the harbour.";
const KINDS: [Kind; 4] = [Kind::Storyboard, Kind::Image, Kind::Tts, Kind::Film];

/// A small project of three shots, and where it is.
async fn a_project(world: &World) -> (Value, String) {
    let settings = json!({ "resolution": "360p", "fps": 12, "captions": "off", "music": "none" });
    let create = json!({ "story": STORY, "shotCount": 3, "settings": settings });
    let answer = ask(world, "POST", "/v1/projects", &[], Some(create)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let path = format!("/v1/projects/{}", answer.body["id"].as_str().unwrap());
    let project = until("its shots are there", LONG, async || {
        let project = get(world, &path).await;
        let open = get(world, &format!("{path}/tasks?limit=200")).await["items"].as_array().map(Vec::len);
        if project["status"] == "ready" { Ok(project) } else { Err(format!("{open:?} tasks")) }
    })
    .await;
    (project, path)
}

/// Asks for a film, and answers its task when it has finished.
async fn made(world: &World, path: &str, film: Value) -> Value {
    let answer = ask(world, "POST", &format!("{path}/film"), &[], Some(film)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let task = format!("/v1/tasks/{}", answer.body["id"].as_str().unwrap());
    until("the film has finished", LONG, async || {
        let task = get(world, &task).await;
        if task["status"] == "finished" { Ok(task) } else { Err(task.to_string()) }
    })
    .await
}

#[tokio::test]
async fn a_part_of_a_film_in_another_shape_and_format_is_made_for_real() {
    let world = World::with_engine().await;
    world.start_worker("all", builtin(provider_tools().await).unwrap(), &KINDS);
    let (project, path) = a_project(&world).await;
    let shot = |number: usize| project["shots"][number - 1]["id"].clone();
    let whole = made(&world, &path, json!({})).await["result"]["durationSeconds"].as_f64().unwrap();

    let part = json!({ "fromShot": shot(2), "toShot": shot(3), "resolution": "180x320", "fps": 15 });
    let task = made(&world, &path, part.clone()).await;
    assert_eq!(task["parameters"], part, "as it was asked for");
    let film = get(&world, &format!("{path}/film")).await;
    assert_eq!((&film["width"], &film["height"], &film["fps"]), (&json!(180), &json!(320), &json!(15)));
    assert_eq!((&film["version"], &film["segments"]["total"]), (&json!(2), &json!(3)));
    let seconds = film["durationSeconds"].as_f64().unwrap();
    assert!(seconds > 4.0 && seconds < whole - 2.0, "{seconds} s of {whole} s");
    let told = get(&world, &format!("{path}/history?describe=en&limit=200")).await.to_string();
    assert!(told.contains("asked for the film (from shot 2 "), "{told}");

    let task = made(&world, &path, json!({ "maxSeconds": 3, "format": "webm", "quality": "preview" })).await;
    let film = get(&world, &format!("{path}/film")).await;
    assert_eq!(film["durationSeconds"].as_f64().map(f64::round), Some(3.0));
    assert!(film["warnings"][0].as_str().unwrap().starts_with("the film ends after 3.0 s"), "{film}");
    assert!(task["result"]["url"].as_str().unwrap().ends_with(".webm"), "{task}");
    let download =
        ask(&world, "GET", &format!("{path}/film/download"), &[("range", "bytes=0-3")], None).await;
    assert_eq!(download.status, StatusCode::PARTIAL_CONTENT);
    world.finish().await;
}

#[tokio::test]
async fn what_no_film_can_be_is_refused_by_name_and_begins_nothing() {
    let world = World::with_engine().await;
    world.start_worker("all", Sleeping::default(), &KINDS);
    let (project, path) = a_project(&world).await;
    let (first, last) = (&project["shots"][0]["id"], &project["shots"][2]["id"]);
    for (film, field) in [
        (json!({ "fromShot": "018f0000-0000-7000-8000-000000000001" }), "fromShot"),
        (json!({ "toShot": "018f0000-0000-7000-8000-000000000001" }), "toShot"),
        (json!({ "fromShot": 1 }), "fromShot"),
        (json!({ "fromShot": last, "toShot": first }), "fromShot"),
        (json!({ "maxSeconds": 0.5 }), "maxSeconds"),
        (json!({ "maxSeconds": 1e300 }), "maxSeconds"),
        (json!({ "resolution": "1921x1080" }), "resolution"),
        (json!({ "resolution": "4000x4000" }), "resolution"),
        (json!({ "resolution": "99999999999999999999x2" }), "resolution"),
        (json!({ "resolution": 720 }), "resolution"),
        (json!({ "format": "avi" }), "format"),
        (json!({ "fps": 61 }), "fps"),
    ] {
        let answer = ask(&world, "POST", &format!("{path}/film"), &[], Some(film)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}: {}", answer.body);
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
    }
    assert_eq!(get(&world, &path).await["version"], project["version"]);
    world.finish().await;
}

#[tokio::test]
async fn the_command_line_names_the_shots_of_a_part_by_number() {
    let world = World::with_engine().await;
    world.start_worker("all", Sleeping::default(), &KINDS);
    let (made_of, path) = a_project(&world).await;
    let folder = tempfile::tempdir().unwrap();
    Served::during(&world, async |served| {
        let server = format!("http://{}", served.api);
        let project = path.rsplit('/').next().unwrap();
        let part = ["--from-shot", "2", "--to-shot", "3", "--max-seconds", "4.5", "--resolution", "480p"];
        let words = [&["render", project, "--server", &server, "--json"], &part[..]];
        let said = run(folder.path(), &words.concat()).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        let film: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
        assert!(fs::exists(folder.path().join("film.mp4")).unwrap());
        let task = get(&world, &format!("/v1/tasks/{}", film["taskId"].as_str().unwrap())).await;
        let shots = &made_of["shots"];
        let asked = json!({
            "fromShot": shots[1]["id"], "toShot": shots[2]["id"], "maxSeconds": 4.5, "resolution": "480p",
        });
        assert_eq!(task["parameters"], asked);
    })
    .await;
    world.finish().await;
}
