//! Starts child processes that die with this process.
//!
//! The kernel sends a child its parent-death signal when the *thread* that started it ends, and a thread of
//! the async runtime may end at any time. So children are started from one thread of our own, which lives as
//! long as its [`Spawner`]; dropping the spawner therefore ends the children too. The signal is asked for by
//! `setpriv`, after any change of user, which would clear it.

use std::io;
use std::sync::mpsc;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Request {
    command: Command,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// A thread that starts children.
pub(super) struct Spawner {
    requests: mpsc::Sender<Request>,
}

impl Spawner {
    /// Starts the thread. Called inside the async runtime, which will wait for the children.
    pub(super) fn start(server: &'static str) -> io::Result<Self> {
        let (requests, received) = mpsc::channel::<Request>();
        let runtime = Handle::current();
        std::thread::Builder::new().name(format!("spawn-{server}")).spawn(move || {
            let _inside = runtime.enter();
            while let Ok(Request { mut command, reply }) = received.recv() {
                // Nobody waits any more for a child that cannot be handed over: it is killed by its drop.
                let _ = reply.send(command.spawn());
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts `command`.
    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request { command, reply }).map_err(io::Error::other)?;
        answer.await.map_err(io::Error::other)?
    }
}
