//! Trees, grass and flowers.

use super::brush::Brush;
use super::canvas::Point;
use super::color::{Rgb, grey, hex};
use super::noise::{Dice, fbm, lerp, smoothstep, value};
use super::scene::{Place, Season, Thing, Water, Weather};
use super::stage::Stage;

/// The shape of a tree.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Broad,
    Fir,
    Pine,
    Palm,
    Bare,
}

/// Trees scattered over the middle distance, and near ones that frame the subject.
pub(super) fn paint_trees(stage: &mut Stage) {
    let wood = stage.scene.place == Place::Forest;
    let barren = matches!(stage.scene.place, Place::Desert | Place::Cliff);
    if stage.open_sea() {
        return;
    }
    let count = match (wood, stage.scene.has(Thing::Tree), barren) {
        (true, _, _) => 26,
        (_, true, _) => 10,
        _ if stage.scene.water == Some(Water::Lake) => 16,
        (_, _, true) => 0,
        _ => 5,
    };
    let mut dice = stage.dice("trees");
    let lake = stage.scene.water == Some(Water::Lake);
    let low = if lake { 0.005 } else { 0.06 };
    let mut feet: Vec<Point> = (0..count)
        .map(|_| {
            let reach = if lake {
                0.02
            } else if wood {
                0.5
            } else {
                0.22
            };
            let near = low + reach * dice.unit().powf(1.6);
            (stage.w * dice.unit(), lerp(stage.horizon, stage.h, near))
        })
        .filter(|foot| (foot.0 - stage.focus).abs() > stage.u * if wood { 0.16 } else { 0.34 })
        .filter(|foot| lake || !in_water(stage, *foot))
        .collect();
    feet.sort_by(|a, b| a.1.total_cmp(&b.1));
    for foot in feet {
        let foot = (foot.0, foot.1 - super::terrain::knoll(stage, foot.0));
        let size = stage.person_at(foot.1) * dice.range(2.4, 4.2) + stage.u * 0.03;
        let size = if lake { stage.u * dice.range(0.07, 0.2) } else { size };
        tree(stage, &mut dice, foot, size);
    }
}

/// One or two big trees close by, on the side away from the subject.
pub(super) fn paint_frame(stage: &mut Stage) {
    let mut dice = stage.dice("frame");
    let wood = stage.scene.place == Place::Forest;
    let open = matches!(stage.scene.place, Place::Cliff | Place::Beach | Place::Desert);
    let wished = wood || stage.scene.has(Thing::Tree) || (!open && dice.chance(0.45));
    if stage.open_sea() || !wished {
        return;
    }
    let away = if stage.focus < stage.w / 2.0 { 1.0 } else { -1.0 };
    let x = stage.w * (0.5 + away * dice.range(0.36, 0.44));
    let foot = (x, lerp(stage.horizon, stage.h, dice.range(0.72, 0.86)));
    let size = stage.u * dice.range(0.75, 0.92);
    tree(stage, &mut dice, foot, size);
    if wood {
        let foot = (stage.w - x - away * stage.u * 0.1, lerp(stage.horizon, stage.h, 0.93));
        let size = stage.u * 0.95;
        tree(stage, &mut dice, foot, size);
    }
}

fn in_water(stage: &Stage, foot: Point) -> bool {
    match stage.scene.water {
        Some(Water::River) => {
            let near = (foot.1 - stage.horizon) / (stage.h - stage.horizon);
            (foot.0 - stage.w * 0.5).abs() < stage.u * (0.16 + 0.5 * near)
        }
        Some(_) => foot.1 < super::water::shore(stage) + stage.u * 0.01,
        None => false,
    }
}

fn kind(stage: &Stage, dice: &mut Dice) -> Kind {
    let scene = &stage.scene;
    match (scene.place, scene.season) {
        (Place::Desert | Place::Beach, _) => Kind::Palm,
        (_, Season::Winter) => dice.pick(&[Kind::Fir, Kind::Fir, Kind::Bare]),
        (_, Season::Spring | Season::Autumn) => Kind::Broad,
        (Place::Mountains, _) if scene.eastern => dice.pick(&[Kind::Pine, Kind::Pine, Kind::Fir]),
        (Place::Mountains, _) => dice.pick(&[Kind::Fir, Kind::Fir, Kind::Broad]),
        (Place::Forest, _) => dice.pick(&[Kind::Fir, Kind::Broad, Kind::Broad]),
        _ if scene.eastern => dice.pick(&[Kind::Broad, Kind::Pine]),
        _ => dice.pick(&[Kind::Broad, Kind::Broad, Kind::Fir]),
    }
}

fn leaf_color(stage: &Stage, dice: &mut Dice) -> Rgb {
    match stage.scene.season {
        Season::Spring => dice.pick(&[hex(0xf2b6c6), hex(0xe894b0), hex(0xf7cdd6), hex(0x8fbf5c)]),
        Season::Autumn => dice.pick(&[hex(0xc9582a), hex(0xdb8a2e), hex(0xb23b2a), hex(0xe0ab3c)]),
        Season::Winter => hex(0x6d8a84),
        Season::Summer => dice.pick(&[hex(0x4e7d35), hex(0x5f8d3c), hex(0x3f6d3a), hex(0x78994a)]),
    }
}

/// A tree `size` pixels tall.
fn tree(stage: &mut Stage, dice: &mut Dice, foot: Point, size: f32) {
    let kind = kind(stage, dice);
    let leaves = leaf_color(stage, dice);
    let flip = dice.sign();
    let mut brush = Brush::new(stage, foot, size).flipped(flip);
    brush.shadow(0.3);
    match kind {
        Kind::Broad => broad(&mut brush, dice, leaves),
        Kind::Fir => fir(&mut brush, dice, leaves.mix(hex(0x1f4a3c), 0.6)),
        Kind::Pine => pine(&mut brush, dice),
        Kind::Palm => palm(&mut brush, dice),
        Kind::Bare => branch(&mut brush, dice, (0.0, 0.0), (0.0, 0.42), 0.07, 6),
    }
}

const BARK: Rgb = hex(0x5a4536);

fn broad(brush: &mut Brush<'_>, dice: &mut Dice, leaves: Rgb) {
    let lean = dice.range(-0.05, 0.05);
    brush.poly(&[(-0.045, 0.0), (0.045, 0.0), (0.02 + lean, 0.55), (-0.02 + lean, 0.55)], BARK);
    brush.stroke(&[(lean * 0.6, 0.3), (lean + 0.14, 0.55)], 0.022, BARK);
    brush.stroke(&[(lean * 0.6, 0.34), (lean - 0.13, 0.58)], 0.02, BARK);
    let mut clumps: Vec<(Point, f32)> = (0..9)
        .map(|_| {
            let (x, y) = (dice.range(-0.24, 0.24), dice.range(-0.2, 0.24));
            ((lean + x, 0.66 + y * (1.0 - x.abs())), dice.range(0.13, 0.2))
        })
        .collect();
    // The lower clumps are painted first and darker: the crown shades itself.
    clumps.sort_by(|a, b| a.0.1.total_cmp(&b.0.1));
    for (center, radius) in clumps {
        let tone = lerp(0.72, 1.12, (center.1 - 0.45) / 0.45);
        foliage(brush, center, radius, leaves * tone, dice.texture());
    }
}

/// A clump of leaves with a ragged edge.
pub(super) fn foliage(brush: &mut Brush<'_>, center: Point, radius: f32, albedo: Rgb, seed: u32) {
    let (cx, cy) = brush.place(center);
    let r = radius * brush.scale;
    let (side, depth) = (brush.stage.sun_side(), brush.depth);
    let [dark, bright] = [0.0, 1.0].map(|lit| brush.stage.light.shade(albedo, lit, depth));
    let snow = brush.stage.scene.weather == Weather::Snow;
    let white = brush.stage.light.shade(hex(0xf2f6fb), 0.8, depth);
    let canvas = &mut brush.stage.canvas;
    canvas.next_shape();
    let (left, right) = ((cx - r).max(0.0) as usize, ((cx + r + 1.0).max(0.0) as usize).min(canvas.width));
    let (top, bottom) = ((cy - r).max(0.0) as usize, ((cy + r + 1.0).max(0.0) as usize).min(canvas.height));
    for y in top..bottom {
        for x in left..right {
            let (dx, dy) = ((x as f32 - cx) / r, (y as f32 - cy) / r);
            let leaf = fbm(dx * 4.6 + 20.0, dy * 4.6 + 20.0, 2, seed);
            let edge = (dx * dx + dy * dy).sqrt() + (leaf - 0.5) * 0.9;
            let alpha = smoothstep(0.86, 0.74, edge);
            if alpha > 0.0 {
                let lit = 0.5 + 0.34 * (dx * side - dy) + 1.1 * (leaf - 0.5);
                let color = dark + (bright - dark) * lit.clamp(-0.2, 1.15);
                let cap = if snow { smoothstep(0.1, 0.5, -dy + (leaf - 0.5)) } else { 0.0 };
                canvas.blend(x, y, color.mix(white, cap), alpha);
            }
        }
    }
}

/// A fir: many ragged tiers, dark inside and light at their tips.
fn fir(brush: &mut Brush<'_>, dice: &mut Dice, needles: Rgb) {
    let snowy = brush.stage.scene.weather == Weather::Snow || brush.stage.scene.season == Season::Winter;
    brush.block((-0.02, 0.0), (0.02, 0.16), BARK);
    let tiers = 11;
    for tier in 0..tiers {
        let t = tier as f32 / (tiers - 1) as f32;
        let (bottom, width) = (lerp(0.09, 0.86, t), lerp(0.23, 0.035, t) * dice.range(0.9, 1.1));
        let top = bottom + lerp(0.2, 0.14, t);
        let teeth = 14;
        let fringe: Vec<Point> = (0..=teeth)
            .map(|tooth| {
                let x = lerp(width, -width, tooth as f32 / teeth as f32);
                let sag = if tooth % 2 == 0 { -0.014 } else { 0.012 };
                (x * dice.range(0.94, 1.05), bottom + sag * dice.range(0.6, 1.4) - 0.16 * x.abs())
            })
            .collect();
        let tone = lerp(0.72, 1.2, t);
        let skirt: Vec<Point> = std::iter::once((0.0, top)).chain(fringe.iter().copied()).collect();
        brush.poly(&skirt, needles * tone);
        let (reach, lift) = if snowy { (0.7, 0.05) } else { (0.86, 0.032) };
        let inner: Vec<Point> =
            std::iter::once((0.0, top)).chain(fringe.iter().map(|(x, y)| (x * reach, y + lift))).collect();
        let tip = if snowy {
            needles.mix(hex(0xeaf1f8), dice.range(0.45, 0.95))
        } else {
            needles * (tone * 1.25) + hex(0x0c1408)
        };
        brush.poly(&inner, tip);
    }
}

/// A weather-beaten pine with flat layers of needles.
fn pine(brush: &mut Brush<'_>, dice: &mut Dice) {
    let bend = dice.range(0.08, 0.16);
    let trunk = [(0.0, 0.0), (bend * 0.4, 0.25), (-bend * 0.5, 0.5), (bend * 0.3, 0.78), (bend, 0.9)];
    brush.stroke(&trunk[..3], 0.055, BARK);
    brush.stroke(&trunk[2..], 0.035, BARK);
    for (x, y, width) in
        [(-0.22, 0.52, 0.17), (0.17, 0.64, 0.19), (-0.16, 0.76, 0.15), (0.1, 0.88, 0.17), (0.02, 0.97, 0.1)]
    {
        brush.stroke(&[(0.0, y - 0.06), (x, y)], 0.018, BARK);
        for part in [-0.5, 0.45, 0.0] {
            let seed = dice.texture();
            foliage(brush, (x + part * width, y + 0.01), width * 0.5, hex(0x3d6647), seed);
        }
    }
}

fn palm(brush: &mut Brush<'_>, dice: &mut Dice) {
    let lean = dice.range(0.06, 0.2);
    brush.stroke(&[(0.0, 0.0), (lean * 0.3, 0.3), (lean * 0.75, 0.6), (lean, 0.8)], 0.035, hex(0x8a6b4a));
    for index in 0..9 {
        let angle = lerp(-0.5, 3.6, index as f32 / 8.0) + dice.range(-0.12, 0.12);
        let (dx, dy) = (angle.cos() * 0.27, angle.sin() * 0.16);
        let tip = (lean + dx, 0.8 + dy - 0.09);
        let middle = (lean + dx * 0.55, 0.83 + dy * 0.9);
        let under = (lean + dx * 0.5, 0.79 + dy * 0.5);
        brush.body(&[(lean, 0.8), middle, tip, under], hex(0x4f8a3c) * dice.range(0.75, 1.1));
    }
}

/// A bare branch and what grows from it.
fn branch(brush: &mut Brush<'_>, dice: &mut Dice, from: Point, (dx, dy): Point, width: f32, levels: u32) {
    let to = (from.0 + dx, from.1 + dy);
    brush.stroke(&[from, to], width, BARK);
    if levels == 0 {
        return;
    }
    for turn in [dice.range(0.25, 0.6), -dice.range(0.25, 0.6)] {
        let (sin, cos) = turn.sin_cos();
        let shorter = dice.range(0.62, 0.78);
        let next = ((dx * cos - dy * sin) * shorter, (dx * sin + dy * cos) * shorter);
        branch(brush, dice, to, next, width * 0.62, levels - 1);
    }
}

/// Blades of grass and flowers along the bottom of the picture.
pub(super) fn paint_near(stage: &mut Stage) {
    let scene = &stage.scene;
    let wild = scene.has(Thing::Grass) || scene.has(Thing::Flowers) || scene.has(Thing::Field);
    let bare = matches!(scene.place, Place::Desert | Place::Beach) || scene.weather == Weather::Snow;
    if stage.open_sea() || (bare && !wild) || scene.water == Some(Water::River) && !wild {
        return;
    }
    let mut dice = stage.dice("grass");
    stage.canvas.set_outlined(false);
    let count = if wild { 520 } else { 240 };
    let blade = if stage.scene.has(Thing::Field) { hex(0xd6ae4c) } else { hex(0x6f9440) };
    let blooms = [hex(0xf25c54), hex(0xffd166), hex(0xf7f3e8), hex(0xb57edc), hex(0xff8fab)];
    let bloom = dice.pick(&blooms);
    for index in 0..count {
        let t = index as f32 / count as f32;
        let row = lerp(0.72, 1.06, t);
        let foot = (stage.w * dice.unit(), lerp(stage.horizon, stage.h, row));
        let clump = value(foot.0 / stage.u * 4.0, row * 3.0, 91);
        if clump < 0.4 && !wild {
            continue;
        }
        let size = stage.u * lerp(0.03, 0.085, t) * dice.range(0.6, 1.3);
        let flowers = stage.scene.has(Thing::Flowers) && dice.chance(0.5);
        let mut brush = Brush::new(stage, foot, size).flipped(dice.sign());
        let bend = dice.range(0.1, 0.5);
        let green = blade.mix(grey(0.2), dice.range(0.0, 0.35));
        brush.poly(
            &[(-0.035, 0.0), (0.035, 0.0), (bend * 0.5 + 0.02, 0.6), (bend, 1.0), (bend * 0.5 - 0.02, 0.6)],
            green,
        );
        if flowers {
            let color = if dice.chance(0.65) { bloom } else { dice.pick(&blooms) };
            brush.oval((bend, 1.0), (0.15, 0.12), color);
            brush.oval((bend, 1.0), (0.05, 0.04), hex(0xf6c945));
        }
    }
    stage.canvas.set_outlined(true);
}
