//! What the notes sound in: a small reverberating room, and a gentle master that keeps them below full scale.

use std::f32::consts::TAU;

use super::synth::RATE;

/// A feedback delay network of eight lines (Jot and Chaigne 1991): a room without walls that could be heard singly.
#[derive(Debug)]
pub(super) struct Room {
    lines: [Line; 8],
    dampness: f32,
}

/// One way that sound takes through the room.
#[derive(Debug)]
struct Line {
    samples: Vec<f32>,
    at: usize,
    feedback: f32,
    damped: f32,
}

impl Line {
    /// What comes out of the far end.
    fn hear(&mut self, dampness: f32) -> f32 {
        let heard = self.samples[self.at];
        self.damped = heard + (self.damped - heard) * dampness;
        self.damped * self.feedback
    }

    fn enter(&mut self, sample: f32) {
        // Numbers near zero are slow to compute with.
        self.samples[self.at] = if sample.abs() < 1e-12 { 0.0 } else { sample };
        self.at = if self.at + 1 == self.samples.len() { 0 } else { self.at + 1 };
    }
}

impl Room {
    /// Lengths of the lines in frames: primes from 25 to 60 ms, so that their echoes rarely meet.
    const LENGTHS: [usize; 8] = [1_201, 1_399, 1_621, 1_873, 2_089, 2_341, 2_617, 2_903];

    /// A room in which sound falls by 60 dB in `seconds`; `dampness` (0 to 1) takes the highs sooner.
    pub(super) fn new(seconds: f32, dampness: f32) -> Self {
        let lines = Self::LENGTHS.map(|length| Line {
            samples: vec![0.0; length],
            at: 0,
            feedback: 10_f32.powf(-3.0 * length as f32 / (RATE * seconds)),
            damped: 0.0,
        });
        Self { lines, dampness }
    }

    /// Puts a frame in and takes one out.
    pub(super) fn hear(&mut self, frame: [f32; 2]) -> [f32; 2] {
        let taps = self.lines.each_mut().map(|line| line.hear(self.dampness));
        for (at, (line, mixed)) in self.lines.iter_mut().zip(hadamard(taps)).enumerate() {
            line.enter(mixed + frame[at % 2]);
        }
        [taps[0] - taps[2] + taps[4] - taps[6], taps[1] - taps[3] + taps[5] - taps[7]]
            .map(|sample| sample * 0.5)
    }
}

/// Mixes eight values so that all go everywhere and none grows.
fn hadamard(mut values: [f32; 8]) -> [f32; 8] {
    for distance in [1, 2, 4] {
        for at in (0..8).filter(|at| at & distance == 0) {
            let (a, b) = (values[at], values[at + distance]);
            values[at] = a + b;
            values[at + distance] = a - b;
        }
    }
    values.map(|value| value * 0.353_553_4)
}

/// One channel's way out: no rumble, room for the voice, no clipping.
#[derive(Debug)]
pub(super) struct Master {
    rumble: Biquad,
    presence: Biquad,
}

impl Master {
    pub(super) fn new() -> Self {
        Self { rumble: Biquad::high_pass(28.0), presence: Biquad::bell(2_200.0, 0.7, -5.0) }
    }

    pub(super) fn process(&mut self, sample: f32) -> f32 {
        soft_limit(self.presence.process(self.rumble.process(sample)))
    }
}

/// Leaves samples up to ±0.7 alone and bends louder ones so that they stay below ±0.95.
fn soft_limit(sample: f32) -> f32 {
    const KNEE: f32 = 0.7;
    const ROOM: f32 = 0.25;
    let over = sample.abs() - KNEE;
    if over <= 0.0 { sample } else { sample.signum() * (KNEE + ROOM * (over / ROOM).tanh()) }
}

/// A filter of second order, in the form of Bristow-Johnson's "Audio EQ Cookbook".
#[derive(Debug)]
struct Biquad {
    b: [f32; 3],
    a: [f32; 2],
    state: [f32; 2],
}

impl Biquad {
    fn new(b: [f32; 3], a: [f32; 3]) -> Self {
        Self { b: b.map(|value| value / a[0]), a: [a[1] / a[0], a[2] / a[0]], state: [0.0; 2] }
    }

    /// Takes away what lies below `hertz`.
    fn high_pass(hertz: f32) -> Self {
        let (sin, cos) = (TAU * hertz / RATE).sin_cos();
        let alpha = sin * std::f32::consts::FRAC_1_SQRT_2;
        let b = (1.0 + cos) / 2.0;
        Self::new([b, -2.0 * b, b], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
    }

    /// Raises or lowers what lies around `hertz` by `decibels`; the larger `q`, the narrower.
    fn bell(hertz: f32, q: f32, decibels: f32) -> Self {
        let (sin, cos) = (TAU * hertz / RATE).sin_cos();
        let alpha = sin / (2.0 * q);
        let gain = 10_f32.powf(decibels / 40.0);
        let (up, down) = (alpha * gain, alpha / gain);
        Self::new([1.0 + up, -2.0 * cos, 1.0 - up], [1.0 + down, -2.0 * cos, 1.0 - down])
    }

    fn process(&mut self, input: f32) -> f32 {
        let output = self.b[0] * input + self.state[0];
        self.state[0] = self.b[1] * input - self.a[0] * output + self.state[1];
        self.state[1] = self.b[2] * input - self.a[1] * output;
        if self.state[0].abs() < 1e-20 {
            self.state[0] = 0.0;
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_dies_away() {
        let mut room = Room::new(1.0, 0.4);
        room.hear([1.0, 1.0]);
        let energy = |room: &mut Room| (0..24_000).map(|_| room.hear([0.0; 2])[0].powi(2)).sum::<f32>();
        let (early, late) = (energy(&mut room), energy(&mut room));
        assert!(early > 0.0 && late < early * 0.01, "{early} {late}");
    }

    #[test]
    fn however_loud_the_notes_the_master_stays_below_full_scale() {
        for sample in [-100.0, -1.0, -0.7, 0.0, 0.5, 0.71, 3.0] {
            assert!(soft_limit(sample).abs() <= 0.95);
        }
        assert_eq!(soft_limit(0.5), 0.5);
    }
}
