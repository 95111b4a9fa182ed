//! nats-server with JetStream on the data folder: the operators' configuration, with port, store and password
//! of this folder.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use domain::hash::sha256;
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::data_folder::{DataFolder, write_whole};
use super::endpoint::Endpoint;
use super::identity::Identity;
use super::leftover::Leftover;
use super::log::Log;
use super::supervised::{Server, Supervised};
use super::{Nats, SuperviseError};
use crate::tools::{Tool, Toolbox};

/// The same file that operators use; its password comes from the environment.
const CONFIGURATION: &str = include_str!("../../../../nats/server.conf");
/// The users in that file: one for everything, and one for workers.
const USER: &str = "storytovideo";
const WORKER: &str = "worker";
/// How often a start is tried when others take the port between its choice and its use.
const PORT_TRIES: usize = 3;
/// How long the server's greeting may take, and be.
const GREETING_LIMIT: (Duration, u64) = (Duration::from_secs(2), 64 * 1024);

/// How nats-server is run on one data folder.
#[derive(Debug)]
pub struct NatsServer {
    program: PathBuf,
    configuration: PathBuf,
    store: PathBuf,
    pid_file: PathBuf,
    endpoint: Endpoint,
    url: String,
}

impl Supervised<NatsServer> {
    /// Starts nats-server on the data folder and waits until it answers.
    ///
    /// # Errors
    /// [`SuperviseError`], with the server's last words when it does not start.
    pub async fn start(data: &DataFolder, tools: &Toolbox) -> Result<Nats, SuperviseError> {
        let program = tools.path(Tool::NatsServer).ok_or(SuperviseError::NotPrepared(Tool::NatsServer))?;
        let configuration = data.run("nats.conf");
        let pid_file = data.run("nats.pid");
        let leftover = Leftover {
            server: NatsServer::NAME,
            program: "nats-server",
            pid_file: &pid_file,
            argument: &configuration,
            stop: NatsServer::STOP,
        };
        leftover.end().await?;
        write_whole(&configuration, CONFIGURATION, 0o600)?;
        let kept = data.nats().join("endpoint.json");
        let mut endpoint =
            if kept.exists() { Endpoint::read(&kept)? } else { Endpoint::choose(NatsServer::NAME)? };
        for attempt in 1.. {
            endpoint.leave_taken_port(NatsServer::NAME)?;
            endpoint.keep(&kept)?;
            let server = NatsServer {
                program: program.to_path_buf(),
                configuration: configuration.clone(),
                store: data.nats(),
                pid_file: pid_file.clone(),
                endpoint: endpoint.clone(),
                url: format!("nats://{USER}:{}@127.0.0.1:{}", endpoint.password, endpoint.port),
            };
            match Supervised::launch(server, Log::new(data.log("nats"))).await {
                Err(_) if attempt < PORT_TRIES && endpoint.leave_taken_port(NatsServer::NAME)? => {}
                outcome => return outcome,
            }
        }
        Err(SuperviseError::NoPort { server: NatsServer::NAME })
    }

    /// Where workers find it: with a worker's rights alone.
    #[must_use]
    pub fn worker_url(&self) -> String {
        let server = self.server();
        format!("nats://{WORKER}:{}@127.0.0.1:{}", server.worker_password(), server.endpoint.port)
    }
}

impl NatsServer {
    /// The workers' password. It follows from the other one, which does not follow from it.
    fn worker_password(&self) -> String {
        let digest = sha256(&[b"worker", self.endpoint.password.as_bytes()]);
        format!("w{}", hex::encode(&digest[..16]))
    }

    /// Tells this folder's server from another one that took the port.
    fn server_name(&self) -> String {
        format!("storytovideo-{}-{}", self.endpoint.port, std::process::id())
    }

    /// Reads the line with which a NATS server greets.
    async fn greeting(&self) -> std::io::Result<String> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.endpoint.port)).await?;
        let mut line = String::new();
        BufReader::new(stream.take(GREETING_LIMIT.1)).read_line(&mut line).await?;
        Ok(line)
    }
}

impl Server for NatsServer {
    const NAME: &'static str = "nats-server";
    const STOP: Signal = Signal::TERM;

    fn command(&self) -> Command {
        let mut command = Identity::Same.command(&self.program, Some("TERM"));
        command.arg("-c").arg(&self.configuration).arg("-P").arg(&self.pid_file).arg("-sd").arg(&self.store);
        command.args(["-a", "127.0.0.1", "-p"]).arg(self.endpoint.port.to_string());
        command.arg("-n").arg(self.server_name());
        command.env("STORYTOVIDEO_NATS_PASSWORD", &self.endpoint.password);
        command.env("STORYTOVIDEO_NATS_WORKER_PASSWORD", self.worker_password());
        command
    }

    fn url(&self) -> &str {
        &self.url
    }

    async fn is_ready(&self, _pid: u32) -> bool {
        let name = format!("\"server_name\":\"{}\"", self.server_name());
        let greeting = tokio::time::timeout(GREETING_LIMIT.0, self.greeting()).await;
        matches!(greeting, Ok(Ok(line)) if line.contains(&name) && line.contains("\"jetstream\":true"))
    }
}
