//! Brings a voice into the format and to the rate that were asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::job::TtsSpec;
use domain::settings::VoiceFormat;

use super::FilmTools;
use super::ffmpeg::{Ffmpeg, FfmpegError, Job};

/// No conversion takes longer.
const LIMIT: Duration = Duration::from_secs(120);
/// The rates that MP3 has, in samples per second (ISO/IEC 11172-3 and 13818-3, and their common extension to 8 kHz).
const MP3_RATES: [u32; 9] = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

/// Converts `wav`, a voice of `rate` samples per second, as `spec` asks for. The new file lies beside it, and ends in
/// its format; it is the old one where that is what was asked for.
///
/// # Errors
/// [`FfmpegError`]; the old file is still there.
pub async fn convert_voice(
    tools: &FilmTools,
    spec: &TtsSpec,
    (wav, rate): (&Path, u32),
) -> Result<PathBuf, FfmpegError> {
    let format = spec.format.unwrap_or(VoiceFormat::Wav);
    let wanted = match format {
        VoiceFormat::Wav => spec.sample_rate.unwrap_or(rate),
        VoiceFormat::Mp3 => nearest_of_mp3(spec.sample_rate.unwrap_or(rate)),
    };
    if format == VoiceFormat::Wav && wanted == rate {
        return Ok(wav.to_owned());
    }
    let encoder = match format {
        VoiceFormat::Wav => ["-c:a", "pcm_s16le", "-f", "wav"],
        VoiceFormat::Mp3 => ["-c:a", "libmp3lame", "-f", "mp3"],
    };
    let out = wav.with_file_name(format!("voice-{wanted}.{format}"));
    let folder = wav.parent().unwrap_or(Path::new(".")).to_owned();
    let job = Job::new("converting a voice")
        .args(["-threads", "1"])
        .input("wav", wav)
        // The same voice is the same file, whichever ffmpeg made it.
        .args(["-map", "0:a:0", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"])
        .args(["-ar", &wanted.to_string()])
        .args(encoder)
        .arg(&out);
    Ffmpeg { program: tools.ffmpeg.clone(), folder, limit: LIMIT }.output(&job, 0).await?;
    Ok(out)
}

fn nearest_of_mp3(rate: u32) -> u32 {
    MP3_RATES.into_iter().min_by_key(|known| known.abs_diff(rate)).unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mp3_has_the_nearest_rate_that_it_can_have() {
        for (asked, near) in [(16_000, 16_000), (22_050, 22_050), (192_000, 48_000), (9_000, 8_000)] {
            assert_eq!(nearest_of_mp3(asked), near);
        }
    }
}
