//! Moves over a picture without a tremble: every frame is resampled at its exact place, to a fraction of a pixel.
//!
//! Encoders' zoom filters step by whole pixels, which shows on slow moves. Here each axis is filtered with a
//! cubic kernel (Catmull–Rom, <https://en.wikipedia.org/wiki/Cubic_Hermite_spline>) in fixed point; rows that
//! neighbouring output rows share are filtered once.

use super::frame::{Plane, Size};
use super::plan::View;

/// A decoded picture, a little larger than the frame so that zooming in loses nothing.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) size: Size,
    /// Planar 4:2:0, [`Size::bytes`] long.
    pub(super) pixels: Vec<u8>,
}

/// A picture whose brightness varies less than this (standard deviation, of 255) says nothing.
pub(super) const FLAT: f64 = 12.0;

impl Picture {
    /// How much its brightness varies.
    pub(super) fn contrast(&self) -> f64 {
        contrast(&self.pixels[..self.size.width * self.size.height])
    }
}

/// Standard deviation of brightness.
pub(super) fn contrast(luma: &[u8]) -> f64 {
    let count = luma.len().max(1) as f64;
    let mean = luma.iter().map(|pixel| f64::from(*pixel)).sum::<f64>() / count;
    let squares = luma.iter().map(|pixel| (f64::from(*pixel) - mean).powi(2)).sum::<f64>();
    (squares / count).sqrt()
}

/// Bits of the fraction in kernel weights.
const WEIGHT_BITS: u32 = 12;
/// Bits that horizontally filtered rows keep below one level, against rounding twice.
const ROW_BITS: u32 = 6;

/// Where one output pixel's four source pixels begin, and how much each counts.
#[derive(Debug, Clone, Copy)]
struct Tap {
    start: isize,
    weights: [i32; 4],
}

/// Takes frames from one picture. Keeps its buffers from frame to frame.
#[derive(Debug)]
pub(super) struct Lens {
    size: Size,
    padded: Vec<u8>,
    rows: [Vec<i16>; 4],
}

impl Lens {
    /// A lens for frames of `size`.
    pub(super) fn new(size: Size) -> Self {
        let row = || vec![0; size.width];
        Self { size, padded: Vec::new(), rows: [row(), row(), row(), row()] }
    }

    /// Draws the part of `picture` that `view` shows, into a frame.
    pub(super) fn draw(&mut self, picture: &Picture, view: View, frame: &mut [u8]) {
        for (from, to) in picture.size.planes().into_iter().zip(self.size.planes()) {
            let across = taps(from.width, to.width, view.zoom, view.x);
            let down = taps(from.height, to.height, view.zoom, view.y);
            self.draw_plane(&from, &picture.pixels[from.range()], &across, &down, &mut frame[to.range()]);
        }
    }

    fn draw_plane(&mut self, from: &Plane, pixels: &[u8], across: &[Tap], down: &[Tap], out: &mut [u8]) {
        let mut held = [usize::MAX; 4];
        let last = from.height as isize - 1;
        for (tap, line) in down.iter().zip(out.chunks_exact_mut(across.len())) {
            let wanted = [0, 1, 2, 3].map(|row| (tap.start + row).clamp(0, last) as usize);
            for row in wanted {
                if held[row % 4] != row {
                    let source = &pixels[row * from.width..(row + 1) * from.width];
                    filter_row(source, across, &mut self.padded, &mut self.rows[row % 4]);
                    held[row % 4] = row;
                }
            }
            let rows = wanted.map(|row| &self.rows[row % 4][..across.len()]);
            combine_rows(rows, tap.weights, line);
        }
    }
}

/// The taps of one axis: `to` output pixels over the part of `from` source pixels that is seen.
fn taps(from: usize, to: usize, zoom: f64, place: f64) -> Vec<Tap> {
    let seen = from as f64 / zoom;
    let first = (from as f64 - seen) * place;
    let step = seen / to as f64;
    (0..to)
        .map(|pixel| {
            let centre = first + (pixel as f64 + 0.5) * step - 0.5;
            let whole = centre.floor();
            Tap { start: whole as isize - 1, weights: weights(centre - whole) }
        })
        .collect()
}

/// Catmull–Rom weights for a point `t` of the way from the second to the third of four pixels. They sum to one
/// exactly, else flat areas would flicker.
fn weights(t: f64) -> [i32; 4] {
    let one = f64::from(1_u32 << WEIGHT_BITS);
    let (t2, t3) = (t * t, t * t * t);
    let exact = [-t3 + 2.0 * t2 - t, 3.0 * t3 - 5.0 * t2 + 2.0, -3.0 * t3 + 4.0 * t2 + t, t3 - t2];
    let mut weights = exact.map(|weight| (weight * 0.5 * one).round() as i32);
    let nearer = if t < 0.5 { 1 } else { 2 };
    weights[nearer] += (1 << WEIGHT_BITS) - weights.iter().sum::<i32>();
    weights
}

/// Filters one source row across; its ends are repeated, so that no tap leaves it.
fn filter_row(source: &[u8], across: &[Tap], padded: &mut Vec<u8>, out: &mut [i16]) {
    const EDGE: usize = 4;
    let (Some(first), Some(last)) = (source.first(), source.last()) else { return };
    padded.clear();
    padded.resize(EDGE, *first);
    padded.extend_from_slice(source);
    padded.resize(EDGE + source.len() + EDGE, *last);
    for (out, tap) in out.iter_mut().zip(across) {
        let start = (tap.start + EDGE as isize) as usize;
        let Some(window) = padded.get(start..start + 4) else { continue };
        let sum: i32 = window.iter().zip(tap.weights).map(|(pixel, weight)| i32::from(*pixel) * weight).sum();
        *out = (sum >> (WEIGHT_BITS - ROW_BITS)) as i16;
    }
}

fn combine_rows(rows: [&[i16]; 4], weights: [i32; 4], out: &mut [u8]) {
    const SHIFT: u32 = WEIGHT_BITS + ROW_BITS;
    let [a, b, c, d] = rows;
    for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        let sum = i32::from(*a) * weights[0]
            + i32::from(*b) * weights[1]
            + i32::from(*c) * weights[2]
            + i32::from(*d) * weights[3];
        *out = ((sum + (1 << (SHIFT - 1))) >> SHIFT).clamp(0, 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dark left of `edge`, bright right of it.
    fn step(size: Size, edge: usize) -> Picture {
        let mut pixels = vec![128; size.bytes()];
        for (at, pixel) in pixels[..size.width * size.height].iter_mut().enumerate() {
            *pixel = if at % size.width < edge { 40 } else { 200 };
        }
        Picture { size, pixels }
    }

    /// Where the edge is in a row, to a fraction of a pixel: from how much of the row is dark.
    fn edge(row: &[u8]) -> f64 {
        row.iter().map(|pixel| (200.0 - f64::from(*pixel)) / 160.0).sum()
    }

    #[test]
    fn a_view_of_the_whole_shows_the_picture_itself() {
        let size = Size { width: 64, height: 36 };
        let picture =
            Picture { size, pixels: (0..size.bytes()).map(|at| (at * 37 % 200 + 20) as u8).collect() };
        let mut frame = vec![0; size.bytes()];
        Lens::new(size).draw(&picture, View { zoom: 1.0, x: 0.5, y: 0.5 }, &mut frame);
        assert!(frame == picture.pixels);
    }

    #[test]
    fn flat_colour_stays_exactly_flat() {
        let size = Size { width: 72, height: 40 };
        let picture = Picture { size, pixels: vec![77; size.bytes()] };
        let small = Size { width: 64, height: 36 };
        let mut frame = vec![0; small.bytes()];
        for at in 0..50 {
            let view = View { zoom: 1.0 + f64::from(at) * 0.0024, x: 0.3, y: 0.9 };
            Lens::new(small).draw(&picture, view, &mut frame);
            assert!(frame.iter().all(|pixel| *pixel == 77));
        }
    }

    #[test]
    fn a_slow_zoom_moves_by_equal_fractions_of_a_pixel() {
        let (large, size) = (Size { width: 358, height: 202 }, Size { width: 320, height: 180 });
        let picture = step(large, 90);
        let mut lens = Lens::new(size);
        let mut frame = vec![0; size.bytes()];
        let mut places = Vec::new();
        for at in 0..120 {
            lens.draw(&picture, View { zoom: 1.0 + f64::from(at) * 0.001, x: 0.5, y: 0.5 }, &mut frame);
            places.push(edge(&frame[..size.width]));
        }
        for three in places.windows(3) {
            let jerk = three[2] - 2.0 * three[1] + three[0];
            assert!(jerk.abs() < 0.03, "the edge jumps by {jerk} pixels: {three:?}");
        }
        assert!((places[0] - places[119]).abs() > 5.0);
    }
}
