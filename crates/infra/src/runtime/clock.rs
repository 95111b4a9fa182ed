//! Time as an argument: the real clock, or one that a test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

/// Tells the time.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Milliseconds since 1970, set by a test.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The present time, to the millisecond.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System =>
            {
                #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
                Utc::now()
            }
            Self::Fixed(millis) => {
                DateTime::from_timestamp_millis(millis.load(Ordering::Relaxed)).unwrap_or_default()
            }
        }
    }
}
