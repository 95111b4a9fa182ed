//! Plays notes: wave tables with envelopes, sent into a room.
//!
//! Everything is soft between 1 and 4 kHz, where consonants are, so that a voice stays clear above it.

use std::f32::consts::{PI, TAU};

use domain::settings::Mood;

use super::SAMPLE_RATE;
use super::room::{Master, Room};
use super::score::{Dice, Note};

/// Frames that are rendered at once; envelopes are straight lines within.
pub(super) const STEP: usize = 32;
pub(super) const RATE: f32 = SAMPLE_RATE as f32;
/// Points of one cycle of a wave table: the upper bits of a 32-bit phase.
const TABLE_BITS: u32 = 11;
const TABLE: usize = 1 << TABLE_BITS;
/// A note that has become this quiet is over.
const INAUDIBLE: f32 = 2e-5;
/// Detuned copies of one note.
const COPIES: usize = 3;

/// Who plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instrument {
    /// Slow and warm chords.
    Pad,
    /// Darker chords that swell.
    Strings,
    /// A round low note.
    Bass,
    /// A very low note that beats slowly.
    Drone,
    /// A soft plucked bar, as of a kalimba.
    Pluck,
    /// A short muted low string.
    Pulse,
    /// A small bell.
    Bell,
    /// A thin high swell.
    Glass,
    /// A soft drum; falls in pitch.
    Kick,
    /// Grains; has no pitch.
    Shaker,
}

/// How an instrument sounds. Times in seconds.
#[derive(Debug, Clone, Copy)]
struct Timbre {
    /// Strength of each harmonic once the note has settled, and what its beginning adds.
    mellow: &'static [f32],
    bright: &'static [f32],
    /// How fast the brightness goes.
    shine: f32,
    attack: f32,
    /// Time in which a held note falls to 37 %; infinite for one that stays.
    decay: f32,
    release: f32,
    /// Distance of the detuned copies, in cents.
    detune: f32,
    /// How far the copies lie apart, 0 to 1.
    width: f32,
    level: f32,
    /// Share that goes into the room.
    send: f32,
}

const ALL: [Instrument; 10] = [
    Instrument::Pad,
    Instrument::Strings,
    Instrument::Bass,
    Instrument::Drone,
    Instrument::Pluck,
    Instrument::Pulse,
    Instrument::Bell,
    Instrument::Glass,
    Instrument::Kick,
    Instrument::Shaker,
];

const SINE: &[f32] = &[1.0];
const STAYS: f32 = f32::INFINITY;

impl Instrument {
    #[rustfmt::skip]
    fn timbre(self) -> Timbre {
        match self {
            Self::Pad => Timbre {
                mellow: &[1.0, 0.4, 0.2, 0.1, 0.05, 0.03, 0.02], bright: &[0.0, 0.1, 0.1, 0.05], shine: 1.5,
                attack: 1.1, decay: STAYS, release: 1.8, detune: 5.0, width: 0.7, level: 0.045, send: 0.5,
            },
            Self::Strings => Timbre {
                mellow: &[1.0, 0.55, 0.4, 0.28, 0.2, 0.13, 0.08, 0.05], bright: &[0.0, 0.1, 0.1], shine: 2.0,
                attack: 1.5, decay: STAYS, release: 1.6, detune: 8.0, width: 0.8, level: 0.055, send: 0.5,
            },
            Self::Bass => Timbre {
                mellow: &[1.0, 0.3, 0.08], bright: &[0.0, 0.25, 0.2, 0.08], shine: 0.25,
                attack: 0.025, decay: 2.5, release: 0.25, detune: 0.0, width: 0.0, level: 0.11, send: 0.05,
            },
            Self::Drone => Timbre {
                mellow: &[1.0, 0.6, 0.35, 0.2, 0.12, 0.06], bright: &[0.0, 0.1, 0.1, 0.1], shine: 3.0,
                attack: 0.9, decay: STAYS, release: 1.2, detune: 7.0, width: 0.35, level: 0.06, send: 0.15,
            },
            Self::Pluck => Timbre {
                mellow: &[1.0, 0.12, 0.03], bright: &[0.0, 0.35, 0.3, 0.16, 0.12, 0.08, 0.08, 0.05, 0.05, 0.03], shine: 0.06,
                attack: 0.004, decay: 0.5, release: 0.35, detune: 2.0, width: 0.3, level: 0.085, send: 0.35,
            },
            Self::Pulse => Timbre {
                mellow: &[1.0, 0.4, 0.15, 0.05], bright: &[0.0, 0.4, 0.4, 0.3, 0.2, 0.1], shine: 0.05,
                attack: 0.005, decay: 0.22, release: 0.12, detune: 3.0, width: 0.3, level: 0.13, send: 0.2,
            },
            Self::Bell => Timbre {
                mellow: &[1.0, 0.05], bright: &[0.0, 0.1, 0.3, 0.05, 0.06], shine: 0.12,
                attack: 0.006, decay: 0.9, release: 0.8, detune: 1.5, width: 0.5, level: 0.05, send: 0.6,
            },
            Self::Glass => Timbre {
                mellow: &[1.0, 0.1], bright: SINE, shine: 1.0,
                attack: 1.6, decay: STAYS, release: 2.0, detune: 4.0, width: 0.9, level: 0.014, send: 0.7,
            },
            Self::Kick => Timbre {
                mellow: SINE, bright: &[0.3, 0.2], shine: 0.03,
                attack: 0.004, decay: 0.16, release: 0.15, detune: 0.0, width: 0.0, level: 0.26, send: 0.06,
            },
            Self::Shaker => Timbre {
                mellow: SINE, bright: SINE, shine: 1.0,
                attack: 0.008, decay: 0.035, release: 0.03, detune: 0.0, width: 0.0, level: 0.008, send: 0.1,
            },
        }
    }
}

/// One cycle of a sum of harmonics, with its first point again at the end.
fn table(harmonics: &[f32]) -> Vec<f32> {
    let at = |point: usize| {
        let angle = point as f32 / TABLE as f32 * TAU;
        harmonics.iter().enumerate().map(|(at, level)| level * (angle * (at + 1) as f32).sin()).sum()
    };
    (0..=TABLE).map(|point| at(point % TABLE)).collect()
}

/// A note that sounds.
#[derive(Debug)]
struct Voice {
    instrument: Instrument,
    timbre: Timbre,
    begins: u64,
    seconds: f32,
    level: f32,
    phases: [u32; COPIES],
    steps: [u32; COPIES],
    /// Left and right gain of each copy.
    gains: [[f32; 2]; COPIES],
    /// Gain at the end of the last step.
    gain: f32,
    sway: f32,
    noise: Dice,
    grains: [f32; 2],
}

impl Voice {
    fn new(note: Note, dice: &mut Dice) -> Self {
        let timbre = note.instrument.timbre();
        let spread = [0.0, -1.0, 1.0];
        let frequency = 440.0 * ((note.pitch - 69) as f32 / 12.0).exp2();
        let steps = spread.map(|side| phase_step(frequency * (side * timbre.detune / 1_200.0).exp2()));
        let gains = spread.map(|side| {
            let angle = ((note.pan + side * timbre.width).clamp(-1.0, 1.0) + 1.0) * PI / 4.0;
            [angle.cos(), angle.sin()]
        });
        // Short attacks start from zero crossings, slow ones anywhere.
        let phases =
            if timbre.attack < 0.1 { [0; COPIES] } else { gains.map(|_| (dice.unit() * 4e9) as u32) };
        Self {
            instrument: note.instrument,
            timbre,
            begins: note.frame,
            seconds: note.seconds.max(timbre.attack),
            level: note.level * timbre.level,
            phases,
            steps,
            gains,
            gain: 0.0,
            sway: dice.unit() * TAU,
            noise: dice.clone(),
            grains: [0.0; 2],
        }
    }

    /// Loudness `age` seconds after the beginning, from 0 to 1.
    fn envelope(&self, age: f32) -> f32 {
        let smooth = |x: f32| x * x * (3.0 - 2.0 * x);
        let attack = smooth((age / self.timbre.attack).min(1.0));
        let decay = (-(age - self.timbre.attack).max(0.0) / self.timbre.decay).exp();
        let release = smooth((1.0 - (age - self.seconds) / self.timbre.release).clamp(0.0, 1.0));
        let sway = if self.timbre.decay == STAYS { 1.0 + 0.15 * (age * 0.7 + self.sway).sin() } else { 1.0 };
        attack * decay * release * sway
    }

    /// Adds one step to `dry` and `wet`; false when the note is over.
    fn render(
        &mut self,
        frame: u64,
        waves: &Waves,
        dry: &mut [f32; STEP * 2],
        wet: &mut [f32; STEP * 2],
    ) -> bool {
        let age = (frame + STEP as u64).saturating_sub(self.begins) as f32 / RATE;
        let to = self.level * self.envelope(age);
        let from = std::mem::replace(&mut self.gain, to);
        let slope = (to - from) / STEP as f32;
        let mut sound = [0.0; STEP * 2];
        if self.instrument == Instrument::Shaker {
            self.grains(&mut sound);
        } else {
            self.tone(age, waves, &mut sound);
        }
        for at in 0..STEP {
            let gain = from + slope * (at + 1) as f32;
            for side in 0..2 {
                let sample = sound[at * 2 + side] * gain;
                dry[at * 2 + side] += sample;
                wet[at * 2 + side] += sample * self.timbre.send;
            }
        }
        let released = age > self.seconds + self.timbre.release;
        !(released || age > self.timbre.attack && to < INAUDIBLE)
    }

    /// The detuned copies of a pitched note.
    fn tone(&mut self, age: f32, waves: &Waves, sound: &mut [f32; STEP * 2]) {
        let wave = waves.of(self.instrument);
        let shine = (-age / self.timbre.shine).exp();
        let copies = if self.timbre.detune == 0.0 { 1 } else { COPIES };
        let fall = if self.instrument == Instrument::Kick { 1.0 + 2.5 * (-age / 0.03).exp() } else { 1.0 };
        let scale = 1.0 / (copies as f32).sqrt();
        for copy in 0..copies {
            let step = (self.steps[copy] as f32 * fall) as u32;
            let [left, right] = self.gains[copy].map(|gain| gain * scale);
            let mut phase = self.phases[copy];
            for pair in sound.chunks_exact_mut(2) {
                let sample = wave.read(phase, shine);
                pair[0] += sample * left;
                pair[1] += sample * right;
                phase = phase.wrapping_add(step);
            }
            self.phases[copy] = phase;
        }
    }

    /// Noise without its lower part: two differences in a row.
    fn grains(&mut self, sound: &mut [f32; STEP * 2]) {
        let [left, right] = self.gains[0];
        for pair in sound.chunks_exact_mut(2) {
            let noise = self.noise.around(1.0);
            let sample = noise - 2.0 * self.grains[0] + self.grains[1];
            self.grains = [noise, self.grains[0]];
            pair[0] += sample * left;
            pair[1] += sample * right;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "frequencies lie below half the rate"
)]
fn phase_step(frequency: f32) -> u32 {
    (f64::from(frequency) / f64::from(SAMPLE_RATE) * 4_294_967_296.0) as u32
}

/// The wave tables of one instrument.
#[derive(Debug)]
struct Wave {
    mellow: Vec<f32>,
    bright: Vec<f32>,
}

impl Wave {
    /// The value at a phase, between the two nearest points; `shine` of the bright table is added.
    fn read(&self, phase: u32, shine: f32) -> f32 {
        let at = (phase >> (32 - TABLE_BITS)) as usize;
        let between = (phase << TABLE_BITS) as f32 / 4_294_967_296.0;
        let value = |table: &[f32]| table[at] + (table[at + 1] - table[at]) * between;
        value(&self.mellow) + shine * value(&self.bright)
    }
}

#[derive(Debug)]
struct Waves(Vec<Wave>);

impl Waves {
    fn new() -> Self {
        Self(
            ALL.iter()
                .map(|one| one.timbre())
                .map(|t| Wave { mellow: table(t.mellow), bright: table(t.bright) })
                .collect(),
        )
    }

    fn of(&self, instrument: Instrument) -> &Wave {
        &self.0[instrument as usize]
    }
}

/// Plays all notes.
#[derive(Debug)]
pub(super) struct Synth {
    waves: Waves,
    dice: Dice,
    waiting: Vec<Note>,
    voices: Vec<Voice>,
    room: Room,
    master: [Master; 2],
}

impl Synth {
    pub(super) fn new(mood: Mood, seed: u64) -> Self {
        let (seconds, dampness) = match mood {
            Mood::Calm => (2.6, 0.45),
            Mood::Tense => (3.0, 0.6),
            Mood::Bright => (1.4, 0.4),
        };
        Self {
            waves: Waves::new(),
            dice: Dice::new(seed.rotate_left(17)),
            waiting: Vec::new(),
            voices: Vec::new(),
            room: Room::new(seconds, dampness),
            master: [Master::new(), Master::new()],
        }
    }

    /// Plays notes when their time comes.
    pub(super) fn schedule(&mut self, notes: Vec<Note>) {
        self.waiting.extend(notes);
    }

    /// The step that begins at `frame`; samples stay within ±0.95.
    pub(super) fn render(&mut self, frame: u64, out: &mut [f32; STEP * 2]) {
        let end = frame + STEP as u64;
        for note in self.waiting.extract_if(.., |note| note.frame < end) {
            self.voices.push(Voice::new(note, &mut self.dice));
            // Each voice has its own noise.
            self.dice.unit();
        }
        let mut wet = [0.0; STEP * 2];
        out.fill(0.0);
        let waves = &self.waves;
        self.voices.retain_mut(|voice| voice.render(frame, waves, out, &mut wet));
        for (dry, wet) in out.chunks_exact_mut(2).zip(wet.chunks_exact(2)) {
            let room = self.room.hear([wet[0], wet[1]]);
            for side in 0..2 {
                dry[side] = self.master[side].process(dry[side] + room[side]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruments_find_their_own_waves() {
        for (at, instrument) in ALL.into_iter().enumerate() {
            assert_eq!(instrument as usize, at);
        }
    }

    #[test]
    fn a_note_ends_and_is_forgotten() {
        let mut synth = Synth::new(Mood::Bright, 1);
        let note =
            Note { frame: 0, instrument: Instrument::Pluck, pitch: 72, seconds: 0.2, level: 1.0, pan: 0.0 };
        synth.schedule(vec![note]);
        let mut out = [0.0; STEP * 2];
        let mut loudest = 0.0_f32;
        for step in 0..1_500 {
            synth.render(step * STEP as u64, &mut out);
            loudest = out.iter().fold(loudest, |loudest, sample| loudest.max(sample.abs()));
        }
        assert!(loudest > 0.02, "{loudest}");
        assert!(synth.voices.is_empty());
    }
}
