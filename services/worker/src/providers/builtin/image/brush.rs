//! A brush for things that stand somewhere: draws in the thing's own units, foot at the origin and up
//! positive, and gives every surface light from the sun's side and the haze of its distance.

use super::canvas::{Point, ellipse, line, polygon, smooth};
use super::color::Rgb;
use super::noise::value;
use super::stage::Stage;

pub(super) struct Brush<'a> {
    pub(super) stage: &'a mut Stage,
    /// The foot, in pixels.
    pub(super) foot: Point,
    /// Pixels of one unit.
    pub(super) scale: f32,
    /// 1, or -1 to look the other way.
    pub(super) flip: f32,
    /// 0 near, 1 far.
    pub(super) depth: f32,
}

impl<'a> Brush<'a> {
    pub(super) fn new(stage: &'a mut Stage, foot: Point, scale: f32) -> Self {
        // Things stand out a little from the ground they stand on.
        let depth = (stage.depth_at(foot.1) * 0.6).min(0.32);
        Self { stage, foot, scale, flip: 1.0, depth }
    }

    pub(super) fn flipped(mut self, flip: f32) -> Self {
        self.flip = flip;
        self
    }

    pub(super) fn at_depth(mut self, depth: f32) -> Self {
        self.depth = depth;
        self
    }

    /// From the thing's units to pixels.
    pub(super) fn place(&self, (x, y): Point) -> Point {
        (self.foot.0 + x * self.scale * self.flip, self.foot.1 - y * self.scale)
    }

    fn places(&self, points: &[Point]) -> Vec<Point> {
        points.iter().map(|point| self.place(*point)).collect()
    }

    /// A flat or rounded surface with straight sides.
    pub(super) fn poly(&mut self, points: &[Point], albedo: Rgb) {
        let path = polygon(&self.places(points));
        self.surface(path, albedo, 0.35);
    }

    /// A body that runs smoothly through the points.
    pub(super) fn body(&mut self, points: &[Point], albedo: Rgb) {
        let path = smooth(&self.places(points));
        self.surface(path, albedo, 0.7);
    }

    pub(super) fn oval(&mut self, center: Point, radii: Point, albedo: Rgb) {
        let path = ellipse(self.place(center), (radii.0 * self.scale, radii.1 * self.scale));
        self.surface(path, albedo, 0.7);
    }

    pub(super) fn stroke(&mut self, points: &[Point], width: f32, albedo: Rgb) {
        let path = line(&self.places(points), width * self.scale);
        self.surface(path, albedo, 0.3);
    }

    /// A rectangle by its left, bottom, right and top.
    pub(super) fn block(&mut self, (left, bottom): Point, (right, top): Point, albedo: Rgb) {
        self.poly(&[(left, bottom), (right, bottom), (right, top), (left, top)], albedo);
    }

    /// A surface that shines by itself.
    pub(super) fn shine(&mut self, points: &[Point], color: Rgb) {
        let path = polygon(&self.places(points));
        self.stage.canvas.fill(path, 1.0, |_, _| color);
    }

    /// Light around a point.
    pub(super) fn glow(&mut self, center: Point, radius: f32, color: Rgb, strength: f32) {
        let center = self.place(center);
        self.stage.canvas.glow(center, radius * self.scale, color, strength);
    }

    /// A window: lit by its lamp in the dark, a reflection of the sky by day.
    pub(super) fn window(&mut self, (left, bottom): Point, (right, top): Point, lit: bool) {
        let lamps = if lit { self.stage.light.lamps } else { 0.0 };
        let pane = self.stage.light.shade(super::color::hex(0x3d4a5c), 0.4, self.depth);
        let color = pane.mix(self.stage.light.lamp, lamps);
        self.shine(&[(left, bottom), (right, bottom), (right, top), (left, top)], color);
        let center = ((left + right) / 2.0, (bottom + top) / 2.0);
        let reach = (top - bottom).max(right - left) * 2.6;
        self.glow(center, reach, self.stage.light.lamp, lamps * 0.4);
    }

    /// A soft shadow on the ground under the thing, half as wide as `reach`.
    pub(super) fn shadow(&mut self, reach: f32) {
        let radii = (reach * self.scale, reach * self.scale * 0.2);
        let away = -self.stage.sun_side() * reach * self.scale * 0.35;
        let center = (self.foot.0 + away, self.foot.1);
        let dark = 0.45 * (1.0 - self.depth);
        self.stage
            .canvas
            .within(center, radii, |_, _, distance, under| under * (1.0 - dark * (1.0 - distance)));
    }

    /// Paints a surface with light across it, `round` 0 flat to 1 round, and a breath of texture.
    fn surface(&mut self, path: Option<tiny_skia::Path>, albedo: Rgb, round: f32) {
        let Some(bounds) = path.as_ref().map(tiny_skia::Path::bounds) else { return };
        let (side, depth, light) = (self.stage.sun_side(), self.depth, &self.stage.light);
        let (center, half) = ((bounds.left() + bounds.right()) / 2.0, bounds.width().max(1.0) / 2.0);
        let (top, tall) = (bounds.top(), bounds.height().max(1.0));
        let grain = 14.0 / self.scale.max(1.0);
        let [dark, bright] = [0.0, 1.0].map(|lit| light.shade(albedo, lit, depth));
        self.stage.canvas.fill(path, 1.0, |x, y| {
            let across = (x - center) / half * side * 0.5 * round;
            let down = 0.12 - 0.3 * (y - top) / tall;
            let lit = 0.5 + across + down + 0.14 * (value(x * grain, y * grain, 77) - 0.5);
            dark + (bright - dark) * lit
        });
    }
}
