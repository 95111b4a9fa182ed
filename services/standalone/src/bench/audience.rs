//! Clients of streams by the thousand, in a process of their own: their sockets, their memory and their turns on
//! the processor are not the server's.
//!
//! The child reads addresses from its input, one a line up to an empty one, and opens a WebSocket for each. It
//! says `open` when each has got its first message, and, whenever all have got an event, when each of them did. It
//! ends with its input.

use std::mem;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::future::try_join_all;
use infra::runtime::Clock;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::{in_time, process};
use crate::cli::say;
use crate::descriptors;
use crate::exit::Failed;

/// How a message with an event begins; others are not counted.
pub(super) const EVENT: &str = "{\"type\":\"event\"";
/// The child's word when all streams are open.
const OPEN: &str = "open";
/// Streams that are opened at the same time.
const AT_ONCE: usize = 50;
/// Bytes that a stream reads at a time.
const READ_BUFFER: usize = 4_096;
/// Events that wait to be told; the bench sends one after the other.
const ROUNDS: usize = 16;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An event that all have got.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Round {
    /// Length of the message.
    pub(super) bytes: usize,
    /// When each client got it, in microseconds since 1970.
    pub(super) micros: Vec<i64>,
}

/// The child, as the bench sees it.
pub(super) struct Audience {
    child: Child,
    input: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Audience {
    /// Starts it, and waits until it listens to all addresses.
    pub(super) async fn gather(addresses: &[String]) -> Result<Self, Failed> {
        let ended = || Failed::Runtime("the audience ended by itself".to_owned());
        let mut command = process::program(&["bench-audience"])?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().map_err(Failed::because)?;
        let mut input = child.stdin.take().ok_or_else(ended)?;
        let said = BufReader::new(child.stdout.take().ok_or_else(ended)?).lines();
        let asked = format!("{}\n\n", addresses.join("\n"));
        input.write_all(asked.as_bytes()).await.map_err(Failed::because)?;
        let mut audience = Self { child, input, said };
        let line = in_time("opening the streams", audience.line()).await?;
        if line == OPEN { Ok(audience) } else { Err(ended()) }
    }

    /// The next event that all have got.
    pub(super) async fn round(&mut self) -> Result<Round, Failed> {
        let line = in_time("an event's way to all", self.line()).await?;
        serde_json::from_str(&line).map_err(Failed::because)
    }

    /// Closes all streams.
    pub(super) async fn leave(mut self) -> Result<(), Failed> {
        drop(self.input);
        in_time("the end of the audience", async { self.child.wait().await.map_err(Failed::because) })
            .await
            .map(drop)
    }

    async fn line(&mut self) -> Result<String, Failed> {
        let ended = || Failed::Runtime("the audience ended by itself".to_owned());
        self.said.next_line().await.map_err(Failed::because)?.ok_or_else(ended)
    }
}

/// What the child does.
pub(super) async fn listen() -> Result<(), Failed> {
    descriptors::raise_limit();
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let mut addresses = Vec::new();
    while let Some(address) = input.next_line().await.map_err(Failed::because)?
        && !address.is_empty()
    {
        addresses.push(address);
    }
    let (tell, mut rounds) = mpsc::channel(ROUNDS);
    let arrivals = Arc::new(Arrivals { all: addresses.len(), micros: Mutex::default(), tell });
    let mut listeners = JoinSet::new();
    for group in addresses.chunks(AT_ONCE) {
        for socket in try_join_all(group.iter().map(|address| connect(address))).await? {
            listeners.spawn(attend(socket, arrivals.clone()));
        }
    }
    say(OPEN);
    loop {
        tokio::select! {
            Some(round) = rounds.recv() => say(&serde_json::to_string(&round).map_err(Failed::because)?),
            Some(_) = listeners.join_next() => {
                return Err(Failed::Runtime("a stream ended before its time".to_owned()));
            }
            line = input.next_line() => if line.map_err(Failed::because)?.is_none() {
                return Ok(());
            },
        }
    }
}

/// A stream with its first message taken.
async fn connect(address: &str) -> Result<Socket, Failed> {
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let connected = connect_async_with_config(address, Some(config), true).await;
    let (mut socket, _) = connected.map_err(Failed::because)?;
    match socket.next().await {
        Some(Ok(_)) => Ok(socket),
        _ => Err(Failed::Runtime("a stream ended before it began".to_owned())),
    }
}

async fn attend(mut socket: Socket, arrivals: Arc<Arrivals>) {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message
            && text.starts_with(EVENT)
        {
            arrivals.note(text.len());
        }
    }
}

/// When each client got the event that is under way.
struct Arrivals {
    all: usize,
    micros: Mutex<Vec<i64>>,
    tell: mpsc::Sender<Round>,
}

impl Arrivals {
    fn note(&self, bytes: usize) {
        let now = Clock::System.now().timestamp_micros();
        let mut micros = self.micros.lock().unwrap_or_else(PoisonError::into_inner);
        micros.push(now);
        if micros.len() == self.all {
            let round = Round { bytes, micros: mem::take(&mut micros) };
            // Without room nobody waits for it any more.
            let _ = self.tell.try_send(round);
        }
    }
}
