//! Stored media: content-addressed, written once.

mod folder;
mod incoming;
mod leaving;

pub use folder::{MediaFolder, ReceivedAsset, digest};
pub use incoming::Incoming;
pub use leaving::Shard;

/// Media could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The file system said no.
    #[error("media: could not {operation} {name}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// With which file.
        name: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// What was uploaded is not what its address says.
    #[error("media: {0} does not contain what its address says")]
    WrongContent(String),
    /// No such asset is stored.
    #[error("media: {0} is not stored")]
    Missing(String),
}

impl MediaError {
    /// Whether the store itself is in trouble (full, gone), rather than this one file.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}
