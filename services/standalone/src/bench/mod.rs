//! `storytovideo bench`: what this machine does with the whole system, in numbers that can be compared. It
//! starts what it needs on data folders of its own, and removes them.

mod audience;
mod bare;
mod broadcast;
mod idle;
mod inserts;
mod latency;
mod load;
mod makespan;
mod process;
mod reads;
mod replay;
mod report;
mod server;
mod statistics;
mod steps;
mod story;
mod streams;
mod surface;

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::time::Duration;

use domain::job::Kind;
use infra::runtime::{LogTo, init_logging};
use tempfile::TempDir;
use worker::providers::bench::Sleeping;

use crate::cli::{Globals, say, say_to_stderr};
use crate::descriptors;
use crate::exit::Failed;
use crate::roles::interrupted;
use crate::stack::{Servers, Shared, Stack, Surroundings};
use crate::tools::Places;
use report::{Measured, Report};

/// What a person waits for at most in one part, before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures everything and tells it: a table for people, or one line of JSON.
pub(crate) async fn run(json: bool, globals: &Globals) -> Result<(), Failed> {
    refuse_external_servers()?;
    descriptors::raise_limit();
    let folder = bench_folder()?;
    let log = LogTo::File(folder.path().join("bench.log"));
    init_logging(&log, &globals.log).map_err(Failed::because)?;
    let report = tokio::select! {
        report = measure(folder.path()) => report?,
        () = interrupted() => return Err(Failed::Interrupted),
    };
    say(&if json { serde_json::to_string(&report).map_err(Failed::because)? } else { report.to_table() });
    Ok(())
}

/// The clients of one part, in the process that it starts for them.
pub(crate) async fn listen() -> Result<(), Failed> {
    audience::listen().await
}

/// It fills and empties tables, so it never touches a database that somebody else may use.
fn refuse_external_servers() -> Result<(), Failed> {
    let named = ["STORYTOVIDEO_DATABASE_URL", "STORYTOVIDEO_NATS_URL"].map(env::var_os);
    if named.iter().any(Option::is_some) {
        let message = "bench fills and empties tables, so it uses servers of its own: unset STORYTOVIDEO_DATABASE_URL and STORYTOVIDEO_NATS_URL";
        return Err(Failed::Usage(message.to_owned()));
    }
    Ok(())
}

/// Beside the folder that `film` and `up` use by default, so that it measures the same disk: a folder for
/// temporary files may be memory, where a commit costs nothing.
fn bench_folder() -> Result<TempDir, Failed> {
    tempfile::Builder::new()
        .prefix(".storytovideo-bench-")
        .tempdir_in(".")
        .map_err(|error| Failed::Usage(format!("no folder can be made here: {error}")))
}

async fn measure(folder: &Path) -> Result<Report, Failed> {
    progress("Starting");
    let servers = start_servers(&folder.join("commands")).await?;
    let shared =
        Shared::connect(&servers.database_url, &servers.nats_url, &servers.media, "storytovideo").await?;
    let rates = inserts::measure(&shared, &servers.database_url).await?;
    let load = load::measure(&shared).await?;
    shared.store.close().await;
    servers.stop().await?;

    // No slot for storyboards: the jobs are ours.
    let stack = start(&folder.join("latency"), Sleeping::default(), &[Kind::Film]).await?;
    let latency = latency::measure(&stack.shared).await?;
    stack.stop().await?;

    let stack = start(&folder.join("makespan"), makespan::provider(), &Kind::ALL).await?;
    let makespan = makespan::measure(&stack.shared).await?;
    stack.stop().await?;

    let stack = start(&folder.join("steps"), Sleeping::default(), &Kind::ALL).await?;
    let steps = steps::measure(&stack.shared).await?;
    let replay = replay::measure(stack).await?;

    let stack = start(&folder.join("surface"), Sleeping::default(), &Kind::ALL).await?;
    let surface = surface::measure(stack, folder).await?;
    let idle = idle::measure(&folder.join("idle")).await?;
    Ok(Report::of(Measured { rates, load, latency, makespan, steps, replay, surface, idle }))
}

async fn start_servers(data: &Path) -> Result<Servers, Failed> {
    Servers::start(data, Surroundings::alone(Places::from_environment()), &[], &progress).await
}

/// The whole system but the API, with room for all jobs of one project at once.
async fn start(data: &Path, provider: Sleeping, kinds: &[Kind]) -> Result<Stack, Failed> {
    let slots: BTreeMap<Kind, u32> = kinds.iter().map(|kind| (*kind, story::SHOTS)).collect();
    Stack::on(start_servers(data).await?, provider, slots).await
}

/// Tells the person who waits what is going on.
fn progress(line: &str) {
    say_to_stderr(line);
}

/// Gives up when a part takes far too long.
async fn in_time<T>(part: &str, work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let late =
        |_| Failed::Runtime(format!("{part} took more than {} s; the bench gave up", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}
