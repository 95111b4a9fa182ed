//! The story as it comes in: read with a limit, checked, and recognised when it comes again.

use std::path::Path;

use domain::hash::sha256;
use domain::ids::CommandId;
use domain::project::limits;
use tokio::io::AsyncReadExt;

use crate::cli::FilmArgs;
use crate::exit::Failed;

/// A character has at most 4 bytes in UTF-8.
const LONGEST_BYTES: u64 = limits::STORY as u64 * 4;

/// A story that can be made a film of.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) text: String,
}

impl Story {
    /// Reads it from the file, or from standard input for `-`.
    pub(crate) async fn read(story: &Path) -> Result<Self, Failed> {
        let mut bytes = Vec::new();
        let read = if story == Path::new("-") {
            tokio::io::stdin().take(LONGEST_BYTES + 1).read_to_end(&mut bytes).await
        } else {
            match tokio::fs::File::open(story).await {
                Ok(file) => file.take(LONGEST_BYTES + 1).read_to_end(&mut bytes).await,
                Err(error) => Err(error),
            }
        };
        read.map_err(|error| Failed::Usage(format!("{} cannot be read: {error}", story.display())))?;
        let text = check(bytes).map_err(|reason| Failed::Usage(format!("{}: {reason}", story.display())))?;
        Ok(Self { text })
    }

    /// The id of the command that makes this film: the same for the same story and options.
    pub(super) fn command(&self, args: &FilmArgs) -> CommandId {
        let shots = args.shots.map(|shots| shots.to_string()).unwrap_or_default();
        let language = args.language.as_deref().unwrap_or_default();
        let voice = args.voice.as_deref().unwrap_or_default();
        let options =
            [&args.title, &args.style, &shots, language, voice, args.aspect.as_str(), args.quality.as_str()];
        let mut parts: Vec<&[u8]> = vec![self.text.as_bytes()];
        for option in options {
            parts.push(b"\0");
            parts.push(option.as_bytes());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&sha256(&parts)[..16]);
        CommandId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

fn check(bytes: Vec<u8>) -> Result<String, String> {
    let text = String::from_utf8(bytes).map_err(|_| "is not a UTF-8 text".to_owned())?;
    let characters = text.chars().count();
    if characters > limits::STORY {
        return Err(format!("a story has at most {} characters; this one has more", limits::STORY));
    }
    if text.contains('\0') {
        return Err("is not a text: it contains the character U+0000".to_owned());
    }
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_story_is_refused_with_the_reason() {
        assert_eq!(check(b" \n\t ".to_vec()), Err("is empty".to_owned()));
        assert_eq!(check(vec![0xff, 0xfe, 0x00]), Err("is not a UTF-8 text".to_owned()));
        assert!(check(b"a\0b".to_vec()).unwrap_err().contains("U+0000"));
        assert!(check("x".repeat(20_001).into_bytes()).unwrap_err().contains("20000"));
        assert!(check("汉".repeat(20_000).into_bytes()).is_ok());
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_story() {
        assert_eq!(check("\u{feff}Once".as_bytes().to_vec()).as_deref(), Ok("Once"));
    }
}
