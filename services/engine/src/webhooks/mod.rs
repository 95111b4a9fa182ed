//! Webhooks: the [`Feed`] turns settled events into deliveries, and the [`Courier`] delivers them, each
//! project's in order, for as long as a day.

mod courier;
mod feed;
mod message;

use std::sync::Arc;

use infra::postgres::leadership::Fence;
use infra::postgres::tail::Tail;
use tokio::sync::Notify;

pub use courier::Courier;
pub use feed::Feed;

use crate::Engine;

/// Both, and the word from one to the other that there is something new.
pub(crate) fn new(engine: Engine, tail: Tail, fence: Fence) -> (Feed, Courier) {
    let news = Arc::new(Notify::new());
    (Feed::new(engine.pool.clone(), tail, fence, news.clone()), Courier::new(engine, fence, news))
}
