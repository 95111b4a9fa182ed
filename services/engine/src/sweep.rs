//! Forgets what nobody can ask for any more, a little at a time, so that no other writer waits for it.

use std::time::Duration;

use infra::postgres::leadership::Fence;
use infra::postgres::{command_log, reports, snapshot};
use infra::runtime::CancellationToken;

use crate::{Engine, EngineError, pause};

/// It is looked so often.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Rows that go at a time, and the pause between two times. Snapshots are large.
const BATCH: u32 = 1_000;
const SNAPSHOTS: u32 = 100;
const BREATH: Duration = Duration::from_millis(100);

/// Sweeps until the stop.
pub(crate) async fn run(engine: &Engine, fence: Fence, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match sweep(engine, &fence).await {
            Ok(0) => pause(SWEEP_EVERY, stop).await,
            Ok(_) => pause(BREATH, stop).await,
            Err(error) => {
                tracing::warn!(%error, "what is old is left for the next time");
                pause(SWEEP_EVERY, stop).await;
            }
        }
    }
}

async fn sweep(engine: &Engine, fence: &Fence) -> Result<u64, EngineError> {
    let pool = &engine.pool;
    let commands = command_log::sweep(pool, BATCH, fence).await?;
    let reports = reports::sweep(pool, BATCH, fence).await?;
    Ok(commands + reports + snapshot::sweep(pool, SNAPSHOTS, fence).await?)
}
