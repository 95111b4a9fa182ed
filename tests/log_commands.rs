//! `storytovideo audit` and `storytovideo replay` against a log that is used, altered and replayed.

use std::collections::BTreeMap;

use domain::ids::ProjectId;
use domain::project::{Command, ProjectPatch};
use futures::future::join;
use infra::postgres::PgPool;
use infra::postgres::projection::{READER, TABLES};
use infra::postgres::replay::{Replay, Step};
use infra::postgres::{checkpoint, tail};
use uuid::Uuid;

use crate::harness::{LONG, Said, World, a_film_of, everything_on, play, run, until};

/// Runs the program on a world's database.
async fn on(world: &World, words: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let words: Vec<&str> = words.iter().copied().chain(["--database-url", world.database_url()]).collect();
    run(folder.path(), &words).await
}

async fn films(world: &World, count: usize) -> Vec<ProjectId> {
    let mut films = Vec::new();
    for _ in 0..count {
        let film = a_film_of(&world.shared.store, 2, everything_on()).await;
        play(&world.shared.store, film).await;
        films.push(film);
    }
    films
}

async fn sql(world: &World, sql: &str, project: ProjectId) {
    sqlx::query(sql).bind(project.to_string()).execute(world.pool()).await.unwrap();
}

#[tokio::test]
async fn an_untouched_log_is_verified_and_its_heads_are_printed() {
    let world = World::new().await;
    let films = films(&world, 3).await;
    let heads = on(&world, &["audit", "head"]).await;
    assert_eq!(heads.code, Some(0), "{}", heads.err);
    assert_eq!(heads.out.lines().count(), 3);
    for film in &films {
        let version = world.state(*film).await.version;
        assert!(heads.out.contains(&format!("{film} {version} ")), "{}", heads.out);
    }
    let file = world.servers.file("heads");
    std::fs::write(&file, &heads.out).unwrap();
    play(&world.shared.store, a_film_of(&world.shared.store, 1, everything_on()).await).await;
    let verified = on(&world, &["audit", "verify", "--heads", file.to_str().unwrap()]).await;
    assert_eq!((verified.code, verified.out.as_str()), (Some(0), ""), "{}", verified.err);
    world.end().await;
}

#[tokio::test]
async fn every_altered_or_missing_event_is_named() {
    let world = World::new().await;
    let films = films(&world, 3).await;
    sql(&world, "UPDATE events SET metadata = '{}' WHERE aggregate_id = $1 AND sequence IN (3, 5)", films[0])
        .await;
    sql(&world, "DELETE FROM events WHERE aggregate_id = $1 AND sequence = 4", films[1]).await;
    let later = "UPDATE events SET recorded_at = recorded_at + interval '1 day' WHERE aggregate_id = $1 AND sequence = 6";
    sql(&world, later, films[0]).await;
    sql(&world, "UPDATE events SET imported = true WHERE aggregate_id = $1 AND sequence = 7", films[0]).await;
    // Whoever reads the whole log would meet it before all others.
    sql(&world, "UPDATE events SET transaction_id = '3' WHERE aggregate_id = $1 AND sequence = 8", films[0])
        .await;
    let verified = on(&world, &["audit", "verify"]).await;
    assert_eq!(verified.code, Some(1));
    let mut lines: Vec<&str> = verified.out.lines().collect();
    lines.sort_unstable();
    let mut expected = vec![
        format!("project {}: version 3 was altered", films[0]),
        format!("project {}: version 5 was altered", films[0]),
        format!("project {}: version 6 was altered", films[0]),
        format!("project {}: version 7 was altered", films[0]),
        format!("project {}: version 8 was altered", films[0]),
        format!("project {}: version 4 is missing", films[1]),
    ];
    expected.sort_unstable();
    assert_eq!(lines, expected);
    let one = on(&world, &["audit", "verify", "--project", &films[2].to_string()]).await;
    assert_eq!((one.code, one.out.as_str()), (Some(0), ""));
    let unknown = on(&world, &["audit", "verify", "--project", &Uuid::nil().to_string()]).await;
    assert_eq!(unknown.code, Some(1), "{}", unknown.err);
    world.end().await;
}

#[tokio::test]
async fn a_kept_head_shows_a_history_that_was_cut_rewritten_or_removed() {
    let world = World::new().await;
    let films = films(&world, 3).await;
    let file = world.servers.file("heads");
    std::fs::write(&file, on(&world, &["audit", "head"]).await.out).unwrap();
    let version = world.state(films[0]).await.version;
    sql(&world, "DELETE FROM events WHERE aggregate_id = $1 AND sequence > 2", films[0]).await;
    sql(&world, "DELETE FROM events WHERE aggregate_id = $1", films[1]).await;
    assert_eq!(on(&world, &["audit", "verify"]).await.code, Some(0), "without the heads nothing shows");
    // The whole stream of another project under this one's name: every hash agrees.
    sql(&world, "DELETE FROM events WHERE aggregate_id = $1", films[2]).await;
    let other = a_film_of(&world.shared.store, 2, everything_on()).await;
    play(&world.shared.store, other).await;
    sqlx::query("UPDATE events SET aggregate_id = $1 WHERE aggregate_id = $2")
        .bind(films[2].to_string())
        .bind(other.to_string())
        .execute(world.pool())
        .await
        .unwrap();
    let without = on(&world, &["audit", "verify"]).await;
    assert_eq!(without.out.trim_end(), format!("project {}: version 1 was altered", films[2]));
    let verified = on(&world, &["audit", "verify", "--heads", file.to_str().unwrap()]).await;
    assert_eq!(verified.code, Some(1));
    for line in [
        format!("project {}: version {version} is missing", films[0]),
        format!("project {}: version {version} is missing", films[1]),
        format!("project {}: version {version} is not the one whose head was kept", films[2]),
    ] {
        assert!(verified.out.lines().any(|said| said == line), "{line}: {}", verified.out);
    }
    let broken = world.servers.file("broken");
    let two_of_one = format!("{0} 1 {1}\n{0} 1 {2}\n", films[0], "0".repeat(64), "1".repeat(64));
    for heads in ["not a head\n", &two_of_one] {
        std::fs::write(&broken, heads).unwrap();
        let refused = on(&world, &["audit", "verify", "--heads", broken.to_str().unwrap()]).await;
        assert_eq!(refused.code, Some(64), "{}", refused.err);
    }
    world.end().await;
}

/// Every row of the read tables as text.
async fn rows(pool: &PgPool) -> BTreeMap<&'static str, Vec<String>> {
    let mut rows = BTreeMap::new();
    for table in TABLES {
        let sql = format!("SELECT row_to_json(t)::text FROM {table} t ORDER BY id");
        rows.insert(table, sqlx::query_scalar(&sql).fetch_all(pool).await.unwrap());
    }
    rows
}

/// Each table's number in the catalogue, and its columns and indexes.
async fn tables(pool: &PgPool) -> BTreeMap<&'static str, (i64, Vec<String>)> {
    let mut found = BTreeMap::new();
    for table in TABLES {
        let number: i64 = sqlx::query_scalar("SELECT ('public.' || $1)::regclass::oid::bigint")
            .bind(table)
            .fetch_one(pool)
            .await
            .unwrap();
        let shape = sqlx::query_scalar(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = $1 \
             UNION ALL SELECT column_name || ' ' || data_type || ' ' || is_nullable || coalesce(column_default, '') \
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 ORDER BY 1",
        );
        found.insert(table, (number, shape.bind(table).fetch_all(pool).await.unwrap()));
    }
    found
}

async fn until_projected(world: &World) {
    until("everything is projected", LONG, async || {
        let (place, head) =
            (checkpoint::load(world.pool(), READER).await.unwrap(), tail::head(world.pool()).await.unwrap());
        let streams: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT aggregate_id, max(sequence) AS version FROM events GROUP BY 1) e \
             LEFT JOIN projects p ON p.id::text = e.aggregate_id WHERE p.version IS DISTINCT FROM e.version",
        )
        .fetch_one(world.pool())
        .await
        .unwrap();
        if place >= head && streams == 0 { Ok(()) } else { Err(format!("{place:?} of {head:?}, {streams}")) }
    })
    .await;
}

#[tokio::test]
async fn replayed_tables_are_the_old_ones_row_by_row_under_the_same_names() {
    let world = World::with_engine().await;
    films(&world, 3).await;
    until_projected(&world).await;
    let (old, before) = (rows(world.pool()).await, tables(world.pool()).await);
    let replayed = on(&world, &["replay", "all"]).await;
    assert_eq!(replayed.code, Some(0), "{}", replayed.err);
    assert_eq!(rows(world.pool()).await, old);
    let after = tables(world.pool()).await;
    for table in TABLES {
        assert_ne!(before[table].0, after[table].0, "{table} is another table now");
        assert_eq!(before[table].1, after[table].1, "{table} has the same columns and indexes");
    }
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'replay%'")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(left, 0);
    films(&world, 1).await;
    until_projected(&world).await;
    world.end().await;
}

#[tokio::test]
async fn a_damaged_table_is_mended_and_the_others_are_left_alone() {
    let world = World::with_engine().await;
    films(&world, 2).await;
    until_projected(&world).await;
    let (whole, before) = (rows(world.pool()).await, tables(world.pool()).await);
    for damage in ["DELETE FROM shots", "UPDATE takes SET spec_hash = 'lost'"] {
        sqlx::query(damage).execute(world.pool()).await.unwrap();
    }
    assert_eq!(on(&world, &["replay", "shots", "takes"]).await.code, Some(0));
    assert_eq!(rows(world.pool()).await, whole);
    let after = tables(world.pool()).await;
    for table in TABLES {
        assert_eq!(before[table].0 != after[table].0, ["shots", "takes"].contains(&table), "{table}");
    }
    let unknown = on(&world, &["replay", "events"]).await;
    assert_eq!(unknown.code, Some(64), "{}", unknown.err);
    world.end().await;
}

#[tokio::test]
async fn commands_go_on_while_tables_are_replayed_and_nothing_of_them_is_lost() {
    let world = World::with_engine().await;
    let film = films(&world, 1).await[0];
    let commands = async {
        for number in 0..150 {
            let patch = ProjectPatch { title: Some(format!("Title {number}")), ..ProjectPatch::default() };
            world.execute(film, Command::ReviseProject(patch)).await;
            if number % 25 == 0 {
                films(&world, 1).await;
            }
        }
    };
    let replays = async {
        for _ in 0..4 {
            let replayed = on(&world, &["replay", "all"]).await;
            assert_eq!(replayed.code, Some(0), "{}", replayed.err);
        }
    };
    join(commands, replays).await;
    until_projected(&world).await;
    let live = rows(world.pool()).await;
    assert!(live["projects"].iter().any(|row| row.contains("Title 149")));
    // Once more, now that nothing happens meanwhile.
    assert_eq!(on(&world, &["replay", "all"]).await.code, Some(0));
    assert_eq!(rows(world.pool()).await, live);
    world.end().await;
}

#[tokio::test]
async fn a_replay_that_was_given_up_changes_nothing_and_the_next_one_starts_anew() {
    let world = World::with_engine().await;
    films(&world, 1).await;
    until_projected(&world).await;
    let before = tables(world.pool()).await;
    let holder = Uuid::new_v4();
    let mut replay = Replay::begin(world.pool().clone(), holder).await.unwrap().unwrap();
    assert!(matches!(replay.step().await.unwrap(), Step::Applied(_)));
    assert!(Replay::begin(world.pool().clone(), Uuid::new_v4()).await.unwrap().is_none(), "one at a time");
    let second = on(&world, &["replay", "all"]).await;
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("another replay"), "{}", second.err);
    // As after a crash: its tables are still there, and its lease has run out.
    drop(replay);
    assert_eq!(tables(world.pool()).await, before);
    sqlx::query("UPDATE leaderships SET expires_at = '-infinity' WHERE role = 'replay'")
        .execute(world.pool())
        .await
        .unwrap();
    assert_eq!(on(&world, &["replay", "all"]).await.code, Some(0));
    world.end().await;
}
