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

/// Starts logging. What is logged follows `STORYTOVIDEO_LOG` in the syntax of `tracing`
/// (default `info,sqlx=warn`); a second call changes nothing.
pub fn init_logging(to: &LogTo) -> std::io::Result<()> {
    let filter = EnvFilter::try_from_env("STORYTOVIDEO_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,async_nats=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
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
