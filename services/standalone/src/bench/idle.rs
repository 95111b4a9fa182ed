//! What `storytovideo up` costs while nobody asks anything of it: the process alone, beside PostgreSQL and
//! nats-server, which are processes of their own.

use std::env;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

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
    let program = env::current_exe().map_err(Failed::because)?;
    let mut child = Command::new(program)
        .args(["up", "--bind", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(Failed::because)?;
    let idle = in_time("`up`", watch(&mut child)).await?;
    stop(child).await?;
    Ok(idle)
}

async fn watch(child: &mut Child) -> Result<Idle, Failed> {
    let ended = || Failed::Runtime("`up` ended by itself".to_owned());
    let pid = child.id().ok_or_else(ended)?;
    let mut lines = BufReader::new(child.stderr.take().ok_or_else(ended)?).lines();
    while !lines.next_line().await.map_err(Failed::because)?.ok_or_else(ended)?.contains("listens on") {}
    tokio::time::sleep(REST).await;
    let before = ticks(pid).await?;
    tokio::time::sleep(WATCH).await;
    let used = (ticks(pid).await? - before) / TICKS_PER_SECOND;
    Ok(Idle {
        cpu_percent: round(used / WATCH.as_secs_f64() * 100.0),
        rss_mib: round(resident_mib(pid).await?),
    })
}

async fn stop(mut child: Child) -> Result<(), Failed> {
    if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
        kill_process(pid, Signal::TERM).map_err(Failed::because)?;
    }
    in_time("the end of `up`", async { child.wait().await.map_err(Failed::because) }).await.map(drop)
}

/// Processor time of all its threads so far: fields 14 and 15 of `/proc/<pid>/stat`, counted after the name,
/// which may hold anything and ends with the last bracket.
async fn ticks(pid: u32) -> Result<f64, Failed> {
    let stat = read(pid, "stat").await?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Ok(fields.filter_map(|field| field.parse::<f64>().ok()).sum())
}

async fn resident_mib(pid: u32) -> Result<f64, Failed> {
    let status = read(pid, "status").await?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib = line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
    let unknown = || Failed::Runtime("the system does not say how much memory `up` uses".to_owned());
    Ok(kib.ok_or_else(unknown)? / 1_024.0)
}

async fn read(pid: u32, file: &str) -> Result<String, Failed> {
    tokio::fs::read_to_string(format!("/proc/{pid}/{file}")).await.map_err(Failed::because)
}
