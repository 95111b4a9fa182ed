//! The Python 3 of this machine: pip is the client that fetches wheels, so that the user's own index settings
//! and mirrors count, and Piper runs in it.

use std::path::PathBuf;

use tokio::process::Command;

use super::places::Places;
use super::run::{QUESTION, run};

/// Tells the interpreter behind any launcher script, its version, and whether it has pip.
const QUESTION_SCRIPT: &str = "import sys, importlib.util as u; \
    print(sys.executable, '%d.%d' % sys.version_info[:2], 'pip' if u.find_spec('pip') else '-', sep='\\n')";

/// A Python interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Python {
    /// The interpreter itself.
    pub(super) program: PathBuf,
    /// Major and minor version, as in `3.11`.
    pub(super) version: String,
    /// Whether it can run `-m pip`; Debian ships pip apart.
    pub(super) has_pip: bool,
}

impl Python {
    /// The first `python3` that runs, one with pip preferred.
    pub(super) async fn find(places: &Places) -> Option<Self> {
        let mut first = None;
        for launcher in places.all_programs("python3") {
            let answer = run(Command::new(&launcher).args(["-I", "-c", QUESTION_SCRIPT]), QUESTION).await;
            match answer.ok().and_then(|answer| Self::parse(&answer)) {
                Some(python) if python.has_pip => return Some(python),
                found => first = first.or(found),
            }
        }
        first
    }

    fn parse(answer: &str) -> Option<Self> {
        let mut lines = answer.lines();
        let program = PathBuf::from(lines.next()?);
        let version = lines.next()?.to_owned();
        let has_pip = lines.next()? == "pip";
        Some(Self { program, version, has_pip })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_tells_itself_and_whether_it_has_pip() {
        let python = Python::parse("/usr/bin/python3\n3.11\n-\n").unwrap();
        assert_eq!(python.version, "3.11");
        assert!(!python.has_pip);
        assert_eq!(Python::parse("pyenv: no version\n"), None);
    }
}
