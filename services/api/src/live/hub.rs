//! One listener a watched project: hands what the bus says of it to every open stream, and compares the
//! log's head every 15 s, so that a message that was lost is noticed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use domain::ids::{ProjectId, TaskId};
use infra::nats::{LiveMessage, LiveSubscription};
use infra::runtime::CancellationToken;
use serde_json::Value;
use tokio::sync::broadcast::{self, Receiver, Sender, WeakSender};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::batches::Batches;
use super::message::{self, Message};
use super::open::{Held, Open};
use super::percentages::Percentages;
use crate::Api;
use crate::auth::Identity;

/// Updates that a stream may be behind; beyond that it has lagged.
const BACKLOG: usize = 1_024;
/// How often the head is read, and streams are sent a sign of life.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Time to subscribe, and between attempts.
const SUBSCRIBE_PATIENCE: Duration = Duration::from_secs(2);
/// Shortest time between two messages about one task's progress.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);
/// Tasks whose last progress is remembered.
const PROGRESS_TASKS: usize = 1_024;

/// Something that open streams may want to show.
#[derive(Debug)]
pub(crate) enum Update {
    /// An event; without its text it is to be read from the log.
    Event { version: u64, text: Option<Utf8Bytes> },
    /// How far a task is.
    Progress(Utf8Bytes),
    /// The log's head, as a sign of life or only to compare.
    Head { version: u64, ping: bool },
}

/// The hubs of this process.
#[derive(Debug)]
pub(crate) struct Streams {
    api: Api,
    shutdown: CancellationToken,
    hubs: Mutex<HashMap<ProjectId, WeakSender<Arc<Update>>>>,
    /// Hubs and streams that are open.
    running: TaskTracker,
    open: Arc<Open>,
    percentages: Percentages,
}

impl Streams {
    pub(crate) fn new(api: Api, shutdown: CancellationToken) -> Self {
        let open = Arc::new(Open::new(api.pool.clone(), api.clock.clone()));
        let (running, percentages) = (TaskTracker::new(), Percentages::default());
        Self { api, shutdown, hubs: Mutex::default(), running, open, percentages }
    }

    /// How far running tasks are.
    pub(crate) fn percentages(&self) -> &Percentages {
        &self.percentages
    }

    /// Listens to workers until the shutdown. A server that nobody told to knows only of projects that are watched.
    pub(crate) fn listen(self: &Arc<Self>) {
        let streams = self.clone();
        let listening = async move { streams.percentages.listen(&streams.api.bus, &streams.shutdown).await };
        self.running.spawn(listening);
    }

    /// Cancelled when all streams should end.
    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Held by each open stream.
    pub(crate) fn token(&self) -> TaskTrackerToken {
        self.running.token()
    }

    /// Takes up a stream, which ends when its reader may look no more.
    pub(crate) fn hold(&self, project: ProjectId, reader: Identity) -> Held {
        let (held, unwatched) = self.open.hold(project, reader);
        if unwatched {
            self.running.spawn(self.open.clone().watch(self.shutdown.clone()));
        }
        held
    }

    /// Projects that somebody watches: each is one subscription of the bus.
    pub(crate) fn watched(&self) -> usize {
        self.hubs.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits until all have ended, for a while.
    pub(crate) async fn ended(&self, patience: Duration) {
        self.running.close();
        if tokio::time::timeout(patience, self.running.wait()).await.is_err() {
            tracing::info!("some live streams did not end in time and are cut");
        }
    }

    /// Whatever happens in a project from now on.
    pub(crate) fn join(self: &Arc<Self>, project: ProjectId) -> Receiver<Arc<Update>> {
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hub) = hubs.get(&project).and_then(WeakSender::upgrade) {
            return hub.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BACKLOG);
        hubs.insert(project, sender.downgrade());
        let (progress, batches) = (HashMap::new(), Batches::default());
        let (waiting, show_at) = (BTreeSet::new(), None);
        let hub =
            Hub { streams: self.clone(), project, sender, head: 0, progress, batches, waiting, show_at };
        self.running.spawn(hub.run());
        receiver
    }

    /// Forgets a hub that nobody listens to; answers whether it should end.
    fn leave(&self, project: ProjectId, sender: &Sender<Arc<Update>>) -> bool {
        let mut hubs = self.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = sender.receiver_count() == 0;
        if unused {
            hubs.remove(&project);
        }
        unused
    }
}

struct Hub {
    streams: Arc<Streams>,
    project: ProjectId,
    sender: Sender<Arc<Update>>,
    /// The highest version seen.
    head: u64,
    /// When each task's progress was last shown.
    progress: HashMap<TaskId, Instant>,
    batches: Batches,
    /// Batches that went on and were not shown yet, and when they will be: a child's last word is not said again.
    waiting: BTreeSet<TaskId>,
    show_at: Option<Instant>,
}

impl Hub {
    /// With the server all its streams end, as they hear no more from here.
    async fn run(self) {
        let streams = self.streams.clone();
        tokio::select! {
            () = streams.shutdown.cancelled() => {}
            () = self.listen() => {}
        }
    }

    async fn listen(mut self) {
        let mut pings = pings();
        let mut live = self.subscribe().await;
        loop {
            tokio::select! {
                _ = pings.tick() => {
                    if self.streams.leave(self.project, &self.sender) {
                        return;
                    }
                    self.compare_head(true).await;
                }
                () = until(self.show_at) => {
                    self.show_at = None;
                    let waiting = std::mem::take(&mut self.waiting);
                    self.show_batches(waiting);
                }
                message = next(&mut live) => match message {
                    Some(message) => self.pass_on(message).await,
                    None => live = self.subscribe().await,
                },
            }
        }
    }

    /// Subscribes if the bus answers. What happened before that is only in the log, so its head is
    /// compared in either case.
    async fn subscribe(&mut self) -> Option<LiveSubscription> {
        let watching = self.streams.api.bus.watch(self.project);
        let live = tokio::time::timeout(SUBSCRIBE_PATIENCE, watching).await.ok().and_then(Result::ok);
        self.compare_head(false).await;
        live
    }

    async fn pass_on(&mut self, message: LiveMessage) {
        match message {
            LiveMessage::Event(event) => self.pass_event_on(&event),
            LiveMessage::Progress(report) => {
                self.streams.percentages.note(&report);
                if self.may_show(report.task_id) {
                    self.send(Update::Progress(message::progress(&report)));
                    let batches: Vec<TaskId> = self.batches.of_child(report.task_id).collect();
                    self.show_batches(batches);
                }
            }
        }
        if self.sender.len() > BACKLOG / 2 {
            // A burst must not outrun streams that are only waiting for their turn.
            tokio::task::yield_now().await;
        }
    }

    fn pass_event_on(&mut self, event: &Value) {
        let Some(version) = event["version"].as_u64() else { return };
        self.head = self.head.max(version);
        let whole = event.get("payload").is_some();
        let text = whole.then(|| Message::Event { version, event }.text());
        self.send(Update::Event { version, text });
        if event["type"] == "TaskQueued"
            && let Some(task) = event["payload"]["taskId"].as_str().and_then(|id| id.parse().ok())
        {
            self.streams.percentages.forget(task);
        }
        let moved = self.batches.hear(event);
        self.show_batches(moved);
    }

    fn show_batches(&mut self, batches: impl IntoIterator<Item = TaskId>) {
        for batch in batches {
            let Some(report) = self.batches.progress(batch, &self.streams.percentages) else { continue };
            if self.may_show(batch) {
                self.send(Update::Progress(message::progress(&report)));
            } else {
                self.waiting.insert(batch);
                self.show_at.get_or_insert_with(|| Instant::now() + PROGRESS_PAUSE);
            }
        }
    }

    /// At most ten messages a second about one task.
    fn may_show(&mut self, task: TaskId) -> bool {
        let now = Instant::now();
        if self.progress.len() >= PROGRESS_TASKS {
            self.progress.retain(|_, shown| now.duration_since(*shown) < PROGRESS_PAUSE);
        }
        let shown = self.progress.get(&task);
        let due = shown.is_none_or(|shown| now.duration_since(*shown) >= PROGRESS_PAUSE);
        if due {
            self.progress.insert(task, now);
        }
        due
    }

    async fn compare_head(&mut self, ping: bool) {
        match self.streams.api.store.load(self.project).await {
            Ok(loaded) if loaded.state.version >= self.head => {
                self.head = loaded.state.version;
                self.batches.refresh(&loaded.state);
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(project = %self.project, %error, "the head cannot be read now"),
        }
        self.send(Update::Head { version: self.head, ping });
    }

    fn send(&self, update: Update) {
        // It fails only when nobody listens just now.
        let _ = self.sender.send(Arc::new(update));
    }
}

fn pings() -> Interval {
    let mut pings = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

/// Waits for a moment, if there is one to wait for.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The next message; without a subscription, nothing after a while.
async fn next(live: &mut Option<LiveSubscription>) -> Option<LiveMessage> {
    match live {
        Some(live) => live.next().await,
        None => {
            tokio::time::sleep(SUBSCRIBE_PATIENCE).await;
            None
        }
    }
}
