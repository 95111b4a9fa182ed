//! Where this machine keeps programs, fonts and caches: read from the environment once, so that looking for
//! tools is a function of its arguments.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Folders where programs stand that a meagre `PATH` (cron, systemd, a container) leaves out.
const USUAL_PROGRAM_FOLDERS: [&str; 4] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"];

/// The places in which tools are looked for and kept, and what this process may do there.
#[derive(Debug, Clone)]
pub struct Places {
    /// Folders with programs, in the order of search.
    pub programs: Vec<PathBuf>,
    /// Folders below which each PostgreSQL version has a folder with a `bin`.
    pub postgres_versions: Vec<PathBuf>,
    /// The only PostgreSQL that will do, when a data folder made by it is to be opened.
    pub postgres_major: Option<u32>,
    /// Folders with fonts, searched through.
    pub fonts: Vec<PathBuf>,
    /// The folder for tools of our own.
    pub cache: PathBuf,
    /// Whether this process is root.
    pub root: bool,
    /// The processor, as wheels name it: `x86_64`, `aarch64`.
    pub architecture: &'static str,
}

impl Places {
    /// This machine's places, with the cache that `$STORYTOVIDEO_CACHE_DIR` names.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::of_this_machine(absolute_variable("STORYTOVIDEO_CACHE_DIR").as_deref())
    }

    /// This machine's places. Without `cache` that is `$XDG_CACHE_HOME/storytovideo`, else
    /// `~/.cache/storytovideo`, else (no home at all) a folder of the user's own below the temporary one.
    #[must_use]
    pub fn of_this_machine(cache: Option<&Path>) -> Self {
        let uid = rustix::process::geteuid();
        let home = env::home_dir().filter(|home| home.is_absolute());
        let mut programs: Vec<PathBuf> = env::var_os("PATH").map_or_else(Vec::new, |path| split(&path));
        programs.extend(USUAL_PROGRAM_FOLDERS.map(PathBuf::from));
        let mut fonts = vec![PathBuf::from("/usr/share/fonts"), PathBuf::from("/usr/local/share/fonts")];
        if let Some(home) = &home {
            fonts.extend([home.join(".local/share/fonts"), home.join(".fonts")]);
        }
        let cache = cache
            .and_then(|folder| std::path::absolute(folder).ok())
            .or_else(|| absolute_variable("XDG_CACHE_HOME").map(|folder| folder.join("storytovideo")))
            .or_else(|| home.map(|home| home.join(".cache/storytovideo")))
            .unwrap_or_else(|| env::temp_dir().join(format!("storytovideo-{}", uid.as_raw())));
        Self {
            programs,
            postgres_versions: vec![PathBuf::from("/usr/lib/postgresql")],
            postgres_major: None,
            fonts,
            cache,
            root: uid.is_root(),
            architecture: env::consts::ARCH,
        }
    }

    /// Whether packages can be installed here: root, on a machine with `apt-get`.
    #[must_use]
    pub fn can_apt(&self) -> bool {
        self.root && self.program("apt-get").is_some()
    }

    /// The first program of this name.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.all_programs(name).next()
    }

    /// Every program of this name, in the order of search.
    pub fn all_programs(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        self.programs.iter().map(move |folder| folder.join(name)).filter(|path| path.is_file())
    }
}

/// A relative entry of `PATH` would mean another program in every folder.
fn split(path: &OsStr) -> Vec<PathBuf> {
    env::split_paths(path).filter(|folder| folder.is_absolute()).collect()
}

fn absolute_variable(name: &str) -> Option<PathBuf> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    std::path::absolute(value).ok()
}
