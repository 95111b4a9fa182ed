//! The log: human lines on a terminal, one JSON object a line elsewhere, to stderr or a file.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// Where the log goes.
#[derive(Debug, Clone)]
pub enum LogTo {
    /// Standard error.
    Stderr,
    /// Appended to a file, so that a progress display stays whole.
    File(PathBuf),
}

/// What is logged when nobody says otherwise.
const USUAL_FILTER: &str = "info,sqlx=warn,async_nats=warn";

/// Starts logging. `filter` says what, in the syntax of `tracing` (`info,sqlx=warn`); one that makes no
/// sense is as none. A second call changes nothing. Lines of the audit say so by their target.
pub fn init_logging(to: &LogTo, filter: Option<&str>) -> std::io::Result<()> {
    let filter = filter.and_then(|filter| EnvFilter::try_new(filter).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(USUAL_FILTER));
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    let started = match to {
        LogTo::Stderr => builder.with_writer(std::io::stderr).try_init(),
        LogTo::File(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            builder.with_ansi(false).with_writer(Mutex::new(file)).try_init()
        }
    };
    // A process that logs already keeps its log.
    drop(started);
    Ok(())
}
