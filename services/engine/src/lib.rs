//! The engine: turns the log into live messages ([`relay`]), jobs ([`dispatch`]), read tables
//! ([`projector`]) and messages to webhooks ([`webhooks`]), answers workers ([`desk`]), and frees media that nobody
//! names any more ([`collector`]).
//!
//! Many may run; one at a time leads and acts. Each part can be stopped anywhere and started again.

pub mod collector;
pub mod dead_letters;
pub mod desk;
pub mod dispatch;
mod leases;
mod looping;
pub mod projector;
pub mod relay;
mod sweep;
pub mod webhooks;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use infra::media::MediaFolder;
use infra::nats::{Bus, BusError};
use infra::outbound::Outbound;
use infra::postgres::event_store::EventStore;
use infra::postgres::leadership::{self, Fence};
use infra::postgres::tail::Tail;
use infra::postgres::{PgPool, PostgresError};
use infra::runtime::{CancellationToken, Clock};
use uuid::Uuid;

pub use collector::Retention;
pub use leases::Leases;
use looping::drive;

/// The one role that leads.
pub const ROLE: &str = "engine";

/// Something the engine works with did not play along. It tries again.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// NATS.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The bus's streams and consumers.
    #[error(transparent)]
    Topology(#[from] infra::nats::TopologyError),
    /// Stored media.
    #[error(transparent)]
    Media(#[from] infra::media::MediaError),
}

impl EngineError {
    fn lost_leadership(&self) -> bool {
        matches!(self, Self::Postgres(PostgresError::LeadershipLost))
    }
}

/// How long things may take.
#[derive(Debug, Clone)]
pub struct Timing {
    /// A worker that does not renew its lease for so long has lost its jobs.
    pub lease: Duration,
    /// Readers of the log look so often, woken or not.
    pub poll: Duration,
    /// The queue is compared with what was sent so often.
    pub reconcile: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(40),
            poll: Duration::from_millis(250),
            reconcile: Duration::from_secs(5),
        }
    }
}

/// What the engine works with.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The database.
    pub pool: PgPool,
    /// Commands go here.
    pub store: EventStore,
    /// The bus.
    pub bus: Bus,
    /// Stored media.
    pub media: MediaFolder,
    /// Requests to webhooks go out here.
    pub outbound: Outbound,
    /// The time.
    pub clock: Clock,
    /// How long things may take.
    pub timing: Timing,
    /// What is kept for how long.
    pub retention: Retention,
    /// The fewest jobs of a kind that may be in the queue, however few workers there are.
    pub minimum_window: u32,
}

impl Engine {
    /// Leads whenever nobody else does, until the shutdown.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), EngineError> {
        let holder = Uuid::new_v4();
        while !shutdown.is_cancelled() {
            match leadership::take_or_renew(&self.pool, ROLE, holder).await {
                Ok(Some(fence)) => self.lead(fence, holder, &shutdown).await,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "cannot ask for the leadership"),
            }
            pause(Duration::from_secs(1), &shutdown).await;
        }
        if let Err(error) = leadership::release(&self.pool, ROLE, holder).await {
            tracing::debug!(%error, "the leadership was not released; it ends by itself");
        }
        Ok(())
    }

    /// Runs every part until the leadership or the process ends.
    async fn lead(&self, fence: Fence, holder: Uuid, shutdown: &CancellationToken) {
        tracing::info!(epoch = fence.epoch, "leading");
        let stop = shutdown.child_token();
        let leases = Arc::new(Mutex::new(Leases::new(self.timing.lease)));
        let desk = desk::Desk::new(self.clone(), fence, leases.clone());
        let tail = Tail::new(self.pool.clone());
        let dispatcher = dispatch::Dispatcher::new(self.clone(), tail.clone(), fence, leases.clone());
        let dead_letters = dead_letters::DeadLetters { engine: self, fence, leases };
        let relay = relay::Relay::new(self.pool.clone(), tail.clone(), self.bus.clone(), fence);
        let (feed, courier) = webhooks::new(self.clone(), tail.clone(), fence);
        let names = collector::Names::new(self.pool.clone(), tail.clone(), fence);
        let collector = collector::Collector { engine: self, fence };
        let projector = projector::Projector::on(tail, self.pool.clone(), fence);
        tokio::join!(
            self.renew(holder, fence, &stop),
            desk.run(&stop),
            dead_letters.run(&stop),
            sweep::run(self, fence, &stop),
            drive("dispatcher", self, &stop, dispatcher),
            drive("relay", self, &stop, relay),
            drive("projector", self, &stop, projector),
            drive("webhooks", self, &stop, feed),
            courier.run(&stop),
            drive("media", self, &stop, names),
            collector.run(&stop),
        );
        tracing::info!(epoch = fence.epoch, "no longer leading");
    }

    /// Renews the lease; when that fails for as long as it lasts, everything stops.
    async fn renew(&self, holder: Uuid, fence: Fence, stop: &CancellationToken) {
        let mut renewed = tokio::time::Instant::now();
        while !stop.is_cancelled() {
            pause(leadership::RENEW_EVERY, stop).await;
            match leadership::take_or_renew(&self.pool, ROLE, holder).await {
                Ok(Some(still)) if still == fence => renewed = tokio::time::Instant::now(),
                Ok(_) => stop.cancel(),
                Err(error) => {
                    tracing::warn!(%error, "cannot renew the leadership");
                    if renewed.elapsed() >= leadership::LEASE {
                        stop.cancel();
                    }
                }
            }
        }
    }
}

/// Waits, but not beyond a stop.
async fn pause(duration: Duration, stop: &CancellationToken) {
    let _ = tokio::time::timeout(duration, stop.cancelled()).await;
}
