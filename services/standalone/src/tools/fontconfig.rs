//! A font configuration for machines that have none. A static ffmpeg draws no subtitles at all without one,
//! even when it is told the font's folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::find::{Found, Origin};

/// The system's configuration, if it has one.
const SYSTEM: &str = "/etc/fonts/fonts.conf";

/// The file to name in `FONTCONFIG_FILE` so that `font` is found by its family: `None` if the system knows
/// it.
pub(super) fn provide(font: &Found, cache: &Path) -> io::Result<Option<PathBuf>> {
    if font.origin == Origin::System && Path::new(SYSTEM).exists() {
        return Ok(None);
    }
    let folder = font.path.parent().unwrap_or(&font.path);
    let text = configuration(folder, cache);
    let file = cache.join(format!("fonts-{}.conf", &hex::encode(Sha256::digest(&text))[..12]));
    if !file.exists() {
        fs::create_dir_all(cache)?;
        let draft = tempfile::NamedTempFile::new_in(cache)?;
        fs::write(draft.path(), text)?;
        draft.persist(&file)?;
    }
    Ok(Some(file))
}

/// The system's fonts, if it has any, and those in `folder`.
fn configuration(folder: &Path, cache: &Path) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig>\n\
         <include ignore_missing=\"yes\">{SYSTEM}</include>\n<dir>/usr/share/fonts</dir>\n<dir>{}</dir>\n\
         <cachedir>{}</cachedir>\n</fontconfig>\n",
        escaped(folder),
        escaped(&cache.join("fontconfig")),
    )
}

fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn font(path: PathBuf) -> Found {
        Found { path, version: "Noto Sans CJK SC".into(), origin: Origin::Cache }
    }

    #[test]
    fn a_font_of_our_own_is_made_known_once() {
        let cache = tempfile::tempdir().unwrap();
        let font = font(cache.path().join("a & b/font.otf"));
        let file = provide(&font, cache.path()).unwrap().unwrap();
        assert!(fs::read_to_string(&file).unwrap().contains("a &amp; b</dir>"));
        assert_eq!(provide(&font, cache.path()).unwrap(), Some(file));
    }
}
