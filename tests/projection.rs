//! The read tables: the same from any start, after any stop, and written by the leader alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::asset::Asset;
use domain::ids::ProjectId;
use domain::job::{Failure, Kind};
use domain::project::{Command, EarlierTake, ForkProject, Parameters, ProjectPatch, ShotPatch};
use domain::settings::Settings;
use engine::EngineError;
use engine::projector::Projector;
use infra::postgres::leadership::{self, Fence};
use infra::postgres::past::{self, state_at};
use infra::postgres::projection::{Projection, READER};
use infra::postgres::tail::{self, Place};
use infra::postgres::views::{projects, tasks};
use infra::postgres::{PostgresError, checkpoint};
use uuid::Uuid;

use crate::harness::{LONG, World, a_film_of, everything_on, play, until};

const TABLES: [&str; 5] = ["projects", "shots", "tasks", "takes", "films"];

async fn leader(world: &World) -> Fence {
    sqlx::query("UPDATE leaderships SET expires_at = '-infinity'").execute(world.pool()).await.unwrap();
    leadership::take_or_renew(world.pool(), engine::ROLE, Uuid::new_v4()).await.unwrap().unwrap()
}

/// A log with some of everything: films made, shots edited, work cancelled, failed and tried again, a deletion.
async fn a_lively_log(world: &World) {
    let store = &world.shared.store;
    let edited = a_film_of(store, 3, everything_on()).await;
    let plain = a_film_of(store, 2, Settings::default()).await;
    play(store, edited).await;
    let shot = world.state(edited).await.shots[0].id;
    let prompt = ShotPatch { prompt: Some("A red boat".to_owned()), ..ShotPatch::default() };
    world.execute(edited, Command::ReviseShot { shot, patch: prompt, generate: true }).await;
    fail_one(world, plain).await;
    play(store, plain).await;
    let lock = ShotPatch { locked: Some(true), title: Some("Locked".to_owned()), ..ShotPatch::default() };
    let second = world.state(plain).await.shots[1].id;
    world.execute(plain, Command::ReviseShot { shot: second, patch: lock, generate: false }).await;
    play(store, edited).await;
    let style = ProjectPatch { style: Some("ink".to_owned()), ..ProjectPatch::default() };
    world.execute(edited, Command::ReviseProject(style)).await;
    let again =
        Command::GenerateTake { shot, kind: Kind::Image, parameters: Parameters::default(), candidates: 1 };
    world.execute(edited, again).await;
    let open = world.state(edited).await.open_tasks().next().unwrap().0;
    world.execute(edited, Command::CancelTask { task: open }).await;
    world.execute(plain, Command::RenderFilm { parameters: Parameters::default() }).await;
    let trashed = a_film_of(store, 2, Settings::default()).await;
    world.execute(trashed, Command::DeleteProject).await;
    world.execute(trashed, Command::PurgeProject { early: true }).await;
    world.execute(edited, Command::RetryTask { task: open }).await;
    fork_and_restore(world, edited).await;
    give_up(world, plain).await;
    world.execute(plain, Command::DeleteProject).await;
    world.execute(plain, Command::PurgeProject { early: true }).await;
    give_up(world, edited).await;
}

/// Gives up what no shot of a project uses, and lets a shot use it again.
async fn give_up(world: &World, project: ProjectId) {
    let shot = world.state(project).await.shots[0].clone();
    let (image, id) = (shot.image.expect("a picture"), shot.id);
    let upload = Asset { bytes: 7, ..image.asset.clone() };
    world.execute(project, Command::UploadTake { shot: id, kind: Kind::Image, asset: upload }).await;
    let upload = world.state(project).await.shots[0].image.as_ref().unwrap().id;
    world.execute(project, Command::ExpireTakes { takes: vec![image.id, upload] }).await;
    let take = EarlierTake {
        id: image.id,
        kind: Kind::Image,
        asset: image.asset,
        parameters: image.parameters,
        made_with: image.made_with,
    };
    world.execute(project, Command::SelectTake { shot: id, take: Box::new(take) }).await;
    world.execute(project, Command::ExpireTakes { takes: vec![image.id, upload] }).await;
}

/// A project as it was before its storyboard, again with shots, and a fork of it.
async fn fork_and_restore(world: &World, project: ProjectId) {
    let version = world.state(project).await.version;
    for version in [1, version] {
        let content = Box::new(state_at(world.pool(), project, version).await.unwrap().content());
        world.execute(project, Command::RestoreProject { version, content }).await;
    }
    let (id, content) = (ProjectId(Uuid::now_v7()), world.state(project).await.content());
    let fork = ForkProject { id, from: project, version: version + 2, content };
    world.execute(id, Command::ForkProject(Box::new(fork))).await;
    let shot = world.state(id).await.shots[0].id;
    let prompt = ShotPatch { prompt: Some("A blue boat".to_owned()), ..ShotPatch::default() };
    world.execute(id, Command::ReviseShot { shot, patch: prompt, generate: true }).await;
    play(&world.shared.store, id).await;
}

/// Fails a project's storyboard once for a while and once for good, and tries it again.
async fn fail_one(world: &World, project: ProjectId) {
    let task =
        world.state(project).await.open_tasks().find(|(_, task)| task.kind == Kind::Storyboard).unwrap().0;
    for failure in [Failure::retry("busy", "later"), Failure::fail("broken", "never")] {
        world.execute(project, Command::RecordTaskFailed { task, claim: None, failure }).await;
    }
    world.execute(project, Command::RetryTask { task }).await;
}

/// Every row of the read tables as text.
async fn rows(world: &World) -> BTreeMap<&'static str, Vec<String>> {
    let mut rows = BTreeMap::new();
    for table in TABLES {
        let sql = format!("SELECT row_to_json(t)::text FROM {table} t ORDER BY id");
        rows.insert(table, sqlx::query_scalar(&sql).fetch_all(world.pool()).await.unwrap());
    }
    rows
}

/// Names only the rows that differ.
fn assert_same(left: &BTreeMap<&'static str, Vec<String>>, right: &BTreeMap<&'static str, Vec<String>>) {
    for table in TABLES {
        assert_eq!(left[table].len(), right[table].len(), "rows of {table}");
        for (left, right) in left[table].iter().zip(&right[table]) {
            assert_eq!(left, right, "a row of {table}");
        }
    }
}

async fn forget_everything(world: &World) {
    let sql = format!("TRUNCATE {}", TABLES.join(", "));
    sqlx::query(&sql).execute(world.pool()).await.unwrap();
    sqlx::query("DELETE FROM checkpoints").execute(world.pool()).await.unwrap();
}

/// Projects the whole log by pages of such sizes, each by a projection that knows nothing of the one before.
async fn project_by(world: &World, fence: &Fence, sizes: impl Fn(usize) -> i64) {
    let head = until("the whole log is settled", LONG, async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM events")
            .fetch_one(world.pool())
            .await
            .unwrap();
        let page = tail::read_page(world.pool(), Place::default(), count).await.unwrap();
        let head = page.last().map(|last| last.place);
        head.filter(|_| page.len() as i64 == count).ok_or_else(|| format!("{} of {count}", page.len()))
    })
    .await;
    for number in 0.. {
        let place = checkpoint::load(world.pool(), READER).await.unwrap();
        if place == head {
            return;
        }
        let page = tail::read_page(world.pool(), place, sizes(number)).await.unwrap();
        let page: Vec<Arc<_>> = page.into_iter().map(Arc::new).collect();
        Projection::new(world.pool().clone()).apply(place, &page, fence).await.unwrap();
    }
}

#[tokio::test]
async fn the_read_tables_are_the_same_wherever_the_projector_was_stopped() {
    let world = World::new().await;
    a_lively_log(&world).await;
    let fence = leader(&world).await;
    project_by(&world, &fence, |_| 10_000).await;
    let at_once = rows(&world).await;
    assert!(TABLES.iter().all(|table| !at_once[table].is_empty()), "{at_once:?}");
    for sizes in [|_| 1, |_| 7, |number: usize| [2, 31, 5, 1][number % 4]] {
        forget_everything(&world).await;
        project_by(&world, &fence, sizes).await;
        assert_same(&rows(&world).await, &at_once);
    }
    world.end().await;
}

#[tokio::test]
async fn one_projector_that_goes_on_shows_the_same_as_many_that_start_anew() {
    let world = World::new().await;
    let fence = leader(&world).await;
    let mut projector = Projector::new(world.pool().clone(), fence);
    a_lively_log(&world).await;
    while projector.apply_page().await.unwrap() > 0 {}
    a_lively_log(&world).await;
    project_by(&world, &fence, |_| 3).await;
    let anew = rows(&world).await;
    forget_everything(&world).await;
    project_by(&world, &fence, |_| 10_000).await;
    assert_same(&rows(&world).await, &anew);
    world.end().await;
}

#[tokio::test]
async fn a_deposed_leader_can_write_no_read_table() {
    let world = World::new().await;
    a_lively_log(&world).await;
    let deposed = leader(&world).await;
    let mut projector = Projector::new(world.pool().clone(), deposed);
    let leader = leader(&world).await;
    let refused = until("the log is settled", LONG, async || match projector.apply_page().await {
        Ok(_) => Err("nothing to project yet".to_owned()),
        Err(error) => Ok(error),
    })
    .await;
    assert!(matches!(refused, EngineError::Postgres(PostgresError::LeadershipLost)), "{refused}");
    assert!(rows(&world).await.values().all(Vec::is_empty));
    project_by(&world, &leader, |_| 10_000).await;
    let written = rows(&world).await;
    assert!(projector.apply_page().await.is_ok_and(|events| events == 0));
    assert_same(&rows(&world).await, &written);
    world.end().await;
}

#[tokio::test]
async fn an_event_of_an_unknown_type_stops_the_projector_and_is_not_skipped() {
    let world = World::new().await;
    let fence = leader(&world).await;
    let mut projector = Projector::new(world.pool().clone(), fence);
    let known = a_film_of(&world.shared.store, 1, Settings::default()).await;
    until("the known event is shown", LONG, async || match projector.apply_page().await.unwrap() {
        0 => Err("nothing".to_owned()),
        _ => Ok(()),
    })
    .await;
    let before = checkpoint::load(world.pool(), READER).await.unwrap();
    let version = world.state(known).await.version;
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, hash) \
         VALUES ('project', $1, $2, 'ShotDreamed', '1', '{\"ShotDreamed\":{}}', '{}', $3)",
    )
    .bind(known.to_string())
    .bind(version.cast_signed() + 1)
    .bind([0_u8; 32].as_slice())
    .execute(world.pool())
    .await
    .unwrap();
    let later = a_film_of(&world.shared.store, 1, Settings::default()).await;
    let stopped = until("the unknown event is met", LONG, async || match projector.apply_page().await {
        Ok(events) => Err(format!("{events} events")),
        Err(error) => Ok(error),
    })
    .await;
    assert!(stopped.to_string().contains("ShotDreamed"), "{stopped}");
    assert!(projector.apply_page().await.is_err(), "it stays where it is");
    assert_eq!(checkpoint::load(world.pool(), READER).await.unwrap(), before);
    assert!(!rows(&world).await["projects"].iter().any(|row| row.contains(&later.to_string())));
    let refused = world.shared.store.load(known).await.unwrap_err();
    assert!(matches!(refused, PostgresError::UnknownEvent { .. }), "{refused}");
    world.end().await;
}

#[tokio::test]
async fn the_newest_tasks_are_all_open_ones_and_as_many_ended_ones_as_are_asked_for() {
    let world = World::new().await;
    let film = a_film_of(&world.shared.store, 3, Settings::default()).await;
    play(&world.shared.store, film).await;
    world.execute(film, Command::MakeStoryboard { force: false, shot_count: None, alone: false }).await;
    let mut projector = Projector::new(world.pool().clone(), leader(&world).await);
    let version = world.state(film).await.version;
    until("all is read", LONG, async || {
        projector.apply_page().await.map_err(|error| error.to_string())?;
        let read = projects::version(world.pool(), film).await.unwrap();
        if read == Some(version) { Ok(()) } else { Err(format!("{read:?}")) }
    })
    .await;
    let all = tasks::of_project(world.pool(), film, None, 100).await.unwrap();
    let ended = all.iter().filter(|task| !task.status.is_open()).count();
    assert!(ended >= 7 && ended < all.len(), "the new storyboard is open");
    for newest in [0, 2, 100] {
        let mut older = ended.saturating_sub(newest);
        let expected = all.iter().filter(|task| {
            let is_left_out = !task.status.is_open() && older > 0;
            older -= usize::from(is_left_out);
            !is_left_out
        });
        let expected: Vec<_> = expected.cloned().collect();
        let newest = i64::try_from(newest).unwrap();
        assert_eq!(tasks::recent(world.pool(), film, newest).await.unwrap(), expected);
    }
    world.end().await;
}

#[tokio::test]
async fn looking_back_from_a_milestone_shows_the_same_as_from_the_first_event() {
    let world = World::new().await;
    let film = a_film_of(&world.shared.store, 60, everything_on()).await;
    play(&world.shared.store, film).await;
    let shot = world.state(film).await.shots[7].id;
    world.execute(film, Command::RemoveShot { shot }).await;
    play(&world.shared.store, film).await;
    let newest = world.state(film).await.version;
    let run = async |sql: &str| sqlx::query(sql).execute(world.pool()).await.unwrap();
    let look = async |version| format!("{:?}", past::at(world.pool(), film, version).await.unwrap());
    let number = async |sql: &str| sqlx::query_scalar::<_, i64>(sql).fetch_one(world.pool()).await.unwrap();
    let mut from_the_first = Vec::new();
    for version in [1, 249, 250, 251, 499, 500, 501, 640, newest - 1, newest] {
        run("DELETE FROM milestones").await;
        from_the_first.push((version, look(version).await));
    }
    let room = number("SELECT sum(length(folded::text)) FROM milestones").await;
    let history = number("SELECT sum(length(payload::text) + length(metadata::text)) FROM events").await;
    assert!(0 < room && room <= history, "{room} bytes of {history}");
    // Of what comes before a milestone nothing is read any more.
    let first = number("SELECT min(version) FROM milestones").await.cast_unsigned();
    assert!((250..=500).contains(&first), "{first} of {newest}");
    run(&format!("DELETE FROM events WHERE sequence <= {first}")).await;
    for (version, from_the_first) in from_the_first.into_iter().filter(|(version, _)| *version >= first) {
        assert_eq!(look(version).await, from_the_first, "version {version}");
    }
    assert_eq!(look(newest + 1).await, "None");
    world.end().await;
}
