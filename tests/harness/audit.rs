//! Reads a project's history as an auditor does: by the bytes that were stored.

use std::collections::BTreeMap;

use domain::ids::{ProjectId, TaskId};
use domain::project::Event;
use infra::postgres::audit::{Finding, verify};
use infra::postgres::{PgPool, tail};

/// Whether versions are consecutive from 1 and each event carries the hash of all before it.
pub(crate) async fn audit(pool: &PgPool, project: ProjectId) -> Result<u64, String> {
    let mut first = None;
    let found = |finding: Finding| {
        first.get_or_insert(finding);
    };
    let version = verify(pool, project, &BTreeMap::new(), found).await.map_err(|error| error.to_string())?;
    first.map_or(Ok(version), |finding| Err(format!("version {} {}", finding.version, finding.fault)))
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
