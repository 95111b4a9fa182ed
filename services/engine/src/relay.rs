//! Turns settled events into live messages. At least once: publish first, checkpoint after.

use std::time::Duration;

use infra::nats::Bus;
use infra::postgres::leadership::Fence;
use infra::postgres::tail::{Place, Recorded, Tail};
use infra::postgres::{PgPool, PostgresError, checkpoint};
use serde_json::json;
use tokio::time::Instant;

use crate::EngineError;
use crate::looping::{Reader, Step};

const READER: &str = "relay";
const PAGE: usize = 500;
/// Larger events travel as version, type and ids.
const LARGEST_MESSAGE: usize = 128 * 1024;
/// The checkpoint is saved at most so often; after a crash a second's events are published again.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Publishes the log to live streams.
#[derive(Debug)]
pub struct Relay {
    pool: PgPool,
    tail: Tail,
    bus: Bus,
    fence: Fence,
    place: Option<Place>,
    saved: Place,
    saved_at: Instant,
}

impl Relay {
    pub(crate) fn new(pool: PgPool, tail: Tail, bus: Bus, fence: Fence) -> Self {
        Self { pool, tail, bus, fence, place: None, saved: Place::default(), saved_at: Instant::now() }
    }

    async fn start(&mut self) -> Result<Place, EngineError> {
        self.saved = checkpoint::load(&self.pool, READER).await?;
        self.place = Some(self.saved);
        Ok(self.saved)
    }

    async fn save(&mut self, place: Place) -> Result<(), EngineError> {
        if place == self.saved {
            return Ok(());
        }
        let mut connection = self
            .pool
            .acquire()
            .await
            .map_err(|source| PostgresError::Database { operation: "connect", source })?;
        checkpoint::advance(&mut connection, READER, self.saved, place, &self.fence).await?;
        self.saved = place;
        self.saved_at = Instant::now();
        Ok(())
    }

    async fn publish(&self, recorded: &Recorded) -> Result<(), EngineError> {
        let event_type = recorded.event.name();
        if recorded.stored.get().len() > LARGEST_MESSAGE {
            let stub = json!({ "version": recorded.version, "type": event_type });
            self.bus.publish_event(recorded.project, event_type, &stub).await?;
        } else {
            self.bus.publish_event(recorded.project, event_type, &recorded.to_public()?).await?;
        }
        Ok(())
    }
}

impl Reader for Relay {
    async fn run_once(&mut self) -> Result<Step, EngineError> {
        let place = match self.place {
            Some(place) => place,
            None => self.start().await?,
        };
        let page = self.tail.page(place, PAGE).await?;
        for recorded in &page {
            self.publish(recorded).await?;
        }
        let reached = page.last().map_or(place, |last| last.place);
        if !page.is_empty() {
            self.bus.flush().await?;
        }
        self.place = Some(reached);
        if self.saved_at.elapsed() >= SAVE_EVERY {
            self.save(reached).await?;
        }
        Ok(if page.is_empty() { Step::Idle } else { Step::Worked })
    }
}
