//! Makes the film's sound: voices at one loudness, music below them that gives way while they speak.
//!
//! Mixed here in one pass over the timeline, block by block: exact to the sample, and as small in memory for an
//! hour as for a minute. The ducking follows the plan, not the signal, so that it never pumps.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use domain::asset::AssetKey;
use domain::ids::ShotId;
use domain::job::FilmMusic;

use super::codec::Codec;
use super::error::FilmError;
use super::ffmpeg::{Ffmpeg, FfmpegError, Job, blocking};
use super::input::{self, MediaFile};
use super::loudness::{Limiter, Meter, Stereo, gain};
use super::music;
use super::plan::{FilmPlan, SAMPLE_RATE};

/// Loudness of a voice, in LUFS.
const VOICE_LOUDNESS: f64 = -16.0;
/// Loudness of music where nobody speaks, in LUFS.
const MUSIC_LOUDNESS: f64 = -22.0;
/// How far music gives way to a voice, in decibels.
const DUCKING: f64 = -6.0;
/// Most that a quiet input is raised, in decibels: beyond that it is noise.
const MOST_GAIN: f64 = 30.0;
/// Ceiling of true peaks, in decibels below full scale: −1 dBTP after the AAC encoder has added its own.
const CEILING: f64 = -1.5;
/// Samples in which a piece of music passes into its own beginning: 2 s.
const LOOP_FADE: u64 = 2 * SAMPLE_RATE as u64;
/// Seconds that music takes to give way and to come back; and to begin and to end, where it is not composed to.
const DUCK: f64 = 0.4;
const RETURN: f64 = 0.9;
const FADE_IN: f64 = 1.0;
const FADE_OUT: f64 = 2.5;
/// Seconds in which a voice dies away that the film's end cuts off; any other has ended before.
const CUT_OFF: f64 = 0.3;
/// Seconds in which a voice comes and goes: one that begins in the middle of a wave would click.
const EDGE: f64 = 0.005;
/// Longest voice, in seconds.
const LONGEST_VOICE: &str = "1800";
/// Samples mixed at a time.
const BLOCK: usize = 4_800;

/// A decoded voice, ready to be mixed.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    /// Stereo samples, 32-bit floats.
    path: PathBuf,
    /// Length as decoded, in seconds.
    pub(super) seconds: f64,
    /// What brings it to the loudness of all voices; silence is left alone.
    gain: Option<f32>,
}

impl Voice {
    /// Whether anything is to be heard.
    pub(super) fn is_audible(&self) -> bool {
        self.gain.is_some()
    }
}

/// Music of a film, ready to be mixed.
#[derive(Debug)]
pub(super) struct Music {
    /// Stereo samples, 16-bit integers.
    path: PathBuf,
    samples: u64,
    /// What brings it to the loudness of all music.
    gain: f32,
    /// Whether it begins and ends with the film by itself.
    composed: bool,
}

/// Decodes and measures one voice into `voice-<index>.f32` in the folder.
pub(super) async fn voice(ffmpeg: &Ffmpeg, file: &MediaFile, index: usize) -> Result<Voice, FfmpegError> {
    let path = ffmpeg.folder.join(format!("voice-{index}.f32"));
    let job = decode_job("decoding a voice", file, LONGEST_VOICE, "f32le");
    let kept = path.clone();
    let (samples, loudness) = ffmpeg.drain(&job, move |pipe| keep_voice(pipe, &kept)).await?;
    let gain = loudness.map(|loudness| gain((VOICE_LOUDNESS - loudness).min(MOST_GAIN)));
    Ok(Voice { path, seconds: samples as f64 / f64::from(SAMPLE_RATE), gain })
}

fn decode_job(doing: &'static str, file: &MediaFile, seconds: &str, format: &str) -> Job {
    Job::new(doing)
        .args(["-threads", "1"])
        .input(file.format, &file.path)
        .args(["-vn", "-map", "0:a:0", "-ac", "2", "-ar", &SAMPLE_RATE.to_string(), "-t", seconds])
        .args(["-f", format, "pipe:1"])
}

fn keep_voice(pipe: File, path: &Path) -> io::Result<(u64, Option<f64>)> {
    let mut pipe = BufReader::with_capacity(1 << 16, pipe);
    let mut file = BufWriter::new(File::create(path)?);
    let mut meter = Meter::new();
    let mut count = 0;
    let mut block = Vec::new();
    loop {
        read_block(&mut pipe, BLOCK, &mut block)?;
        if block.is_empty() {
            file.flush()?;
            return Ok((count, meter.loudness()));
        }
        meter.add(&block);
        count += block.len() as u64;
        file.write_all(&bytes_of(&block))?;
    }
}

/// Reads up to `most` samples; fewer only at the end.
fn read_block(source: &mut impl Read, most: usize, block: &mut Vec<Stereo>) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(most * 8);
    source.take(most as u64 * 8).read_to_end(&mut bytes)?;
    let ear = |bytes: &[u8]| bytes.try_into().map_or(0.0, f32::from_le_bytes);
    // A broken file may hold what is no number at all.
    let sane = |ear: f32| if ear.is_finite() { ear.clamp(-8.0, 8.0) } else { 0.0 };
    block.clear();
    block.extend(bytes.chunks_exact(8).map(|pair| [sane(ear(&pair[..4])), sane(ear(&pair[4..]))]));
    Ok(())
}

fn bytes_of(block: &[Stereo]) -> Vec<u8> {
    block.iter().flatten().flat_map(|ear| ear.to_le_bytes()).collect()
}

/// Makes or decodes the film's music into `music.s16` in the folder, and measures it: the first pass, of which the
/// mix is the second. None when the film has no music, or what was given is silent or too short to begin again.
pub(super) async fn music(
    ffmpeg: &Ffmpeg,
    plan: &FilmPlan,
    paths: &HashMap<AssetKey, PathBuf>,
) -> Result<Option<Music>, FilmError> {
    let path = ffmpeg.folder.join("music.s16");
    let kept = path.clone();
    let (samples, loudness) = match &plan.music {
        FilmMusic::None => return Ok(None),
        FilmMusic::Mood { mood } => {
            let seed = plan.shots.first().map_or(0, |shot| seed(shot.shot_id));
            let mut music = music::compose(*mood, plan.seconds(), seed);
            let keep = move || keep_music(&kept, |block| Ok(music.fill(block)));
            blocking(keep).await.map_err(|source| FilmError::Disk { doing: "composing music", source })?
        }
        FilmMusic::Asset { asset } => {
            let path = paths.get(asset).ok_or_else(|| FilmError::MissingInput { asset: asset.clone() })?;
            let file = input::sound(asset.as_str(), path)?;
            let job = decode_job("decoding music", &file, &(plan.seconds() + 1.0).to_string(), "s16le");
            let keep = move |pipe: File| {
                let mut pipe = BufReader::with_capacity(1 << 16, pipe);
                keep_music(&kept, |block| read_integers(&mut pipe, block))
            };
            ffmpeg.drain(&job, keep).await?
        }
    };
    let long_enough = samples > 2 * LOOP_FADE || samples >= samples_in(plan);
    let gain = loudness.map(|loudness| gain((MUSIC_LOUDNESS - loudness).min(MOST_GAIN)));
    let composed = matches!(plan.music, FilmMusic::Mood { .. });
    Ok(gain.filter(|_| long_enough).map(|gain| Music { path, samples, gain, composed }))
}

/// Samples of a film.
fn samples_in(plan: &FilmPlan) -> u64 {
    plan.frames * u64::from(SAMPLE_RATE) / u64::from(plan.profile.fps)
}

/// Music follows the film: the same one gets the same music.
fn seed(shot: ShotId) -> u64 {
    shot.0.as_u64_pair().0 ^ shot.0.as_u64_pair().1
}

/// Writes down and measures what `fill` gives: how many integers it put into the block, 0 at the end.
/// Returns the number of samples and their loudness.
fn keep_music(
    path: &Path,
    mut fill: impl FnMut(&mut [i16]) -> io::Result<usize>,
) -> io::Result<(u64, Option<f64>)> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut meter = Meter::new();
    let mut block = vec![0; BLOCK * 2];
    let mut count = 0;
    loop {
        let filled = fill(&mut block)?;
        if filled == 0 {
            file.flush()?;
            return Ok((count, meter.loudness()));
        }
        let samples: Vec<_> =
            block[..filled].chunks_exact(2).map(|pair| [pair[0], pair[1]].map(to_float)).collect();
        meter.add(&samples);
        count += samples.len() as u64;
        let bytes: Vec<u8> = block[..filled].iter().flat_map(|ear| ear.to_le_bytes()).collect();
        file.write_all(&bytes)?;
    }
}

fn read_integers(pipe: &mut impl Read, block: &mut [i16]) -> io::Result<usize> {
    let mut bytes = Vec::with_capacity(block.len() * 2);
    pipe.take(block.len() as u64 * 2).read_to_end(&mut bytes)?;
    let integers = bytes.chunks_exact(4).flat_map(|pair| [[pair[0], pair[1]], [pair[2], pair[3]]]);
    let count = bytes.len() / 4 * 2;
    block.iter_mut().zip(integers).for_each(|(ear, bytes)| *ear = i16::from_le_bytes(bytes));
    Ok(count)
}

fn to_float(ear: i16) -> f32 {
    f32::from(ear) / 32_768.0
}

/// Plays music for ever: before it ends it begins again, the one crossfaded with the other.
struct Player<'a> {
    music: &'a Music,
    playing: BufReader<File>,
    /// The same from its beginning, while both are heard.
    next: Option<BufReader<File>>,
    /// Samples of `playing` that are left.
    left: u64,
    /// Whether the film is longer than the music.
    repeats: bool,
}

impl<'a> Player<'a> {
    fn new(music: &'a Music, film: usize) -> io::Result<Self> {
        let playing = BufReader::new(File::open(&music.path)?);
        Ok(Self { music, playing, next: None, left: music.samples, repeats: film as u64 > music.samples })
    }

    fn next(&mut self) -> io::Result<Stereo> {
        let mut sample = read_sample(&mut self.playing)?;
        self.left = self.left.saturating_sub(1);
        if self.repeats && self.left < LOOP_FADE {
            if self.next.is_none() {
                self.next = Some(BufReader::new(File::open(&self.music.path)?));
            }
            if let Some(next) = &mut self.next {
                let other = read_sample(next)?;
                // Equal power: the two are strangers to each other.
                let angle = (LOOP_FADE - self.left) as f32 / LOOP_FADE as f32 * std::f32::consts::FRAC_PI_2;
                let (new, old) = angle.sin_cos();
                sample = [sample[0] * old + other[0] * new, sample[1] * old + other[1] * new];
            }
        }
        if self.left == 0
            && let Some(next) = self.next.take()
        {
            self.playing = next;
            self.left = self.music.samples - LOOP_FADE;
        }
        Ok(sample.map(|ear| ear * self.music.gain))
    }
}

fn read_sample(source: &mut impl Read) -> io::Result<Stereo> {
    let mut bytes = [0; 4];
    source.read_exact(&mut bytes)?;
    Ok([[bytes[0], bytes[1]], [bytes[2], bytes[3]]].map(|ear| to_float(i16::from_le_bytes(ear))))
}

/// What is mixed, and when.
pub(super) struct Mix {
    samples: usize,
    /// First sample of each voice, its length in samples, and the voice.
    voices: Vec<(usize, usize, Voice)>,
    music: Option<Music>,
}

impl Mix {
    /// The mix of a plan.
    pub(super) fn new(plan: &FilmPlan, voices: &HashMap<AssetKey, Voice>, music: Option<Music>) -> Self {
        let sample = |frame: u64| (frame * u64::from(SAMPLE_RATE) / u64::from(plan.profile.fps)) as usize;
        let placed = plan.voices.iter().filter_map(|placement| {
            let voice = voices.get(&placement.asset)?.clone();
            let length = (voice.seconds * f64::from(SAMPLE_RATE)).round() as usize;
            Some((sample(placement.first_frame), length.min(sample(placement.frames + 1)), voice))
        });
        Self { samples: sample(plan.frames), voices: placed.collect(), music }
    }

    /// Writes the whole as 32-bit stereo floats. Returns whether anything is to be heard.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<bool> {
        let mut limiter = Limiter::new(CEILING);
        let mut audible = false;
        let mut voice = VoiceReader::default();
        let mut music = self.music.as_ref().map(|music| Player::new(music, self.samples)).transpose()?;
        let mut limited = Vec::with_capacity(BLOCK);
        for start in (0..self.samples).step_by(BLOCK) {
            let mut block = vec![[0.0; 2]; BLOCK.min(self.samples - start)];
            if let Some(music) = &mut music {
                self.add_music(start, &mut block, music)?;
            }
            self.add_voices(start, &mut block, &mut voice)?;
            audible |= block.iter().flatten().any(|ear| ear.abs() > 1e-4);
            limited.clear();
            limited.extend(block.into_iter().filter_map(|sample| limiter.push(sample)));
            out.write_all(&bytes_of(&limited))?;
        }
        out.write_all(&bytes_of(&limiter.finish()))?;
        Ok(audible)
    }

    fn add_music(&self, start: usize, block: &mut [Stereo], music: &mut Player<'_>) -> io::Result<()> {
        let near = self.near(start, block.len());
        let fade = |at| if music.music.composed { 1.0 } else { self.fade(at) };
        for (sample, at) in block.iter_mut().zip(start..) {
            let level = fade(at) * ducking(&near, at);
            let [left, right] = music.next()?;
            sample[0] += left * level;
            sample[1] += right * level;
        }
        Ok(())
    }

    /// When the voices speak that duck some of a block.
    fn near(&self, start: usize, length: usize) -> Vec<(usize, usize)> {
        let reach = ((DUCK + RETURN) * f64::from(SAMPLE_RATE)) as usize;
        let spoken = self.voices.iter().filter(|(_, _, voice)| voice.is_audible());
        spoken
            .map(|(first, length, _)| (*first, first + length))
            .filter(|(first, end)| *first < start + length + reach && end + reach > start)
            .collect()
    }

    /// Music's level at the ends of the film.
    fn fade(&self, at: usize) -> f32 {
        let seconds = at as f64 / f64::from(SAMPLE_RATE);
        let left = (self.samples - at) as f64 / f64::from(SAMPLE_RATE);
        (seconds / FADE_IN).min(left / FADE_OUT).min(1.0) as f32
    }

    fn add_voices(&self, start: usize, block: &mut [Stereo], reader: &mut VoiceReader) -> io::Result<()> {
        let (end, film) = (start + block.len(), self.samples);
        let ramp = |samples: usize, seconds: f64| samples as f64 / f64::from(SAMPLE_RATE) / seconds;
        let heard = |(first, length, _): &&(usize, usize, Voice)| *first < end && first + length > start;
        for (first, length, voice) in self.voices.iter().filter(heard) {
            let (from, to) = ((*first).max(start), (first + length).min(end));
            let spoken = reader.read(voice, *first, to - from)?;
            let gain = voice.gain.unwrap_or(1.0);
            let mixed = block[from - start..to - start].iter_mut().zip(from..);
            for ((sample, at), [left, right]) in mixed.zip(spoken) {
                let edge = ramp(at - first, EDGE).min(ramp(first + length - at, EDGE));
                let level = gain * ramp(film - at, CUT_OFF).min(edge).min(1.0) as f32;
                sample[0] += left * level;
                sample[1] += right * level;
            }
        }
        Ok(())
    }
}

/// Music's level beside the voices that speak from and to these samples: down before one begins, up after it ends,
/// and down throughout when another begins before it would be up.
fn ducking(voices: &[(usize, usize)], at: usize) -> f32 {
    let seconds = |samples: usize| samples as f64 / f64::from(SAMPLE_RATE);
    let depth = |(first, end): &(usize, usize)| {
        if at < *first {
            1.0 - (seconds(first - at) / DUCK).min(1.0)
        } else if at > *end {
            1.0 - (seconds(at - end) / RETURN).min(1.0)
        } else {
            1.0
        }
    };
    let deepest = voices.iter().map(depth).fold(0.0, f64::max);
    gain(DUCKING * deepest)
}

/// Reads voices one after the other: they never overlap, so that one file is open at a time.
#[derive(Default)]
struct VoiceReader {
    /// Where the open one begins in the film, and what is left of it.
    open: Option<(usize, BufReader<File>)>,
    block: Vec<Stereo>,
}

impl VoiceReader {
    fn read(&mut self, voice: &Voice, first: usize, samples: usize) -> io::Result<&[Stereo]> {
        let reader = match self.open.take() {
            Some(open) if open.0 == first => open,
            _ => (first, BufReader::new(File::open(&voice.path)?)),
        };
        let (_, file) = self.open.insert(reader);
        read_block(file, samples, &mut self.block)?;
        Ok(&self.block)
    }
}

/// Mixes and encodes the film's sound into its file in the folder. Returns whether anything is to be heard.
pub(super) async fn encode(ffmpeg: &Ffmpeg, codec: &Codec, mix: Mix) -> Result<bool, FilmError> {
    let rate = SAMPLE_RATE.to_string();
    let job = Job::new("encoding the sound")
        .args(["-f", "f32le", "-ar", &rate, "-ac", "2", "-i", "pipe:0"])
        .args(codec.sound_encoder.iter().copied())
        .arg(codec.sound_file);
    let feed = move |pipe: File| {
        let mut pipe = BufWriter::with_capacity(1 << 16, pipe);
        let is_audible = mix.write(&mut pipe)?;
        pipe.flush()?;
        Ok(is_audible)
    };
    let (_, is_audible) = ffmpeg.feed(&job, feed).await?;
    Ok(is_audible)
}
