//! The sky: its gradient, sun or moon, stars, clouds and rainbow.

use domain::style::KnownStyle;

use super::color::{Rgb, grey, hex};
use super::noise::{fbm, fract, lerp, smoothstep, value};
use super::scene::{Thing, Time, Weather};
use super::stage::Stage;

pub(super) fn paint(stage: &mut Stage) {
    gradient(stage);
    stars(stage);
    disc(stage);
    clouds(stage);
    if stage.scene.has(Thing::Rainbow) {
        rainbow(stage);
    }
}

fn gradient(stage: &mut Stage) {
    let (sx, sy) = stage.sun;
    let reach = if stage.scene.time == Time::Night { 0.3 } else { 0.55 } * stage.u.max(stage.h * 0.6);
    let strength = 0.5 * stage.light.sun_strength;
    let rows: Vec<Rgb> = (0..stage.canvas.height).map(|y| stage.sky_at(y as f32 / stage.horizon)).collect();
    let sun = stage.light.sun;
    let width = stage.canvas.width;
    for (y, row) in stage.canvas.pixels_mut().chunks_exact_mut(width).enumerate() {
        let dy = (y as f32 - sy) / reach;
        for (x, pixel) in row.iter_mut().enumerate() {
            // The halo is wider than tall, as light along the horizon is.
            let dx = (x as f32 - sx) / (reach * 1.35);
            let halo = strength / (1.0 + 3.2 * (dx * dx + dy * dy)).powi(2);
            *pixel = rows[y].screen(sun * halo);
        }
    }
}

fn stars(stage: &mut Stage) {
    let wish = if stage.scene.has(Thing::Stars) { 1.6 } else { 1.0 };
    let clear = stage.light.stars * wish;
    if clear < 0.05 {
        return;
    }
    let mut dice = stage.dice("stars");
    for _ in 0..(260.0 * clear) as usize {
        let (x, y) = (dice.unit() * stage.w, dice.unit().powf(1.3) * stage.horizon);
        let size = lerp(0.6, 2.2, dice.unit().powi(6)) * (stage.u / 720.0).max(0.5);
        let color = hex(0xcfdcff).mix(hex(0xffe9cf), dice.unit());
        let fade = 1.0 - smoothstep(0.7, 1.0, y / stage.horizon);
        stage.canvas.glow((x, y), size * 2.6, color, clear.min(1.2) * fade * dice.range(0.4, 1.5));
    }
}

fn disc(stage: &mut Stage) {
    let strength = stage.light.sun_strength;
    if strength < 0.2 {
        return;
    }
    let night = stage.scene.time == Time::Night;
    let mut dice = stage.dice("disc");
    let big = if stage.style == Some(KnownStyle::Ukiyoe) || stage.scene.has(Thing::Moon) { 1.5 } else { 1.0 };
    let radius = stage.u * big * if night { 0.042 } else { dice.range(0.04, 0.055) };
    let (center, color) = (stage.sun, stage.light.sun);
    stage.canvas.glow(center, radius * 6.0, color, 0.55 * strength);
    let maria = dice.texture();
    let crescent = night && dice.chance(0.4);
    let side = dice.sign();
    let shade = (center.0 + radius * 0.62 * side, center.1 - radius * 0.3);
    // Half a pixel of softness at the rim.
    let soft = 1.0 / radius.max(1.0);
    stage.canvas.within(center, (radius, radius), |x, y, distance, under| {
        let spots = value((x - center.0) / radius * 1.8 + 9.0, (y - center.1) / radius * 1.8 + 5.0, maria);
        let face = if night {
            color * (1.0 - 0.2 * smoothstep(0.45, 0.75, spots))
        } else {
            color.mix(grey(1.0), 0.25)
        };
        let away = ((x - shade.0).powi(2) + (y - shade.1).powi(2)).sqrt() / radius;
        let lit = if crescent { smoothstep(0.97, 1.06, away) } else { 1.0 };
        under.mix(face, strength.sqrt() * lit * smoothstep(1.0, 1.0 - 2.0 * soft, distance))
    });
}

/// Clouds lie in a plane above, so they flatten towards the horizon. They are soft: a coarse grid does.
fn clouds(stage: &mut Stage) {
    let mut dice = stage.dice("clouds");
    let (seed, drift, cover) = (dice.texture(), dice.range(0.0, 50.0), stage.light.clouds);
    let crisp = match stage.style {
        Some(KnownStyle::Anime | KnownStyle::Cartoon | KnownStyle::Comic | KnownStyle::Render3d) => 0.1,
        Some(KnownStyle::Ukiyoe) => 0.05,
        _ => 0.26,
    };
    let step = (stage.u / 200.0).max(1.0);
    let (columns, rows) = ((stage.w / step) as usize + 3, (stage.horizon / step) as usize + 3);
    let stormy = matches!(stage.scene.weather, Weather::Storm | Weather::Rain);
    let zoom = if stormy { 1.5 } else { 2.1 };
    let edge = lerp(0.68, 0.3, cover);
    let mut grid = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        let up = 1.0 - (row as f32 * step / stage.horizon).min(1.0);
        let far = 1.0 / (up + 0.28);
        for column in 0..columns {
            let x = (column as f32 * step - stage.w / 2.0) / stage.u * far * zoom + drift;
            let y = far * zoom * 1.25;
            let density = |x: f32, y: f32| fbm(x, y * 1.5, 5, seed);
            let thick = density(x, y);
            if thick < edge {
                grid.push((0.0, 0.6));
                continue;
            }
            let toward = density(x + (stage.sun.0 / stage.w - 0.5) * 0.3, y + 0.16);
            let amount = smoothstep(edge, edge + crisp, thick) * smoothstep(-0.02, 0.14, up);
            let lit = (0.62 + (thick - toward) * 3.4).clamp(0.0, 1.0);
            grid.push((amount, lit));
        }
    }
    lay_clouds(stage, &grid, columns, step);
}

fn lay_clouds(stage: &mut Stage, grid: &[(f32, f32)], columns: usize, step: f32) {
    let (lit, shade) = (stage.light.cloud_lit, stage.light.cloud_shade);
    let (sun, (sx, sy), reach) = (stage.light.sun * stage.light.sun_strength, stage.sun, stage.u * 0.5);
    let width = stage.canvas.width;
    let rows = (stage.horizon as usize).min(stage.canvas.height);
    for (y, row) in stage.canvas.pixels_mut().chunks_exact_mut(width).take(rows).enumerate() {
        let gy = y as f32 / step;
        let (top, fy) = (gy as usize * columns, fract(gy));
        for (x, pixel) in row.iter_mut().enumerate() {
            let gx = x as f32 / step;
            let (index, fx) = (top + gx as usize, fract(gx));
            let pick = |part: fn(&(f32, f32)) -> f32| {
                let across = |at: usize| lerp(part(&grid[at]), part(&grid[at + 1]), fx);
                lerp(across(index), across(index + columns), fy)
            };
            let amount = pick(|cell| cell.0);
            if amount < 0.004 {
                continue;
            }
            let near = ((x as f32 - sx).powi(2) + (y as f32 - sy).powi(2)) / (reach * reach);
            let color = shade.mix(lit, pick(|cell| cell.1)).screen(sun * (0.3 / (1.0 + 4.0 * near)));
            *pixel = pixel.mix(color, amount * 0.94);
        }
    }
}

fn rainbow(stage: &mut Stage) {
    const BANDS: [u32; 6] = [0x9b5de5, 0x4d7cff, 0x3dd17f, 0xffe14d, 0xff9a3d, 0xff4d5e];
    let (center, radius) = ((stage.w - stage.sun.0, stage.horizon * 1.15), stage.w.min(stage.h * 1.4) * 0.48);
    stage.canvas.within(center, (radius, radius), |_, _, distance, under| {
        let band = (distance - 0.86) / 0.13 * 6.0;
        if !(0.0..6.0).contains(&band) {
            return under;
        }
        let index = band as usize;
        let color = hex(BANDS[index]).mix(hex(BANDS[(index + 1).min(5)]), fract(band));
        under.screen(color * (0.34 * smoothstep(0.0, 1.0, band) * smoothstep(6.0, 5.0, band)))
    });
}
