//! Animals: those on four legs, one unit high at the shoulder, and those that fly and swim.

use super::brush::Brush;
use super::canvas::{Point, line, polygon};
use super::color::{Rgb, hex};
use super::noise::{Dice, lerp, smoothstep, value};
use super::scene::{Figure, Place};
use super::stage::Stage;

/// The build of an animal, in units of its height at the shoulder.
pub(super) struct Shape {
    /// Height at the shoulder as part of a person's height.
    pub(super) shoulder: f32,
    pub(super) length: f32,
    belly: f32,
    leg: f32,
    neck: Point,
    head: Point,
    ear: f32,
    tail: [Point; 2],
    tail_width: f32,
    coat: Rgb,
    extra: Extra,
}

#[derive(Clone, Copy, PartialEq)]
enum Extra {
    None,
    Mane,
    Antlers,
    Horns,
    Wool,
}

const DOG: Shape = Shape {
    shoulder: 0.36,
    length: 1.15,
    belly: 0.42,
    leg: 0.055,
    neck: (0.24, 0.3),
    head: (0.3, 0.15),
    ear: 0.16,
    tail: [(-0.2, 0.1), (-0.34, 0.3)],
    tail_width: 0.07,
    coat: hex(0xa8743f),
    extra: Extra::None,
};

const HORSE: Shape = Shape {
    shoulder: 0.84,
    length: 1.08,
    belly: 0.4,
    leg: 0.05,
    neck: (0.32, 0.42),
    head: (0.34, 0.13),
    ear: 0.1,
    tail: [(-0.12, -0.1), (-0.17, -0.48)],
    coat: hex(0x8a5632),
    extra: Extra::Mane,
    ..DOG
};

const COW: Shape = Shape {
    shoulder: 0.78,
    length: 1.4,
    belly: 0.56,
    neck: (0.22, 0.0),
    tail: [(-0.06, -0.2), (-0.07, -0.5)],
    tail_width: 0.04,
    coat: hex(0x6d4a36),
    extra: Extra::Horns,
    ..DOG
};

const SHEEP: Shape = Shape {
    shoulder: 0.44,
    belly: 0.6,
    neck: (0.2, 0.1),
    tail: [(-0.05, 0.0), (-0.08, -0.1)],
    coat: hex(0xeee6d6),
    extra: Extra::Wool,
    ..DOG
};

const CAT: Shape = Shape {
    shoulder: 0.22,
    neck: (0.14, 0.16),
    head: (0.22, 0.19),
    ear: 0.2,
    tail: [(-0.2, 0.3), (-0.12, 0.75)],
    coat: hex(0x4a4550),
    ..DOG
};

const RABBIT: Shape = Shape {
    shoulder: 0.2,
    length: 0.9,
    belly: 0.62,
    neck: (0.1, 0.2),
    head: (0.26, 0.2),
    ear: 0.55,
    tail: [(-0.06, 0.03), (-0.1, 0.06)],
    tail_width: 0.18,
    coat: hex(0xe9dfd2),
    ..DOG
};

const WOLF: Shape = Shape {
    shoulder: 0.4,
    belly: 0.36,
    ear: 0.2,
    tail: [(-0.25, -0.15), (-0.5, -0.25)],
    tail_width: 0.14,
    coat: hex(0x7d7c82),
    ..DOG
};

const FOX: Shape = Shape {
    shoulder: 0.34,
    belly: 0.34,
    ear: 0.22,
    tail: [(-0.35, -0.1), (-0.75, -0.05)],
    tail_width: 0.2,
    coat: hex(0xc8642a),
    ..DOG
};

const DEER: Shape = Shape {
    shoulder: 0.66,
    length: 1.0,
    belly: 0.36,
    leg: 0.04,
    neck: (0.24, 0.46),
    head: (0.26, 0.12),
    tail: [(-0.06, 0.05), (-0.1, 0.0)],
    coat: hex(0xa56a3c),
    extra: Extra::Antlers,
    ..DOG
};

const BEAR: Shape = Shape {
    shoulder: 0.7,
    length: 1.25,
    belly: 0.62,
    leg: 0.11,
    neck: (0.2, 0.1),
    head: (0.34, 0.24),
    ear: 0.1,
    tail: [(-0.04, 0.0), (-0.06, 0.0)],
    coat: hex(0x5a3d2b),
    ..DOG
};

/// The build of an animal on four legs; a dog's where there is none of its own.
pub(super) fn shape(figure: Figure) -> Shape {
    match figure {
        Figure::Horse => HORSE,
        Figure::Cow => COW,
        Figure::Sheep => SHEEP,
        Figure::Cat => CAT,
        Figure::Rabbit => RABBIT,
        Figure::Wolf => WOLF,
        Figure::Fox => FOX,
        Figure::Deer => DEER,
        Figure::Bear => BEAR,
        _ => DOG,
    }
}

pub(super) fn quadruped(stage: &mut Stage, foot: Point, tall: f32, shape: &Shape, side: f32) {
    let mut brush = Brush::new(stage, foot, tall).flipped(side);
    brush.shadow(0.8);
    let half = shape.length / 2.0;
    let under = 1.0 - shape.belly;
    let legs = [
        (-half + 0.12, -0.05, 0.72),
        (half - 0.2, 0.06, 0.72),
        (-half + 0.02, 0.04, 1.0),
        (half - 0.1, -0.05, 1.0),
    ];
    for (x, sway, tone) in legs {
        let knee = (x + sway * 0.4, under * 0.5);
        let width = shape.leg;
        brush.poly(
            &[
                (x - width * 2.2, under + 0.22),
                (x + width * 2.2, under + 0.22),
                (knee.0 + width * 0.8, knee.1),
                (x + sway + width * 0.75, 0.0),
                (x + sway - width * 0.75, 0.0),
                (knee.0 - width * 0.75, knee.1),
            ],
            shape.coat * tone,
        );
    }
    let rump = (-half - 0.04, 0.86);
    let [curve, end] = shape.tail.map(|(x, y)| (rump.0 + x, rump.1 + y));
    let tail = if shape.extra == Extra::Mane { hex(0x2c1d15) } else { shape.coat * 0.92 };
    brush.stroke(&[rump, curve, end], shape.tail_width, tail);
    brush.body(
        &[
            (-half, 0.95),
            (-half * 0.3, 0.96),
            (half * 0.5, 1.0),
            (half, 0.92),
            (half + 0.02, under + 0.12),
            (half * 0.3, under - 0.02),
            (-half * 0.4, under + 0.04),
            (-half - 0.05, under + 0.2),
        ],
        shape.coat,
    );
    head(&mut brush, shape, half);
    if shape.extra == Extra::Wool {
        for index in 0..5 {
            let x = lerp(-half, half, index as f32 / 4.0);
            super::plants::foliage(&mut brush, (x, 0.76), 0.36, shape.coat, index);
        }
    }
}

fn head(brush: &mut Brush<'_>, shape: &Shape, half: f32) {
    let (nx, ny) = shape.neck;
    let nape = (half + nx - 0.06, 0.98 + ny);
    let thick = shape.head.1;
    brush.body(
        &[
            (half - 0.3, 0.96),
            (nape.0 - thick * 0.6, nape.1),
            (nape.0 + thick * 0.7, nape.1 - thick * 0.7),
            (half + 0.03, 0.68),
        ],
        shape.coat,
    );
    if shape.extra == Extra::Mane {
        brush.body(
            &[
                (half - 0.26, 0.99),
                (nape.0 - 0.1, nape.1 - 0.08),
                (nape.0 + 0.03, nape.1 + 0.09),
                (nape.0 - 0.1, nape.1 + 0.06),
                (half - 0.32, 1.06),
            ],
            hex(0x2c1d15),
        );
    }
    let (long, deep) = shape.head;
    let muzzle = (nape.0 + long, nape.1 - deep * 1.1);
    brush.body(
        &[
            (nape.0 - deep * 0.5, nape.1 + deep * 0.5),
            (nape.0 + long * 0.4, nape.1 + deep * 0.35),
            (muzzle.0, muzzle.1 + deep * 0.3),
            (muzzle.0 - 0.01, muzzle.1 - deep * 0.35),
            (nape.0 + long * 0.3, nape.1 - deep * 0.85),
            (nape.0 - deep * 0.3, nape.1 - deep * 0.5),
        ],
        shape.coat * 1.05,
    );
    crown(brush, shape, nape);
}

/// Ears, eye and horns of a head whose nape is at this point.
fn crown(brush: &mut Brush<'_>, shape: &Shape, nape: Point) {
    let (long, deep) = shape.head;
    let ear = shape.ear;
    brush.poly(
        &[
            (nape.0 - 0.05, nape.1 + deep * 0.3),
            (nape.0 + 0.05, nape.1 + deep * 0.4),
            (nape.0 - ear * 0.15, nape.1 + deep * 0.4 + ear),
        ],
        shape.coat * 0.85,
    );
    brush.oval((nape.0 + long * 0.32, nape.1 + deep * 0.05), (0.022, 0.022), hex(0x0e0b0a));
    let horn = hex(0xd8cbb0);
    match shape.extra {
        Extra::Horns => brush.stroke(
            &[(nape.0 - 0.02, nape.1 + 0.07), (nape.0 + 0.09, nape.1 + 0.12), (nape.0 + 0.11, nape.1 + 0.2)],
            0.04,
            horn,
        ),
        Extra::Antlers => {
            for (lean, tip) in [(-0.14, -0.22), (0.1, 0.14)] {
                let (x, y) = (nape.0, nape.1 + 0.08);
                brush.stroke(&[(x, y), (x + lean, y + 0.22), (x + tip, y + 0.5)], 0.03, horn);
                brush.stroke(&[(x + lean * 0.8, y + 0.2), (x + lean + 0.14, y + 0.36)], 0.024, horn);
            }
        }
        Extra::None | Extra::Mane | Extra::Wool => {}
    }
}

/// A flight of birds in the sky.
pub(super) fn birds(stage: &mut Stage, dice: &mut Dice) {
    let (cx, cy) =
        (stage.w - stage.focus + stage.u * dice.range(-0.2, 0.2), stage.horizon * dice.range(0.25, 0.55));
    let color = stage.light.shade(hex(0x30343c), 0.4, 0.15);
    for _ in 0..9 {
        let (x, y) = (cx + stage.u * dice.range(-0.24, 0.24), cy + stage.u * dice.range(-0.1, 0.1));
        let (span, lift) = (stage.u * dice.range(0.014, 0.036), dice.range(0.15, 0.6));
        let wing = |side: f32| {
            polygon(&[
                (x, y),
                (x + side * span * 0.5, y - span * lift),
                (x + side * span, y - span * lift * 0.4),
                (x + side * span * 0.5, y - span * (lift - 0.16)),
                (x, y + span * 0.14),
            ])
        };
        stage.canvas.fill(wing(1.0), 0.9, |_, _| color);
        stage.canvas.fill(wing(-1.0), 0.9, |_, _| color);
    }
}

/// A whale or fish: half out of the water or, where all is water, swimming.
pub(super) fn swimmer(stage: &mut Stage, dice: &mut Dice, figure: Figure) {
    let below = stage.scene.place == Place::Underwater;
    let (count, size, color) = match figure {
        Figure::Whale => (1, stage.u * 0.3, hex(0x3d566e)),
        _ => (3, stage.u * 0.08, hex(0xe07a3c)),
    };
    for _ in 0..count {
        let x = stage.w * 0.5 + stage.w * dice.range(-0.25, 0.25);
        let flip = dice.sign();
        let line = lerp(stage.horizon, stage.h, dice.range(0.3, 0.45));
        let y = if below { stage.h * dice.range(0.25, 0.7) } else { line };
        let surface = (!below).then(|| stage.canvas.pixels().to_vec());
        let mut brush = Brush::new(stage, (x, y), size).flipped(flip).at_depth(0.1);
        fish(&mut brush, color);
        if figure == Figure::Whale && !below {
            for lean in [-0.16, -0.05, 0.06, 0.17] {
                brush.stroke(
                    &[(0.4, 0.34), (0.4 + lean, 0.62), (0.4 + lean * 2.4, 0.6)],
                    0.025,
                    hex(0xe6f2f6),
                );
            }
        }
        if let Some(surface) = surface {
            submerge(stage, &surface, (x, y), size);
        }
    }
}

/// Lets the water, as it was before, close over what is below the line.
fn submerge(stage: &mut Stage, surface: &[Rgb], (x, line): Point, size: f32) {
    let width = stage.canvas.width;
    let foam = stage.light.shade(hex(0xe8f2f4), 0.8, 0.1);
    stage.canvas.within((x, line), (size * 1.5, size * 1.5), |px, py, _, under| {
        let wave = size * 0.05 * (value(px / size * 7.0, 0.5, 3) - 0.5);
        let depth = py - line - wave;
        let before = surface[py as usize * width + px as usize];
        let closed = if depth > 0.0 { under.mix(before, 0.86) } else { under };
        // Foam only where there is a body for the water to break on.
        let touched = if under == before { 0.0 } else { smoothstep(size * 0.05, 0.0, depth.abs()) };
        closed.mix(foam, touched * 0.8)
    });
}

/// A swimming body, two units long, around the foot.
pub(super) fn fish(brush: &mut Brush<'_>, color: Rgb) {
    brush.poly(&[(-0.75, 0.12), (-1.25, 0.5), (-1.1, 0.1), (-1.2, -0.28)], color * 0.85);
    brush.body(
        &[(1.0, 0.02), (0.6, 0.3), (0.0, 0.36), (-0.8, 0.14), (-0.8, 0.04), (0.0, -0.26), (0.65, -0.2)],
        color,
    );
    brush.body(&[(0.9, -0.04), (0.3, -0.05), (-0.5, 0.02), (0.0, -0.24), (0.6, -0.19)], hex(0xe9e4d8));
    brush.poly(&[(0.15, 0.33), (-0.25, 0.33), (-0.3, 0.52)], color * 0.8);
    brush.poly(&[(0.3, -0.08), (0.05, -0.1), (-0.1, -0.36)], color * 0.8);
    brush.oval((0.68, 0.08), (0.05, 0.05), hex(0x101014));
}

/// A long dragon that winds through the sky.
pub(super) fn dragon(stage: &mut Stage, dice: &mut Dice) {
    let (cx, cy, size) = (stage.w - stage.focus, stage.horizon * dice.range(0.35, 0.5), stage.u * 0.34);
    let phase = dice.range(0.0, 6.0);
    let at =
        |t: f32| (cx + (t - 0.5) * 2.0 * size, cy + (t * 9.0 + phase).sin() * size * 0.2 * (0.4 + t * 0.8));
    let color = stage.light.shade(hex(0x2f6b52), 0.7, 0.1);
    let belly = stage.light.shade(hex(0xd4aa4a), 0.7, 0.1);
    for step in 0..48 {
        let t = step as f32 / 48.0;
        let width = size * 0.13 * (t * 3.3).min(1.0) * lerp(1.0, 0.8, t);
        let segment = [at(t), at(t + 0.025)];
        stage.canvas.fill(line(&segment, width), 1.0, |_, y| {
            color.mix(belly, ((y - segment[0].1) / width + 0.1).clamp(0.0, 0.7))
        });
        let (x, y) = at(t);
        stage.canvas.fill(
            polygon(&[
                (x - width * 0.2, y - width * 0.4),
                (x + width * 0.2, y - width * 0.4),
                (x - width * 0.2, y - width * 0.9),
            ]),
            1.0,
            |_, _| belly,
        );
    }
    dragon_head(&mut Brush::new(stage, at(1.0), size * 0.16).at_depth(0.1));
}

fn dragon_head(brush: &mut Brush<'_>) {
    brush.body(
        &[(-0.4, 0.5), (0.4, 0.45), (1.1, 0.1), (1.0, -0.25), (0.2, -0.45), (-0.5, -0.4)],
        hex(0x2f6b52),
    );
    brush.stroke(&[(-0.1, 0.45), (-0.6, 0.9), (-1.0, 1.0)], 0.12, hex(0xd4aa4a));
    brush.stroke(&[(1.0, 0.0), (1.6, 0.3), (2.0, 0.1)], 0.05, hex(0xd4aa4a));
    brush.oval((0.35, 0.15), (0.1, 0.1), hex(0xffe38a));
}
