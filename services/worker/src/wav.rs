//! Reads and writes WAV files of signed 16-bit samples, in blocks, so that a long sound never lies in memory whole.
//!
//! Written here because streaming speech servers send headers whose lengths are unknown (`0xFFFFFFFF`, or a size
//! far beyond what follows), which the common reader refuses.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// Length of the header that [`Writer`] puts before the samples, in bytes.
const HEADER_BYTES: u32 = 44;
/// Chunks before the samples that are longer than this are not believed.
const MAX_CHUNK_BYTES: u32 = 1 << 20;
/// `fmt ` code of plain integer samples.
const PCM: u16 = 1;
/// `fmt ` code that says: the real one is in the extension.
const EXTENSIBLE: u16 = 0xFFFE;

/// How the samples of a sound are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// 1 for mono, 2 for stereo; samples of the channels alternate.
    pub channels: u16,
    /// Frames per second.
    pub sample_rate: u32,
}

/// Why a WAV file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The bytes are something else.
    #[error("this is not a WAV file: {0}")]
    NotWav(&'static str),
    /// A WAV file, but with other samples than signed 16-bit integers.
    #[error("the WAV file has {bits}-bit samples of format {code}; only 16-bit integers are read")]
    Unsupported {
        /// The `fmt ` chunk's format code.
        code: u16,
        /// Bits of one sample.
        bits: u16,
    },
    /// A WAV file holds at most 4 GiB.
    #[error("the sound is too long for a WAV file")]
    TooLong,
    /// The file could not be read or written.
    #[error("the WAV file could not be read or written")]
    Io(#[from] io::Error),
}

/// Reads samples from a WAV file, front to back.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    format: Format,
    /// Bytes of samples that the header promises and that were not read yet; absent when it does not know.
    left: Option<u64>,
}

impl<R: Read> Reader<R> {
    /// Reads the header, up to the first sample.
    ///
    /// # Errors
    /// When the bytes are not a WAV file, or its samples are not 16-bit integers.
    pub fn new(mut inner: R) -> Result<Self, WavError> {
        let riff: [u8; 12] = bytes(&mut inner)?;
        if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
            return Err(WavError::NotWav("it does not begin with RIFF and WAVE"));
        }
        let mut format = None;
        loop {
            let chunk: [u8; 8] = bytes(&mut inner)?;
            let length = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
            match (&chunk[..4], format) {
                (b"data", Some(format)) => {
                    let left = (length != u32::MAX && length != 0).then_some(u64::from(length));
                    return Ok(Self { inner, format, left });
                }
                (b"data", None) => return Err(WavError::NotWav("the samples come before their format")),
                (b"fmt ", _) => format = Some(parse_format(&chunk_body(&mut inner, length)?)?),
                _ => drop(chunk_body(&mut inner, length)?),
            }
        }
    }

    /// How the samples are laid out.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Fills `samples` from the front and says how many were read; fewer than asked for only at the end.
    ///
    /// A file that ends before its header says so ends there: servers that stream write a length at random.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&mut self, samples: &mut [i16]) -> Result<usize, WavError> {
        let wanted = samples.len() as u64 * 2;
        let wanted = self.left.map_or(wanted, |left| left.min(wanted));
        let mut raw = Vec::with_capacity(samples.len() * 2);
        self.inner.by_ref().take(wanted).read_to_end(&mut raw)?;
        if let Some(left) = &mut self.left {
            *left -= raw.len() as u64;
        }
        let (pairs, _) = raw.as_chunks::<2>();
        for (sample, pair) in samples.iter_mut().zip(pairs) {
            *sample = i16::from_le_bytes(*pair);
        }
        Ok(pairs.len())
    }
}

/// The next `N` bytes.
fn bytes<const N: usize>(inner: &mut impl Read) -> Result<[u8; N], WavError> {
    let mut buffer = [0; N];
    inner.read_exact(&mut buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => WavError::NotWav("it ends before its first sample"),
        _ => WavError::Io(error),
    })?;
    Ok(buffer)
}

/// What a chunk before the samples holds. Chunks of odd length are padded by a byte.
fn chunk_body(inner: &mut impl Read, length: u32) -> Result<Vec<u8>, WavError> {
    if length > MAX_CHUNK_BYTES {
        return Err(WavError::NotWav("a chunk before the samples is too long"));
    }
    let padded = u64::from(length + length % 2);
    let mut body = Vec::new();
    inner.by_ref().take(padded).read_to_end(&mut body)?;
    if (body.len() as u64) < padded {
        return Err(WavError::NotWav("it ends before its first sample"));
    }
    Ok(body)
}

/// Understands the body of a `fmt ` chunk.
fn parse_format(body: &[u8]) -> Result<Format, WavError> {
    let word = |at: usize| body.get(at..at + 2).map(|two| u16::from_le_bytes([two[0], two[1]]));
    let (Some(code), Some(channels), Some(low), Some(high), Some(bits)) =
        (word(0), word(2), word(4), word(6), word(14))
    else {
        return Err(WavError::NotWav("its format chunk is too short"));
    };
    let code = if code == EXTENSIBLE { word(24).unwrap_or(code) } else { code };
    if code != PCM || bits != 16 {
        return Err(WavError::Unsupported { code, bits });
    }
    let sample_rate = u32::from(high) << 16 | u32::from(low);
    if !(1..=8).contains(&channels) || !(4_000..=384_000).contains(&sample_rate) {
        return Err(WavError::NotWav("its channels or sample rate make no sense"));
    }
    Ok(Format { channels, sample_rate })
}

/// Writes samples to a WAV file; [`Writer::finish`] puts the true lengths into the header.
#[derive(Debug)]
pub struct Writer<W> {
    inner: W,
    format: Format,
    data_bytes: u32,
}

impl<W: Write + Seek> Writer<W> {
    /// Begins a file at the start of `inner`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn new(mut inner: W, format: Format) -> Result<Self, WavError> {
        inner.write_all(&header(format, 0))?;
        Ok(Self { inner, format, data_bytes: 0 })
    }

    /// How the samples are laid out.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Appends samples; those of the channels alternate.
    ///
    /// # Errors
    /// When the file cannot be written, or would grow beyond 4 GiB.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), WavError> {
        let data_bytes = u32::try_from(samples.len() * 2)
            .ok()
            .and_then(|more| self.data_bytes.checked_add(more))
            .filter(|total| *total <= u32::MAX - HEADER_BYTES)
            .ok_or(WavError::TooLong)?;
        let raw: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.inner.write_all(&raw)?;
        self.data_bytes = data_bytes;
        Ok(())
    }

    /// Length of what was written so far, in seconds.
    pub fn seconds(&self) -> f64 {
        let frames = f64::from(self.data_bytes) / (2.0 * f64::from(self.format.channels));
        frames / f64::from(self.format.sample_rate)
    }

    /// Completes the header and flushes.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<W, WavError> {
        self.inner.seek(SeekFrom::Start(0))?;
        self.inner.write_all(&header(self.format, self.data_bytes))?;
        self.inner.seek(SeekFrom::End(0))?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

/// The canonical 44-byte header.
fn header(format: Format, data_bytes: u32) -> Vec<u8> {
    let frame_bytes = format.channels * 2;
    let mut header = Vec::with_capacity(HEADER_BYTES as usize);
    header.extend(b"RIFF");
    header.extend((data_bytes + HEADER_BYTES - 8).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16_u32.to_le_bytes());
    header.extend(PCM.to_le_bytes());
    header.extend(format.channels.to_le_bytes());
    header.extend(format.sample_rate.to_le_bytes());
    header.extend((format.sample_rate * u32::from(frame_bytes)).to_le_bytes());
    header.extend(frame_bytes.to_le_bytes());
    header.extend(16_u16.to_le_bytes());
    header.extend(b"data");
    header.extend(data_bytes.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const STEREO: Format = Format { channels: 2, sample_rate: 48_000 };

    fn written(samples: &[i16]) -> Vec<u8> {
        let mut writer = Writer::new(Cursor::new(Vec::new()), STEREO).unwrap();
        for block in samples.chunks(3) {
            writer.write(block).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn read_all(file: &[u8]) -> Result<(Format, Vec<i16>), WavError> {
        let mut reader = Reader::new(file)?;
        let (mut samples, mut block) = (Vec::new(), [0; 5]);
        loop {
            match reader.read(&mut block)? {
                0 => return Ok((reader.format(), samples)),
                read => samples.extend_from_slice(&block[..read]),
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let samples = [0, 1, -1, i16::MAX, i16::MIN, 7, 8, 9];
        let (format, read) = read_all(&written(&samples)).unwrap();
        assert_eq!((format, read), (STEREO, samples.to_vec()));
    }

    #[test]
    fn a_header_with_unknown_lengths_is_read_to_the_end_of_the_file() {
        for unknown in [u32::MAX, 0, 0x7FFF_F000] {
            let mut file = written(&[5; 20]);
            file[4..8].copy_from_slice(&unknown.to_le_bytes());
            file[40..44].copy_from_slice(&unknown.to_le_bytes());
            assert_eq!(read_all(&file).unwrap().1, vec![5; 20], "{unknown:#x}");
        }
    }

    #[test]
    fn chunks_before_and_after_the_samples_are_not_heard() {
        let plain = written(&[5; 4]);
        let mut file = plain[..36].to_vec();
        file.extend(b"LIST\x03\x00\x00\x00abc\x00");
        file.extend(&plain[36..]);
        file.extend(b"LIST\x02\x00\x00\x00zz");
        assert_eq!(read_all(&file).unwrap().1, vec![5; 4]);
    }

    #[test]
    fn an_extensible_header_of_integers_is_understood() {
        let plain = written(&[5; 4]);
        let mut file = plain[..16].to_vec();
        file.extend(40_u32.to_le_bytes());
        file.extend(EXTENSIBLE.to_le_bytes());
        file.extend(&plain[22..36]);
        file.extend([22, 0, 16, 0, 3, 0, 0, 0, 1, 0]);
        file.extend([0; 14]);
        file.extend(&plain[36..]);
        assert_eq!(read_all(&file).unwrap(), (STEREO, vec![5; 4]));
    }

    #[test]
    fn other_things_than_16_bit_sounds_are_refused_with_their_reason() {
        let mut float = written(&[5; 4]);
        float[20] = 3;
        assert!(matches!(read_all(&float), Err(WavError::Unsupported { code: 3, bits: 16 })));
        for broken in [&b"<html><body>busy</body></html>"[..], b"", &written(&[])[..30]] {
            assert!(matches!(read_all(broken), Err(WavError::NotWav(_))));
        }
        let mut huge = written(&[5; 4]);
        huge[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(read_all(&huge), Err(WavError::NotWav(_))));
    }

    #[test]
    fn the_length_in_seconds_counts_frames_not_samples() {
        let mut writer = Writer::new(Cursor::new(Vec::new()), STEREO).unwrap();
        writer.write(&[0; 96_000]).unwrap();
        assert!((writer.seconds() - 1.0).abs() < 1e-9);
    }
}
