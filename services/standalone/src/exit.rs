//! Expected errors, each with the exit code that scripts may rely on.

use std::process::ExitCode;

use crate::supervise::SuperviseError;
use crate::tools::ToolError;

/// Why a command did not do what it was asked to. One clear line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Bad usage or configuration: exit code 64.
    #[error("{0}")]
    Usage(String),
    /// It was tried and did not work: exit code 1.
    #[error("{0}")]
    Runtime(String),
    /// Somebody interrupted it: exit code 130.
    #[error("interrupted; the same command goes on where this one stopped")]
    Interrupted,
}

impl Failed {
    /// A failure told by an error and its causes.
    pub fn because(error: impl std::error::Error) -> Self {
        Self::Runtime(chain(&error))
    }

    /// The exit code.
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(64),
            Self::Runtime(_) => ExitCode::FAILURE,
            Self::Interrupted => ExitCode::from(130),
        }
    }
}

impl From<ToolError> for Failed {
    fn from(error: ToolError) -> Self {
        if error.is_configuration() { Self::Usage(chain(&error)) } else { Self::Runtime(chain(&error)) }
    }
}

impl From<SuperviseError> for Failed {
    fn from(error: SuperviseError) -> Self {
        if error.is_configuration() { Self::Usage(chain(&error)) } else { Self::Runtime(chain(&error)) }
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let words = source.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = source.source();
    }
    text
}
