//! `storytovideo history`.

use clap::Args;
use serde_json::Value;

use super::output::{field, time};
use super::{Client, Id};
use crate::exit::Failed;

/// What of a history to show.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The project.
    project: Id,
    /// Only what happened after this version.
    #[arg(long, value_name = "N")]
    after: Option<u64>,
    /// At most so many events.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// In plain words of this language.
    #[arg(long, value_name = "LANGUAGE", value_parser = ["en", "zh"])]
    describe: Option<String>,
}

pub(super) async fn run(client: &Client, args: &HistoryArgs) -> Result<(), Failed> {
    let path = format!("/v1/projects/{}/history", args.project);
    let after = args.after.map(|after| ("after", after.to_string()));
    let describe = args.describe.clone().map(|language| ("describe", language));
    let query: Vec<_> = after.into_iter().chain(describe).collect();
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let events = client.connection.list(&path, &query, "after", limit).await?;
    client.tell_all(&events, &["VERSION", "AT", "WHAT", "WHO"], row);
    Ok(())
}

fn row(event: &Value) -> Vec<String> {
    let what = if event["sentence"].is_string() { "sentence" } else { "type" };
    vec![field(event, "version"), time(event, "recordedAt"), field(event, what), field(event, "actor")]
}
