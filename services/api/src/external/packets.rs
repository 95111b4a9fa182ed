//! How long a sound or a WebM is: it is gone through from packet to packet, and none is decoded. So what is there counts,
//! and not what the file says of itself, which recorders and servers that stream leave out or make up.

use std::fs::File;
use std::io::ErrorKind;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::errors::{Error, Result};
use symphonia::core::formats::{FormatOptions, FormatReader, Track};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;
use symphonia::default::formats::{FlacReader, MkvReader, MpaReader, OggReader};

/// What is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Flac,
    Mp3,
    Ogg,
    /// Its pictures.
    WebM,
}

impl Stream {
    fn reader(self, file: File) -> Result<Box<dyn FormatReader>> {
        let (source, options) =
            (MediaSourceStream::new(Box::new(file), Default::default()), FormatOptions::default());
        Ok(match self {
            Self::Flac => Box::new(FlacReader::try_new(source, options)?),
            Self::Mp3 => Box::new(MpaReader::try_new(source, options)?),
            Self::Ogg => Box::new(OggReader::try_new(source, options)?),
            Self::WebM => Box::new(MkvReader::try_new(source, options)?),
        })
    }

    fn is_wanted(self, track: &Track) -> bool {
        match track.codec_params {
            Some(CodecParameters::Video(_)) => self == Self::WebM,
            Some(CodecParameters::Audio(_)) => self != Self::WebM,
            _ => false,
        }
    }
}

/// The length in seconds, or somewhat more than `most`; `None` when the file is not that, or is damaged.
pub(super) fn seconds(file: File, stream: Stream, most: f64) -> Option<f64> {
    let mut reader = stream.reader(file).ok()?;
    let track = reader.tracks().iter().find(|track| stream.is_wanted(track))?;
    let (id, base) = (track.id, track.time_base?);
    let mut seconds = 0.0_f64;
    while seconds <= most {
        match reader.next_packet() {
            Ok(Some(packet)) if packet.track_id == id => seconds = seconds.max(end_of(&packet, base)),
            Ok(Some(_)) => {}
            Ok(None) => break,
            // What was recorded live ends without an end.
            Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(_) => return None,
        }
    }
    Some(seconds)
}

fn end_of(packet: &Packet, base: TimeBase) -> f64 {
    let begins = base.calc_time(packet.pts).map_or(0.0, |time| time.as_secs_f64());
    begins + packet.dur.get() as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get())
}
