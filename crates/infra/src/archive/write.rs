//! Writes an archive as a stream: a page of history, or a piece of a file, is in memory at a time.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::rc::Rc;

use domain::asset::AssetKey;
use domain::ids::ProjectId;
use domain::job::FilmOutput;
use domain::project::Event;
use tokio::runtime::Handle;
use zip::CompressionMethod;
use zip::ZipWriter;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};

use super::{ArchiveError, FORMAT, HISTORY, MANIFEST, MEDIA, Manifest, film_names};
use crate::media::MediaFolder;
use crate::postgres::event_store::read_event;
use crate::postgres::transfer::{StoredEvent, read_stored};
use crate::postgres::{PgPool, PostgresError};

/// Events that are in memory at a time.
const PAGE: i64 = 200;

/// A project to be written.
#[derive(Debug)]
pub struct Export {
    /// Where its history is.
    pub pool: PgPool,
    /// Where its media are.
    pub media: MediaFolder,
    /// Which project.
    pub project: ProjectId,
    /// Up to which version.
    pub version: u64,
}

/// What the history needs and says, gathered while it is written.
#[derive(Default)]
struct Gathered {
    assets: BTreeSet<AssetKey>,
    film: Option<Box<FilmOutput>>,
    title: String,
    head: String,
}

impl Gathered {
    fn take_in(&mut self, stored: &StoredEvent) -> Result<(), PostgresError> {
        let event = read_event(&stored.event_type, &stored.event_version, stored.payload.get())?;
        self.assets.extend(event.assets().into_iter().map(|asset| asset.key.clone()));
        self.head.clone_from(&stored.hash);
        match event {
            Event::FilmRendered(event) => self.film = Some(event.film),
            Event::ProjectCreated(event) => self.title = event.title,
            Event::ProjectRenamed(event) => self.title = event.title,
            Event::StoryboardAdopted(event) => self.title = event.title,
            Event::ProjectForked(event) => self.title = event.content.title,
            Event::ProjectRestored(event) => self.title = event.content.title,
            _ => {}
        }
        Ok(())
    }
}

impl Export {
    /// Writes the archive. Blocks: for a thread that may. After an error it lacks the end that would make it
    /// look whole.
    pub fn write(&self, sink: impl Write, runtime: &Handle) -> Result<(), ArchiveError> {
        let shut = Rc::new(Cell::new(false));
        let mut archive = ZipWriter::new_stream(Gate { sink, shut: shut.clone() });
        let written = self.write_entries(&mut archive, runtime);
        shut.set(written.is_err());
        let ended = archive.finish().map_err(unzipped);
        written?;
        ended?.into_inner().flush()?;
        Ok(())
    }

    fn write_entries<W: Write>(
        &self,
        archive: &mut Archive<W>,
        runtime: &Handle,
    ) -> Result<(), ArchiveError> {
        let gathered = self.write_history(archive, runtime)?;
        let film: Vec<(&str, &AssetKey)> = gathered.film.iter().flat_map(|film| film_names(film)).collect();
        for key in &gathered.assets {
            let for_people = film.iter().find(|(_, named)| *named == key).map(|(name, _)| (*name).to_owned());
            let name = for_people.unwrap_or_else(|| format!("{MEDIA}{key}"));
            self.write_media(archive, &name, key)?;
        }
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            project: self.project,
            title: gathered.title,
            version: self.version,
            head: gathered.head,
        };
        archive.start_file(MANIFEST, packed()).map_err(unzipped)?;
        serde_json::to_writer_pretty(archive, &manifest).map_err(io::Error::from)?;
        Ok(())
    }

    fn write_history<W: Write>(
        &self,
        archive: &mut Archive<W>,
        runtime: &Handle,
    ) -> Result<Gathered, ArchiveError> {
        archive.start_file(HISTORY, packed()).map_err(unzipped)?;
        let mut gathered = Gathered::default();
        let mut read = 0;
        while read < self.version {
            let left = i64::try_from(self.version - read).unwrap_or(PAGE);
            let page = runtime.block_on(read_stored(&self.pool, self.project, read, PAGE.min(left)))?;
            let Some(last) = page.last() else {
                return Err(PostgresError::Corrupt("a history ends before its head".to_owned()).into());
            };
            read = last.version;
            for event in &page {
                gathered.take_in(event)?;
                serde_json::to_writer(&mut *archive, event).map_err(io::Error::from)?;
                archive.write_all(b"\n")?;
            }
        }
        Ok(gathered)
    }

    /// Media that is gone is left out: the history still says what it was.
    fn write_media<W: Write>(
        &self,
        archive: &mut Archive<W>,
        name: &str,
        key: &AssetKey,
    ) -> Result<(), ArchiveError> {
        let mut file = match File::open(self.media.path(key)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        // Packed already; and nobody knows beforehand how large a file is in the end.
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
        archive.start_file(name, options).map_err(unzipped)?;
        io::copy(&mut file, archive)?;
        Ok(())
    }
}

fn packed() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true)
}

fn unzipped(error: ZipError) -> ArchiveError {
    ArchiveError::Io(error.into())
}

type Archive<W> = ZipWriter<StreamWriter<Gate<W>>>;

/// Lets everything through until it is shut. The library writes an archive's end also when it is given up.
struct Gate<W> {
    sink: W,
    shut: Rc<Cell<bool>>,
}

impl<W: Write> Write for Gate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.shut.get() { Ok(bytes.len()) } else { self.sink.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.shut.get() { Ok(()) } else { self.sink.flush() }
    }
}
