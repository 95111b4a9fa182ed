//! Turns settled events into read tables, with the checkpoint in the same transaction.

use std::sync::Arc;

use infra::postgres::leadership::Fence;
use infra::postgres::projection::{self, Projection};
use infra::postgres::tail::{Place, Recorded, Tail};
use infra::postgres::{PgPool, checkpoint};

use crate::EngineError;
use crate::looping::{Reader, Step};

const PAGE: usize = 8_000;

/// Keeps the read tables.
#[derive(Debug)]
pub struct Projector {
    pool: PgPool,
    tail: Tail,
    fence: Fence,
    projection: Projection,
    place: Option<Place>,
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
        Self { projection: Projection::new(pool.clone()), pool, tail, fence, place: None, next: Vec::new() }
    }

    /// Applies the next page; answers how many events it had.
    pub async fn apply_page(&mut self) -> Result<usize, EngineError> {
        let place = match self.place.take() {
            Some(place) => place,
            None => {
                self.next.clear();
                checkpoint::load(&self.pool, projection::READER).await?
            }
        };
        let mut page = std::mem::take(&mut self.next);
        if page.is_empty() {
            page = self.tail.page(place, PAGE).await?;
        }
        let Some(last) = page.last() else {
            self.place = Some(place);
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
