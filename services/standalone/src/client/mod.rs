//! The commands that ask a running server: for people, with tables and progress bars, and for scripts, with
//! one JSON object a line.

mod board;
mod connection;
mod display;
mod history;
mod live;
mod output;
mod projects;
mod render;
mod shots;
mod tasks;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt;
use std::str::FromStr;

use clap::{Args, Subcommand};
use serde_json::Value;
use uuid::Uuid;

use crate::cli::say;
use crate::exit::Failed;
use crate::roles::interrupted;
use connection::Connection;

pub(crate) use output::table;

/// What a running server can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Projects of a running server.
    Projects {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        command: projects::Command,
    },
    /// Shots of a project.
    Shots {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        command: shots::Command,
    },
    /// Tasks of a project.
    Tasks {
        #[command(flatten)]
        remote: Remote,
        #[command(subcommand)]
        command: tasks::Command,
    },
    /// Everything that happened to a project.
    History {
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        args: history::HistoryArgs,
    },
    /// Show how the work on a project goes on, until nothing is left to do.
    Watch {
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        args: watch::WatchArgs,
    },
    /// Render a project's film, wait for it, and download it.
    Render {
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        args: render::RenderArgs,
    },
}

/// Which server, as whom, and how to answer.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Remote {
    /// The server.
    #[arg(
        long,
        global = true,
        env = "STORYTOVIDEO_SERVER",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    server: String,
    /// An API key, or a token.
    #[arg(long, global = true, env = "STORYTOVIDEO_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,
    /// Answer with JSON: one object, or one a line.
    #[arg(long, global = true)]
    json: bool,
}

/// The id of a project or task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id(Uuid);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Id {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        text.parse().map(Self).map_err(|_| "it is named by its id, which `list` shows")
    }
}

/// What every command works with.
#[derive(Debug)]
struct Client {
    connection: Connection,
    json: bool,
}

impl Client {
    fn new(remote: &Remote) -> Result<Self, Failed> {
        Ok(Self {
            connection: Connection::new(&remote.server, remote.api_key.as_deref())?,
            json: remote.json,
        })
    }

    /// Answers with one object: as it is, or as `shape` shows it to people.
    fn tell(&self, value: &Value, shape: impl FnOnce(&Value) -> String) {
        say(&if self.json { output::json_line(value) } else { shape(value) });
    }

    /// Answers with a list: an object a line, or a table.
    fn tell_all(&self, values: &[Value], heads: &[&str], row: impl Fn(&Value) -> Vec<String>) {
        if self.json {
            values.iter().for_each(|value| say(&output::json_line(value)));
        } else if values.is_empty() {
            say("Nothing there.");
        } else {
            say(&output::table(heads, &values.iter().map(row).collect::<Vec<_>>()));
        }
    }
}

/// Does what the command says, unless it is interrupted.
pub(crate) async fn run(command: Command) -> Result<(), Failed> {
    tokio::select! {
        done = Box::pin(ask(command)) => done,
        () = interrupted() => Err(Failed::Interrupted),
    }
}

async fn ask(command: Command) -> Result<(), Failed> {
    match command {
        Command::Projects { remote, command } => projects::run(&Client::new(&remote)?, command).await,
        Command::Shots { remote, command } => shots::run(&Client::new(&remote)?, command).await,
        Command::Tasks { remote, command } => tasks::run(&Client::new(&remote)?, command).await,
        Command::History { remote, args } => history::run(&Client::new(&remote)?, &args).await,
        Command::Watch { remote, args } => watch::run(&Client::new(&remote)?, &args).await,
        Command::Render { remote, args } => render::run(&Client::new(&remote)?, &args).await,
    }
}
