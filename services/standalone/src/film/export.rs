//! The film's files beside the story, and the last word of the command.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use domain::asset::AssetKey;
use domain::job::Kind;
use infra::postgres::views::tasks::TaskRow;
use serde_json::json;

use super::MadeFilm;
use super::progress::STAGES;
use crate::cli::{FilmArgs, clock, say};
use crate::exit::Failed;
use crate::stack::Shared;

/// Where the film goes.
#[derive(Debug)]
pub(super) struct Target {
    mp4: PathBuf,
}

/// The files that were written, absolute.
#[derive(Debug)]
pub(super) struct Files {
    mp4: PathBuf,
    srt: PathBuf,
    vtt: PathBuf,
}

impl Target {
    /// `--output`, else the story's name with `.mp4` in this folder. Checked before any work is done.
    pub(super) fn new(args: &FilmArgs) -> Result<Self, Failed> {
        let mp4 = match &args.output {
            Some(output) => output.clone(),
            None => default_output(&args.story),
        };
        let mp4 = std::path::absolute(&mp4)
            .map_err(|error| Failed::Usage(format!("{}: {error}", mp4.display())))?;
        let folder = mp4.parent().unwrap_or(Path::new("/"));
        if mp4.is_dir() || mp4.file_stem().is_none() {
            return Err(Failed::Usage(format!("{} is a folder; name a file with --output", mp4.display())));
        }
        if !folder.is_dir() {
            return Err(Failed::Usage(format!("there is no folder {}", folder.display())));
        }
        Ok(Self { mp4 })
    }

    pub(super) async fn export(&self, shared: &Shared, made: &MadeFilm) -> Result<Files, Failed> {
        let film = &made.film.film;
        let files = Files {
            mp4: self.mp4.clone(),
            srt: self.mp4.with_extension("srt"),
            vtt: self.mp4.with_extension("vtt"),
        };
        for (key, target) in
            [(&film.srt.key, &files.srt), (&film.vtt.key, &files.vtt), (&film.film.key, &files.mp4)]
        {
            copy(shared, key, target).await?;
        }
        Ok(files)
    }
}

fn default_output(story: &Path) -> PathBuf {
    let stem = if story == Path::new("-") { None } else { story.file_stem() };
    let mut name = stem.unwrap_or("story".as_ref()).to_owned();
    name.push(".mp4");
    PathBuf::from(name)
}

/// Written beside and renamed, so that an interrupted export leaves no half film.
async fn copy(shared: &Shared, key: &AssetKey, target: &Path) -> Result<(), Failed> {
    let mut beside = target.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = async {
        tokio::fs::copy(shared.media.path(key), &beside).await?;
        tokio::fs::rename(&beside, target).await
    };
    let written: std::io::Result<()> = written.await;
    if let Err(error) = written {
        let _ = tokio::fs::remove_file(&beside).await;
        return Err(Failed::Runtime(format!("{} cannot be written: {error}", target.display())));
    }
    Ok(())
}

/// Says where everything is, and how long it took.
pub(super) fn tell(made: &MadeFilm, files: &Files, as_json: bool) -> Result<(), Failed> {
    let stages = stage_seconds(&made.tasks);
    let shots = made.tasks.iter().filter(|task| task.kind == Kind::Image && task.result.is_some());
    let shots = shots.filter_map(|task| task.shot_id).collect::<BTreeSet<_>>().len();
    let seconds = made.film.film.duration_seconds;
    if as_json {
        let object = json!({
            "projectId": made.project.id,
            "film": files.mp4,
            "srt": files.srt,
            "vtt": files.vtt,
            "shots": shots,
            "durationSeconds": seconds,
            "stages": stages,
        });
        say(&object.to_string());
        return Ok(());
    }
    say(&format!("\n{}", made.project.title));
    say(&format!("  film       {}", files.mp4.display()));
    say(&format!("  subtitles  {}  {}", files.srt.display(), files.vtt.display()));
    let took: Vec<String> = STAGES
        .iter()
        .filter_map(|(_, name)| stages.get(name).map(|seconds| format!("{name} {seconds:.1} s")))
        .collect();
    say(&format!("  {shots} shots, {} long; {}", clock(seconds), took.join(", ")));
    for note in notes(made) {
        say(&format!("  note: {note}"));
    }
    Ok(())
}

/// What is not as good as it was asked for, each thing once.
fn notes(made: &MadeFilm) -> BTreeSet<&str> {
    let degraded = made.tasks.iter().filter_map(|task| task.made_with.as_ref()?.degraded.as_deref());
    made.film.film.warnings.iter().map(String::as_str).chain(degraded).collect()
}

/// For each stage the seconds from the first start to the last end.
fn stage_seconds(tasks: &[TaskRow]) -> BTreeMap<&'static str, f64> {
    let mut stages = BTreeMap::new();
    for (kind, name) in STAGES {
        let of_kind = || tasks.iter().filter(|task| task.kind == kind);
        let first = of_kind().filter_map(|task| task.started_at).min();
        let last = of_kind().filter_map(|task| task.finished_at).max();
        if let (Some(first), Some(last)) = (first, last) {
            let millis = (last - first).num_milliseconds().max(0);
            stages.insert(name, millis as f64 / 1000.0);
        }
    }
    stages
}
