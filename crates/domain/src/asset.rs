//! Assets: stored media, named by what they contain.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The address of an asset: `<kind>/<sha256>.<ext>`, for example `image/9f86…0a08.png`.
/// Written once, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AssetKey(String);

/// A text that is no asset key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an asset key: it must read <kind>/<64 hexadecimal digits>.<extension>")]
pub struct InvalidAssetKey;

impl AssetKey {
    /// The key of content with this SHA-256 (64 lower-case hexadecimal digits).
    pub fn new(kind: &str, sha256: &str, extension: &str) -> Result<Self, InvalidAssetKey> {
        Self::parse(&format!("{kind}/{sha256}.{extension}"))
    }

    /// Reads a key and refuses whatever could lead out of the media folder.
    pub fn parse(text: &str) -> Result<Self, InvalidAssetKey> {
        let (kind, name) = text.split_once('/').ok_or(InvalidAssetKey)?;
        let (digest, extension) = name.split_once('.').ok_or(InvalidAssetKey)?;
        let short_word = |word: &str| {
            (1..=12).contains(&word.len())
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let hexadecimal =
            digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if short_word(kind) && short_word(extension) && hexadecimal {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAssetKey)
        }
    }

    /// The kind of job that made it, as in [`crate::job::Kind::as_str`], or what people uploaded it as.
    pub fn kind(&self) -> &str {
        self.0.split_once('/').map_or("", |(kind, _)| kind)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The SHA-256 of the content, 64 hexadecimal digits.
    pub fn sha256(&self) -> &str {
        let name = self.0.split_once('/').map_or("", |(_, name)| name);
        name.split_once('.').map_or("", |(digest, _)| digest)
    }

    /// The extension without its dot.
    pub fn extension(&self) -> &str {
        self.0.rsplit_once('.').map_or("", |(_, extension)| extension)
    }
}

/// What comes from outside is a key only after this.
impl TryFrom<String> for AssetKey {
    type Error = InvalidAssetKey;

    fn try_from(text: String) -> Result<Self, InvalidAssetKey> {
        Self::parse(&text)
    }
}

impl From<AssetKey> for String {
    fn from(key: AssetKey) -> Self {
        key.0
    }
}

impl fmt::Display for AssetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stored asset with what is worth knowing before opening it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asset {
    /// Where it is.
    pub key: AssetKey,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its length in seconds, measured from the decoded stream; absent for pictures and text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_leads_out_of_the_media_folder_cannot_be_read() {
        let digest = "0".repeat(64);
        let read = |key: &str| serde_json::from_value::<AssetKey>(serde_json::json!(key));
        assert!(read(&format!("image/{digest}.png")).is_ok());
        for key in ["image/../../etc/passwd", "/etc/passwd", "image/x.png", "", &format!("../{digest}.png")] {
            assert!(read(key).is_err(), "{key}");
        }
    }
}
