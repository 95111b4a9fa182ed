//! Turns settled events into read tables, with the checkpoint in the same transaction.

use std::sync::Arc;
use std::time::Duration;

use infra::postgres::leadership::Fence;
use infra::postgres::projection::{self, Projection};
use infra::postgres::tail::{Place, Recorded, Tail};
use infra::postgres::{PgPool, checkpoint};
use tokio::time::Instant;

use crate::EngineError;
use crate::looping::{Reader, Step};

const PAGE: usize = 8_000;
/// While nothing happens, the place in memory is compared with the database's so often.
const TRUSTED_FOR: Duration = Duration::from_secs(5);

/// Keeps the read tables.
#[derive(Debug)]
pub struct Projector {
    pool: PgPool,
    tail: Tail,
    fence: Fence,
    projection: Projection,
    place: Option<Place>,
    /// When the place was last read from the database.
    placed_at: Instant,
    /// Read while the page before it was applied.
    next: Vec<Arc<Recorded>>,
}

impl Projector {
    /// A projector that leads by `fence`, with a tail of its own.
    pub fn new(pool: PgPool, fence: Fence) -> Self {
        Self::on(Tail::new(pool.clone()), pool, fence)
    }

    /// A projector on a tail that it shares.
    pub(crate) fn on(tail: Tail, pool: PgPool, fence: Fence) -> Self {
        Self {
            projection: Projection::new(pool.clone()),
            pool,
            tail,
            fence,
            place: None,
            placed_at: Instant::now(),
            next: Vec::new(),
        }
    }

    /// Applies the next page; answers how many events it had.
    pub async fn apply_page(&mut self) -> Result<usize, EngineError> {
        let place = match self.place.take() {
            Some(place) => place,
            None => {
                self.next.clear();
                self.projection.forget();
                self.placed_at = Instant::now();
                checkpoint::load(&self.pool, projection::READER).await?
            }
        };
        let mut page = std::mem::take(&mut self.next);
        if page.is_empty() {
            page = self.tail.page(place, PAGE).await?;
        }
        let Some(last) = page.last() else {
            // A database that crashed may have lost the newest checkpoint with what it was for: look again.
            self.place = (self.placed_at.elapsed() < TRUSTED_FOR).then_some(place);
            return Ok(0);
        };
        // A full page has successors: they are read while it is applied.
        let successors = async {
            if page.len() == PAGE { self.tail.page(last.place, PAGE).await } else { Ok(Vec::new()) }
        };
        let (applied, next) = tokio::join!(self.projection.apply(place, &page, &self.fence), successors);
        // Without a place, after an error, the next look starts from the checkpoint.
        self.place = Some(applied?);
        self.next = next?;
        Ok(page.len())
    }
}

impl Reader for Projector {
    async fn run_once(&mut self) -> Result<Step, EngineError> {
        Ok(if self.apply_page().await? == 0 { Step::Idle } else { Step::Worked })
    }
}
