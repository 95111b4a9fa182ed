//! Runs the step of a reader of the log: woken by notice, right by poll.

use std::time::Duration;

use infra::runtime::CancellationToken;

use crate::{Engine, EngineError, pause};

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something was done; there may be more.
    Worked,
    /// Nothing is there to do.
    Idle,
}

/// A reader of the log.
pub(crate) trait Reader {
    /// Does what is there to do, up to one page.
    async fn run_once(&mut self) -> Result<Step, EngineError>;
}

/// Looks after a wake-up that found nothing: what woke us may not be settled for a moment, while
/// another transaction is open.
const SETTLING_LOOKS: u32 = 5;

pub(crate) async fn drive(
    name: &'static str,
    engine: &Engine,
    stop: &CancellationToken,
    mut reader: impl Reader,
) {
    while !stop.is_cancelled() {
        let Err(error) = turn(engine, stop, &mut reader).await else { continue };
        if error.lost_leadership() {
            stop.cancel();
        } else {
            tracing::warn!(reader = name, %error, source = ?std::error::Error::source(&error), "will try again");
            pause(Duration::from_millis(500), stop).await;
        }
    }
}

async fn turn(
    engine: &Engine,
    stop: &CancellationToken,
    reader: &mut impl Reader,
) -> Result<(), EngineError> {
    let mut wake_ups = engine.bus.wake_ups().await?;
    let mut looks_left = 0;
    while !stop.is_cancelled() {
        let step = tokio::select! {
            step = reader.run_once() => step?,
            // What it waits for may never come; a reader can be stopped anywhere.
            () = stop.cancelled() => return Ok(()),
        };
        if step == Step::Worked {
            looks_left = SETTLING_LOOKS;
            continue;
        }
        let patience = match looks_left {
            0 => engine.timing.poll,
            left => Duration::from_millis(1 << (SETTLING_LOOKS - left)),
        };
        tokio::select! {
            woken = wake_ups.wait(patience) => {
                looks_left = if woken { SETTLING_LOOKS } else { looks_left.saturating_sub(1) };
            }
            () = stop.cancelled() => {}
        }
    }
    Ok(())
}
