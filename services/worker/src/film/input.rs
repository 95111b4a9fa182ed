//! Looks at an input before ffmpeg does: what format it really is, and whether a picture is of a sane size.
//!
//! Inputs are strangers' files. ffmpeg is told the format found here, so that no file can pass for a playlist
//! or a script, and a few bytes that unpack to gigapixels are refused unopened.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use domain::asset::AssetKey;
use domain::job::{FilmSpec, FilmVisual};

use super::error::FilmError;

/// Largest side of a picture in pixels.
const LONGEST_SIDE: u32 = 16_384;
/// Most pixels of a picture.
const MOST_PIXELS: u64 = 64 << 20;
/// Most that a picture may be longer one way than the other.
const MOST_STRETCH: u32 = 20;
/// Largest input in bytes.
const MOST_BYTES: u64 = 2 << 30;

/// What is wrong with an input.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be read.
    #[error("{name} cannot be read")]
    Unreadable {
        /// The asset.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// Its first bytes are those of no known format of its sort.
    #[error("{name} is no {expected} of a known format")]
    UnknownFormat {
        /// The asset.
        name: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A picture or file that is too large, or too long and thin.
    #[error("{name} has an unreasonable size: {size}")]
    Size {
        /// The asset.
        name: String,
        /// Its size, for people.
        size: String,
    },
}

/// A picture that may be decoded.
#[derive(Debug, Clone)]
pub(super) struct PictureFile {
    pub(super) path: PathBuf,
    /// ffmpeg's name for its format.
    pub(super) format: &'static str,
    /// Width and height in pixels.
    pub(super) size: (u32, u32),
}

/// A clip or sound that may be decoded.
#[derive(Debug, Clone)]
pub(super) struct MediaFile {
    pub(super) path: PathBuf,
    /// ffmpeg's name for its format.
    pub(super) format: &'static str,
}

/// The inputs of a film, each looked at.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    pictures: HashMap<AssetKey, PictureFile>,
    media: HashMap<AssetKey, MediaFile>,
}

impl Inputs {
    /// Looks at every picture, clip and voice of a film. Blocks while it reads their headers.
    pub(super) fn check(spec: &FilmSpec, paths: &HashMap<AssetKey, PathBuf>) -> Result<Self, FilmError> {
        let path =
            |key: &AssetKey| paths.get(key).ok_or_else(|| FilmError::MissingInput { asset: key.clone() });
        let mut inputs = Self::default();
        for shot in &spec.shots {
            match &shot.visual {
                FilmVisual::Still { picture: key } => {
                    inputs.pictures.insert(key.clone(), picture(key.as_str(), path(key)?)?);
                }
                FilmVisual::Clip { clip: key, .. } => {
                    inputs.media.insert(key.clone(), clip(key.as_str(), path(key)?)?);
                }
                FilmVisual::Card => {}
            }
            if let Some(voice) = &shot.voice {
                inputs.media.insert(voice.asset.clone(), sound(voice.asset.as_str(), path(&voice.asset)?)?);
            }
        }
        Ok(inputs)
    }

    pub(super) fn picture(&self, asset: &AssetKey) -> Result<&PictureFile, FilmError> {
        self.pictures.get(asset).ok_or_else(|| FilmError::MissingInput { asset: asset.clone() })
    }

    /// A clip or a voice.
    pub(super) fn media(&self, asset: &AssetKey) -> Result<&MediaFile, FilmError> {
        self.media.get(asset).ok_or_else(|| FilmError::MissingInput { asset: asset.clone() })
    }
}

/// Checks a picture: PNG, JPEG or WebP. Blocks while it reads the header.
fn picture(name: &str, path: &Path) -> Result<PictureFile, InputError> {
    let unreadable = |source| InputError::Unreadable { name: name.to_owned(), source };
    let mut file = open(name, path)?;
    let head = head(&mut file).map_err(unreadable)?;
    let found = match head.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => png_size(&head).map(|size| ("png_pipe", size)),
        [0xff, 0xd8, 0xff, ..] => jpeg_size(&mut file).map_err(unreadable)?.map(|size| ("jpeg_pipe", size)),
        [b'R', b'I', b'F', b'F', ..] => webp_size(&head).map(|size| ("webp_pipe", size)),
        _ => None,
    };
    let Some((format, size)) = found else {
        return Err(InputError::UnknownFormat { name: name.to_owned(), expected: "picture" });
    };
    let (short, long) = (size.0.min(size.1), size.0.max(size.1));
    let area = u64::from(short) * u64::from(long);
    if short < 2 || long > LONGEST_SIDE || area > MOST_PIXELS || long / short >= MOST_STRETCH {
        let size = format!("{} × {} pixels", size.0, size.1);
        return Err(InputError::Size { name: name.to_owned(), size });
    }
    Ok(PictureFile { path: path.to_owned(), format, size })
}

/// Checks a clip: MP4, WebM, Matroska or AVI.
fn clip(name: &str, path: &Path) -> Result<MediaFile, InputError> {
    media(name, path, "clip", |head| match head {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("mov"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some("matroska"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', ..] => Some("avi"),
        _ => None,
    })
}

/// Checks a sound: WAV, FLAC, MP3, AAC, Ogg, M4A, WebM or Matroska.
pub(super) fn sound(name: &str, path: &Path) -> Result<MediaFile, InputError> {
    media(name, path, "sound", |head| match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("wav"),
        [b'f', b'L', b'a', b'C', ..] => Some("flac"),
        [b'O', b'g', b'g', b'S', ..] => Some("ogg"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("mov"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some("matroska"),
        [0xff, second, ..] if second & 0xf6 == 0xf0 => Some("aac"),
        [b'I', b'D', b'3', ..] => Some("mp3"),
        [0xff, second, ..] if second & 0xe0 == 0xe0 => Some("mp3"),
        _ => None,
    })
}

fn media(
    name: &str,
    path: &Path,
    expected: &'static str,
    format: impl Fn(&[u8]) -> Option<&'static str>,
) -> Result<MediaFile, InputError> {
    let mut file = open(name, path)?;
    let head = head(&mut file).map_err(|source| InputError::Unreadable { name: name.to_owned(), source })?;
    match format(&head) {
        Some(format) => Ok(MediaFile { path: path.to_owned(), format }),
        None => Err(InputError::UnknownFormat { name: name.to_owned(), expected }),
    }
}

fn open(name: &str, path: &Path) -> Result<File, InputError> {
    let unreadable = |source| InputError::Unreadable { name: name.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err(InputError::Size { name: name.to_owned(), size: format!("{} bytes", metadata.len()) });
    }
    Ok(file)
}

fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(64).read_to_end(&mut head)?;
    Ok(head)
}

fn number(bytes: &[u8], at: usize, length: usize, big_endian: bool) -> Option<u32> {
    let field = bytes.get(at..at + length)?;
    let fold = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
    Some(if big_endian { field.iter().fold(0, fold) } else { field.iter().rev().fold(0, fold) })
}

/// PNG specification, 11.2.1: IHDR is the first chunk.
fn png_size(head: &[u8]) -> Option<(u32, u32)> {
    (head.get(12..16)? == b"IHDR").then_some(())?;
    Some((number(head, 16, 4, true)?, number(head, 20, 4, true)?))
}

/// ITU-T T.81, B.2: segments up to the frame header. Gives up after a few hundred segments.
fn jpeg_size(file: &mut File) -> io::Result<Option<(u32, u32)>> {
    file.seek(SeekFrom::Start(2))?;
    for _ in 0..500 {
        let mut marker = [0; 4];
        file.read_exact(&mut marker)?;
        let length = i64::from(u16::from_be_bytes([marker[2], marker[3]]));
        match marker {
            [0xff, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, ..] => {
                let mut frame = [0; 5];
                file.read_exact(&mut frame)?;
                return Ok(number(&frame, 3, 2, true).zip(number(&frame, 1, 2, true)));
            }
            // A fill byte before the marker.
            [0xff, 0xff, ..] => _ = file.seek(SeekFrom::Current(-3))?,
            [0xff, ..] if length >= 2 => _ = file.seek(SeekFrom::Current(length - 2))?,
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// WebP container specification: the size is in the first chunk, in one of three ways.
fn webp_size(head: &[u8]) -> Option<(u32, u32)> {
    (head.get(8..12)? == b"WEBP").then_some(())?;
    match head.get(12..16)? {
        b"VP8X" => Some((number(head, 24, 3, false)? + 1, number(head, 27, 3, false)? + 1)),
        b"VP8 " => Some((number(head, 26, 2, false)? & 0x3fff, number(head, 28, 2, false)? & 0x3fff)),
        b"VP8L" => {
            let bits = number(head, 21, 4, false)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_at(bytes: &[u8]) -> Result<PictureFile, InputError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture");
        std::fs::write(&path, bytes).unwrap();
        picture("image/x", &path)
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend_from_slice(&width.to_be_bytes());
        bytes.extend_from_slice(&height.to_be_bytes());
        bytes
    }

    #[test]
    fn pictures_are_known_by_their_bytes() {
        assert_eq!(looked_at(&png(640, 360)).unwrap().size, (640, 360));
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x0b\x08\x01\x68\x02\x80\x03";
        let jpeg = looked_at(jpeg).unwrap();
        assert_eq!((jpeg.format, jpeg.size), ("jpeg_pipe", (640, 360)));
        let webp = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\x02\0\x67\x01\0";
        assert_eq!(looked_at(webp).unwrap().size, (640, 360));
    }

    #[test]
    fn a_picture_that_unpacks_to_gigapixels_is_refused_unopened() {
        for (width, height) in [(16_000, 16_000), (70_000, 10), (0, 10), (2_000, 20)] {
            assert!(
                matches!(looked_at(&png(width, height)), Err(InputError::Size { .. })),
                "{width}×{height}"
            );
        }
    }

    #[test]
    fn a_playlist_is_no_picture_no_clip_and_no_sound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for bytes in [&b"#EXTM3U\nfile:///etc/passwd"[..], b"ffconcat version 1.0", b"<svg/>", b""] {
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(picture("x", &path), Err(InputError::UnknownFormat { .. })));
            assert!(matches!(clip("x", &path), Err(InputError::UnknownFormat { .. })));
            assert!(matches!(sound("x", &path), Err(InputError::UnknownFormat { .. })));
        }
        assert!(matches!(sound("x", &folder.path().join("none")), Err(InputError::Unreadable { .. })));
        assert!(matches!(sound("x", folder.path()), Err(InputError::Size { .. })));
    }
}
