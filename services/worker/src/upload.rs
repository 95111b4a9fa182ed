//! Brings finished files to where the desk wants them, under the address of their content.

use futures::future::try_join_all;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::asset::{Asset, AssetKey};
use domain::desk::{Place, RunReport, UploadReply, UploadRequest};
use domain::ids::{ClaimId, TaskId};
use domain::job::{Failure, FilmOutput, Kind, MadeWith, Output, SpecHash};
use infra::media::MediaFolder;
use infra::nats::Bus;
use sha2::{Digest, Sha256};
use tokio::fs;

use crate::providers::{Content, Files, MadeFile};

/// How often a desk that cannot write is asked before the job is put off.
const TRIES: u32 = 20;

/// What a run made could not be uploaded.
pub(crate) enum UploadError {
    /// The file itself is bad.
    Unreadable(Failure),
    /// It cannot be stored now.
    Outage(String),
}

impl UploadError {
    fn outage(error: impl std::fmt::Display) -> Self {
        Self::Outage(format!("media cannot be written: {error}"))
    }
}

/// A file with its address, and the folder it went to unless it was stored already.
struct Uploaded {
    asset: Asset,
    folder: Option<PathBuf>,
}

/// Uploads every file of a run, and leaves its report beside them, so that the work survives the worker.
pub(crate) async fn upload(
    bus: &Bus,
    kind: Kind,
    run: (TaskId, ClaimId),
    spec: SpecHash,
    files: Files,
    made_with: &MadeWith,
) -> Result<Output, UploadError> {
    let (output, folder) = match files {
        Files::Storyboard(output) => (Output::Storyboard(output), None),
        Files::Media(file) => {
            let uploaded = one(bus, kind, run, &file).await?;
            (Output::Media { asset: uploaded.asset }, uploaded.folder)
        }
        Files::Film(film) => {
            let files = [&film.film, &film.srt, &film.vtt, &film.poster];
            let uploaded = try_join_all(files.map(|file| one(bus, kind, run, file))).await?;
            let folder = uploaded.iter().find_map(|file| file.folder.clone());
            let mut assets = uploaded.into_iter().map(|file| file.asset);
            let (Some(film_file), Some(srt), Some(vtt), Some(poster)) =
                (assets.next(), assets.next(), assets.next(), assets.next())
            else {
                return Err(UploadError::outage("a film has four files"));
            };
            let output = FilmOutput {
                film: film_file,
                srt,
                vtt,
                poster,
                width: film.width,
                height: film.height,
                fps: film.fps,
                duration_seconds: film.duration_seconds,
                segments: film.segments,
                warnings: film.warnings,
            };
            (Output::Film(output), folder)
        }
    };
    if let Some(folder) = folder {
        let report = RunReport { spec, output: Box::new(output.clone()), made_with: made_with.clone() };
        let json = serde_json::to_vec(&report).map_err(UploadError::outage)?;
        leave_report(&MediaFolder::report_path(&folder), &json).await.map_err(UploadError::outage)?;
    }
    Ok(output)
}

async fn one(
    bus: &Bus,
    kind: Kind,
    (task, claim): (TaskId, ClaimId),
    file: &MadeFile,
) -> Result<Uploaded, UploadError> {
    let (digest, bytes) = digest(&file.content)
        .await
        .map_err(|error| UploadError::Unreadable(Failure::retry("result_unreadable", error)))?;
    if bytes == 0 {
        return Err(UploadError::Unreadable(Failure::retry(
            "invalid_output",
            "the provider made an empty file",
        )));
    }
    let key = AssetKey::new(kind.as_str(), &digest, file.extension)
        .map_err(|error| UploadError::Unreadable(Failure::fail("invalid_output", error)))?;
    let asset = Asset { key: key.clone(), bytes, duration_seconds: file.duration_seconds };
    let request = UploadRequest { task, claim, key };
    let mut refusals = 0;
    while refusals < TRIES {
        match bus.request_upload(kind, &request).await {
            Ok(UploadReply::Have) => return Ok(Uploaded { asset, folder: None }),
            Ok(UploadReply::Put { place: Place::Path(path) }) => {
                put(&file.content, &path).await.map_err(UploadError::outage)?;
                return Ok(Uploaded { asset, folder: path.parent().map(Path::to_owned) });
            }
            Ok(UploadReply::Busy { retry_after_ms }) => {
                refusals += 1;
                tokio::time::sleep(Duration::from_millis(retry_after_ms)).await;
            }
            Ok(UploadReply::Refused { reason }) => {
                return Err(UploadError::Unreadable(Failure::fail("upload_refused", reason)));
            }
            // A desk that is away comes back, and what was made is not thrown away meanwhile.
            Err(error) => {
                tracing::debug!(%task, %error, "no place for a result yet; asking again");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
    Err(UploadError::Outage("the desk gave no place to put the result".to_owned()))
}

/// SHA-256 and size of a file's content, however large it is.
async fn digest(content: &Content) -> std::io::Result<(String, u64)> {
    match content {
        Content::Bytes(bytes) => Ok((hex::encode(Sha256::digest(bytes)), bytes.len() as u64)),
        Content::File(path) => infra::media::digest(path).await,
    }
}

/// A name of its own for each file in the making: two of the same content differ in their extensions only.
fn beside(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Puts content in its place: written beside, synced, and renamed, so that a file under its name is whole.
async fn put(content: &Content, place: &Path) -> std::io::Result<()> {
    match content {
        Content::Bytes(bytes) => write_whole(place, bytes).await,
        Content::File(path) => {
            let beside = beside(place);
            fs::copy(path, &beside).await?;
            fs::File::open(&beside).await?.sync_all().await?;
            fs::rename(&beside, place).await
        }
    }
}

/// Leaves a report for the case that this process is killed before it can send it. It is not synced: a power
/// cut may leave one that cannot be read, and then the run is made again.
async fn leave_report(path: &Path, json: &[u8]) -> std::io::Result<()> {
    let beside = beside(path);
    fs::write(&beside, json).await?;
    fs::rename(&beside, path).await
}

async fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = beside(path);
    fs::write(&beside, bytes).await?;
    fs::File::open(&beside).await?.sync_all().await?;
    fs::rename(&beside, path).await
}
