//! One listener a watched project: hands what the bus says of it to every open stream, in order. What the bus lost, or
//! could not carry, it reads from the log, once for all of them; it looks there every 15 s.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::Response;
use domain::desk::Progress;
use domain::ids::{ProjectId, TaskId};
use infra::nats::{LiveMessage, LiveSubscription};
use infra::postgres::{PostgresError, tail};
use infra::runtime::CancellationToken;
use serde_json::{Value, json};
use tokio::sync::broadcast::{self, Receiver, Sender, WeakSender};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::batches::Batches;
use super::message::{self, Message};
use super::open::{Held, Open};
use super::percentages::Percentages;
use super::upgrade::{Socket, Upgrade};
use crate::Api;
use crate::auth::Identity;

/// Updates that a stream may be behind; beyond that it misses some.
const BACKLOG: usize = 1_024;
/// How often the head is read, and streams are sent a sign of life.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Time to subscribe, and between attempts.
const SUBSCRIBE_PATIENCE: Duration = Duration::from_secs(2);
/// Shortest time between two messages about one task's progress.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);
/// Events that are read from the log at a time.
pub(super) const PAGE: i64 = 100;
/// Hubs and streams that look at the database at the same time: whoever asks for something else is heard meanwhile.
const TURNS: usize = 8;

/// Something that open streams may want to show.
#[derive(Debug)]
pub(crate) enum Update {
    /// What happened next.
    Event { version: u64, text: Utf8Bytes },
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
    turns: Semaphore,
}

impl Streams {
    pub(crate) fn new(api: Api, shutdown: CancellationToken) -> Self {
        let open = Arc::new(Open::new(api.pool.clone(), api.clock.clone()));
        let (running, percentages) = (TaskTracker::new(), Percentages::default());
        let turns = Semaphore::new(TURNS);
        Self { api, shutdown, hubs: Mutex::default(), running, open, percentages, turns }
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

    /// The turn to look at the database.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// Opens a socket, and attends to it.
    pub(crate) fn open<F>(
        &self,
        upgrade: Upgrade,
        attend: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let (answer, opening) = upgrade.accept();
        self.running.spawn(async move {
            if let Some(socket) = opening.await {
                attend(socket).await;
            }
        });
        answer
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
        let hub = Hub {
            streams: self.clone(),
            project,
            sender,
            head: None,
            batches: Batches::default(),
            reports: BTreeMap::new(),
            moved: BTreeSet::new(),
            told_at: Instant::now(),
        };
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
    /// The version that streams were told last; not known before the log could be read.
    head: Option<u64>,
    batches: Batches,
    /// What was said last of each task, and the batches that went on, since that was told.
    reports: BTreeMap<TaskId, Progress>,
    moved: BTreeSet<TaskId>,
    told_at: Instant,
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
            let waits = !self.reports.is_empty() || !self.moved.is_empty();
            tokio::select! {
                _ = pings.tick() => {
                    if self.streams.leave(self.project, &self.sender) {
                        return;
                    }
                    self.look().await;
                    self.send(Update::Head { version: self.head.unwrap_or(0), ping: true }).await;
                }
                () = tokio::time::sleep_until(self.told_at + PROGRESS_PAUSE), if waits => {
                    self.tell_progress().await;
                }
                message = next(&mut live) => match message {
                    Some(message) => self.pass_on(message).await,
                    None => live = self.subscribe().await,
                },
            }
        }
    }

    /// Subscribes if the bus answers. What happened before that is only in the log.
    async fn subscribe(&mut self) -> Option<LiveSubscription> {
        let watching = self.streams.api.bus.watch(self.project);
        let live = tokio::time::timeout(SUBSCRIBE_PATIENCE, watching).await.ok().and_then(Result::ok);
        self.look().await;
        live
    }

    async fn pass_on(&mut self, message: LiveMessage) {
        match message {
            LiveMessage::Event(event) => self.pass_event_on(&event).await,
            LiveMessage::Progress(report) => {
                self.streams.percentages.note(&report);
                self.moved.extend(self.batches.of_child(report.task_id));
                self.reports.insert(report.task_id, report);
            }
        }
    }

    async fn pass_event_on(&mut self, event: &Value) {
        let Some(version) = event["version"].as_u64() else { return };
        match self.head {
            // After a crash the relay repeats itself.
            Some(head) if version <= head => {}
            Some(head) if version == head + 1 && event.get("payload").is_some() => {
                self.tell(version, event).await;
            }
            // Something was lost, or is too large for the bus.
            _ => self.look().await,
        }
    }

    /// Looks whether the log has more than was told, once for all streams.
    async fn look(&mut self) {
        let streams = self.streams.clone();
        let _turn = streams.turn().await;
        let looked = match self.head {
            Some(head) => self.catch_up(head).await,
            None => self.begin().await,
        };
        if let Err(error) = looked {
            tracing::debug!(project = %self.project, %error, "the log cannot be read now");
        }
    }

    /// Finds out where the log is. Streams that have begun before look for themselves what they lack.
    async fn begin(&mut self) -> Result<(), PostgresError> {
        let state = self.streams.api.store.load(self.project).await?.state;
        self.batches.refresh(&state);
        self.head = Some(state.version);
        self.send(Update::Head { version: state.version, ping: false }).await;
        Ok(())
    }

    async fn catch_up(&mut self, mut head: u64) -> Result<(), PostgresError> {
        loop {
            let page = tail::read_stream(&self.streams.api.pool, self.project, head, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            head = last.version;
            for recorded in &page {
                self.tell(recorded.version, &json!(recorded.to_public()?)).await;
            }
        }
    }

    /// Tells the next event.
    async fn tell(&mut self, version: u64, event: &Value) {
        self.head = Some(version);
        self.send(Update::Event { version, text: Message::Event { version, event }.text() }).await;
        if let Some(task) = event["payload"]["taskId"].as_str().and_then(|id| id.parse().ok()) {
            // What was said before that is old.
            self.reports.remove(&task);
            if event["type"] == "TaskQueued" {
                self.streams.percentages.forget(task);
            }
        }
        self.moved.extend(self.batches.hear(event));
    }

    /// Tells how far tasks are, and the batches that they are children of.
    async fn tell_progress(&mut self) {
        self.told_at = Instant::now();
        let moved = std::mem::take(&mut self.moved).into_iter();
        let batches = moved.filter_map(|batch| self.batches.progress(batch, &self.streams.percentages));
        let batches: Vec<Progress> = batches.collect();
        for report in std::mem::take(&mut self.reports).into_values().chain(batches) {
            self.send(Update::Progress(message::progress(&report))).await;
        }
    }

    async fn send(&self, update: Update) {
        // It fails only when nobody listens just now.
        let _ = self.sender.send(Arc::new(update));
        if self.sender.len() > BACKLOG / 2 {
            // A burst must not outrun streams that are only waiting for their turn.
            tokio::task::yield_now().await;
        }
    }
}

fn pings() -> Interval {
    let mut pings = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
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
