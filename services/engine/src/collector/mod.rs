//! Frees the media that nobody names any more: `Names` follows the log for who names what, and the `Collector`
//! goes its rounds. What is given up is an event; what is removed follows from the log alone, so a round can end
//! anywhere and begin again.

mod names;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{ProjectId, TakeId};
use domain::project::{Command, limits};
use infra::media::Shard;
use infra::postgres::leadership::Fence;
use infra::postgres::views::{projects, takes};
use infra::postgres::{PostgresError, dispatches, media_names};
use infra::runtime::CancellationToken;

use crate::desk::envelope;
use crate::{Engine, EngineError, pause};

pub(crate) use names::Names;

/// Projects that are given up, and errands that go to the trash, in one round.
const PURGED: i64 = 1_000;
/// Nothing is removed while older events than this are unread.
const UNREAD: Duration = Duration::from_secs(60);
/// Takes that are looked at, and files that are asked for, at a time.
const PAGE: usize = 1_000;
/// What has arrived and was not stored is cleared when it is so old: somebody may still be at it.
const OLD_ARRIVALS: Duration = Duration::from_secs(3_600);
/// Tasks whose uploads are cleared in one round.
const CLEARED: usize = 10_000;

/// What is kept for how long.
#[derive(Debug, Clone)]
pub struct Retention {
    /// A take that no shot uses loses its media when its shot has not changed for so long; never when absent.
    pub unchosen_takes: Option<Duration>,
    /// An errand goes to the trash when nobody has touched it for so long; never when absent.
    pub errands: Option<Duration>,
    /// Media stays for so long after it was given up, and after it was last stored or wanted. Nobody may take longer
    /// than half of it from looking for a file to the event that names it.
    pub grace: Duration,
    /// Between two rounds.
    pub every: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            unchosen_takes: None,
            errands: Some(Duration::from_secs(30 * 24 * 3_600)),
            grace: Duration::from_secs(7 * 24 * 3_600),
            every: Duration::from_secs(3_600),
        }
    }
}

/// What a round removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Removed {
    files: u64,
    bytes: u64,
}

/// Goes the rounds of a leading engine.
#[derive(Debug)]
pub(crate) struct Collector<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) fence: Fence,
}

impl Collector<'_> {
    /// Goes rounds until the stop. What could not be done is left for the next one.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.round(stop).await {
                Ok(Removed { files: 0, .. }) => {}
                Ok(Removed { files, bytes }) => {
                    tracing::info!(files, bytes, "media that nobody names is removed");
                }
                Err(error) => tracing::warn!(%error, "media is left for the next round"),
            }
            pause(self.engine.retention.every, stop).await;
        }
    }

    async fn round(&self, stop: &CancellationToken) -> Result<Removed, EngineError> {
        let now = self.engine.clock.now();
        self.purge(now - TimeDelta::days(limits::TRASH_DAYS)).await?;
        if let Some(kept) = self.engine.retention.errands {
            self.trash_errands(now - kept).await?;
        }
        if let Some(kept) = self.engine.retention.unchosen_takes {
            self.expire(now - kept, stop).await?;
        }
        self.remove(now, stop).await
    }

    /// Gives up what has been in the trash for so long that it cannot come back.
    async fn purge(&self, before: DateTime<Utc>) -> Result<(), EngineError> {
        for project in projects::trashed_before(&self.engine.pool, before, PURGED).await? {
            tracing::info!(%project, "a project was in the trash for long enough and is given up");
            self.record(project, Command::PurgeProject { early: false }).await?;
        }
        Ok(())
    }

    /// Moves errands to the trash that nobody has touched.
    async fn trash_errands(&self, before: DateTime<Utc>) -> Result<(), EngineError> {
        for (errand, version) in projects::errands_untouched_since(&self.engine.pool, before, PURGED).await? {
            self.record(errand, Command::ExpireErrand { version }).await?;
        }
        Ok(())
    }

    /// Gives up takes that no shot uses.
    async fn expire(&self, before: DateTime<Utc>, stop: &CancellationToken) -> Result<(), EngineError> {
        let mut after = None;
        while !stop.is_cancelled() {
            let page = takes::unused_since(&self.engine.pool, after, before, PAGE).await?;
            let mut unused: BTreeMap<ProjectId, Vec<TakeId>> = BTreeMap::new();
            for (project, take) in page.unused {
                unused.entry(project).or_default().push(take);
            }
            for (project, takes) in unused {
                self.record(project, Command::ExpireTakes { takes }).await?;
            }
            match page.last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        Ok(())
    }

    /// A project whose events cannot be read keeps no other from being given up.
    async fn record(&self, project: ProjectId, command: Command) -> Result<(), EngineError> {
        match self.try_record(project, command).await {
            Err(EngineError::Postgres(
                error @ (PostgresError::Corrupt(_) | PostgresError::UnknownEvent { .. }),
            )) => {
                tracing::warn!(%project, %error, "nothing of a project can be given up");
                Ok(())
            }
            recorded => recorded,
        }
    }

    async fn try_record(&self, project: ProjectId, command: Command) -> Result<(), EngineError> {
        let store = &self.engine.store;
        let loaded = store.load(project).await?;
        let envelope = envelope(&self.engine.clock, "engine", command);
        store.record(project, loaded, &[envelope], &self.fence).await?;
        self.engine.bus.wake().await;
        Ok(())
    }

    /// Removes what was given up, and what nobody ever named, if neither was stored or wanted lately.
    async fn remove(&self, now: DateTime<Utc>, stop: &CancellationToken) -> Result<Removed, EngineError> {
        let Engine { pool, media, retention, .. } = self.engine;
        media.put_back().await?;
        if !media.belongs_to(&media_names::owner(pool).await?).await? {
            tracing::warn!("the folder of media belongs to another database, so nothing is removed from it");
            return Ok(Removed::default());
        }
        self.clear_arrivals().await?;
        // Whoever looked for a file before the grace began has named it since, and that must be known here.
        if !media_names::is_read_until(pool, now - UNREAD.min(retention.grace / 2)).await? {
            return Ok(Removed::default());
        }
        let mut removed = Removed::default();
        for shard in media.shards().await? {
            if stop.is_cancelled() {
                break;
            }
            self.remove_from(&shard, now - retention.grace, &mut removed).await?;
        }
        Ok(removed)
    }

    /// Clears what runs uploaded whose tasks have ended (of those cleared while they were still writing, and of those
    /// whose end an engine did not live to clear), and files that were arriving when a process ended.
    async fn clear_arrivals(&self) -> Result<(), EngineError> {
        let Engine { pool, media, .. } = self.engine;
        let old = media.old_incoming(OLD_ARRIVALS, CLEARED).await?;
        let open = dispatches::open_among(pool, &old).await?;
        for task in old.iter().filter(|task| !open.contains(task)) {
            media.clear_incoming(*task).await?;
        }
        Ok(media.clear_abandoned(OLD_ARRIVALS).await?)
    }

    async fn remove_from(
        &self,
        shard: &Shard,
        since: DateTime<Utc>,
        removed: &mut Removed,
    ) -> Result<(), EngineError> {
        let Engine { pool, media, .. } = self.engine;
        let unwanted = media.unwanted_since(shard, SystemTime::from(since)).await?;
        for keys in unwanted.chunks(PAGE) {
            let named = media_names::named_since(pool, keys, since).await?;
            for key in keys.iter().filter(|key| !named.contains(key.as_str())) {
                if let Some(bytes) = media.remove(key, SystemTime::from(since)).await? {
                    removed.files += 1;
                    removed.bytes += bytes;
                }
            }
        }
        Ok(())
    }
}
