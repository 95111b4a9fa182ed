//! Follows the log for who names which media. It is in no hurry, so that nobody waits for it: what came within a
//! second is taken in by one transaction.

use std::time::Duration;

use infra::postgres::leadership::Fence;
use infra::postgres::tail::{Place, Tail};
use infra::postgres::{PgPool, checkpoint, media_names};
use tokio::time::Instant;

use crate::EngineError;
use crate::looping::{Reader, Step};

const PAGE: usize = 8_000;
const EVERY: Duration = Duration::from_secs(1);

/// Reads the log for the collector.
#[derive(Debug)]
pub(crate) struct Names {
    pool: PgPool,
    tail: Tail,
    fence: Fence,
    place: Option<Place>,
    looked_at: Option<Instant>,
}

impl Names {
    pub(crate) fn new(pool: PgPool, tail: Tail, fence: Fence) -> Self {
        Self { pool, tail, fence, place: None, looked_at: None }
    }
}

impl Reader for Names {
    async fn run_once(&mut self) -> Result<Step, EngineError> {
        if self.looked_at.is_some_and(|at| at.elapsed() < EVERY) {
            return Ok(Step::Idle);
        }
        // Without a place, after an error, the next look starts from the checkpoint.
        let place = match self.place.take() {
            Some(place) => place,
            None => checkpoint::load(&self.pool, media_names::READER).await?,
        };
        let page = self.tail.page(place, PAGE).await?;
        let reached = page.last().map_or(place, |last| last.place);
        if !page.is_empty() {
            media_names::follow(&self.pool, (place, reached), &page, &self.fence).await?;
        }
        self.place = Some(reached);
        if page.len() == PAGE {
            return Ok(Step::Worked);
        }
        self.looked_at = Some(Instant::now());
        Ok(Step::Idle)
    }
}
