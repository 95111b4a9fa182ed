//! Looks for a tool in `PATH` and the usual places, then in the cache, and asks each candidate for its
//! version: what stands there may be too old, built without a part, or a script that wraps something else.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::process::Command;

use super::Tool;
use super::places::Places;
use super::python::Python;
use super::run::{QUESTION, run};
use super::wheels;

/// Oldest PostgreSQL that will do.
const POSTGRES_MINIMUM: (u32, u32) = (15, 0);
/// Oldest nats-server that will do.
const NATS_MINIMUM: (u32, u32) = (2, 14);
/// Filters that films are made with.
const FFMPEG_FILTERS: [&str; 4] = ["ass", "tpad", "boxblur", "overlay"];
/// How a font's file name begins, and the family in it.
type KnownFont = (&'static str, &'static str);
/// Entries of font folders that are looked at, at most.
const FONT_ENTRIES: usize = 20_000;
/// Fonts with Chinese characters, the preferred first.
const CJK_FONTS: [KnownFont; 11] = [
    ("NotoSansCJK-Regular.", "Noto Sans CJK SC"),
    ("NotoSansCJKsc-Regular.", "Noto Sans CJK SC"),
    ("NotoSansSC-Regular.", "Noto Sans SC"),
    ("SourceHanSansSC-Regular.", "Source Han Sans SC"),
    ("SourceHanSansCN-Regular.", "Source Han Sans CN"),
    ("wqy-microhei.", "WenQuanYi Micro Hei"),
    ("wqy-zenhei.", "WenQuanYi Zen Hei"),
    ("NotoSerifCJK-Regular.", "Noto Serif CJK SC"),
    ("DroidSansFallbackFull.", "Droid Sans Fallback"),
    ("uming.", "AR PL UMing CN"),
    ("ukai.", "AR PL UKai CN"),
];
/// Fonts for other scripts, the preferred first. Chinese fonts draw curly quotes as wide as their characters.
const LATIN_FONTS: [KnownFont; 7] = [
    ("NotoSans-Regular.", "Noto Sans"),
    ("DejaVuSans.", "DejaVu Sans"),
    ("LiberationSans-Regular.", "Liberation Sans"),
    ("OpenSans-Regular.", "Open Sans"),
    ("Roboto-Regular.", "Roboto"),
    ("Arimo-Regular.", "Arimo"),
    ("FreeSans.", "FreeSans"),
];

/// A font on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Font {
    /// Its file.
    pub path: PathBuf,
    /// Its family, as subtitles name it.
    pub family: &'static str,
}

/// A tool that will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// See [`super::Toolbox::path`].
    pub path: PathBuf,
    /// What it says its version is; the family name of a font.
    pub version: String,
}

/// What looking for a tool gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is there.
    Usable(Found),
    /// Something of that name is there, but will not do.
    Unusable {
        /// The last candidate.
        path: PathBuf,
        /// Why it will not do.
        reason: String,
    },
    /// Nothing of that name is there.
    Missing,
}

impl Finding {
    /// Whether the tool can be used.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        matches!(self, Self::Usable(_))
    }
}

/// Looks for `tool`; the first candidate that will do is taken.
pub(super) async fn find(tool: Tool, places: &Places, python: Option<&Python>) -> Finding {
    let cached = wheels::cached(tool, places, python);
    let mut finding = Finding::Missing;
    for path in system_candidates(tool, places).into_iter().chain(cached) {
        if !path.exists() {
            continue;
        }
        match version(tool, &path, places).await {
            Ok(version) => return Finding::Usable(Found { path, version }),
            Err(reason) => finding = Finding::Unusable { path, reason },
        }
    }
    finding
}

fn system_candidates(tool: Tool, places: &Places) -> Vec<PathBuf> {
    match tool {
        Tool::Postgres => postgres_folders(places),
        Tool::NatsServer => places.all_programs("nats-server").collect(),
        Tool::Ffmpeg => places.all_programs("ffmpeg").collect(),
        Tool::EspeakNg => places.all_programs("espeak-ng").collect(),
        Tool::CjkFont => best_font(&places.fonts, &CJK_FONTS).map(|font| font.path).into_iter().collect(),
        // Packages in some Python of the user's may change under us at any time.
        Tool::Piper => Vec::new(),
    }
}

/// Folders with a real `postgres` and `initdb` in it. Links are followed, as Debian and others link to the
/// folder of one version; wrapper scripts, which switch users or versions, are passed over for what they
/// wrap.
fn postgres_folders(places: &Places) -> Vec<PathBuf> {
    let mut versions: Vec<PathBuf> =
        places.postgres_versions.iter().flat_map(|folder| children(folder)).collect();
    versions.sort_by_key(|folder| {
        std::cmp::Reverse(numbers(&folder.file_name().unwrap_or_default().to_string_lossy()))
    });
    let linked = places.all_programs("postgres").filter_map(|program| fs::canonicalize(program).ok());
    let linked = linked.filter_map(|program| program.parent().map(Path::to_path_buf));
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in linked.chain(versions.into_iter().map(|version| version.join("bin"))) {
        let real = ["postgres", "initdb"].iter().all(|program| is_binary(&folder.join(program)));
        if real && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

fn children(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn is_binary(program: &Path) -> bool {
    let mut magic = [0; 4];
    File::open(program).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}

/// The font to write scripts other than Chinese in, if this machine has one of those we know.
pub(super) fn latin_font(places: &Places) -> Option<Font> {
    best_font(&places.fonts, &LATIN_FONTS)
}

/// The most preferred of the `known` fonts below `folders`.
fn best_font(folders: &[PathBuf], known: &[KnownFont]) -> Option<Font> {
    let mut queue: VecDeque<PathBuf> = folders.iter().cloned().collect();
    let mut best: Option<(usize, Font)> = None;
    let mut seen = 0;
    while let Some(folder) = queue.pop_front() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            seen += 1;
            // Links to folders may go in circles; links to fonts are files to us.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                queue.push_back(entry.path());
            } else if let Some(rank) = font_rank(&entry.path(), known)
                && best.as_ref().is_none_or(|(other, _)| rank < *other)
            {
                best = Some((rank, Font { path: entry.path(), family: known[rank].1 }));
            }
        }
        if seen > FONT_ENTRIES {
            break;
        }
    }
    best.map(|(_, font)| font)
}

fn font_rank(path: &Path, known: &[KnownFont]) -> Option<usize> {
    let name = path.file_name()?.to_str()?;
    known.iter().position(|(beginning, _)| name.starts_with(beginning))
}

/// The version of the candidate at `path`, or why it will not do.
async fn version(tool: Tool, path: &Path, places: &Places) -> Result<String, String> {
    match tool {
        Tool::Postgres => postgres_version(path, places.postgres_major).await,
        Tool::NatsServer => {
            let (version, numbers) = asked_version(path, "--version").await?;
            at_least(NATS_MINIMUM, numbers).map(|()| version)
        }
        Tool::Ffmpeg => ffmpeg_version(path).await,
        Tool::EspeakNg => asked_version(path, "--version").await.map(|(version, _)| version),
        Tool::CjkFont => {
            let rank = font_rank(path, &CJK_FONTS).ok_or("it is not a font with Chinese characters")?;
            Ok(CJK_FONTS[rank].1.to_owned())
        }
        // Its folder is named by the hash of its pins and appears whole or not at all.
        Tool::Piper => Ok("1.8.0".to_owned()),
    }
}

async fn postgres_version(folder: &Path, needed: Option<u32>) -> Result<String, String> {
    let (version, numbers) = asked_version(&folder.join("postgres"), "--version").await?;
    at_least(POSTGRES_MINIMUM, numbers)?;
    match needed {
        Some(major) if major != numbers.0 => {
            Err(format!("it is {version}, and the data folder was made by PostgreSQL {major}"))
        }
        _ => Ok(version),
    }
}

async fn ffmpeg_version(ffmpeg: &Path) -> Result<String, String> {
    let told = run(Command::new(ffmpeg).args(["-hide_banner", "-version"]), QUESTION).await?;
    let has = |part: &str| told.split_whitespace().any(|word| word == part);
    for part in ["--enable-libx264", "--enable-libass"] {
        if !has(part) {
            return Err(format!("it was built without {}", part.trim_start_matches("--enable-")));
        }
    }
    let filters = run(Command::new(ffmpeg).args(["-hide_banner", "-filters"]), QUESTION).await?;
    for filter in FFMPEG_FILTERS {
        if !filters.lines().any(|line| line.split_whitespace().nth(1) == Some(filter)) {
            return Err(format!("it has no filter {filter}"));
        }
    }
    let version = told.split_whitespace().nth(2).unwrap_or("unknown");
    let lacking = ["libvpx", "libopus"].into_iter().find(|name| !has(&format!("--enable-{name}")));
    Ok(lacking.map_or(version.to_owned(), |name| format!("{version}, without {name}: no films in WebM")))
}

/// Asks a program for its version: the word with digits, and its first two numbers.
async fn asked_version(program: &Path, question: &str) -> Result<(String, (u32, u32)), String> {
    let told = run(Command::new(program).arg(question), QUESTION).await?;
    told.split_whitespace()
        .find_map(|word| Some((word.trim_start_matches('v').to_owned(), numbers(word)?)))
        .ok_or_else(|| "it does not tell its version".to_owned())
}

fn at_least(minimum: (u32, u32), version: (u32, u32)) -> Result<(), String> {
    if version >= minimum {
        return Ok(());
    }
    Err(format!("version {}.{} is older than {}.{}", version.0, version.1, minimum.0, minimum.1))
}

/// The first two numbers of a version such as `v2.15.1`, `15.14` or `16beta1`.
fn numbers(word: &str) -> Option<(u32, u32)> {
    let word = word.trim_start_matches('v');
    let mut parts = word.split('.').map(|part| {
        let digits = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse().ok()
    });
    Some((parts.next()??, parts.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(folder: &Path) -> Places {
        Places {
            programs: vec![folder.join("bin")],
            postgres_versions: vec![folder.join("postgresql")],
            postgres_major: None,
            fonts: vec![folder.join("fonts")],
            cache: folder.join("cache"),
            root: false,
            architecture: "x86_64",
        }
    }

    fn program(path: &Path, script: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Written by another process: a file that this one has open while another test forks cannot be run.
        let write = r##"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""##;
        let mut command = std::process::Command::new("sh");
        assert!(command.args(["-c", write, "sh"]).arg(path).arg(script).status().unwrap().success());
    }

    #[test]
    fn versions_are_read_as_their_programs_tell_them() {
        assert_eq!(numbers("v2.15.1"), Some((2, 15)));
        assert_eq!(numbers("15.14"), Some((15, 14)));
        assert_eq!(numbers("16beta1"), Some((16, 0)));
        assert_eq!(numbers("(PostgreSQL)"), None);
    }

    #[tokio::test]
    async fn a_nats_server_that_is_too_old_will_not_do() {
        let folder = tempfile::tempdir().unwrap();
        program(&folder.path().join("bin/nats-server"), "echo nats-server: v2.9.10");
        let finding = find(Tool::NatsServer, &places(folder.path()), None).await;
        assert!(
            matches!(&finding, Finding::Unusable { reason, .. } if reason.contains("2.9")),
            "{finding:?}"
        );
    }

    #[tokio::test]
    async fn a_tool_that_will_do_is_taken_with_its_version() {
        let folder = tempfile::tempdir().unwrap();
        program(&folder.path().join("bin/nats-server"), "echo nats-server: v2.15.1");
        let finding = find(Tool::NatsServer, &places(folder.path()), None).await;
        assert!(matches!(&finding, Finding::Usable(found) if found.version == "2.15.1"), "{finding:?}");
    }

    #[tokio::test]
    async fn an_ffmpeg_without_libass_will_not_do() {
        let folder = tempfile::tempdir().unwrap();
        program(&folder.path().join("bin/ffmpeg"), "echo ffmpeg version 7.0 --enable-libx264");
        let finding = find(Tool::Ffmpeg, &places(folder.path()), None).await;
        assert!(
            matches!(&finding, Finding::Unusable { reason, .. } if reason.contains("libass")),
            "{finding:?}"
        );
    }

    #[tokio::test]
    async fn an_ffmpeg_that_makes_no_webm_will_do_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"case "$2" in
            -version) echo ffmpeg version 7.0 --enable-libx264 --enable-libass --enable-libvpx;;
            *) for filter in ass tpad boxblur overlay; do echo . $filter; done;;
        esac"#;
        program(&folder.path().join("bin/ffmpeg"), script);
        let finding = find(Tool::Ffmpeg, &places(folder.path()), None).await;
        let Finding::Usable(found) = finding else { panic!("{finding:?}") };
        assert_eq!(found.version, "7.0, without libopus: no films in WebM");
    }

    #[test]
    fn a_wrapper_script_is_passed_over_for_the_real_server() {
        let folder = tempfile::tempdir().unwrap();
        program(&folder.path().join("bin/postgres"), "exec su postgres -c postgres");
        program(&folder.path().join("bin/initdb"), "exec su postgres -c initdb");
        for name in ["postgresql/9/bin", "postgresql/16/bin"] {
            let real = folder.path().join(name);
            fs::create_dir_all(&real).unwrap();
            fs::write(real.join("postgres"), b"\x7fELF").unwrap();
            fs::write(real.join("initdb"), b"\x7fELF").unwrap();
        }
        let folders = postgres_folders(&places(folder.path()));
        assert_eq!(folders, ["postgresql/16/bin", "postgresql/9/bin"].map(|name| folder.path().join(name)));
    }

    #[test]
    fn the_preferred_font_is_taken_wherever_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let fonts = folder.path().join("fonts");
        fs::create_dir_all(fonts.join("a/b")).unwrap();
        fs::write(fonts.join("wqy-zenhei.ttc"), "").unwrap();
        fs::write(fonts.join("a/b/NotoSansCJK-Regular.ttc"), "").unwrap();
        fs::write(fonts.join("DejaVuSans.ttf"), "").unwrap();
        let found = |known| best_font(std::slice::from_ref(&fonts), known).map(|font| font.path);
        assert_eq!(found(&CJK_FONTS), Some(fonts.join("a/b/NotoSansCJK-Regular.ttc")));
        assert_eq!(found(&LATIN_FONTS), Some(fonts.join("DejaVuSans.ttf")));
    }

    #[tokio::test]
    async fn what_is_nowhere_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        for tool in Tool::ALL {
            assert_eq!(find(tool, &places(folder.path()), None).await, Finding::Missing);
        }
    }
}
