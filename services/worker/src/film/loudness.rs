//! Measures loudness as broadcasters do, and keeps peaks below a ceiling.
//!
//! ITU-R BS.1770-4 for stereo at 48 kHz: K-weighting, blocks of 400 ms every 100 ms, two gates.

use super::plan::SAMPLE_RATE;

/// One sample of each ear.
pub(super) type Stereo = [f32; 2];

/// Samples in 100 ms.
const STEP: usize = SAMPLE_RATE as usize / 10;

/// A second-order filter in direct form II, transposed.
#[derive(Debug, Clone, Default)]
struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl Biquad {
    fn run(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.state[0];
        self.state[0] = self.b[1] * x - self.a[0] * y + self.state[1];
        self.state[1] = self.b[2] * x - self.a[1] * y;
        y
    }
}

/// Measures the loudness of a stream of samples.
#[derive(Debug)]
pub(super) struct Meter {
    filters: [[Biquad; 2]; 2],
    /// Mean squares of each 100 ms, both ears summed.
    steps: Vec<f64>,
    sum: f64,
    counted: usize,
}

impl Meter {
    pub(super) fn new() -> Self {
        // Coefficients of BS.1770-4, tables 1 and 2, for 48 kHz.
        let shelf = Biquad {
            b: [1.535_124_859_586_97, -2.691_696_189_406_38, 1.198_392_810_852_85],
            a: [-1.690_659_293_182_41, 0.732_480_774_215_85],
            state: [0.0; 2],
        };
        let high_pass =
            Biquad { b: [1.0, -2.0, 1.0], a: [-1.990_047_454_833_98, 0.990_072_250_366_21], state: [0.0; 2] };
        let ear = [shelf, high_pass];
        Self { filters: [ear.clone(), ear], steps: Vec::new(), sum: 0.0, counted: 0 }
    }

    pub(super) fn add(&mut self, samples: &[Stereo]) {
        for sample in samples {
            for (ear, [shelf, high_pass]) in sample.iter().zip(&mut self.filters) {
                let weighted = high_pass.run(shelf.run(f64::from(*ear)));
                self.sum += weighted * weighted;
            }
            self.counted += 1;
            if self.counted == STEP {
                self.steps.push(self.sum / STEP as f64);
                (self.sum, self.counted) = (0.0, 0);
            }
        }
    }

    /// Integrated loudness in LUFS; none for silence. A sound too short for a block counts as one.
    pub(super) fn loudness(&self) -> Option<f64> {
        let mut blocks: Vec<f64> =
            self.steps.windows(4).map(|steps| steps.iter().sum::<f64>() / 4.0).collect();
        if blocks.is_empty() {
            let counted = self.steps.len() * STEP + self.counted;
            let sum = self.steps.iter().sum::<f64>() * STEP as f64 + self.sum;
            blocks.push(sum / counted.max(1) as f64);
        }
        let audible = mean_above(&blocks, power(-70.0))?;
        mean_above(&blocks, audible * power_ratio(-10.0)).map(|mean| -0.691 + 10.0 * mean.log10())
    }
}

fn power_ratio(decibels: f64) -> f64 {
    10_f64.powf(decibels / 10.0)
}

fn power(loudness: f64) -> f64 {
    power_ratio(loudness + 0.691)
}

fn mean_above(blocks: &[f64], threshold: f64) -> Option<f64> {
    let (sum, count) = blocks
        .iter()
        .filter(|block| **block > threshold)
        .fold((0.0, 0_usize), |(sum, count), block| (sum + block, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// The factor that raises or lowers an amplitude by so many decibels.
pub(super) fn gain(decibels: f64) -> f32 {
    10_f64.powf(decibels / 20.0) as f32
}

/// Samples that the limiter looks ahead: 5 ms.
const AHEAD: usize = SAMPLE_RATE as usize / 200;

/// Turns the sound down smoothly before a peak that would pass the ceiling, and up again after it.
/// Peaks are true peaks: also between samples (BS.1770-4, annex 2).
#[derive(Debug)]
pub(super) struct Limiter {
    ceiling: f32,
    held: std::collections::VecDeque<Stereo>,
    /// Gains wanted for the samples held, smallest of what lies ahead first.
    wanted: std::collections::VecDeque<(usize, f32)>,
    /// The last gains, whose mean is used: a ramp as long as the look-ahead.
    ramp: std::collections::VecDeque<f32>,
    sum: f64,
    at: usize,
    recent: [Stereo; 4],
}

impl Limiter {
    /// A limiter to `decibels` below full scale, true peak.
    pub(super) fn new(decibels: f64) -> Self {
        Self {
            ceiling: gain(decibels),
            held: std::collections::VecDeque::with_capacity(2 * AHEAD),
            wanted: std::collections::VecDeque::new(),
            ramp: std::iter::repeat_n(1.0, AHEAD).collect(),
            sum: AHEAD as f64,
            at: 0,
            recent: [[0.0; 2]; 4],
        }
    }

    /// Takes one sample; gives the one of 2 × 5 ms ago, once there is one.
    pub(super) fn push(&mut self, sample: Stereo) -> Option<Stereo> {
        self.recent.rotate_left(1);
        self.recent[3] = sample;
        let peak = true_peak(&self.recent);
        let gain = if peak > self.ceiling { self.ceiling / peak } else { 1.0 };
        while self.wanted.back().is_some_and(|(_, last)| *last >= gain) {
            self.wanted.pop_back();
        }
        self.wanted.push_back((self.at, gain));
        // The least gain of the window, held for as long as the ramp takes, so that the mean reaches it in time.
        while self.wanted.front().is_some_and(|(at, _)| at + 2 * AHEAD < self.at) {
            self.wanted.pop_front();
        }
        let least = self.wanted.front().map_or(1.0, |(_, gain)| *gain);
        self.ramp.push_back(least);
        self.sum += f64::from(least) - f64::from(self.ramp.pop_front().unwrap_or(1.0));
        self.at += 1;
        self.held.push_back(sample);
        if self.held.len() <= AHEAD {
            return None;
        }
        let gain = (self.sum / AHEAD as f64).min(1.0) as f32;
        self.held.pop_front().map(|[left, right]| [left * gain, right * gain])
    }

    /// The samples still held.
    pub(super) fn finish(mut self) -> Vec<Stereo> {
        (0..AHEAD).filter_map(|_| self.push([0.0; 2])).collect()
    }
}

/// The largest amplitude around the middle of four samples, estimated at quarters by cubic interpolation,
/// which is exact enough once a tenth of a decibel is left for it.
fn true_peak(samples: &[Stereo; 4]) -> f32 {
    const QUARTERS: [[f32; 4]; 3] = [
        [-0.070_312_5, 0.867_187_5, 0.226_562_5, -0.023_437_5],
        [-0.062_5, 0.562_5, 0.562_5, -0.062_5],
        [-0.023_437_5, 0.226_562_5, 0.867_187_5, -0.070_312_5],
    ];
    let mut peak = samples[3][0].abs().max(samples[3][1].abs());
    if samples.iter().flatten().all(|ear| ear.abs() < 0.5) {
        return peak;
    }
    for weights in QUARTERS {
        for ear in [0, 1] {
            let between: f32 = samples.iter().zip(weights).map(|(sample, weight)| sample[ear] * weight).sum();
            peak = peak.max(between.abs());
        }
    }
    peak
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(decibels: f64, hertz: f64, seconds: f64) -> Vec<Stereo> {
        let amplitude = f64::from(gain(decibels));
        let rate = f64::from(SAMPLE_RATE);
        let sample =
            |at: usize| (amplitude * (at as f64 / rate * hertz * std::f64::consts::TAU).sin()) as f32;
        (0..(seconds * rate) as usize).map(|at| [sample(at); 2]).collect()
    }

    fn loudness(samples: &[Stereo]) -> Option<f64> {
        let mut meter = Meter::new();
        meter.add(samples);
        meter.loudness()
    }

    #[test]
    fn a_standard_tone_measures_as_the_standard_says() {
        // EBU Tech 3341, test 1: 1 kHz at −23 dBFS in both ears is −23 LUFS.
        let measured = loudness(&tone(-23.0, 1_000.0, 5.0)).unwrap();
        assert!((measured + 23.0).abs() < 0.1, "{measured}");
    }

    #[test]
    fn silence_between_words_does_not_count() {
        let mut samples = tone(-20.0, 1_000.0, 3.0);
        samples.extend(vec![[0.0; 2]; 3 * SAMPLE_RATE as usize]);
        let measured = loudness(&samples).unwrap();
        assert!((measured + 20.0).abs() < 0.4, "{measured}");
    }

    #[test]
    fn silence_has_no_loudness_and_a_blip_has() {
        assert_eq!(loudness(&vec![[0.0; 2]; 48_000]), None);
        assert_eq!(loudness(&[]), None);
        assert!(loudness(&tone(-20.0, 1_000.0, 0.1)).is_some());
    }

    #[test]
    fn a_limiter_keeps_the_ceiling_and_leaves_quiet_sound_alone() {
        let quiet = tone(-20.0, 440.0, 0.5);
        let mut loud = quiet.clone();
        loud.extend(tone(6.0, 9_000.0, 0.5));
        let mut limiter = Limiter::new(-1.5);
        let mut limited: Vec<_> = loud.iter().filter_map(|sample| limiter.push(*sample)).collect();
        limited.extend(limiter.finish());
        assert_eq!(limited.len(), loud.len());
        let peak = limited.iter().flatten().fold(0.0_f32, |peak, ear| peak.max(ear.abs()));
        assert!(peak <= gain(-1.5) + 1e-4, "{peak}");
        assert!(limited[..10_000] == quiet[..10_000]);
    }
}
