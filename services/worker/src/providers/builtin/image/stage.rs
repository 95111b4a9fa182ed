//! The stage of a picture: canvas, light and the points of its composition, shared by all painters.

use domain::job::ImageSpec;
use domain::style::KnownStyle;

use super::canvas::{Canvas, Point};
use super::color::{Rgb, grey};
use super::light::Light;
use super::noise::{Dice, hash};
use super::scene::{Place, Scene, Time};

pub(super) struct Stage {
    pub(super) canvas: Canvas,
    pub(super) scene: Scene,
    pub(super) light: Light,
    pub(super) style: Option<KnownStyle>,
    /// Width and height in pixels.
    pub(super) w: f32,
    pub(super) h: f32,
    /// The unit of sizes: the shorter side, or less in very tall and wide pictures.
    pub(super) u: f32,
    /// Where land or sea meets the sky, in pixels from the top.
    pub(super) horizon: f32,
    /// The column of the subject, on a third.
    pub(super) focus: f32,
    /// Sun or moon.
    pub(super) sun: Point,
    seed: u64,
}

impl Stage {
    pub(super) fn new(
        spec: &ImageSpec,
        scene: Scene,
        style: Option<KnownStyle>,
        width: usize,
        height: usize,
    ) -> Self {
        let seed = hash(spec.prompt.as_bytes(), u64::from(spec.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let light = Light::of(&scene, style, spec.mood);
        let (w, h) = (width as f32, height as f32);
        let mut dice = Dice::new(seed ^ 0x57a9e);
        let right = dice.chance(0.5);
        let third = dice.range(0.3, 0.37);
        let (focus, far) = if right { (1.0 - third, third) } else { (third, 1.0 - third) };
        let horizon = h * match scene.place {
            Place::Cliff | Place::Beach => dice.range(0.56, 0.62),
            Place::Mountains => dice.range(0.58, 0.64),
            _ => dice.range(0.54, 0.61),
        };
        let altitude = match scene.time {
            Time::Day => dice.range(0.2, 0.42),
            Time::Night => dice.range(0.3, 0.5),
            Time::Dawn | Time::Sunset | Time::Dusk => dice.range(0.7, 0.86),
        };
        let sun = (w * (far + dice.range(-0.1, 0.06)), horizon * altitude);
        let u = w.min(h).min(w.max(h) * 0.5625);
        let canvas = Canvas::new(width, height);
        Self { canvas, scene, light, style, w, h, u, horizon, focus: w * focus, sun, seed }
    }

    /// The choices of one painter, independent of what the others drew.
    pub(super) fn dice(&self, painter: &str) -> Dice {
        Dice::new(hash(painter.as_bytes(), self.seed))
    }

    /// Gives what was painted after the shape `since` a rim of light in the dark, or nobody would see it.
    pub(super) fn rim(&mut self, since: u16) {
        let dark = if self.scene.sheltered() { 0.0 } else { self.light.lamps * 0.55 };
        let step = (self.u / 280.0).ceil() as i32;
        let light = self.light.haze.mix(self.light.sun, 0.5).mix(grey(1.0), 0.25) * dark;
        self.canvas.light_edges(since, (step * self.sun_side() as i32, -step), light);
    }

    /// Whether there is nothing but water below the horizon.
    pub(super) fn open_sea(&self) -> bool {
        self.scene.at_sea() && !matches!(self.scene.place, Place::Beach | Place::Cliff | Place::Room)
    }

    /// The step in pixels that soft textures may be woven with.
    pub(super) fn weave_step(&self) -> f32 {
        (self.u / 240.0).max(1.0)
    }

    /// 1 when the light comes from the right, -1 from the left.
    pub(super) fn sun_side(&self) -> f32 {
        if self.sun.0 > self.w * 0.5 { 1.0 } else { -1.0 }
    }

    /// The height in pixels of a grown person who stands on this row.
    pub(super) fn person_at(&self, row: f32) -> f32 {
        ((row - self.horizon).max(0.0) / (self.h - self.horizon) * 0.5 * self.u).max(self.u * 0.012)
    }

    /// How far away the ground is at this row: 0 at the bottom, 1 at the horizon.
    pub(super) fn depth_at(&self, row: f32) -> f32 {
        let near = ((row - self.horizon) / (self.h - self.horizon)).clamp(0.0, 1.0);
        (1.0 - near) * (1.0 - near) * 0.75
    }

    /// The sky's own colour at a height, 0 at the top and 1 at the horizon.
    pub(super) fn sky_at(&self, t: f32) -> Rgb {
        let [top, middle, low] = self.light.sky;
        let t = t.clamp(0.0, 1.0);
        if t < 0.55 { top.mix(middle, t / 0.55) } else { middle.mix(low, ((t - 0.55) / 0.45).powf(1.3)) }
    }
}
