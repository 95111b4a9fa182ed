//! Live messages: wake-ups for readers of the log, and what open streams show.

use std::time::Duration;

use domain::desk::Progress;
use domain::ids::ProjectId;
use futures::{FutureExt, StreamExt};
use serde_json::Value;

use super::{Bus, BusError, subject};

/// Something that happens in a project right now.
#[derive(Debug, Clone)]
pub enum LiveMessage {
    /// An event, as the relay publishes it: `{version, type, payload, …}`.
    Event(Value),
    /// How far a task is.
    Progress(Progress),
}

/// What happens in one project. Messages may be lost; versions show it.
#[derive(Debug)]
pub struct LiveSubscription {
    messages: async_nats::Subscriber,
}

/// Wake-ups for a reader of the log.
#[derive(Debug)]
pub struct WakeSubscription {
    messages: async_nats::Subscriber,
}

impl Bus {
    /// Subscribes to what happens in a project, by one subscription.
    pub async fn watch(&self, project: ProjectId) -> Result<LiveSubscription, BusError> {
        let subject = subject::all_of_project(project);
        let messages = self.client.subscribe(subject).await.map_err(BusError::during("subscribe"))?;
        self.flush().await?;
        Ok(LiveSubscription { messages })
    }

    /// Subscribes to the progress of all tasks of all projects.
    pub async fn watch_progress(&self) -> Result<LiveSubscription, BusError> {
        let subscribed = self.client.subscribe(subject::ALL_PROGRESS).await;
        let messages = subscribed.map_err(BusError::during("subscribe"))?;
        Ok(LiveSubscription { messages })
    }

    /// Subscribes to wake-ups. Without a connection there are none until there is one, and waiting for them is
    /// a plain timer.
    pub async fn wake_ups(&self) -> Result<WakeSubscription, BusError> {
        let messages = self.client.subscribe(subject::WAKE).await.map_err(BusError::during("subscribe"))?;
        Ok(WakeSubscription { messages })
    }
}

impl LiveSubscription {
    /// The next message; `None` when the connection is closed for good.
    pub async fn next(&mut self) -> Option<LiveMessage> {
        loop {
            let message = self.messages.next().await?;
            let read = match message.subject.split('.').nth(1) {
                Some("events") => serde_json::from_slice(&message.payload).ok().map(LiveMessage::Event),
                Some("progress") => serde_json::from_slice(&message.payload).ok().map(LiveMessage::Progress),
                _ => None,
            };
            if read.is_some() {
                return read;
            }
        }
    }
}

impl WakeSubscription {
    /// Waits for a wake-up, at most `poll`; all that have come meanwhile count as one. Answers whether
    /// one came.
    pub async fn wait(&mut self, poll: Duration) -> bool {
        let woken = match tokio::time::timeout(poll, self.messages.next()).await {
            Ok(Some(_)) => true,
            Ok(None) => {
                // A closed connection makes this a plain timer, which is enough to be right.
                tokio::time::sleep(poll).await;
                false
            }
            Err(_) => false,
        };
        while let Some(Some(_)) = self.messages.next().now_or_never() {}
        woken
    }
}
