//! Who is in the scene and where they stand; people, each drawn one unit tall.

use super::animals::{birds, dragon, quadruped, shape, swimmer};
use super::brush::Brush;
use super::canvas::Point;
use super::color::hex;
use super::noise::{Dice, lerp};
use super::scene::{Figure, Place, Structure, Thing, Water, Weather};
use super::stage::Stage;
use super::weather;

/// Everybody the scene names.
pub(super) fn paint(stage: &mut Stage) {
    let before = stage.canvas.last_shape();
    place_all(stage);
    stage.rim(before);
}

/// Those on foot walk in a row past the subject.
fn place_all(stage: &mut Stage) {
    let mut dice = stage.dice("figures");
    let mut walkers = Vec::new();
    for figure in stage.scene.figures.clone() {
        match figure {
            Figure::Bird => birds(stage, &mut dice),
            Figure::Dragon => dragon(stage, &mut dice),
            Figure::Whale | Figure::Fish => swimmer(stage, &mut dice, figure),
            // Nearer than all others.
            Figure::Crowd => {}
            _ if stage.open_sea() => {}
            walker => walkers.push(walker),
        }
    }
    // Whoever stands on two legs goes ahead.
    walkers.sort_by_key(|figure| !matches!(figure, Figure::Person | Figure::Child));
    walk(stage, &mut dice, &walkers);
    if stage.scene.built(Structure::Bridge) && stage.scene.place != Place::Street {
        super::buildings::paint_parapet(stage);
    }
    if stage.scene.figures.contains(&Figure::Crowd) {
        crowd(stage, &mut dice);
    }
}

fn walk(stage: &mut Stage, dice: &mut Dice, walkers: &[Figure]) {
    let side = if stage.focus < stage.w / 2.0 { 1.0 } else { -1.0 };
    let ((center, row), person_height) = path(stage, side);
    let height = |figure: Figure| match figure {
        Figure::Person => person_height,
        Figure::Child => person_height * 0.68,
        animal => person_height * shape(animal).shoulder,
    };
    let room = |figure: Figure| match figure {
        Figure::Person | Figure::Child => height(figure) * 0.42,
        animal => height(animal) * (shape(animal).length + 0.75),
    };
    let total: f32 = walkers.iter().map(|figure| room(*figure)).sum();
    let mut x = center + side * total / 2.0;
    let mut lantern = stage.scene.has(Thing::Lantern);
    for figure in walkers {
        let at = x - side * room(*figure) / 2.0;
        let foot = (at, foot_row(stage, at, row));
        let tall = height(*figure);
        match figure {
            Figure::Person | Figure::Child => {
                let pose = Pose { tall, child: *figure == Figure::Child, side, lantern };
                person(stage, dice, foot, &pose);
                lantern = false;
            }
            animal => quadruped(stage, foot, tall, &shape(*animal), side),
        }
        x -= side * room(*figure);
    }
}

/// The middle of the row of walkers, in pixels, and how tall a grown person is there.
fn path(stage: &Stage, side: f32) -> (Point, f32) {
    if stage.scene.built(Structure::Bridge) && stage.scene.place != Place::Street {
        let ((x, row), half) = super::buildings::bridge_site(stage);
        return ((x, row), half * 0.36);
    }
    let row = figure_row(stage);
    let mut x = stage.focus + side * stage.u * if stage.scene.place == Place::Cliff { 0.08 } else { 0.14 };
    if stage.scene.water == Some(Water::River) {
        let near = (row - stage.horizon) / (stage.h - stage.horizon);
        let (middle, half) = super::water::river_at(stage, near);
        x = middle - side * (half + stage.u * 0.12);
    }
    let tall = if stage.scene.place == Place::Cliff { stage.u * 0.16 } else { stage.person_at(row) * 1.12 };
    ((x.clamp(stage.u * 0.08, stage.w - stage.u * 0.08), row), tall)
}

/// The row of the ground, or of the bridge's deck, in this column.
fn foot_row(stage: &Stage, x: f32, row: f32) -> f32 {
    if stage.scene.built(Structure::Bridge) && stage.scene.place != Place::Street {
        let ((middle, base), half) = super::buildings::bridge_site(stage);
        return base - half * super::buildings::deck(((x - middle) / half).clamp(-1.0, 1.0));
    }
    row
}

/// The row where the figures stand: on the near ground, or higher where water fills the foreground.
pub(super) fn figure_row(stage: &Stage) -> f32 {
    if stage.scene.place == Place::Cliff {
        return super::coast::cliff_top(stage, stage.focus) + stage.u * 0.07;
    }
    let near = match (stage.scene.place, stage.scene.water) {
        (Place::Beach, _) => 0.76,
        (Place::Street | Place::Room, _) => 0.72,
        (_, Some(Water::Lake)) => 0.8,
        (_, Some(Water::River)) => 0.52,
        _ => 0.66,
    };
    lerp(stage.horizon, stage.h, near)
}

/// How a person is seen.
pub(super) struct Pose {
    /// Height in pixels.
    tall: f32,
    child: bool,
    /// Where the person walks to: 1 to the right, -1 to the left.
    side: f32,
    /// Whether the person carries one.
    lantern: bool,
}

/// A person on foot.
fn person(stage: &mut Stage, dice: &mut Dice, foot: Point, pose: &Pose) {
    let Pose { tall, child, side, lantern } = *pose;
    let coats = [0xb8402f, 0x2f5f8a, 0xd9a441, 0x7a3b5e, 0x3f7a5a, 0xe6dcc8, 0x8a4a2a].map(hex);
    let (coat, legs) = (dice.pick(&coats), dice.pick(&[hex(0x2d3142), hex(0x4a3b32), hex(0x39424e)]));
    let hair = dice.pick(&[hex(0x1d1816), hex(0x3a2618), hex(0x5b3a20), hex(0x8d8d8d)]);
    let (skirt, hat) = (dice.chance(0.4), stage.scene.eastern && dice.chance(0.3));
    let wet = stage.scene.has(Thing::Umbrella) || stage.scene.weather == Weather::Rain && dice.chance(0.6);
    let umbrella = wet && !lantern && !stage.scene.sheltered();
    let mut brush = Brush::new(stage, foot, tall).flipped(side);
    brush.shadow(0.34);
    let head = if child { 0.115 } else { 0.078 };
    let stride = dice.range(0.07, 0.13);
    brush.poly(&[(-0.02, 0.48), (-0.1, 0.48), (-stride - 0.035, 0.0), (-stride + 0.05, 0.0)], legs * 0.85);
    brush.poly(&[(0.09, 0.48), (-0.03, 0.48), (stride - 0.03, 0.0), (stride + 0.06, 0.0)], legs);
    let hem = if skirt { 0.2 } else { 0.4 };
    let flare = if skirt { 0.17 } else { 0.12 };
    let neck = 0.96 - head * 2.0;
    brush.stroke(&[(-0.06, neck - 0.05), (-0.13, 0.56), (-0.1, 0.42)], 0.058, coat * 0.8);
    brush.body(
        &[
            (-0.09, neck),
            (0.08, neck),
            (0.115, neck - 0.12),
            (0.09, 0.5),
            (flare, hem),
            (-flare, hem),
            (-0.1, 0.52),
            (-0.12, neck - 0.1),
        ],
        coat,
    );
    brush.oval((0.012, 0.98 - head), (head * 0.88, head), hex(0xdcab84));
    brush.body(
        &[
            (-head, 0.97 - head * 1.25),
            (-head * 0.9, 0.995 - head * 0.4),
            (0.0, 1.0),
            (head * 0.95, 0.985 - head * 0.5),
            (head * 0.1, 0.99 - head * 0.75),
            (-head * 0.3, 0.97 - head * 1.5),
        ],
        hair,
    );
    let hand = match (umbrella, lantern) {
        (true, _) => (0.15, 0.66),
        (_, true) => (0.26, 0.56),
        _ => (0.17, 0.46),
    };
    brush.stroke(&[(0.07, neck - 0.05), (0.12, 0.58), hand], 0.054, coat * 1.08);
    brush.oval(hand, (0.03, 0.03), hex(0xdcab84));
    if lantern {
        let held = brush.place((hand.0 + 0.01, hand.1 - 0.2));
        weather::lantern(&mut Brush::new(stage, held, tall * 0.2).at_depth(0.0), dice);
    } else if umbrella {
        self::umbrella(&mut brush, dice);
    } else if hat && !child {
        brush.poly(&[(-0.16, 0.95), (0.18, 0.95), (0.01, 1.08)], hex(0xc8a560));
    }
}

fn umbrella(brush: &mut Brush<'_>, dice: &mut Dice) {
    let color = dice.pick(&[hex(0xc23a36), hex(0x2f6a9a), hex(0xe0b040), hex(0x5a3f7a), hex(0x2e3440)]);
    brush.stroke(&[(0.15, 0.6), (0.13, 1.28)], 0.02, hex(0x3a3230));
    let dome: Vec<Point> = (0..=12)
        .map(|step| {
            let t = step as f32 / 12.0 * std::f32::consts::PI;
            (0.13 + 0.37 * t.cos(), 1.05 + 0.25 * t.sin())
        })
        .chain((0..8).map(|step| {
            let x = lerp(-0.24, 0.5, step as f32 / 7.0);
            (x, 1.05 + if step % 2 == 1 { 0.035 } else { 0.0 })
        }))
        .collect();
    brush.poly(&dome, color);
}

fn crowd(stage: &mut Stage, dice: &mut Dice) {
    let mut feet: Vec<Point> = (0..22)
        .map(|_| {
            let near = lerp(0.16, 0.8, dice.unit().powf(1.2));
            let spread = if stage.scene.place == Place::Street { 0.12 + 0.5 * near } else { 0.55 };
            let x = stage.w * 0.5 + (dice.unit() - 0.5) * 2.0 * spread * stage.u;
            (x, lerp(stage.horizon, stage.h, near))
        })
        .filter(|foot| stage.scene.water.is_none() || foot.1 > lerp(stage.horizon, stage.h, 0.5))
        .filter(|foot| stage.scene.water != Some(Water::River) || !super::water::in_river(stage, *foot))
        .collect();
    feet.sort_by(|a, b| a.1.total_cmp(&b.1));
    for foot in feet {
        let tall = stage.person_at(foot.1) * dice.range(0.92, 1.08);
        let side = dice.sign();
        let lantern = stage.scene.has(Thing::Lantern) && dice.chance(0.5);
        person(stage, dice, foot, &Pose { tall, child: false, side, lantern });
    }
}
