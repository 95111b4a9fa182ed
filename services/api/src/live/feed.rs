//! What one open stream is to be sent, one message at a time: every event once and in order, whatever the
//! bus loses. WebSocket and server-sent events are two ways to send it.

use std::collections::VecDeque;
use std::sync::Arc;

use domain::ids::ProjectId;
use infra::postgres::tail;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use utoipa::IntoParams;

use super::hub::{PAGE, Update};
use super::message::{Message, Plain};
use super::seat::Seat;
use crate::App;
use crate::extract::Base;
use crate::problem::Problem;

/// Most events that are sent to a stream that resumes; beyond that it gets a snapshot.
const RESUMABLE: u64 = 1_000;
/// Most messages that a stream may miss before it has caught up; a burst of so many is read from the log.
const MISSABLE: u64 = 2_048;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// The version that the client has; it resumes after that.
    pub(super) after: Option<u64>,
}

/// Why a stream ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client is too slow.
    Lagged,
    /// The client has gone, or does not take what it is sent.
    Gone,
    /// The project cannot be read.
    Unreadable,
    /// The reader may look no more.
    Barred,
    /// The server ends.
    Shutdown,
}

/// One message.
#[derive(Debug)]
pub(super) struct Shown {
    /// The version that the client has once it has the message, where the message brings one.
    pub(super) version: Option<u64>,
    pub(super) text: Utf8Bytes,
}

/// The messages of one open stream.
pub(super) struct Feed {
    app: Arc<App>,
    project: ProjectId,
    updates: Receiver<Arc<Update>>,
    /// The version that the client has, once it has what is ready.
    sent: u64,
    /// Whether the log has more than was sent.
    behind: bool,
    /// Messages that were missed since nothing waited to be sent.
    missed: u64,
    /// The head that is to be told as a sign of life.
    ping: Option<u64>,
    /// At most a page.
    ready: VecDeque<Shown>,
    seat: Seat,
}

impl Feed {
    /// Starts with what was missed after a version that the client has, or with a snapshot.
    pub(super) async fn start(
        app: Arc<App>,
        project: ProjectId,
        base: &Base,
        after: Option<u64>,
        seat: Seat,
    ) -> Result<Self, End> {
        // Subscribed first, and read then: what happens in between is in the queue.
        let updates = app.streams.join(project);
        let streams = app.streams.clone();
        let _turn = streams.turn().await;
        let head = app.api.store.load(project).await.map_err(|_| End::Unreadable)?.state.version;
        let (sent, first) = match after {
            Some(after) if after <= head && head - after <= RESUMABLE => (after, None),
            _ => snapshot(&app, project, base).await.map(|(version, shown)| (version, Some(shown)))?,
        };
        let ready = first.into_iter().collect();
        // The read tables may be a moment behind what the bus has said already.
        Ok(Self { app, project, updates, sent, behind: true, missed: 0, ping: None, ready, seat })
    }

    /// The next message, when there is one.
    pub(super) async fn next(&mut self) -> Result<Shown, End> {
        loop {
            if self.seat.end().is_cancelled() {
                return Err(End::Barred);
            }
            if let Some(shown) = self.ready.pop_front() {
                return Ok(shown);
            }
            if self.behind {
                self.read_page().await?;
                continue;
            }
            if let Some(head) = self.ping.take() {
                let text = Plain::Ping { head: head.max(self.sent) }.text();
                return Ok(Shown { version: None, text });
            }
            if self.updates.is_empty() {
                self.missed = 0;
            }
            let update = tokio::select! {
                update = self.updates.recv() => update,
                () = self.seat.end().cancelled() => return Err(End::Barred),
            };
            match update {
                Ok(update) => self.take(&update),
                Err(RecvError::Lagged(missed)) => self.miss(missed)?,
                // The hub ends when the server does.
                Err(RecvError::Closed) => return Err(End::Shutdown),
            }
        }
    }

    /// Texts are shared by all streams.
    fn take(&mut self, update: &Update) {
        match *update {
            Update::Event { version, .. } if version <= self.sent => {}
            Update::Event { version, ref text } if version == self.sent + 1 => {
                self.sent = version;
                self.ready.push_back(Shown { version: Some(version), text: text.clone() });
            }
            Update::Event { .. } => self.behind = true,
            Update::Progress(ref text) => {
                self.ready.push_back(Shown { version: None, text: text.clone() });
            }
            Update::Head { version, ping } => {
                self.behind = version > self.sent;
                self.ping = ping.then_some(version);
            }
        }
    }

    /// More happened than the queue holds. Events are in the log; who misses ever more is too slow.
    fn miss(&mut self, messages: u64) -> Result<(), End> {
        self.behind = true;
        self.missed += messages;
        if self.missed > MISSABLE { Err(End::Lagged) } else { Ok(()) }
    }

    /// Reads what the log has beyond what was sent. When it cannot be read now, the next message or the
    /// next look at the head shows the gap again.
    async fn read_page(&mut self) -> Result<(), End> {
        let read = {
            let _turn = self.app.streams.turn().await;
            tail::read_stream(&self.app.api.pool, self.project, self.sent, PAGE).await
        };
        let page = match read {
            Ok(page) => page,
            Err(error) => {
                tracing::debug!(project = %self.project, %error, "the log cannot be read now");
                self.behind = false;
                return Ok(());
            }
        };
        self.behind = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        for recorded in &page {
            let event = recorded.to_public().map_err(|_| End::Unreadable)?;
            let text = Message::Event { version: recorded.version, event: &event }.text();
            self.sent = recorded.version;
            self.ready.push_back(Shown { version: Some(recorded.version), text });
        }
        Ok(())
    }
}

async fn snapshot(app: &App, id: ProjectId, base: &Base) -> Result<(u64, Shown), End> {
    let unreadable = |problem: Problem| {
        tracing::debug!(code = problem.code, "no snapshot");
        End::Unreadable
    };
    let (version, project) = app.project(id, base).await.map_err(unreadable)?;
    let tasks = app.recent_tasks(id, base).await.map_err(unreadable)?;
    let text = Plain::Snapshot { version, project: &project, tasks: &tasks }.text();
    Ok((version, Shown { version: Some(version), text }))
}
