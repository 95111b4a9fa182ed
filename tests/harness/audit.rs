//! Reads a project's history as an auditor does: by the bytes that were stored.

use std::collections::BTreeMap;

use domain::ids::{ProjectId, TaskId};
use domain::project::Event;
use infra::postgres::event_store::chain;
use infra::postgres::{PgPool, tail};
use sqlx::Row;

/// Whether versions are consecutive from 1 and each event carries the hash of all before it.
pub(crate) async fn audit(pool: &PgPool, project: ProjectId) -> Result<u64, String> {
    let rows = sqlx::query(
        "SELECT sequence, event_type, event_version, payload::text, metadata::text, hash FROM events \
         WHERE aggregate_id = $1 ORDER BY sequence",
    )
    .bind(project.to_string())
    .fetch_all(pool)
    .await
    .map_err(|error| error.to_string())?;
    let mut head = [0; 32];
    let mut version = 0;
    for row in rows {
        version += 1;
        if row.get::<i64, _>(0) != version {
            return Err(format!("version {version} is missing"));
        }
        let sequence = version.cast_unsigned();
        head = chain(&head, sequence, row.get(1), row.get(2), row.get(3), row.get(4));
        if row.get::<Vec<u8>, _>(5) != head {
            return Err(format!("version {version} was altered"));
        }
    }
    Ok(version.cast_unsigned())
}

/// How often each task finished, in the project's whole history.
pub(crate) async fn finished_tasks(pool: &PgPool, project: ProjectId) -> BTreeMap<TaskId, u32> {
    let mut finished = BTreeMap::new();
    for recorded in tail::read_stream(pool, project, 0, 100_000).await.unwrap() {
        if let Event::TaskFinished(event) = recorded.event {
            *finished.entry(event.task_id).or_default() += 1;
        }
    }
    finished
}
