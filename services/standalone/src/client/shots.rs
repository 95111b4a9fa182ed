//! `storytovideo shots …`.

use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use domain::settings::{Mood, Transition};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::output::{details, field, given, table};
use super::{Client, Id, tasks};
use crate::exit::Failed;

/// More shots than a project can have.
const ALL: usize = 1_000;
const HEADS: [&str; 6] = ["#", "ID", "STATUS", "STALE", "TITLE", "NARRATION"];

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List a project's shots.
    List {
        /// The project.
        project: Id,
    },
    /// Show a shot.
    Show {
        /// The project.
        project: Id,
        /// The shot, by id or number.
        shot: ShotName,
    },
    /// Edit a shot; what that outdates is made again.
    Edit {
        /// The project.
        project: Id,
        /// The shot, by id or number.
        shot: ShotName,
        #[command(flatten)]
        changes: Box<Changes>,
    },
    /// Make a shot's picture, clip or voice again.
    Regenerate {
        /// The project.
        project: Id,
        /// The shot, by id or number.
        shot: ShotName,
        /// What to make again.
        #[arg(long, value_enum, default_value_t = Made::Image)]
        kind: Made,
        #[command(flatten)]
        how: How,
    },
}

/// A shot by its id, or by its place in the film from 1.
#[derive(Debug, Clone)]
pub(crate) enum ShotName {
    Id(Uuid),
    Number(u64),
}

impl FromStr for ShotName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match (text.parse(), text.parse()) {
            (Ok(number), _) => Ok(Self::Number(number)),
            (_, Ok(id)) => Ok(Self::Id(id)),
            _ => Err("a shot is named by its id, or by its number in the film".to_owned()),
        }
    }
}

/// What is made of a shot; the word in the address.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Made {
    Image,
    Video,
    Narration,
}

impl Made {
    fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Narration => "narration",
        }
    }
}

/// What can be changed of a shot.
#[derive(Debug, Args)]
pub(crate) struct Changes {
    /// Title.
    #[arg(long)]
    title: Option<String>,
    /// What the picture shows.
    #[arg(long)]
    prompt: Option<String>,
    /// What the picture must not show.
    #[arg(long)]
    negative_prompt: Option<String>,
    /// What is said.
    #[arg(long)]
    narration: Option<String>,
    /// Its feeling: calm, tense or bright.
    #[arg(long)]
    mood: Option<Mood>,
    /// How it passes into the next one: cut, fade, crossfade, dissolve, wipe_left or slide_left.
    #[arg(long)]
    transition: Option<Transition>,
    /// Minimum length in seconds.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// Nothing makes it again from now on.
    #[arg(long, conflicts_with = "unlock")]
    lock: bool,
    /// It can be made again.
    #[arg(long)]
    unlock: bool,
    /// Only mark what is outdated.
    #[arg(long)]
    no_generate: bool,
}

impl Changes {
    /// Refuses to change nothing.
    fn into_body(self) -> Result<Value, Failed> {
        let mut body = given(json!({
            "title": self.title, "prompt": self.prompt, "negativePrompt": self.negative_prompt,
            "narration": self.narration, "mood": self.mood, "transition": self.transition,
            "duration": self.duration, "locked": (self.lock || self.unlock).then_some(self.lock),
        }));
        if body.as_object().is_none_or(Map::is_empty) {
            return Err(Failed::Usage("say what to change; --help lists what can be".to_owned()));
        }
        if self.no_generate {
            body["generate"] = json!(false);
        }
        Ok(body)
    }
}

/// How to make it; what is not given is as before.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// Model, by the provider's name for it.
    #[arg(long)]
    model: Option<String>,
    /// Seed of a picture or clip.
    #[arg(long)]
    seed: Option<u32>,
    /// Steps of a picture or clip.
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// How closely a picture or clip follows its prompt.
    #[arg(long, value_name = "SCALE")]
    cfg_scale: Option<f64>,
    /// Frames a second of a clip.
    #[arg(long)]
    fps: Option<u32>,
    /// Length of a clip in seconds.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// How many pictures or clips to choose from, 1 to 4.
    #[arg(long, value_name = "N")]
    candidates: Option<u32>,
    /// Voice, by the provider's name for it.
    #[arg(long)]
    voice: Option<String>,
    /// Speed of a voice, 1 being its own.
    #[arg(long)]
    speed: Option<f64>,
}

impl How {
    fn into_body(self) -> Value {
        given(json!({
            "model": self.model, "seed": self.seed, "steps": self.steps, "cfgScale": self.cfg_scale,
            "fps": self.fps, "duration": self.duration, "candidates": self.candidates,
            "voice": self.voice, "speed": self.speed,
        }))
    }
}

pub(super) async fn run(client: &Client, command: Command) -> Result<(), Failed> {
    let connection = &client.connection;
    match command {
        Command::List { project } => {
            let shots = all(client, project).await?;
            client.tell_all(&shots, &HEADS, row);
        }
        Command::Show { project, shot } => {
            let shot = path(client, project, &shot).await?;
            client.tell(&connection.get(&shot, &[]).await?, show);
        }
        Command::Edit { project, shot, changes } => {
            let body = changes.into_body()?;
            let shot = path(client, project, &shot).await?;
            client.tell(&connection.patch(&shot, body).await?, show);
        }
        Command::Regenerate { project, shot, kind, how } => {
            let shot = path(client, project, &shot).await?;
            let task = connection.post(&format!("{shot}/{}", kind.word()), how.into_body()).await?;
            client.tell(&task, tasks::show);
        }
    }
    Ok(())
}

async fn all(client: &Client, project: Id) -> Result<Vec<Value>, Failed> {
    client.connection.list(&format!("/v1/projects/{project}/shots"), &[], "cursor", ALL).await
}

/// Where a shot is.
async fn path(client: &Client, project: Id, shot: &ShotName) -> Result<String, Failed> {
    let id = shot_id(client, project, shot).await?;
    Ok(format!("/v1/projects/{project}/shots/{id}"))
}

/// The id of a shot, which a number is exchanged for.
pub(super) async fn shot_id(client: &Client, project: Id, shot: &ShotName) -> Result<Uuid, Failed> {
    match shot {
        ShotName::Id(id) => Ok(*id),
        ShotName::Number(number) => {
            let shots = all(client, project).await?;
            let found = shots.iter().find(|shot| shot["order"].as_u64() == Some(*number));
            let id = found.and_then(|shot| shot["id"].as_str()?.parse().ok());
            id.ok_or_else(|| {
                Failed::Runtime(format!("the project has no shot {number}; it has {}", shots.len()))
            })
        }
    }
}

/// The shots of a project, for people.
pub(super) fn table_of(shots: &[Value]) -> String {
    table(&HEADS, &shots.iter().map(row).collect::<Vec<_>>())
}

fn row(shot: &Value) -> Vec<String> {
    let mut cells: Vec<String> = ["order", "id", "status"].map(|name| field(shot, name)).into();
    cells.push(stale(shot));
    cells.extend(["title", "narration"].map(|name| field(shot, name)));
    cells
}

fn stale(shot: &Value) -> String {
    let stale = ["image", "video", "narration"].into_iter().filter(|name| shot["stale"][name] == true);
    let stale: Vec<&str> = stale.collect();
    if stale.is_empty() { "–".to_owned() } else { stale.join(", ") }
}

fn show(shot: &Value) -> String {
    let take = |name: &str| field(&shot[name], "url");
    details(&[
        ("id", field(shot, "id")),
        ("number", field(shot, "order")),
        ("status", field(shot, "status")),
        ("stale", stale(shot)),
        ("locked", field(shot, "locked")),
        ("title", field(shot, "title")),
        ("prompt", field(shot, "prompt")),
        ("narration", field(shot, "narration")),
        ("mood", field(shot, "mood")),
        ("picture", take("image")),
        ("clip", take("video")),
        ("voice", take("voice")),
    ])
}
