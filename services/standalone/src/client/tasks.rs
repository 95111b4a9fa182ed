//! `storytovideo tasks …`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::output::{details, field, time};
use super::{Client, Id};
use crate::exit::Failed;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List a project's tasks, in the order they were made.
    List {
        /// The project.
        project: Id,
        /// At most so many.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show a task.
    Show {
        /// The task.
        task: Id,
    },
    /// Stop a task, and all that waits for it.
    Cancel {
        /// The task.
        task: Id,
    },
    /// Queue a failed or cancelled task again.
    Retry {
        /// The task.
        task: Id,
    },
}

pub(super) async fn run(client: &Client, command: Command) -> Result<(), Failed> {
    let connection = &client.connection;
    let task = match command {
        Command::List { project, limit } => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let path = format!("/v1/projects/{project}/tasks");
            let tasks = connection.list(&path, &[], "cursor", limit).await?;
            client.tell_all(&tasks, &["ID", "TYPE", "STATUS", "ATTEMPT", "WORKER", "MESSAGE"], row);
            return Ok(());
        }
        Command::Show { task } => connection.get(&format!("/v1/tasks/{task}"), &[]).await?,
        Command::Cancel { task } => connection.post(&format!("/v1/tasks/{task}/cancel"), json!({})).await?,
        Command::Retry { task } => connection.post(&format!("/v1/tasks/{task}/retry"), json!({})).await?,
    };
    client.tell(&task, show);
    Ok(())
}

fn row(task: &Value) -> Vec<String> {
    let mut cells: Vec<String> = ["id", "type", "status"].map(|name| field(task, name)).into();
    cells.push(attempt(task));
    cells.push(field(task, "worker"));
    cells.push(words(task));
    cells
}

fn attempt(task: &Value) -> String {
    format!("{}/{}", field(task, "attempt"), field(task, "maxAttempts"))
}

/// Why it failed, or what it waits for.
fn words(task: &Value) -> String {
    if task["error"].is_object() { field(&task["error"], "message") } else { field(task, "message") }
}

/// A task, for people.
pub(super) fn show(task: &Value) -> String {
    details(&[
        ("id", field(task, "id")),
        ("project", field(task, "projectId")),
        ("type", field(task, "type")),
        ("status", field(task, "status")),
        ("attempt", attempt(task)),
        ("worker", field(task, "worker")),
        ("message", words(task)),
        ("created", time(task, "createdAt")),
        ("started", time(task, "startedAt")),
        ("finished", time(task, "finishedAt")),
    ])
}
