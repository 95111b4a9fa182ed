//! A project's live stream, by server-sent events: one connection as any other request has, opened again
//! where it broke off.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

use super::Id;
use super::connection::Connection;
use crate::exit::Failed;

/// Largest message, in bytes: a snapshot of the largest project is far smaller.
const MESSAGE_LIMIT: usize = 64 * 1024 * 1024;
/// A stream that breaks is opened again so often in a row.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_secs(1);

/// What happens to a project from now on.
#[derive(Debug)]
pub(super) struct Live {
    connection: Connection,
    project: Id,
    /// The version that was told last.
    version: Option<u64>,
    stream: Option<Response>,
    buffer: Vec<u8>,
}

impl Live {
    /// Opens the stream, so that a project that is not there is noticed at once.
    pub(super) async fn open(connection: &Connection, project: Id) -> Result<Self, Failed> {
        let mut live =
            Self { connection: connection.clone(), project, version: None, stream: None, buffer: Vec::new() };
        live.connect().await?;
        Ok(live)
    }

    /// The version that was told last.
    pub(super) fn version(&self) -> u64 {
        self.version.unwrap_or(0)
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Result<Value, Failed> {
        let mut tries = 0;
        loop {
            if let Some(message) = take_message(&mut self.buffer) {
                let told = message["version"].as_u64();
                self.version = told.or(self.version);
                return Ok(message);
            }
            let chunk = match &mut self.stream {
                Some(stream) => stream.chunk().await.ok().flatten(),
                None => None,
            };
            match chunk {
                Some(chunk) if self.buffer.len() + chunk.len() <= MESSAGE_LIMIT => {
                    self.buffer.extend_from_slice(&chunk);
                }
                Some(_) => return Err(Failed::Runtime("the server sends too large a message".to_owned())),
                None => {
                    tries += 1;
                    self.reconnect(tries).await?;
                }
            }
        }
    }

    async fn reconnect(&mut self, tries: u32) -> Result<(), Failed> {
        self.stream = None;
        tokio::time::sleep(PAUSE).await;
        match self.connect().await {
            Err(error) if tries >= TRIES => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn connect(&mut self) -> Result<(), Failed> {
        let after = self.version.map(|version| ("after", version.to_string()));
        let path = format!("/v1/projects/{}/events", self.project);
        self.buffer.clear();
        self.stream = Some(self.connection.open(&path, after.as_slice()).await?);
        Ok(())
    }
}

/// Takes the first whole event out of what was received; its `data` is one line of JSON
/// (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
pub(super) fn take_message(buffer: &mut Vec<u8>) -> Option<Value> {
    loop {
        let end = buffer.windows(2).position(|pair| pair == b"\n\n")?;
        let event: Vec<u8> = buffer.drain(..end + 2).collect();
        let mut lines = event.split(|byte| *byte == b'\n');
        let data = lines.find_map(|line| line.strip_prefix(b"data: "));
        if let Some(message) = data.and_then(|data| serde_json::from_slice(data).ok()) {
            return Some(message);
        }
    }
}
