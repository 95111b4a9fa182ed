//! Ships and boats, and the pier that they come to.

use super::brush::Brush;
use super::buildings::TIMBER;
use super::canvas::polygon;
use super::color::hex;
use super::noise::{Dice, cell, lerp, smoothstep};
use super::scene::{Place, Structure};
use super::stage::Stage;

fn stage_span(stage: &Stage) -> f32 {
    stage.u * 0.42
}

/// Paints a vessel, which stands out from dark water.
pub(super) fn afloat(stage: &mut Stage, paint: impl FnOnce(&mut Stage)) {
    let before = stage.canvas.last_shape();
    paint(stage);
    stage.rim(before);
}

/// A sailing ship on the open water.
pub(super) fn ship(stage: &mut Stage, dice: &mut Dice) {
    let foot = (stage.focus, lerp(stage.horizon, stage.h, 0.16));
    let side = dice.sign();
    let mut brush = Brush::new(stage, foot, stage_span(stage)).flipped(side).at_depth(0.15);
    brush.body(
        &[(-0.5, 0.16), (0.0, 0.07), (0.42, 0.1), (0.62, 0.19), (0.4, -0.02), (-0.4, -0.02)],
        hex(0x5e3d28),
    );
    brush.stroke(&[(-0.46, 0.12), (0.0, 0.05), (0.5, 0.11)], 0.016, hex(0xc89a50));
    let sail = hex(0xf3e9d2);
    for (x, top) in [(-0.27, 0.8), (0.03, 0.98), (0.31, 0.78)] {
        brush.stroke(&[(x, 0.08), (x, top)], 0.018, TIMBER);
        for part in 0..3 {
            let t = part as f32 / 3.0;
            let (low, width) = (lerp(0.18, top - 0.04, t), lerp(0.15, 0.1, t));
            let high = low + (top - 0.2) / 3.0 * 0.9;
            brush.body(
                &[
                    (x - width, low),
                    (x - width * 0.85, high),
                    (x + width * 0.7, high),
                    (x + width * 1.15, (low + high) / 2.0),
                    (x + width, low),
                ],
                sail * lerp(0.9, 1.05, t),
            );
        }
    }
    brush.poly(&[(0.36, 0.62), (0.78, 0.26), (0.42, 0.2)], sail * 0.95);
    brush.stroke(&[(0.5, 0.15), (0.8, 0.27)], 0.014, TIMBER);
    wake(&mut brush);
    brush.window((-0.44, 0.07), (-0.38, 0.11), true);
}

/// A small boat with somebody in it.
pub(super) fn boat(stage: &mut Stage, dice: &mut Dice) {
    let far = if stage.scene.at_sea() { 0.3 } else { 0.36 };
    // Between the pier, if there is one, and whoever stands ashore.
    let pier = stage.scene.built(Structure::Pier) && stage.scene.place == Place::Beach;
    let aside = if pier { (0.0, 0.3) } else { (0.5, 1.1) };
    let foot = (
        stage.w * 0.5 - (stage.focus - stage.w * 0.5) * dice.range(aside.0, aside.1),
        lerp(stage.horizon, stage.h, far),
    );
    let size = if stage.scene.structures.len() == 1 && stage.open_sea() { 0.62 } else { 0.42 };
    let (side, span) = (dice.sign(), stage_span(stage) * size);
    let mut brush = Brush::new(stage, foot, span).flipped(side).at_depth(0.1);
    brush.poly(&[(-0.1, 0.05), (0.1, 0.05), (0.06, 0.34), (-0.06, 0.34)], hex(0x3f4e63));
    brush.oval((0.0, 0.41), (0.055, 0.065), hex(0xd6a57e));
    brush.poly(&[(-0.16, 0.43), (0.16, 0.43), (0.0, 0.54)], hex(0xc8a560));
    brush.stroke(&[(0.05, 0.26), (0.42, 0.5)], 0.018, TIMBER);
    brush.body(
        &[(-0.62, 0.2), (-0.3, 0.08), (0.3, 0.08), (0.62, 0.2), (0.36, -0.06), (-0.36, -0.06)],
        hex(0x6b452c),
    );
    brush.stroke(&[(-0.55, 0.15), (-0.28, 0.06), (0.28, 0.06), (0.55, 0.15)], 0.02, hex(0xa87a4c));
    wake(&mut brush);
    if brush.stage.light.lamps > 0.3 {
        brush.glow((-0.5, 0.3), 0.5, hex(0xffc46b), 0.9);
    }
}

/// A wooden pier from the beach out over the water, on the side where nothing else is built.
pub(super) fn pier(stage: &mut Stage) {
    let middle = stage.w * 0.5;
    let away = middle - stage.focus;
    let (near, far) = ((middle + away * 1.5, 0.68), (middle + away * 0.5, 0.12));
    // Across and along: -1 to 1 from side to side, 0 to 1 from the beach to the end.
    let at = |stage: &Stage, across: f32, along: f32| {
        let (x, part) = (lerp(near.0, far.0, along), lerp(near.1, far.1, along));
        (x + across * stage.u * 0.11 * part, lerp(stage.horizon, stage.h, part))
    };
    for post in 0..7 {
        let along = 1.0 - post as f32 / 7.0;
        for side in [-1.0, 1.0] {
            let foot = at(stage, side, along);
            let tall = stage.u * 0.16 * lerp(near.1, far.1, along);
            let mut brush = Brush::new(stage, foot, tall).at_depth(0.1);
            brush.stroke(&[(0.0, -0.55), (0.0, 0.5)], 0.16, TIMBER);
        }
    }
    for plank in 0..24 {
        let (from, to) = (1.0 - plank as f32 / 24.0, 1.0 - (plank as f32 + 0.86) / 24.0);
        let corners = [(-1.1, from), (1.1, from), (1.1, to), (-1.1, to)].map(|(x, y)| at(stage, x, y));
        let wood = hex(0x8a6a4c) * (0.88 + 0.2 * cell(plank, 3, 41));
        let color = stage.light.shade(wood, 0.6, 0.05);
        stage.canvas.fill(polygon(&corners), 1.0, |_, _| color);
    }
}

/// The dark reflection under a hull.
fn wake(brush: &mut Brush<'_>) {
    let (center, scale) = (brush.place((0.0, -0.1)), brush.scale);
    brush.stage.canvas.within(center, (scale * 0.7, scale * 0.12), |_, _, distance, under| {
        under * lerp(0.55, 1.0, smoothstep(0.0, 1.0, distance))
    });
}
