//! The fonts of a render: put beside its parts and made known to the caption renderer, so that a film looks the
//! same on a machine without fonts or font configuration of its own. A static ffmpeg draws no letter without one.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The configuration's name in the folder of the parts; `FONTCONFIG_FILE` names it.
pub(super) const CONFIGURATION: &str = "fonts.conf";
/// The folder with the fonts in the folder of the parts.
pub(super) const FOLDER: &str = "fonts";
/// The system's own configuration, which says where its fonts and their caches are.
const SYSTEM: &str = "/etc/fonts/fonts.conf";

/// Makes `folder` with the fonts `files` in it, under names that need no quoting, and their configuration.
pub(super) fn place(folder: &Path, files: &[PathBuf]) -> io::Result<()> {
    let fonts = folder.join(FOLDER);
    std::fs::create_dir_all(&fonts)?;
    for (index, file) in files.iter().enumerate() {
        let extension =
            if file.extension().is_some_and(|extension| extension == "ttc") { "ttc" } else { "ttf" };
        symlink(std::path::absolute(file)?, fonts.join(format!("font-{index}.{extension}")))?;
    }
    std::fs::write(folder.join(CONFIGURATION), configuration(folder))
}

/// Our fonts first, then the system's, if it has any. What it finds out about ours goes with the render.
fn configuration(folder: &Path) -> String {
    let [fonts, cache] = [FOLDER, "cache"].map(|name| escaped(&folder.join(name)));
    format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n<fontconfig>\n<dir>{fonts}</dir>\n\
         <include ignore_missing=\"yes\">{SYSTEM}</include>\n<dir>/usr/share/fonts</dir>\n\
         <cachedir>{cache}</cachedir>\n</fontconfig>\n"
    )
}

fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fonts_are_placed_and_made_known_wherever_the_work_is_done() {
        let work = tempfile::tempdir().unwrap();
        let folder = work.path().join("a & <b>");
        place(&folder, &["/fonts/Some Font.otf".into(), "/fonts/All.ttc".into()]).unwrap();
        let placed = |name: &str| std::fs::read_link(folder.join(FOLDER).join(name)).unwrap();
        assert_eq!(placed("font-0.ttf"), Path::new("/fonts/Some Font.otf"));
        assert_eq!(placed("font-1.ttc"), Path::new("/fonts/All.ttc"));
        let configuration = std::fs::read_to_string(folder.join(CONFIGURATION)).unwrap();
        assert!(configuration.contains("a &amp; &lt;b&gt;/fonts</dir>"), "{configuration}");
    }
}
