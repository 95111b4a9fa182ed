//! Pulls one message at a time from a durable consumer, by the JetStream pull protocol
//! (<https://docs.nats.io/reference/reference-protocols/nats_api_reference>).
//!
//! The client's own batches, in async-nats 0.51, stop being woken after the first idle heartbeat, and a
//! message that arrives then waits for its redelivery; see `docs/adr/0006`.

use std::time::Duration;

use async_nats::jetstream::{self, Message};
use async_nats::{StatusCode, Subject, Subscriber};
use futures::StreamExt;
use serde_json::json;
use tokio::sync::watch;

use super::{Bus, BusError};

/// A pull waits so long before it is made anew.
const EXPIRES: Duration = Duration::from_secs(30);
/// The server says so often that a pull still stands.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Without a word for so long the pull has stalled.
const STALLED: Duration = Duration::from_secs(11);

/// One place at a durable consumer.
#[derive(Debug)]
pub(super) struct Pull {
    client: async_nats::Client,
    context: jetstream::Context,
    ask: String,
    inbox: Subject,
    messages: Subscriber,
    connections: watch::Receiver<u64>,
}

impl Bus {
    pub(super) async fn pull(&self, stream: &str, consumer: &str) -> Result<Pull, BusError> {
        let inbox = Subject::from(self.client.new_inbox());
        let messages = self.client.subscribe(inbox.clone()).await.map_err(BusError::during("subscribe"))?;
        Ok(Pull {
            client: self.client.clone(),
            context: self.jetstream.clone(),
            ask: format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"),
            inbox,
            messages,
            connections: self.connections.clone(),
        })
    }
}

impl Pull {
    /// Waits for one message, for at most 30 s. After an error the pull is of no further use.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, BusError> {
        self.connections.mark_unchanged();
        let request = json!({
            "batch": 1,
            "expires": nanoseconds(EXPIRES),
            "idle_heartbeat": nanoseconds(HEARTBEAT),
        });
        self.client
            .publish_with_reply(self.ask.clone(), self.inbox.clone(), request.to_string().into())
            .await
            .map_err(BusError::during("ask for a message"))?;
        loop {
            let message = tokio::select! {
                message = tokio::time::timeout(STALLED, self.messages.next()) => message,
                // The server that was asked may be gone, or have forgotten.
                Ok(()) = self.connections.changed() => return Err(failed("the connection was made anew")),
            };
            let message = message
                .map_err(|_| failed("no heartbeat: the pull has stalled"))?
                .ok_or_else(|| failed("the connection is closed"))?;
            match message.status {
                None => return Ok(Some(Message { message, context: self.context.clone() })),
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => return Ok(None),
                Some(status) => {
                    return Err(failed(&format!("{status} {}", message.description.unwrap_or_default())));
                }
            }
        }
    }
}

fn failed(reason: &str) -> BusError {
    BusError { operation: "receive a message", reason: reason.to_owned() }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
