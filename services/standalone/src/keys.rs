//! `storytovideo keys`: API keys are made, listed and revoked in the database itself, as only whoever runs
//! the server may.

use std::path::PathBuf;

use api::{NewKey, Role, is_sane_subject};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use infra::postgres::access::{self, ApiKeyRow};
use infra::postgres::{self, PgPool};
use infra::runtime::Clock;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::{Globals, say, say_to_stderr};
use crate::client::table;
use crate::exit::Failed;
use crate::stack::{Servers, Surroundings};
use crate::supervise;

/// Longest label, in characters.
const LABEL_LIMIT: usize = 200;

/// `storytovideo keys`.
#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
    /// The data folder whose server the keys are for.
    #[arg(
        long,
        env = "STORYTOVIDEO_DATA",
        default_value = ".storytovideo",
        global = true,
        value_name = "DIR"
    )]
    data: PathBuf,
    /// The database, where it is not the data folder's own.
    #[arg(long, env = "STORYTOVIDEO_DATABASE_URL", hide_env_values = true, global = true)]
    database_url: Option<String>,
    /// Answer with JSON: one object, or one a line.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key, and show it: this once.
    Create {
        /// Whom it stands for; projects that are started with it are theirs.
        #[arg(long, value_name = "NAME")]
        owner: String,
        /// What it allows: viewer, editor or admin.
        #[arg(long, default_value_t = Role::Editor)]
        role: Role,
        /// What it is for.
        #[arg(long, default_value = "", value_name = "WORDS")]
        label: String,
    },
    /// List all keys, without their secrets.
    List,
    /// End a key, and with it its sessions.
    Revoke {
        /// The id that `list` shows, or the key itself.
        #[arg(value_name = "ID")]
        key: String,
    },
}

/// Does what is asked, on the database of a running server or of one that is started for it.
pub(crate) async fn run(args: KeysArgs, globals: &Globals) -> Result<(), Failed> {
    let KeysArgs { command, data, database_url, json } = args;
    command.check()?;
    let whose = std::path::absolute(&data).unwrap_or_else(|_| data.clone()).display().to_string();
    let makes = matches!(command, KeysCommand::Create { .. });
    if database_url.is_none() && !makes && !data.exists() {
        return Err(Failed::Usage(format!("there is no data folder {whose}; name the server's with --data")));
    }
    let running = match database_url {
        Some(url) => Some(url),
        None => supervise::running_database(&data)?,
    };
    if let Some(url) = running {
        return on(&url, command, json).await;
    }
    say_to_stderr(&format!("No server runs on {whose}; its keys are changed there."));
    let alone = Surroundings::alone(globals.places());
    let servers = Servers::start(&data, alone, &[], &|line| say_to_stderr(line)).await?;
    let done = on(&servers.database_url, command, json).await;
    let stopped = servers.stop().await;
    done.and(stopped)
}

async fn on(url: &str, command: KeysCommand, json: bool) -> Result<(), Failed> {
    let pool = postgres::connect(url, 1, "storytovideo-keys");
    let pool = pool.map_err(|error| Failed::Usage(error.to_string()))?;
    postgres::migrate(&pool).await.map_err(Failed::because)?;
    let done = match command {
        KeysCommand::Create { owner, role, label } => create(&pool, &owner, role, &label, json).await,
        KeysCommand::List => list(&pool, json).await,
        KeysCommand::Revoke { key } => revoke(&pool, &key, json).await,
    };
    pool.close().await;
    done
}

impl KeysCommand {
    /// Refuses what makes no sense before a server is started for it.
    fn check(&self) -> Result<(), Failed> {
        match self {
            Self::Create { owner, .. } if !is_sane_subject(owner) => {
                Err(Failed::Usage("--owner must be 1 to 255 bytes, without control characters".to_owned()))
            }
            Self::Create { label, .. } if label.chars().count() > LABEL_LIMIT || has_control(label) => {
                Err(Failed::Usage(format!("--label must be at most {LABEL_LIMIT} plain characters")))
            }
            Self::Revoke { key } => id_of(key).map(drop),
            Self::Create { .. } | Self::List => Ok(()),
        }
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

async fn create(pool: &PgPool, owner: &str, role: Role, label: &str, json: bool) -> Result<(), Failed> {
    let key = NewKey::new(label, owner, role, Clock::System.now());
    access::insert_key(pool, &key.row).await.map_err(Failed::because)?;
    if json {
        let mut told = told(&key.row);
        told["key"] = Value::from(key.text);
        say(&told.to_string());
    } else {
        say_to_stderr("This key is shown this once; keep it:");
        say(&key.text);
    }
    Ok(())
}

async fn list(pool: &PgPool, json: bool) -> Result<(), Failed> {
    let keys = access::keys(pool).await.map_err(Failed::because)?;
    if json {
        keys.iter().for_each(|key| say(&told(key).to_string()));
        return Ok(());
    }
    if keys.is_empty() {
        say("Nothing there.");
        return Ok(());
    }
    let row = |key: &ApiKeyRow| {
        let state = if key.revoked_at.is_some() { "revoked" } else { "active" };
        let day = key.created_at.format("%Y-%m-%d").to_string();
        let words = [state, &key.role, &day, &key.subject, &key.label].map(str::to_owned);
        [vec![key.id.to_string()], words.to_vec()].concat()
    };
    let rows: Vec<Vec<String>> = keys.iter().map(row).collect();
    say(&table(&["ID", "STATE", "ROLE", "CREATED", "OWNER", "LABEL"], &rows));
    Ok(())
}

fn told(key: &ApiKeyRow) -> Value {
    json!({
        "id": key.id, "label": key.label, "owner": key.subject, "role": key.role,
        "createdAt": millis(key.created_at), "revokedAt": key.revoked_at.map(millis),
    })
}

/// A time as the API writes it.
fn millis(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

async fn revoke(pool: &PgPool, key: &str, json: bool) -> Result<(), Failed> {
    let (id, now) = (id_of(key)?, Clock::System.now());
    let known = access::revoke_key(pool, id, now).await.map_err(Failed::because)?;
    if !known {
        return Err(Failed::Usage(format!("there is no key {id}; `storytovideo keys list` shows them")));
    }
    if json {
        say(&json!({ "id": id, "revoked": true }).to_string());
    } else {
        say(&format!("{id} opens nothing any more."));
    }
    Ok(())
}

/// The id in a key, or by itself.
fn id_of(key: &str) -> Result<Uuid, Failed> {
    let id = key.strip_prefix("stv_").and_then(|rest| rest.split('_').next()).unwrap_or(key);
    let unknown =
        || Failed::Usage("the id of a key is needed; `storytovideo keys list` shows them".to_owned());
    Uuid::try_parse(id).map_err(|_| unknown())
}
