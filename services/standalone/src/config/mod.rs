//! What can be set, and where a setting comes from: a flag, else the environment, else the file
//! `storytovideo.toml`.
//!
//! The command line knows flags and environment; what the file says becomes the default of its arguments.
//! Secrets have no flag, as arguments show in the list of processes: [`Config::secret`] reads them.

mod file;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::OsStr;
use clap::{Arg, Command};

/// Read when no other file is named, if it is there.
const USUAL_FILE: &str = "storytovideo.toml";
/// Names another file.
const FILE_VARIABLE: &str = "STORYTOVIDEO_CONFIG";

/// The configuration cannot be used. One line that names the file and the key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// The first line of what the parser says.
        message: String,
    },
    /// The file sets what cannot be set.
    #[error("{}: there is no setting `{key}`; docs/configuration.md lists them", path.display())]
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// The key, with its tables.
        key: String,
    },
    /// A value is no text, number, truth value, or list of these.
    #[error("{}: `{key}` must be a text, a number, true or false, or a list of these", path.display())]
    BadValue {
        /// Which file.
        path: PathBuf,
        /// The key, with its tables.
        key: String,
    },
    /// An environment variable of ours is not UTF-8.
    #[error("{0} is not valid UTF-8")]
    NotText(String),
}

/// What the file says, and with it the environment.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// By environment variable; several values make a list.
    file: BTreeMap<String, Vec<String>>,
}

impl Config {
    /// Reads the file that the arguments or the environment name, else the usual one if it is there.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be read, makes no sense, or sets what is no setting.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, ConfigError> {
        let named = named_file(arguments).or_else(|| env::var_os(FILE_VARIABLE).map(PathBuf::from));
        match named {
            Some(path) => Ok(Self { file: file::read(&path)? }),
            None if Path::new(USUAL_FILE).exists() => Ok(Self { file: file::read(Path::new(USUAL_FILE))? }),
            None => Ok(Self::default()),
        }
    }

    /// The command line with what the file says as the defaults of its arguments.
    pub(crate) fn defaults_for(&self, command: Command) -> Command {
        command
            .mut_args(|argument| self.default_of(argument))
            .mut_subcommands(|command| self.defaults_for(command))
    }

    fn default_of(&self, argument: Arg) -> Arg {
        let variable = argument.get_env().and_then(|name| name.to_str());
        match variable.and_then(|name| self.file.get(name)) {
            Some(values) => {
                let hidden = argument.is_hide_env_values_set();
                let values: Vec<OsStr> = values.iter().map(|value| OsStr::from(value.clone())).collect();
                argument.required(false).hide_default_value(hidden).default_values(values)
            }
            None => argument,
        }
    }

    /// A secret by its key: from the environment, else from the file.
    ///
    /// # Errors
    /// [`ConfigError::NotText`] for a variable that is not UTF-8.
    pub(crate) fn secret(&self, key: &str) -> Result<Option<String>, ConfigError> {
        let variable = settings::variable_of(key);
        match env::var(&variable) {
            Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
            Err(env::VarError::NotPresent) => {
                Ok(self.file.get(&variable).and_then(|values| values.first()).cloned())
            }
            Err(env::VarError::NotUnicode(_)) => Err(ConfigError::NotText(variable)),
        }
    }
}

/// What `--config` names. Looked for before the arguments are parsed, as the file decides their defaults.
fn named_file(arguments: &[OsString]) -> Option<PathBuf> {
    let mut words = arguments.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        if word == "--config" {
            return words.next().map(PathBuf::from);
        }
        if let Some(path) = word.to_str().and_then(|word| word.strip_prefix("--config=")) {
            return Some(PathBuf::from(path));
        }
    }
    None
}
