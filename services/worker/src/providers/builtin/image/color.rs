//! Colour as painters mix it: red, green and blue as displayed, 0 to 1.

use std::ops::{Add, Mul, Sub};

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Rgb {
    pub(super) r: f32,
    pub(super) g: f32,
    pub(super) b: f32,
}

/// The colour with this hexadecimal code.
pub(super) const fn hex(code: u32) -> Rgb {
    Rgb {
        r: ((code >> 16) & 255) as f32 / 255.0,
        g: ((code >> 8) & 255) as f32 / 255.0,
        b: (code & 255) as f32 / 255.0,
    }
}

/// Grey of this brightness.
pub(super) const fn grey(level: f32) -> Rgb {
    Rgb { r: level, g: level, b: level }
}

impl Rgb {
    /// Part `t` of the other colour.
    #[inline]
    pub(super) fn mix(self, other: Self, t: f32) -> Self {
        self + (other - self) * t
    }

    /// Adds light without burning out.
    #[inline]
    pub(super) fn screen(self, light: Self) -> Self {
        let add = |a: f32, b: f32| a + b * (1.0 - a).max(0.0);
        Self { r: add(self.r, light.r), g: add(self.g, light.g), b: add(self.b, light.b) }
    }

    /// Perceived brightness.
    #[inline]
    pub(super) fn luma(self) -> f32 {
        0.299 * self.r + 0.587 * self.g + 0.114 * self.b
    }

    /// More or less colourful; 1 changes nothing.
    #[inline]
    pub(super) fn saturate(self, amount: f32) -> Self {
        grey(self.luma()).mix(self, amount)
    }

    /// Each channel through the function.
    #[inline]
    pub(super) fn map(self, f: impl Fn(f32) -> f32) -> Self {
        Self { r: f(self.r), g: f(self.g), b: f(self.b) }
    }
}

impl Add for Rgb {
    type Output = Self;
    #[inline]
    fn add(self, o: Self) -> Self {
        Self { r: self.r + o.r, g: self.g + o.g, b: self.b + o.b }
    }
}

impl Sub for Rgb {
    type Output = Self;
    #[inline]
    fn sub(self, o: Self) -> Self {
        Self { r: self.r - o.r, g: self.g - o.g, b: self.b - o.b }
    }
}

impl Mul<f32> for Rgb {
    type Output = Self;
    #[inline]
    fn mul(self, k: f32) -> Self {
        Self { r: self.r * k, g: self.g * k, b: self.b * k }
    }
}

impl Mul for Rgb {
    type Output = Self;
    #[inline]
    fn mul(self, o: Self) -> Self {
        Self { r: self.r * o.r, g: self.g * o.g, b: self.b * o.b }
    }
}
