//! Where there is no land as we know it: the bottom of the sea, and space.

use super::brush::Brush;
use super::canvas::{Point, ellipse};
use super::color::{Rgb, grey, hex};
use super::noise::{Dice, fbm, lerp, smoothstep, value};
use super::scene::Figure;
use super::stage::Stage;
use super::texture::Texture;

/// Under water: light falls in shafts, weeds and corals grow from the sand, fish pass by.
pub(super) fn paint_underwater(stage: &mut Stage) {
    let mut dice = stage.dice("deep");
    shafts(stage, &mut dice);
    seabed(stage, &mut dice);
    for _ in 0..16 {
        let foot = (stage.w * dice.unit(), stage.h * dice.range(0.84, 1.0));
        if dice.chance(0.55) { weed(stage, &mut dice, foot) } else { coral(stage, &mut dice, foot) }
    }
    for _ in 0..3 {
        school(stage, &mut dice);
    }
    for _ in 0..46 {
        let (at, radius) =
            ((stage.w * dice.unit(), stage.h * dice.unit()), stage.u * dice.range(0.002, 0.009));
        stage.canvas.within(at, (radius, radius), |x, y, distance, under| {
            let light = smoothstep(0.6, 1.0, distance) * 0.5 + if x < at.0 && y < at.1 { 0.16 } else { 0.03 };
            under.screen(hex(0xcdf4ff) * light)
        });
    }
}

fn shafts(stage: &mut Stage, dice: &mut Dice) {
    let seed = dice.texture();
    let (w, h, u, sun) = (stage.w, stage.h, stage.u, (stage.sun.0, -stage.u * 0.5));
    let bright = (stage.sky_at(0.6).luma() * 1.25).clamp(0.25, 1.0);
    let (top, middle, low) = (hex(0x8fe6e4) * bright, hex(0x1f86a6) * bright, hex(0x082f52) * bright);
    let width = stage.canvas.width;
    for (y, row) in stage.canvas.pixels_mut().chunks_exact_mut(width).enumerate() {
        let t = y as f32 / h;
        let base = if t < 0.4 { top.mix(middle, (t / 0.4).sqrt()) } else { middle.mix(low, (t - 0.4) / 0.6) };
        for (x, pixel) in row.iter_mut().enumerate() {
            let (dx, dy) = (x as f32 - sun.0, y as f32 - sun.1);
            let ray = fbm(dx / dy * 7.0 + 30.0, 0.5 + t * 0.4, 2, seed);
            let fall = (1.0 - t).powi(2) / (1.0 + (dx / w).powi(2) * 3.0);
            let caustic = smoothstep(0.5, 0.9, value(x as f32 / u * 14.0, y as f32 / u * 70.0, seed))
                * (1.0 - t * 7.0).max(0.0);
            *pixel = base.screen(
                hex(0xd8fff2) * (bright * (0.7 * fall * smoothstep(0.42, 0.78, ray) + 0.3 * caustic)),
            );
        }
    }
}

fn seabed(stage: &mut Stage, dice: &mut Dice) {
    for (part, depth, color) in [(0.76, 0.75, 0x2f6f86), (0.83, 0.45, 0x5a8a86), (0.9, 0.0, 0xc4b68a)] {
        let seed = dice.texture();
        let (u, h) = (stage.u, stage.h);
        let tops: Vec<f32> = (0..stage.canvas.width)
            .map(|x| h * part + u * 0.14 * (fbm(x as f32 / u * lerp(4.0, 1.3, part), 2.0, 4, seed) - 0.5))
            .collect();
        let (water, sand) = (hex(0x14587a), hex(color));
        stage.canvas.fill_below(&tops, h, |x, y, below| {
            let ripple = value(x / u * 9.0 + value(y / u * 9.0, 1.0, seed) * 2.0, y / u * 46.0, seed) - 0.5;
            let light = 0.95 - 0.8 * (below / u).min(0.6) + 0.25 * ripple;
            (sand * light).mix(water, 0.25 + depth * 0.6)
        });
    }
}

fn weed(stage: &mut Stage, dice: &mut Dice, foot: Point) {
    let (tall, phase) = (stage.u * dice.range(0.12, 0.34), dice.range(0.0, 6.0));
    let color = dice.pick(&[hex(0x2f8a5a), hex(0x5a9a3c), hex(0x2a7468)]);
    let mut brush = Brush::new(stage, foot, tall).at_depth(0.0);
    for blade in 0..4 {
        let start = blade as f32 * 0.06;
        let points: Vec<Point> = (0..=9)
            .map(|s| s as f32 / 9.0)
            .map(|t| (start + (t * 5.0 + phase + start * 9.0).sin() * 0.07 * t, t * (1.0 - start)))
            .collect();
        for (index, part) in points.windows(2).enumerate() {
            brush.stroke(part, 0.045 * (1.0 - index as f32 / 11.0), color * (0.6 + 0.06 * index as f32));
        }
    }
}

fn coral(stage: &mut Stage, dice: &mut Dice, foot: Point) {
    let size = stage.u * dice.range(0.07, 0.16);
    let color = dice.pick(&[hex(0xf2627a), hex(0xf29a4a), hex(0xc46ad0), hex(0xf2d25a)]);
    let mut brush = Brush::new(stage, foot, size).at_depth(0.0);
    for arm in 0..7 {
        let lean = lerp(-0.7, 0.7, arm as f32 / 6.0) + dice.range(-0.1, 0.1);
        let tall = dice.range(0.55, 1.0);
        brush.stroke(
            &[(lean * 0.15, 0.0), (lean * 0.6, tall * 0.55), (lean, tall)],
            0.12,
            color * dice.range(0.75, 1.05),
        );
        brush.oval((lean, tall), (0.075, 0.075), color);
    }
}

fn school(stage: &mut Stage, dice: &mut Dice) {
    let (center, flip) = ((stage.w * dice.range(0.15, 0.85), stage.h * dice.range(0.2, 0.68)), dice.sign());
    let color = dice.pick(&[hex(0xf2a03c), hex(0xf2d64a), hex(0x7ac8f2), hex(0xf26a5a)]);
    let size = stage.u * dice.range(0.012, 0.03);
    for _ in 0..8 {
        let at = (center.0 + stage.u * dice.range(-0.16, 0.16), center.1 + stage.u * dice.range(-0.07, 0.07));
        super::animals::fish(
            &mut Brush::new(stage, at, size * dice.range(0.8, 1.2)).flipped(flip).at_depth(0.05),
            color,
        );
    }
}

/// Space: a nebula, stars, a planet with its ring; people stand on the ground of a moon.
pub(super) fn paint_space(stage: &mut Stage) {
    let mut dice = stage.dice("space");
    nebula(stage, &mut dice);
    for _ in 0..520 {
        let size = lerp(0.7, 2.6, dice.unit().powi(7)) * (stage.u / 720.0).max(0.5);
        let at = (stage.w * dice.unit(), stage.h * dice.unit());
        let color = hex(0xbcd0ff).mix(hex(0xffe2c0), dice.unit());
        stage.canvas.glow(at, size * 2.6, color, dice.range(0.3, 1.5));
    }
    let center = (stage.w - stage.focus, stage.h * dice.range(0.32, 0.42));
    let radius = stage.u * dice.range(0.18, 0.26);
    planet(stage, &mut dice, center, radius);
    let moon = (stage.focus + stage.u * dice.range(-0.1, 0.1), stage.h * dice.range(0.14, 0.24));
    planet(stage, &mut dice, moon, radius * 0.2);
    let ground = stage.scene.figures.iter().any(|figure| !matches!(figure, Figure::Bird | Figure::Dragon));
    if ground { moonscape(stage, &mut dice) } else { rocket(stage, &mut dice) }
}

fn nebula(stage: &mut Stage, dice: &mut Dice) {
    let (seed, u) = (dice.texture(), stage.u);
    let hues = dice.pick(&[[0x6a2fa0, 0x1f6fb0], [0xb03a6a, 0x2f4fb0], [0x1f8a8a, 0x5a3fb0]]).map(hex);
    let gas = Texture::weave((0.0, 0.0, stage.w, stage.h), stage.weave_step(), |x, y| {
        let (nx, ny) = (x / u * 1.7, y / u * 2.3);
        let warp = value(nx, ny, seed) * 1.2;
        let (warm, cold) = (fbm(nx + warp, ny, 4, seed), fbm(nx * 1.4 + 9.0, ny + warp, 4, seed ^ 7));
        [smoothstep(0.35, 0.85, warm), smoothstep(0.4, 0.9, cold)]
    });
    let width = stage.canvas.width;
    for (y, row) in stage.canvas.pixels_mut().chunks_exact_mut(width).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            let [warm, cold] = gas.at(x as f32, y as f32);
            let glow = hues[0] * warm + hues[1] * cold;
            *pixel = hex(0x070916).screen(glow * 0.95);
        }
    }
}

fn planet(stage: &mut Stage, dice: &mut Dice, center: Point, radius: f32) {
    let palette: [Rgb; 2] = dice
        .pick(&[[0xd99a5a, 0x8a4f34], [0x5aa0c8, 0xe8f0f0], [0xb58ad0, 0x5a4a90], [0xd8c49a, 0xa07a50]])
        .map(hex);
    let (seed, side, tilt) = (dice.texture(), stage.sun_side(), dice.range(-0.5, 0.5));
    let ringed = radius > stage.u * 0.1 && dice.chance(0.6);
    stage.canvas.glow(center, radius * 1.7, palette[0], 0.28);
    stage.canvas.fill(ellipse(center, (radius, radius)), 1.0, |x, y| {
        let (dx, dy) = ((x - center.0) / radius, (y - center.1) / radius);
        let dz = (1.0 - dx * dx - dy * dy).max(0.0).sqrt();
        let band = dy + dx * tilt;
        let swirl = fbm(dx * 2.4 / (0.5 + dz) + 8.0, band * 8.0 + value(dx * 4.0, dy * 4.0, seed), 4, seed);
        let lit = (dx * side * 0.72 - dy * 0.42 + dz * 0.55).clamp(0.0, 1.0);
        let rim = (1.0 - dz).powi(4) * 0.5 * lit;
        palette[1].mix(palette[0], swirl * 1.3 - 0.1) * (0.05 + 1.05 * lit) + palette[0] * rim
    });
    if ringed {
        stage.canvas.within(center, (radius * 2.2, radius * 0.75), |x, y, distance, under| {
            let (dx, dy) = ((x - center.0) / radius, (y - center.1) / radius);
            let behind = dy < 0.0 && dx * dx + dy * dy < 1.0;
            let band = smoothstep(0.6, 0.64, distance)
                * smoothstep(1.0, 0.96, distance)
                * (0.45 + 0.55 * value(distance * 26.0, 0.5, seed));
            if behind { under } else { under.mix(palette[0].mix(grey(1.0), 0.4) * 0.9, band * 0.8) }
        });
    }
}

fn moonscape(stage: &mut Stage, dice: &mut Dice) {
    let (seed, u, horizon, side) = (dice.texture(), stage.u, stage.horizon, stage.sun_side());
    let tops: Vec<f32> = (0..stage.canvas.width)
        .map(|x| horizon - u * 0.05 * (fbm(x as f32 / u * 2.0, 0.7, 4, seed) - 0.4))
        .collect();
    let h = stage.h;
    stage.canvas.fill_below(&tops, h, |x, y, _| {
        let near = ((y - horizon) / (h - horizon)).max(0.0);
        let far = 0.4 / (near + 0.12);
        let (gx, gy) = ((x / u - 0.9) * far * 3.0, far * 5.0);
        let here = fbm(gx, gy, 3, seed);
        let slope = (here - fbm(gx + 0.2 * side, gy - 0.1, 3, seed)) * smoothstep(-0.1, 0.4, near);
        hex(0x8f8c96) * (0.42 + slope * 2.2 + 0.3 * here)
    });
    for _ in 0..9 {
        let near = dice.range(0.08, 0.95);
        let (at, reach) =
            ((stage.w * dice.unit(), lerp(horizon, h, near)), u * 0.11 * near * dice.range(0.6, 1.4));
        stage.canvas.within(at, (reach, reach * 0.34), |x, _, distance, under| {
            let bowl = ((x - at.0) / reach * side * -0.5 + 0.5).clamp(0.0, 1.0);
            under * (lerp(0.55, 1.2, bowl) * smoothstep(1.0, 0.8, distance) + smoothstep(0.8, 1.0, distance))
        });
    }
}

/// A rocket on its way, with its tail of fire.
fn rocket(stage: &mut Stage, dice: &mut Dice) {
    let foot = (stage.focus, stage.h * 0.72);
    let mut brush = Brush::new(stage, foot, stage_unit(stage)).at_depth(0.0);
    brush.glow((0.0, -0.35), 1.0, hex(0xff9a4a), 0.8);
    for (width, long, color) in [(0.14, 0.75, 0xff7a2a), (0.09, 0.5, 0xffc24a), (0.05, 0.3, 0xfff4c8)] {
        let sway = dice.range(-0.03, 0.03);
        brush.shine(&[(-width, 0.0), (width, 0.0), (sway, -long)], hex(color));
    }
    for side in [-1.0, 1.0] {
        brush.poly(&[(side * 0.12, 0.28), (side * 0.27, -0.04), (side * 0.1, 0.04)], hex(0xc23a36));
    }
    brush.body(
        &[(-0.1, 0.0), (0.1, 0.0), (0.15, 0.35), (0.1, 0.7), (0.0, 0.95), (-0.1, 0.7), (-0.15, 0.35)],
        hex(0xe8ecf2),
    );
    brush.body(&[(-0.1, 0.7), (0.1, 0.7), (0.05, 0.86), (0.0, 0.95), (-0.05, 0.86)], hex(0xc23a36));
    brush.oval((0.0, 0.52), (0.055, 0.055), hex(0x3a4656));
    brush.oval((0.0, 0.52), (0.04, 0.04), hex(0x9ad8f2));
}

fn stage_unit(stage: &Stage) -> f32 {
    stage.u * 0.34
}
