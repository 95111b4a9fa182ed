//! `storytovideo film` for real: small stories through every built-in provider, killed and called again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use domain::ids::ProjectId;
use domain::project::Event;
use infra::postgres::tail::{self, Place, Recorded};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use standalone::stack::{Servers, Surroundings};
use standalone::tools::Places;
use tempfile::TempDir;

use crate::harness::{LONG, audit, program, run, until};

const STORY: &str = "The keeper climbed the stairs and lit the lamp. At midnight the storm came over the sea. \
                     In the morning the ship lay safe in the harbour.";

/// A folder with a story in it.
fn folder(story: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("story.txt"), story).unwrap();
    folder
}

const MAKE: [&str; 9] =
    ["film", "story.txt", "--data", "data", "--shots", "2", "--quality", "preview", "--json"];

/// Makes the film, and answers the object on the last line.
async fn make(folder: &Path, words: &[&str]) -> Value {
    let said = run(folder, words).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let film: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    for (key, beginning) in [("film", None), ("srt", Some("1\n")), ("vtt", Some("WEBVTT"))] {
        let path = PathBuf::from(film[key].as_str().unwrap());
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(path.is_absolute() && !bytes.is_empty());
        let begins = |words: &str| bytes.starts_with(words.as_bytes());
        assert!(beginning.is_none_or(begins), "{} begins otherwise", path.display());
    }
    film
}

/// The whole log of a data folder that nobody uses. A week passes there: what is remembered for a day is forgotten.
async fn log(folder: &Path) -> Vec<Recorded> {
    let alone = Surroundings::alone(Places::from_environment());
    let servers = Servers::start(&folder.join("data"), alone, &[], &|_| ()).await.unwrap();
    let pool = infra::postgres::connect(&servers.database_url, 2, "test").unwrap();
    let log = until("the log can be read", LONG, async || {
        tail::read_page(&pool, Place::default(), 100_000).await.map_err(|error| error.to_string())
    })
    .await;
    for recorded in &log {
        assert!(audit(&pool, recorded.project).await.is_ok());
    }
    let later = "UPDATE command_log SET recorded_at = recorded_at - interval '7 days'";
    sqlx::query(later).execute(&pool).await.unwrap();
    pool.close().await;
    servers.stop().await.unwrap();
    log
}

/// How often each specification was finished.
fn finished(log: &[Recorded]) -> BTreeMap<&str, usize> {
    let mut finished = BTreeMap::new();
    for recorded in log {
        if let Event::TaskFinished(event) = &recorded.event {
            *finished.entry(event.spec_hash.0.as_str()).or_default() += 1;
        }
    }
    finished
}

#[tokio::test]
async fn a_story_becomes_a_film_and_the_same_command_again_only_exports_it() {
    let folder = folder(STORY);
    let film = make(folder.path(), &MAKE).await;
    assert_eq!(film["shots"], 2);
    assert!(film["durationSeconds"].as_f64().unwrap() > 3.0, "{film}");
    let project: ProjectId = film["projectId"].as_str().unwrap().parse().unwrap();
    for stage in ["storyboard", "pictures", "voices", "film"] {
        assert!(film["stages"][stage].is_number(), "{film}");
    }
    assert_eq!(film.as_object().unwrap().len(), 7, "no more keys than are documented: {film}");
    let before = log(folder.path()).await;
    assert!(before.iter().all(|recorded| recorded.project == project));

    let mp4 = PathBuf::from(film["film"].as_str().unwrap());
    let bytes = fs::read(&mp4).unwrap();
    fs::remove_file(&mp4).unwrap();
    let started = Instant::now();
    let again = make(folder.path(), &MAKE).await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!((&again["projectId"], &again["film"]), (&film["projectId"], &film["film"]));
    assert_eq!(fs::read(&mp4).unwrap(), bytes);
    assert_eq!(log(folder.path()).await.len(), before.len(), "nothing happened");
}

#[tokio::test]
async fn a_film_that_is_killed_again_and_again_goes_on_where_it_was() {
    let folder = folder(STORY);
    for finished_before_the_kill in [1, 3, 5] {
        let mut making = program();
        making.args(MAKE).current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut making = making.spawn().unwrap();
        reach(folder.path(), finished_before_the_kill).await;
        making.kill().await.unwrap();
    }
    make(folder.path(), &MAKE).await;
    let log = log(folder.path()).await;
    let finished = finished(&log);
    assert_eq!(finished.len(), 1 + 2 * 2 + 1, "a storyboard, two pictures, two voices, a film");
    assert!(finished.values().all(|times| *times == 1), "{finished:?}");
    let is_film = |recorded: &&Recorded| matches!(recorded.event, Event::FilmRendered(_));
    assert_eq!(log.iter().filter(is_film).count(), 1);
    assert_nothing_runs_after_its_end(&log);
}

/// Waits until so many tasks have finished, by a look into the database of the process that runs on the folder.
async fn reach(folder: &Path, wanted: i64) {
    until("the film has come so far", 2 * LONG, async || {
        let count = finished_so_far(folder).await?;
        if count >= wanted { Ok(()) } else { Err(format!("{count} finished tasks of {wanted}")) }
    })
    .await;
}

async fn finished_so_far(folder: &Path) -> Result<i64, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let kept = fs::read(folder.join("data/postgres/endpoint.json")).map_err(|error| words(&error))?;
    let endpoint: Value = serde_json::from_slice(&kept).map_err(|error| words(&error))?;
    let (port, password) = (&endpoint["port"], endpoint["password"].as_str().unwrap());
    let url = format!("postgres://storytovideo:{password}@127.0.0.1:{port}/postgres");
    let mut connection = PgConnection::connect(&url).await.map_err(|error| words(&error))?;
    let count = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'TaskFinished'");
    count.fetch_one(&mut connection).await.map_err(|error| words(&error))
}

#[tokio::test]
async fn stories_of_any_script_and_length_become_films() {
    let folder = folder("");
    let film = async |story: &str| {
        fs::write(folder.path().join("story.txt"), story).unwrap();
        let words = ["film", "story.txt", "--data", "data", "--quality", "preview", "--json"];
        let film = make(folder.path(), &words).await;
        let subtitles = fs::read_to_string(film["srt"].as_str().unwrap()).unwrap();
        (film, subtitles)
    };
    for story in
        ["Once.", "🌊🚢🌙", "夜里,灯塔的光照着海面。早晨,船回来了。", "في الليل أضاء الحارس المصباح."]
    {
        let (film, subtitles) = film(story).await;
        assert!(
            film["shots"].as_u64().unwrap() >= 1 && film["durationSeconds"].as_f64().unwrap() > 0.5,
            "{film}"
        );
        let spoken = |text: &str| text.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>();
        let wanted = spoken(story);
        let lines: String =
            subtitles.lines().filter(|line| !line.contains("-->") && line.parse::<u32>().is_err()).collect();
        assert_eq!(spoken(&lines), wanted, "every word of {story:?} is in its subtitles");
    }
}

/// No task is started once it has finished.
fn assert_nothing_runs_after_its_end(log: &[Recorded]) {
    let mut ended = Vec::new();
    for recorded in log {
        match &recorded.event {
            Event::TaskFinished(event) => ended.push(event.task_id),
            Event::TaskStarted(event) => assert!(!ended.contains(&event.task_id), "{recorded:?}"),
            Event::TaskFailed(_) | Event::TaskRetryScheduled(_) => {
                panic!("nothing failed, and yet: {recorded:?}")
            }
            _ => {}
        }
    }
}
