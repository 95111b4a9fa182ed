//! A project in one ZIP file: its history word for word, and the media that the history names.
//!
//! `project.json` says which project and version; `history.jsonl` has an event a line; media are under
//! `media/<kind>/<sha256>.<ext>`, save the newest film, which people find as `film.mp4`, `.srt`, `.vtt`, `.jpg`.

mod read;
mod write;

use domain::asset::AssetKey;
use domain::ids::ProjectId;
use domain::job::FilmOutput;
use serde::{Deserialize, Serialize};

use crate::media::MediaError;
use crate::postgres::PostgresError;
use crate::postgres::transfer::ImportError;

pub use read::{Importer, Limits};
pub use write::Export;

/// The layout that is written, and the only one that is read.
const FORMAT: &str = "storytovideo-project/1";
const MANIFEST: &str = "project.json";
const HISTORY: &str = "history.jsonl";
const MEDIA: &str = "media/";

/// What `project.json` says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    format: String,
    project: ProjectId,
    title: String,
    /// How many events the history has.
    version: u64,
    /// The hash of the last one, hexadecimal.
    head: String,
}

/// The names of the newest film's files, for people.
fn film_names(film: &FilmOutput) -> [(&'static str, &AssetKey); 4] {
    let name = if film.film.key.extension() == "webm" { "film.webm" } else { "film.mp4" };
    [
        (name, &film.film.key),
        ("film.srt", &film.srt.key),
        ("film.vtt", &film.vtt.key),
        ("film.jpg", &film.poster.key),
    ]
}

/// An archive was not written, or not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is no archive of a project, or a broken or forged one.
    #[error("{0}")]
    Invalid(String),
    /// It holds more than may be brought here.
    #[error("{0}")]
    TooLarge(String),
    /// The history was not taken in.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The history could not be read.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// Media could not be read or written.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The reader of an export went away, or a file could not be read.
    #[error("an archive could not be read or written")]
    Io(#[from] std::io::Error),
}
