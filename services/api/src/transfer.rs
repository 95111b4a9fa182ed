//! Exports, imports and other long bodies: how many at once, how many for one caller, and how slowly.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::App;
use crate::auth::Identity;
use crate::body::too_slow;
use crate::crowd::{Enough, share_of};
use crate::problem::Problem;
use crate::shares::Share;

/// Archives that are written or read at once; each of them has a thread.
const TURNS: usize = 8;
/// Archives that arrive at once.
const ARRIVING: usize = 32;
/// Exports and imports of one caller at once.
const OF_ONE: u32 = 2;
/// Time for an archive that has arrived to be read.
const TURN_PATIENCE: Duration = Duration::from_secs(60);
/// Longest time without a piece of a body.
const PIECE_PATIENCE: Duration = Duration::from_secs(30);
/// Longest time that a transfer waits for the other side, all in all.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Slowest other side, in bytes a second.
const SLOWEST: f64 = 64.0 * 1024.0;
/// A transfer may be slower than that for so long.
const GRACE: Duration = Duration::from_secs(60);

/// The turns of those who export and import.
#[derive(Debug)]
pub(crate) struct Transfers {
    turns: Arc<Semaphore>,
    arriving: Arc<Semaphore>,
}

impl Default for Transfers {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(TURNS)), arriving: Arc::new(Semaphore::new(ARRIVING)) }
    }
}

impl Transfers {
    /// The turn to write an archive, at once.
    pub(crate) fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.turns.clone().try_acquire_owned().map_err(|_| busy())
    }

    /// The turn to read one, which has arrived already and can wait.
    pub(crate) async fn turn_to_read(&self) -> Result<OwnedSemaphorePermit, Problem> {
        match tokio::time::timeout(TURN_PATIENCE, self.turns.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(busy()),
        }
    }

    /// The turn of one that arrives.
    pub(crate) fn arrival(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.arriving.clone().try_acquire_owned().map_err(|_| busy())
    }
}

impl App {
    /// One of the transfers that a caller may have at once, from its first byte to its last.
    pub(crate) fn transfer_of(&self, identity: &Identity) -> Result<Option<Share<Arc<str>>>, Problem> {
        share_of(identity, &self.holders.transfers, OF_ONE).map_err(|Enough| {
            let detail = format!("you have {OF_ONE} exports and imports under way; wait for one of them");
            Problem::unavailable("too_many_transfers", detail)
        })
    }
}

fn busy() -> Problem {
    let detail = "too many projects are being exported or imported; try again in a moment";
    Problem::unavailable("too_many_transfers", detail)
}

/// A long body in the course of arriving.
#[derive(Debug)]
pub(crate) struct Arriving {
    pieces: BodyDataStream,
    pace: Pace,
}

impl Arriving {
    pub(crate) fn new(body: Body) -> Self {
        Self { pieces: body.into_data_stream(), pace: Pace::default() }
    }

    /// What comes next; nothing at the end.
    ///
    /// # Errors
    /// A [`Problem`] when it breaks off, or comes too slowly.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Problem> {
        let asked = Instant::now();
        let piece = tokio::time::timeout(PIECE_PATIENCE, self.pieces.next()).await.map_err(|_| too_slow())?;
        let Some(piece) = piece else { return Ok(None) };
        let piece = piece.map_err(|_| Problem::bad_request("incomplete_body", "the body ended too early"))?;
        if self.pace.goes_on(asked.elapsed(), piece.len()) { Ok(Some(piece)) } else { Err(too_slow()) }
    }
}

/// How quickly the other side takes or brings an archive. What we need ourselves does not count.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// So many bytes went over after such a wait; answers whether that is quick enough to go on.
    pub(crate) fn goes_on(&mut self, waited: Duration, bytes: usize) -> bool {
        self.waited += waited;
        self.bytes += bytes as u64;
        let expected = SLOWEST * self.waited.saturating_sub(GRACE).as_secs_f64();
        self.waited < LONGEST && self.bytes as f64 >= expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds after which a transfer is ended that moves so many bytes each second.
    fn lasts(bytes: usize) -> usize {
        let mut pace = Pace::default();
        (0..10_000).take_while(|_| pace.goes_on(Duration::from_secs(1), bytes)).count()
    }

    #[test]
    fn a_transfer_ends_when_the_other_side_is_too_slow_or_takes_too_long() {
        assert_eq!(lasts(1), 60, "a byte a second");
        assert!((100..200).contains(&lasts(32 * 1024)), "{}", lasts(32 * 1024));
        assert_eq!(lasts(64 * 1024), 3_599);
        assert_eq!(lasts(1024 * 1024), 3_599);
    }

    #[test]
    fn what_went_quickly_may_wait_longer() {
        let mut pace = Pace::default();
        assert!(pace.goes_on(Duration::from_secs(1), 100 * 1024 * 1024));
        assert!(pace.goes_on(Duration::from_secs(120), 1));
    }
}
