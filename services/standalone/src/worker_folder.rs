//! A worker's own folder: its name, which it keeps over restarts, and its files in the making. Locked, so that
//! no two workers of a machine go by one name, or clear away each other's files.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use crate::exit::Failed;

/// Workers without a name of their own that may run on one folder at once.
const UNNAMED: u32 = 64;
/// Longest name, in characters.
const LONGEST_NAME: usize = 100;

/// A worker's folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum WorkerFolderError {
    /// Another process works under this name.
    #[error("a worker named {0} runs on this folder already; choose another name with --name")]
    InUse(String),
    /// The name is empty, too long, or not one line.
    #[error("a worker's name has 1 to {LONGEST_NAME} characters, none of them a control character")]
    BadName,
    /// Too many workers without a name.
    #[error("{UNNAMED} workers run in {} already; choose another folder with --work", .0.display())]
    Full(PathBuf),
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    File {
        /// What could not be read or written.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

impl From<WorkerFolderError> for Failed {
    fn from(error: WorkerFolderError) -> Self {
        match error {
            WorkerFolderError::File { .. } => Self::because(error),
            _ => Self::Usage(error.to_string()),
        }
    }
}

/// The folder of one worker; others are refused until it is dropped.
#[derive(Debug)]
pub struct WorkerFolder {
    name: String,
    path: PathBuf,
    _lock: File,
}

impl WorkerFolder {
    /// Takes the folder of the worker named `name` below `workers`. Without a name it is the first that nobody
    /// has, and the name that was made for it: the machine's, and a few letters of its own.
    ///
    /// # Errors
    /// [`WorkerFolderError`]; a name that another process has is one of them.
    pub fn take(workers: &Path, name: Option<&str>) -> Result<Self, WorkerFolderError> {
        let Some(name) = name else { return Self::take_any(workers) };
        let fits = (1..=LONGEST_NAME).contains(&name.chars().count());
        if !fits || name.chars().any(char::is_control) {
            return Err(WorkerFolderError::BadName);
        }
        let path = workers.join(format!("named-{}", Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())));
        let lock = lock(&path)?.ok_or_else(|| WorkerFolderError::InUse(name.to_owned()))?;
        Ok(Self { name: name.to_owned(), path, _lock: lock })
    }

    fn take_any(workers: &Path) -> Result<Self, WorkerFolderError> {
        for number in 1..=UNNAMED {
            let path = workers.join(number.to_string());
            if let Some(lock) = lock(&path)? {
                let name = kept_name(&path.join("name"))?;
                return Ok(Self { name, path, _lock: lock });
            }
        }
        Err(WorkerFolderError::Full(workers.to_path_buf()))
    }

    /// The worker's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For files in the making; the worker clears it when it starts.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.path.join("scratch")
    }
}

/// Makes the folder and takes its lock; nothing when another process has it.
fn lock(folder: &Path) -> Result<Option<File>, WorkerFolderError> {
    fs::create_dir_all(folder).map_err(file(folder))?;
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).open(&path).map_err(file(&path))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(lock)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(file(&path)(error.into())),
    }
}

/// The name in this file; made and kept when there is none.
fn kept_name(path: &Path) -> Result<String, WorkerFolderError> {
    let kept = fs::read_to_string(path).unwrap_or_default();
    if !kept.trim().is_empty() {
        return Ok(kept.trim().to_owned());
    }
    let system = rustix::system::uname();
    let id = Uuid::new_v4().simple().to_string();
    let name = format!("{}-{}", system.nodename().to_string_lossy(), &id[..8]);
    fs::write(path, &name).map_err(file(path))?;
    Ok(name)
}

fn file(path: &Path) -> impl FnOnce(std::io::Error) -> WorkerFolderError + use<> {
    let path = path.to_path_buf();
    move |source| WorkerFolderError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_without_a_name_have_different_ones_and_keep_them() {
        let folder = tempfile::tempdir().unwrap();
        let first = WorkerFolder::take(folder.path(), None).unwrap();
        let second = WorkerFolder::take(folder.path(), None).unwrap();
        assert_ne!(first.name(), second.name());
        assert_ne!(first.scratch(), second.scratch());
        let name = first.name().to_owned();
        drop(first);
        assert_eq!(WorkerFolder::take(folder.path(), None).unwrap().name(), name);
        let elsewhere = tempfile::tempdir().unwrap();
        assert_ne!(WorkerFolder::take(elsewhere.path(), None).unwrap().name(), name);
    }

    #[test]
    fn a_name_is_had_by_one_process_at_a_time_and_keeps_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = WorkerFolder::take(folder.path(), Some("gpu/../0")).unwrap();
        let scratch = first.scratch();
        assert!(scratch.starts_with(folder.path()) && !scratch.to_string_lossy().contains(".."));
        let refused = WorkerFolder::take(folder.path(), Some("gpu/../0")).unwrap_err();
        assert!(refused.to_string().contains("gpu/../0"), "{refused}");
        drop(first);
        assert_eq!(WorkerFolder::take(folder.path(), Some("gpu/../0")).unwrap().scratch(), scratch);
        for bad in ["", "two\nlines", &"x".repeat(101)] {
            assert!(matches!(WorkerFolder::take(folder.path(), Some(bad)), Err(WorkerFolderError::BadName)));
        }
    }
}
