//! Land: mountains and hills in layers that fade with distance, dunes, forests' edges and the ground.

use super::color::{Rgb, hex};
use super::noise::{Dice, fbm, lerp, ridged, smoothstep, value};
use super::scene::{Place, Season, Thing, Weather};
use super::stage::Stage;
use super::texture::Texture;

/// Everything behind the ground: what stands along the horizon.
pub(super) fn paint_far(stage: &mut Stage) {
    match stage.scene.place {
        Place::Mountains => mountains(stage, 3, 1.0),
        Place::Desert => dunes(stage),
        Place::Beach | Place::Cliff => far_coast(stage),
        Place::Forest => {
            hills(stage, &[(0.16, 0.9)]);
            wood(stage, 0.2, 0.62);
            wood(stage, 0.13, 0.42);
        }
        Place::Plain => hills(stage, &[(0.07, 0.95), (0.04, 0.75)]),
        _ => {
            mountains(stage, 1, 0.55);
            hills(stage, &[(0.15, 0.82), (0.1, 0.62), (0.055, 0.45)]);
        }
    }
}

/// The ground from the horizon to the bottom.
pub(super) fn paint_ground(stage: &mut Stage) {
    let mut dice = stage.dice("ground");
    let (seed, roll) = (dice.texture(), dice.texture());
    let (low, high) = ground_colors(stage);
    let (w, u, horizon, h) = (stage.w, stage.u, stage.horizon, stage.h);
    let tops: Vec<f32> = (0..stage.canvas.width)
        .map(|x| horizon - u * 0.012 * value(x as f32 / u * 3.0, 0.5, roll) - knoll(stage, x as f32))
        .collect();
    let rises: Vec<f32> = tops.iter().map(|top| horizon - top).collect();
    let field = stage.scene.has(Thing::Field);
    let side = stage.sun_side();
    let depths: Vec<f32> = (0..=stage.canvas.height).map(|y| stage.depth_at(y as f32)).collect();
    let light = &stage.light;
    let vanishing = stage.focus;
    // The rise flattens towards us, so the texture follows the hill.
    let nearness = |x: f32, y: f32| {
        let rise = rises[(x as usize).min(rises.len() - 1)];
        ((y - horizon + rise) / (h - horizon + rise)).max(0.012)
    };
    let patches = Texture::weave((0.0, horizon - u * 0.14, w, h), stage.weave_step(), |x, y| {
        let far = 0.22 / nearness(x, y);
        [fbm((x - w / 2.0) / u * far * 2.5, far * 7.2, 2, seed)]
    });
    stage.canvas.fill_below(&tops, h, |x, y, _| {
        let near = nearness(x, y);
        let far = 0.22 / near;
        let (gx, gy) = ((x - w / 2.0) / u * far * 5.0, far * 12.0);
        let [patch] = patches.at(x, y);
        let blades = value(gx * 9.0, gy * 4.0, seed ^ 5) - 0.5;
        let mut albedo = low.mix(high, smoothstep(0.25, 0.75, patch));
        if field {
            let row = ((x - vanishing) / u * far * 9.0).sin();
            albedo = albedo * (1.0 + 0.16 * row * smoothstep(0.02, 0.2, near));
        }
        let lit = 0.5 + 0.5 * (patch - 0.5) * side + 0.3 * blades * smoothstep(0.05, 0.6, near) - 0.22 * near;
        light.shade(albedo, lit, depths[(horizon + (h - horizon) * near) as usize])
    });
}

/// How far the ground swells above the horizon in this column, in pixels: in hilly land the subject
/// stands on a rise.
pub(super) fn knoll(stage: &Stage, x: f32) -> f32 {
    let height = match (stage.scene.place, stage.scene.water) {
        (Place::Hills, None) => 0.12,
        (Place::Mountains, None) => 0.05,
        _ => return 0.0,
    };
    let away = (x - stage.focus) / (stage.u * 0.62);
    stage.u * height / (1.0 + away * away * (1.0 + away * away))
}

/// The darker and the lighter colour of the ground.
fn ground_colors(stage: &Stage) -> (Rgb, Rgb) {
    if stage.scene.weather == Weather::Snow || stage.scene.season == Season::Winter {
        return (hex(0xc9d6e6), hex(0xf4f7fb));
    }
    match (stage.scene.place, stage.scene.season) {
        (Place::Desert, _) => (hex(0xc98f52), hex(0xeabf7d)),
        (Place::Beach, _) => (hex(0xcdb083), hex(0xf0dbb0)),
        (_, _) if stage.scene.has(Thing::Field) => (hex(0xb08a38), hex(0xe2bd58)),
        (Place::Forest, Season::Autumn) => (hex(0x6b4522), hex(0xb5702c)),
        (Place::Forest, _) => (hex(0x2f4a26), hex(0x5d7a34)),
        (_, Season::Autumn) => (hex(0x8a6a30), hex(0xc79a45)),
        (_, Season::Spring) => (hex(0x5f9440), hex(0xa6cf66)),
        _ => (hex(0x4c7a35), hex(0x93b34f)),
    }
}

/// Ranges of mountains, the farthest first; `size` 1 is as tall as the picture bears.
fn mountains(stage: &mut Stage, ranges: usize, size: f32) {
    let mut dice = stage.dice("mountains");
    let tallest = stage.horizon.min(stage.u * 0.66) * 0.95 * size;
    let snowy = stage.scene.weather == Weather::Snow || stage.scene.season == Season::Winter;
    for index in 0..ranges {
        let near = (index as f32 + 1.0) / (ranges as f32 + 0.4);
        let height = tallest * lerp(1.0, 0.42, near);
        let tops = peaks(stage, &mut dice, height, index);
        let rock = hex(0x76808c).mix(hex(0x5b5f56), near);
        let wood = if snowy { hex(0x8d9aa6) } else { hex(0x4d6b48) };
        let snowline = if snowy { 2.0 } else { lerp(0.34, -0.1, near) * height };
        relief(
            stage,
            &tops,
            &mut dice,
            Relief { rock, wood, snowline, height, depth: lerp(0.84, 0.42, near) },
        );
    }
}

/// The crest of a range: sharp noise, and one great peak on the side away from the subject.
fn peaks(stage: &Stage, dice: &mut Dice, height: f32, index: usize) -> Vec<f32> {
    let seed = dice.texture();
    let frequency = dice.range(1.1, 1.7) * (1.0 + index as f32 * 0.55);
    let summit = stage.w - stage.focus + stage.w * dice.range(-0.12, 0.12);
    let main = if index == 0 { 0.5 } else { 0.0 };
    (0..stage.canvas.width)
        .map(|x| {
            let x = x as f32;
            let crest = ridged(x / stage.u * frequency, 3.7, 5, seed);
            let away = ((x - summit).abs() / (stage.u * 0.62)).min(1.0);
            let rise = (0.25 + 0.75 * crest) * (1.0 - main) + main * (1.0 - away) * (0.8 + 0.35 * crest);
            stage.horizon + 2.0 - height * rise
        })
        .collect()
}

struct Relief {
    rock: Rgb,
    wood: Rgb,
    /// Pixels below the crest to which snow reaches.
    snowline: f32,
    height: f32,
    depth: f32,
}

/// Fills below a crest with ridges that catch the light on one side.
fn relief(stage: &mut Stage, tops: &[f32], dice: &mut Dice, relief: Relief) {
    let seed = dice.texture();
    let Relief { rock, wood, snowline, height, depth } = relief;
    let (side, light, horizon) = (stage.sun_side(), &stage.light, stage.horizon);
    let zoom = 3.4 / height;
    let mist = light.haze_at(depth);
    let highest = tops.iter().copied().fold(horizon, f32::min);
    let slopes = Texture::weave((0.0, highest, stage.w, horizon + 3.0), stage.weave_step(), |x, y| {
        // Ridges run downwards: the texture leans with the slope.
        let below = y - tops[(x as usize).min(tops.len() - 1)];
        let (rx, ry) = ((x + below * 0.4) * zoom, (y - x * 0.15) * zoom * 0.75);
        let here = ridged(rx, ry, 3, seed);
        let there = ridged(rx + 0.12 * side, ry - 0.06, 3, seed);
        [here, (0.48 + (here - there) * 2.0).clamp(0.0, 1.0)]
    });
    stage.canvas.fill_below(tops, horizon + 3.0, |x, y, below| {
        let [here, lit] = slopes.at(x, y);
        let snow = smoothstep(0.0, height * 0.09, snowline * (0.55 + 0.9 * here) - below);
        let green = smoothstep(0.25, 0.85, below / height + (here - 0.5) * 0.5);
        let albedo = rock.mix(wood, green).mix(hex(0xf6f8fc), snow);
        // Haze gathers at the feet.
        let foot = smoothstep(height * 0.95, 0.0, horizon - y) * 0.45;
        light.shade(albedo, lit, depth).mix(light.haze, foot * (1.0 - mist) + foot * 0.3)
    });
}

/// Rolling hills: pairs of height (in units) and depth, the farthest first.
fn hills(stage: &mut Stage, layers: &[(f32, f32)]) {
    let mut dice = stage.dice("hills");
    let (low, high) = ground_colors(stage);
    for (height, depth) in layers {
        let (seed, texture) = (dice.texture(), dice.texture());
        let frequency = dice.range(1.0, 1.6);
        let (u, horizon) = (stage.u, stage.horizon);
        let tops: Vec<f32> = (0..stage.canvas.width)
            .map(|x| horizon + 2.0 - height * u * fbm(x as f32 / u * frequency, 1.3, 3, seed) * 1.25)
            .collect();
        let (side, light, depth) = (stage.sun_side(), &stage.light, *depth);
        let tall = height * u;
        let zoom = 12.0 / u;
        let area = (0.0, horizon - tall * 1.3, stage.w, horizon + 3.0);
        let tufts = Texture::weave(area, stage.weave_step(), |x, y| {
            let slope = value(x * zoom * 0.3 + 0.3 * side, 0.5, seed) - value(x * zoom * 0.3, 0.5, seed);
            [fbm(x * zoom, y * zoom * 2.4, 3, texture), slope]
        });
        stage.canvas.fill_below(&tops, horizon + 3.0, |x, y, below| {
            let [here, slope] = tufts.at(x, y);
            let lit = 0.72 - 0.55 * (below / tall).min(1.0) + 0.6 * (here - 0.5) - slope * 1.2;
            light.shade(low.mix(high, here), lit.clamp(0.0, 1.0), depth)
        });
    }
}

fn dunes(stage: &mut Stage) {
    let mut dice = stage.dice("dunes");
    for (height, depth) in [(0.2, 0.75), (0.15, 0.5), (0.09, 0.3)] {
        let (seed, texture) = (dice.texture(), dice.texture());
        let frequency = dice.range(0.8, 1.3);
        let (u, horizon) = (stage.u, stage.horizon);
        let crest = |x: f32| ridged(x / u * frequency, 2.1, 2, seed);
        let tops: Vec<f32> =
            (0..stage.canvas.width).map(|x| horizon + 2.0 - height * u * crest(x as f32)).collect();
        let (side, light) = (stage.sun_side(), &stage.light);
        stage.canvas.fill_below(&tops, horizon + 3.0, |x, y, below| {
            // The line between sun and shade wanders from the crest down.
            let lean = crest(x + below * 0.9) - crest(x + below * 0.9 + side * u * 0.03);
            let ripple = value(x / u * 30.0, y / u * 150.0, texture) - 0.5;
            let lit = 0.5 + (lean * 16.0).clamp(-0.5, 0.5) + 0.18 * ripple;
            light.shade(hex(0xe3b374), lit, depth)
        });
    }
}

/// A wood seen from afar: the tops of its firs make the crest.
fn wood(stage: &mut Stage, height: f32, depth: f32) {
    let mut dice = stage.dice("wood");
    let (seed, u, horizon) = (dice.texture() ^ depth.to_bits(), stage.u, stage.horizon);
    let albedo = match stage.scene.season {
        Season::Autumn => hex(0x9c5f2a),
        Season::Winter => hex(0x6f8390),
        _ => hex(0x35553a),
    };
    let pitch = u * height * 0.13;
    let tops: Vec<f32> = (0..stage.canvas.width)
        .map(|x| {
            let at = x as f32 / pitch + fbm(x as f32 / pitch * 0.7, 0.0, 2, seed);
            let tree = at.floor();
            let size = 0.55 + 0.75 * value(tree * 3.1, 0.5, seed);
            let tooth = 1.0 - (2.0 * (at - tree) - 1.0).abs();
            let crown = size * (0.3 + 0.7 * tooth.sqrt()) * (0.75 + 0.5 * value(at * 0.12, 7.0, seed));
            horizon + 3.0 - height * u * crown * (0.9 + 0.1 * value(at * 9.0, 1.0, seed))
        })
        .collect();
    let (light, tall) = (&stage.light, height * u);
    stage.canvas.fill_below(&tops, horizon + 4.0, |x, y, below| {
        let leaf = value(x / pitch * 5.0, y / pitch * 4.0, seed);
        let lit = 0.75 - 0.75 * (below / tall).min(1.0) + 0.5 * (leaf - 0.5);
        light.shade(albedo, lit.clamp(0.0, 1.0), depth)
    });
}

/// Blue headlands on the far side of the sea.
fn far_coast(stage: &mut Stage) {
    let mut dice = stage.dice("coast");
    let (u, w, horizon) = (stage.u, stage.w, stage.horizon);
    for (height, depth) in [(0.09, 0.97), (0.06, 0.85)] {
        let (seed, start) = (dice.texture(), dice.range(0.2, 0.55));
        let side = dice.sign();
        let tops: Vec<f32> = (0..stage.canvas.width)
            .map(|x| {
                let along = if side > 0.0 { x as f32 / w } else { 1.0 - x as f32 / w };
                let rise = smoothstep(start, start + 0.5, along);
                horizon + 1.0 - height * u * rise * (0.4 + fbm(x as f32 / u * 2.2, 0.4, 4, seed))
            })
            .collect();
        let light = &stage.light;
        stage.canvas.fill_below(&tops, horizon + 1.0, |_, _, _| light.shade(hex(0x6d7c74), 0.5, depth));
    }
}
