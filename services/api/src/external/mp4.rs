//! What an MP4 says of itself (ISO/IEC 14496-12): how long it is, and what of. Read with bounds, as it is a
//! stranger's.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Boxes of a file, or of a part of it, that are looked at.
const BOXES: usize = 256;

/// The movie in a file: where its content begins and ends. `None` when it is no MP4, or a part of one.
pub(super) fn movie(file: &mut File) -> io::Result<Option<(u64, u64)>> {
    let end = file.metadata()?.len();
    if find(file, *b"ftyp", end)?.is_none_or(|(start, _)| start > 16) {
        return Ok(None);
    }
    file.rewind()?;
    find(file, *b"moov", end)
}

/// How long a movie is, in seconds, from its header (8.2.2).
pub(super) fn seconds(file: &mut File, (start, end): (u64, u64)) -> io::Result<Option<f64>> {
    file.seek(SeekFrom::Start(start))?;
    if find(file, *b"mvhd", end)?.is_none() {
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

/// Whether a movie has a track of this sort: `vide` or `soun` (8.4.3).
pub(super) fn has_track(file: &mut File, (start, end): (u64, u64), sort: [u8; 4]) -> io::Result<bool> {
    let mut next = start;
    for _ in 0..BOXES {
        file.seek(SeekFrom::Start(next))?;
        let Some((_, track_end)) = find(file, *b"trak", end)? else { return Ok(false) };
        let handler = match find(file, *b"mdia", track_end)? {
            Some((_, media_end)) => find(file, *b"hdlr", media_end)?,
            None => None,
        };
        if handler.is_some() && bytes::<12>(file)?[8..] == sort {
            return Ok(true);
        }
        next = track_end;
    }
    Ok(false)
}

/// The first box of a type up to `end`: where its content starts, which is read next, and where it ends.
fn find(file: &mut File, wanted: [u8; 4], end: u64) -> io::Result<Option<(u64, u64)>> {
    for _ in 0..BOXES {
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

/// A big-endian word of up to 8 bytes.
fn word(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

fn bytes<const N: usize>(file: &mut File) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).map(|()| bytes)
}
