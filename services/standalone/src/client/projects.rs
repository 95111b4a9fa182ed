//! `storytovideo projects …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::output::{details, field, time};
use super::{Client, Id, shots};
use crate::cli::{clock, say};
use crate::exit::Failed;
use crate::film::Story;

/// What a list can be in the order of.
const ORDERS: [&str; 6] = ["createdAt", "-createdAt", "updatedAt", "-updatedAt", "title", "-title"];

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List projects, newest first unless another order is asked for.
    List {
        /// Times newest first, titles from A to Z; with a `-` the other way round.
        #[arg(long, value_name = "ORDER", allow_hyphen_values = true, default_value = "createdAt", value_parser = ORDERS)]
        sort: String,
        /// Only those with this in their title or story.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Only those that stand there; `deleted` lists the trash.
        #[arg(long, value_parser = ["created", "storyboard", "generating", "ready", "failed", "deleted"])]
        status: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Start a project.
    Create {
        /// The story, a UTF-8 text file; `-` reads it from standard input.
        #[arg(value_name = "STORY|-")]
        story: PathBuf,
        /// Number of shots, 1 to 200; the storyboard decides when not given.
        #[arg(long, value_name = "N")]
        shots: Option<u32>,
        #[command(flatten)]
        words: Words,
    },
    /// Show a project with its shots.
    Show {
        /// The project.
        project: Id,
        /// As it was after so many events.
        #[arg(long, value_name = "N")]
        at_version: Option<u64>,
    },
    /// Edit a project's own fields.
    Edit {
        /// The project.
        project: Id,
        /// A new story, a UTF-8 text file; `-` reads it from standard input.
        #[arg(long, value_name = "STORY|-")]
        story: Option<PathBuf>,
        #[command(flatten)]
        words: Words,
    },
    /// Put a project into the trash.
    Delete {
        /// The project.
        project: Id,
    },
    /// Take a project out of the trash.
    Undelete {
        /// The project.
        project: Id,
    },
    /// Give projects in the trash up for good; media that no other project names is freed.
    Purge {
        /// The projects.
        #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "PROJECT")]
        projects: Vec<Id>,
        /// Everything in the trash.
        #[arg(long)]
        all: bool,
    },
    /// Go back to an earlier version, by appending to the history.
    Restore {
        /// The project.
        project: Id,
        /// The version.
        #[arg(long, value_name = "N")]
        version: u64,
    },
    /// Start another project from a version of this one, with the same pictures and voices.
    Fork {
        /// The project.
        project: Id,
        /// The version.
        #[arg(long, value_name = "N")]
        version: u64,
    },
}

/// What can be said of a project.
#[derive(Debug, Args)]
pub(crate) struct Words {
    /// Title.
    #[arg(long)]
    title: Option<String>,
    /// Description.
    #[arg(long)]
    description: Option<String>,
    /// Style, free text.
    #[arg(long)]
    style: Option<String>,
    /// A setting, for example `aspect=9:16`, `autoRender=true` or `fps=30`; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, Value)>,
}

/// A value that is JSON is that; anything else is a text.
fn setting(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}

impl Words {
    /// As the API takes it.
    fn into_body(self) -> Map<String, Value> {
        let mut body = Map::new();
        for (name, text) in [("title", self.title), ("description", self.description), ("style", self.style)]
        {
            body.extend(text.map(|text| (name.to_owned(), Value::String(text))));
        }
        if !self.settings.is_empty() {
            body.insert("settings".to_owned(), self.settings.into_iter().collect());
        }
        body
    }
}

pub(super) async fn run(client: &Client, command: Command) -> Result<(), Failed> {
    let connection = &client.connection;
    let project = match command {
        Command::List { sort, search, status, limit } => {
            let words = [("sort", Some(sort)), ("q", search), ("status", status)];
            return list(client, words, limit).await;
        }
        Command::Delete { project } => return delete(client, project).await,
        Command::Purge { projects, all } => return purge(client, projects, all).await,
        Command::Create { story, shots, words } => {
            let mut body = words.into_body();
            body.insert("story".to_owned(), json!(Story::read(&story).await?.text));
            body.extend(shots.map(|shots| ("shotCount".to_owned(), json!(shots))));
            connection.post("/v1/projects", Value::Object(body)).await?
        }
        Command::Show { project, at_version } => {
            let query = at_version.map(|version| ("atVersion", version.to_string()));
            connection.get(&format!("/v1/projects/{project}"), query.as_slice()).await?
        }
        Command::Edit { project, story, words } => {
            let mut body = words.into_body();
            if let Some(story) = story {
                body.insert("story".to_owned(), json!(Story::read(&story).await?.text));
            }
            if body.is_empty() {
                return Err(Failed::Usage("say what to change; --help lists what can be".to_owned()));
            }
            connection.patch(&format!("/v1/projects/{project}"), Value::Object(body)).await?
        }
        Command::Undelete { project } => {
            connection.post(&format!("/v1/projects/{project}/undelete"), json!({})).await?
        }
        Command::Restore { project, version } => {
            let path = format!("/v1/projects/{project}/restore");
            connection.post(&path, json!({ "version": version })).await?
        }
        Command::Fork { project, version } => {
            let path = format!("/v1/projects/{project}/fork");
            connection.post(&path, json!({ "version": version })).await?
        }
    };
    client.tell(&project, show);
    Ok(())
}

async fn list(client: &Client, words: [(&'static str, Option<String>); 3], limit: u32) -> Result<(), Failed> {
    let query: Vec<_> = words.into_iter().filter_map(|(name, word)| Some((name, word?))).collect();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let projects = client.connection.list("/v1/projects", &query, "cursor", limit).await?;
    client.tell_all(&projects, &["ID", "TITLE", "STATUS", "DONE", "CREATED"], |project| {
        vec![
            field(project, "id"),
            field(project, "title"),
            field(project, "status"),
            format!("{} %", field(&project["progress"], "percent")),
            time(project, "createdAt"),
        ]
    });
    Ok(())
}

async fn delete(client: &Client, project: Id) -> Result<(), Failed> {
    let answer = client.connection.delete(&format!("/v1/projects/{project}")).await?;
    if client.json {
        client.tell(&answer, |_| String::new());
    } else {
        say(&format!("{project} is in the trash; `storytovideo projects undelete` brings it back."));
    }
    Ok(())
}

async fn purge(client: &Client, projects: Vec<Id>, all: bool) -> Result<(), Failed> {
    let mut projects: Vec<String> = projects.iter().map(ToString::to_string).collect();
    if all {
        let deleted = [("status", "deleted".to_owned())];
        let trash = client.connection.list("/v1/projects", &deleted, "cursor", usize::MAX).await?;
        projects.extend(trash.iter().map(|project| field(project, "id")));
    }
    if projects.is_empty() && !client.json {
        say("The trash is empty.");
    }
    for project in projects {
        let answer = client.connection.post(&format!("/v1/projects/{project}/purge"), json!({})).await?;
        client.tell(&answer, |_| format!("{project} is given up for good; its history stays for audits."));
    }
    Ok(())
}

fn show(project: &Value) -> String {
    let progress = &project["progress"];
    let mut pairs = vec![
        ("id", field(project, "id")),
        ("title", field(project, "title")),
        ("version", field(project, "version")),
        ("status", field(project, "status")),
        ("progress", how_far(progress)),
        ("cost", cost(project)),
        ("style", field(project, "style")),
        ("created", time(project, "createdAt")),
        ("updated", time(project, "updatedAt")),
    ];
    if project["film"].is_object() {
        pairs.push(("film", field(&project["film"], "url")));
    }
    pairs.retain(|(_, value)| !value.is_empty());
    match project["shots"].as_array() {
        Some(shots) if !shots.is_empty() => format!("{}\n\n{}", details(&pairs), shots::table_of(shots)),
        _ => details(&pairs),
    }
}

fn how_far(progress: &Value) -> String {
    let percent = format!("{} %", field(progress, "percent"));
    match progress["etaSeconds"].as_f64() {
        Some(seconds) => format!("{percent}, about {} left", clock(seconds)),
        None => percent,
    }
}

/// Empty for what costs nothing and has no budget.
fn cost(project: &Value) -> String {
    let cost = project["cost"].as_f64().unwrap_or_default();
    match project["settings"]["budget"].as_f64() {
        Some(budget) => format!("{cost:.2} of {budget:.2}"),
        None if cost > 0.0 => format!("{cost:.2}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_project_costs_and_how_long_it_takes_is_shown_where_it_is_known() {
        let shown = show(&json!({
            "id": "1", "progress": { "percent": 60, "etaSeconds": 124.6 }, "cost": 0.5, "settings": { "budget": 1.0 },
        }));
        assert!(shown.contains("60 %, about 2:05 left"), "{shown}");
        assert!(shown.contains("0.50 of 1.00"), "{shown}");
        let shown =
            show(&json!({ "id": "1", "progress": { "percent": 60, "etaSeconds": null }, "cost": 0.0 }));
        assert!(!shown.contains("left") && !shown.contains("cost"), "{shown}");
    }
}
