//! How many files and sockets this process may have open. Shells start programs with few (1,024 is usual), far
//! below what the system grants to whoever asks.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Asks for as many as the system grants. Servers keep within what there is, so a refusal is only noted.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
