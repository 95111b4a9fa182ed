//! Delivers what is due: signed, each lane in order, and no endpoint at the cost of another. What is not
//! taken is tried again with growing pauses, and given up after a day.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::webhook::{headers, pause_after};
use infra::postgres::deliveries::{self, Attempt, DeliveryState, Ended};
use infra::postgres::leadership::Fence;
use infra::runtime::CancellationToken;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{Engine, EngineError, pause};

/// Requests under way at once, and to one webhook.
const AT_ONCE: usize = 256;
const AT_ONCE_EACH: i64 = 4;
/// Without news, what has become due is looked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Old deliveries are looked for so often.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// Delivers messages to webhooks.
#[derive(Debug)]
pub struct Courier {
    engine: Engine,
    fence: Fence,
    news: Arc<Notify>,
    under_way: HashMap<Uuid, i64>,
    requests: JoinSet<Uuid>,
    swept_at: Option<Instant>,
}

impl Courier {
    pub(crate) fn new(engine: Engine, fence: Fence, news: Arc<Notify>) -> Self {
        let (under_way, requests) = (HashMap::new(), JoinSet::new());
        Self { engine, fence, news, under_way, requests, swept_at: None }
    }

    /// Delivers until the stop. What is cut off then is tried again by whoever leads next.
    pub(crate) async fn run(mut self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.run_once().await {
                tracing::warn!(%error, source = ?std::error::Error::source(&error), "deliveries wait");
                pause(LOOK_EVERY, stop).await;
            }
            tokio::select! {
                Some(ended) = self.requests.join_next() => self.note(ended.ok()),
                () = self.news.notified() => {}
                () = pause(LOOK_EVERY, stop) => {}
            }
        }
    }

    /// Begins what is due, as far as there is room.
    async fn run_once(&mut self) -> Result<(), EngineError> {
        let room = AT_ONCE.saturating_sub(self.requests.len());
        if room == 0 {
            return Ok(());
        }
        let under_way: Vec<(Uuid, i64)> = self.under_way.iter().map(|(id, count)| (*id, *count)).collect();
        let most = i64::try_from(room).unwrap_or(i64::MAX);
        let begun = deliveries::begin(&self.engine.pool, &under_way, (most, AT_ONCE_EACH), &self.fence);
        for attempt in begun.await? {
            *self.under_way.entry(attempt.webhook).or_default() += 1;
            let engine = self.engine.clone();
            self.requests.spawn(async move {
                deliver(&engine, &attempt).await;
                attempt.webhook
            });
        }
        self.sweep().await
    }

    /// Makes room. Of a request that panicked nobody knows whose it was, so then all start from what runs.
    fn note(&mut self, webhook: Option<Uuid>) {
        match webhook {
            Some(webhook) => {
                let left = self.under_way.get(&webhook).copied().unwrap_or(0) - 1;
                match left {
                    ..=0 => drop(self.under_way.remove(&webhook)),
                    left => drop(self.under_way.insert(webhook, left)),
                }
            }
            None => self.under_way.clear(),
        }
    }

    async fn sweep(&mut self) -> Result<(), EngineError> {
        let is_time = self.swept_at.is_none_or(|at| at.elapsed() >= SWEEP_EVERY);
        if is_time && !deliveries::sweep(&self.engine.pool).await? {
            self.swept_at = Some(Instant::now());
        }
        Ok(())
    }
}

/// One attempt, with its end recorded.
async fn deliver(engine: &Engine, attempt: &Attempt) {
    let ended = send(engine, attempt).await;
    match deliveries::end(&engine.pool, attempt, &ended).await {
        Ok(Some(DeliveryState::Dead)) => {
            let (webhook, delivery) = (attempt.webhook, attempt.delivery);
            tracing::warn!(%webhook, %delivery, attempts = attempt.number, "a delivery is given up");
        }
        Ok(_) => {}
        // It becomes due again by itself, and its receiver knows it by its id.
        Err(error) => {
            tracing::warn!(delivery = %attempt.delivery, %error, "a delivery's end is not recorded");
        }
    }
}

async fn send(engine: &Engine, attempt: &Attempt) -> Ended {
    let timestamp = engine.clock.now().timestamp();
    let headers = headers(&attempt.secrets, attempt.delivery.to_string(), timestamp, &attempt.body);
    let answered = engine.outbound.post_json(&attempt.url, &headers, attempt.body.clone()).await;
    let error = match answered {
        Ok(200..=299) => None,
        Ok(status @ 300..=399) => Some(format!("the answer was {status}, and redirects are not followed")),
        Ok(status) => Some(format!("the answer was {status}")),
        Err(error) => Some(error.to_string()),
    };
    Ended { answer: answered.ok(), error, pause: pause_after(attempt.delivery, attempt.number) }
}
