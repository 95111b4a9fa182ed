//! Turns settled events into read tables, with the checkpoint in the same transaction.

use infra::postgres::leadership::Fence;
use infra::postgres::projection::{self, Projection};
use infra::postgres::tail::{self, Place};
use infra::postgres::{PgPool, checkpoint};

use crate::EngineError;
use crate::looping::{Reader, Step};

const PAGE: i64 = 2_000;

/// Keeps the read tables.
#[derive(Debug)]
pub struct Projector {
    pool: PgPool,
    fence: Fence,
    projection: Projection,
    place: Option<Place>,
}

impl Projector {
    /// A projector that leads by `fence`.
    pub fn new(pool: PgPool, fence: Fence) -> Self {
        Self { projection: Projection::new(pool.clone()), pool, fence, place: None }
    }

    /// Applies the next page; answers how many events it had.
    pub async fn apply_page(&mut self) -> Result<usize, EngineError> {
        let place = match self.place.take() {
            Some(place) => place,
            None => checkpoint::load(&self.pool, projection::READER).await?,
        };
        let page = tail::read_page(&self.pool, place, PAGE).await?;
        // Without a place, after an error, the next look starts from the checkpoint.
        self.place = Some(self.projection.apply(place, &page, &self.fence).await?);
        Ok(page.len())
    }
}

impl Reader for Projector {
    async fn run_once(&mut self) -> Result<Step, EngineError> {
        Ok(if self.apply_page().await? == 0 { Step::Idle } else { Step::Worked })
    }
}
