//! A project goes elsewhere in a ZIP file and comes back whole; hostile files change nothing.

use std::io::{Cursor, Read, Write};

use api::Access;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use chrono::{DateTime, Utc};
use domain::asset::AssetKey;
use domain::ids::ProjectId;
use domain::job::Kind;
use domain::project::{Command, Event, ForeignHistory, Project, ProjectAssigned, ProjectRenamed};
use domain::settings::Settings;
use futures::future::join;
use infra::media::MediaFolder;
use infra::postgres::audit::{Finding, verify};
use infra::postgres::event_store::chain;
use infra::postgres::tail::{self, Place};
use infra::postgres::transfer::{Import, StoredEvent};
use serde_json::Value;
use serde_json::value::RawValue;
use tower::ServiceExt;
use uuid::Uuid;
use worker::providers::bench::Sleeping;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::harness::{LONG, World, ask as ask_json, audit, creation, envelope, until};

/// What is in an archive, by name.
type Files = Vec<(String, Vec<u8>)>;

async fn ask(world: &World, request: Request<Body>) -> (StatusCode, Vec<u8>) {
    let router = api::router(world.shared.api(Access::default()));
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    (status, to_bytes(response.into_body(), 100_000_000).await.unwrap().to_vec())
}

async fn get(world: &World, path: &str) -> (StatusCode, Vec<u8>) {
    ask(world, Request::get(path).header("host", "localhost").body(Body::empty()).unwrap()).await
}

async fn get_json(world: &World, path: &str) -> Value {
    let (status, body) = get(world, path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

async fn import(world: &World, archive: Vec<u8>) -> (StatusCode, Value) {
    let request = Request::post("/v1/projects/import").header("host", "localhost");
    let request = request.header("content-type", "application/zip").header("idempotency-key", "the-import");
    let (status, body) = ask(world, request.body(Body::from(archive)).unwrap()).await;
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// A finished film of two shots, exported, and the project as it was then.
async fn exported() -> (World, String, Value, Vec<u8>) {
    let world = World::with_engine().await;
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    let settings = Settings { auto_render: true, ..Settings::default() };
    let path = format!("/v1/projects/{}", world.a_film_of(2, settings).await);
    let project = until("the film is there", LONG, async || {
        let (_, body) = get(&world, &path).await;
        let project: Value = serde_json::from_slice(&body).unwrap();
        let done = project["status"] == "ready" && project["film"].is_object();
        if done { Ok(project) } else { Err(project.to_string()) }
    })
    .await;
    let (status, archive) = get(&world, &format!("{path}/export")).await;
    assert_eq!(status, StatusCode::OK);
    (world, path, project, archive)
}

fn unzip(archive: &[u8]) -> Files {
    let mut zip = ZipArchive::new(Cursor::new(archive)).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    let mut read = |name: String| {
        let mut content = Vec::new();
        zip.by_name(&name).unwrap().read_to_end(&mut content).unwrap();
        (name, content)
    };
    names.into_iter().map(&mut read).collect()
}

fn zip(files: &Files) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The archive with one file changed.
fn with(archive: &[u8], name: &str, change: impl FnOnce(String) -> String) -> Vec<u8> {
    let mut files = unzip(archive);
    let (_, content) = files.iter_mut().find(|(known, _)| known == name).unwrap();
    *content = change(String::from_utf8(std::mem::take(content)).unwrap()).into_bytes();
    zip(&files)
}

async fn count(world: &World, table: &str) -> i64 {
    sqlx::query_scalar(&format!("SELECT count(*) FROM {table}")).fetch_one(world.pool()).await.unwrap()
}

#[tokio::test]
async fn an_exported_project_comes_back_elsewhere_with_its_history_media_and_film() {
    let (world, path, project, archive) = exported().await;
    let names: Vec<String> = unzip(&archive).into_iter().map(|(name, _)| name).collect();
    for name in ["project.json", "history.jsonl", "film.mp4", "film.srt", "film.vtt", "film.jpg"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
    let elsewhere = World::with_engine().await;
    let (status, imported) = import(&elsewhere, archive.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{imported}");
    for same in ["id", "title", "story", "style", "settings", "status", "createdAt"] {
        assert_eq!(imported[same], project[same], "{same}");
    }
    assert_eq!(imported["shots"], project["shots"]);
    assert_eq!(imported["film"], project["film"]);
    let (version, before) = (imported["version"].as_u64().unwrap(), project["version"].as_u64().unwrap());
    assert_eq!(version, before + 1, "the import itself is an event");
    let at_export = get_json(&elsewhere, &format!("{path}?atVersion={before}")).await;
    assert_eq!(at_export, project);
    let (status, film) = get(&elsewhere, &format!("{path}/film/download")).await;
    assert_eq!((status, film), (StatusCode::OK, get(&world, &format!("{path}/film/download")).await.1));

    let id = project["id"].as_str().unwrap().parse().unwrap();
    let mut findings: Vec<Finding> = Vec::new();
    let kept = std::collections::BTreeMap::new();
    let events = verify(elsewhere.pool(), id, &kept, |finding| findings.push(finding)).await.unwrap();
    assert_eq!((events, findings), (version, Vec::new()));
    let (status, again) = import(&elsewhere, archive.clone()).await;
    assert_eq!((status, &again["version"]), (StatusCode::CREATED, &imported["version"]), "the same key");
    elsewhere.finish().await;

    let (status, there) = import(&world, archive).await;
    assert_eq!((status, &there["code"]), (StatusCode::CONFLICT, &Value::from("project_exists")));
    world.finish().await;
}

#[tokio::test]
async fn what_was_open_elsewhere_is_cancelled_and_runs_only_when_it_is_asked_for() {
    let world = World::new().await;
    let project = world.a_film_of(3, Settings { auto_render: true, ..Settings::default() }).await;
    let path = format!("/v1/projects/{project}");
    world.start_engine();
    until("the project is shown", LONG, async || match get(&world, &path).await.0 {
        StatusCode::OK => Ok(()),
        status => Err(status.to_string()),
    })
    .await;
    let (_, archive) = get(&world, &format!("{path}/export")).await;
    world.end().await;

    let elsewhere = World::with_engine().await;
    let (status, imported) = import(&elsewhere, archive).await;
    assert_eq!(status, StatusCode::CREATED, "{imported}");
    let tasks = get_json(&elsewhere, &format!("{path}/tasks")).await;
    let tasks = tasks["items"].as_array().unwrap();
    assert_eq!(tasks.len(), 7, "a storyboard, three pictures, three voices");
    assert!(tasks.iter().all(|task| task["status"] == "cancelled" && task["message"] == "imported"));
    let board = tasks.iter().find(|task| task["type"] == "generate_storyboard").unwrap();
    assert_eq!(count(&elsewhere, "dispatches").await, 0);
    elsewhere.start_worker("all", Sleeping::default(), &Kind::ALL);
    let task = domain::ids::TaskId(board["id"].as_str().unwrap().parse().unwrap());
    elsewhere.execute(project, Command::RetryTask { task }).await;
    elsewhere.finish().await;
}

#[tokio::test]
async fn a_hostile_or_broken_archive_is_refused_and_changes_nothing() {
    let (world, _, _, archive) = exported().await;
    world.finish().await;
    let files = unzip(&archive);
    let media = files.iter().find(|(name, _)| name.starts_with("media/image/")).unwrap().0.clone();
    let and = |name: &str, content: &[u8]| {
        let more = [(name.to_owned(), content.to_vec())];
        zip(&files.iter().cloned().chain(more).collect())
    };
    let without = |name: &str| zip(&files.iter().filter(|(known, _)| known != name).cloned().collect());
    let history = |change: &dyn Fn(String) -> String| with(&archive, "history.jsonl", change);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<String>>();
    let hostile = [
        ("no archive", b"not a zip".to_vec()),
        ("nothing", Vec::new()),
        ("truncated", archive[..archive.len() / 2].to_vec()),
        ("without its end", archive[..archive.len() - 30].to_vec()),
        ("no history", without("history.jsonl")),
        ("no manifest", without("project.json")),
        ("a name that leads out", and("../../etc/passwd", b"root")),
        ("a name that leads out of media", and("media/../../passwd.png", b"root")),
        ("an absolute name", and("/etc/passwd", b"root")),
        ("media that nobody names", and(&format!("media/image/{}.png", "0".repeat(64)), b"x")),
        ("other media", with_bytes(&archive, &media, b"another picture")),
        ("another text", history(&|text| text.replace("keeper", "sleeper"))),
        ("an event less", history(&|text| lines(&text)[1..].join("\n") + "\n")),
        ("a shorter history", history(&|text| lines(&text)[..3].join("\n") + "\n")),
        ("no line end", history(&|text| text.trim_end().to_owned())),
        ("no JSON", history(&|text| text + "{]\n")),
        (
            "another project",
            with(&archive, "project.json", |text| text.replace("\"project\": \"0", "\"project\": \"1")),
        ),
        ("another format", with(&archive, "project.json", |text| text.replace("project/1", "project/2"))),
        ("many names", many_names()),
        ("a name that no index takes", with_an_endless_owner()),
    ];
    let fresh = World::with_engine().await;
    for (what, archive) in hostile {
        let (status, problem) = import(&fresh, archive).await;
        let refused = [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::PAYLOAD_TOO_LARGE].contains(&status);
        assert!(refused, "{what}: {status} {problem}");
        assert_eq!(problem["code"].as_str().map(str::is_empty), Some(false), "{what}");
    }
    assert_eq!(count(&fresh, "events").await, 0);
    let folder = MediaFolder::open(&fresh.servers.media()).await.unwrap();
    let key = AssetKey::parse(media.strip_prefix("media/").unwrap()).unwrap();
    assert_eq!(folder.size(&key).await.unwrap(), None, "no media was stored");
    fresh.finish().await;
}

fn with_bytes(archive: &[u8], name: &str, content: &[u8]) -> Vec<u8> {
    let mut files = unzip(archive);
    files.iter_mut().find(|(known, _)| known == name).unwrap().1 = content.to_vec();
    zip(&files)
}

/// Its hashes agree, and the read tables cannot hold it.
fn with_an_endless_owner() -> Vec<u8> {
    let project = ProjectId(Uuid::now_v7());
    let mut said = Project::default().decide(&envelope(creation(project, 1, Settings::default()))).unwrap();
    said.push(ProjectAssigned { owner: "字".repeat(2_000) }.into());
    archive_of(project, &chained(&said))
}

/// A hundred thousand files of nothing.
fn many_names() -> Vec<u8> {
    let files = (0..100_000).map(|number| (format!("media/image/{number:064}.png"), Vec::new()));
    zip(&files.collect())
}

#[tokio::test]
async fn an_archive_that_is_or_unpacks_to_more_than_is_allowed_is_refused() {
    let (world, _, _, archive) = exported().await;
    world.finish().await;
    let fresh = World::new().await;
    let limited = |limit: u64| api::Api { import_limit: limit, ..fresh.shared.api(Access::default()) };
    let bomb = {
        let mut files = unzip(&archive);
        let (_, history) = files.iter_mut().find(|(name, _)| name == "history.jsonl").unwrap();
        history.extend(std::iter::repeat_n(b' ', 20_000_000));
        zip(&files)
    };
    let half = archive.len() as u64 / 2;
    let project = ProjectId(Uuid::now_v7());
    let endless = archive_of(project, &a_long_history(project, 50_001));
    for (archive, limit) in [(archive, half), (bomb.clone(), bomb.len() as u64), (endless, 1 << 30)] {
        let request = Request::post("/v1/projects/import").header("host", "localhost");
        let request = request.header("content-type", "application/zip").body(Body::from(archive)).unwrap();
        let response = api::router(limited(limit)).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
    let request =
        Request::post("/v1/projects/import").header("host", "localhost").body(Body::empty()).unwrap();
    assert_eq!(ask(&fresh, request).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(count(&fresh, "events").await, 0);
    fresh.end().await;
}

/// The history of a project that was created, and then renamed again and again.
fn a_long_history(project: ProjectId, events: usize) -> Vec<StoredEvent> {
    let created = envelope(creation(project, 1, Settings::default()));
    let mut said = Project::default().decide(&created).unwrap();
    let renamed =
        |number| Event::from(ProjectRenamed { title: format!("Title {number}"), description: String::new() });
    said.extend((said.len()..events).map(renamed));
    chained(&said)
}

/// Events as they are stored, with hashes that agree.
fn chained(said: &[Event]) -> Vec<StoredEvent> {
    let mut head = [0; 32];
    let mut store = |(number, event): (usize, &Event)| {
        let (version, payload) = (number as u64 + 1, serde_json::to_string(event).unwrap());
        let metadata = r#"{"actor":"user:elsewhere"}"#;
        head = chain(&head, version, event.name(), event.version(), &payload, metadata);
        StoredEvent {
            version,
            event_type: event.name().to_owned(),
            event_version: event.version().to_owned(),
            recorded_at: DateTime::<Utc>::UNIX_EPOCH,
            hash: hex::encode(head),
            payload: RawValue::from_string(payload).unwrap(),
            metadata: RawValue::from_string(metadata.to_owned()).unwrap(),
        }
    };
    said.iter().enumerate().map(&mut store).collect()
}

/// An archive of such a history, without media.
fn archive_of(project: ProjectId, history: &[StoredEvent]) -> Vec<u8> {
    let last = history.last().unwrap();
    let manifest = serde_json::json!({
        "format": "storytovideo-project/1", "project": project, "title": "", "version": last.version, "head": last.hash,
    });
    let lines = history.iter().map(|event| serde_json::to_string(event).unwrap() + "\n");
    zip(&vec![
        ("history.jsonl".to_owned(), lines.collect::<String>().into_bytes()),
        ("project.json".to_owned(), manifest.to_string().into_bytes()),
    ])
}

#[tokio::test]
async fn the_log_is_read_on_while_a_history_is_gathered_beside_it() {
    let world = World::new().await;
    let (foreign, other) = (ProjectId(Uuid::now_v7()), ProjectId(Uuid::now_v7()));
    let history = a_long_history(foreign, 1_000);
    let mut read = ForeignHistory::default();
    for event in &history {
        read.take_in(foreign, &serde_json::from_str(event.payload.get()).unwrap()).unwrap();
    }
    let mut import = Import::begin(world.pool(), &world.shared.store, foreign).await.unwrap();
    import.add(&history).await.unwrap();
    world.execute(other, creation(other, 1, Settings::default())).await;
    until("the other project is read", LONG, async || {
        let read = tail::read_page(world.pool(), Place::default(), 5_000).await.unwrap();
        let (first, ours) = (read.first(), read.iter().filter(|event| event.project == foreign).count());
        assert_eq!(ours, 0, "nothing of it is in the log yet");
        first.map(drop).ok_or("nothing".to_owned())
    })
    .await;
    let head = hex::decode(&history.last().unwrap().hash).unwrap().try_into().unwrap();
    let command = envelope(Command::CompleteImport { missing: Vec::new() });
    let receipt = import.complete(read.state, head, &command).await.unwrap();
    // Three tasks were open and are cancelled, and the import is an event.
    assert_eq!(receipt.version, 1_004);
    assert_eq!(audit(world.pool(), foreign).await, Ok(1_004));
    let imported = world.events(foreign).await.into_iter().filter(|event| event.imported).count();
    assert_eq!(imported, 1_000);
    world.end().await;
}

#[tokio::test]
async fn a_long_history_is_answered_once_it_can_be_read_though_others_have_given_up_waiting() {
    let world = World::new().await;
    let project = ProjectId(Uuid::now_v7());
    let archive = archive_of(project, &a_long_history(project, 30_000));
    let others = async {
        until("the history is in the log", LONG, async || match count(&world, "events").await {
            0 => Err("nothing".to_owned()),
            _ => Ok(()),
        })
        .await;
        let create = Some(serde_json::json!({ "story": "One." }));
        let behind = ask_json(&world, "POST", "/v1/projects", &[], create).await;
        assert_eq!((behind.status.as_u16(), &behind.body["code"]), (503, &"projection_behind".into()));
        world.start_engine();
    };
    let ((status, imported), ()) = join(import(&world, archive), others).await;
    assert_eq!(status, StatusCode::CREATED, "{imported}");
    assert_eq!((&imported["title"], &imported["version"]), (&"Title 29999".into(), &30_004.into()));
    world.end().await;
}

/// Kept in a world's media, and made the picture of all of a project's shots.
async fn upload(world: &World, project: ProjectId, content: &[u8]) -> String {
    let mut file = world.shared.media.receive_file().await.unwrap();
    file.write(content).await.unwrap();
    let asset = world.shared.media.keep(file, "image", "png").await.unwrap();
    for shot in &world.state(project).await.shots {
        let upload = Command::UploadTake { shot: shot.id, kind: Kind::Image, asset: asset.clone() };
        world.execute(project, upload).await;
    }
    format!("media/{}", asset.key)
}

#[tokio::test]
async fn an_archive_has_the_media_that_its_project_shows_and_what_is_missing_besides_has_expired() {
    let world = World::with_engine().await;
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    let project = world.a_film_of(2, Settings::default()).await;
    let path = format!("/v1/projects/{project}");
    until("everything is made", LONG, async || {
        let (_, body) = get(&world, &path).await;
        let project: Value = serde_json::from_slice(&body).unwrap();
        if project["status"] == "ready" { Ok(()) } else { Err(project.to_string()) }
    })
    .await;
    let shown = upload(&world, project, b"a picture of one's own").await;
    let version = world.state(project).await.version;
    get_json(&world, &format!("{path}?minVersion={version}")).await;
    let files = unzip(&get(&world, &format!("{path}/export")).await.1);
    world.finish().await;
    let without = |left_out: &dyn Fn(&str) -> bool| {
        zip(&files.iter().filter(|(name, _)| !left_out(name)).cloned().collect())
    };

    let elsewhere = World::with_engine().await;
    let (status, problem) = import(&elsewhere, without(&|name| name == shown)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &Value::from("invalid_archive")));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("{shown} (shot 1)")) && detail.contains("(shot 2)"), "{detail}");
    assert_eq!(count(&elsewhere, "events").await, 0);

    let is_replaced = |name: &str| name.starts_with("media/image/") && name != shown;
    assert!(files.iter().any(|(name, _)| is_replaced(name)));
    let (status, imported) = import(&elsewhere, without(&is_replaced)).await;
    assert_eq!(status, StatusCode::CREATED, "{imported}");
    for shot in imported["shots"].as_array().unwrap() {
        let takes =
            get_json(&elsewhere, &format!("{path}/shots/{}/takes", shot["id"].as_str().unwrap())).await;
        let pictures = takes["items"].as_array().unwrap().iter().filter(|take| take["kind"] == "image");
        let told: Vec<(Value, bool)> =
            pictures.map(|take| (take["expired"].clone(), take["url"].is_string())).collect();
        assert_eq!(told, [(Value::from(true), false), (Value::from(false), true)], "{takes}");
    }
    let own = elsewhere.events(project).await.into_iter().filter(|event| !event.imported);
    let own: Vec<&str> = own.map(|recorded| recorded.event.name()).collect();
    assert_eq!(own, ["TakesExpired", "ProjectImported"]);
    elsewhere.finish().await;
}

#[tokio::test]
async fn an_import_that_fails_at_the_last_step_leaves_the_media_as_they_were() {
    let (world, path, _, archive) = exported().await;
    world.finish().await;
    let elsewhere = World::with_engine().await;
    let media = unzip(&archive).into_iter().filter(|(name, _)| name.starts_with("media/"));
    let media: Vec<(AssetKey, Vec<u8>)> = media
        .map(|(name, content)| (AssetKey::parse(name.strip_prefix("media/").unwrap()).unwrap(), content))
        .collect();
    let (here, content) = &media[0];
    assert!(elsewhere.shared.media.store(here, &mut Cursor::new(content)).unwrap().is_some());
    for refuse in [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$",
        "CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.imported) EXECUTE FUNCTION refuse()",
    ] {
        sqlx::raw_sql(refuse).execute(elsewhere.pool()).await.unwrap();
    }
    let (status, problem) = import(&elsewhere, archive.clone()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (503, &Value::from("database_unavailable")));
    assert_eq!(count(&elsewhere, "events").await, 0);
    for (key, _) in &media {
        let is_there = elsewhere.shared.media.size(key).await.unwrap().is_some();
        assert_eq!(is_there, key == here, "{key}");
    }
    sqlx::raw_sql("DROP TRIGGER refuse ON events").execute(elsewhere.pool()).await.unwrap();
    let (status, imported) = import(&elsewhere, archive).await;
    assert_eq!(status, StatusCode::CREATED, "{imported}");
    assert_eq!(get(&elsewhere, &format!("{path}/film/download")).await.0, StatusCode::OK);
    elsewhere.finish().await;
}
