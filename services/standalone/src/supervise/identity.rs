//! The user as whom PostgreSQL runs. It refuses to run as root, so root must be someone else for it.
//!
//! A user namespace is tried first: in it the process still owns root's files, wherever they are, and only
//! its number differs, so a data folder that root alone may enter works in place. Where the kernel or a
//! container forbids namespaces, or the folder lies in another user's home, an account that can enter the
//! folder is used, and the database's files are given to it. Where none can (root in a container, with
//! everything below its own home), the account gets one of root's capabilities, to pass closed folders
//! (`CAP_DAC_OVERRIDE`), which the usual containers leave to root. Which one works is found by trying, not by
//! guessing.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use tokio::process::Command;

use super::SuperviseError;

/// The number that root bears in a user namespace. It must be a known account, since initdb asks for its
/// name: `nobody` on Debian and its kin.
const NAMESPACE_ID: u32 = 65_534;
/// Accounts that may be there for the purpose, the better first.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];
/// Where the system's own programs are.
const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// As whom a server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// As this process.
    Same,
    /// As root in a user namespace where root bears another number.
    Namespace,
    /// As another account.
    Account { uid: u32, gid: u32 },
    /// As another account that may pass any folder.
    Passing { uid: u32, gid: u32 },
}

impl Identity {
    /// Finds one that can enter `folder` and run `program`.
    ///
    /// # Errors
    /// [`SuperviseError::NoIdentity`] when there is none.
    pub(super) async fn for_server(folder: &Path, program: &Path) -> Result<Self, SuperviseError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Same);
        }
        for identity in candidates(folder) {
            if identity.works(folder, program).await {
                return Ok(identity);
            }
        }
        Err(SuperviseError::NoIdentity { folder: folder.to_path_buf(), program: program.to_path_buf() })
    }

    /// `program` as this identity, with nothing in its environment but what a server needs. With a
    /// `death_signal` (its name without `SIG`) it gets that when the thread that starts it ends.
    pub(super) fn command(self, program: &Path, death_signal: Option<&str>) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if self == Self::Namespace {
            words.push("unshare".into());
            words.push("--user".into());
            words.push(format!("--map-user={NAMESPACE_ID}").into());
            words.push(format!("--map-group={NAMESPACE_ID}").into());
        }
        // Last, since a change of user clears the signal; setpriv itself changes the user first.
        words.push("setpriv".into());
        if let Some((uid, gid)) = self.account() {
            words.push(format!("--reuid={uid}").into());
            words.push(format!("--regid={gid}").into());
            words.push("--clear-groups".into());
        }
        if matches!(self, Self::Passing { .. }) {
            // Without this the kernel's `access`, which initdb asks, leaves the capability out.
            words.push("--securebits=+no_setuid_fixup".into());
            words.push("--inh-caps=+dac_override".into());
            words.push("--ambient-caps=+dac_override".into());
        }
        words.extend(death_signal.map(|signal| format!("--pdeathsig={signal}").into()));
        words.push("--".into());
        words.push(program.into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().env("PATH", SYSTEM_PATH).env("LC_ALL", "C").current_dir("/");
        // A group of its own: Ctrl-C in the terminal is for us, and we stop the servers in order.
        command.process_group(0);
        command
    }

    /// Gives a folder of the server's, and all in it, to this identity, if another had it.
    pub(super) fn take_over(self, folder: &Path) -> Result<(), SuperviseError> {
        if self == Self::Same {
            return Ok(());
        }
        let owner = self.account().unwrap_or((0, 0));
        let now = fs::symlink_metadata(folder).map_err(SuperviseError::file(folder))?;
        if (now.uid(), now.gid()) == owner { Ok(()) } else { give(folder, owner) }
    }

    /// The account's user and group. `None`: the process keeps its own, as files see it.
    const fn account(self) -> Option<(u32, u32)> {
        match self {
            Self::Same | Self::Namespace => None,
            Self::Account { uid, gid } | Self::Passing { uid, gid } => Some((uid, gid)),
        }
    }

    async fn works(self, folder: &Path, program: &Path) -> bool {
        let script = r#"test -x "$1" && exec "$2" --version"#;
        let mut command = self.command(Path::new("sh"), None);
        command.args(["-c", script, "sh"]).arg(folder).arg(program).kill_on_drop(true);
        command.output().await.is_ok_and(|output| output.status.success())
    }
}

/// Gives the contents first: what was left half-given is found again by its folder's owner.
fn give(path: &Path, owner: (u32, u32)) -> Result<(), SuperviseError> {
    let about = fs::symlink_metadata(path).map_err(SuperviseError::file(path))?;
    if about.is_dir() {
        for entry in fs::read_dir(path).map_err(SuperviseError::file(path))? {
            give(&entry.map_err(SuperviseError::file(path))?.path(), owner)?;
        }
    }
    lchown(path, Some(owner.0), Some(owner.1)).map_err(SuperviseError::file(path))
}

/// Root's other selves, the preferred first.
fn candidates(folder: &Path) -> Vec<Identity> {
    let mut candidates = vec![Identity::Namespace];
    // In a home that only its user may enter, that user.
    let owners = folder.ancestors().filter_map(|folder| fs::metadata(folder).ok());
    let user = owners.map(|about| (about.uid(), about.gid())).find(|&(uid, _)| uid != 0);
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named: Vec<(u32, u32)> = ACCOUNTS.iter().filter_map(|name| account(&accounts, name)).collect();
    candidates.extend(user.iter().chain(&named).map(|&(uid, gid)| Identity::Account { uid, gid }));
    candidates.extend(named.iter().map(|&(uid, gid)| Identity::Passing { uid, gid }));
    candidates
}

/// The numbers of an account in the text of `/etc/passwd`.
fn account(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\nnobody2:x:5:6::/:/bin/sh\nnobody:x:7:8::/:/bin/sh\n";
        assert_eq!(account(accounts, "nobody"), Some((7, 8)));
        assert_eq!(account(accounts, "postgres"), None);
    }

    #[tokio::test]
    async fn someone_who_can_enter_the_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::for_server(folder.path(), Path::new("/bin/ls")).await.unwrap();
        let output = identity.command(Path::new("id"), Some("KILL")).arg("-u").output().await.unwrap();
        assert!(output.status.success());
        assert_ne!(String::from_utf8_lossy(&output.stdout).trim(), "0");
    }
}
