//! Turns the painted canvas into the picture: style, grading, grain and dither, in 8 bits a channel.

use super::canvas::Canvas;
use super::color::{Rgb, hex};
use super::noise::{cell, fbm, lerp, smoothstep};
use super::texture::Texture;
use super::treatment::Treatment;

/// 8-bit red, green and blue of the canvas, row by row. `unit` is the picture's unit in pixels.
pub(super) fn develop(mut canvas: Canvas, treatment: &Treatment, unit: f32, seed: u32) -> Vec<u8> {
    if treatment.bloom > 0.0 {
        bloom(&mut canvas, treatment.bloom);
    }
    if treatment.strokes > 0.0 {
        brush_strokes(&mut canvas, treatment.strokes * unit, seed);
    }
    if treatment.bleed > 0.0 {
        bleed(&mut canvas, treatment.bleed * unit, unit, seed);
    }
    if treatment.tilt > 0.0 {
        tilt(&mut canvas, treatment.tilt * unit);
    }
    expose(&canvas, treatment, unit, seed)
}

/// A copy of the picture at a fraction of its size.
struct Small {
    width: usize,
    height: usize,
    factor: f32,
    pixels: Vec<Rgb>,
}

impl Small {
    fn of(canvas: &Canvas, factor: usize) -> Self {
        let (width, height) = (canvas.width.div_ceil(factor), canvas.height.div_ceil(factor));
        let mut pixels = vec![Rgb::default(); width * height];
        // Two samples each way are enough for what is blurred anyway.
        let (a, b) = ((factor / 4) as i32, (factor - 1 - factor / 4) as i32);
        for (index, pixel) in pixels.iter_mut().enumerate() {
            let (x, y) = ((index % width * factor) as i32, (index / width * factor) as i32);
            *pixel = (canvas.at(x + a, y + a)
                + canvas.at(x + b, y + a)
                + canvas.at(x + a, y + b)
                + canvas.at(x + b, y + b))
                * 0.25;
        }
        Self { width, height, factor: factor as f32, pixels }
    }

    /// Box blur in both directions, twice.
    fn blur(&mut self, radius: usize) {
        for _ in 0..2 {
            let (width, height) = (self.width, self.height);
            self.pass(radius, width, height, 1, width);
            self.pass(radius, height, width, width, 1);
        }
    }

    /// Blurs `lines` of `length` pixels with a running sum.
    fn pass(&mut self, radius: usize, length: usize, lines: usize, step: usize, next: usize) {
        let scale = 1.0 / (2 * radius + 1) as f32;
        let mut copy = vec![Rgb::default(); length];
        for line in 0..lines {
            let start = line * next;
            for (index, pixel) in copy.iter_mut().enumerate() {
                *pixel = self.pixels[start + index * step];
            }
            let at = |index: isize| copy[index.clamp(0, length as isize - 1) as usize];
            let reach = radius as isize;
            let mut sum = (-reach..=reach).fold(Rgb::default(), |sum, index| sum + at(index));
            for index in 0..length {
                self.pixels[start + index * step] = sum * scale;
                sum = sum + at(index as isize + reach + 1) - at(index as isize - reach);
            }
        }
    }

    /// What lies behind one row of the large picture.
    fn line(&self, y: usize) -> Line {
        let at = (y as f32 / self.factor - 0.5).max(0.0);
        let above = (at as usize).min(self.height - 1);
        let below = (above + 1).min(self.height - 1);
        let part = at - above as f32;
        let row = |y: usize| &self.pixels[y * self.width..][..self.width];
        let pixels = row(above).iter().zip(row(below)).map(|(a, b)| a.mix(*b, part)).collect();
        Line { pixels, factor: self.factor }
    }
}

/// A row of the small copy, read smoothly at the size of the large picture.
struct Line {
    pixels: Vec<Rgb>,
    factor: f32,
}

impl Line {
    #[inline]
    fn at(&self, x: usize) -> Rgb {
        let at = (x as f32 / self.factor - 0.5).max(0.0);
        let left = (at as usize).min(self.pixels.len() - 1);
        let right = (left + 1).min(self.pixels.len() - 1);
        self.pixels[left].mix(self.pixels[right], at - left as f32)
    }
}

/// Bright light spreads over its surroundings.
fn bloom(canvas: &mut Canvas, amount: f32) {
    let factor = (canvas.width.max(canvas.height) / 160).max(1);
    let mut small = Small::of(canvas, factor);
    for pixel in &mut small.pixels {
        *pixel = *pixel * smoothstep(0.45, 1.0, pixel.r.max(pixel.g).max(pixel.b));
    }
    small.blur(4);
    let width = canvas.width;
    for (y, row) in canvas.pixels_mut().chunks_exact_mut(width).enumerate() {
        let line = small.line(y);
        for (x, pixel) in row.iter_mut().enumerate() {
            *pixel = pixel.screen(line.at(x) * (amount * 0.6));
        }
    }
}

/// Sharp in the middle band, soft above and below.
fn tilt(canvas: &mut Canvas, radius: f32) {
    let factor = (radius / 2.0).max(1.0) as usize;
    let mut small = Small::of(canvas, factor);
    small.blur((radius / factor as f32).max(1.0) as usize);
    let (width, height) = (canvas.width, canvas.height as f32);
    for (y, row) in canvas.pixels_mut().chunks_exact_mut(width).enumerate() {
        let away = (y as f32 / height - 0.62).abs();
        let soft = smoothstep(0.16, 0.42, away);
        if soft > 0.0 {
            let line = small.line(y);
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = pixel.mix(line.at(x), soft);
            }
        }
    }
}

/// One stroke of oil paint.
#[derive(Clone, Copy)]
struct Dab {
    x: f32,
    y: f32,
    cos: f32,
    sin: f32,
    color: Rgb,
}

/// Oil paint: every stroke takes one colour, follows a slowly turning field and stands out a little.
fn brush_strokes(canvas: &mut Canvas, size: f32, seed: u32) {
    let pitch = size.max(2.0);
    let columns = (canvas.width as f32 / pitch) as usize + 3;
    let rows = (canvas.height as f32 / pitch) as usize + 3;
    let dabs: Vec<Dab> = (0..columns * rows)
        .map(|index| dab(canvas, (index % columns) as i32 - 1, (index / columns) as i32 - 1, pitch, seed))
        .collect();
    let width = canvas.width;
    let (long, thin) = (0.55 / pitch, 1.5 / pitch);
    for (y, row) in canvas.pixels_mut().chunks_exact_mut(width).enumerate() {
        let top = (y as f32 / pitch) as usize * columns;
        for (x, pixel) in row.iter_mut().enumerate() {
            let corner = top + (x as f32 / pitch) as usize;
            let mut nearest = (f32::MAX, 0.0, 0);
            for index in [0, 1, 2]
                .into_iter()
                .flat_map(|line| (0..3).map(move |column| corner + line * columns + column))
            {
                let dab = &dabs[index];
                let (dx, dy) = (x as f32 - dab.x, y as f32 - dab.y);
                let along = (dx * dab.cos + dy * dab.sin) * long;
                let across = (dy * dab.cos - dx * dab.sin) * thin;
                let distance = along * along + across * across;
                if distance < nearest.0 {
                    nearest = (distance, across, index);
                }
            }
            let (distance, across, index) = nearest;
            let relief = 1.0 + 0.07 * across.clamp(-0.7, 0.7) - 0.03 * distance.min(1.0);
            *pixel = dabs[index].color.mix(*pixel, 0.16) * relief;
        }
    }
}

fn dab(canvas: &Canvas, column: i32, row: i32, pitch: f32, seed: u32) -> Dab {
    let x = (column as f32 + cell(column, row, seed)) * pitch;
    let y = (row as f32 + cell(column, row, seed ^ 1)) * pitch;
    let turn = (fbm(column as f32 * 0.06, row as f32 * 0.06, 2, seed) - 0.5) * 7.0
        + 0.8 * (cell(column, row, seed ^ 2) - 0.5);
    let (sin, cos) = turn.sin_cos();
    let tone = 0.95 + 0.1 * cell(column, row, seed ^ 3);
    Dab { x, y, cos, sin, color: canvas.at(x as i32, y as i32) * tone }
}

/// Wet paint: colours wander over their edges, and pigment gathers where two washes meet.
fn bleed(canvas: &mut Canvas, reach: f32, unit: f32, seed: u32) {
    let source = canvas.pixels().to_vec();
    let (width, height) = (canvas.width, canvas.height);
    let zoom = 20.0 / unit;
    let at = |x: f32, y: f32| {
        let (x, y) = ((x.max(0.0) as usize).min(width - 1), (y.max(0.0) as usize).min(height - 1));
        source[y * width + x]
    };
    let drift = Texture::weave((0.0, 0.0, width as f32, height as f32), unit / 160.0, |x, y| {
        let dx = (fbm(x * zoom, y * zoom, 2, seed) - 0.5) * 1.8 * reach;
        [dx, (fbm(x * zoom, y * zoom, 2, seed ^ 0x51) - 0.5) * 1.8 * reach]
    });
    for (y, row) in canvas.pixels_mut().chunks_exact_mut(width).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            let (px, py) = (x as f32, y as f32);
            let [dx, dy] = drift.at(px, py);
            let here = at(px + dx, py + dy);
            let beyond = at(px - dy * 0.7, py + dx * 0.7);
            let edge = (here.luma() - beyond.luma()).abs();
            *pixel = here.mix(beyond, 0.45) * (1.0 - 0.5 * edge.min(0.5));
        }
    }
}

/// The unevenness of paper and wash: how the ink takes, and where colour pools.
type Sheet = Texture<2>;

fn sheet(width: usize, height: usize, unit: f32, seed: u32) -> Sheet {
    Texture::weave((0.0, 0.0, width as f32, height as f32), unit / 90.0, |x, y| {
        let (x, y) = (x / unit, y / unit);
        [fbm(x * 5.0, y * 5.0, 3, seed ^ 0x1a), fbm(x * 3.0, y * 3.0, 3, seed ^ 0x78) - 0.5]
    })
}

fn expose(canvas: &Canvas, treatment: &Treatment, unit: f32, seed: u32) -> Vec<u8> {
    let (width, height) = (canvas.width, canvas.height);
    let mut bytes = Vec::with_capacity(width * height * 3);
    let sheet = (treatment.paper > 0.0).then(|| sheet(width, height, unit, seed));
    for (y, row) in canvas.pixels().chunks_exact(width).enumerate() {
        let dy = y as f32 / height as f32 - 0.5;
        for (x, pixel) in row.iter().enumerate() {
            let dx = x as f32 / width as f32 - 0.5;
            let mut color = grade(*pixel, treatment) * (1.0 - treatment.vignette * (dx * dx + dy * dy) * 1.6);
            let noise = cell(x as i32, y as i32, seed) - 0.5;
            if treatment.levels > 0.0 {
                color = posterise(
                    color,
                    treatment.levels,
                    if treatment.blocks > 0.0 { 0.6 * bayer(x, y) } else { 0.0 },
                );
            }
            if treatment.dots > 0.0 {
                color = dots(color, x as f32, y as f32, treatment.dots * unit);
            }
            if let Some(sheet) = &sheet {
                let [wash, pools] = sheet.at(x as f32, y as f32);
                if treatment.ink {
                    color = ink(color, wash);
                }
                let fibre = cell(x as i32 / 2, y as i32 / 2, seed ^ 0x77) - 0.5;
                color = paper(color, treatment.paper, pools, 0.05 * fibre + 0.05 * noise);
            }
            if treatment.outline > 0.0 {
                color = color.mix(treatment.line, outline(canvas, x, y, treatment.outline * unit));
            }
            if treatment.border > 0.0 {
                let edge = unpainted((x, y), (width, height), treatment.border * unit, sheet.as_ref());
                color = color.mix(PAPER * (1.0 + 0.04 * noise), edge);
            }
            // Half a step of noise keeps gradients from banding.
            let grain = noise * (treatment.grain * (2.0 - color.luma()) + 1.0 / 255.0);
            for channel in [color.r, color.g, color.b] {
                bytes.push(((channel + grain) * 255.0 + 0.5) as u8);
            }
        }
    }
    bytes
}

/// Below this brightness contrast gives way.
const TOE: f32 = 0.14;
const PAPER: Rgb = hex(0xfbf6ea);

/// How much of the paper's margin is left white here: its edge is as ragged as a wet brush leaves it.
#[inline]
fn unpainted(
    (x, y): (usize, usize),
    (width, height): (usize, usize),
    border: f32,
    sheet: Option<&Sheet>,
) -> f32 {
    let away = x.min(y).min(width - 1 - x).min(height - 1 - y) as f32;
    if away > border * 2.0 {
        return 0.0;
    }
    let [wash, pools] = sheet.map_or([0.5, 0.0], |sheet| sheet.at(x as f32, y as f32));
    let ragged = away / border + (wash - 0.5) * 1.6 + pools;
    smoothstep(0.95, 0.8, ragged)
}

#[inline]
fn grade(color: Rgb, treatment: &Treatment) -> Rgb {
    let toned = color.map(|channel| (channel - 0.46) * treatment.contrast + 0.46 + treatment.lift);
    let [shadow, light] = treatment.tints;
    let tint = shadow.mix(light, color.luma().clamp(0.0, 1.0));
    // A soft toe and shoulder, so that dark things keep their shape and bright ones their colour.
    (toned.saturate(treatment.saturation) * tint).map(|channel| {
        let channel = if channel < TOE { TOE * (channel / TOE - 1.0).exp() } else { channel };
        if channel < 0.8 { channel } else { 0.8 + 0.2 * (1.0 - 1.0 / (1.0 + (channel - 0.8) * 5.0)) * 1.12 }
    })
}

/// Fewer steps of brightness, the hue untouched.
#[inline]
fn posterise(color: Rgb, levels: f32, threshold: f32) -> Rgb {
    let luma = color.luma().max(0.001);
    let step = luma * levels + threshold;
    // The edge between two steps is short, not a jagged jump.
    let whole = super::noise::floor(step) as f32;
    let soft = whole + smoothstep(0.42, 0.58, step - whole);
    color * (lerp(soft / levels, luma, 0.12) / luma)
}

/// Ordered dither of 4 by 4, from -0.5 to 0.5.
#[inline]
fn bayer(x: usize, y: usize) -> f32 {
    const ORDER: [u8; 16] = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5];
    f32::from(ORDER[(y % 4) * 4 + x % 4]) / 16.0 - 0.5
}

/// Dots that grow with the darkness, on a grid turned by 45 degrees.
#[inline]
fn dots(color: Rgb, x: f32, y: f32, pitch: f32) -> Rgb {
    let pitch = pitch.max(3.0);
    let (u, v) = ((x + y) / pitch, (x - y) / pitch);
    let (du, dv) = (u - super::noise::floor(u) as f32 - 0.5, v - super::noise::floor(v) as f32 - 0.5);
    let darkness = smoothstep(0.62, 0.1, color.luma());
    let radius = 0.5 * darkness;
    let inside = smoothstep(radius + 0.1, radius - 0.1, (du * du + dv * dv).sqrt());
    color * (1.0 - 0.34 * inside * darkness)
}

/// How much of a line lies on this pixel: where shapes meet within its width.
#[inline]
fn outline(canvas: &Canvas, x: usize, y: usize, width: f32) -> f32 {
    let other = canvas.other_shapes((x, y), (width * 0.5).max(1.0) as usize);
    let strength = (width * 0.9).clamp(0.4, 1.0);
    (other as f32 / 3.0).min(1.0) * strength
}

/// Black ink on warm paper: light areas stay empty, and what is red keeps a trace of vermilion.
#[inline]
fn ink(color: Rgb, wash: f32) -> Rgb {
    let dark = (smoothstep(0.82, 0.06, color.luma()) * (0.8 + 0.4 * wash)).clamp(0.0, 1.0);
    let warm = (color.r - color.g.max(color.b)).max(0.0);
    let black = hex(0xf3ebdb).mix(hex(0x1d1b1a), dark * dark.sqrt() * 0.97);
    black.mix(hex(0xb0402c), smoothstep(0.16, 0.4, warm) * 0.7)
}

#[inline]
fn paper(color: Rgb, amount: f32, pools: f32, texture: f32) -> Rgb {
    color.mix(PAPER, amount * (0.06 + 0.1 * pools.max(0.0))) * (1.0 + amount * (texture + 0.1 * pools))
}
