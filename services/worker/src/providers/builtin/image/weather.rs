//! What is in the air: rain, snow, fog, lightning, smoke, fire and lamps.

use domain::style::KnownStyle;

use super::brush::Brush;
use super::canvas::{Point, line};
use super::color::{grey, hex};
use super::noise::{Dice, fbm, lerp, smoothstep};
use super::scene::{Season, Weather};
use super::stage::Stage;
use super::texture::Texture;

/// Lightning belongs behind everything, right after the sky.
pub(super) fn paint_far(stage: &mut Stage) {
    if stage.scene.weather == Weather::Storm {
        lightning(stage);
    }
}

/// What falls before everything.
pub(super) fn paint_near(stage: &mut Stage) {
    stage.canvas.set_outlined(false);
    match stage.scene.weather {
        Weather::Rain => rain(stage, 620, 0.3),
        Weather::Storm => rain(stage, 900, 0.42),
        Weather::Snow => snow(stage),
        Weather::Fog => fog(stage),
        Weather::Clear | Weather::Clouds if stage.scene.season == Season::Spring => petals(stage),
        Weather::Clear | Weather::Clouds => {}
    }
    stage.canvas.set_outlined(true);
}

fn lightning(stage: &mut Stage) {
    let mut dice = stage.dice("lightning");
    let x = stage.w - stage.focus + stage.u * dice.range(-0.15, 0.15);
    let color = hex(0xe6ecff);
    let mut bolt: Vec<Point> = vec![(x, -2.0)];
    let steps = 14;
    for step in 1..=steps {
        let from = bolt[step - 1];
        let y = stage.horizon * step as f32 / steps as f32;
        bolt.push((from.0 + stage.u * dice.range(-0.045, 0.04), y));
        if dice.chance(0.3) {
            let tip = (from.0 + stage.u * dice.range(-0.16, 0.16), y + stage.u * 0.09);
            let middle = ((from.0 + tip.0) / 2.0 + stage.u * 0.02, (from.1 + tip.1) / 2.0);
            stage.canvas.fill(line(&[from, middle, tip], stage.u * 0.0022), 0.7, |_, _| color);
        }
    }
    for point in bolt.iter().step_by(2) {
        stage.canvas.glow(*point, stage.u * 0.2, hex(0x8fa4ff), 0.3);
    }
    stage.canvas.fill(line(&bolt, stage.u * 0.0045), 1.0, |_, _| color);
}

fn rain(stage: &mut Stage, count: usize, strength: f32) {
    let mut dice = stage.dice("rain");
    let lean = dice.range(0.08, 0.24) * dice.sign();
    let color = stage.light.haze.mix(grey(1.0), 0.45);
    for _ in 0..count {
        let near = dice.unit();
        let long = stage.u * lerp(0.02, 0.085, near);
        let (x, y) = (stage.w * dice.range(-0.1, 1.1), stage.h * dice.range(-0.05, 1.0));
        let width = lerp(0.0007, 0.002, near) * stage.u;
        let drop = line(&[(x, y), (x + lean * long, y + long)], width.max(0.7));
        stage.canvas.fill(drop, strength * lerp(0.45, 0.9, near), |_, _| color);
    }
}

fn snow(stage: &mut Stage) {
    let mut dice = stage.dice("snow");
    for _ in 0..520 {
        let near = dice.unit().powi(3);
        let radius = stage.u * lerp(0.0025, 0.011, near);
        let at = (stage.w * dice.unit(), stage.h * dice.unit());
        stage.canvas.glow(at, radius.max(1.0) * 1.6, grey(1.0), lerp(1.1, 0.75, near));
    }
}

fn fog(stage: &mut Stage) {
    let seed = stage.dice("fog").texture();
    let (u, horizon, h) = (stage.u, stage.horizon, stage.h);
    let haze = stage.light.haze.mix(grey(1.0), 0.08);
    let strength = if stage.style == Some(KnownStyle::Ink) { 0.45 } else { 0.95 };
    let banks =
        Texture::weave((0.0, 0.0, stage.w, h), u / 100.0, |x, y| [fbm(x / u * 1.6, y / u * 5.0, 3, seed)]);
    let width = stage.canvas.width;
    for (y, row) in stage.canvas.pixels_mut().chunks_exact_mut(width).enumerate() {
        let at = y as f32;
        let low = smoothstep(horizon * 0.35, horizon, at) * smoothstep(h * 1.1, horizon, at);
        for (x, pixel) in row.iter_mut().enumerate() {
            let [bank] = banks.at(x as f32, at);
            *pixel = pixel.mix(haze, low * (0.25 + 0.65 * bank) * strength);
        }
    }
}

fn petals(stage: &mut Stage) {
    let mut dice = stage.dice("petals");
    for _ in 0..70 {
        let at = (stage.w * dice.unit(), stage.h * dice.range(0.2, 1.0));
        let size = stage.u * dice.range(0.006, 0.012);
        let mut brush = Brush::new(stage, at, size).at_depth(0.0);
        let tilt = dice.range(-0.6, 0.6);
        brush.body(&[(-1.0, tilt), (0.0, 0.5), (1.0, -tilt), (0.0, -0.35)], hex(0xf6c4d2));
    }
}

/// A plume that rises from a point (in the brush's units) and drifts.
pub(super) fn smoke(brush: &mut Brush<'_>, (x, y): Point, height: f32, dice: &mut Dice) {
    let drift = dice.range(0.15, 0.45) * dice.sign();
    let haze = brush.stage.light.haze.mix(grey(0.92), 0.55);
    let phase = dice.range(0.0, 6.0);
    let scale = brush.scale;
    for step in 0..26 {
        let t = step as f32 / 26.0;
        let sway = (t * 6.0 + phase).sin() * 0.05 * t;
        let center = brush.place((x + drift * t * t + sway, y + height * t));
        let radius = scale * lerp(0.05, 0.2, t);
        let alpha = 0.34 * (1.0 - t) * (t * 8.0).min(1.0);
        brush.stage.canvas.within(center, (radius, radius), |_, _, distance, under| {
            under.mix(haze, alpha * smoothstep(1.0, 0.0, distance))
        });
    }
}

/// A campfire one unit high.
pub(super) fn fire(brush: &mut Brush<'_>, dice: &mut Dice) {
    brush.glow((0.0, 0.3), 4.5, hex(0xff8a3c), 0.75);
    for (x, tilt) in [(-0.3, 0.22), (0.3, 0.24), (0.0, 0.05)] {
        brush.stroke(&[(x - 0.25, 0.0), (x * -0.6, tilt)], 0.13, hex(0x4a3224));
    }
    for (width, height, color) in [(0.34, 1.0, 0xff7a2a), (0.24, 0.72, 0xffb13d), (0.13, 0.45, 0xfff0a0)] {
        let sway = dice.range(-0.1, 0.1);
        let points: Vec<Point> = [
            (-width, 0.12),
            (-width * 0.8, height * 0.4),
            (sway, height),
            (width * 0.7, height * 0.45),
            (width, 0.12),
            (0.0, 0.02),
        ]
        .iter()
        .map(|point| brush.place(*point))
        .collect();
        brush.stage.canvas.fill(super::canvas::smooth(&points), 0.92, |_, _| hex(color));
    }
    brush.glow((0.0, 0.4), 1.4, hex(0xffc46b), 0.6);
}

/// A lantern that stands or hangs: a glass between two plates, half a unit wide and one high with its ring.
pub(super) fn lantern(brush: &mut Brush<'_>, dice: &mut Dice) {
    let glow = brush.stage.light.lamps.max(0.4);
    let red = brush.stage.scene.eastern;
    let color = if red { hex(0xff6a3a) } else { hex(0xffcf7a) };
    brush.glow((0.0, 0.4), 3.2, color, 0.75 * glow);
    let iron = hex(0x4a3a2c);
    if red {
        brush.shine(
            &[(-0.18, 0.1), (0.18, 0.1), (0.28, 0.4), (0.18, 0.72), (-0.18, 0.72), (-0.28, 0.4)],
            color,
        );
    } else {
        brush.shine(
            &[(-0.22, 0.1), (0.22, 0.1), (0.17, 0.68), (-0.17, 0.68)],
            color.mix(grey(1.0), 0.3 * glow),
        );
    }
    brush.block((-0.25, 0.0), (0.25, 0.1), iron);
    brush.poly(&[(-0.24, 0.68), (0.24, 0.68), (0.08, 0.84), (-0.08, 0.84)], iron);
    brush.stroke(&[(-0.09, 0.82), (0.0, 1.0), (0.09, 0.82)], 0.04, iron);
    brush.glow((0.0, 0.36), dice.range(0.5, 0.6), hex(0xfff0c8), glow);
}

/// A lamp on a post, one unit high.
pub(super) fn street_lamp(brush: &mut Brush<'_>) {
    brush.stroke(&[(0.0, 0.0), (0.0, 0.9), (0.12, 0.96), (0.18, 0.9)], 0.025, hex(0x3a2f2a));
    let glow = brush.stage.light.lamps.max(0.35);
    let red = brush.stage.scene.eastern;
    let color = if red { hex(0xff7a4a) } else { hex(0xffcf7a) };
    brush.body(&[(0.18, 0.88), (0.25, 0.8), (0.18, 0.7), (0.11, 0.8)], color);
    let points = [(0.14, 0.75), (0.22, 0.75), (0.22, 0.84), (0.14, 0.84)];
    brush.shine(&points, color.mix(grey(1.0), 0.5 * glow));
    brush.glow((0.18, 0.79), 0.9, color, 0.8 * glow);
}
