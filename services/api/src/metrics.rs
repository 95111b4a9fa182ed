//! What is counted, and its Prometheus text form. Every metric's name is in this file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the histogram's buckets, in milliseconds.
const BUCKETS: [u64; 10] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000, 2_500];

/// What this process has counted since its start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(String, String, u16), u64>>,
    denied: Mutex<BTreeMap<&'static str, u64>>,
    commands: Histogram,
    streams: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

/// Counts something for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicU64>);

impl Counted {
    fn start(gauge: &Arc<AtomicU64>) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// A request was answered. `route` is the pattern it matched, so there are few of them.
    pub(crate) fn request(&self, method: &str, route: &str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((route.to_owned(), method.to_owned(), status)).or_default() += 1;
    }

    /// A request or a connection was refused. `code` is the problem's.
    pub(crate) fn denied(&self, code: &'static str) {
        *self.denied.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    /// A command was executed, well or not.
    pub(crate) fn command(&self, took: Duration) {
        let millis = took.as_secs_f64() * 1_000.0;
        for (limit, bucket) in BUCKETS.iter().zip(&self.commands.buckets) {
            bucket.fetch_add(u64::from(millis <= *limit as f64), Ordering::Relaxed);
        }
        self.commands.count.fetch_add(1, Ordering::Relaxed);
        self.commands
            .micros
            .fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A live stream was opened.
    pub(crate) fn stream(&self) -> Counted {
        Counted::start(&self.streams)
    }

    /// Live streams that are open now.
    pub(crate) fn open_streams(&self) -> u64 {
        self.streams.load(Ordering::Relaxed)
    }

    /// A connection was accepted.
    pub(crate) fn connection(&self) -> Counted {
        Counted::start(&self.connections)
    }

    /// The Prometheus text format, version 0.0.4. `watched` projects have open streams.
    pub(crate) fn text(&self, watched: usize) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, watched as u64);
        text
    }

    fn write(&self, out: &mut String, watched: u64) -> std::fmt::Result {
        writeln!(out, "# HELP stv_api_requests_total Requests answered, by route.")?;
        writeln!(out, "# TYPE stv_api_requests_total counter")?;
        for ((route, method, status), count) in &*self.requests.lock().unwrap_or_else(PoisonError::into_inner)
        {
            writeln!(
                out,
                "stv_api_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}} {count}"
            )?;
        }
        writeln!(out, "# HELP stv_api_denied_total Requests and connections refused, by reason.")?;
        writeln!(out, "# TYPE stv_api_denied_total counter")?;
        for (code, count) in &*self.denied.lock().unwrap_or_else(PoisonError::into_inner) {
            writeln!(out, "stv_api_denied_total{{code=\"{code}\"}} {count}")?;
        }
        gauge(out, "stv_api_streams", "Live streams that are open.", self.open_streams())?;
        gauge(out, "stv_api_watched_projects", "Projects with open streams.", watched)?;
        let connections = self.connections.load(Ordering::Relaxed);
        gauge(out, "stv_api_connections", "Connections that are open.", connections)?;
        self.commands.write(out)
    }
}

impl Histogram {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let count = self.count.load(Ordering::Relaxed);
        writeln!(out, "# HELP stv_api_command_seconds From a command to its commit, or its refusal.")?;
        writeln!(out, "# TYPE stv_api_command_seconds histogram")?;
        for (limit, bucket) in BUCKETS.iter().zip(&self.buckets) {
            let seconds = *limit as f64 / 1_000.0;
            let reached = bucket.load(Ordering::Relaxed);
            writeln!(out, "stv_api_command_seconds_bucket{{le=\"{seconds}\"}} {reached}")?;
        }
        writeln!(out, "stv_api_command_seconds_bucket{{le=\"+Inf\"}} {count}")?;
        let seconds = self.micros.load(Ordering::Relaxed) as f64 / 1e6;
        writeln!(out, "stv_api_command_seconds_sum {seconds}")?;
        writeln!(out, "stv_api_command_seconds_count {count}")
    }
}

fn gauge(out: &mut String, name: &str, help: &str, value: u64) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}")?;
    writeln!(out, "# TYPE {name} gauge")?;
    writeln!(out, "{name} {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_show_in_the_text() {
        let metrics = Metrics::default();
        metrics.request("GET", "/v1/projects/{id}", 200);
        metrics.request("GET", "/v1/projects/{id}", 200);
        metrics.command(Duration::from_millis(7));
        let open = metrics.stream();
        let text = metrics.text(1);
        assert!(text.contains("requests_total{route=\"/v1/projects/{id}\",method=\"GET\",status=\"200\"} 2"));
        assert!(text.contains("command_seconds_bucket{le=\"0.005\"} 0"));
        assert!(text.contains("command_seconds_bucket{le=\"0.01\"} 1"));
        assert!(text.contains("stv_api_streams 1"));
        assert!(text.contains("stv_api_watched_projects 1"));
        drop(open);
        assert!(metrics.text(0).contains("stv_api_streams 0"));
    }
}
