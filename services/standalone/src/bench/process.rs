//! Processes of this program that the bench starts beside itself: what they cost is told apart from what the
//! bench costs.

use std::env;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use super::in_time;
use crate::exit::Failed;

/// This program with other words, and none of the settings that this shell has for it.
pub(super) fn program(words: &[&str]) -> Result<Command, Failed> {
    let mut command = Command::new(env::current_exe().map_err(Failed::because)?);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("STORYTOVIDEO_") && text != "STORYTOVIDEO_CACHE_DIR" {
            command.env_remove(&name);
        }
    }
    let command_without_input = command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
    command_without_input.stderr(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// A server that listens.
pub(super) struct Started {
    pub(super) pid: u32,
    /// `http://…`, as it said.
    pub(super) url: String,
    /// What else it says; while this is kept, it can.
    pub(super) said: Lines<BufReader<ChildStderr>>,
}

/// Waits until a server says where it listens.
pub(super) async fn started(child: &mut Child) -> Result<Started, Failed> {
    let ended = || Failed::Runtime("a server ended by itself".to_owned());
    let pid = child.id().ok_or_else(ended)?;
    let mut said = BufReader::new(child.stderr.take().ok_or_else(ended)?).lines();
    loop {
        let line = said.next_line().await.map_err(Failed::because)?.ok_or_else(ended)?;
        let url = line.split_once("listens on ").and_then(|(_, rest)| rest.split_whitespace().next());
        if let Some(url) = url {
            return Ok(Started { pid, url: url.to_owned(), said });
        }
    }
}

/// Asks a process to end, and waits for it.
pub(super) async fn stop(mut child: Child) -> Result<(), Failed> {
    if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
        kill_process(pid, Signal::TERM).map_err(Failed::because)?;
    }
    in_time("the end of a server", async { child.wait().await.map_err(Failed::because) }).await.map(drop)
}

/// Memory in use.
pub(super) async fn resident_mib(pid: u32) -> Result<f64, Failed> {
    let status = read(pid, "status").await?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib = line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
    let unknown = || Failed::Runtime("the system does not say how much memory a process uses".to_owned());
    Ok(kib.ok_or_else(unknown)? / 1_024.0)
}

/// What the system knows of a process (`man 5 proc`).
pub(super) async fn read(pid: u32, file: &str) -> Result<String, Failed> {
    tokio::fs::read_to_string(format!("/proc/{pid}/{file}")).await.map_err(Failed::because)
}
