//! The commands that ask a running server, as a script and as a person type them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use domain::job::Kind;
use domain::settings::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;
use worker::providers::bench::Sleeping;

use crate::harness::{LONG, Said, Served, World, run, until};

/// Runs a client command against a server.
async fn ask(server: SocketAddr, folder: &Path, words: &[&str]) -> Said {
    let server = format!("http://{server}");
    run(folder, &[words, &["--server", &server]].concat()).await
}

/// The same with `--json`: the objects that it answers.
async fn objects(server: SocketAddr, folder: &Path, words: &[&str]) -> Vec<Value> {
    let said = ask(server, folder, &[words, &["--json"]].concat()).await;
    assert_eq!(said.code, Some(0), "{words:?}: {said:?}");
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn object(server: SocketAddr, folder: &Path, words: &[&str]) -> Value {
    let mut objects = objects(server, folder, words).await;
    assert_eq!(objects.len(), 1, "{words:?}: {objects:?}");
    objects.remove(0)
}

async fn world() -> (World, TempDir) {
    let world = World::with_engine().await;
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("story.txt"), "The keeper lit the lamp. A ship came home.").unwrap();
    (world, folder)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn a_script_makes_a_project_watches_it_edits_a_shot_and_gets_the_film() {
    let (world, folder) = world().await;
    Served::during(&world, async |served| {
        let (server, folder) = (served.api, folder.path());
        let create =
            ["projects", "create", "story.txt", "--shots", "2", "--title", "Lamp", "--set", "fps=30"];
        let project = object(server, folder, &create).await;
        assert_eq!((text(&project["title"]), &project["settings"]["fps"]), ("Lamp", &json!(30)));
        let id = text(&project["id"]);
        let watched = objects(server, folder, &["watch", id]).await;
        assert_eq!(watched[0]["type"], "snapshot");
        let shots = objects(server, folder, &["shots", "list", id]).await;
        assert_eq!(shots.len(), 2);
        let edit = ["shots", "edit", id, "2", "--prompt", "A ship in the fog", "--no-generate"];
        let edited = object(server, folder, &edit).await;
        assert_eq!((&edited["id"], text(&edited["prompt"])), (&shots[1]["id"], "A ship in the fog"));
        assert_eq!(edited["stale"]["image"], true);
        let again = object(server, folder, &["shots", "regenerate", id, "2", "--seed", "7"]).await;
        assert_eq!((text(&again["type"]), &again["parameters"]["seed"]), ("generate_shot", &json!(7)));
        let film = object(server, folder, &["render", id, "--output", "made.mp4"]).await;
        let size = fs::metadata(folder.join("made.mp4")).unwrap().len();
        assert_eq!(film["sizeBytes"], json!(size));
        assert!(!folder.join("made.mp4.part").exists());
        let tasks = objects(server, folder, &["tasks", "list", id]).await;
        assert!(tasks.iter().all(|task| task["status"] == "finished"), "{tasks:?}");
        let history = objects(server, folder, &["history", id, "--after", "1", "--limit", "3"]).await;
        let versions: Vec<u64> = history.iter().map(|event| event["version"].as_u64().unwrap()).collect();
        assert_eq!(versions, [2, 3, 4]);
        let told = objects(server, folder, &["history", id, "--limit", "1", "--describe", "en"]).await;
        assert!(text(&told[0]["sentence"]).len() > 10, "{told:?}");
        let fork = object(server, folder, &["projects", "fork", id, "--version", "1"]).await;
        assert_ne!(fork["id"], project["id"]);
        let before = edited["projectVersion"].as_u64().unwrap() - 1;
        object(server, folder, &["projects", "restore", id, "--version", &before.to_string()]).await;
        let restored = object(server, folder, &["shots", "show", id, "2"]).await;
        assert_eq!(restored["prompt"], shots[1]["prompt"]);
        object(server, folder, &["projects", "delete", text(&fork["id"])]).await;
        let search = ["projects", "list", "--search", "lamp", "--sort", "-title"];
        assert_eq!(objects(server, folder, &search).await.len(), 1);
        object(server, folder, &["projects", "delete", id]).await;
        assert!(objects(server, folder, &["projects", "list"]).await.is_empty());
        let purged = object(server, folder, &["projects", "purge", text(&fork["id"])]).await;
        assert_eq!((&purged["id"], &purged["purged"]), (&fork["id"], &json!(true)));
        let rest = ask(server, folder, &["projects", "purge", "--all"]).await;
        assert!(rest.code == Some(0) && rest.out.contains(id) && rest.out.lines().count() == 1, "{rest:?}");
        assert!(objects(server, folder, &["projects", "list", "--status", "deleted"]).await.is_empty());
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn a_person_sees_tables_that_no_title_can_break_out_of() {
    let (world, folder) = world().await;
    Served::during(&world, async |served| {
        let (server, folder) = (served.api, folder.path());
        let title = "Lamp \u{202e}pmal";
        let created = ask(server, folder, &["projects", "create", "story.txt", "--title", title]).await;
        assert_eq!(created.code, Some(0), "{created:?}");
        let list = ask(server, folder, &["projects", "list"]).await;
        let lines: Vec<&str> = list.out.lines().collect();
        assert!(lines[0].starts_with("ID") && lines[1].contains("Lamp pmal"), "{list:?}");
        let id = lines[1].split_whitespace().next().unwrap();
        let watched = ask(server, folder, &["watch", id]).await;
        assert_eq!(watched.code, Some(0), "{watched:?}");
        assert!(watched.err.contains("storyboard: 1/1 done"), "{watched:?}");
        for words in [
            &["projects", "show", id][..],
            &["tasks", "list", id],
            &["shots", "show", id, "1"],
            &["history", id],
        ] {
            let said = ask(server, folder, words).await;
            assert_eq!(said.code, Some(0), "{said:?}");
            assert!(said.out.lines().count() > 3, "{said:?}");
            let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!said.out.contains(steers), "{said:?}");
        }
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn what_goes_wrong_is_told_in_one_sentence_with_its_exit_code() {
    let (world, folder) = world().await;
    let nothing = Uuid::new_v4().to_string();
    let said = Served::during(&world, async |served| {
        let (server, folder) = (served.api, folder.path());
        let refused = [
            (ask(server, folder, &["projects", "show", &nothing]).await, 1, "project_not_found"),
            (ask(server, folder, &["watch", &nothing]).await, 1, "project_not_found"),
            (ask(server, folder, &["tasks", "retry", &nothing]).await, 1, "task_not_found"),
            (
                ask(server, folder, &["projects", "create", "story.txt", "--set", "fps=9999"]).await,
                64,
                "settings.fps",
            ),
            (ask(server, folder, &["projects", "create", "none.txt"]).await, 64, "none.txt"),
            (ask(server, folder, &["render", &nothing, "--output", "no/folder.mp4"]).await, 64, "folder"),
        ];
        for (said, code, words) in refused {
            assert_eq!((said.code, said.err.lines().count()), (Some(code), 1), "{said:?}");
            assert!(said.err.contains(words) && said.out.is_empty(), "{said:?}");
        }
        server
    })
    .await;
    let gone = ask(said, folder.path(), &["projects", "list"]).await;
    assert_eq!((gone.code, gone.err.lines().count()), (Some(1), 1), "{gone:?}");
    assert!(gone.err.contains("cannot be reached"), "{gone:?}");
    let no_id = run(folder.path(), &["projects", "show", "../../etc"]).await;
    assert_eq!(no_id.code, Some(64), "{no_id:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_failed_film_fails_the_command_that_waits_for_it() {
    let (world, folder) = world().await;
    let project = world.a_film_of(1, Settings::default()).await;
    until("the project can be rendered", LONG, async || {
        let state = world.state(project).await;
        if state.open_tasks().next().is_none() { Ok(()) } else { Err("open tasks".to_owned()) }
    })
    .await;
    Served::during(&world, async |served| {
        let (server, folder, id) = (served.api, folder.path(), project.to_string());
        let paused = crate::harness::answer_of(&world, "POST", "/v1/queues/film/pause", 200, None).await;
        assert_eq!(paused["paused"], true);
        let words = ["render", &id];
        let render = ask(server, folder, &words);
        let cancel = async {
            let task = until("the film is asked for", LONG, async || {
                let state = world.state(project).await;
                let task = state.open_tasks().map(|(id, _)| id).next().ok_or("no film")?;
                let read = infra::postgres::views::tasks::find(world.pool(), task).await.unwrap();
                read.map(|row| row.id).ok_or_else(|| "not read yet".to_owned())
            })
            .await;
            object(server, folder, &["tasks", "cancel", &task.to_string()]).await
        };
        let (render, cancelled) = tokio::join!(render, cancel);
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(render.code, Some(1), "{render:?}");
        assert!(render.err.contains("the film was cancelled (requested)"), "{render:?}");
        assert!(!folder.join("film.mp4").exists());
        crate::harness::answer_of(&world, "POST", "/v1/queues/film/resume", 200, None).await;
    })
    .await;
    world.finish().await;
}
