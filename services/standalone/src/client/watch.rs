//! `storytovideo watch`: how the work on a project goes on.

use clap::Args;
use domain::job::Kind;
use serde_json::Value;

use super::board::{Board, Standing};
use super::display::Display;
use super::live::Live;
use super::output::json_line;
use super::{Client, Id};
use crate::cli::say;
use crate::exit::Failed;

/// What to watch.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The project.
    project: Id,
    /// Go on when nothing is left to do.
    #[arg(long)]
    follow: bool,
}

pub(super) async fn run(client: &Client, args: &WatchArgs) -> Result<(), Failed> {
    let project = args.project;
    let mut watched = Watched::start(client, project, true).await?;
    let outcome = loop {
        if !args.follow && watched.is_over().await? {
            break watched.failures();
        }
        watched.next().await?;
    };
    watched.display.finish();
    match outcome {
        0 => Ok(()),
        1 => Err(Failed::Runtime(format!("a task failed; `storytovideo tasks list {project}` says why"))),
        many => {
            Err(Failed::Runtime(format!("{many} tasks failed; `storytovideo tasks list {project}` says why")))
        }
    }
}

/// A project that is shown while it is worked on.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    client: &'a Client,
    project: Id,
    pub(super) live: Live,
    pub(super) board: Board,
    pub(super) display: Display,
    /// Whether messages are told as they are.
    told_as_json: bool,
}

impl<'a> Watched<'a> {
    /// Watches for the person at the terminal; scripts are told each message if they want to.
    pub(super) async fn start(client: &'a Client, project: Id, tell_scripts: bool) -> Result<Self, Failed> {
        let live = Live::open(&client.connection, project).await?;
        let (board, display) = (Board::default(), Display::default());
        let told_as_json = client.json && tell_scripts;
        let mut watched = Self { client, project, live, board, display, told_as_json };
        while watched.live.version() == 0 {
            watched.next().await?;
        }
        Ok(watched)
    }

    /// Waits for the next message, and shows it.
    pub(super) async fn next(&mut self) -> Result<(), Failed> {
        let message: Value = self.live.next().await?;
        self.board.apply(&message);
        if self.told_as_json {
            say(&json_line(&message));
        } else if !self.client.json {
            self.display.show(&self.board);
        }
        Ok(())
    }

    /// Whether nothing is left to do. What follows on the last task may be on its way still, so the project is asked
    /// for its version. Then others can read what was told here, too.
    async fn is_over(&self) -> Result<bool, Failed> {
        if !self.board.is_settled() {
            return Ok(false);
        }
        let told = self.live.version();
        let (path, query) = (format!("/v1/projects/{}", self.project), [("minVersion", told.to_string())]);
        let project = self.client.connection.get(&path, &query).await?;
        Ok(project["version"].as_u64().unwrap_or(0) <= told)
    }

    /// How many tasks have failed since the stream was opened.
    fn failures(&self) -> usize {
        let tasks = Kind::ALL.into_iter().flat_map(|kind| self.board.of_kind(kind));
        tasks.filter(|task| task.standing == Standing::Failed && !task.since_before).count()
    }
}
