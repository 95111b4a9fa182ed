//! How long a WAV is. Read with bounds, as it is a stranger's.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Chunks of a file that are looked at.
const CHUNKS: usize = 256;

/// The length of a WAV of plain samples. Servers that stream write a length at random, so what is there counts.
pub(super) fn seconds(file: &mut File) -> io::Result<Option<f64>> {
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

fn bytes<const N: usize>(file: &mut File) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).map(|()| bytes)
}
