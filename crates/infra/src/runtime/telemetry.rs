//! The log: lines for people, to stderr or a file, with colours on a terminal only. No secret is in it.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, ParseError};

use crate::nats::SECRETIVE;

/// Where the log goes.
#[derive(Debug, Clone)]
pub enum LogTo {
    /// Standard error.
    Stderr,
    /// Appended to a file, so that a progress display stays whole.
    File(PathBuf),
}

/// What is logged, in the syntax of `tracing`: `info,sqlx=warn`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

/// What is logged when nobody says otherwise.
impl Default for LogFilter {
    fn default() -> Self {
        Self("info,sqlx=warn,async_nats=warn".to_owned())
    }
}

impl LogFilter {
    fn compiled(&self) -> Result<EnvFilter, ParseError> {
        let secretive: Directive = SECRETIVE.parse()?;
        Ok(EnvFilter::try_new(&self.0)?.add_directive(secretive))
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let filter = Self(text.to_owned());
        let told = filter.compiled().map(drop);
        told.map(|()| filter).map_err(|_| "write what to log like info,sqlx=warn".to_owned())
    }
}

/// Starts logging. A second call changes nothing. Lines of the audit say so by their target.
pub fn init_logging(to: &LogTo, filter: &LogFilter) -> io::Result<()> {
    let filter = filter.compiled().map_err(io::Error::other)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    let started = match to {
        LogTo::Stderr => builder.with_ansi(has_colours()).with_writer(io::stderr).try_init(),
        LogTo::File(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            builder.with_ansi(false).with_writer(Mutex::new(file)).try_init()
        }
    };
    // A process that logs already keeps its log.
    drop(started);
    Ok(())
}

/// On a terminal, unless whoever sits there wants none (<https://no-color.org>).
fn has_colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_we_connect_to_nats_is_not_logged_whatever_is_asked_for() {
        let (target, _) = SECRETIVE.split_once('=').unwrap();
        for filter in ["trace", "info,async_nats=trace", &format!("info,{target}=debug")] {
            let told = filter.parse::<LogFilter>().unwrap().compiled().unwrap().to_string();
            assert!(told.contains(SECRETIVE) && told.matches(target).count() == 1, "{told}");
        }
    }

    #[test]
    fn a_filter_that_makes_no_sense_is_none() {
        assert!("=!!".parse::<LogFilter>().is_err() && "info,sqlx=loud".parse::<LogFilter>().is_err());
        assert!("info,sqlx=warn".parse::<LogFilter>().is_ok());
        assert!(LogFilter::default().compiled().is_ok());
    }
}
