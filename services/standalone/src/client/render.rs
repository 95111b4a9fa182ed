//! `storytovideo render`: the film as a file.

use std::path::{Path, PathBuf};

use clap::Args;
use domain::settings::{FilmFormat, FrameSize, OnMissing, Quality};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::board::Standing;
use super::output::{details, field, given, plain};
use super::shots::{ShotName, shot_id};
use super::watch::Watched;
use super::{Client, Id};
use crate::cli::clock;
use crate::exit::Failed;

/// Which film, and where to.
#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// The project.
    project: Id,
    /// Where the film goes. [default: film.mp4, or film.webm]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// `preview` (540p, fast) or `final`; the project's own when not given.
    #[arg(long)]
    quality: Option<Quality>,
    /// Frames a second.
    #[arg(long)]
    fps: Option<u32>,
    /// Size: `1920x1080`, whose shape follows from it, or `1080p` in the project's own.
    #[arg(long, value_name = "SIZE")]
    resolution: Option<FrameSize>,
    /// `mp4` or `webm`.
    #[arg(long)]
    format: Option<FilmFormat>,
    /// The shot that the film begins with, by its id or number.
    #[arg(long, value_name = "SHOT")]
    from_shot: Option<ShotName>,
    /// The shot that the film ends with, by its id or number.
    #[arg(long, value_name = "SHOT")]
    to_shot: Option<ShotName>,
    /// The film ends after so many seconds, wherever it is then.
    #[arg(long, value_name = "SECONDS")]
    max_seconds: Option<f64>,
    /// What stands in for a missing picture: card, skip or fail; the project's own when not given.
    #[arg(long)]
    on_missing: Option<OnMissing>,
}

pub(super) async fn run(client: &Client, args: &RenderArgs) -> Result<(), Failed> {
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("film.{}", args.format.unwrap_or(FilmFormat::Mp4))));
    check(&output)?;
    let path = format!("/v1/projects/{}/film", args.project);
    let task = client.connection.post(&path, body(client, args).await?).await?;
    let id = task["id"].as_str().unwrap_or_default();
    let version = until_ended(client, args.project, id).await?;
    let film = client.connection.get(&path, &[("minVersion", version.to_string())]).await?;
    download(client, &format!("{path}/download"), &output).await?;
    let mut answer = film;
    answer["projectId"] = json!(args.project.to_string());
    answer["taskId"] = json!(id);
    answer["file"] = json!(std::path::absolute(&output).unwrap_or(output));
    client.tell(&answer, show);
    Ok(())
}

async fn body(client: &Client, args: &RenderArgs) -> Result<Value, Failed> {
    let mut body = given(json!({
        "quality": args.quality, "resolution": args.resolution, "fps": args.fps, "format": args.format,
        "maxSeconds": args.max_seconds, "onMissing": args.on_missing,
    }));
    for (field, shot) in [("fromShot", &args.from_shot), ("toShot", &args.to_shot)] {
        if let Some(shot) = shot {
            body[field] = json!(shot_id(client, args.project, shot).await?);
        }
    }
    Ok(body)
}

/// Refused before any work is done.
fn check(output: &Path) -> Result<(), Failed> {
    let absolute = std::path::absolute(output)
        .map_err(|error| Failed::Usage(format!("{}: {error}", output.display())))?;
    if absolute.is_dir() || absolute.file_name().is_none() {
        return Err(Failed::Usage(format!("{} is a folder; name a file with --output", output.display())));
    }
    match absolute.parent() {
        Some(folder) if !folder.is_dir() => {
            Err(Failed::Usage(format!("there is no folder {}", folder.display())))
        }
        _ => Ok(()),
    }
}

/// Shows the work until the film's task has ended; answers the version at which it had.
async fn until_ended(client: &Client, project: Id, task: &str) -> Result<u64, Failed> {
    let mut watched = Watched::start(client, project, false).await?;
    loop {
        let seen = watched.board.task(task).map(|task| (task.standing, task.words.clone()));
        let ended = match seen {
            Some((Standing::Finished, _)) => Ok(watched.live.version()),
            Some((Standing::Failed, why)) => Err(Failed::Runtime(format!("the film failed: {why}"))),
            Some((Standing::Cancelled, why)) => {
                Err(Failed::Runtime(format!("the film was cancelled ({why})")))
            }
            Some((Standing::Waiting | Standing::Running, _)) | None => {
                watched.next().await?;
                continue;
            }
        };
        watched.display.finish();
        return ended;
    }
}

/// Written beside and renamed, so that an interrupted download leaves no half film.
async fn download(client: &Client, path: &str, output: &Path) -> Result<(), Failed> {
    let mut beside = output.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = write(client, path, &beside).await;
    let kept = match written {
        Ok(()) => tokio::fs::rename(&beside, output).await.map_err(|error| unwritable(output, &error)),
        Err(failed) => Err(failed),
    };
    if kept.is_err() {
        let _ = tokio::fs::remove_file(&beside).await;
    }
    kept
}

async fn write(client: &Client, path: &str, beside: &Path) -> Result<(), Failed> {
    let mut response = client.connection.open(path, &[]).await?;
    let promised = response.content_length();
    let mut file = tokio::fs::File::create(beside).await.map_err(|error| unwritable(beside, &error))?;
    let mut received: u64 = 0;
    let broken = || Failed::Runtime("the download broke off; the same command tries again".to_owned());
    while let Some(chunk) = response.chunk().await.map_err(|_| broken())? {
        received += chunk.len() as u64;
        file.write_all(&chunk).await.map_err(|error| unwritable(beside, &error))?;
    }
    if promised.is_some_and(|promised| promised != received) {
        return Err(broken());
    }
    file.sync_all().await.map_err(|error| unwritable(beside, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failed {
    Failed::Runtime(format!("{} cannot be written: {error}", path.display()))
}

fn show(film: &Value) -> String {
    let mut pairs = vec![
        ("film", field(film, "file")),
        ("length", clock(film["durationSeconds"].as_f64().unwrap_or(0.0))),
        ("picture", format!("{} × {}", field(film, "width"), field(film, "height"))),
    ];
    let warnings = film["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    pairs.extend(warnings.map(|warning| ("note", plain(warning))));
    details(&pairs)
}
