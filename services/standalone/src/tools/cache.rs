//! The folder in which installed tools are kept. A set of tools is there whole or not at all: it is unpacked
//! under a temporary name beside, made durable, and renamed; one process at a time installs.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock, syncfs};

use super::{Progress, ToolError};

/// How often a waiting process looks whether the other has finished.
const LOCK_POLL: Duration = Duration::from_millis(200);

/// Held while tools are installed; given back when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub(super) struct CacheLock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Waits until no other process installs tools here.
pub(super) async fn lock(cache: &Path, progress: Progress<'_>) -> Result<CacheLock, ToolError> {
    let path = cache.join("lock");
    let file = fs::create_dir_all(cache)
        .and_then(|()| File::create(&path))
        .map_err(|cause| ToolError::Cache { path: path.clone(), cause })?;
    let mut told = false;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK) if !told => {
                progress("waiting: another storytovideo is installing tools");
                told = true;
            }
            Err(rustix::io::Errno::WOULDBLOCK) => tokio::time::sleep(LOCK_POLL).await,
            Err(error) => return Err(ToolError::Cache { path, cause: error.into() }),
        }
    }
    Ok(CacheLock(file))
}

/// A folder under construction. Removed when dropped before [`Draft::keep`]; one that a killed process left
/// is removed by the next.
pub(super) struct Draft {
    folder: tempfile::TempDir,
    target: PathBuf,
}

impl Draft {
    /// Starts the folder `name` of `cache`, under another name beside it. The caller holds the [`CacheLock`].
    pub(super) fn start(cache: &Path, name: &str) -> io::Result<Self> {
        let prefix = format!(".{name}.");
        for entry in fs::read_dir(cache)?.filter_map(Result::ok) {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(cache)?;
        Ok(Self { folder, target: cache.join(name) })
    }

    /// The folder to fill.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes everything in the folder durable, and then lets it be seen under its name.
    pub(super) fn keep(self) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        // A server that runs as another account must be able to read its own files.
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755))?;
        syncfs(File::open(self.folder.path())?)?;
        if self.target.exists() {
            fs::remove_dir_all(&self.target)?;
        }
        let parent = self.target.parent().map(Path::to_path_buf);
        fs::rename(self.folder.keep(), &self.target)?;
        parent.map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_seen_only_when_it_is_whole() {
        let cache = tempfile::tempdir().unwrap();
        let draft = Draft::start(cache.path(), "tool-1").unwrap();
        fs::write(draft.path().join("part"), "x").unwrap();
        assert!(!cache.path().join("tool-1").exists());
        draft.keep().unwrap();
        assert!(cache.path().join("tool-1/part").exists());
    }

    #[test]
    fn what_a_killed_process_left_is_removed_by_the_next() {
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir(cache.path().join(".tool-1.dead")).unwrap();
        drop(Draft::start(cache.path(), "tool-1").unwrap());
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_second_process_waits_for_the_first() {
        let cache = tempfile::tempdir().unwrap();
        let first = lock(cache.path(), &|_| ()).await.unwrap();
        let waiting = std::sync::atomic::AtomicBool::new(false);
        let told = |_: &str| waiting.store(true, std::sync::atomic::Ordering::SeqCst);
        let second = lock(cache.path(), &told);
        let release = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(second, release);
        assert!(second.is_ok() && waiting.load(std::sync::atomic::Ordering::SeqCst));
    }
}
