//! Kills every part of the system with `-9` at many points of a film in the making, and counts what comes of it.
//!
//! Each round makes a film of ten shots with clips: 32 tasks. The points are random, from a seed that is told.

use std::collections::BTreeMap;

use domain::ids::{ProjectId, TaskId};
use domain::job::Kind;
use domain::project::{Command, Event, Parameters};
use domain::settings::Settings;
use infra::postgres::tail::{self, Recorded};
use rustix::process::Signal;
use standalone::stack::Shared;

use crate::harness::{
    LONG, Note, Own, Role, World, a_film_of, audit, envelope, everything_on, finished_tasks, leftovers,
    notes, until,
};

const SHOTS: u32 = 10;
/// A storyboard; a picture, a clip and a voice for each shot; a film.
const TASKS: usize = 1 + 3 * SHOTS as usize + 1;
/// Runs of one task may cross where a lease was lost: the second was granted just before the first is recorded.
const CROSSING_MILLIS: i64 = 500;

const ALL_KINDS: [&str; 5] = ["storyboard=1", "image=2", "tts=2", "video=2", "film=1"];

/// What is done to the system.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Engine,
    Worker,
    Nats,
    Store,
    Postgres,
}

/// Roles in processes of their own, on servers of their own.
struct System {
    own: Own,
    shared: Shared,
    engine: Role,
    workers: Vec<Role>,
    random: u64,
    blows: Vec<Blow>,
}

impl System {
    async fn start(lease_seconds: u32, seed: u64) -> Self {
        let own = Own::postgres_and_nats().await;
        let url = own.postgres_url().to_owned();
        let shared = Shared::connect(&url, own.nats_url(), &own.media(), "test").await.unwrap();
        let engine = Role::start(&own, &url, "engine", lease_seconds, &["engine"]);
        let workers =
            ["one", "two"].map(|name| Role::sleeper(&own, &url, (name, &ALL_KINDS), lease_seconds, 120));
        Self { own, shared, engine, workers: workers.into(), random: seed, blows: Vec::new() }
    }

    /// A number below `limit`; a linear congruential generator is random enough.
    fn below(&mut self, limit: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % limit
    }

    async fn strike(&mut self, blow: Blow) {
        self.blows.push(blow);
        match blow {
            Blow::Engine => {
                self.engine.kill().await;
                // The first time, the lease of the leadership is waited for; else every such blow took 15 s.
                if self.blows.iter().filter(|blow| matches!(blow, Blow::Engine)).count() > 1 {
                    let expire = "UPDATE leaderships SET expires_at = '-infinity'";
                    sqlx::query(expire).execute(&self.shared.pool).await.unwrap();
                }
            }
            Blow::Worker => {
                let number = self.below(self.workers.len());
                self.workers[number].kill().await;
            }
            Blow::Nats => self.own.kill_nats().await,
            Blow::Store => self.own.lose_the_store_of_nats().await,
            Blow::Postgres => self.own.kill_postgres().await,
        }
    }

    /// The number of a project's events once there are so many, or nothing once its film is there.
    async fn reach(&mut self, project: ProjectId, wanted: usize) -> Option<usize> {
        let Self { shared, engine, workers, blows, .. } = self;
        until("the film goes on", LONG, async || {
            engine.keep_alive();
            workers.iter_mut().for_each(Role::keep_alive);
            let events = history(shared, project).await?;
            let is_film = |recorded: &Recorded| matches!(recorded.event, Event::FilmRendered(_));
            match events.len() {
                _ if events.iter().any(is_film) => Ok(None),
                count if count >= wanted => Ok(Some(count)),
                count => Err(format!("{count} events of {wanted} after {blows:?}")),
            }
        })
        .await
    }

    /// Makes a film, with a blow after every few events.
    async fn make_a_film(&mut self, blows: &[Blow], apart: usize) -> ProjectId {
        let project = a_film_of(&self.shared.store, SHOTS, everything_on()).await;
        self.shared.bus.wake().await;
        let mut next = 1 + self.below(apart);
        while let Some(reached) = self.reach(project, next).await {
            let blow = blows[self.below(blows.len())];
            self.strike(blow).await;
            next = reached + 1 + self.below(apart);
        }
        until("nothing is left to do", LONG, async || leftovers(&self.shared).await).await;
        project
    }

    async fn stop(self) {
        for role in self.workers {
            role.stop().await;
        }
        self.engine.stop().await;
        self.shared.store.close().await;
        self.own.stop().await;
    }
}

async fn history(shared: &Shared, project: ProjectId) -> Result<Vec<Recorded>, String> {
    tail::read_stream(&shared.pool, project, 0, 10_000).await.map_err(|error| error.to_string())
}

/// Every event once and unbroken, every task finished once, at its first attempt, and nothing made after it was.
async fn assert_made_once(shared: &Shared, project: ProjectId, notes: &[Note]) {
    let events = history(shared, project).await.unwrap();
    assert_eq!(audit(&shared.pool, project).await, Ok(events.len() as u64));
    let finished = finished_tasks(&shared.pool, project).await;
    assert_eq!(finished.len(), TASKS);
    assert!(finished.values().all(|times| *times == 1), "{finished:?}");
    for recorded in events {
        match recorded.event {
            Event::TaskFinished(event) => {
                let at = recorded.at.timestamp_millis();
                let again = |note: &&Note| {
                    note.starts && note.spec == event.spec_hash.0 && note.millis > at + CROSSING_MILLIS
                };
                let again = notes.iter().find(again);
                assert!(again.is_none(), "{} finished at {at} and was made again: {again:?}", event.task_id);
            }
            Event::TaskFailed(_) | Event::TaskRetryScheduled(_) | Event::TaskCancelled(_) => {
                panic!("nothing failed, and yet: {recorded:?}")
            }
            _ => {}
        }
    }
}

/// How often each specification was made to its end.
fn runs(notes: &[Note]) -> BTreeMap<&str, usize> {
    let mut runs = BTreeMap::new();
    for note in notes.iter().filter(|note| !note.starts) {
        *runs.entry(note.spec.as_str()).or_default() += 1;
    }
    runs
}

#[tokio::test]
async fn whatever_is_killed_the_film_is_made_and_every_event_is_there_once() {
    let mut system = System::start(3, 20_261).await;
    for round in 0..3 {
        let blows = [Blow::Worker, Blow::Engine, Blow::Nats, Blow::Worker, Blow::Postgres, Blow::Store];
        let project = system.make_a_film(&blows, 22).await;
        println!("round {round}: {:?}", system.blows);
        assert_made_once(&system.shared, project, &notes(&system.own)).await;
    }
    let notes = notes(&system.own);
    let doubled: usize = runs(&notes).values().map(|runs| runs - 1).sum();
    println!("{} runs ended twice, of {}; {:?}", doubled, runs(&notes).len(), system.blows);
    system.stop().await;
}

#[tokio::test]
async fn while_the_workers_live_nothing_is_made_twice_whatever_else_is_killed() {
    let mut system = System::start(30, 77).await;
    for _ in 0..3 {
        let project = system.make_a_film(&[Blow::Engine, Blow::Nats, Blow::Postgres, Blow::Store], 30).await;
        assert_made_once(&system.shared, project, &notes(&system.own)).await;
    }
    let notes = notes(&system.own);
    let doubled: Vec<_> = runs(&notes).into_iter().filter(|(_, runs)| *runs > 1).collect();
    let doubled: Vec<_> =
        notes.iter().filter(|note| doubled.iter().any(|(spec, _)| *spec == note.spec)).collect();
    assert!(doubled.is_empty(), "made more than once: {doubled:#?} after {:?}", system.blows);
    system.stop().await;
}

#[tokio::test]
async fn a_frozen_worker_loses_its_job_and_its_late_result_does_no_harm() {
    let world = World::with_engine().await;
    let start = |name, kinds: &[&str], millis| {
        Role::sleeper(&world.servers, world.database_url(), (name, kinds), 3, millis)
    };
    // It makes pictures alone: of other kinds it could be holding jobs that it has not claimed, until the queue
    // delivers them again after a minute.
    let frozen = start("frozen", &["image=1"], 700);
    let writer = start("writer", &["storyboard=1"], 0);
    let project = world.a_film_of(1, Settings::default()).await;
    let picture = |note: &Note| note.kind == Kind::Image.as_str();
    until("the picture is begun", LONG, async || {
        let notes = notes(&world.servers);
        if notes.iter().any(picture) { Ok(()) } else { Err(format!("{notes:?}")) }
    })
    .await;
    frozen.signal(Signal::STOP);
    let other = start("other", &ALL_KINDS, 20);
    settled(&world, project).await;
    let made = world.state(project).await;
    assert!(made.shots[0].image.is_some(), "the picture is made elsewhere");
    let version = made.version;

    frozen.signal(Signal::CONT);
    other.stop().await;
    writer.stop().await;
    // Its next job tells that it is back, and that its late results were heard before.
    let shot = made.shots[0].id;
    let again =
        Command::GenerateTake { shot, kind: Kind::Image, parameters: Parameters::default(), candidates: 1 };
    world.execute(project, again).await;
    settled(&world, project).await;
    let between =
        world.events(project).await.into_iter().find(|recorded| recorded.version == version + 1).unwrap();
    assert!(matches!(between.event, Event::TaskQueued(_)), "the late results changed nothing: {between:?}");
    let finished = finished_tasks(world.pool(), project).await;
    assert!(finished.values().all(|times| *times == 1), "{finished:?}");
    assert!(audit(world.pool(), project).await.is_ok());
    frozen.stop().await;
    world.finish().await;
}

async fn settled(world: &World, project: ProjectId) {
    until("the project is settled", LONG, async || {
        let state = world.state(project).await;
        let open: Vec<_> = state.open_tasks().map(|(_, task)| (task.kind, task.state.clone())).collect();
        if open.is_empty() { Ok(()) } else { Err(format!("{open:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_end_gives_its_jobs_back_without_using_up_an_attempt() {
    let world = World::with_engine().await;
    let start =
        |name, millis| Role::sleeper(&world.servers, world.database_url(), (name, &ALL_KINDS), 3, millis);
    let leaving = start("leaving", 3_600_000);
    let project = world.a_film_of(1, Settings::default()).await;
    until("the storyboard is begun", LONG, async || {
        if notes(&world.servers).is_empty() { Err("no notes".to_owned()) } else { Ok(()) }
    })
    .await;
    leaving.stop().await;
    let staying = start("staying", 0);
    settled(&world, project).await;
    let attempts = world.events(project).await.into_iter().filter_map(|recorded| match recorded.event {
        Event::TaskFinished(event) => Some(event.attempt),
        _ => None,
    });
    assert!(attempts.into_iter().all(|attempt| attempt == 1));
    staying.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn commands_go_on_while_nats_is_down_and_the_work_when_it_is_back() {
    let mut world = World::with_engine().await;
    world.servers.stop_nats().await;
    let mut projects: Vec<(ProjectId, TaskId)> = Vec::new();
    for _ in 0..3 {
        let project = a_film_of(&world.shared.store, 1, Settings::default()).await;
        let storyboard = world
            .state(project)
            .await
            .open_tasks()
            .find(|(_, task)| task.kind == Kind::Storyboard)
            .unwrap()
            .0;
        projects.push((project, storyboard));
    }
    world.servers.start_nats().await;
    until("every storyboard is queued", LONG, async || {
        let queued = world.shared.bus.queued_tasks().await.map_err(|error| error.to_string())?;
        let all = projects.iter().all(|(_, task)| queued.contains(task));
        if all { Ok(()) } else { Err(format!("{queued:?}")) }
    })
    .await;
    for (project, _) in projects {
        world.shared.store.execute(project, envelope(Command::DeleteProject)).await.unwrap();
    }
    world.finish().await;
}
