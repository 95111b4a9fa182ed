//! What a command costs on projects with short and long histories, when nothing of them is in memory. Their
//! snapshots are there, as in real use.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::ids::ProjectId;
use domain::project::Envelope;
use infra::postgres::leadership::{self, Fence};
use infra::runtime::Clock;
use tokio::time::Instant;
use uuid::Uuid;

use super::statistics::median;
use super::{progress, story};
use crate::exit::Failed;
use crate::stack::Shared;

/// Lengths of histories, in events.
pub(super) const EVENTS: [u64; 4] = [10, 100, 1_000, 10_000];
/// Commands measured per history.
const TIMES: u64 = 21;
/// Events recorded in one commit while a history is made.
const BATCH: u64 = 50;
/// A snapshot is written in the background; it has this time before the next command.
const REST: Duration = Duration::from_millis(20);

/// Milliseconds for a command, by the length of the history.
pub(super) type Load = BTreeMap<u64, f64>;

pub(super) async fn measure(shared: &Shared) -> Result<Load, Failed> {
    let fence = take_the_lead(shared).await?;
    let mut load = Load::new();
    for events in EVENTS {
        progress(&format!("Commands on a project with {events} events"));
        let project = with_history(shared, events, &fence).await?;
        let mut times = Vec::new();
        for number in 0..TIMES {
            tokio::time::sleep(REST).await;
            shared.store.clear_cache();
            let started = Instant::now();
            story::execute(shared, project, story::rename(u64::MAX - number)).await?;
            times.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        load.insert(events, median(times));
    }
    Ok(load)
}

/// What the engine records, and what the projector writes, takes its leadership.
pub(super) async fn take_the_lead(shared: &Shared) -> Result<Fence, Failed> {
    let fence = leadership::take_or_renew(&shared.pool, engine::ROLE, Uuid::new_v4()).await;
    let taken = fence.map_err(Failed::because)?;
    taken.ok_or_else(|| Failed::Runtime("an engine still leads on the bench's own database".to_owned()))
}

/// A project that was renamed until it had so many events.
async fn with_history(shared: &Shared, events: u64, fence: &Fence) -> Result<ProjectId, Failed> {
    let project = story::new_project();
    story::execute(shared, project, story::create(project, None)).await?;
    loop {
        let loaded = shared.store.load(project).await.map_err(Failed::because)?;
        let version = loaded.state.version;
        if version >= events {
            return Ok(project);
        }
        let renames: Vec<Envelope> = (version..events)
            .take(usize::try_from(BATCH).unwrap_or(1))
            .map(|number| story::envelope(&Clock::System, story::rename(number)))
            .collect();
        shared.store.record(project, loaded, &renames, fence).await.map_err(Failed::because)?;
    }
}
