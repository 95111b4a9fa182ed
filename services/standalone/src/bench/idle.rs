//! What `storytovideo up` costs while nobody asks anything of it: the process alone, beside PostgreSQL and
//! nats-server, which are processes of their own.

use std::path::Path;
use std::time::Duration;

use tokio::process::Child;

use super::process::{self, Started};
use super::statistics::round;
use super::{in_time, progress};
use crate::exit::Failed;

/// After its start it comes to rest.
const REST: Duration = Duration::from_secs(5);
/// Then it is watched.
const WATCH: Duration = Duration::from_secs(10);
/// Linux counts processor time in hundredths of a second for programs, on every architecture that Rust has
/// (`man 5 proc`, `USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What it costs to do nothing.
#[derive(Debug)]
pub(super) struct Idle {
    /// Of one core.
    pub(super) cpu_percent: f64,
    /// Memory in use.
    pub(super) rss_mib: f64,
}

pub(super) async fn measure(data: &Path) -> Result<Idle, Failed> {
    progress("`up` at rest");
    let mut command = process::program(&["up", "--bind", "127.0.0.1:0", "--data"])?;
    let mut child = command.arg(data).spawn().map_err(Failed::because)?;
    let idle = in_time("`up`", watch(&mut child)).await?;
    process::stop(child).await?;
    Ok(idle)
}

async fn watch(child: &mut Child) -> Result<Idle, Failed> {
    // Who says something that nobody takes ends.
    let Started { pid, said: _said, .. } = process::started(child).await?;
    tokio::time::sleep(REST).await;
    let before = ticks(pid).await?;
    tokio::time::sleep(WATCH).await;
    let used = (ticks(pid).await? - before) / TICKS_PER_SECOND;
    Ok(Idle {
        cpu_percent: round(used / WATCH.as_secs_f64() * 100.0),
        rss_mib: round(process::resident_mib(pid).await?),
    })
}

/// Processor time of all its threads so far: fields 14 and 15 of `/proc/<pid>/stat`, counted after the name,
/// which may hold anything and ends with the last bracket.
async fn ticks(pid: u32) -> Result<f64, Failed> {
    let stat = process::read(pid, "stat").await?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Ok(fields.filter_map(|field| field.parse::<f64>().ok()).sum())
}
