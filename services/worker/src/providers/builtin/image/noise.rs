//! Chance that is always the same: a small dice for choices and value noise for textures.
//!
//! Both are integer hashes, so that a seed gives the same picture for ever.

/// A sequence of choices that follows from a seed (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, 1.
    pub(super) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// Between the two bounds.
    pub(super) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True so often, 0 to 1.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// -1 or 1.
    pub(super) fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// One of the values; the slice must not be empty.
    pub(super) fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[(self.next() % values.len() as u64) as usize]
    }

    /// The seed of a texture.
    pub(super) fn texture(&mut self) -> u32 {
        self.next() as u32
    }
}

/// FNV-1a over bytes: makes a seed of a text.
pub(super) fn hash(bytes: &[u8], seed: u64) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Uniform 0..1 for a lattice point.
#[inline]
pub(super) fn cell(x: i32, y: i32, seed: u32) -> f32 {
    let mut h = (x as u32).wrapping_mul(0x85eb_ca6b) ^ (y as u32).wrapping_mul(0xc2b2_ae35) ^ seed;
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    (h >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// The whole part, rounded down. `f32::floor` is a slow call on the oldest targets.
#[inline]
pub(super) fn floor(x: f32) -> i32 {
    let whole = x as i32;
    whole - i32::from(x < whole as f32)
}

/// What is above the whole part, 0 up to 1, for negative numbers too.
#[inline]
pub(super) fn fract(x: f32) -> f32 {
    x - floor(x) as f32
}

/// Smooth noise with lattice distance 1, from 0 to 1.
#[inline]
pub(super) fn value(x: f32, y: f32, seed: u32) -> f32 {
    let (ix, iy) = (floor(x), floor(y));
    let (fx, fy) = (x - ix as f32, y - iy as f32);
    let (sx, sy) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
    let (ix1, iy1) = (ix.wrapping_add(1), iy.wrapping_add(1));
    let top = lerp(cell(ix, iy, seed), cell(ix1, iy, seed), sx);
    let bottom = lerp(cell(ix, iy1, seed), cell(ix1, iy1, seed), sx);
    lerp(top, bottom, sy)
}

/// Noise of several octaves, from 0 to 1.
#[inline]
pub(super) fn fbm(x: f32, y: f32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut total) = (0.0, 0.5, 0.0);
    let (mut x, mut y) = (x, y);
    for octave in 0..octaves {
        sum += weight * value(x, y, seed.wrapping_add(octave.wrapping_mul(0x9e37_79b9)));
        total += weight;
        weight *= 0.5;
        // Turned a little, so that the lattices of the octaves do not show.
        (x, y) = (1.6 * x + 1.2 * y + 17.0, -1.2 * x + 1.6 * y + 31.0);
    }
    sum / total
}

/// Noise with sharp crests, from 0 to 1.
#[inline]
pub(super) fn ridged(x: f32, y: f32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut total) = (0.0, 0.5, 0.0);
    let (mut x, mut y) = (x, y);
    for octave in 0..octaves {
        let crest =
            1.0 - (2.0 * value(x, y, seed.wrapping_add(octave.wrapping_mul(0x9e37_79b9))) - 1.0).abs();
        sum += weight * crest * crest;
        total += weight;
        weight *= 0.5;
        (x, y) = (1.6 * x + 1.2 * y + 17.0, -1.2 * x + 1.6 * y + 31.0);
    }
    sum / total
}

/// From `a` to `b`.
#[inline]
pub(super) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// 0 below `low`, 1 above `high`, smooth between.
#[inline]
pub(super) fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
