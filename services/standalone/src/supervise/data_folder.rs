//! The folder that holds everything of one installation: databases, bus, media, logs. Owned by one process at
//! a time, by a lock that the kernel gives back when that process dies.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::SuperviseError;

/// The layout that this program writes, and the newest it can read.
const LAYOUT: u32 = 1;
/// Folders below the data folder; only their owner may enter them.
const FOLDERS: [&str; 4] = ["nats", "media", "run", "logs"];

/// An open data folder; others are refused until it is dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Opens the folder, making it if it is not there, and takes it for this process.
    ///
    /// # Errors
    /// [`SuperviseError::InUse`] with the pid of who has it, [`SuperviseError::Newer`], or a file's error.
    pub fn open(path: &Path) -> Result<Self, SuperviseError> {
        if path.to_string_lossy().chars().any(char::is_control) {
            return Err(SuperviseError::BadPath(path.to_path_buf()));
        }
        refuse_what_is_not_ours(path)?;
        make_folder(path, 0o711)?;
        let path = fs::canonicalize(path).map_err(SuperviseError::file(path))?;
        make_folder(&path.join("run"), 0o700)?;
        let lock = take(&path)?;
        check_layout(&path)?;
        for folder in FOLDERS {
            make_folder(&path.join(folder), 0o700)?;
        }
        write_if_missing(&path.join(".gitignore"), "*\n")?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder itself, absolute, free of links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where generated media are kept.
    #[must_use]
    pub fn media(&self) -> PathBuf {
        self.path.join("media")
    }

    /// The database files of PostgreSQL; missing until the first start.
    pub(super) fn postgres(&self) -> PathBuf {
        self.path.join("postgres")
    }

    /// The store of JetStream.
    pub(super) fn nats(&self) -> PathBuf {
        self.path.join("nats")
    }

    /// A pid file, configuration or secret.
    pub(super) fn run(&self, name: &str) -> PathBuf {
        self.path.join("run").join(name)
    }

    /// The log of a server.
    pub(super) fn log(&self, server: &str) -> PathBuf {
        self.path.join("logs").join(format!("{server}.log"))
    }

    /// The major version of the PostgreSQL that made the database in `folder`, which need not be open: no
    /// other can read it. `None`: there is no database yet.
    #[must_use]
    pub fn postgres_major(folder: &Path) -> Option<u32> {
        fs::read_to_string(folder.join("postgres/PG_VERSION")).ok()?.trim().parse().ok()
    }
}

/// A folder with somebody's files in it stays as it is: we would put ours among them, and clear what we think is
/// ours.
fn refuse_what_is_not_ours(path: &Path) -> Result<(), SuperviseError> {
    if path.join("VERSION").exists() || !path.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(SuperviseError::file(path))? {
        // A first start that was interrupted left its lock.
        if entry.map_err(SuperviseError::file(path))?.file_name() != "run" {
            return Err(SuperviseError::NotOurs { folder: path.to_path_buf() });
        }
    }
    Ok(())
}

/// Makes a folder and its parents; the mode is set only on one that is new.
fn make_folder(path: &Path, mode: u32) -> Result<(), SuperviseError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(SuperviseError::file(path))
}

/// Takes the folder's lock and writes this process down in it.
fn take(folder: &Path) -> Result<File, SuperviseError> {
    let path = folder.join("run/lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o644);
    let mut lock = options.open(&path).map_err(SuperviseError::file(&path))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            // The number only helps the reader; the lock alone decides.
            let _ = lock.take(20).read_to_string(&mut pid);
            return Err(SuperviseError::InUse { folder: folder.to_path_buf(), pid: pid.trim().to_owned() });
        }
        Err(error) => return Err(SuperviseError::file(&path)(error.into())),
    }
    lock.set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| writeln!(lock, "{}", std::process::id()))
        .map_err(SuperviseError::file(&path))?;
    Ok(lock)
}

fn check_layout(folder: &Path) -> Result<(), SuperviseError> {
    let path = folder.join("VERSION");
    write_if_missing(&path, &format!("{LAYOUT}\n"))?;
    let found = fs::read_to_string(&path).map_err(SuperviseError::file(&path))?;
    match found.trim().parse::<u32>() {
        Ok(layout) if layout <= LAYOUT => Ok(()),
        _ => Err(SuperviseError::Newer {
            folder: folder.to_path_buf(),
            found: found.trim().chars().take(20).collect(),
            known: LAYOUT,
        }),
    }
}

fn write_if_missing(path: &Path, text: &str) -> Result<(), SuperviseError> {
    if path.exists() { Ok(()) } else { write_whole(path, text, 0o644) }
}

/// Writes a small file so that it is there whole or not at all, also after a power cut.
pub(super) fn write_whole(path: &Path, text: &str, mode: u32) -> Result<(), SuperviseError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(SuperviseError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_who_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataFolder::open(folder.path()).unwrap();
        let refused = DataFolder::open(folder.path()).unwrap_err();
        assert!(refused.is_configuration());
        assert!(refused.to_string().contains(&format!("process {}:", std::process::id())), "{refused}");
        drop(first);
        assert!(DataFolder::open(folder.path()).is_ok());
    }

    #[test]
    fn a_folder_with_files_of_somebody_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        let refused = DataFolder::open(folder.path()).unwrap_err();
        assert!(refused.is_configuration());
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["work"]);
    }

    #[test]
    fn a_folder_of_a_newer_version_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("VERSION"), "2\n").unwrap();
        assert!(matches!(DataFolder::open(folder.path()), Err(SuperviseError::Newer { .. })));
        assert_eq!(fs::read_to_string(folder.path().join("VERSION")).unwrap(), "2\n");
        assert!(!folder.path().join("media").exists());
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        fs::write(&path, "").unwrap();
        let refused = DataFolder::open(&path).unwrap_err();
        assert!(refused.is_configuration() && refused.to_string().contains("data"), "{refused}");
    }

    #[test]
    fn git_ignores_everything_in_it_and_others_may_not_look() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/.storytovideo");
        let data = DataFolder::open(&path).unwrap();
        assert_eq!(fs::read_to_string(path.join(".gitignore")).unwrap(), "*\n");
        let mode = fs::metadata(data.media()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700);
    }
}
