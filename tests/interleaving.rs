//! Transactions that commit in another order than they began in, and readers that look in between.

use std::time::Duration;

use domain::ids::ProjectId;
use domain::project::{Event, Project};
use domain::settings::Settings;
use engine::projector::Projector;
use infra::postgres::event_store::chain;
use infra::postgres::tail::{self, Place};
use infra::postgres::views::projects;
use infra::postgres::{PgPool, leadership};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::harness::{LONG, World, creation, envelope, until};

/// Writes a new project's first events in a transaction that the caller commits.
async fn create_within(connection: &mut PgConnection, project: ProjectId) {
    let events = Project::default().decide(&envelope(creation(project, 1, Settings::default()))).unwrap();
    let mut head = [0; 32];
    for (version, event) in (1_u64..).zip(&events) {
        let payload = serde_json::to_string(event).unwrap();
        head = chain(&head, version, event.name(), event.version(), &payload, "{}");
        let insert = sqlx::query(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, \
             hash) VALUES ('project', $1, $2, $3, $4, $5::json, '{}', $6)",
        );
        let insert = insert.bind(project.to_string()).bind(version.cast_signed()).bind(event.name());
        insert
            .bind(event.version())
            .bind(payload)
            .bind(head.as_slice())
            .execute(&mut *connection)
            .await
            .unwrap();
    }
}

fn some_project() -> ProjectId {
    ProjectId(Uuid::now_v7())
}

/// The whole log, read by pages of so many events, once both projects' events are settled.
async fn settled(pool: &PgPool, page: i64, events: usize) -> Vec<(ProjectId, u64)> {
    until("all events are settled", LONG, async || {
        let mut place = Place::default();
        let mut seen = Vec::new();
        loop {
            let page = tail::read_page(pool, place, page).await.map_err(|error| error.to_string())?;
            let Some(last) = page.last() else { break };
            place = last.place;
            seen.extend(page.iter().map(|recorded| (recorded.project, recorded.version)));
        }
        if seen.len() == events { Ok(seen) } else { Err(format!("{seen:?}")) }
    })
    .await
}

async fn versions(pool: &PgPool, project: ProjectId) -> u64 {
    tail::read_stream(pool, project, 0, 1_000).await.unwrap().len() as u64
}

#[tokio::test]
async fn a_page_read_between_two_interleaved_transactions_skips_no_event() {
    let world = World::new().await;
    let (slow, fast) = (some_project(), some_project());
    let mut open = world.pool().begin().await.unwrap();
    create_within(&mut open, slow).await;
    world.execute(fast, creation(fast, 1, Settings::default())).await;

    let between = tail::read_page(world.pool(), Place::default(), 100).await.unwrap();
    assert!(between.is_empty(), "an event behind an open transaction is not settled: {between:?}");
    open.commit().await.unwrap();

    let of_each = versions(world.pool(), slow).await;
    let expected: Vec<_> = (1..=of_each).map(|n| (slow, n)).chain((1..=of_each).map(|n| (fast, n))).collect();
    for page in [1, 3, 100] {
        assert_eq!(settled(world.pool(), page, expected.len()).await, expected, "by pages of {page}");
    }
    world.end().await;
}

#[tokio::test]
async fn events_with_a_higher_position_in_an_older_transaction_come_first() {
    let world = World::new().await;
    let (slow, fast) = (some_project(), some_project());
    let mut open = world.pool().begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *open).await.unwrap();
    world.execute(fast, creation(fast, 1, Settings::default())).await;
    assert!(tail::read_page(world.pool(), Place::default(), 100).await.unwrap().is_empty());
    create_within(&mut open, slow).await;
    open.commit().await.unwrap();

    let of_each = versions(world.pool(), slow).await;
    let seen = settled(world.pool(), 2, 2 * of_each as usize).await;
    assert_eq!(seen.first(), Some(&(slow, 1)));
    assert_eq!(seen.last(), Some(&(fast, of_each)));
    world.end().await;
}

#[tokio::test]
async fn a_transaction_that_is_rolled_back_leaves_no_gap_that_readers_wait_for() {
    let world = World::new().await;
    let (never, next) = (some_project(), some_project());
    let mut open = world.pool().begin().await.unwrap();
    create_within(&mut open, never).await;
    world.execute(next, creation(next, 1, Settings::default())).await;
    open.rollback().await.unwrap();
    let of_next = versions(world.pool(), next).await;
    let seen = settled(world.pool(), 100, of_next as usize).await;
    assert!(seen.iter().all(|(project, _)| *project == next));
    world.end().await;
}

#[tokio::test]
async fn the_projector_shows_every_project_of_interleaved_transactions() {
    let world = World::new().await;
    let fence = leadership::take_or_renew(world.pool(), engine::ROLE, Uuid::new_v4()).await.unwrap().unwrap();
    let mut projector = Projector::new(world.pool().clone(), fence);
    let (slow, fast) = (some_project(), some_project());
    let mut open = world.pool().begin().await.unwrap();
    create_within(&mut open, slow).await;
    world.execute(fast, creation(fast, 1, Settings::default())).await;
    assert_eq!(projector.apply_page().await.unwrap(), 0);
    open.commit().await.unwrap();

    let wanted = versions(world.pool(), slow).await;
    until("both projects are shown", LONG, async || {
        projector.apply_page().await.map_err(|error| error.to_string())?;
        let mut shown = Vec::new();
        for project in [slow, fast] {
            shown.push(projects::version(world.pool(), project).await.map_err(|error| error.to_string())?);
        }
        if shown == [Some(wanted); 2] { Ok(()) } else { Err(format!("versions {shown:?}")) }
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn the_dispatcher_sends_every_job_of_interleaved_transactions_once() {
    let world = World::with_engine().await;
    let mut projects = Vec::new();
    for _ in 0..8 {
        let (slow, fast) = (some_project(), some_project());
        let mut open = world.pool().begin().await.unwrap();
        create_within(&mut open, slow).await;
        // Wakes the readers while the first one is still open.
        world.execute(fast, creation(fast, 1, Settings::default())).await;
        tokio::task::yield_now().await;
        open.commit().await.unwrap();
        world.shared.bus.wake().await;
        projects.extend([slow, fast]);
    }
    let storyboards = async |project| {
        let events = world.events(project).await;
        let queued = events.iter().find_map(|recorded| match &recorded.event {
            Event::TaskQueued(event) => Some(event.task_id),
            _ => None,
        });
        queued.unwrap()
    };
    let mut wanted = Vec::new();
    for project in &projects {
        wanted.push(storyboards(*project).await);
    }
    until("every storyboard has its job", Duration::from_secs(30), async || {
        let queued = world.shared.bus.queued_tasks().await.map_err(|error| error.to_string())?;
        let missing = wanted.iter().filter(|task| !queued.contains(task)).count();
        if missing == 0 && queued.len() == wanted.len() { Ok(()) } else { Err(format!("{missing} missing")) }
    })
    .await;
    for project in projects {
        world.execute(project, domain::project::Command::DeleteProject).await;
    }
    world.finish().await;
}
