//! The event store against real PostgreSQL: one effect a command, consecutive versions, an unbroken chain.

use cqrs_es::Aggregate;
use cqrs_es::persist::PersistedEventRepository;
use domain::ids::ProjectId;
use domain::project::{Command, Event, Project, ProjectPatch};
use domain::settings::Settings;
use futures::future::join_all;
use infra::postgres::event_store::{EventStore, ExecuteError, Receipt};
use infra::postgres::{PostgresError, leadership, snapshot};
use infra::runtime::Clock;
use uuid::Uuid;

use crate::harness::{LONG, World, a_film_of, audit, creation, envelope, everything_on, play, until};

fn rename(title: &str) -> Command {
    Command::ReviseProject(ProjectPatch { title: Some(title.to_owned()), ..ProjectPatch::default() })
}

/// Gives a command as an impatient person does: again and again until it is taken.
async fn insist(store: &EventStore, project: ProjectId, command: Command) -> Receipt {
    let envelope = envelope(command);
    loop {
        match store.execute(project, envelope.clone()).await {
            Ok(receipt) => return receipt,
            Err(ExecuteError::Contended) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Lets the role's lease run out at once and another holder take it.
async fn depose(world: &World) -> leadership::Fence {
    sqlx::query("UPDATE leaderships SET expires_at = '-infinity'").execute(world.pool()).await.unwrap();
    leadership::take_or_renew(world.pool(), engine::ROLE, Uuid::new_v4()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_repeated_command_answers_the_first_receipt() {
    let world = World::new().await;
    let store = &world.shared.store;
    let project = a_film_of(store, 2, Settings::default()).await;
    let command = envelope(rename("The lamp"));
    let first = store.execute(project, command.clone()).await.unwrap();
    world.execute(project, rename("Another title")).await;
    let again = EventStore::new(world.pool().clone(), Clock::System).execute(project, command).await.unwrap();
    assert!(!first.duplicate && again.duplicate);
    assert_eq!((again.project, again.version), (project, first.version));
    assert_eq!(world.state(project).await.title, "Another title");
    world.end().await;
}

#[tokio::test]
async fn the_same_creation_sent_eight_times_at_once_makes_one_project() {
    let world = World::new().await;
    let create = envelope(creation(ProjectId(Uuid::now_v7()), 2, Settings::default()));
    let stores: Vec<EventStore> =
        (0..4).map(|_| EventStore::new(world.pool().clone(), Clock::System)).collect();
    // Each caller chose an id of its own; the command's id makes them one.
    let callers = (0..8).map(|n| {
        let (store, create) = (&stores[n % stores.len()], create.clone());
        async move { store.execute(ProjectId(Uuid::now_v7()), create).await }
    });
    let receipts: Vec<Receipt> = join_all(callers).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(receipts.iter().filter(|receipt| !receipt.duplicate).count(), 1);
    assert!(receipts.iter().all(|receipt| receipt.project == receipts[0].project));
    let streams = sqlx::query_scalar("SELECT count(DISTINCT aggregate_id) FROM events");
    let streams: i64 = streams.fetch_one(world.pool()).await.unwrap();
    assert_eq!(streams, 1);
    drop(stores);
    world.end().await;
}

#[tokio::test]
async fn thirty_two_commands_on_one_project_at_once_all_take_effect() {
    let world = World::new().await;
    let project = a_film_of(&world.shared.store, 1, Settings::default()).await;
    let before = world.state(project).await.version;
    let stores: Vec<EventStore> =
        (0..4).map(|_| EventStore::new(world.pool().clone(), Clock::System)).collect();
    let titles: Vec<String> = (0..32).map(|n| format!("Title {n}")).collect();
    let givers = titles.iter().zip(0..).map(|(title, n)| insist(&stores[n % 4], project, rename(title)));
    let mut versions: Vec<u64> = join_all(givers).await.into_iter().map(|receipt| receipt.version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (before + 1..=before + 32).collect::<Vec<_>>());

    let renamed = world.events(project).await.into_iter().filter_map(|recorded| match recorded.event {
        Event::ProjectRenamed(event) => Some(event.title),
        _ => None,
    });
    let mut renamed: Vec<String> = renamed.collect();
    let mut titles = titles;
    renamed.sort_unstable();
    titles.sort_unstable();
    assert_eq!(renamed, titles);
    assert_eq!(audit(world.pool(), project).await, Ok(before + 32));
    drop(stores);
    world.end().await;
}

#[tokio::test]
async fn the_chain_of_hashes_shows_an_alteration() {
    let world = World::new().await;
    let project = a_film_of(&world.shared.store, 2, everything_on()).await;
    play(&world.shared.store, project).await;
    let version = world.state(project).await.version;
    assert_eq!(audit(world.pool(), project).await, Ok(version));
    let alter = |sql: &'static str| sqlx::query(sql).bind(project.to_string()).execute(world.pool());
    alter("UPDATE events SET payload = replace(payload::text, 'keeper', 'sleeper')::json WHERE aggregate_id = $1 AND sequence = 1")
        .await
        .unwrap();
    assert_eq!(audit(world.pool(), project).await, Err("version 1 was altered".to_owned()));
    alter("UPDATE events SET payload = replace(payload::text, 'sleeper', 'keeper')::json WHERE aggregate_id = $1 AND sequence = 1")
        .await
        .unwrap();
    assert_eq!(audit(world.pool(), project).await, Ok(version));
    alter("UPDATE events SET metadata = '{}' WHERE aggregate_id = $1 AND sequence = 5").await.unwrap();
    assert_eq!(audit(world.pool(), project).await, Err("version 5 was altered".to_owned()));
    alter("DELETE FROM events WHERE aggregate_id = $1 AND sequence = 5").await.unwrap();
    assert_eq!(audit(world.pool(), project).await, Err("version 5 is missing".to_owned()));
    world.end().await;
}

#[tokio::test]
async fn a_project_is_the_same_from_memory_from_a_snapshot_and_from_its_events() {
    let world = World::new().await;
    let project = a_film_of(&world.shared.store, 12, everything_on()).await;
    play(&world.shared.store, project).await;
    let remembered = world.state(project).await;
    assert!(remembered.version > 100, "there is a snapshot to be had");
    let a_snapshot = async || {
        let count = sqlx::query_scalar("SELECT count(*) FROM snapshots WHERE schema_hash <> 'another'");
        let count: i64 = count.fetch_one(world.pool()).await.unwrap();
        if count > 0 { Ok(()) } else { Err("none".to_owned()) }
    };
    until("the snapshot is written", LONG, a_snapshot).await;
    world.shared.store.clear_cache();
    assert_eq!(world.state(project).await, remembered);
    // As another version of the program would have left it.
    sqlx::query("UPDATE snapshots SET schema_hash = 'another'").execute(world.pool()).await.unwrap();
    world.shared.store.clear_cache();
    assert_eq!(world.state(project).await, remembered);
    until("whoever had to read it all has left a snapshot", LONG, a_snapshot).await;
    let leader = depose(&world).await;
    assert_eq!(snapshot::sweep(world.pool(), 10, &leader).await.unwrap(), 1);
    world.end().await;
}

#[tokio::test]
async fn the_stock_repository_of_postgres_es_reads_the_log() {
    let world = World::new().await;
    let project = a_film_of(&world.shared.store, 3, everything_on()).await;
    play(&world.shared.store, project).await;
    let stock = postgres_es::PostgresEventRepository::new(world.pool().clone());
    let stored = stock.get_events::<Project>(&project.to_string()).await.unwrap();
    let ours = world.events(project).await;
    assert_eq!(stored.len(), ours.len());
    let mut state = Project::default();
    for (stored, ours) in stored.into_iter().zip(ours) {
        assert_eq!((stored.sequence as u64, stored.event_type.as_str()), (ours.version, ours.event.name()));
        let event: Event = serde_json::from_value(stored.payload).unwrap();
        assert_eq!(event, ours.event);
        state.apply(event);
    }
    assert_eq!(state, *world.state(project).await);
    world.end().await;
}

#[tokio::test]
async fn what_a_deposed_leader_records_is_refused() {
    let world = World::new().await;
    let store = &world.shared.store;
    let project = a_film_of(store, 1, Settings::default()).await;
    let deposed =
        leadership::take_or_renew(world.pool(), engine::ROLE, Uuid::new_v4()).await.unwrap().unwrap();
    let leader = depose(&world).await;
    assert!(leader.epoch > deposed.epoch);

    let before = store.load(project).await.unwrap();
    let renamed = [envelope(rename("By the deposed"))];
    let refused = store.record(project, before.clone(), &renamed, &deposed).await.unwrap_err();
    assert!(matches!(refused, PostgresError::LeadershipLost), "{refused}");
    assert_eq!(world.state(project).await, before.state);
    let recorded =
        store.record(project, before, &[envelope(rename("By the leader"))], &leader).await.unwrap();
    assert_eq!(recorded.state.title, "By the leader");
    world.end().await;
}
