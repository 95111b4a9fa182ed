//! Where a server listens and what opens it: chosen once, kept beside the server's own files, and kept the
//! same over restarts so that its clients find it again.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::SuperviseError;
use super::data_folder::write_whole;

/// Ports below those that Linux gives to outgoing connections (32768 and up), where a port that is free now
/// would be taken by chance later.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Random ports that are tried before giving up.
const PORT_TRIES: usize = 50;

/// A port of the loopback address, and the password that the server asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Endpoint {
    pub(super) port: u16,
    /// A letter and 32 hexadecimal digits: no quoting needed anywhere, and never taken for a number.
    pub(super) password: String,
}

impl Endpoint {
    /// A free port and a new password.
    pub(super) fn choose(server: &'static str) -> Result<Self, SuperviseError> {
        let mut key = [0; 16];
        random(&mut key)?;
        Ok(Self { port: free_port(server)?, password: format!("p{}", hex::encode(key)) })
    }

    /// Reads an endpoint that [`Endpoint::keep`] wrote.
    pub(super) fn read(path: &Path) -> Result<Self, SuperviseError> {
        let text = fs::read_to_string(path).map_err(SuperviseError::file(path))?;
        serde_json::from_str(&text).map_err(|error| SuperviseError::file(path)(error.into()))
    }

    /// Writes it for the next start, for the owner's eyes only.
    pub(super) fn keep(&self, path: &Path) -> Result<(), SuperviseError> {
        let text = serde_json::to_string(self).map_err(|error| SuperviseError::file(path)(error.into()))?;
        write_whole(path, &text, 0o600)
    }

    /// Chooses another port if someone else has taken this one; `true` if so.
    pub(super) fn leave_taken_port(&mut self, server: &'static str) -> Result<bool, SuperviseError> {
        if is_free(self.port) {
            return Ok(false);
        }
        self.port = free_port(server)?;
        Ok(true)
    }
}

fn free_port(server: &'static str) -> Result<u16, SuperviseError> {
    for _ in 0..PORT_TRIES {
        let mut bytes = [0; 2];
        random(&mut bytes)?;
        let port = PORTS.start + u16::from_le_bytes(bytes) % (PORTS.end - PORTS.start);
        if is_free(port) {
            return Ok(port);
        }
    }
    Err(SuperviseError::NoPort { server })
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn random(bytes: &mut [u8]) -> Result<(), SuperviseError> {
    let source = Path::new("/dev/urandom");
    File::open(source).and_then(|mut file| file.read_exact(bytes)).map_err(SuperviseError::file(source))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_endpoint_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("endpoint.json");
        let chosen = Endpoint::choose("test").unwrap();
        chosen.keep(&path).unwrap();
        assert_eq!(Endpoint::read(&path).unwrap(), chosen);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_port_that_someone_took_is_left() {
        let mut endpoint = Endpoint::choose("test").unwrap();
        assert!(!endpoint.leave_taken_port("test").unwrap());
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, endpoint.port)).unwrap();
        let before = endpoint.port;
        assert!(endpoint.leave_taken_port("test").unwrap());
        assert_ne!(endpoint.port, before);
    }

    #[test]
    fn passwords_differ() {
        assert_ne!(Endpoint::choose("test").unwrap().password, Endpoint::choose("test").unwrap().password);
    }
}
