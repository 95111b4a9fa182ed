//! Debian's and Ubuntu's own packages, for what has no wheel: installed when root, else told as a command.

use tokio::process::Command;

use super::Tool;
use super::places::Places;
use super::run::{INSTALLATION, run};

/// The packages with `tool`; empty if Debian has none that will do.
pub(super) fn packages(tool: Tool, places: &Places) -> Vec<String> {
    match (tool, places.postgres_major) {
        (Tool::Postgres, Some(major)) => vec![format!("postgresql-{major}")],
        (Tool::Postgres, None) => vec!["postgresql".to_owned()],
        // Debian's nats-server is older than what is asked for.
        (Tool::NatsServer | Tool::Piper, _) => Vec::new(),
        (Tool::Ffmpeg, _) => vec!["ffmpeg".to_owned()],
        (Tool::EspeakNg, _) => vec!["espeak-ng".to_owned()],
        (Tool::CjkFont, _) => vec!["fonts-noto-cjk".to_owned()],
    }
}

/// Installs `tool`, with fresh package lists if the ones at hand do not do.
pub(super) async fn install(tool: Tool, places: &Places) -> Result<(), String> {
    install_packages(&packages(tool, places), places).await
}

/// Installs packages by name.
pub(super) async fn install_packages(names: &[String], places: &Places) -> Result<(), String> {
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(names.iter().map(String::as_str));
    if apt_get(places, &arguments).await.is_ok() {
        return Ok(());
    }
    apt_get(places, &["update"]).await?;
    apt_get(places, &arguments).await
}

async fn apt_get(places: &Places, arguments: &[&str]) -> Result<(), String> {
    let program = places.program("apt-get").ok_or("there is no apt-get here")?;
    let mut command = Command::new(program);
    // Another installation may run: wait for its end instead of failing.
    command.args(["-q", "-o", "DPkg::Lock::Timeout=300"]).args(arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut command, INSTALLATION).await.map(drop)
}
