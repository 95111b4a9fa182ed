//! Water: the sea to the horizon, lakes, and rivers that wind towards us. It mirrors what stands above
//! the horizon, so it is painted after the far land.

use domain::style::KnownStyle;

use super::brush::Brush;
use super::canvas::Point;
use super::color::{Rgb, grey, hex};
use super::noise::{fbm, lerp, smoothstep, value};
use super::scene::{Figure, Place, Time, Water, Weather};
use super::stage::Stage;

/// The water's surface on each row: left and right edge in pixels, from the horizon down.
struct Surface {
    rows: Vec<(f32, f32)>,
    first: usize,
}

pub(super) fn paint(stage: &mut Stage) {
    let Some(water) = stage.scene.water else { return };
    let surface = surface(stage, water);
    mirror(stage, &surface, water);
}

/// The lowest row, in pixels, that the water reaches.
pub(super) fn shore(stage: &Stage) -> f32 {
    let part = match (stage.scene.water, stage.scene.place) {
        (Some(Water::Sea), Place::Beach) => 0.56,
        (Some(Water::Sea), _) => 1.0,
        (Some(Water::Lake), _) => 0.62,
        (Some(Water::River), _) => 1.0,
        (None, _) => 0.0,
    };
    lerp(stage.horizon, stage.h, part)
}

/// The middle and half the width of the river, in pixels, where the ground is so near (0 at the horizon,
/// 1 at the bottom).
pub(super) fn river_at(stage: &Stage, near: f32) -> (f32, f32) {
    let turn = stage.dice("river").sign();
    let bend = (near.sqrt() * 6.2).sin() * turn * stage.w * 0.13 * (1.0 - near * 0.4);
    let middle = lerp(stage.w * 0.5, stage.focus, 0.35) + bend;
    (middle, stage.u * (0.012 + 0.42 * near.powf(1.25)))
}

/// Whether this place on the ground is in the river.
pub(super) fn in_river(stage: &Stage, (x, row): Point) -> bool {
    let near = ((row - stage.horizon) / (stage.h - stage.horizon)).clamp(0.0, 1.0);
    let (middle, half) = river_at(stage, near);
    (x - middle).abs() < half
}

fn surface(stage: &Stage, water: Water) -> Surface {
    let mut dice = stage.dice("water");
    let seed = dice.texture();
    let (w, h, u) = (stage.w, stage.h, stage.u);
    let first = (stage.horizon + if water == Water::Sea { 0.0 } else { u * 0.006 }) as usize;
    let last = shore(stage);
    let rows = (first..stage.canvas.height)
        .map(|y| {
            let near = (y as f32 - stage.horizon) / (h - stage.horizon);
            let wobble = (value(near * 14.0, 0.3, seed) - 0.5) * u * 0.05 * (0.3 + near);
            match water {
                Water::River => {
                    let (middle, half) = river_at(stage, near);
                    (middle - half + wobble, middle + half - wobble * 0.7)
                }
                _ if (y as f32) < last + u * 0.03 => (-4.0, w + 4.0),
                _ => (1.0, 0.0),
            }
        })
        .collect();
    Surface { rows, first }
}

fn mirror(stage: &mut Stage, surface: &Surface, water: Water) {
    let mut dice = stage.dice("waves");
    let seed = dice.texture();
    let deep = deep_color(stage, water);
    let calm = match (water, stage.scene.weather) {
        (_, Weather::Storm) => 3.2,
        (Water::Sea, _) => 1.7,
        (Water::Lake, _) => 0.55,
        (Water::River, _) => 0.9,
    };
    let (u, h, horizon) = (stage.u, stage.h, stage.horizon);
    let (lit, foam) = (stage.light.sun * stage.light.sun_strength, stage.light.shade(grey(0.95), 0.8, 0.2));
    let edge = wet_edge(stage, seed);
    let surf = if stage.scene.place == Place::Beach { 0.03 } else { 0.006 };
    stage.canvas.next_shape();
    for (offset, (left, right)) in surface.rows.iter().enumerate() {
        let y = surface.first + offset;
        let near = ((y as f32 - horizon) / (h - horizon)).max(0.004);
        let far = 0.16 / near;
        let fresnel = lerp(0.9, 0.42, near.sqrt());
        let swell = u * 0.022 * calm * near.sqrt();
        let glitter_width = u * (0.05 + 0.28 * near);
        for x in left.max(0.0) as usize..(right.max(0.0) as usize).min(stage.canvas.width) {
            let px = x as f32;
            let bank = edge.get(x).map_or(f32::MAX, |row| row - y as f32);
            if bank < 0.0 {
                continue;
            }
            let (wx, wy) = ((px - stage.w / 2.0) / u * far * 6.0, far * 30.0);
            let ripple = value(wx, wy, seed) + 0.5 * value(wx * 2.3, wy * 2.1, seed ^ 9) - 0.75;
            let source = horizon - (y as f32 - horizon) * 1.2 + ripple * swell * 2.0;
            let seen = stage.canvas.at((px + ripple * swell) as i32, source.min(horizon - 1.0) as i32);
            let mut color = deep.mix(seen, (fresnel + ripple * 0.22 * calm.min(1.6)).clamp(0.05, 0.97));
            let column = (1.0 - ((px - stage.sun.0) / glitter_width).abs()).max(0.0);
            let spark = smoothstep(0.12, 0.5, ripple + column * 0.32 - 0.1) * column;
            color = color.screen(lit * (spark * 0.85));
            let crest = smoothstep(0.42, 0.66, ripple) * ((calm - 1.2) * 0.35).clamp(0.0, 0.75) * near.sqrt();
            let beach = smoothstep(u * surf, 0.0, bank);
            let alpha = smoothstep(0.0, 2.0, px - left) * smoothstep(0.0, 2.0, right - px);
            stage.canvas.blend(x, y, color.mix(foam, crest.max(beach * 0.8)), alpha);
        }
    }
}

/// Paper lanterns that drift on a river or lake, each over its reflection.
pub(super) fn floating_lanterns(stage: &mut Stage) {
    let mut dice = stage.dice("floating");
    let count = if stage.scene.figures.contains(&Figure::Crowd) { 26 } else { 9 };
    let nearest = if stage.scene.water == Some(Water::Lake) { 0.5 } else { 0.85 };
    let glow = stage.light.lamps.max(0.35);
    for index in 0..count {
        let near = lerp(0.05, nearest, ((index as f32 + dice.unit()) / count as f32).powf(1.3));
        let (middle, half) = match stage.scene.water {
            Some(Water::River) => river_at(stage, near),
            _ => (stage.w / 2.0, stage.w * 0.42),
        };
        let foot = (middle + half * dice.range(-0.7, 0.7), lerp(stage.horizon, stage.h, near));
        let mut brush = Brush::new(stage, foot, stage.u * (0.012 + 0.06 * near)).at_depth(0.0);
        let color = hex(0xff7a3c).mix(hex(0xffb04a), dice.unit());
        brush.glow((0.0, -0.7), 1.3, color, 0.5 * glow);
        brush.glow((0.0, 0.4), 2.6, color, 0.7 * glow);
        brush.poly(&[(-0.6, 0.12), (0.6, 0.12), (0.42, -0.06), (-0.42, -0.06)], hex(0x8a3a30));
        brush.shine(
            &[(-0.36, 0.1), (0.36, 0.1), (0.3, 0.75), (-0.3, 0.75)],
            color.mix(hex(0xfff0c0), 0.45 * glow),
        );
    }
}

/// The row of the near bank for every column, where there is one.
fn wet_edge(stage: &Stage, seed: u32) -> Vec<f32> {
    let swing = match (stage.scene.place, stage.scene.water) {
        (Place::Beach, _) => 0.05,
        (_, Some(Water::Lake)) => 0.035,
        _ => return Vec::new(),
    };
    let row = shore(stage);
    (0..stage.canvas.width)
        .map(|x| row + stage.u * swing * (fbm(x as f32 / stage.u * 2.0, 0.7, 3, seed) - 0.5))
        .collect()
}

fn deep_color(stage: &Stage, water: Water) -> Rgb {
    let base = match (water, stage.scene.weather) {
        _ if stage.style == Some(KnownStyle::Ukiyoe) => hex(0x1f5a8c),
        (_, Weather::Storm) => hex(0x22323c),
        (Water::Sea, _) => hex(0x14607e),
        _ => hex(0x2f7484),
    };
    let lit = if stage.scene.time == Time::Night { 0.35 } else { 0.8 };
    stage.light.shade(base, lit, 0.15)
}
