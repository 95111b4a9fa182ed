//! How stored files are wanted, and how they go.
//!
//! Whoever is about to name a stored file in an event touches it first ([`MediaFolder::want`]); whoever removes one
//! that nobody names takes it out of its place first, and looks then whether it was touched
//! ([`MediaFolder::remove`]). Of the two one comes first: either the touch is seen and the file goes back, or the
//! file is not found any more by the other. So no lock is needed, and any number of processes may do either.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use domain::asset::AssetKey;

use super::MediaError;
use super::folder::{MediaFolder, failed};

/// Files on their way out, each named by its key.
pub(super) const LEAVING: &str = "leaving";
/// Says which database the folder belongs to.
const OWNER: &str = "owner";

/// A part of the stored files: those of one kind whose digests begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    kind: String,
    path: PathBuf,
}

impl MediaFolder {
    /// The size of a file, if it is stored; it is not removed for a while then.
    pub async fn want(&self, key: &AssetKey) -> Result<Option<u64>, MediaError> {
        let path = self.path(key);
        blocking(&path.clone(), "touch", move || found(touch(&path))).await
    }

    /// Says whose folder this is, if nobody has yet, and answers whether it is this owner's.
    pub async fn belongs_to(&self, owner: &str) -> Result<bool, MediaError> {
        let (path, owner) = (self.root().join(OWNER), owner.to_owned());
        blocking(&path.clone(), "read", move || {
            if found(fs::metadata(&path))?.is_none() {
                // Whole or not at all; of several the last one is believed by all.
                let file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(&path))?;
                fs::write(file.path(), &owner)?;
                let _ = file.persist_noclobber(&path);
            }
            Ok(fs::read_to_string(&path)?.trim() == owner)
        })
        .await
    }

    /// Every part of what is stored.
    pub async fn shards(&self) -> Result<Vec<Shard>, MediaError> {
        let root = self.root().to_owned();
        blocking(&root.clone(), "list", move || {
            let mut shards = Vec::new();
            for (kind, folder) in folders(&root)? {
                let parts = folders(&folder)?.into_iter().filter(|(name, _)| name.len() == 2);
                shards.extend(parts.map(|(_, path)| Shard { kind: kind.clone(), path }));
            }
            Ok(shards)
        })
        .await
    }

    /// What is stored in a part and was neither stored nor wanted since.
    pub async fn unwanted_since(
        &self,
        shard: &Shard,
        since: SystemTime,
    ) -> Result<Vec<AssetKey>, MediaError> {
        let Shard { kind, path } = shard.clone();
        blocking(&path.clone(), "list", move || {
            let mut keys = Vec::new();
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                let name = entry.file_name();
                let key = name.to_str().and_then(|name| AssetKey::parse(&format!("{kind}/{name}")).ok());
                let touched = found(entry.metadata())?.and_then(|found| found.modified().ok());
                keys.extend(key.filter(|_| touched.is_some_and(|touched| touched < since)));
            }
            Ok(keys)
        })
        .await
    }

    /// Removes a file that was not wanted since; answers its size, or nothing when it stays or is not there.
    pub async fn remove(&self, key: &AssetKey, since: SystemTime) -> Result<Option<u64>, MediaError> {
        let (stored, leaving) = (self.path(key), self.leaving(key));
        blocking(&stored.clone(), "remove", move || {
            if found(fs::rename(&stored, &leaving))?.is_none() {
                return Ok(None);
            }
            let Some(taken) = found(fs::metadata(&leaving))? else { return Ok(None) };
            if taken.modified()? >= since {
                give_back(&leaving, &stored)?;
                return Ok(None);
            }
            Ok(found(fs::remove_file(&leaving))?.map(|()| taken.len()))
        })
        .await
    }

    /// Puts back whatever was on its way out when a process ended: it is looked at anew.
    pub async fn put_back(&self) -> Result<(), MediaError> {
        let (folder, media) = (self.root().join(LEAVING), self.clone());
        blocking(&folder.clone(), "put back", move || {
            fs::create_dir_all(&folder)?;
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().replacen('.', "/", 1);
                if let Ok(key) = AssetKey::parse(&name) {
                    give_back(&entry.path(), &media.path(&key))?;
                }
            }
            Ok(())
        })
        .await
    }

    fn leaving(&self, key: &AssetKey) -> PathBuf {
        self.root().join(LEAVING).join(key.as_str().replacen('/', ".", 1))
    }
}

/// Touches by the open file, and then looks whether it is still in its place: a remover that took it before looks
/// at the time after this, or was too late.
pub(super) fn touch(path: &Path) -> io::Result<u64> {
    fs::OpenOptions::new().append(true).open(path)?.set_modified(SystemTime::now())?;
    fs::metadata(path).map(|found| found.len())
}

/// Links it to where it was, unless the same is stored there again by now.
fn give_back(leaving: &Path, stored: &Path) -> io::Result<()> {
    match fs::hard_link(leaving, stored) {
        Err(error) if !matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
            return Err(error);
        }
        _ => {}
    }
    found(fs::remove_file(leaving)).map(drop)
}

/// What is not there is no error.
pub(super) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folders in a folder, with their names.
fn folders(within: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(within)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    folders.sort();
    Ok(folders)
}

/// Does what waits for the disk where it may.
pub(super) async fn blocking<T: Send + 'static>(
    path: &Path,
    operation: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, MediaError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
    done.flatten().map_err(failed(operation, path))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Stored {
        _folder: tempfile::TempDir,
        media: MediaFolder,
        key: AssetKey,
    }

    impl Stored {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let media = MediaFolder::open(folder.path()).await.unwrap();
            let mut file = media.receive_file().await.unwrap();
            file.write(b"a picture").await.unwrap();
            let key = media.keep(file, "image", "png").await.unwrap().key;
            media.put_back().await.unwrap();
            Self { _folder: folder, media, key }
        }

        async fn size(&self) -> Option<u64> {
            self.media.size(&self.key).await.unwrap()
        }
    }

    fn in_an_hour() -> SystemTime {
        SystemTime::now() + Duration::from_secs(3_600)
    }

    #[tokio::test]
    async fn what_nobody_wanted_goes_and_what_somebody_wanted_stays() {
        let stored = Stored::new().await;
        let before = SystemTime::now() - Duration::from_secs(3_600);
        assert_eq!(stored.media.remove(&stored.key, before).await.unwrap(), None);
        assert_eq!(stored.size().await, Some(9));
        assert_eq!(stored.media.want(&stored.key).await.unwrap(), Some(9));
        assert_eq!(stored.media.remove(&stored.key, in_an_hour()).await.unwrap(), Some(9));
        assert_eq!(stored.size().await, None);
        assert_eq!(stored.media.want(&stored.key).await.unwrap(), None);
        assert_eq!(stored.media.remove(&stored.key, in_an_hour()).await.unwrap(), None, "it is gone");
    }

    #[tokio::test]
    async fn what_was_on_its_way_out_when_a_process_ended_is_put_back_once() {
        let stored = Stored::new().await;
        let (path, leaving) = (stored.media.path(&stored.key), stored.media.leaving(&stored.key));
        fs::rename(&path, &leaving).unwrap();
        stored.media.put_back().await.unwrap();
        assert_eq!(stored.size().await, Some(9));
        // Stored anew meanwhile: that one stays.
        fs::copy(&path, &leaving).unwrap();
        stored.media.put_back().await.unwrap();
        assert_eq!((stored.size().await, leaving.exists()), (Some(9), false));
    }

    #[tokio::test]
    async fn only_what_was_not_wanted_lately_is_listed() {
        let stored = Stored::new().await;
        let listed = async |since| {
            let mut keys = Vec::new();
            for shard in stored.media.shards().await.unwrap() {
                keys.extend(stored.media.unwanted_since(&shard, since).await.unwrap());
            }
            keys
        };
        assert_eq!(listed(in_an_hour()).await, std::slice::from_ref(&stored.key));
        assert_eq!(listed(SystemTime::now() - Duration::from_secs(3_600)).await, []);
    }

    #[tokio::test]
    async fn a_folder_belongs_to_whoever_said_so_first() {
        let stored = Stored::new().await;
        assert!(stored.media.belongs_to("one").await.unwrap());
        assert!(!stored.media.belongs_to("another").await.unwrap());
        assert!(stored.media.belongs_to("one").await.unwrap());
    }

    /// Touches and removals in every order that threads come up with: what was wanted is there afterwards.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_wanted_at_the_moment_of_its_removal_is_not_lost() {
        let stored = Stored::new().await;
        let path = stored.media.path(&stored.key);
        for _ in 0..300 {
            let since = SystemTime::now() - Duration::from_secs(3_600);
            let old = SystemTime::now() - Duration::from_secs(7_200);
            fs::write(&path, b"a picture").unwrap();
            fs::File::options().append(true).open(&path).unwrap().set_modified(old).unwrap();
            let (wanted, removed) =
                tokio::join!(stored.media.want(&stored.key), stored.media.remove(&stored.key, since));
            let (wanted, removed) = (wanted.unwrap().is_some(), removed.unwrap().is_some());
            assert_eq!(stored.size().await.is_some(), !removed);
            assert!(!(wanted && removed), "it was promised and is gone");
        }
    }
}
