//! How fast the read tables are made anew from a log of 200,000 events: copies of a finished project's stream,
//! twenty side by side.

use domain::ids::ProjectId;
use engine::projector::Projector;
use infra::postgres::bench;
use tokio::time::Instant;

use super::load::take_the_lead;
use super::statistics::round;
use super::{progress, story};
use crate::exit::Failed;
use crate::stack::{Shared, Stack};

/// The length of the log, at least.
const EVENTS: i64 = 200_000;
/// Projects that ran side by side.
const SIDE_BY_SIDE: i32 = 20;

/// A replay of the whole log.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) events: u64,
    pub(super) per_second: f64,
}

/// Makes the long log of what the stack has made, and replays it. The stack's roles end first: the projector is
/// ours.
pub(super) async fn measure(stack: Stack) -> Result<Replay, Failed> {
    progress("Making a log of 200,000 events");
    let finished = story::finished(&stack.shared, story::SHOTS).await?;
    stack.lifecycle.shutdown().cancel();
    stack.lifecycle.ended(super::PATIENCE).await.map_err(Failed::because)?;
    fill(&stack.shared, finished).await?;
    progress("Replaying it");
    let replayed = replay(&stack.shared).await;
    stack.stop().await?;
    replayed
}

async fn fill(shared: &Shared, project: ProjectId) -> Result<(), Failed> {
    let mut first = 1;
    let mut missing = EVENTS - bench::count_events(&shared.pool).await.map_err(Failed::because)?;
    while missing > 0 {
        let numbers: Vec<i32> = (first..first + SIDE_BY_SIDE).collect();
        let copied = bench::copy_stream(&shared.pool, project, &numbers).await.map_err(Failed::because)?;
        missing -= i64::try_from(copied.max(1)).unwrap_or(i64::MAX);
        first += SIDE_BY_SIDE;
    }
    Ok(())
}

/// Makes the read tables anew; no engine may be at work.
pub(super) async fn replay(shared: &Shared) -> Result<Replay, Failed> {
    let fence = take_the_lead(shared).await?;
    bench::empty_read_tables(&shared.pool).await.map_err(Failed::because)?;
    let mut projector = Projector::new(shared.pool.clone(), fence);
    let started = Instant::now();
    let mut events: u64 = 0;
    loop {
        let applied = projector.apply_page().await.map_err(Failed::because)?;
        if applied == 0 {
            break;
        }
        events += u64::try_from(applied).unwrap_or(0);
    }
    let per_second = events as f64 / started.elapsed().as_secs_f64();
    Ok(Replay { events, per_second: round(per_second) })
}
