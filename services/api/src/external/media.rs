//! Looks at what an external node made: whether it is what it must be, and how long it is. Only what the file itself
//! says counts, and its lengths are read with bounds: it is a stranger's.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::path::Path;

use domain::job::Kind;

use super::packets::{self, Stream};
use super::{mp4, wav};
use crate::problem::Problem;
use crate::upload::picture::look_at_picture;
use crate::upload::sound_extension;

const MIB: u64 = 1024 * 1024;
/// Bytes by which a file is known: as many as a WebM needs to say that it is one.
const HEAD: u64 = 64;
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

/// An extension, and seconds.
type Measured = (&'static str, f64);

impl Wanted {
    /// What a task of this kind is answered with; `None` for one that is not made elsewhere.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        let wanted = |name, words, mib, look| Self { kind, name, words, limit: mib * MIB, look };
        match kind {
            Kind::Image => Some(wanted("image_url", "a picture", 50, look_at_image)),
            Kind::Video => Some(wanted("video_url", "an MP4 or WebM", 512, look_at_clip)),
            Kind::Tts => Some(wanted("audio_url", "a sound", 100, look_at_voice)),
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
    let words = "must be an MP4 or WebM that shows something, and says for how long: an hour at most";
    measured(path, words, |file, head| {
        // EBML; what kind of it, its head says in words.
        if head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) && head.windows(4).any(|word| word == b"webm") {
            return Ok(through(file, Stream::WebM)?.map(|seconds| ("webm", seconds)));
        }
        Ok(movie_seconds(file, *b"vide")?.map(|seconds| ("mp4", seconds)))
    })
}

fn look_at_voice(path: &Path) -> Result<Seen, Problem> {
    let words = "must be a WAV, FLAC, MP3, Ogg or M4A of up to an hour";
    measured(path, words, |file, head| {
        let Some(extension) = sound_extension(head) else { return Ok(None) };
        let seconds = match extension {
            "wav" => wav::seconds(file),
            "flac" => through(file, Stream::Flac),
            "ogg" => through(file, Stream::Ogg),
            "mp3" => through(file, Stream::Mp3),
            _ => movie_seconds(file, *b"soun"),
        };
        Ok(seconds?.map(|seconds| (extension, seconds)))
    })
}

fn movie_seconds(file: &mut File, of: [u8; 4]) -> io::Result<Option<f64>> {
    match mp4::movie(file)? {
        Some(movie) if mp4::has_track(file, movie, of)? => mp4::seconds(file, movie),
        _ => Ok(None),
    }
}

fn through(file: &File, stream: Stream) -> io::Result<Option<f64>> {
    Ok(packets::seconds(file.try_clone()?, stream, LONGEST))
}

/// What a file is and how long, when that is sensible; one that ends too early is nothing.
fn measured(
    path: &Path,
    words: &str,
    look: fn(&mut File, &[u8]) -> io::Result<Option<Measured>>,
) -> Result<Seen, Problem> {
    let looked = File::open(path).and_then(|mut file| {
        let mut head = Vec::new();
        (&mut file).take(HEAD).read_to_end(&mut head)?;
        file.rewind()?;
        look(&mut file, &head)
    });
    match looked {
        Ok(Some((extension, seconds))) if (0.01..=LONGEST).contains(&seconds) => {
            Ok(Seen { extension, seconds: Some(seconds) })
        }
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(Problem::media_unreadable(&error)),
        _ => Err(Problem::invalid("file", words)),
    }
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

    fn mp4(scale: u32, duration: u32, sorts: &[&[u8; 4]]) -> Vec<u8> {
        let times = [[0; 12].as_slice(), &scale.to_be_bytes(), &duration.to_be_bytes(), &[0; 80]].concat();
        let track = |sort: &[u8]| {
            let handler = mp4_box(b"hdlr", &[&[0; 8], sort, &[0; 12]].concat());
            mp4_box(b"trak", &[mp4_box(b"tkhd", &[0; 80]), mp4_box(b"mdia", &handler)].concat())
        };
        let tracks: Vec<u8> = sorts.iter().flat_map(|sort| track(sort.as_slice())).collect();
        let movie = [mp4_box(b"udta", b"x"), mp4_box(b"mvhd", &times), tracks].concat();
        let movie = mp4_box(b"moov", &movie);
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
    fn a_sound_is_gone_through_to_its_end() {
        // Frames of silence (ISO/IEC 11172-3, layer III), 128 kbit/s and 1,152 samples at 44.1 kHz each.
        let frame = [[0xff, 0xfb, 0x90, 0xc4].as_slice(), &[0; 413]].concat();
        let seen = look(Kind::Tts, &frame.repeat(100)).unwrap();
        assert_eq!(seen.extension, "mp3");
        assert!((seen.seconds.unwrap() - 2.61).abs() < 0.05, "{seen:?}");
        let hours = look(Kind::Tts, &frame.repeat(140_000));
        assert_eq!(hours, None, "more than an hour");
    }

    #[test]
    fn what_is_no_voice_is_refused() {
        let silent = wav(&[mono_16_bit_8_khz(), chunk(b"data", b"")]);
        let early = wav(&[chunk(b"data", &[0; 100]), mono_16_bit_8_khz()]);
        let endless = wav(&vec![chunk(b"LIST", b""); 257]);
        let mp3 = b"ID3\x04 and what follows".to_vec();
        let (ogg, flac) = (b"OggS and more".to_vec(), b"fLaC and no more".to_vec());
        let compressed = [b"\x55\0".as_slice(), &mono_16_bit_8_khz()[10..]].concat();
        let compressed = wav(&[chunk(b"fmt ", &compressed), chunk(b"data", &[0; 8_000])]);
        for content in
            [silent, early, endless, mp3, ogg, flac, compressed, Vec::new(), b"<html></html>".to_vec()]
        {
            assert_eq!(look(Kind::Tts, &content), None);
        }
    }

    #[test]
    fn a_clip_says_how_long_it_is() {
        let seen = |extension| Some(Seen { extension, seconds: Some(2.5) });
        let both = mp4(600, 1_500, &[b"soun", b"vide"]);
        assert_eq!((look(Kind::Video, &both), look(Kind::Tts, &both)), (seen("mp4"), seen("m4a")));
    }

    #[test]
    fn what_is_no_clip_is_refused() {
        let whole = mp4(600, 1_500, &[b"vide"]);
        let cut = whole[..whole.len() - 90].to_vec();
        let silent = mp4(600, 1_500, &[b"soun"]);
        let mut looped = whole.clone();
        looped[3] = 4;
        for content in [(0, 1), (600, 0), (1, u32::MAX)]
            .map(|(scale, duration)| mp4(scale, duration, &[b"vide"]))
            .into_iter()
            .chain([
                cut,
                looped,
                silent,
                whole[16..].to_vec(),
                b"GIF89a".to_vec(),
                b"\x1a\x45\xdf\xa3webm".to_vec(),
            ])
        {
            assert_eq!(look(Kind::Video, &content), None, "{content:?}");
        }
    }

    #[test]
    fn storyboards_and_films_are_not_made_elsewhere() {
        assert!(Wanted::of(Kind::Storyboard).is_none() && Wanted::of(Kind::Film).is_none());
    }
}
