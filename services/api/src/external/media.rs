//! Looks at what an external node made: whether it is what it must be, and how long it is. Only what the file itself
//! says counts, and its lengths are read with bounds: it is a stranger's.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use domain::job::Kind;

use crate::problem::Problem;
use crate::upload::picture::look_at_picture;

const MIB: u64 = 1024 * 1024;
/// Chunks of a file, or of a part of it, that are looked at.
const CHUNKS: usize = 256;
/// Longest clip and longest voice, in seconds.
const LONGEST: f64 = 3_600.0;

/// What a kind of task is answered with.
pub(crate) struct Wanted {
    pub(super) kind: Kind,
    /// The member of the report's result that leads to it.
    pub(super) name: &'static str,
    /// For people.
    pub(super) words: &'static str,
    /// Largest file, in bytes.
    pub(super) limit: u64,
    /// Looks at a file. Blocks.
    pub(super) look: fn(&Path) -> Result<Seen, Problem>,
}

/// What a file is.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) extension: &'static str,
    /// Its length; absent for pictures.
    pub(super) seconds: Option<f64>,
}

impl Wanted {
    /// What a task of this kind is answered with; `None` for one that is not made elsewhere.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        let wanted = |name, words, mib, look| Self { kind, name, words, limit: mib * MIB, look };
        match kind {
            Kind::Image => Some(wanted("image_url", "a picture", 50, look_at_image)),
            Kind::Video => Some(wanted("video_url", "an MP4", 512, look_at_clip)),
            Kind::Tts => Some(wanted("audio_url", "a WAV", 100, look_at_voice)),
            Kind::Storyboard | Kind::Film => None,
        }
    }

    /// The field of the report that it is about.
    pub(super) fn field(&self) -> String {
        format!("result.{}", self.name)
    }

    pub(super) fn too_large(&self) -> String {
        format!("must have at most {} MiB", self.limit / MIB)
    }
}

fn look_at_image(path: &Path) -> Result<Seen, Problem> {
    look_at_picture(path).map(|extension| Seen { extension, seconds: None })
}

fn look_at_clip(path: &Path) -> Result<Seen, Problem> {
    sensible("mp4", seconds_of(path, clip_seconds)?, "must be an MP4 that says how long it is, up to an hour")
}

fn look_at_voice(path: &Path) -> Result<Seen, Problem> {
    sensible("wav", seconds_of(path, voice_seconds)?, "must be a WAV of up to an hour")
}

fn sensible(extension: &'static str, seconds: Option<f64>, words: &str) -> Result<Seen, Problem> {
    let sensible = seconds.filter(|seconds| (0.01..=LONGEST).contains(seconds));
    let seconds = sensible.ok_or_else(|| Problem::invalid("file", words))?;
    Ok(Seen { extension, seconds: Some(seconds) })
}

/// How long a file is; `None` for one that does not say so, or ends before it does.
fn seconds_of(path: &Path, read: fn(&mut File) -> io::Result<Option<f64>>) -> Result<Option<f64>, Problem> {
    let read = File::open(path).and_then(|mut file| read(&mut file));
    match read {
        Ok(seconds) => Ok(seconds),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(Problem::unavailable("media_unavailable", "stored media cannot be read")
            .because(error.to_string())),
    }
}

fn bytes<const N: usize>(file: &mut File) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).map(|()| bytes)
}

/// The length of an MP4, from the header of its movie (ISO/IEC 14496-12, 8.2.2).
fn clip_seconds(file: &mut File) -> io::Result<Option<f64>> {
    let end = file.metadata()?.len();
    if find_box(file, *b"ftyp", end)?.is_none_or(|(start, _)| start > 16) {
        return Ok(None);
    }
    file.rewind()?;
    let Some((_, movie_end)) = find_box(file, *b"moov", end)? else { return Ok(None) };
    if find_box(file, *b"mvhd", movie_end)?.is_none() {
        return Ok(None);
    }
    let [version, ..] = bytes::<4>(file)?;
    let (scale, duration) = if version == 1 {
        let head: [u8; 28] = bytes(file)?;
        (word(&head[16..20]), (word(&head[20..24]) << 32) | word(&head[24..28]))
    } else {
        let head: [u8; 16] = bytes(file)?;
        (word(&head[8..12]), word(&head[12..16]))
    };
    Ok((scale > 0).then(|| duration as f64 / scale as f64))
}

/// A big-endian word of 4 bytes.
fn word(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

/// The first box of a type up to `end`: where its content starts, which is read next, and where it ends.
fn find_box(file: &mut File, wanted: [u8; 4], end: u64) -> io::Result<Option<(u64, u64)>> {
    for _ in 0..CHUNKS {
        let start = file.stream_position()?;
        if start + 8 > end {
            return Ok(None);
        }
        let head: [u8; 8] = bytes(file)?;
        let (size, content) = match word(&head[..4]) {
            0 => (end - start, start + 8),
            1 => (word(&bytes::<8>(file)?), start + 16),
            size => (size, start + 8),
        };
        let next = start.saturating_add(size);
        if next < content || next > end {
            return Ok(None);
        }
        if head[4..] == wanted {
            return Ok(Some((content, next)));
        }
        file.seek(SeekFrom::Start(next))?;
    }
    Ok(None)
}

/// The length of a WAV of plain samples. Servers that stream write a length at random, so what is there counts.
fn voice_seconds(file: &mut File) -> io::Result<Option<f64>> {
    let end = file.metadata()?.len();
    let head: [u8; 12] = bytes(file)?;
    if &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
        return Ok(None);
    }
    let mut bytes_a_second = None;
    for _ in 0..CHUNKS {
        let head: [u8; 8] = bytes(file)?;
        let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        let start = file.stream_position()?;
        match (&head[..4], bytes_a_second) {
            (b"data", Some(rate)) if rate > 0 => {
                let there = end.saturating_sub(start);
                let length = if length == 0 { there } else { length.min(there) };
                return Ok(Some(length as f64 / f64::from(rate)));
            }
            (b"data", _) => return Ok(None),
            (b"fmt ", _) if length >= 16 => {
                let format: [u8; 16] = bytes(file)?;
                let plain = matches!(u16::from_le_bytes([format[0], format[1]]), 1 | 3 | 0xfffe);
                let rate = u32::from_le_bytes([format[8], format[9], format[10], format[11]]);
                bytes_a_second = plain.then_some(rate);
            }
            _ => {}
        }
        // Chunks of odd length are padded by a byte.
        file.seek(SeekFrom::Start(start + length + length % 2))?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(kind: Kind, content: &[u8]) -> Option<Seen> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, content).unwrap();
        (Wanted::of(kind).unwrap().look)(&path).ok()
    }

    fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        [name.as_slice(), &length, content].concat()
    }

    fn wav(chunks: &[Vec<u8>]) -> Vec<u8> {
        [b"RIFF\xff\xff\xff\xffWAVE".to_vec(), chunks.concat()].concat()
    }

    fn mono_16_bit_8_khz() -> Vec<u8> {
        chunk(b"fmt ", b"\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0")
    }

    fn mp4_box(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(content.len() + 8).unwrap().to_be_bytes();
        [size.as_slice(), name, content].concat()
    }

    fn mp4(scale: u32, duration: u32) -> Vec<u8> {
        let times = [[0; 12].as_slice(), &scale.to_be_bytes(), &duration.to_be_bytes(), &[0; 80]].concat();
        let movie = mp4_box(b"moov", &[mp4_box(b"udta", b"x"), mp4_box(b"mvhd", &times)].concat());
        [mp4_box(b"ftyp", b"isom\0\0\x02\0isom"), mp4_box(b"mdat", &[7; 100]), movie].concat()
    }

    #[test]
    fn a_voice_is_as_long_as_its_samples_whatever_its_header_promises() {
        let samples = vec![0; 24_000];
        let whole = wav(&[mono_16_bit_8_khz(), chunk(b"LIST", b"odd"), vec![0], chunk(b"data", &samples)]);
        assert_eq!(look(Kind::Tts, &whole), Some(Seen { extension: "wav", seconds: Some(1.5) }));
        let mut streamed = wav(&[mono_16_bit_8_khz(), b"data\xff\xff\xff\xff".to_vec()]);
        streamed.extend(vec![0; 8_000]);
        assert_eq!(look(Kind::Tts, &streamed).unwrap().seconds, Some(0.5));
    }

    #[test]
    fn what_is_no_voice_is_refused() {
        let silent = wav(&[mono_16_bit_8_khz(), chunk(b"data", b"")]);
        let early = wav(&[chunk(b"data", &[0; 100]), mono_16_bit_8_khz()]);
        let endless = wav(&vec![chunk(b"LIST", b""); CHUNKS + 1]);
        let mp3 = b"ID3\x04 and what follows".to_vec();
        let compressed = [b"\x55\0".as_slice(), &mono_16_bit_8_khz()[10..]].concat();
        let compressed = wav(&[chunk(b"fmt ", &compressed), chunk(b"data", &[0; 8_000])]);
        for content in [silent, early, endless, mp3, compressed, Vec::new(), b"<html></html>".to_vec()] {
            assert_eq!(look(Kind::Tts, &content), None);
        }
    }

    #[test]
    fn a_clip_says_how_long_it_is() {
        assert_eq!(look(Kind::Video, &mp4(600, 1_500)), Some(Seen { extension: "mp4", seconds: Some(2.5) }));
    }

    #[test]
    fn what_is_no_clip_is_refused() {
        let whole = mp4(600, 1_500);
        let cut = whole[..whole.len() - 90].to_vec();
        let mut looped = whole.clone();
        looped[3] = 4;
        for content in
            [mp4(0, 1), mp4(600, 0), mp4(1, u32::MAX), cut, looped, whole[16..].to_vec(), b"GIF89a".to_vec()]
        {
            assert_eq!(look(Kind::Video, &content), None, "{content:?}");
        }
    }

    #[test]
    fn storyboards_and_films_are_not_made_elsewhere() {
        assert!(Wanted::of(Kind::Storyboard).is_none() && Wanted::of(Kind::Film).is_none());
    }
}
