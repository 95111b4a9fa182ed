//! Waiting for a condition, in place of sleeping and hoping.

use std::time::{Duration, Instant};

/// Far longer than anything takes on a busy machine; only a failing test waits so long.
pub(crate) const LONG: Duration = Duration::from_secs(240);
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// Looks until there is something to answer. When `limit` passes, the test fails with what was seen last.
pub(crate) async fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let started = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if started.elapsed() >= limit => panic!("waited {limit:?} until {what}; saw {seen}"),
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}
