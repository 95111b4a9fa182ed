//! A street that runs away from us between two rows of buildings, with shops, signs and a wet road.
//!
//! One-point perspective in units of a person's height: the eye is at the origin, z is the distance.

use domain::style::KnownStyle;

use super::canvas::{Point, polygon};
use super::color::{Rgb, grey, hex};
use super::noise::{Dice, cell, fbm, fract, lerp, smoothstep, value};
use super::scene::{Thing, Weather};
use super::stage::Stage;
use super::texture::Texture;

/// From the middle of the road to the buildings.
const HALF_WIDTH: f32 = 2.7;
/// The eye above the road.
const EYE: f32 = 0.85;
/// How long a building's front is.
const FRONT: f32 = 2.4;

struct View {
    /// Where all lines meet, in pixels.
    vanish: Point,
    /// Pixels of one unit at distance one.
    focal: f32,
}

impl View {
    fn of(stage: &Stage) -> Self {
        let lean = (stage.focus - stage.w * 0.5) * 0.25;
        Self { vanish: (stage.w * 0.5 + lean, stage.horizon), focal: stage.u * 0.78 }
    }

    fn place(&self, x: f32, y: f32, z: f32) -> Point {
        (self.vanish.0 + x * self.focal / z, self.vanish.1 - y * self.focal / z)
    }

    /// How far away the wall is that fills this column of pixels.
    fn wall_at(&self, column: f32) -> f32 {
        (HALF_WIDTH * self.focal / (column - self.vanish.0).abs().max(0.5)).min(60.0)
    }
}

pub(super) fn paint(stage: &mut Stage) {
    let view = View::of(stage);
    let mut dice = stage.dice("street");
    let seed = dice.texture();
    let glow = stage.light.lamp.mix(stage.light.sky[2], 0.5);
    walls(stage, &view, seed);
    stage.canvas.glow(view.vanish, stage.u * 0.45, glow, 0.35 + 0.3 * stage.light.lamps);
    signs(stage, &view, &mut dice);
    if stage.scene.eastern || stage.scene.has(Thing::Lantern) {
        strings(stage, &view, &mut dice);
    }
    road(stage, &view, seed);
}

/// How much the road mirrors, 0 to 1.
fn wetness(stage: &Stage) -> f32 {
    match stage.scene.weather {
        Weather::Rain | Weather::Storm => 0.8,
        _ if stage.scene.has(Thing::Neon) => 0.55,
        _ => 0.0,
    }
}

fn height_of(front: i32, side: i32, seed: u32) -> f32 {
    2.6 + 5.2 * cell(front, side, seed)
}

fn walls(stage: &mut Stage, view: &View, seed: u32) {
    let width = stage.canvas.width;
    let side_of = |x: f32| if x < view.vanish.0 { 0 } else { 1 };
    let front_of = |z: f32, side: i32| super::noise::floor(z / FRONT + 0.4 * side as f32);
    let tops: Vec<f32> = (0..width)
        .map(|x| {
            let (x, z) = (x as f32 + 0.5, view.wall_at(x as f32 + 0.5));
            let side = side_of(x);
            view.place(0.0, height_of(front_of(z, side), side, seed), z).1
        })
        .collect();
    let light = &stage.light;
    let bottom = stage.h;
    let (vanish, focal) = (view.vanish, view.focal);
    let lit_side = i32::from(stage.sun.0 < vanish.0);
    stage.canvas.fill_below(&tops, bottom, |x, y, _| {
        let z = view.wall_at(x);
        let up = (vanish.1 - y) * z / focal + EYE;
        if up < -0.1 {
            return light.haze;
        }
        let side = side_of(x);
        let front = front_of(z, side);
        let base = facade(front * 2 + side, seed);
        let lit = if side == lit_side { 0.8 } else { 0.25 };
        let depth = (z / 26.0).min(0.9);
        let dirt = 0.9 + 0.2 * value(z * 3.0, up * 3.0, seed);
        let edge = (fract(z / FRONT + 0.4 * side as f32) - 0.5).abs();
        let seam = 1.0 - 0.45 * smoothstep(0.485, 0.5, edge);
        let wall = light.shade(base * (dirt * seam), lit, depth);
        openings(wall, light, (z, up), (front * 2 + side, seed)).mix(light.haze, light.haze_at(depth) * 0.6)
    });
}

/// The colour of a building's front.
fn facade(building: i32, seed: u32) -> Rgb {
    const FACADES: [u32; 7] = [0xb0694f, 0xcbb08a, 0x8d7f78, 0xd8c8ae, 0x7d8a94, 0xa88058, 0xc28e74];
    hex(FACADES[(cell(building, 91, seed) * 7.0) as usize % 7])
}

/// Shop windows at the bottom, rows of windows above.
fn openings(wall: Rgb, light: &super::light::Light, (z, up): Point, (building, seed): (i32, u32)) -> Rgb {
    let lamps = light.lamps;
    if up < 1.25 {
        let shop =
            hex(0xffd9a0).mix(hex([0xff9ac8, 0x9ae4ff, 0xffe9b0][building.rem_euclid(3) as usize]), 0.5);
        let bay = fract(z * 1.25);
        let inside = smoothstep(0.08, 0.12, bay)
            * smoothstep(0.92, 0.88, bay)
            * smoothstep(1.05, 1.0, up)
            * smoothstep(0.16, 0.2, up);
        // Goods on shelves: small upright shapes against the light.
        let shelf = fract(up * 3.6);
        let item = cell((z * 26.0) as i32, (up * 3.6) as i32, seed);
        let goods = 1.0 - 0.55 * item * smoothstep(0.15 + 0.6 * item, 0.1 + 0.6 * item, shelf);
        let glass = (wall * 0.4 + light.sky[1] * 0.12).mix(shop * goods, 0.12 + 0.8 * lamps);
        let awning = smoothstep(1.0, 1.02, up);
        let stripe = smoothstep(0.45, 0.55, (fract(z * 4.0) - 0.5).abs() * 2.0);
        let cloth = light.shade(
            hex([0xb23a36, 0x2f6a6a, 0xc98a2e][building.rem_euclid(3) as usize]).mix(hex(0xf2e8d4), stripe),
            0.5,
            0.1,
        );
        return wall.mix(glass, inside).mix(cloth + shop * (0.15 * lamps), awning);
    }
    let (gx, gy) = (z * 2.1, up * 1.5);
    let (fx, fy) = (fract(gx), fract(gy));
    let inside = smoothstep(0.22, 0.27, fx)
        * smoothstep(0.78, 0.73, fx)
        * smoothstep(0.2, 0.25, fy)
        * smoothstep(0.8, 0.75, fy);
    let dice = cell(gx as i32, gy as i32 + building * 31, seed);
    let lit = if dice < 0.45 { lamps } else { 0.0 };
    let hue = if dice < 0.12 { hex(0x8fd8ff) } else { hex(0xffcf86) };
    let pane = (wall * 0.45).mix(light.sky[2], 0.18).mix(hue * (0.75 + 0.25 * fy), lit * 0.9);
    wall.mix(pane, inside)
}

const NEON: [Rgb; 6] =
    [hex(0xff3d8b), hex(0x28e0ff), hex(0xffc233), hex(0x9d5cff), hex(0x4dff9a), hex(0xff6a3d)];

/// Signs that stand out from the walls, the farthest first.
fn signs(stage: &mut Stage, view: &View, dice: &mut Dice) {
    let neon = stage.scene.has(Thing::Neon) || stage.style == Some(KnownStyle::Cyberpunk);
    let count = if neon { 26 } else { 8 };
    for index in 0..count {
        let z = lerp(15.0, 1.9, (index as f32 / count as f32).powf(0.55)) * dice.range(0.95, 1.05);
        let side = if index % 2 == 0 { 1.0 } else { -1.0 };
        let (low, tall, wide) = (dice.range(1.5, 3.2), dice.range(0.5, 1.9), dice.range(0.3, 0.62));
        let color = if neon { dice.pick(&NEON) } else { dice.pick(&NEON).mix(hex(0xb0805a), 0.6) };
        let bright = if neon { stage.light.lamps.max(0.5) } else { stage.light.lamps * 0.7 };
        let (outer, inner) = (side * HALF_WIDTH, side * (HALF_WIDTH - wide));
        sign(
            stage,
            view,
            dice,
            Sign { outer, inner, low: low - EYE, high: low + tall - EYE, z, color, bright },
        );
    }
}

struct Sign {
    outer: f32,
    inner: f32,
    low: f32,
    high: f32,
    z: f32,
    color: Rgb,
    bright: f32,
}

fn sign(stage: &mut Stage, view: &View, dice: &mut Dice, sign: Sign) {
    let Sign { outer, inner, low, high, z, color, bright } = sign;
    let corner = |across: f32, up: f32| view.place(lerp(outer, inner, across), lerp(low, high, up), z);
    let quad = |left: f32, bottom: f32, right: f32, top: f32| {
        polygon(&[corner(left, bottom), corner(right, bottom), corner(right, top), corner(left, top)])
    };
    let board = stage.light.shade(color * 0.5, 0.4, 0.0).mix(color * 0.28, bright);
    stage.canvas.fill(quad(0.0, 0.0, 1.0, 1.0), 1.0, |_, _| board);
    let shine = color.mix(grey(1.0), 0.35 * bright) * lerp(0.8, 1.1, bright);
    for (left, bottom, right, top) in
        [(0.04, 0.0, 0.1, 1.0), (0.9, 0.0, 0.96, 1.0), (0.04, 0.0, 0.96, 0.03), (0.04, 0.97, 0.96, 1.0)]
    {
        stage.canvas.fill(quad(left, bottom, right, top), 1.0, |_, _| shine);
    }
    // Bars and blocks instead of letters.
    let rows = ((high - low) * 3.2) as usize + 1;
    for row in 0..rows {
        let (bottom, top) = ((row as f32 + 0.25) / rows as f32, (row as f32 + 0.78) / rows as f32);
        let (left, right) = (dice.range(0.2, 0.38), dice.range(0.6, 0.82));
        stage.canvas.fill(
            quad(left, bottom, right, lerp(bottom, top, dice.range(0.35, 1.0))),
            1.0,
            |_, _| shine,
        );
    }
    let reach = view.focal / z * ((high - low) * 0.5 + 0.7);
    stage.canvas.glow(corner(0.5, 0.5), reach, color, 0.5 * bright);
}

/// Strings of paper lanterns across the street.
fn strings(stage: &mut Stage, view: &View, dice: &mut Dice) {
    for z in [9.0, 5.5, 3.4] {
        let count = 9;
        for index in 0..count {
            let t = index as f32 / (count - 1) as f32 * 2.0 - 1.0;
            let at = view.place(t * HALF_WIDTH, 2.3 + 0.55 * t * t - EYE, z);
            let radius = view.focal / z * 0.12;
            let color = hex(0xff5a36).mix(hex(0xffa04a), dice.unit() * 0.6);
            let lamp = stage.light.lamps.max(0.25);
            stage.canvas.glow(at, radius * 4.5, color, 0.6 * lamp);
            stage.canvas.fill(super::canvas::ellipse(at, (radius, radius * 1.15)), 1.0, |_, y| {
                color.mix(hex(0xfff0c0), lamp * (0.5 - ((y - at.1) / radius).abs() * 0.4).max(0.0))
            });
        }
    }
}

fn road(stage: &mut Stage, view: &View, seed: u32) {
    let wet = wetness(stage);
    let (vx, vy) = view.vanish;
    let slope = EYE / HALF_WIDTH;
    let light = &stage.light;
    let snow = stage.scene.weather == Weather::Snow;
    let (asphalt, paving) =
        if snow { (hex(0xd9e2ec), hex(0xeef3f8)) } else { (hex(0x5a5d66), hex(0x8f8a84)) };
    let puddles = Texture::weave((0.0, vy, stage.w, stage.h), stage.weave_step(), |x, y| {
        let z = EYE * view.focal / (y + 0.5 - vy).max(0.5);
        [fbm((x - vx) * z / view.focal * 1.3, z * 1.1, 2, seed)]
    });
    stage.canvas.next_shape();
    for y in vy.max(0.0) as usize..stage.canvas.height {
        let down = y as f32 + 0.5 - vy;
        let z = EYE * view.focal / down.max(0.5);
        let reach = down / slope;
        let (left, right) =
            ((vx - reach).max(0.0) as usize, ((vx + reach).max(0.0) as usize).min(stage.canvas.width));
        let depth = (z / 26.0).min(0.9);
        for x in left..right {
            let px = x as f32 + 0.5;
            let across = (px - vx) * z / view.focal;
            let edge = smoothstep(1.72, 1.78, across.abs());
            let grain = 0.86 + 0.28 * value(across * 14.0, z * 14.0, seed);
            let dash =
                smoothstep(0.07, 0.05, across.abs()) * smoothstep(0.45, 0.5, fract(z * 0.8)) * (1.0 - wet);
            let albedo = asphalt.mix(paving, edge).mix(hex(0xe8e0c8), dash * 0.7) * grain;
            let mut color = light.shade(albedo, 0.45, depth);
            if wet > 0.0 {
                let base = vy + (px - vx).abs() * slope;
                let puddle = smoothstep(0.35, 0.6, puddles.at(px, y as f32)[0]);
                let ripple = value(across * 10.0, z * 22.0, seed ^ 5) - 0.5;
                let mirrored = |stretch: f32| {
                    let row = 2.0 * base - y as f32 - stretch * down * (0.12 + 0.16 * ripple);
                    stage.canvas.at((px + ripple * down * 0.05) as i32, row.min(base - 1.0) as i32)
                };
                let seen = (mirrored(-1.0) + mirrored(0.6) + mirrored(2.2)) * (1.0 / 3.0);
                color = (color * (1.0 - 0.45 * wet)).mix(seen, wet * lerp(0.5, 0.88, puddle));
            }
            stage.canvas.blend(x, y, color, 1.0);
        }
    }
}
