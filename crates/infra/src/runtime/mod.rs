//! What every process needs: a clock that tests can set, tasks that are tracked, and a log.

mod clock;
mod lifecycle;
mod telemetry;

pub use clock::Clock;
pub use lifecycle::{Lifecycle, TaskDied};
pub use telemetry::{LogFilter, LogTo, init_logging};

pub use tokio_util::sync::CancellationToken;
