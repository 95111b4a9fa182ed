//! Takes an archive in: looks at all of it before anything is changed, believes none of it, and stays within
//! limits however it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use domain::asset::AssetKey;
use domain::ids::{ProjectId, TakeId};
use domain::metadata::Context;
use domain::project::{Command, Envelope, Event, ForeignHistory};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use zip::ZipArchive;

use super::{ArchiveError, FORMAT, HISTORY, MANIFEST, MEDIA, Manifest, film_names};
use crate::media::MediaFolder;
use crate::postgres::PgPool;
use crate::postgres::event_store::{EventStore, Receipt, chain, is_recorded_at};
use crate::postgres::transfer::{Import, ImportError, StoredEvent, check_new};

/// The list of what is in an archive, in bytes: some 20,000 files.
const LIST_BYTES: u64 = 4 * 1024 * 1024;
/// `project.json`, in bytes.
const MANIFEST_BYTES: u64 = 64 * 1024;
/// One event, in bytes.
const EVENT_BYTES: u64 = 16 * 1024 * 1024;
/// A whole history, in bytes: the log's readers wait while it is written.
const HISTORY_BYTES: u64 = 128 * 1024 * 1024;
/// Who caused an event, in bytes.
const METADATA_BYTES: usize = 16 * 1024;
/// Events that are appended at a time.
const BATCH: usize = 500;
/// Missing files that are named.
const NAMED: usize = 5;
/// How far another clock may be ahead.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(24);

/// What an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events.
    pub events: u64,
    /// Bytes of everything together, once unpacked.
    pub unpacked_bytes: u64,
}

/// Takes archives in.
#[derive(Debug)]
pub struct Importer {
    /// Where ids are looked for.
    pub pool: PgPool,
    /// Where histories go.
    pub store: EventStore,
    /// Where media go.
    pub media: MediaFolder,
    /// What an archive may hold.
    pub limits: Limits,
}

/// An archive that was looked at.
struct Checked {
    project: ProjectId,
    head: [u8; 32],
    history: ForeignHistory,
    /// The files with their content's addresses.
    media: Vec<(String, AssetKey)>,
    /// Takes whose media is neither here nor there.
    missing: Vec<TakeId>,
}

type Zip = ZipArchive<BufReader<Metered>>;

fn invalid(message: impl Into<String>) -> ArchiveError {
    ArchiveError::Invalid(message.into())
}

impl Importer {
    /// Takes the archive in that `file` holds, by a command of this context. Nothing is changed when anything
    /// about it is wrong. Blocks: for a thread that may.
    pub fn import(&self, file: File, context: &Context, runtime: &Handle) -> Result<Receipt, ArchiveError> {
        let meter = Arc::new(AtomicU64::new(LIST_BYTES));
        let mut zip = open(file, &meter)?;
        let checked = self.check(&mut zip, context.at, runtime)?;
        runtime.block_on(check_new(&self.pool, &self.store, checked.project, &checked.history))?;
        let mut brought = Vec::new();
        let stored = self.store(&mut zip, &checked.media, &mut brought);
        let taken = stored.and_then(|()| self.append(&mut zip, checked, context, runtime));
        // Where nobody knows whether the history got in, the collector finds out what its media is for.
        if !matches!(taken, Ok(_) | Err(ArchiveError::Import(ImportError::Unknown(_)))) {
            self.take_back(brought, runtime);
        }
        taken
    }

    /// Media come before any event names them. Of what was not here yet it notes when it was written.
    fn store(
        &self,
        zip: &mut Zip,
        media: &[(String, AssetKey)],
        brought: &mut Vec<(AssetKey, SystemTime)>,
    ) -> Result<(), ArchiveError> {
        for (name, key) in media {
            let mut entry = zip.by_name(name).map_err(unreadable)?;
            brought.extend(self.media.store(key, &mut entry)?.map(|written| (key.clone(), written)));
        }
        Ok(())
    }

    /// Removes what only this import brought. What somebody else wanted meanwhile stays.
    fn take_back(&self, brought: Vec<(AssetKey, SystemTime)>, runtime: &Handle) {
        for (key, written) in brought {
            if let Err(error) = runtime.block_on(self.media.remove(&key, written)) {
                tracing::warn!(%key, %error, "media of an import that failed is left to the collector");
            }
        }
    }

    /// Nothing waits for anything while this gathers the events: [`Import`].
    fn append(
        &self,
        zip: &mut Zip,
        checked: Checked,
        context: &Context,
        runtime: &Handle,
    ) -> Result<Receipt, ArchiveError> {
        let Checked { project, head, history, missing, .. } = checked;
        let mut import = runtime.block_on(Import::begin(&self.pool, &self.store, project))?;
        let mut batch = Vec::with_capacity(BATCH);
        each_event(zip, &mut { HISTORY_BYTES }, |event| {
            batch.push(event);
            if batch.len() == BATCH {
                runtime.block_on(import.add(&batch))?;
                batch.clear();
            }
            Ok(())
        })?;
        runtime.block_on(import.add(&batch))?;
        let command = Command::CompleteImport { missing };
        let envelope = Envelope { context: context.clone(), if_version: None, command };
        Ok(runtime.block_on(import.complete(history.state, head, &envelope))?)
    }

    fn check(&self, zip: &mut Zip, now: DateTime<Utc>, runtime: &Handle) -> Result<Checked, ArchiveError> {
        let manifest = read_manifest(zip)?;
        let mut reading = Reading::new(manifest.project, now);
        let mut left = self.limits.unpacked_bytes;
        let most = HISTORY_BYTES.min(left);
        let mut unread = most;
        each_event(zip, &mut unread, |event| {
            if event.version > self.limits.events {
                let limit = self.limits.events;
                return Err(ArchiveError::TooLarge(format!("a history may have {limit} events at most")));
            }
            reading.take_in(&event)
        })?;
        reading.history.check_end().map_err(|rule| invalid(format!("{HISTORY}: {rule}")))?;
        if (manifest.version, &manifest.head) != (reading.version, &hex::encode(reading.head)) {
            return Err(invalid(format!("{HISTORY} is not the history that {MANIFEST} tells of")));
        }
        left -= most - unread;
        let media = self.check_media(zip, &reading, &mut left)?;
        let missing = self.check_missing(&reading, &media, runtime)?;
        let Reading { head, history, .. } = reading;
        Ok(Checked { project: manifest.project, head, history, media, missing })
    }

    /// What the project shows must come along or be here. Answers the takes that do not, and that nothing shows.
    fn check_missing(
        &self,
        reading: &Reading,
        media: &[(String, AssetKey)],
        runtime: &Handle,
    ) -> Result<Vec<TakeId>, ArchiveError> {
        let mut there: BTreeSet<&AssetKey> = media.iter().map(|(_, key)| key).collect();
        for key in reading.assets.keys() {
            if !there.contains(key) && runtime.block_on(self.media.want(key))?.is_some() {
                there.insert(key);
            }
        }
        let is_there = |key: &AssetKey| there.contains(key);
        let shown = reading.shown();
        let absent: Vec<String> = shown
            .iter()
            .filter(|(_, key)| !is_there(key))
            .map(|(of, key)| format!("{MEDIA}{key} ({of})"))
            .collect();
        if absent.is_empty() {
            return Ok(reading.history.missing_takes(is_there));
        }
        let (count, some) = (absent.len(), absent[..absent.len().min(NAMED)].join(", "));
        Err(invalid(format!("media that the project shows is not in it, {count} in all: {some}")))
    }

    /// Every file must be one that the history names, and contain what its address says.
    fn check_media(
        &self,
        zip: &mut Zip,
        reading: &Reading,
        left: &mut u64,
    ) -> Result<Vec<(String, AssetKey)>, ArchiveError> {
        let names: Result<Vec<String>, _> =
            zip.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect();
        let names = names.map_err(unreadable)?;
        let mut media = Vec::new();
        for name in names.into_iter().filter(|name| name != MANIFEST && name != HISTORY) {
            let key = reading.address_of(&name);
            let key = key.ok_or_else(|| invalid(format!("{name:?} is nothing that {HISTORY} names")))?;
            let entry = zip.by_name(&name).map_err(unreadable)?;
            let (digest, bytes) = digest(entry, left)?;
            if digest != key.sha256() || bytes != reading.assets[&key] {
                return Err(invalid(format!("{name:?} does not contain what its address says")));
            }
            media.push((name, key));
        }
        Ok(media)
    }
}

fn open(file: File, meter: &Arc<AtomicU64>) -> Result<Zip, ArchiveError> {
    let opened = ZipArchive::new(BufReader::new(Metered { file, left: meter.clone() }));
    let zip = opened.map_err(|error| match meter.load(Ordering::Relaxed) {
        0 => ArchiveError::TooLarge("the archive has too many files".to_owned()),
        _ => invalid(format!("this is no ZIP archive, or a broken one: {error}")),
    })?;
    // From here on only what is asked for is read.
    meter.store(u64::MAX, Ordering::Relaxed);
    Ok(zip)
}

fn unreadable(error: zip::result::ZipError) -> ArchiveError {
    invalid(format!("the archive cannot be read: {error}"))
}

fn broken(error: io::Error) -> ArchiveError {
    invalid(format!("the archive is broken: {error}"))
}

fn read_manifest(zip: &mut Zip) -> Result<Manifest, ArchiveError> {
    let missing = |_| invalid(format!("there is no {MANIFEST} in it: this is no archive of a project"));
    let mut text = Vec::new();
    zip.by_name(MANIFEST).map_err(missing)?.take(MANIFEST_BYTES).read_to_end(&mut text).map_err(broken)?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| invalid(format!("{MANIFEST}: {error}")))?;
    if manifest.format != FORMAT {
        return Err(invalid(format!("{MANIFEST}: this program reads the format {FORMAT:?}")));
    }
    Ok(manifest)
}

/// Hands the events over one by one; `left` is how much may still be unpacked.
fn each_event(
    zip: &mut Zip,
    left: &mut u64,
    mut each: impl FnMut(StoredEvent) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let missing = |_| invalid(format!("there is no {HISTORY} in it: this is no archive of a project"));
    let mut lines = BufReader::new(zip.by_name(HISTORY).map_err(missing)?);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = lines.by_ref().take(EVENT_BYTES).read_until(b'\n', &mut line).map_err(broken)?;
        if read == 0 {
            break;
        }
        spend(left, read as u64)?;
        if line.pop() != Some(b'\n') {
            return Err(invalid(format!("{HISTORY}:{number}: the line is cut off, or too long")));
        }
        let event =
            serde_json::from_slice(&line).map_err(|error| invalid(format!("{HISTORY}:{number}: {error}")))?;
        each(event)?;
    }
    Ok(())
}

fn spend(left: &mut u64, bytes: u64) -> Result<(), ArchiveError> {
    let too_large = || ArchiveError::TooLarge("the archive unpacks to more than is allowed here".to_owned());
    *left = left.checked_sub(bytes).ok_or_else(too_large)?;
    Ok(())
}

fn digest(mut entry: impl Read, left: &mut u64) -> Result<(String, u64), ArchiveError> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        let read = entry.read(&mut buffer).map_err(broken)?;
        if read == 0 {
            return Ok((hex::encode(hasher.finalize()), bytes));
        }
        spend(left, read as u64)?;
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}

/// A history while it is looked at.
struct Reading {
    project: ProjectId,
    now: DateTime<Utc>,
    history: ForeignHistory,
    version: u64,
    head: [u8; 32],
    /// What the history names, with the sizes that it tells.
    assets: BTreeMap<AssetKey, u64>,
    film: BTreeMap<&'static str, AssetKey>,
}

impl Reading {
    fn new(project: ProjectId, now: DateTime<Utc>) -> Self {
        Self {
            project,
            now,
            history: ForeignHistory::default(),
            version: 0,
            head: [0; 32],
            assets: BTreeMap::new(),
            film: BTreeMap::new(),
        }
    }

    fn take_in(&mut self, stored: &StoredEvent) -> Result<(), ArchiveError> {
        let version = self.version + 1;
        let wrong = |what: &str| invalid(format!("{HISTORY}: version {version} {what}"));
        if stored.version != version {
            return Err(wrong("is missing"));
        }
        let (payload, metadata) = (stored.payload.get(), stored.metadata.get());
        self.head = chain(&self.head, version, &stored.event_type, &stored.event_version, payload, metadata);
        if hex::encode(self.head) != stored.hash {
            return Err(wrong("was altered"));
        }
        if stored.recorded_at > self.now + CLOCKS_DIFFER || stored.recorded_at < DateTime::UNIX_EPOCH {
            return Err(wrong("was recorded at no time that has been"));
        }
        if !Event::TYPES.contains(&(stored.event_type.as_str(), stored.event_version.as_str())) {
            return Err(wrong("is unknown to this version of the program; upgrade it"));
        }
        if !is_recorded_at(stored.recorded_at, metadata) {
            return Err(wrong("was not recorded when it says"));
        }
        check_metadata(&stored.metadata).ok_or_else(|| wrong("does not say who caused it"))?;
        let event = read_payload(&stored.payload, &stored.event_type);
        let event = event.ok_or_else(|| wrong("is not what its type says"))?;
        let taken = self.history.take_in(self.project, &event);
        taken.map_err(|rule| wrong(&format!("breaks a rule: {rule}")))?;
        self.assets.extend(event.assets().into_iter().map(|asset| (asset.key.clone(), asset.bytes)));
        if let Event::FilmRendered(event) = &event {
            self.film = film_names(&event.film).map(|(name, key)| (name, key.clone())).into();
        }
        self.version = version;
        Ok(())
    }

    /// What the project shows at its end: of what, and its address.
    fn shown(&self) -> Vec<(String, &AssetKey)> {
        let state = &self.history.state;
        let takes = state.shots.iter().enumerate().flat_map(|(place, shot)| {
            shot.takes().map(move |take| (format!("shot {}", place + 1), &take.asset.key))
        });
        let music = state.music.iter().map(|music| ("music".to_owned(), &music.key));
        let film = self.film.iter().map(|(name, key)| ((*name).to_owned(), key));
        takes.chain(music).chain(film).collect()
    }

    /// The address of a file's content, when the history names it.
    fn address_of(&self, name: &str) -> Option<AssetKey> {
        let of_film = self.film.get(name).cloned();
        let key = of_film.or_else(|| AssetKey::parse(name.strip_prefix(MEDIA)?).ok())?;
        self.assets.contains_key(&key).then_some(key)
    }
}

/// PostgreSQL's texts cannot hold U+0000, however it is spelled.
fn holds_nul(json: &RawValue) -> bool {
    json.get().contains("\\u0000")
}

fn check_metadata(metadata: &RawValue) -> Option<()> {
    let is_small = metadata.get().len() <= METADATA_BYTES && !holds_nul(metadata);
    let metadata: BTreeMap<String, String> = serde_json::from_str(metadata.get()).ok()?;
    (is_small && metadata.contains_key("actor")).then_some(())
}

/// The event, whose payload is of the type that is told, and of no other besides.
fn read_payload(payload: &RawValue, event_type: &str) -> Option<Event> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(payload.get()).ok()?;
    let is_alone = members.len() == 1 && members.contains_key(event_type) && !holds_nul(payload);
    serde_json::from_str(payload.get()).ok().filter(|_| is_alone)
}

/// A file of which only so much may be read, until that is lifted.
struct Metered {
    file: File,
    left: Arc<AtomicU64>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other("too much to read"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..most])?;
        if left != u64::MAX {
            self.left.store(left - read as u64, Ordering::Relaxed);
        }
        Ok(read)
    }
}

impl Seek for Metered {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
