//! A room with a window: the land outside is painted first and the wall leaves it free.

use super::brush::Brush;
use super::canvas::Point;
use super::color::{Rgb, hex};
use super::noise::{cell, fract, smoothstep, value};
use super::stage::Stage;

/// The window on the wall: left, top, right and bottom in pixels.
struct Opening {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

pub(super) fn paint(stage: &mut Stage) {
    let floor = stage.horizon + stage.u * 0.1;
    let middle = stage.w - stage.focus;
    let (half, tall) = (stage.u * 0.2, stage.u * 0.44);
    let bottom = floor - stage.u * 0.2;
    let opening = Opening { left: middle - half, top: bottom - tall, right: middle + half, bottom };
    let lamp = (stage.focus + (stage.focus - middle).signum() * stage.u * 0.12, floor - stage.u * 0.23);
    walls(stage, &opening, floor, lamp);
    frame(stage, &opening);
    furnish(stage, floor, lamp);
}

/// How brightly a place in the room is lit by the window and the lamp.
fn walls(stage: &mut Stage, opening: &Opening, floor: f32, lamp: Point) {
    let seed = stage.dice("room").texture();
    let (u, h, vanish) = (stage.u, stage.h, stage.w * 0.5);
    let daylight = stage.sky_at(0.7) * (0.5 + 0.5 * stage.light.sun_strength);
    let lamplight = hex(0xffb566) * (0.35 + 0.65 * stage.light.lamps);
    let panes = ((opening.left + opening.right) / 2.0, (opening.top + opening.bottom) / 2.0);
    let tone = stage.dice("wallpaper").pick(&[
        hex(0x8a9a86),
        hex(0xb09a80),
        hex(0x8e8aa6),
        hex(0xa87f6c),
        hex(0x7f98a8),
    ]);
    stage.canvas.next_shape();
    for y in 0..stage.canvas.height {
        for x in 0..stage.canvas.width {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            if px > opening.left && px < opening.right && py > opening.top && py < opening.bottom {
                continue;
            }
            let albedo = if py < floor {
                wall((px, py), u, floor, tone, seed)
            } else {
                boards((px, py), (vanish, floor), h, u, seed)
            };
            let near = |(cx, cy): Point, reach: f32| {
                let (dx, dy) = ((px - cx) / (u * reach), (py - cy) / (u * reach));
                1.0 / (1.0 + dx * dx + dy * dy)
            };
            let light = hex(0x3a3540) + daylight * (0.75 * near(panes, 0.55)) + lamplight * near(lamp, 0.34);
            stage.canvas.blend(x, y, albedo * light, 1.0);
        }
    }
}

fn wall((x, y): Point, u: f32, floor: f32, tone: Rgb, seed: u32) -> Rgb {
    let up = (floor - y) / u;
    if up < 0.018 {
        return hex(0x6b4a36);
    }
    if up < 0.17 {
        let panel = (fract(x / u * 7.0) - 0.5).abs();
        return hex(0x8a6446)
            * (0.9 + 0.15 * smoothstep(0.4, 0.46, panel) - 0.22 * smoothstep(0.47, 0.49, panel));
    }
    let stripe = if fract(x / u * 16.0) < 0.5 { 1.0 } else { 0.94 };
    let rail = if up < 0.182 { 0.7 } else { 1.0 };
    tone * (stripe * rail * (0.96 + 0.08 * value(x / u * 40.0, y / u * 40.0, seed)))
}

fn boards((x, y): Point, (vanish, floor): Point, h: f32, u: f32, seed: u32) -> Rgb {
    let near = (y - floor) / (h - floor).max(1.0) + 0.55;
    let across = (x - vanish) / (u * near) * 7.0 + 40.0;
    let along = 3.0 / near + cell(across as i32, 5, seed) * 2.0;
    let plank = cell(across as i32, (along * 2.0) as i32, seed);
    let gap = smoothstep(0.5, 0.46, (fract(across) - 0.5).abs());
    let grain = value(across * 9.0, along * 9.0, seed) - 0.5;
    hex(0x8f6238) * ((0.82 + 0.3 * plank + 0.14 * grain) * (0.6 + 0.4 * gap))
}

fn frame(stage: &mut Stage, opening: &Opening) {
    let (u, wood) = (stage.u, hex(0xe6dac6));
    let Opening { left, top, right, bottom } = *opening;
    let (wide, tall) = ((right - left) / u, (bottom - top) / u);
    let mut brush = Brush::new(stage, (left, bottom), u).at_depth(0.0);
    for (x, y, x2, y2) in [
        (-0.014, -0.014, 0.0, tall + 0.014),
        (wide, -0.014, wide + 0.014, tall + 0.014),
        (-0.014, tall, wide + 0.014, tall + 0.016),
        (-0.03, -0.024, wide + 0.03, 0.0),
        (wide / 2.0 - 0.005, 0.0, wide / 2.0 + 0.005, tall),
        (0.0, tall * 0.62, wide, tall * 0.62 + 0.01),
    ] {
        brush.block((x, y), (x2, y2), wood);
    }
    let curtain = hex(0xb5543f);
    for side in [-1.0, 1.0] {
        let edge = if side < 0.0 { 0.0 } else { wide };
        for fold in 0..4 {
            let x = edge + side * (0.07 - fold as f32 * 0.033);
            let hem = edge + side * (0.09 - fold as f32 * 0.022);
            brush.body(
                &[
                    (x - 0.022, tall + 0.03),
                    (x + 0.022, tall + 0.03),
                    (hem + 0.02, 0.18),
                    (hem + 0.016, -0.1),
                    (hem - 0.02, -0.1),
                    (hem - 0.022, 0.18),
                ],
                curtain * (0.85 + 0.1 * fold as f32),
            );
        }
    }
    brush.stroke(&[(-0.13, tall + 0.035), (wide + 0.13, tall + 0.035)], 0.012, hex(0x4a3424));
}

fn furnish(stage: &mut Stage, floor: f32, lamp: Point) {
    let (u, mut dice) = (stage.u, stage.dice("furniture"));
    shelf(stage, floor);
    let rug = (stage.w * 0.5, floor + (stage.h - floor) * 0.55);
    let cloth = dice.pick(&[hex(0xa8483a), hex(0x3f6a7a), hex(0x6f4a70)]);
    let mut brush = Brush::new(stage, rug, u).at_depth(0.0);
    brush.oval((0.0, 0.0), (0.46, 0.1), cloth);
    brush.oval((0.0, 0.0), (0.4, 0.083), cloth.mix(hex(0xf0dcb0), 0.45));
    brush.oval((0.0, 0.0), (0.36, 0.074), cloth * 0.9);
    let mut brush = Brush::new(stage, (lamp.0, floor + u * 0.03), u).at_depth(0.0);
    let wood = hex(0x7a5236);
    for x in [-0.13, 0.12] {
        brush.block((x, 0.0), (x + 0.016, 0.18), wood * 0.8);
    }
    brush.block((-0.16, 0.17), (0.16, 0.192), wood);
    brush.block((0.03, 0.192), (0.11, 0.207), hex(0x8a3a34));
    brush.block((0.035, 0.207), (0.105, 0.222), hex(0x3f6a80));
    brush.stroke(&[(-0.05, 0.192), (-0.05, 0.25)], 0.014, hex(0xb08a4a));
    let glow = brush.stage.light.lamps.max(0.45);
    brush.shine(
        &[(-0.1, 0.24), (0.0, 0.24), (-0.022, 0.31), (-0.078, 0.31)],
        hex(0xffdf9e).mix(hex(0xd9b98a), 1.0 - glow),
    );
    brush.glow((-0.05, 0.26), 0.34, hex(0xffc676), 0.55 * glow);
}

/// A bookcase against the wall.
fn shelf(stage: &mut Stage, floor: f32) {
    let mut dice = stage.dice("books");
    let u = stage.u;
    let x = if stage.focus < stage.w / 2.0 { u * 0.16 } else { stage.w - u * 0.16 };
    let mut brush = Brush::new(stage, (x, floor + u * 0.01), u).at_depth(0.0);
    let wood = hex(0x6b4530);
    brush.block((-0.14, 0.0), (0.14, 0.56), wood * 0.6);
    let spines = [0xa8483a, 0x3f6a7a, 0xc9a04a, 0x4f6b46, 0x6f4a70, 0xd8c8a8, 0x2f3f5a].map(hex);
    for row in 0..4 {
        let base = 0.02 + row as f32 * 0.135;
        let mut along = -0.125;
        while along < 0.11 {
            let (wide, tall) = (dice.range(0.009, 0.02), dice.range(0.07, 0.108));
            if dice.chance(0.9) {
                brush.block((along, base), (along + wide, base + tall), dice.pick(&spines));
            }
            along += wide + 0.001;
        }
        brush.block((-0.14, base - 0.012), (0.14, base), wood);
    }
    for (left, right) in [(-0.145, -0.13), (0.13, 0.145)] {
        brush.block((left, 0.0), (right, 0.57), wood);
    }
    brush.block((-0.15, 0.56), (0.15, 0.578), wood * 1.1);
}
