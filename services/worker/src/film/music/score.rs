//! Writes the score: which note sounds when, bar by bar.
//!
//! Eight-bar progressions follow each other in the form A A B C; chords move by the smallest steps (voice leading);
//! tempo is bent a little so that a whole number of bars fits, and the last chord is the tonic after a cadence.

use domain::settings::Mood;

use super::SAMPLE_RATE;
use super::synth::Instrument;

/// A pitch class set above the key's tonic, in semitones.
#[derive(Debug, Clone, Copy)]
struct Chord {
    bass: i32,
    tones: [i32; 4],
}

const fn chord(bass: i32, tones: [i32; 4]) -> Chord {
    Chord { bass, tones }
}

type Progression = [Chord; 8];

// Major.
const I: Chord = chord(0, [0, 4, 7, 11]);
const I9: Chord = chord(0, [0, 4, 7, 2]);
const I_3: Chord = chord(4, [0, 4, 7, 2]);
const II7: Chord = chord(2, [2, 5, 9, 0]);
const III7: Chord = chord(4, [4, 7, 11, 2]);
const IV: Chord = chord(5, [5, 9, 0, 4]);
const IV9: Chord = chord(5, [5, 9, 0, 7]);
const V: Chord = chord(7, [7, 11, 2, 9]);
const VSUS: Chord = chord(7, [7, 0, 2, 5]);
const VI7: Chord = chord(9, [9, 0, 4, 7]);
// Minor.
const M1: Chord = chord(0, [0, 3, 7, 2]);
const M1_6: Chord = chord(0, [0, 3, 7, 8]);
const M2: Chord = chord(1, [1, 5, 8, 0]);
const M2DIM: Chord = chord(2, [2, 5, 8, 0]);
const M3: Chord = chord(3, [3, 7, 10, 2]);
const M4: Chord = chord(5, [5, 8, 0, 7]);
const M5: Chord = chord(7, [7, 11, 2, 8]);
const M6: Chord = chord(8, [8, 0, 3, 7]);

const CALM: [Progression; 5] = [
    [I, VI7, IV, VSUS, I, III7, IV, VSUS],
    [I9, IV, VI7, V, II7, IV9, I_3, VSUS],
    [IV, I_3, II7, VI7, IV, I_3, II7, VSUS],
    [VI7, III7, IV, I, II7, VI7, IV9, VSUS],
    [I, II7, III7, IV, VI7, V, IV, IV9],
];
const TENSE: [Progression; 4] = [
    [M1, M1, M6, M6, M4, M4, M5, M5],
    [M1, M1_6, M1, M2, M1, M1_6, M2DIM, M5],
    [M6, M3, M4, M1, M6, M3, M2, M5],
    [M4, M4, M1, M1_6, M2, M2, M1, M5],
];
const BRIGHT: [Progression; 5] = [
    [I9, V, VI7, IV9, I9, V, IV9, V],
    [I9, IV9, I_3, V, VI7, IV9, I9, V],
    [IV9, V, I9, VI7, IV9, V, I9, I9],
    [VI7, IV9, I9, V, VI7, IV9, II7, V],
    [I9, III7, IV9, V, I9, III7, II7, V],
];

/// A note to be played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Note {
    /// Frame at which it begins.
    pub(super) frame: u64,
    /// Who plays it.
    pub(super) instrument: Instrument,
    /// MIDI number; 69 is 440 Hz.
    pub(super) pitch: i32,
    /// Seconds until it is let go.
    pub(super) seconds: f32,
    /// Loudness, 1 is the instrument's own.
    pub(super) level: f32,
    /// −1 left to 1 right.
    pub(super) pan: f32,
}

/// Deterministic noise (SplitMix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    pub(super) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// From −`width` to `width`.
    pub(super) fn around(&mut self, width: f32) -> f32 {
        (self.unit() * 2.0 - 1.0) * width
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }
}

/// Writes bar after bar.
#[derive(Debug)]
pub(super) struct Composer {
    mood: Mood,
    dice: Dice,
    /// MIDI number of the tonic, around middle C.
    tonic: i32,
    bar_seconds: f64,
    bars: u64,
    tail: f64,
    next: u64,
    /// The upper voices of the chord before, as MIDI numbers.
    voicing: [i32; 4],
    section: Section,
}

/// What stays the same for eight bars.
#[derive(Debug, Clone)]
struct Section {
    progression: Progression,
    /// Which tone of the chord each eighth plays.
    pattern: [usize; 8],
    /// How many of the pattern's notes sound, 0 to 1.
    density: f32,
    /// A short tune: eighths and steps of the pentatonic scale.
    motif: Vec<(usize, i32)>,
}

impl Composer {
    /// Fits a whole number of bars, and a last chord, into `seconds`.
    pub(super) fn new(mood: Mood, seconds: f64, seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x5EED_0000 ^ mood as u64);
        let beats_a_minute = match mood {
            Mood::Calm => 64.0,
            Mood::Tense => 72.0,
            Mood::Bright => 104.0,
        } + f64::from(dice.around(4.0));
        let tail = (seconds * 0.3).min(6.0);
        let bar = 240.0 / beats_a_minute;
        let bars = ((seconds - tail) / bar).round().max(1.0);
        let tonic = match mood {
            Mood::Calm => [60, 62, 58, 65, 55],
            Mood::Tense => [57, 59, 60, 62, 55],
            Mood::Bright => [60, 62, 64, 65, 67],
        }[dice.below(5)];
        let section = Section { progression: CALM[0], pattern: [0; 8], density: 0.0, motif: Vec::new() };
        let voicing = [tonic - 5, tonic, tonic + 4, tonic + 7];
        let bar_seconds = (seconds - tail) / bars;
        Self { mood, dice, tonic, bar_seconds, bars: bars as u64, tail, next: 0, voicing, section }
    }

    /// Length of the last chord, in seconds.
    pub(super) fn tail(&self) -> f64 {
        self.tail
    }

    /// The notes of the next bar, if it begins before `frame`.
    pub(super) fn next_bar_before(&mut self, frame: u64) -> Option<Vec<Note>> {
        let bar = self.next;
        if bar > self.bars || self.frame_of(bar, 0.0) >= frame {
            return None;
        }
        self.next += 1;
        if bar.is_multiple_of(8) {
            self.section = self.new_section(bar / 8);
        }
        let chord = self.chord(bar);
        self.voicing = lead(self.voicing, chord.tones.map(|tone| self.tonic + tone), self.centre());
        if bar == self.bars {
            return Some(self.last_chord(bar));
        }
        Some(match self.mood {
            Mood::Calm => self.calm(bar, chord),
            Mood::Tense => self.tense(bar, chord),
            Mood::Bright => self.bright(bar, chord),
        })
    }

    fn frame_of(&self, bar: u64, beat: f64) -> u64 {
        let seconds = (bar as f64 + beat / 4.0) * self.bar_seconds;
        (seconds.max(0.0) * f64::from(SAMPLE_RATE)) as u64
    }

    /// Where the upper voices lie best, as a MIDI number.
    fn centre(&self) -> i32 {
        match self.mood {
            Mood::Calm => 60,
            Mood::Tense => 54,
            Mood::Bright => 63,
        }
    }

    fn new_section(&mut self, section: u64) -> Section {
        let all: &[Progression] = match self.mood {
            Mood::Calm => &CALM,
            Mood::Tense => &TENSE,
            Mood::Bright => &BRIGHT,
        };
        // A A B C: the second section keeps the first one's chords, tune and pattern.
        if section % 4 == 1 {
            return Section { density: 0.8, ..self.section.clone() };
        }
        let patterns = [
            [0, 1, 2, 3, 2, 1, 3, 2],
            [0, 2, 1, 3, 0, 2, 3, 1],
            [3, 2, 1, 0, 1, 2, 3, 1],
            [0, 2, 3, 2, 1, 2, 3, 2],
        ];
        Section {
            progression: all[if section == 0 { 0 } else { self.dice.below(all.len()) }],
            pattern: patterns[self.dice.below(patterns.len())],
            density: [0.55, 0.8, 0.65, 0.85][(section % 4) as usize],
            motif: self.new_motif(),
        }
    }

    /// Three to five notes that walk by small steps and end on the tonic or fifth of the pentatonic scale.
    fn new_motif(&mut self) -> Vec<(usize, i32)> {
        let rhythms: [&[usize]; 4] = [&[0, 2, 3, 6], &[0, 3, 6], &[1, 2, 4, 6], &[0, 1, 2, 4, 6]];
        let rhythm = rhythms[self.dice.below(rhythms.len())];
        let mut step = self.dice.below(4) as i32;
        let walk = rhythm.iter().map(|eighth| {
            step = (step + self.dice.below(5) as i32 - 2).clamp(-2, 5);
            (*eighth, step)
        });
        walk.collect()
    }

    fn chord(&self, bar: u64) -> Chord {
        let minor = self.mood == Mood::Tense;
        match self.bars - bar {
            0 if minor => M1,
            0 => I9,
            1 if minor => M5,
            1 => VSUS,
            2 if minor => M4,
            2 => IV9,
            _ => self.section.progression[(bar % 8) as usize],
        }
    }

    /// How far the instruments have come in: 0 at the start, 1 after a few bars.
    fn entry(&self, bar: u64) -> f32 {
        let intro = (self.bars / 4).min(3);
        if intro == 0 { 1.0 } else { (bar as f32 / intro as f32).min(1.0) }
    }

    /// Whether the bar is in the third section of four, which does without drums.
    fn is_light(&self, bar: u64) -> bool {
        bar / 8 % 4 == 2
    }

    fn note(&self, bar: u64, beat: f64, instrument: Instrument, pitch: i32, beats: f64, level: f32) -> Note {
        let seconds = (beats / 4.0 * self.bar_seconds) as f32;
        Note { frame: self.frame_of(bar, beat), instrument, pitch, seconds, level, pan: 0.0 }
    }

    /// Four upper voices, spread from left to right.
    fn pads(&self, bar: u64, instrument: Instrument, beats: f64, level: f32) -> Vec<Note> {
        let pans = [-0.5, 0.35, -0.2, 0.55];
        let voices = self.voicing.iter().zip(pans);
        voices
            .map(|(pitch, pan)| Note { pan, ..self.note(bar, 0.0, instrument, *pitch, beats, level) })
            .collect()
    }

    /// The section's pattern on the chord's tones, in eighths, a little uneven as hands are.
    fn arpeggio(&mut self, bar: u64, instrument: Instrument, lift: i32, level: f32) -> Vec<Note> {
        let mut tones = self.voicing.map(|pitch| pitch + lift);
        tones.sort_unstable();
        let mut notes = Vec::new();
        for eighth in 0..8 {
            let accent = [1.0, 0.6, 0.8, 0.6, 0.9, 0.6, 0.75, 0.65][eighth];
            let rests = self.dice.unit() > self.section.density && eighth != 0;
            let late = f64::from(self.dice.unit()) * 0.02;
            let level = level * accent * (1.0 + self.dice.around(0.15));
            let pan = self.dice.around(0.6);
            if !rests {
                let pitch = tones[self.section.pattern[eighth]];
                notes.push(Note {
                    pan,
                    ..self.note(bar, eighth as f64 / 2.0 + late, instrument, pitch, 1.0, level)
                });
            }
        }
        notes
    }

    /// The section's tune, in the bars that have it.
    fn tune(&self, bar: u64, level: f32) -> Vec<Note> {
        const PENTATONIC: [i32; 5] = [0, 2, 4, 7, 9];
        let notes = self.section.motif.iter().map(|(eighth, step)| {
            let octave = step.div_euclid(5);
            let pitch = self.tonic + 12 * (octave + 1) + PENTATONIC[step.rem_euclid(5) as usize];
            Note { pan: 0.15, ..self.note(bar, *eighth as f64 / 2.0, Instrument::Bell, pitch, 2.0, level) }
        });
        notes.collect()
    }

    /// The chord's root, between `low` and an octave above.
    fn bass(&self, chord: Chord, low: i32) -> i32 {
        low + (self.tonic + chord.bass - low).rem_euclid(12)
    }

    fn calm(&mut self, bar: u64, chord: Chord) -> Vec<Note> {
        let bass = self.bass(chord, 36);
        let entry = self.entry(bar);
        let mut notes = self.pads(bar, Instrument::Pad, 4.2, 1.0);
        notes.push(self.note(bar, 0.0, Instrument::Bass, bass, 2.6, 0.4 + 0.5 * entry));
        if bar % 2 == 1 && !self.is_light(bar) {
            notes.push(self.note(bar, 3.0, Instrument::Bass, bass + 7, 1.0, 0.5));
        }
        if entry > 0.3 {
            notes.extend(self.arpeggio(bar, Instrument::Pluck, 12, 0.75 * entry));
        }
        if bar % 4 == 2 && bar / 8 % 4 >= 1 {
            notes.extend(self.tune(bar, 0.5));
        }
        notes
    }

    fn tense(&mut self, bar: u64, chord: Chord) -> Vec<Note> {
        let low = self.bass(M1, 31);
        let entry = self.entry(bar);
        let swell = 0.55 + 0.15 * (bar % 4) as f32;
        let mut notes = self.pads(bar, Instrument::Strings, 4.0, 0.8 * swell);
        notes.push(self.note(bar, 0.0, Instrument::Drone, low, 4.4, 1.0));
        notes.push(self.note(bar, 0.0, Instrument::Drone, low + 12, 4.4, 0.5));
        let root = self.bass(chord, 43);
        let offsets = [0, 0, 12, 0, 0, 7, 0, if bar % 2 == 1 { 1 } else { 0 }];
        for (eighth, offset) in offsets.into_iter().enumerate() {
            let accent = [1.0, 0.45, 0.6, 0.45, 0.85, 0.5, 0.6, 0.5][eighth];
            let level = accent * swell * (0.4 + 0.6 * entry) * (1.0 + self.dice.around(0.1));
            let pan = if eighth % 2 == 0 { -0.25 } else { 0.25 };
            let note = self.note(bar, eighth as f64 / 2.0, Instrument::Pulse, root + offset, 0.4, level);
            notes.push(Note { pan, ..note });
        }
        if !self.is_light(bar) {
            for (beat, level) in [(0.0, 0.9), (0.65, 0.55)] {
                notes.push(self.note(bar, beat, Instrument::Kick, 33, 0.5, level * entry));
            }
        }
        if bar % 4 == 3 && self.dice.unit() < 0.7 {
            for (offset, pan) in [(24, -0.7), (25, 0.7)] {
                notes.push(Note {
                    pan,
                    ..self.note(bar, 0.0, Instrument::Glass, self.tonic + offset, 4.0, 0.6)
                });
            }
        }
        notes
    }

    fn bright(&mut self, bar: u64, chord: Chord) -> Vec<Note> {
        let bass = self.bass(chord, 38);
        let entry = self.entry(bar);
        let mut notes = self.pads(bar, Instrument::Pad, 4.0, 0.5);
        for (beat, pitch, beats, level) in
            [(0.0, bass, 1.2, 1.0), (1.5, bass, 0.5, 0.6), (2.0, bass + 7, 1.0, 0.8), (3.5, bass, 0.4, 0.5)]
        {
            notes.push(self.note(bar, beat, Instrument::Bass, pitch, beats, level * 0.9));
        }
        notes.extend(self.arpeggio(bar, Instrument::Pluck, 12, 0.85));
        for eighth in [1, 3, 5, 7] {
            for (at, pitch) in self.voicing.into_iter().enumerate() {
                let beat = f64::from(eighth) / 2.0 + at as f64 * 0.018;
                let pan = -0.4 + 0.25 * at as f32;
                notes.push(Note { pan, ..self.note(bar, beat, Instrument::Pluck, pitch, 0.3, 0.3 * entry) });
            }
        }
        if bar.is_multiple_of(2) && entry >= 1.0 && self.section.density > 0.6 {
            notes.extend(self.tune(bar, 0.6));
        }
        if !self.is_light(bar) {
            notes.extend(self.rhythm(bar, entry));
        }
        notes
    }

    /// A soft drum on the first and third beat, and a shaker in sixteenths.
    fn rhythm(&mut self, bar: u64, entry: f32) -> Vec<Note> {
        let mut notes: Vec<Note> = [0.0, 2.0]
            .iter()
            .map(|beat| self.note(bar, *beat, Instrument::Kick, 36, 0.4, 0.7 * entry))
            .collect();
        for sixteenth in 0..16 {
            let accent = [0.5, 0.25, 1.0, 0.3][sixteenth % 4] * (1.0 + self.dice.around(0.2));
            let late = if sixteenth % 2 == 1 { 0.02 } else { 0.0 };
            let beat = sixteenth as f64 / 4.0 + late;
            notes.push(Note { pan: 0.3, ..self.note(bar, beat, Instrument::Shaker, 0, 0.1, accent * entry) });
        }
        notes
    }

    /// The tonic, rolled from below, left to ring.
    fn last_chord(&self, bar: u64) -> Vec<Note> {
        let beats = 4.0 * self.tail / self.bar_seconds;
        let (pad, low) = match self.mood {
            Mood::Calm => (Instrument::Pad, Instrument::Bass),
            Mood::Tense => (Instrument::Strings, Instrument::Drone),
            Mood::Bright => (Instrument::Pad, Instrument::Bass),
        };
        let mut notes = self.pads(bar, pad, beats * 0.7, 0.8);
        notes.push(self.note(bar, 0.0, low, self.bass(M1, 33), beats * 0.7, 1.0));
        if self.mood != Mood::Tense {
            let mut tones = self.voicing;
            tones.sort_unstable();
            let rolled = tones.into_iter().chain([tones[0] + 12]).enumerate().map(|(at, pitch)| {
                let pan = -0.4 + 0.2 * at as f32;
                Note { pan, ..self.note(bar, at as f64 * 0.12, Instrument::Pluck, pitch + 12, 3.0, 0.8) }
            });
            notes.extend(rolled);
        }
        notes
    }
}

/// The voicing of `tones` (any octave) whose voices move the least from `before` and stay around `centre`.
fn lead(before: [i32; 4], tones: [i32; 4], centre: i32) -> [i32; 4] {
    let nearest = |tone: i32, to: i32| to + (tone - to + 6).rem_euclid(12) - 6;
    let mut best = (i32::MAX, before);
    for order in permutations() {
        let mut voicing = [0; 4];
        for (voice, from) in before.iter().enumerate() {
            voicing[voice] = nearest(tones[order[voice]], *from);
        }
        let cost: i32 = voicing
            .iter()
            .zip(before)
            .map(|(to, from)| (to - from).abs() + 2 * ((to - centre).abs() - 9).max(0))
            .sum::<i32>()
            + 4 * crowded(voicing);
        if cost < best.0 {
            best = (cost, voicing);
        }
    }
    best.1
}

/// How many pairs of voices are closer than a major second.
fn crowded(mut voicing: [i32; 4]) -> i32 {
    voicing.sort_unstable();
    voicing.windows(2).map(|pair| i32::from(pair[1] - pair[0] < 2)).sum()
}

/// All orders of four things.
fn permutations() -> impl Iterator<Item = [usize; 4]> {
    (0..256_usize).map(|code| [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6]).filter(|order| {
        let mut seen = [false; 4];
        order.iter().for_each(|at| seen[*at] = true);
        seen == [true; 4]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(mood: Mood, seconds: f64, seed: u64) -> Vec<Vec<Note>> {
        let mut composer = Composer::new(mood, seconds, seed);
        std::iter::from_fn(|| composer.next_bar_before(u64::MAX)).collect()
    }

    #[test]
    fn voices_move_by_small_steps() {
        for progression in CALM.iter().chain(&TENSE).chain(&BRIGHT) {
            let mut voicing = [55, 60, 64, 67];
            for chord in progression.iter().cycle().take(64) {
                let next = lead(voicing, chord.tones.map(|tone| 60 + tone), 60);
                let furthest = voicing.iter().zip(next).map(|(from, to)| (from - to).abs()).max().unwrap();
                assert!(furthest <= 6, "{voicing:?} {next:?}");
                assert!(next.iter().all(|pitch| (46..76).contains(pitch)), "{next:?}");
                let classes = |pitches: [i32; 4]| {
                    let mut classes = pitches.map(|pitch| pitch.rem_euclid(12));
                    classes.sort_unstable();
                    classes
                };
                assert_eq!(classes(next), classes(chord.tones));
                voicing = next;
            }
        }
    }

    #[test]
    fn every_order_of_four_voices_is_tried_once() {
        assert_eq!(permutations().count(), 24);
    }

    #[test]
    fn the_last_chord_is_the_tonic_and_rings_to_the_end() {
        for mood in Mood::ALL {
            for seconds in [5.0, 61.0] {
                let bars = bars(*mood, seconds, 4);
                let last = bars.last().unwrap();
                let composer = Composer::new(*mood, seconds, 4);
                let low = last.iter().map(|note| note.pitch).min().unwrap();
                assert_eq!((low - composer.tonic).rem_euclid(12), 0);
                let begins = last[0].frame as f64 / f64::from(SAMPLE_RATE);
                assert!((seconds - begins - composer.tail()).abs() < 0.01);
            }
        }
    }

    #[test]
    fn the_tempo_stays_near_the_moods_own() {
        for (mood, bar) in [(Mood::Calm, 3.75), (Mood::Tense, 3.33), (Mood::Bright, 2.31)] {
            for seconds in [30.0, 47.0, 120.0, 3_600.0] {
                let composer = Composer::new(mood, seconds, 9);
                assert!(
                    (composer.bar_seconds / bar - 1.0).abs() < 0.16,
                    "{mood} {seconds} {}",
                    composer.bar_seconds
                );
            }
        }
    }

    #[test]
    fn a_long_piece_does_not_repeat_one_section_for_ever() {
        let bars = bars(Mood::Calm, 600.0, 1);
        let chords: std::collections::BTreeSet<Vec<i32>> =
            bars.iter().map(|bar| bar.iter().take(4).map(|note| note.pitch).collect()).collect();
        assert!(chords.len() > 12, "{}", chords.len());
    }
}
