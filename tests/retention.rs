//! What is given up, and what becomes of its media: exactly what nobody names any more is removed, and only after its
//! grace.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use domain::asset::{Asset, AssetKey};
use domain::desk::{ResultReply, UploadReply, UploadRequest};
use domain::job::{Kind, Output};
use domain::settings::Settings;
use engine::Retention;
use infra::postgres::views::projects;
use infra::postgres::{checkpoint, media_names};
use infra::runtime::Clock;
use serde_json::{Value, json};
use worker::providers::bench::Noted;

use crate::harness::{Hand, LONG, Role, World, a_film_of, answer_of, ask, audit, get, play, until};

const DAY: i64 = 24 * 3_600 * 1_000;

/// A system that goes its rounds all the time, by a clock that the test sets.
struct Kept {
    world: World,
    millis: Arc<AtomicI64>,
}

impl Kept {
    async fn new(unchosen_takes_days: Option<u64>) -> Self {
        let mut world = World::new().await;
        let millis = Arc::new(AtomicI64::new(Clock::System.now().timestamp_millis()));
        world.shared.clock = Clock::Fixed(millis.clone());
        world.shared.retention = Retention {
            unchosen_takes: unchosen_takes_days.map(|days| Duration::from_secs(days * 24 * 3_600)),
            every: Duration::from_millis(100),
            ..Retention::default()
        };
        world.start_engine();
        Self { world, millis }
    }

    async fn with_worker(unchosen_takes_days: Option<u64>) -> Self {
        let kept = Self::new(unchosen_takes_days).await;
        kept.world.start_worker("all", Noted::default(), &Kind::ALL);
        kept
    }

    fn pass_days(&self, days: i64) {
        self.millis.fetch_add(days * DAY, Ordering::Relaxed);
    }

    async fn get(&self, path: &str) -> Value {
        get(&self.world, path).await
    }

    async fn post(&self, path: &str, status: u16, body: Value) -> Value {
        answer_of(&self.world, "POST", path, status, Some(body)).await
    }

    /// A finished project of two shots with a film: its path.
    async fn a_film(&self, story: &str) -> String {
        let settings = json!({ "autoRender": true, "seed": 1 });
        let create = json!({ "story": story, "shotCount": 2, "settings": settings });
        let project = self.post("/v1/projects", 201, create).await;
        let path = format!("/v1/projects/{}", project["id"].as_str().unwrap());
        self.settled(&path).await;
        path
    }

    /// The project, once it has a film of today.
    async fn settled(&self, path: &str) -> Value {
        until("the project has a film of today", LONG, async || {
            let project = self.get(path).await;
            let ready = project["status"] == "ready" && project["film"]["stale"] == false;
            if ready { Ok(project) } else { Err(project.to_string()) }
        })
        .await
    }

    /// Makes the first shot's picture again.
    async fn regenerate(&self, path: &str) -> Value {
        let shot = self.get(path).await["shots"][0].clone();
        let image = format!("{path}/shots/{}/image", shot["id"].as_str().unwrap());
        let task = self.post(&image, 202, json!({})).await;
        self.ended(&task).await;
        self.settled(path).await
    }

    async fn ended(&self, task: &Value) {
        let path = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
        until("the task has ended", LONG, async || {
            let task = self.get(&path).await;
            if task["status"] == "finished" { Ok(()) } else { Err(task.to_string()) }
        })
        .await;
    }

    async fn purge(&self, path: &str) {
        answer_of(&self.world, "DELETE", path, 200, None).await;
        self.post(&format!("{path}/purge"), 200, json!({})).await;
    }

    async fn is_stored(&self, url: &Value) -> bool {
        self.world.shared.media.size(&key(url)).await.unwrap().is_some()
    }

    /// Waits until all of these are removed.
    async fn removed(&self, urls: &[Value]) {
        for url in urls {
            until("what nobody names is removed", LONG, async || match self.is_stored(url).await {
                true => Err(url.to_string()),
                false => Ok(()),
            })
            .await;
        }
    }

    /// The HTTP status of media.
    async fn status(&self, url: &Value) -> StatusCode {
        let path = format!("/media/{}", key(url));
        ask(&self.world, "GET", &path, &[], None).await.status
    }

    async fn finish(self) {
        self.world.finish().await;
    }
}

fn key(url: &Value) -> AssetKey {
    let (_, key) = url.as_str().expect("a URL").split_once("/media/").expect("a URL of media");
    AssetKey::parse(key).unwrap()
}

/// The addresses of all media that a project shows.
fn media(project: &Value) -> Vec<Value> {
    let shots = project["shots"].as_array().unwrap().iter();
    let takes = shots.flat_map(|shot| ["image", "voice"].map(|kind| shot[kind]["url"].clone()));
    let film = ["url", "srtUrl", "vttUrl", "posterUrl"].map(|part| project["film"][part].clone());
    takes.chain(film).filter(Value::is_string).collect()
}

#[tokio::test]
async fn a_purge_frees_exactly_what_nobody_else_names() {
    let kept = Kept::with_worker(None).await;
    let path = kept.a_film("The keeper lit the lamp. A ship came home.").await;
    let other = kept.a_film("A fox ran. It hid.").await;
    let forked = kept.get(&path).await;
    let fork = kept.post(&format!("{path}/fork"), 201, json!({ "version": forked["version"] })).await;
    let fork = format!("/v1/projects/{}", fork["id"].as_str().unwrap());
    let again = kept.regenerate(&path).await;
    let own = [again["shots"][0]["image"]["url"].clone(), again["film"]["url"].clone()];
    let shared: Vec<Value> = media(&kept.get(&fork).await);
    assert!(shared.len() == 4 && shared.iter().all(|url| !own.contains(url)));

    let early = kept.post(&format!("{path}/purge"), 409, json!({})).await;
    assert_eq!(early["code"], "not_purgeable");
    kept.purge(&path).await;
    kept.post(&format!("{path}/purge"), 200, json!({})).await;
    for gone in ["", "/shots", "/history", "/film", "/tasks", "/export"] {
        let answer = ask(&kept.world, "GET", &format!("{path}{gone}"), &[], None).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (404, &json!("project_purged")), "{gone}");
    }
    assert_eq!(kept.post(&format!("{path}/undelete"), 404, json!({})).await["code"], "project_purged");
    assert_eq!(kept.get("/v1/projects?status=deleted").await["items"], json!([]));
    assert!(kept.is_stored(&own[0]).await, "there is a grace");

    kept.pass_days(8);
    kept.removed(&own).await;
    assert_eq!(kept.status(&own[0]).await, StatusCode::GONE);
    // The other project says the same words, so it has the same voices.
    let others = media(&kept.get(&other).await);
    for url in shared.iter().chain(&others) {
        assert_eq!(kept.status(url).await, StatusCode::OK, "{url}");
    }
    let id = path.rsplit('/').next().unwrap().parse().unwrap();
    assert!(audit(kept.world.pool(), id).await.unwrap() > 10, "its history can be audited");
    kept.purge(&fork).await;
    kept.pass_days(8);
    let (both, forks): (Vec<Value>, Vec<Value>) = shared.into_iter().partition(|url| others.contains(url));
    assert_eq!((both.len(), forks.len()), (2, 2));
    kept.removed(&forks).await;
    for url in &both {
        assert_eq!(kept.status(url).await, StatusCode::OK, "{url}");
    }
    kept.finish().await;
}

#[tokio::test]
async fn what_lay_in_the_trash_for_more_than_30_days_is_given_up_by_itself() {
    let kept = Kept::with_worker(None).await;
    let path = kept.a_film("The keeper lit the lamp. A ship came home.").await;
    let shown = media(&kept.get(&path).await);
    answer_of(&kept.world, "DELETE", &path, 200, None).await;
    kept.pass_days(29);
    kept.post(&format!("{path}/undelete"), 200, json!({})).await;
    answer_of(&kept.world, "DELETE", &path, 200, None).await;
    kept.pass_days(31);
    let id = path.rsplit('/').next().unwrap().parse().unwrap();
    until("the project is given up", LONG, async || {
        let row = projects::find(kept.world.pool(), id).await.unwrap().unwrap();
        if row.purged { Ok(()) } else { Err(format!("deleted at {:?}", row.deleted_at)) }
    })
    .await;
    kept.removed(&shown).await;
    kept.finish().await;
}

#[tokio::test]
async fn a_project_that_cannot_be_read_keeps_no_other_from_being_given_up() {
    let kept = Kept::new(None).await;
    let mut trashed = Vec::new();
    for _ in 0..2 {
        let project = kept.world.a_film_of(1, Settings::default()).await;
        until("the project is read", LONG, async || {
            let row = projects::find(kept.world.pool(), project).await.unwrap();
            row.map(drop).ok_or("it is not".to_owned())
        })
        .await;
        answer_of(&kept.world, "DELETE", &format!("/v1/projects/{project}"), 200, None).await;
        trashed.push(project);
    }
    sqlx::query("UPDATE events SET payload = '{}' WHERE aggregate_id = $1 AND sequence = 1")
        .bind(trashed[0].to_string())
        .execute(kept.world.pool())
        .await
        .unwrap();
    kept.world.shared.store.clear_cache();
    kept.pass_days(31);
    until("the other one is given up", LONG, async || {
        let row = projects::find(kept.world.pool(), trashed[1]).await.unwrap().unwrap();
        if row.purged { Ok(()) } else { Err("it is in the trash".to_owned()) }
    })
    .await;
    kept.world.end().await;
}

#[tokio::test]
async fn an_errand_that_nobody_touches_goes_to_the_trash_and_then_for_good() {
    let kept = Kept::with_worker(None).await;
    let path = kept.a_film("The keeper lit the lamp.").await;
    let asked = kept.post("/frames", 200, json!({ "storyboard": ["A fox"] })).await;
    let task = format!("/tasks/{}", asked["task_id"].as_str().unwrap());
    let done = until("the frame is made", LONG, async || {
        let task = kept.get(&task).await;
        if task["status"] == "finished" { Ok(task) } else { Err(task.to_string()) }
    })
    .await;
    let frame = done["frames"][0]["frame"].clone();
    let errand = kept.get(&format!("/v1{task}")).await["projectId"].as_str().unwrap().parse().unwrap();
    let row = async || projects::find(kept.world.pool(), errand).await.unwrap().unwrap();
    kept.pass_days(29);
    assert!(!row().await.deleted);
    kept.pass_days(2);
    until("the errand is in the trash", LONG, async || match row().await.deleted {
        true => Ok(()),
        false => Err("it is not".to_owned()),
    })
    .await;
    assert_eq!(kept.get(&task).await["status"], "finished", "it can still be looked at");
    kept.pass_days(31);
    kept.removed(&[frame]).await;
    assert!(row().await.purged);
    assert_eq!(ask(&kept.world, "GET", &task, &[], None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(kept.get(&path).await["status"], "ready", "what is somebody's own stays");
    kept.finish().await;
}

#[tokio::test]
async fn takes_that_no_shot_uses_expire_and_every_version_that_used_them_says_so() {
    let kept = Kept::with_worker(Some(30)).await;
    let path = kept.a_film("The keeper lit the lamp. A ship came home.").await;
    let before = kept.get(&path).await;
    let now = kept.regenerate(&path).await;
    let shot = format!("{path}/shots/{}", now["shots"][0]["id"].as_str().unwrap());
    let (old, new) = (&before["shots"][0]["image"], &now["shots"][0]["image"]);
    assert_ne!(old["url"], new["url"]);
    kept.pass_days(29);
    assert_eq!(kept.get(&format!("{shot}/takes")).await["items"].as_array().unwrap().len(), 3);
    kept.pass_days(2);
    let takes = until("the old picture has expired", LONG, async || {
        let takes = kept.get(&format!("{shot}/takes")).await["items"].clone();
        let expired = takes.as_array().unwrap().iter().filter(|take| take["expired"] == true).count();
        if expired == 1 { Ok(takes) } else { Err(takes.to_string()) }
    })
    .await;
    let expired = takes.as_array().unwrap().iter().find(|take| take["expired"] == true).unwrap();
    assert_eq!(
        (&expired["id"], &expired["chosen"], &expired["url"]),
        (&old["takeId"], &json!(false), &Value::Null)
    );
    kept.removed(&[old["url"].clone()]).await;
    assert_eq!(kept.status(&old["url"]).await, StatusCode::GONE);

    let choice = Some(json!({ "takeId": old["takeId"] }));
    let refused = answer_of(&kept.world, "PUT", &format!("{shot}/selection"), 409, choice).await;
    assert_eq!(refused["code"], "take_expired");
    let seen = kept.get(&format!("{path}?atVersion={}", before["version"])).await;
    assert_eq!((&seen["shots"][0]["image"], &seen["shots"][0]["expired"]), (&Value::Null, &json!(["image"])));
    assert_eq!(seen["shots"][1], before["shots"][1], "the others are as they were");
    let version = json!({ "version": before["version"] });
    for copy in [
        kept.post(&format!("{path}/fork"), 201, version.clone()).await,
        kept.post(&format!("{path}/restore"), 200, version).await,
    ] {
        assert_eq!(
            (&copy["shots"][0]["image"], &copy["shots"][0]["status"]),
            (&Value::Null, &json!("created"))
        );
        assert!(copy["shots"][0]["voice"]["url"].is_string());
    }
    let history = kept.get(&format!("{path}/history?limit=200&describe=en")).await;
    let events = history["items"].as_array().unwrap();
    let told = events.iter().find(|event| event["type"] == "TakesExpired").expect("it is in the history");
    assert!(told["sentence"].as_str().unwrap().contains("unused takes"), "{told}");
    assert_eq!(
        kept.status(&new["url"]).await,
        StatusCode::OK,
        "no shot uses it since the restore, for a day"
    );
    kept.finish().await;
}

#[tokio::test]
async fn a_result_that_comes_to_the_same_content_keeps_it() {
    let kept = Kept::new(None).await;
    let hand = Hand::new(&kept.world, "hand").await;
    let content = b"the same picture";
    let mut keys: Vec<AssetKey> = Vec::new();
    for is_first in [true, false] {
        let project = kept.world.a_film_of(1, Settings::default()).await;
        hand.do_storyboard(&kept.world, project, 1).await;
        let (message, claim) = hand.start(Kind::Image).await;
        let asset = if is_first {
            hand.upload(message.job, claim, content, content).await
        } else {
            // It was given up, is still there, and its grace is over by the time that this one is told of it.
            let request = UploadRequest { task: message.job.task, claim, key: keys[0].clone() };
            let known = kept.world.shared.bus.request_upload(Kind::Image, &request).await.unwrap();
            assert_eq!(known, UploadReply::Have);
            Asset { key: request.key, bytes: 0, duration_seconds: None }
        };
        keys = vec![asset.key.clone()];
        let output = Output::Media { asset };
        assert_eq!(hand.report(Kind::Image, message.job, claim, output).await, ResultReply::Recorded);
        message.ack().await.unwrap();
        let path = format!("/v1/projects/{project}");
        until("the picture is read", LONG, async || {
            let shot = kept.get(&path).await["shots"][0].clone();
            if shot["image"].is_object() { Ok(()) } else { Err(shot.to_string()) }
        })
        .await;
        if is_first {
            kept.purge(&path).await;
        }
    }
    // Something that nobody ever named shows when a round has looked at everything.
    let orphan = orphan(&kept.world).await;
    kept.pass_days(8);
    until("what nobody named is removed", LONG, async || {
        let size = kept.world.shared.media.size(&orphan).await.unwrap();
        size.map_or(Ok(()), |size| Err(format!("{size} bytes")))
    })
    .await;
    assert!(kept.world.shared.media.size(&keys[0]).await.unwrap().is_some());
    kept.world.end().await;
}

#[tokio::test]
async fn what_a_worker_brings_after_a_purge_goes_again_and_brings_nothing_back() {
    let kept = Kept::new(None).await;
    let hand = Hand::new(&kept.world, "hand").await;
    let project = kept.world.a_film_of(1, Settings::default()).await;
    hand.do_storyboard(&kept.world, project, 1).await;
    let (message, claim) = hand.start(Kind::Image).await;
    hand.upload(message.job, claim, b"in time", b"in time").await;
    kept.purge(&format!("/v1/projects/{project}")).await;
    let purged = kept.world.state(project).await;
    let uploads = kept.world.servers.media().join(format!("incoming/{}", message.job.task));
    until("its uploads are cleared", LONG, async || match uploads.exists() {
        true => Err("they are there".to_owned()),
        false => Ok(()),
    })
    .await;
    let asset = hand.upload(message.job, claim, b"too late", b"too late").await;
    let key = asset.key.clone();
    hand.report(Kind::Image, message.job, claim, Output::Media { asset }).await;
    assert_eq!(kept.world.state(project).await, purged);
    assert!(kept.world.shared.media.size(&key).await.unwrap().is_some());
    kept.pass_days(8);
    until("nothing is left of it", LONG, async || {
        let size = kept.world.shared.media.size(&key).await.unwrap();
        size.map_or(Ok(()), |size| Err(format!("{size} bytes")))
    })
    .await;
    kept.world.end().await;
}

#[tokio::test]
async fn a_file_that_was_on_its_way_out_when_the_engine_died_comes_back_if_it_is_named() {
    let kept = Kept::with_worker(None).await;
    let path = kept.a_film("The keeper lit the lamp. A ship came home.").await;
    let shown = media(&kept.get(&path).await);
    let orphan = orphan(&kept.world).await;
    let folder = kept.world.servers.media();
    for key in [key(&shown[0]), orphan.clone()] {
        let leaving = folder.join("leaving").join(key.as_str().replacen('/', ".", 1));
        std::fs::rename(kept.world.shared.media.path(&key), leaving).unwrap();
    }
    until("it is back", LONG, async || match kept.is_stored(&shown[0]).await {
        true => Ok(()),
        false => Err("it is not".to_owned()),
    })
    .await;
    kept.pass_days(8);
    until("what nobody named is removed", LONG, async || {
        let left = std::fs::read_dir(folder.join("leaving")).unwrap().count();
        let size = kept.world.shared.media.size(&orphan).await.unwrap();
        if (left, size) == (0, None) { Ok(()) } else { Err(format!("{left} leaving, {size:?}")) }
    })
    .await;
    for url in &shown {
        assert_eq!(kept.status(url).await, StatusCode::OK, "{url}");
    }
    kept.finish().await;
}

#[tokio::test]
async fn an_engine_that_is_killed_while_it_removes_files_takes_none_that_is_named() {
    let world = World::new().await;
    let project = a_film_of(&world.shared.store, 2, Settings::default()).await;
    play(&world.shared.store, project).await;
    let engine = || Role::start(&world.servers, world.database_url(), "engine", 3, &["engine"]);
    let first = engine();
    // Settled or not: others in the same cluster hold back what counts as settled.
    let head = world.events(project).await.last().unwrap().place;
    until("the engine knows what is named", LONG, async || {
        let place = checkpoint::load(world.pool(), media_names::READER).await.unwrap();
        if place >= head { Ok(()) } else { Err(format!("{place:?}")) }
    })
    .await;
    first.stop().await;
    let stored = |key: &AssetKey| world.shared.media.path(key);
    let events = world.events(project).await;
    let named: Vec<PathBuf> =
        events.iter().flat_map(|recorded| recorded.event.assets()).map(|asset| stored(&asset.key)).collect();
    assert_eq!(named.len(), 4);
    let unnamed: Vec<PathBuf> = (0..3_000_u32)
        .map(|number| stored(&AssetKey::new("image", &format!("{number:064x}"), "png").unwrap()))
        .collect();
    named.iter().chain(&unnamed).for_each(|path| make_old(path));
    let mut engine = engine();
    let left = || unnamed.iter().filter(|path| path.exists()).count();
    until(
        "some are removed",
        LONG,
        async || if left() < unnamed.len() { Ok(()) } else { Err("none".to_owned()) },
    )
    .await;
    engine.kill().await;
    until("all are removed", LONG, async || {
        engine.keep_alive();
        match left() {
            0 => Ok(()),
            left => Err(format!("{left} are left")),
        }
    })
    .await;
    assert!(named.iter().all(|path| path.exists()));
    assert_eq!(std::fs::read_dir(world.servers.media().join("leaving")).unwrap().count(), 0);
    engine.stop().await;
    world.end().await;
}

/// A file that nobody has wanted for a month.
fn make_old(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(30 * 24 * 3_600)).unwrap();
}

/// Stores a file that no event names.
async fn orphan(world: &World) -> AssetKey {
    let mut file = world.shared.media.receive_file().await.unwrap();
    file.write(b"nobody's").await.unwrap();
    world.shared.media.keep(file, "image", "png").await.unwrap().key
}
