//! Forgets what nobody can ask for any more, a little at a time, so that no other writer waits for it.

use std::time::Duration;

use infra::postgres::leadership::Fence;
use infra::postgres::{command_log, reports};
use infra::runtime::CancellationToken;

use crate::{Engine, EngineError, pause};

/// It is looked so often.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Rows that go at a time, and the pause between two times.
const BATCH: u32 = 1_000;
const BREATH: Duration = Duration::from_millis(100);

/// Sweeps until the stop.
pub(crate) async fn run(engine: &Engine, fence: Fence, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = sweep(engine, fence, stop).await {
            tracing::warn!(%error, "old commands and reports are left for the next time");
        }
        pause(SWEEP_EVERY, stop).await;
    }
}

async fn sweep(engine: &Engine, fence: Fence, stop: &CancellationToken) -> Result<(), EngineError> {
    while command_log::sweep(&engine.pool, BATCH, &fence).await? >= u64::from(BATCH) && !stop.is_cancelled() {
        pause(BREATH, stop).await;
    }
    while reports::sweep(&engine.pool, BATCH, &fence).await? >= u64::from(BATCH) && !stop.is_cancelled() {
        pause(BREATH, stop).await;
    }
    Ok(())
}
