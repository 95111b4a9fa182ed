//! Media in a local folder: `<kind>/<first two digits>/<sha256>.<ext>`, and uploads under way in
//! `incoming/<task>/<claim>/`.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use domain::asset::AssetKey;
use domain::ids::{ClaimId, TaskId};
use sha2::{Digest, Sha256};
use tokio::fs;
use tokio::io::AsyncReadExt;

use super::MediaError;
use super::leaving::{LEAVING, blocking, found, touch};

/// A folder of media.
#[derive(Debug, Clone)]
pub struct MediaFolder {
    root: PathBuf,
}

/// An upload that arrived whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedAsset {
    /// Its address.
    pub key: AssetKey,
    /// Its size.
    pub bytes: u64,
    /// Whether it was stored before.
    pub known: bool,
}

pub(super) fn failed(
    operation: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> MediaError + use<> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    move |source| MediaError::Io { operation, name, source }
}

impl MediaFolder {
    /// The folder at `root`, made if need be.
    pub async fn open(root: &Path) -> Result<Self, MediaError> {
        for folder in ["incoming", LEAVING] {
            fs::create_dir_all(root.join(folder)).await.map_err(failed("make", root))?;
        }
        let root = fs::canonicalize(root).await.map_err(failed("find", root))?;
        Ok(Self { root })
    }

    /// Where an asset is, stored or not.
    pub fn path(&self, key: &AssetKey) -> PathBuf {
        let (kind, name) = key.as_str().split_once('/').unwrap_or(("unknown", key.as_str()));
        self.root.join(kind).join(name.get(..2).unwrap_or("00")).join(name)
    }

    /// Its size, if it is stored.
    pub async fn size(&self, key: &AssetKey) -> Result<Option<u64>, MediaError> {
        let path = self.path(key);
        match fs::metadata(&path).await {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("look for", &path)(error)),
        }
    }

    /// Bytes that are free on the disk, for us.
    pub async fn free_bytes(&self) -> Result<u64, MediaError> {
        let root = self.root.clone();
        let look = move || rustix::fs::statvfs(&root).map_err(std::io::Error::from);
        let found = tokio::task::spawn_blocking(look).await.map_err(std::io::Error::other);
        let disk = found.and_then(|looked| looked).map_err(failed("measure", &self.root))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn incoming_folder(&self) -> PathBuf {
        self.root.join("incoming")
    }

    /// Whether the folder can be written to.
    pub async fn ready(&self) -> Result<(), MediaError> {
        let probe = self.root.join("incoming");
        fs::metadata(&probe).await.map(drop).map_err(failed("find", &probe))
    }

    /// Where a run puts a file; its folder is made.
    pub async fn incoming(
        &self,
        task: TaskId,
        claim: ClaimId,
        key: &AssetKey,
    ) -> Result<PathBuf, MediaError> {
        let folder = self.run_folder(task, claim);
        fs::create_dir_all(&folder).await.map_err(failed("make", &folder))?;
        Ok(folder.join(format!("{}.{}", key.sha256(), key.extension())))
    }

    /// Moves an upload of a run to its content address, after a look at whether it is what it says.
    /// An asset that is stored already is left as it is.
    pub async fn receive(
        &self,
        task: TaskId,
        claim: ClaimId,
        key: &AssetKey,
    ) -> Result<ReceivedAsset, MediaError> {
        if let Some(bytes) = self.want(key).await? {
            return Ok(ReceivedAsset { key: key.clone(), bytes, known: true });
        }
        let uploaded = self.run_folder(task, claim).join(format!("{}.{}", key.sha256(), key.extension()));
        let (digest, bytes) = match digest(&uploaded).await {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(MediaError::Missing(key.to_string()));
            }
            Err(error) => return Err(failed("read", &uploaded)(error)),
        };
        if digest != key.sha256() || bytes == 0 {
            return Err(MediaError::WrongContent(key.to_string()));
        }
        self.move_in(&uploaded, key).await?;
        Ok(ReceivedAsset { key: key.clone(), bytes, known: false })
    }

    /// Moves a file to its address. It may have lain beside the store for long, and is wanted from now on.
    pub(super) async fn move_in(&self, uploaded: &Path, key: &AssetKey) -> Result<(), MediaError> {
        let (uploaded, stored) = (uploaded.to_owned(), self.path(key));
        blocking(&stored.clone(), "store", move || {
            let folder = stored.parent().unwrap_or(&stored);
            std::fs::create_dir_all(folder)?;
            touch(&uploaded)?;
            std::fs::rename(&uploaded, &stored)?;
            // Only so does it survive a power cut.
            std::fs::File::open(folder)?.sync_all()
        })
        .await
    }

    /// A file without a name, for what arrives and is looked at before it is stored. It goes with whoever has it.
    pub fn scratch(&self) -> Result<std::fs::File, MediaError> {
        let folder = self.root.join("incoming");
        tempfile::tempfile_in(&folder).map_err(failed("write into", &folder))
    }

    /// Stores what a reader brings, after a look at whether it is what its address says. What is stored already
    /// is left as it is; of what is new the time is answered that [`MediaFolder::remove`] wants, to take it back as
    /// long as nobody else wanted it. Blocks: for a thread that may.
    pub fn store(
        &self,
        key: &AssetKey,
        content: &mut dyn std::io::Read,
    ) -> Result<Option<SystemTime>, MediaError> {
        let stored = self.path(key);
        if found(touch(&stored)).map_err(failed("look for", &stored))?.is_some() {
            return Ok(None);
        }
        let mut write = || {
            let mut file = tempfile::NamedTempFile::new_in(self.root.join("incoming"))?;
            if copy_hashing(content, &mut file)? != key.sha256() {
                return Ok(Err(MediaError::WrongContent(key.to_string())));
            }
            file.as_file().sync_all()?;
            let written = file.as_file().metadata()?.modified()?;
            let folder = stored.parent().unwrap_or(&self.root);
            std::fs::create_dir_all(folder)?;
            match file.persist_noclobber(&stored) {
                Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                    touch(&stored)?;
                    return Ok(Ok(None));
                }
                persisted => drop(persisted?),
            }
            std::fs::File::open(folder)?.sync_all()?;
            Ok(Ok(Some(written + Duration::from_nanos(1))))
        };
        write().map_err(failed("store", &stored))?
    }

    /// Forgets what a task's runs uploaded, once nobody can ask for it any more.
    pub async fn clear_incoming(&self, task: TaskId) -> Result<(), MediaError> {
        let folder = self.root.join("incoming").join(task.to_string());
        match fs::remove_dir_all(&folder).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("clear", &folder)(error)),
        }
    }

    /// Keeps a run's report beside its uploads, so that the work is not lost with the worker.
    pub fn report_path(folder_of_upload: &Path) -> PathBuf {
        folder_of_upload.join("report.json")
    }

    /// The reports of earlier runs of a task that uploaded everything and then were lost.
    pub async fn reports(&self, task: TaskId) -> Result<Vec<(ClaimId, Vec<u8>)>, MediaError> {
        let folder = self.root.join("incoming").join(task.to_string());
        let mut runs = match fs::read_dir(&folder).await {
            Ok(runs) => runs,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("read", &folder)(error)),
        };
        let mut reports = Vec::new();
        while let Some(run) = runs.next_entry().await.map_err(failed("read", &folder))? {
            let claim = run.file_name().to_string_lossy().parse::<ClaimId>();
            if let (Ok(claim), Ok(report)) = (claim, fs::read(Self::report_path(&run.path())).await) {
                reports.push((claim, report));
            }
        }
        Ok(reports)
    }

    /// Up to `limit` tasks whose runs uploaded something, none of it within the last `age`.
    pub async fn old_incoming(&self, age: Duration, limit: usize) -> Result<Vec<TaskId>, MediaError> {
        let folder = self.root.join("incoming");
        let mut tasks = fs::read_dir(&folder).await.map_err(failed("read", &folder))?;
        let mut old = Vec::new();
        while let Some(task) = tasks.next_entry().await.map_err(failed("read", &folder))? {
            let touched = task.metadata().await.and_then(|found| found.modified());
            // A time in the future has no age, and is not old.
            let is_old = touched.is_ok_and(|touched| touched.elapsed().is_ok_and(|elapsed| elapsed >= age));
            if let (true, Ok(task)) = (is_old, task.file_name().to_string_lossy().parse()) {
                old.push(task);
            }
            if old.len() >= limit {
                break;
            }
        }
        Ok(old)
    }

    fn run_folder(&self, task: TaskId, claim: ClaimId) -> PathBuf {
        self.root.join("incoming").join(task.to_string()).join(claim.to_string())
    }
}

/// Copies everything, and answers its SHA-256, hexadecimal.
fn copy_hashing(from: &mut dyn std::io::Read, to: &mut dyn std::io::Write) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex::encode(hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
    }
}

/// SHA-256 (hexadecimal) and size of a file.
pub async fn digest(path: &Path) -> std::io::Result<(String, u64)> {
    let mut file = fs::File::open(path).await?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0_u64;
    loop {
        let read = file.read(&mut buffer).await?;
        if read == 0 {
            return Ok((hex::encode(hasher.finalize()), bytes));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}
