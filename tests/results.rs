//! Results that arrive twice, late, for nothing, or with other content than they say; and cancelled work.

use std::fs;
use std::time::{Duration, SystemTime};

use domain::asset::Asset;
use domain::desk::{ClaimReply, Outcome, ResultReply, RunReport};
use domain::ids::{ClaimId, ProjectId, TaskId};
use domain::job::{Failure, Kind, MadeWith, Output, SpecHash};
use domain::project::{Command, Event, Parameters, TaskState};
use domain::settings::Settings;
use infra::media::MediaFolder;
use infra::postgres::views::tasks::{self, TaskStatus};
use uuid::Uuid;
use worker::providers::bench::{Noted, Sleeping};

use crate::harness::{Hand, LONG, Note, World, audit, finished_tasks, notes, storyboard, until};

fn sleeper(world: &World, millis: u64) -> Noted {
    let durations = Kind::ALL.into_iter().map(|kind| (kind, Duration::from_millis(millis))).collect();
    Noted { sleeping: Sleeping { durations }, notes: Some(world.servers.file("notes")) }
}

/// How many runs have ended, of one kind or all.
fn ends(world: &World, kind: Option<Kind>) -> usize {
    let counts = |note: &Note| !note.starts && kind.is_none_or(|kind| note.kind == kind.as_str());
    notes(&world.servers).into_iter().filter(counts).count()
}

async fn open_task(world: &World, project: ProjectId, kind: Kind) -> TaskId {
    let state = world.state(project).await;
    state.open_tasks().find(|(_, task)| task.kind == kind).expect("such a task is open").0
}

async fn settle(world: &World, project: ProjectId) {
    for (task, _) in world.state(project).await.open_tasks() {
        world.execute(project, Command::CancelTask { task }).await;
    }
}

#[tokio::test]
async fn a_result_delivered_twice_is_recorded_once() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, Settings::default()).await;
    let hand = Hand::new(&world, "hand").await;
    let (message, claim) = hand.start(Kind::Storyboard).await;
    let result = || Output::Storyboard(storyboard(1));
    let report = async || hand.report(Kind::Storyboard, message.job, claim, result()).await;
    assert_eq!(report().await, ResultReply::Recorded);
    let version = world.state(project).await.version;
    assert_eq!(report().await, ResultReply::Recorded);
    let (one, two) = tokio::join!(report(), report());
    assert_eq!([one, two], [ResultReply::Recorded, ResultReply::Recorded]);
    assert_eq!(world.state(project).await.version, version);
    message.ack().await.unwrap();
    assert_eq!(hand.claim(Kind::Storyboard, message.job).await, ClaimReply::Stop, "its job is over");
    settle(&world, project).await;
    world.finish().await;
}

#[tokio::test]
async fn a_result_of_a_cancelled_task_changes_nothing() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, Settings::default()).await;
    let hand = Hand::new(&world, "hand").await;
    hand.do_storyboard(&world, project, 1).await;
    let (message, claim) = hand.start(Kind::Image).await;
    // Before the task ends, as its uploads are cleared then.
    let asset = hand.upload(message.job, claim, b"a late picture", b"a late picture").await;
    world.execute(project, Command::CancelTask { task: message.job.task }).await;
    let version = world.state(project).await.version;
    let outcomes = [
        Outcome::Finished { output: Box::new(Output::Media { asset }), made_with: MadeWith::default() },
        Outcome::Failed { failure: Failure::retry("late", "too late") },
        Outcome::Deferred { until: world.shared.clock.now(), reason: "too late".to_owned() },
    ];
    for outcome in outcomes {
        let reply = hand.report_outcome(Kind::Image, message.job, claim, outcome).await;
        assert_eq!(reply, ResultReply::Recorded);
    }
    let state = world.state(project).await;
    assert_eq!((state.version, &state.shots[0].image), (version, &None));
    settle(&world, project).await;
    world.finish().await;
}

#[tokio::test]
async fn a_success_that_comes_after_the_lease_was_lost_is_taken_once() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, Settings::default()).await;
    let slow = Hand::new(&world, "slow").await;
    slow.do_storyboard(&world, project, 1).await;
    let (_lost, late_claim) = slow.start(Kind::Image).await;
    // Nobody renews the lease of the slow one; its job is sent again.
    let other = Hand::new(&world, "other").await;
    let (message, claim) = other.start(Kind::Image).await;
    assert_ne!(claim, late_claim);
    let late = slow.upload(message.job, late_claim, b"the late one", b"the late one").await;
    // Before the task ends, as its uploads are cleared then.
    let second = other.upload(message.job, claim, b"the other one", b"the other one").await;
    let reply =
        slow.report(Kind::Image, message.job, late_claim, Output::Media { asset: late.clone() }).await;
    assert_eq!(reply, ResultReply::Recorded);
    assert_eq!(
        world.state(project).await.shots[0].image.as_ref().map(|take| &take.asset.key),
        Some(&late.key)
    );

    let version = world.state(project).await.version;
    other.report(Kind::Image, message.job, claim, Output::Media { asset: second }).await;
    message.ack().await.unwrap();
    assert_eq!(world.state(project).await.version, version);
    assert_eq!(finished_tasks(world.pool(), project).await[&message.job.task], 1);
    settle(&world, project).await;
    world.finish().await;
}

#[tokio::test]
async fn a_late_failure_of_a_lost_run_is_ignored() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, Settings::default()).await;
    let slow = Hand::new(&world, "slow").await;
    let (_lost, late_claim) = slow.start(Kind::Storyboard).await;
    let other = Hand::new(&world, "other").await;
    let (message, claim) = other.start(Kind::Storyboard).await;
    let version = world.state(project).await.version;
    let failed = Outcome::Failed { failure: Failure::fail("crashed", "too late") };
    slow.report_outcome(Kind::Storyboard, message.job, late_claim, failed).await;
    assert_eq!(world.state(project).await.version, version);
    other.report(Kind::Storyboard, message.job, claim, Output::Storyboard(storyboard(1))).await;
    message.ack().await.unwrap();
    assert_eq!(world.state(project).await.shots.len(), 1);
    settle(&world, project).await;
    world.finish().await;
}

#[tokio::test]
async fn an_upload_with_other_content_than_its_address_says_is_refused() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, Settings::default()).await;
    let hand = Hand::new(&world, "hand").await;
    hand.do_storyboard(&world, project, 1).await;
    let (message, claim) = hand.start(Kind::Image).await;
    let asset = hand.upload(message.job, claim, b"what was promised", b"what came").await;
    hand.report(Kind::Image, message.job, claim, Output::Media { asset: asset.clone() }).await;
    message.ack().await.unwrap();
    let failures: Vec<Failure> = world
        .events(project)
        .await
        .into_iter()
        .filter_map(|recorded| match recorded.event {
            Event::TaskRetryScheduled(event) => Some(event.failure),
            _ => None,
        })
        .collect();
    assert_eq!(
        failures.iter().map(|failure| failure.code.as_str()).collect::<Vec<_>>(),
        ["upload_incomplete"]
    );
    assert_eq!(world.shared.media.size(&asset.key).await.unwrap(), None);

    let (message, claim) = hand.start(Kind::Image).await;
    assert_eq!(message.job.attempt, 2, "a failure that was reported uses an attempt");
    let asset = hand.upload(message.job, claim, b"what was promised", b"what was promised").await;
    hand.report(Kind::Image, message.job, claim, Output::Media { asset: asset.clone() }).await;
    message.ack().await.unwrap();
    assert_eq!(world.shared.media.size(&asset.key).await.unwrap(), Some(17));
    settle(&world, project).await;
    world.finish().await;
}

#[tokio::test]
async fn an_asset_that_was_never_uploaded_finishes_nothing() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, Settings::default()).await;
    let hand = Hand::new(&world, "hand").await;
    hand.do_storyboard(&world, project, 1).await;
    let (message, claim) = hand.start(Kind::Image).await;
    let asset = hand.upload(message.job, claim, b"gone", b"gone").await;
    world.shared.media.clear_incoming(message.job.task).await.unwrap();
    hand.report(Kind::Image, message.job, claim, Output::Media { asset }).await;
    message.ack().await.unwrap();
    assert_eq!(finished_tasks(world.pool(), project).await.get(&message.job.task), None);
    settle(&world, project).await;
    world.finish().await;
}

#[tokio::test]
async fn a_finished_run_whose_worker_died_before_its_report_is_not_run_again() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, Settings::default()).await;
    let dead = Hand::new(&world, "dead").await;
    dead.do_storyboard(&world, project, 1).await;
    let (message, claim) = dead.start(Kind::Image).await;
    let picture = b"whole and uploaded";
    let asset = dead.upload(message.job, claim, picture, picture).await;
    let spec = world.state(project).await.tasks[&message.job.task].spec_hash.clone().unwrap();
    leave_report(&world, message.job.task, claim, RunReport { spec, ..report_of(&asset) });
    let heir = Hand::new(&world, "heir").await;
    let again = heir.take(Kind::Image).await;
    assert_eq!(heir.claim(Kind::Image, again.job).await, ClaimReply::Done);
    again.ack().await.unwrap();
    assert_eq!(
        world.state(project).await.shots[0].image.as_ref().map(|take| &take.asset.key),
        Some(&asset.key)
    );
    settle(&world, project).await;
    world.finish().await;
}

fn report_of(asset: &Asset) -> RunReport {
    let output = Box::new(Output::Media { asset: asset.clone() });
    RunReport { spec: SpecHash("of something else".to_owned()), output, made_with: MadeWith::default() }
}

/// Leaves a run's report beside its uploads, as a worker does before it tells the desk.
fn leave_report(world: &World, task: TaskId, claim: ClaimId, report: RunReport) {
    let folder = world.servers.media().join(format!("incoming/{task}/{claim}"));
    fs::write(MediaFolder::report_path(&folder), serde_json::to_vec(&report).unwrap()).unwrap();
}

#[tokio::test]
async fn what_a_lost_run_made_for_something_else_is_not_taken() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, Settings::default()).await;
    let dead = Hand::new(&world, "dead").await;
    dead.do_storyboard(&world, project, 1).await;
    let (message, claim) = dead.start(Kind::Image).await;
    let asset = dead.upload(message.job, claim, b"another picture", b"another picture").await;
    leave_report(&world, message.job.task, claim, report_of(&asset));
    let heir = Hand::new(&world, "heir").await;
    let again = heir.take(Kind::Image).await;
    assert!(matches!(heir.claim(Kind::Image, again.job).await, ClaimReply::Run { .. }));
    settle(&world, project).await;
    world.finish().await;
}

#[tokio::test]
async fn uploads_are_cleared_when_their_task_ends_however_it_ends() {
    let world = World::with_engine().await;
    let project = world.a_film_of(2, Settings::default()).await;
    let hand = Hand::new(&world, "hand").await;
    hand.do_storyboard(&world, project, 2).await;
    let (fails, claim) = hand.start(Kind::Image).await;
    hand.upload(fails.job, claim, b"half of it", b"half of it").await;
    let failed = Outcome::Failed { failure: Failure::fail("model_down", "no more") };
    hand.report_outcome(Kind::Image, fails.job, claim, failed).await;
    fails.ack().await.unwrap();
    let (cancelled, claim) = hand.start(Kind::Image).await;
    hand.upload(cancelled.job, claim, b"a quarter", b"a quarter").await;
    settle(&world, project).await;
    until("nothing is left of the uploads", LONG, async || {
        let left = fs::read_dir(world.servers.media().join("incoming")).unwrap().count();
        if left == 0 { Ok(()) } else { Err(format!("{left} folders")) }
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn old_uploads_of_ended_tasks_and_of_processes_that_died_are_cleared() {
    let world = World::new().await;
    let incoming = world.servers.media().join("incoming");
    let folder = |age: Duration| {
        let folder = incoming.join(Uuid::new_v4().to_string());
        fs::create_dir(&folder).unwrap();
        fs::File::open(&folder).unwrap().set_modified(SystemTime::now() - age).unwrap();
        folder
    };
    let hour = Duration::from_secs(3_600);
    let file = |age: Duration| {
        let path = incoming.join(format!("upload-{}", Uuid::new_v4()));
        fs::File::create_new(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        path
    };
    let (old, young) = ([folder(2 * hour), file(2 * hour)], [folder(hour / 2), file(hour / 2)]);
    world.start_engine();
    until("the old ones are gone", LONG, async || {
        let left = old.iter().filter(|path| path.exists()).count();
        if left == 0 { Ok(()) } else { Err(format!("{left} are there")) }
    })
    .await;
    assert!(young.iter().all(|path| path.exists()), "somebody may still be at them");
    world.finish().await;
}

#[tokio::test]
async fn what_was_made_once_is_not_made_again_for_another_project() {
    let world = World::with_engine().await;
    world.start_worker("maker", sleeper(&world, 0), &Kind::ALL);
    // The same seed and the same words: the same specifications, but for the film of each.
    let settings = || Settings { seed: Some(7), ..Settings::default() };
    let first = world.a_film_of(2, settings()).await;
    let settled = async |project| {
        until("the project is settled", LONG, async || {
            let open: Vec<_> = world.state(project).await.open_tasks().map(|(_, task)| task.kind).collect();
            if open.is_empty() { Ok(()) } else { Err(format!("{open:?}")) }
        })
        .await;
    };
    settled(first).await;
    let made = ends(&world, Some(Kind::Tts));
    let second = world.a_film_of(2, settings()).await;
    settled(second).await;
    assert_eq!(ends(&world, Some(Kind::Tts)), made, "{:?}", notes(&world.servers));
    assert!(world.state(second).await.shots.iter().all(|shot| shot.voice.is_some()));
    world.finish().await;
}

#[tokio::test]
async fn a_queued_task_that_is_cancelled_never_starts() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, Settings::default()).await;
    let storyboard = open_task(&world, project, Kind::Storyboard).await;
    until("its job is queued", LONG, async || {
        let queued = world.shared.bus.queued_tasks().await.unwrap();
        if queued.contains(&storyboard) { Ok(()) } else { Err(format!("{queued:?}")) }
    })
    .await;
    world.execute(project, Command::CancelTask { task: storyboard }).await;
    until("its job is taken out", LONG, async || {
        let queued = world.shared.bus.queued_tasks().await.unwrap();
        if queued.is_empty() { Ok(()) } else { Err(format!("{queued:?}")) }
    })
    .await;
    world.start_worker("late", sleeper(&world, 0), &Kind::ALL);
    let other = world.a_film_of(1, Settings::default()).await;
    until("the worker has done another project", LONG, async || {
        let open = world.state(other).await.open_tasks().count();
        if open == 0 { Ok(()) } else { Err(format!("{open} open tasks")) }
    })
    .await;
    assert!(
        !world.events(project).await.iter().any(|recorded| matches!(recorded.event, Event::TaskStarted(_)))
    );
    world.finish().await;
}

#[tokio::test]
async fn a_running_task_that_is_cancelled_stops_and_makes_room() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, Settings::default()).await;
    let hand = Hand::new(&world, "hand").await;
    hand.do_storyboard(&world, project, 1).await;
    // One slot, and far more time than the test has.
    world.start_worker("sleeper", sleeper(&world, 3_600_000), &[Kind::Image]);
    let starts = async |count: usize| {
        until("the picture is started", LONG, async || {
            let found = notes(&world.servers).len();
            if found == count { Ok(()) } else { Err(format!("{found} notes")) }
        })
        .await;
    };
    starts(1).await;
    let task = open_task(&world, project, Kind::Image).await;
    world.execute(project, Command::CancelTask { task }).await;
    let shot = world.state(project).await.shots[0].id;
    let again =
        Command::GenerateTake { shot, kind: Kind::Image, parameters: Parameters::default(), candidates: 1 };
    world.execute(project, again).await;
    starts(2).await;
    let task = open_task(&world, project, Kind::Image).await;
    world.execute(project, Command::CancelTask { task }).await;
    settle(&world, project).await;
    assert_eq!(ends(&world, None), 0, "nothing was finished");
    assert!(audit(world.pool(), project).await.is_ok());
    until("the table says so", LONG, async || {
        let row = tasks::find(world.pool(), task).await.unwrap().unwrap();
        if row.status == TaskStatus::Cancelled { Ok(()) } else { Err(format!("{:?}", row.status)) }
    })
    .await;
    let state = world.state(project).await;
    assert!(matches!(state.tasks[&task].state, TaskState::Cancelled(_)));
    world.finish().await;
}
