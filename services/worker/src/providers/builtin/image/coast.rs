//! The cliff above the sea.

use super::color::hex;
use super::noise::{fbm, lerp, smoothstep};
use super::scene::{Season, Weather};
use super::stage::Stage;
use super::texture::Texture;

/// The row of the cliff's edge in this column, in pixels; below the picture where there is only sea.
pub(super) fn cliff_top(stage: &Stage, x: f32) -> f32 {
    let seed = stage.dice("cliff").texture();
    let side = if stage.focus < stage.w / 2.0 { 1.0 } else { -1.0 };
    // Away from the subject's edge of the picture, in units.
    let out = if side > 0.0 { x } else { stage.w - x };
    let edge = (stage.focus.min(stage.w - stage.focus) + stage.u * 0.3)
        + stage.u * 0.1 * (fbm(x / stage.u * 3.0, 4.0, 3, seed) - 0.5);
    let plateau =
        stage.horizon - stage.u * 0.02 + stage.u * 0.045 * (fbm(x / stage.u * 2.5, 0.5, 3, seed) - 0.5) * 2.0;
    let drop = smoothstep(edge - stage.u * 0.03, edge + stage.u * 0.2, out);
    let ledges = stage.u * 0.06 * fbm(x / stage.u * 9.0, 8.0, 3, seed) * drop * (1.0 - drop) * 4.0;
    lerp(plateau, stage.h * 1.05, drop.powf(1.4)) - ledges
}

pub(super) fn paint_cliff(stage: &mut Stage) {
    let tops: Vec<f32> = (0..stage.canvas.width).map(|x| cliff_top(stage, x as f32)).collect();
    let seed = stage.dice("rock").texture();
    let (u, light, side) = (stage.u, &stage.light, stage.sun_side());
    let white = stage.scene.weather == Weather::Snow || stage.scene.season == Season::Winter;
    let turf = if white { hex(0xeaf0f6) } else { hex(0x6f8f42) };
    let (rock, dark) = (hex(0x8d7f72), hex(0x4f4842));
    let area = (0.0, stage.horizon - u * 0.1, stage.w, stage.h);
    let face = Texture::weave(area, u / 360.0, |x, y| {
        let strata = fbm(x / u * 5.0, y / u * 26.0 + x / u * 3.0, 3, seed);
        let crack = fbm(x / u * 16.0, y / u * 4.0, 3, seed ^ 77);
        [strata, crack, fbm(x / u * 16.0 + 0.3 * side, y / u * 4.0, 3, seed ^ 77)]
    });
    stage.canvas.fill_below(&tops, stage.h, |x, y, below| {
        let [strata, crack, next] = face.at(x, y);
        let grass = smoothstep(0.09, 0.03, below / u + (crack - 0.5) * 0.07);
        let albedo = dark.mix(rock, strata * 0.9 + 0.2).mix(turf, grass);
        let lit = 0.5 + (crack - next) * 2.4 * (1.0 - grass * 0.7) + (strata - 0.5) * 0.5
            - 0.3 * (below / u).min(1.0);
        light.shade(albedo, lit.clamp(0.0, 1.0), 0.1)
    });
    surf(stage);
}

/// Foam where the sea breaks on the rock.
fn surf(stage: &mut Stage) {
    let mut dice = stage.dice("surf");
    let foam = stage.light.shade(hex(0xf2f7f8), 0.8, 0.1);
    for _ in 0..70 {
        let x = stage.w * dice.unit();
        let top = cliff_top(stage, x);
        if top < stage.horizon + stage.u * 0.08 || top > stage.h {
            continue;
        }
        let row = stage.h - (stage.h - top) * dice.unit() * 0.2;
        let radius = stage.u * dice.range(0.02, 0.06);
        stage.canvas.glow((x + stage.u * dice.range(-0.05, 0.05), row), radius, foam, 0.5);
    }
}
