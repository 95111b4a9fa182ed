//! `storytovideo replay`: makes read tables again from the log while the server goes on.

use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use infra::postgres::projection::TABLES;
use infra::postgres::replay::{Replay, Step};
use uuid::Uuid;

use crate::audit::connect;
use crate::cli::{ReplayArgs, say, say_to_stderr};
use crate::exit::Failed;
use crate::roles::interrupted;

/// How often the switch is tried while the server is too busy for it.
const SWITCHES: u32 = 60;
const BETWEEN_SWITCHES: Duration = Duration::from_millis(500);

/// Rebuilds and switches; interrupted before the switch, everything is as it was.
pub(crate) async fn run(args: &ReplayArgs) -> Result<ExitCode, Failed> {
    let all = args.tables.iter().any(|table| table == "all");
    let wanted = |table: &&str| all || args.tables.iter().any(|named| named == table);
    let tables: Vec<&str> = TABLES.into_iter().filter(wanted).collect();
    let pool = connect(&args.log)?;
    let begun = Replay::begin(pool, Uuid::new_v4()).await.map_err(Failed::because)?;
    let busy = || Failed::Runtime("another replay is under way; it must end first".to_owned());
    let mut replay = begun.ok_or_else(busy)?;
    let outcome = tokio::select! {
        outcome = rebuild(&mut replay, &tables) => outcome,
        () = interrupted() => Err(Failed::Interrupted),
    };
    let cleared = replay.end().await.map_err(Failed::because);
    let events = outcome?;
    cleared?;
    say(&format!("{} made again from {events} events", tables.join(", ")));
    Ok(ExitCode::SUCCESS)
}

async fn rebuild(replay: &mut Replay, tables: &[&str]) -> Result<u64, Failed> {
    let progress = Progress::new(replay.events().await.map_err(Failed::because)?);
    let mut tries = 0;
    loop {
        match replay.step().await.map_err(Failed::because)? {
            Step::Applied(events) => progress.applied(events),
            Step::CaughtUp if replay.switch(tables).await.map_err(Failed::because)? => {
                return Ok(progress.finish());
            }
            Step::CaughtUp if tries >= SWITCHES => {
                let why = "the server is too busy for the switch; nothing is changed, try again later";
                return Err(Failed::Runtime(why.to_owned()));
            }
            Step::CaughtUp => {
                tries += 1;
                tokio::time::sleep(BETWEEN_SWITCHES).await;
            }
        }
    }
}

/// A bar on a terminal; elsewhere a line now and then.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new(events: u64) -> Self {
        let bar = ProgressBar::new(events);
        let style =
            ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} events  {per_sec}  {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        if bar.is_hidden() {
            say_to_stderr(&format!("{events} events to replay"));
        }
        Self { bar }
    }

    fn applied(&self, events: usize) {
        let reached = self.bar.position() + u64::try_from(events).unwrap_or(0);
        // The log grows meanwhile.
        self.bar.set_length(self.bar.length().unwrap_or(0).max(reached));
        self.bar.set_position(reached);
        if self.bar.is_hidden() {
            say_to_stderr(&format!("{reached} events replayed"));
        }
    }

    fn finish(self) -> u64 {
        let events = self.bar.position();
        self.bar.finish_and_clear();
        events
    }
}
