//! Runs a short program to its end: bounded in time and in what is kept of its words.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// Bytes kept of each of a program's two outputs; more is read and thrown away.
const KEPT_OUTPUT: usize = 256 * 1024;

/// How long a program may take to tell its version.
pub(super) const QUESTION: Duration = Duration::from_secs(30);
/// How long a program may take to fetch and install, on a slow line.
pub(super) const INSTALLATION: Duration = Duration::from_secs(30 * 60);

/// Runs `command` and gives what it printed, or its last words when it failed. It is killed when the future
/// is dropped or `limit` is over.
pub(super) async fn run(command: &mut Command, limit: Duration) -> Result<String, String> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("{name} does not start: {error}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = tokio::time::timeout(limit, async {
        tokio::join!(read_bounded(stdout), read_bounded(stderr), child.wait())
    });
    let Ok((stdout, stderr, status)) = ended.await else {
        return Err(format!("{name} did not end within {} s", limit.as_secs()));
    };
    match status {
        Ok(status) if status.success() => Ok(stdout),
        Ok(status) => Err(format!("{name} failed ({status}): {}", last_words(&stdout, &stderr))),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

async fn read_bounded(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let mut kept = Vec::new();
    let mut buffer = vec![0; 8192];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..count]);
        // The last words matter most when something fails, the first ones when a version is asked for.
        if kept.len() > KEPT_OUTPUT {
            kept.drain(KEPT_OUTPUT / 4..KEPT_OUTPUT / 2);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The last three lines of what a failing program said, preferring its errors, on one line.
fn last_words(stdout: &str, stderr: &str) -> String {
    let said = if stderr.trim().is_empty() { stdout } else { stderr };
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_program_that_fails_is_quoted_with_its_last_words() {
        let failure = run(&mut shell("echo no such wheel >&2; exit 3"), QUESTION).await.unwrap_err();
        assert!(failure.contains("no such wheel") && failure.contains('3'), "{failure}");
    }

    #[tokio::test]
    async fn a_program_that_never_ends_is_given_up() {
        let failure = run(&mut shell("exec sleep 1000"), Duration::from_millis(50)).await.unwrap_err();
        assert!(failure.contains("did not end"), "{failure}");
    }

    #[tokio::test]
    async fn endless_words_are_kept_only_in_part() {
        let output = run(&mut shell("head -c 5000000 /dev/zero; echo end"), QUESTION).await.unwrap();
        assert!(output.len() <= KEPT_OUTPUT + 8192);
        assert!(output.ends_with("end\n"));
    }
}
