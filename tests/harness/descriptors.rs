//! Sockets by the thousand take more open files than shells grant.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that everything else in this process has open, the other tests among it.
const OTHERS: usize = 2_000;

/// Raises this process's limit as far as the machine allows. Answers how many of the wanted things, which take so
/// many files each, there is room for, and says so when they are fewer.
pub(crate) fn room_for(wanted: usize, files_each: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let files = limit.maximum.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let room = files.saturating_sub(OTHERS) / files_each;
    assert!(room > 0, "a process may open {files} files here, too few for this test: raise `ulimit -Hn`");
    if room < wanted {
        println!("a process may open {files} files here: the test makes do with {room} in place of {wanted}");
    }
    room.min(wanted)
}
