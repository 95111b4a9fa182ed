//! Houses, towers and bridges, each drawn around its foot in units of its own size.

use super::brush::Brush;
use super::canvas::{Point, polygon};
use super::color::{Rgb, hex};
use super::noise::{Dice, cell, fract, lerp, smoothstep, value};
use super::scene::{Place, Structure, Thing, Time, Water, Weather};
use super::stage::Stage;
use super::vessels::{afloat, boat, pier, ship};

/// Everything built in the middle distance, around the subject's column.
pub(super) fn paint(stage: &mut Stage) {
    let mut dice = stage.dice("buildings");
    let structures = stage.scene.structures.clone();
    let mut column = 0;
    for structure in structures {
        let side = if stage.focus < stage.w / 2.0 { 1.0 } else { -1.0 };
        let x = site_column(stage) + side * stage.u * 0.42 * column as f32;
        let foot = (x, ground_row(stage));
        let u = stage.u;
        match structure {
            Structure::City => continue,
            Structure::House => house(&mut Brush::new(stage, foot, u * 0.24).flipped(side), &mut dice),
            Structure::Village => village(stage, &mut dice),
            Structure::Lighthouse => lighthouse(stage, foot),
            Structure::Castle => castle(&mut Brush::new(stage, foot, u * 0.46).flipped(side)),
            Structure::Temple => pagoda(&mut Brush::new(stage, foot, u * 0.5)),
            Structure::Church => church(&mut Brush::new(stage, foot, u * 0.44).flipped(side)),
            Structure::Tower => tower(&mut Brush::new(stage, foot, u * 0.46)),
            Structure::Windmill => windmill(&mut Brush::new(stage, foot, u * 0.42), &mut dice),
            Structure::Bridge => bridge(stage),
            Structure::Tent => tent(&mut Brush::new(stage, (x, foot.1 + u * 0.06), u * 0.14).flipped(side)),
            Structure::Ship => afloat(stage, |stage| ship(stage, &mut dice)),
            Structure::Boat => afloat(stage, |stage| boat(stage, &mut dice)),
            Structure::Pier => {
                if stage.scene.place == Place::Beach {
                    pier(stage);
                }
                continue;
            }
        }
        column += 1;
    }
}

/// The column of what is built: the subject's own, or beside the river.
fn site_column(stage: &Stage) -> f32 {
    if stage.scene.water != Some(Water::River) {
        return stage.focus;
    }
    let side = if stage.focus < stage.w / 2.0 { 1.0 } else { -1.0 };
    let apart = if stage.scene.built(Structure::Bridge) { 0.56 } else { 0.22 };
    let (middle, half) = super::water::river_at(stage, 0.15);
    // Narrow pictures have little room beside it.
    (middle - side * (half + stage.u * apart)).clamp(stage.u * 0.16, stage.w - stage.u * 0.16)
}

/// Where buildings stand; behind a lake they stand on its far bank.
fn ground_row(stage: &Stage) -> f32 {
    let near = match (stage.scene.place, stage.scene.water) {
        (Place::Cliff, _) => return super::coast::cliff_top(stage, stage.focus) + stage.u * 0.02,
        (Place::Beach, _) => 0.64,
        (_, Some(Water::Lake)) => 0.03,
        _ => 0.15,
    };
    lerp(stage.horizon, stage.h, near) - super::terrain::knoll(stage, stage.focus)
}

const STONE: Rgb = hex(0x9b938a);
pub(super) const TIMBER: Rgb = hex(0x5d4330);

/// A roof's colour by season and region.
fn roof(brush: &Brush<'_>, dice: &mut Dice) -> Rgb {
    if brush.stage.scene.weather == Weather::Snow {
        return hex(0xe8eef5);
    }
    if brush.stage.scene.eastern {
        return dice.pick(&[hex(0x4a5058), hex(0x565049), hex(0x3f4a52)]);
    }
    dice.pick(&[hex(0x9c4a35), hex(0xa8583a), hex(0x6b4a3e), hex(0x5e6470)])
}

/// A house a little more than one unit wide, seen from a corner.
fn house(brush: &mut Brush<'_>, dice: &mut Dice) {
    brush.shadow(0.8);
    let wall = if brush.stage.scene.eastern {
        hex(0xe8e0d0)
    } else {
        dice.pick(&[hex(0xe6d6b8), hex(0xd9c3a0), hex(0xc9a27a)])
    };
    let tiles = roof(brush, dice);
    let smoking = brush.stage.scene.has(Thing::Smoke) || dice.chance(0.45);
    brush.block((0.3, 0.5), (0.4, 0.92), hex(0x8a6a58));
    brush.block((-0.1, 0.0), (0.62, 0.4), wall);
    brush.poly(&[(-0.5, 0.0), (-0.1, 0.0), (-0.1, 0.4), (-0.3, 0.72), (-0.5, 0.4)], wall * 0.84);
    if brush.stage.scene.eastern {
        brush.poly(
            &[
                (-0.2, 0.36),
                (0.04, 0.4),
                (0.62, 0.4),
                (0.82, 0.42),
                (0.6, 0.56),
                (0.5, 0.76),
                (-0.34, 0.76),
                (-0.24, 0.56),
            ],
            tiles,
        );
        brush.poly(&[(-0.62, 0.4), (-0.47, 0.54), (-0.36, 0.76), (-0.3, 0.76), (-0.42, 0.5)], tiles * 0.75);
        brush.stroke(&[(-0.36, 0.765), (0.52, 0.765)], 0.035, tiles * 0.7);
    } else {
        brush.poly(&[(-0.06, 0.34), (0.7, 0.34), (0.54, 0.76), (-0.3, 0.76)], tiles);
        brush.poly(&[(-0.57, 0.35), (-0.5, 0.35), (-0.28, 0.7), (-0.3, 0.78)], tiles * 0.75);
    }
    brush.block((-0.37, 0.0), (-0.23, 0.25), TIMBER);
    brush.window((0.06, 0.13), (0.2, 0.28), true);
    brush.window((0.36, 0.13), (0.5, 0.28), true);
    brush.window((-0.36, 0.42), (-0.25, 0.52), dice.chance(0.6));
    brush.stroke(&[(0.13, 0.13), (0.13, 0.28)], 0.014, TIMBER);
    brush.stroke(&[(0.43, 0.13), (0.43, 0.28)], 0.014, TIMBER);
    if smoking {
        super::weather::smoke(brush, (0.35, 0.95), 0.9, dice);
    }
}

fn village(stage: &mut Stage, dice: &mut Dice) {
    let (base, u, focus) = (ground_row(stage), stage.u, site_column(stage));
    let spread = if stage.scene.water == Some(Water::River) { (-0.24, 0.24) } else { (-0.32, 0.62) };
    let side = if focus < stage.w / 2.0 { 1.0 } else { -1.0 };
    let mut homes: Vec<(Point, f32)> = (0..9)
        .map(|index| {
            let row = base + u * lerp(-0.055, 0.05, index as f32 / 8.0);
            let x = focus + side * u * dice.range(spread.0, spread.1);
            let row = row + super::terrain::knoll(stage, focus) - super::terrain::knoll(stage, x);
            ((x, row), u * lerp(0.07, 0.15, index as f32 / 8.0) * dice.range(0.85, 1.15))
        })
        .collect();
    homes.sort_by(|a, b| a.0.1.total_cmp(&b.0.1));
    for (foot, size) in homes {
        let flip = dice.sign();
        house(&mut Brush::new(stage, foot, size).flipped(flip), dice);
    }
}

fn lighthouse(stage: &mut Stage, foot: Point) {
    let (u, lamps) = (stage.u, stage.light.lamps);
    if lamps > 0.2 {
        beam(stage, (foot.0, foot.1 - u * 0.5 * 0.9), lamps);
    }
    let mut brush = Brush::new(stage, foot, u * 0.5).at_depth(0.12);
    brush.block((-0.34, -0.02), (-0.05, 0.14), hex(0xe4dccb));
    brush.poly(&[(-0.38, 0.13), (-0.02, 0.13), (-0.1, 0.24), (-0.3, 0.24)], hex(0x8f4436));
    brush.window((-0.27, 0.03), (-0.2, 0.1), true);
    let width = |y: f32| lerp(0.115, 0.068, y / 0.8);
    for band in 0..5 {
        let (low, high) = (band as f32 * 0.16 - 0.03, (band + 1) as f32 * 0.16);
        let color = if band % 2 == 0 { hex(0xf2ece0) } else { hex(0xb7392f) };
        brush
            .poly(&[(-width(low), low), (width(low), low), (width(high), high), (-width(high), high)], color);
    }
    for (y, lit) in [(0.2, true), (0.52, true)] {
        brush.window((-0.018, y), (0.018, y + 0.06), lit);
    }
    brush.block((-0.1, 0.8), (0.1, 0.825), hex(0x3a3a40));
    brush.shine(
        &[(-0.055, 0.825), (0.055, 0.825), (0.05, 0.92), (-0.05, 0.92)],
        hex(0x3d4652).mix(hex(0xfff0b8), lamps.max(0.3)),
    );
    brush.poly(&[(-0.075, 0.92), (0.075, 0.92), (0.0, 1.02)], hex(0x9b2f28));
    brush.stroke(&[(0.0, 1.0), (0.0, 1.07)], 0.012, hex(0x3a3a40));
    brush.glow((0.0, 0.87), 0.5, hex(0xffe9a8), 0.9 * lamps);
}

/// Two cones of light through the air, up to the picture's edge.
fn beam(stage: &mut Stage, (x, y): Point, strength: f32) {
    let reach = stage.w;
    for (side, tilt) in [(1.0, -0.1), (-1.0, 0.06)] {
        let cone = polygon(&[
            (x, y - 2.0),
            (x + side * reach, y + reach * (tilt - 0.06)),
            (x + side * reach, y + reach * (tilt + 0.06)),
            (x, y + 2.0),
        ]);
        let Some(path) = cone else { continue };
        light_cone(stage, path, (x, y), (side, tilt), strength);
    }
}

fn light_cone(stage: &mut Stage, path: tiny_skia::Path, (x, y): Point, (side, tilt): Point, strength: f32) {
    let reach = stage.w * 0.75;
    let bounds = path.bounds();
    let rows = bounds.top().max(0.0) as usize..(bounds.bottom().max(0.0) as usize).min(stage.canvas.height);
    let width = stage.canvas.width;
    let lamp = hex(0xffeebb);
    for row in rows {
        for column in 0..width {
            let along = (column as f32 - x) * side;
            if along <= 0.0 || along > reach {
                continue;
            }
            let off = (row as f32 - y - along * tilt).abs() / (along * 0.06 + 2.0);
            let light = (1.0 - off).max(0.0) * (1.0 - along / reach).powi(2) * strength * 0.75;
            let pixel = &mut stage.canvas.pixels_mut()[row * width + column];
            *pixel = pixel.screen(lamp * light);
        }
    }
}

fn castle(brush: &mut Brush<'_>) {
    brush.shadow(0.8);
    let stone = STONE.mix(hex(0xb8ab98), 0.5);
    let spire = hex(0x3f5680);
    for (x, width, top) in [(-0.12, 0.1, 0.86), (0.14, 0.085, 0.74)] {
        brush.block((x - width, 0.2), (x + width, top), stone * 0.85);
        brush.poly(&[(x - width * 1.25, top), (x + width * 1.25, top), (x, top + 0.3)], spire * 0.9);
        brush.window((x - 0.018, top - 0.14), (x + 0.018, top - 0.06), true);
    }
    crenels(brush, (-0.42, 0.0), (0.42, 0.4), stone);
    for (x, top) in [(-0.46, 0.56), (0.46, 0.52), (0.02, 0.62)] {
        let width = 0.095;
        crenels(brush, (x - width, -0.02), (x + width, top), stone * 1.05);
        brush.poly(&[(x - width, top + 0.03), (x + width, top + 0.03), (x, top + 0.3)], spire);
        brush.window((x - 0.02, top - 0.16), (x + 0.02, top - 0.06), true);
        brush.stroke(&[(x, top + 0.28), (x, top + 0.38)], 0.01, TIMBER);
        brush.poly(&[(x, top + 0.38), (x + 0.1, top + 0.35), (x, top + 0.32)], hex(0xb8322c));
    }
    brush.body(&[(-0.3, 0.0), (-0.3, 0.14), (-0.22, 0.22), (-0.14, 0.14), (-0.14, 0.0)], hex(0x2e2620));
    for x in [0.17, 0.3] {
        brush.window((x - 0.02, 0.2), (x + 0.02, 0.29), true);
    }
}

/// A wall with battlements.
fn crenels(brush: &mut Brush<'_>, (left, bottom): Point, (right, top): Point, stone: Rgb) {
    brush.block((left, bottom), (right, top), stone);
    let count = ((right - left) / 0.055) as usize;
    for index in (0..count).step_by(2) {
        let x = left + (right - left) * index as f32 / (count - 1).max(1) as f32;
        let width = (right - left) / count as f32;
        brush.block((x.min(right - width), top - 0.005), ((x + width).min(right), top + 0.035), stone);
    }
}

/// A pagoda of five roofs.
fn pagoda(brush: &mut Brush<'_>) {
    brush.shadow(0.5);
    brush.block((-0.36, -0.02), (0.36, 0.05), STONE);
    let snow = brush.stage.scene.weather == Weather::Snow;
    let tiles = if snow { hex(0xe8eef5) } else { hex(0x3d4a50) };
    for tier in 0..5 {
        let t = tier as f32 / 4.0;
        let (width, y) = (lerp(0.25, 0.12, t), 0.05 + tier as f32 * 0.17);
        brush.block((-width, y), (width, y + 0.13), hex(0xa8402f));
        for x in [-0.62, 0.0, 0.62] {
            brush.window((x * width - width * 0.17, y + 0.025), (x * width + width * 0.17, y + 0.09), true);
        }
        brush.poly(&curved_roof(width * 1.55, width * 0.72, y + 0.12, 0.075), tiles);
        brush.stroke(&[(-width * 1.2, y + 0.122), (width * 1.2, y + 0.122)], 0.012, hex(0xc98a3a));
    }
    brush.stroke(&[(0.0, 0.93), (0.0, 1.1)], 0.016, hex(0xc9a24a));
    brush.oval((0.0, 1.0), (0.02, 0.02), hex(0xc9a24a));
}

/// A roof whose eaves turn up at the ends.
fn curved_roof(eaves: f32, ridge: f32, y: f32, height: f32) -> Vec<Point> {
    let under = (0..=10).map(|step| {
        let t = step as f32 / 5.0 - 1.0;
        (t * eaves, y + height * 0.55 * t.abs().powi(4))
    });
    let over = (0..=10).rev().map(|step| {
        let t = step as f32 / 5.0 - 1.0;
        let x = t * lerp(eaves, ridge, (1.0 - t.abs()) * 1.4);
        (x.clamp(-eaves, eaves), y + height * lerp(1.0, 0.6, t.abs().powi(2)))
    });
    under.chain(over).collect()
}

fn church(brush: &mut Brush<'_>) {
    brush.shadow(0.6);
    brush.block((-0.05, 0.0), (0.5, 0.3), hex(0xe4d9c4));
    brush.poly(&[(-0.08, 0.28), (0.55, 0.28), (0.45, 0.52), (-0.05, 0.52)], hex(0x7d4a3c));
    brush.block((-0.26, 0.0), (-0.04, 0.6), hex(0xeee5d2));
    brush.poly(&[(-0.29, 0.6), (-0.01, 0.6), (-0.15, 1.0)], hex(0x5a6470));
    brush.stroke(&[(-0.15, 0.98), (-0.15, 1.1)], 0.014, TIMBER);
    brush.stroke(&[(-0.185, 1.06), (-0.115, 1.06)], 0.014, TIMBER);
    brush.block((-0.19, 0.0), (-0.11, 0.16), TIMBER);
    brush.window((-0.175, 0.42), (-0.125, 0.52), true);
    for x in [0.08, 0.22, 0.36] {
        brush.window((x - 0.025, 0.08), (x + 0.025, 0.21), true);
    }
}

fn tower(brush: &mut Brush<'_>) {
    brush.shadow(0.4);
    brush.poly(&[(-0.14, 0.0), (0.14, 0.0), (0.11, 0.74), (-0.11, 0.74)], STONE);
    crenels(brush, (-0.15, 0.72), (0.15, 0.84), STONE * 1.06);
    brush.poly(&[(-0.13, 0.86), (0.13, 0.86), (0.0, 1.12)], hex(0x6b4438));
    for (x, y) in [(-0.03, 0.3), (0.03, 0.5), (0.0, 0.76)] {
        brush.window((x - 0.02, y), (x + 0.02, y + 0.06), true);
    }
    brush.block((-0.045, 0.0), (0.045, 0.13), TIMBER);
}

fn windmill(brush: &mut Brush<'_>, dice: &mut Dice) {
    brush.shadow(0.4);
    brush.poly(&[(-0.17, 0.0), (0.17, 0.0), (0.1, 0.6), (-0.1, 0.6)], hex(0xe6dac0));
    brush.body(&[(-0.12, 0.6), (-0.08, 0.7), (0.0, 0.74), (0.08, 0.7), (0.12, 0.6)], hex(0x7d4a38));
    brush.block((-0.04, 0.0), (0.04, 0.14), TIMBER);
    brush.window((-0.03, 0.3), (0.03, 0.38), true);
    let turn = dice.range(0.2, 1.3);
    for sail in 0..4 {
        let (sin, cos) = (turn + sail as f32 * std::f32::consts::FRAC_PI_2).sin_cos();
        let at = |along: f32, off: f32| (cos * along - sin * off, 0.64 + sin * along + cos * off);
        brush.poly(&[at(0.1, 0.0), at(0.46, 0.0), at(0.46, 0.09), at(0.1, 0.09)], hex(0xf0e8d6));
        brush.stroke(&[at(0.0, 0.0), at(0.48, 0.0)], 0.016, TIMBER);
    }
    brush.oval((0.0, 0.64), (0.022, 0.022), TIMBER);
}

fn tent(brush: &mut Brush<'_>) {
    brush.shadow(0.9);
    brush.poly(&[(-0.3, 0.0), (0.75, 0.06), (0.35, 0.78), (-0.1, 0.8)], hex(0xc46a34));
    brush.poly(&[(-0.75, 0.0), (-0.3, 0.0), (-0.1, 0.8)], hex(0xdb8a46));
    brush.poly(&[(-0.56, 0.0), (-0.36, 0.0), (-0.18, 0.55)], hex(0x3a2820));
    let lamps = brush.stage.light.lamps;
    brush.glow((-0.4, 0.2), 1.1, hex(0xffb060), 0.7 * lamps);
}

/// Where the bridge stands: the foot of its middle and half its length, in pixels.
pub(super) fn bridge_site(stage: &Stage) -> (Point, f32) {
    let near = 0.4;
    let (middle, half) = super::water::river_at(stage, near);
    ((middle, lerp(stage.horizon, stage.h, near)), half + stage.u * 0.3)
}

/// The height of the bridge's deck, in halves of its length; `t` from -1 to 1 along it.
pub(super) fn deck(t: f32) -> f32 {
    0.05 + 0.2 * (1.0 - t * t)
}

/// A stone bridge with two arches over the river.
fn bridge(stage: &mut Stage) {
    let (foot, half) = bridge_site(stage);
    wet_shadow(stage, foot, half);
    let mut brush = Brush::new(stage, foot, half).at_depth(0.1);
    let along = || (0..=16).map(|step| step as f32 / 8.0 - 1.0);
    let mut points: Vec<Point> = along().map(|t| (t, deck(t))).collect();
    points.push((1.0, -0.06));
    for (center, radius) in [(0.31, 0.27), (-0.31, 0.27)] {
        points.extend((0..=12).map(|step| {
            let t = step as f32 / 12.0 * std::f32::consts::PI;
            (center + radius * t.cos(), -0.06 + 0.22 * t.sin())
        }));
    }
    points.push((-1.0, -0.06));
    brush.poly(&points, STONE);
    for center in [0.31_f32, -0.31] {
        for stone in 0..9 {
            let t = (stone as f32 + 0.5) / 9.0 * std::f32::consts::PI;
            let (sin, cos) = t.sin_cos();
            let at = |radius: f32, lift: f32| (center + radius * cos, -0.06 + lift * sin);
            brush.stroke(&[at(0.275, 0.225), at(0.31, 0.262)], 0.012, STONE * 0.72);
        }
    }
}

/// The bridge's parapet, before those who cross it.
pub(super) fn paint_parapet(stage: &mut Stage) {
    let (foot, half) = bridge_site(stage);
    let mut brush = Brush::new(stage, foot, half).at_depth(0.08);
    let rail: Vec<Point> =
        (0..=16).map(|step| step as f32 / 8.0 - 1.0).map(|t| (t, deck(t) + 0.035)).collect();
    for post in 0..13 {
        let t = post as f32 / 6.0 - 1.0;
        brush.stroke(&[(t, deck(t) - 0.012), (t, deck(t) + 0.045)], 0.022, STONE * 0.95);
    }
    brush.stroke(&rail, 0.016, STONE * 1.12);
    let curb: Vec<Point> = rail.iter().map(|(t, y)| (*t, y - 0.045)).collect();
    brush.stroke(&curb, 0.016, STONE * 1.02);
}

/// The dark mirror image of a bridge.
fn wet_shadow(stage: &mut Stage, (x, y): Point, half: f32) {
    stage.canvas.within((x, y + half * 0.08), (half * 0.7, half * 0.16), |_, _, distance, under| {
        under * lerp(0.5, 1.0, smoothstep(0.2, 1.0, distance))
    });
}

/// A city along the horizon: rows of towers with lit windows.
pub(super) fn paint_skyline(stage: &mut Stage) {
    let mut dice = stage.dice("skyline");
    let layers = [(0.46, 0.8), (0.32, 0.55), (0.2, 0.36)];
    for (height, depth) in layers {
        let seed = dice.texture();
        let mut x = -stage.u * 0.05;
        while x < stage.w {
            let width = stage.u * dice.range(0.045, 0.1);
            let center = 1.0 - ((x - stage.focus).abs() / (stage.w * 0.6)).min(0.8);
            let tall = stage.u * height * dice.range(0.35, 1.0) * (0.45 + 0.55 * center);
            block(stage, (x, tall), width, depth, seed ^ x as u32);
            if dice.chance(0.25) {
                let mast = polygon(&[
                    (x + width * 0.48, stage.horizon - tall * 1.18),
                    (x + width * 0.53, stage.horizon - tall * 1.18),
                    (x + width * 0.55, stage.horizon - tall),
                    (x + width * 0.46, stage.horizon - tall),
                ]);
                let color = stage.light.shade(hex(0x5d6876), 0.4, depth);
                stage.canvas.fill(mast, 1.0, |_, _| color);
            }
            x += width * dice.range(0.75, 1.1);
        }
    }
}

/// One tower of the skyline: its left edge, its height and its width.
fn block(stage: &mut Stage, (x, tall): Point, width: f32, depth: f32, seed: u32) {
    let base = stage.horizon + stage.u * 0.01;
    let path = polygon(&[(x, base), (x + width, base), (x + width, base - tall), (x, base - tall)]);
    let (light, unit) = (&stage.light, stage.u * 0.0105);
    let tone = 0.8 + 0.35 * cell(seed as i32, 3, 17);
    let wall = hex(0x707c8c) * tone;
    let side = stage.sun_side();
    let night = stage.scene.time == Time::Night;
    let hues =
        [light.lamp, light.lamp.mix(hex(0xfff2d8), 0.6), if night { hex(0x9fd0ff) } else { light.lamp }];
    stage.canvas.fill(path, 1.0, |px, py| {
        let (gx, gy) = ((px - x) / unit, (base - py) / (unit * 1.35));
        let across = (px - x) / width - 0.5;
        let body = light.shade(wall, 0.5 + 0.5 * across * side - 0.15 * (1.0 - (base - py) / tall), depth);
        let inside = fract(gx) > 0.3 && fract(gy) > 0.38;
        if !inside {
            return body;
        }
        let chance = cell(gx as i32, gy as i32, seed);
        let lit = if chance < 0.42 { light.lamps } else { 0.0 };
        let glass = body * (0.82 + 0.12 * value(gx, gy, seed));
        glass.mix(hues[(chance * 40.0) as usize % 3], lit * (1.0 - depth * 0.45))
    });
}
