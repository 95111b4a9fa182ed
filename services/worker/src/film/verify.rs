//! Proves that a finished film is what was planned, before anybody sees it.
//!
//! Reads its packets and timestamps, which takes a moment where decoding it would take as long as encoding did.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::codec::codec;
use super::error::FilmError;
use super::ffmpeg::{Ffmpeg, Job};
use super::plan::FilmPlan;

/// Packets of silence are smaller than this, in bytes.
const SILENT_PACKET: u64 = 24;

/// What a film's packets say.
#[derive(Debug, Default, PartialEq)]
struct Measured {
    video: Track,
    sound: Track,
}

#[derive(Debug, Default, PartialEq)]
struct Track {
    codec: String,
    /// `1280x720`, or the samples per second.
    form: String,
    /// Seconds of one tick.
    tick: f64,
    packets: u64,
    first_decoded: i64,
    /// Packets of pictures that are further than half a frame from where their number puts them.
    out_of_step: u64,
    /// When the first begins and the last ends, in ticks.
    start: i64,
    end: i64,
    largest: u64,
}

/// Checks `film` against its plan and returns its length in seconds. `audible` says whether its sound should be.
pub(super) async fn film(
    ffmpeg: &Ffmpeg,
    plan: &FilmPlan,
    film: &Path,
    audible: bool,
) -> Result<f64, FilmError> {
    let codec = codec(plan.profile.format);
    let job = Job::new("checking the film")
        .input(codec.demuxer, film)
        .args(["-map", "0:v:0", "-map", "0:a:0", "-c", "copy", "-copyts", "-f", "framecrc", "pipe:1"]);
    let fps = plan.profile.fps;
    let measured = ffmpeg.drain(&job, move |pipe| measure(BufReader::new(pipe), fps)).await?;
    check(plan, &measured, audible).map_err(FilmError::Wrong)
}

fn check(plan: &FilmPlan, measured: &Measured, audible: bool) -> Result<f64, String> {
    let (Measured { video, sound }, codec) = (measured, codec(plan.profile.format));
    let size = format!("{}x{}", plan.profile.width, plan.profile.height);
    let seconds = video.seconds();
    // Frames are exact. Sound comes in packets, and may be one longer at each end.
    let packet = 1_024.0 / 48_000.0;
    let wrong = [
        (video.codec != codec.video, format!("its pictures are {:?}", video.codec)),
        (video.form != size, format!("it is {} instead of {size}", video.form)),
        (video.packets != plan.frames, format!("it has {} frames instead of {}", video.packets, plan.frames)),
        (video.out_of_step > 0, format!("{} of its frames come at the wrong time", video.out_of_step)),
        (
            (seconds - plan.seconds()).abs() > 1.0 / f64::from(plan.profile.fps),
            format!("it lasts {seconds} s"),
        ),
        (sound.codec != codec.sound, format!("its sound is {:?}", sound.codec)),
        (sound.form != "48000", format!("its sound has {} samples a second", sound.form)),
        (
            (sound.seconds() - plan.seconds()).abs() > 3.0 * packet,
            format!("its sound lasts {} s instead of {seconds}", sound.seconds()),
        ),
        (audible && sound.largest < SILENT_PACKET, "its sound is silent".to_owned()),
    ];
    match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, what)) => Err(what),
        None => Ok(seconds),
    }
}

impl Track {
    fn seconds(&self) -> f64 {
        (self.end - self.start) as f64 * self.tick
    }

    fn add(&mut self, line: &[&str], fps: u32) -> Option<()> {
        let [_, decoded, shown, duration, size, ..] = *line else { return None };
        let (decoded, shown): (i64, i64) = (decoded.parse().ok()?, shown.parse().ok()?);
        let (duration, size): (i64, u64) = (duration.parse().ok()?, size.parse().ok()?);
        if self.packets == 0 {
            (self.start, self.end) = (shown, shown);
            self.first_decoded = decoded;
        }
        // A container that counts milliseconds rounds.
        let frames = (decoded - self.first_decoded) as f64 * self.tick * f64::from(fps);
        self.out_of_step += u64::from((frames - self.packets as f64).abs() > 0.5);
        self.start = self.start.min(shown);
        self.end = self.end.max(shown + duration);
        self.packets += 1;
        self.largest = self.largest.max(size);
        Some(())
    }
}

/// Reads ffmpeg's `framecrc` listing: headers that begin with `#`, then one line a packet
/// (stream, decoding time, showing time, duration, size, checksum).
fn measure(listing: impl BufRead, fps: u32) -> io::Result<Measured> {
    let mut measured = Measured::default();
    for line in listing.lines() {
        let line = line?;
        if let Some(header) = line.strip_prefix('#') {
            read_header(header, &mut measured);
            continue;
        }
        let fields: Vec<_> = line.split(',').map(str::trim).collect();
        let track = match fields.first() {
            Some(&"0") => &mut measured.video,
            Some(&"1") => &mut measured.sound,
            _ => continue,
        };
        track.add(&fields, fps).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    }
    Ok(measured)
}

fn read_header(header: &str, measured: &mut Measured) {
    let Some((name, value)) = header.split_once(": ") else { return };
    let Some((name, stream)) = name.rsplit_once(' ') else { return };
    let track = if stream == "0" { &mut measured.video } else { &mut measured.sound };
    match name {
        "codec_id" => track.codec = value.to_owned(),
        "dimensions" | "sample_rate" => track.form = value.to_owned(),
        "tb" => {
            let (ticks, seconds) = value.split_once('/').unwrap_or(("0", "1"));
            track.tick = ticks.parse().unwrap_or(0.0) / seconds.parse().unwrap_or(1.0);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{film as film_spec, shot};
    use super::*;
    use domain::settings::Transition;

    fn listing(frames: u64, packets: u64, silent: bool) -> String {
        let mut text =
            "#software: x\n#tb 0: 1/12\n#media_type 0: video\n#codec_id 0: h264\n#dimensions 0: 320x180\n\
                        #tb 1: 1/48000\n#codec_id 1: aac\n#sample_rate 1: 48000\n"
                .to_owned();
        for at in 0..frames {
            text += &format!("0, {}, {at}, 1, 900, 0x0\n", at as i64 - 2);
        }
        for at in 0..packets {
            let size = if silent { 9 } else { 200 };
            text += &format!("1, {0}, {0}, 1024, {size}, 0x0, S=1, 10\n", at as i64 * 1_024 - 1_024);
        }
        text
    }

    fn checked(frames: u64, packets: u64, silent: bool) -> Result<f64, String> {
        // 30 frames at 12 per second: 2.5 s, which is 118 packets.
        let plan = FilmPlan::from(&film_spec(vec![shot(1, "", 1.0, Transition::Cut)])).unwrap();
        check(&plan, &measure(listing(frames, packets, silent).as_bytes(), 12).unwrap(), true)
    }

    #[test]
    fn a_film_as_planned_is_good() {
        assert_eq!(checked(30, 118, false), Ok(2.5));
    }

    #[test]
    fn a_missing_frame_short_sound_or_silence_is_found() {
        assert!(checked(29, 118, false).unwrap_err().contains("29 frames"));
        assert!(checked(30, 100, false).unwrap_err().contains("its sound lasts"));
        assert!(checked(30, 118, true).unwrap_err().contains("silent"));
        assert!(checked(30, 0, false).is_err());
    }

    #[test]
    fn frames_at_the_wrong_time_are_found() {
        let broken = listing(30, 118, false).replace("0, 5, 7, 1,", "0, 6, 8, 1,");
        assert_eq!(measure(broken.as_bytes(), 12).unwrap().video.out_of_step, 1);
    }
}
