//! Files that people bring: written beside the store while they arrive, and moved to their content address once
//! somebody has looked at them. What is not stored is gone when it is dropped.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::asset::{Asset, AssetKey};
use sha2::{Digest, Sha256};
use tokio::fs;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::MediaError;
use super::folder::{MediaFolder, failed};
use super::leaving::{blocking, found};

/// A file in the course of arriving.
#[derive(Debug)]
pub struct Incoming {
    path: PathBuf,
    file: fs::File,
    hasher: Sha256,
    bytes: u64,
}

impl MediaFolder {
    /// A place for a file to arrive at.
    pub async fn receive_file(&self) -> Result<Incoming, MediaError> {
        let path = self.incoming_folder().join(format!("upload-{}", Uuid::new_v4()));
        let file = fs::File::create_new(&path).await.map_err(failed("make", &path))?;
        Ok(Incoming { path, file, hasher: Sha256::new(), bytes: 0 })
    }

    /// Removes files that were arriving when a process ended: nobody has written to them for so long.
    pub async fn clear_abandoned(&self, age: Duration) -> Result<(), MediaError> {
        let folder = self.incoming_folder();
        blocking(&folder.clone(), "clear", move || {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                let file = found(entry.metadata())?.filter(std::fs::Metadata::is_file);
                let written = file.and_then(|file| file.modified().ok());
                if written.is_some_and(|at| at.elapsed().is_ok_and(|elapsed| elapsed >= age)) {
                    found(std::fs::remove_file(entry.path()))?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Moves a file that has arrived to its content address.
    pub async fn keep(
        &self,
        mut arrived: Incoming,
        kind: &str,
        extension: &str,
    ) -> Result<Asset, MediaError> {
        arrived.settle().await?;
        let digest = hex::encode(arrived.hasher.clone().finalize());
        let wrong = |_| MediaError::WrongContent(format!("{kind}/{digest}.{extension}"));
        let key = AssetKey::new(kind, &digest, extension).map_err(wrong)?;
        if self.want(&key).await?.is_none() {
            self.move_in(&arrived.path, &key).await?;
        }
        Ok(Asset { key, bytes: arrived.bytes, duration_seconds: None })
    }
}

impl Incoming {
    /// Adds what came next.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), MediaError> {
        self.hasher.update(chunk);
        self.bytes += chunk.len() as u64;
        self.file.write_all(chunk).await.map_err(failed("write", &self.path))
    }

    /// How many bytes have come.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes sure that all of it can be read at [`Self::path`].
    pub async fn settle(&mut self) -> Result<(), MediaError> {
        self.file.flush().await.map_err(failed("write", &self.path))?;
        self.file.sync_all().await.map_err(failed("write", &self.path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // One small unlink; what was stored is no longer there to be removed.
        let _ = std::fs::remove_file(&self.path);
    }
}
