//! How far running tasks are, by what workers said last. Percentages are no facts: they are known to this process
//! alone, for the tasks that spoke last, and gone with it.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::desk::Progress;
use domain::ids::TaskId;
use infra::nats::{Bus, LiveMessage};
use infra::runtime::CancellationToken;
use lru::LruCache;

/// Tasks that are remembered.
const TASKS: usize = 16_384;
/// Between attempts to subscribe.
const SUBSCRIBE_PAUSE: Duration = Duration::from_secs(2);

/// What is known.
#[derive(Debug)]
pub(crate) struct Percentages {
    known: Mutex<LruCache<TaskId, u8>>,
}

impl Default for Percentages {
    fn default() -> Self {
        let tasks = NonZeroUsize::new(TASKS).unwrap_or(NonZeroUsize::MIN);
        Self { known: Mutex::new(LruCache::new(tasks)) }
    }
}

impl Percentages {
    /// Listens to all workers until the shutdown, by one subscription.
    pub(super) async fn listen(&self, bus: &Bus, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = self.hear(bus) => {}
                () = shutdown.cancelled() => return,
            }
            let _ = tokio::time::timeout(SUBSCRIBE_PAUSE, shutdown.cancelled()).await;
        }
    }

    async fn hear(&self, bus: &Bus) {
        let mut live = match bus.watch_progress().await {
            Ok(live) => live,
            Err(error) => return tracing::debug!(%error, "workers cannot be heard now"),
        };
        while let Some(message) = live.next().await {
            if let LiveMessage::Progress(report) = message {
                self.note(&report);
            }
        }
    }

    /// A worker has spoken.
    pub(super) fn note(&self, report: &Progress) {
        self.known().put(report.task_id, report.progress.min(100));
    }

    /// Of a running task, 0 to 100; 0 when nobody said.
    pub(crate) fn of(&self, task: TaskId) -> u8 {
        self.known().peek(&task).copied().unwrap_or(0)
    }

    /// The task begins again.
    pub(super) fn forget(&self, task: TaskId) {
        self.known().pop(&task);
    }

    fn known(&self) -> MutexGuard<'_, LruCache<TaskId, u8>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a batch is: the mean of its children, rounded down, so that it is 100 only when all are.
pub(crate) fn mean(children: impl IntoIterator<Item = u8>) -> u8 {
    let (sum, count) =
        children.into_iter().fold((0_u64, 0_u64), |(sum, count), child| (sum + u64::from(child), count + 1));
    u8::try_from(sum / count.max(1)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_the_mean_of_its_children_and_done_only_when_all_are() {
        assert_eq!(mean([]), 0);
        assert_eq!(mean([100, 50, 0, 0]), 37);
        assert_eq!(mean([100, 100, 99]), 99);
        assert_eq!(mean([100, 100]), 100);
    }

    #[test]
    fn what_a_worker_said_last_counts_until_the_task_begins_again() {
        let percentages = Percentages::default();
        let task_id = TaskId(uuid::Uuid::from_u128(1));
        for progress in [10, 250] {
            percentages.note(&Progress { task_id, progress, message: String::new(), eta_seconds: None });
        }
        assert_eq!(percentages.of(task_id), 100);
        percentages.forget(task_id);
        assert_eq!(percentages.of(task_id), 0);
    }
}
