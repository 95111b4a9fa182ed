//! A server's log: written by the server itself into a file that we keep from growing without end.
//!
//! The server holds the file open for appending, so it goes on at the new end when the file is cut.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes after which the log is put aside as `….1`, in place of the one before.
const LIMIT: u64 = 8 * 1024 * 1024;
/// Bytes at the end that are read for its last words.
const TAIL: u64 = 4096;
/// Lines of last words.
const LAST_LINES: usize = 3;

/// The log file of one server.
#[derive(Debug, Clone)]
pub(super) struct Log {
    path: PathBuf,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for a server to append to.
    pub(super) fn open(&self) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)
    }

    /// Puts the log aside when it has grown too long.
    pub(super) fn trim(&self) -> io::Result<()> {
        if fs::metadata(&self.path)?.len() > LIMIT {
            fs::copy(&self.path, self.path.with_extension("log.1"))?;
            OpenOptions::new().write(true).open(&self.path)?.set_len(0)?;
        }
        Ok(())
    }

    /// The last lines, on one line.
    pub(super) fn last_words(&self) -> String {
        let read = || {
            let mut file = File::open(&self.path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        let bytes = read().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join(" / ")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_long_log_is_put_aside_and_its_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::new(folder.path().join("server.log"));
        let mut writer = log.open().unwrap();
        writer.write_all(&vec![b'x'; usize::try_from(LIMIT).unwrap() + 1]).unwrap();
        log.trim().unwrap();
        writer.write_all(b"after\n").unwrap();
        assert_eq!(fs::read_to_string(log.path()).unwrap(), "after\n");
        assert!(fs::metadata(folder.path().join("server.log.1")).unwrap().len() > LIMIT);
    }

    #[test]
    fn the_last_words_are_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::new(folder.path().join("server.log"));
        log.open().unwrap().write_all(b"first\n\nFATAL: no\n").unwrap();
        assert_eq!(log.last_words(), "first / FATAL: no");
    }
}
