//! `storytovideo doctor`: which tools were found, where, which version, and how to get what is missing. It
//! installs nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use crate::tools::{self, Finding, Found, Places, Tool};

/// What the doctor found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether nothing is missing.
    pub healthy: bool,
    /// Where tools of our own are kept.
    pub cache: PathBuf,
    /// Every tool, in a fixed order.
    pub tools: Vec<Entry>,
}

/// What is known of one tool.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Which tool.
    pub tool: Tool,
    /// What is asked of it, in words.
    pub wanted: &'static str,
    /// Where it is and its version, if it will do.
    pub found: Option<Found>,
    /// What was found and will not do, and why.
    pub unusable: Option<String>,
    /// How to get it, if it is missing.
    pub remedy: Option<String>,
}

/// Looks at this machine.
pub async fn examine(places: &Places) -> Report {
    let findings = tools::survey(places, &Tool::ALL).await;
    let mut remedies = tools::remedies_in_words(places, &findings).await;
    let tools: Vec<Entry> =
        findings.into_iter().map(|(tool, finding)| entry(tool, finding, &mut remedies)).collect();
    Report { healthy: tools.iter().all(|entry| entry.found.is_some()), cache: places.cache.clone(), tools }
}

fn entry(tool: Tool, finding: Finding, remedies: &mut BTreeMap<Tool, String>) -> Entry {
    let (found, unusable) = match finding {
        Finding::Usable(found) => (Some(found), None),
        Finding::Unusable { path, reason } => (None, Some(format!("{}: {reason}", path.display()))),
        Finding::Missing => (None, None),
    };
    Entry { tool, wanted: tool.wanted(), found, unusable, remedy: remedies.remove(&tool) }
}

impl Report {
    /// The report for a person to read.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for entry in &self.tools {
            let line = match (&entry.found, &entry.unusable) {
                (Some(found), _) => {
                    format!("ok       {}: {} ({})", entry.wanted, found.version, found.path.display())
                }
                (None, Some(reason)) => format!("unusable {}: {reason}", entry.wanted),
                (None, None) => format!("missing  {}", entry.wanted),
            };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{line}");
            if let Some(remedy) = &entry.remedy {
                let _ = writeln!(text, "         {remedy}");
            }
        }
        let _ = writeln!(text, "cache    {}", self.cache.display());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bare_machine_is_told_how_to_get_every_tool() {
        let folder = tempfile::tempdir().unwrap();
        let mut places = Places::from_environment();
        places.programs = vec![folder.path().join("bin")];
        places.postgres_versions.clear();
        places.fonts.clear();
        places.cache = folder.path().join("cache");
        let report = examine(&places).await;
        assert!(!report.healthy);
        assert!(
            report.tools.iter().all(|entry| entry.found.is_none() && entry.remedy.is_some()),
            "{report:?}"
        );
        assert!(report.to_text().contains("apt-get install -y"), "{}", report.to_text());
        assert!(!places.cache.exists());
    }
}
