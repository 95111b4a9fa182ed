//! The canvas: colours in floating point, so that no gradient bands, and anti-aliased shapes upon it.

use tiny_skia::{FillRule, LineCap, LineJoin, Mask, Path, PathBuilder, Rect, Stroke, Transform};

use super::color::Rgb;

/// A point in pixels, or in a brush's own units.
pub(super) type Point = (f32, f32);

pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pixels: Vec<Rgb>,
    /// Which shape each pixel shows; outlines are drawn where it changes.
    shapes: Vec<u16>,
    shape: u16,
    /// Whether what is painted counts as a shape of its own.
    outlined: bool,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let area = width * height;
        Self {
            width,
            height,
            pixels: vec![Rgb::default(); area],
            shapes: vec![0; area],
            shape: 0,
            outlined: true,
        }
    }

    /// What is painted from now on is another shape.
    pub(super) fn next_shape(&mut self) {
        self.shape = self.shape.wrapping_add(1);
    }

    /// The shape that was painted last.
    pub(super) fn last_shape(&self) -> u16 {
        self.shape
    }

    /// Lights the edges of all shapes painted after `since` that face the side of `step`, as wide as that.
    pub(super) fn light_edges(&mut self, since: u16, step: (i32, i32), light: Rgb) {
        let newest = self.shape.wrapping_sub(since);
        let is_new = |shape: u16| (1..=newest).contains(&shape.wrapping_sub(since));
        for y in 0..self.height {
            for x in 0..self.width {
                let beyond = self.index(x as i32 + step.0, y as i32 + step.1);
                let here = y * self.width + x;
                if is_new(self.shapes[here]) && !is_new(self.shapes[beyond]) {
                    self.pixels[here] = self.pixels[here].screen(light);
                }
            }
        }
    }

    /// Whether lines may be drawn around what is painted from now on; not around rain and grass.
    pub(super) fn set_outlined(&mut self, outlined: bool) {
        self.outlined = outlined;
    }

    pub(super) fn pixels(&self) -> &[Rgb] {
        &self.pixels
    }

    pub(super) fn pixels_mut(&mut self) -> &mut [Rgb] {
        &mut self.pixels
    }

    /// The pixel at this place or, outside, at the nearest edge.
    #[inline]
    pub(super) fn at(&self, x: i32, y: i32) -> Rgb {
        self.pixels[self.index(x, y)]
    }

    /// How many of the eight places `reach` pixels around a pixel show another shape than it does.
    #[inline]
    pub(super) fn other_shapes(&self, (x, y): (usize, usize), reach: usize) -> usize {
        let row = |y: usize| &self.shapes[y * self.width..][..self.width];
        let (left, right) = (x.saturating_sub(reach), (x + reach).min(self.width - 1));
        let (above, here) = (row(y.saturating_sub(reach)), row(y));
        let below = row((y + reach).min(self.height - 1));
        let around = [
            above[left],
            above[x],
            above[right],
            here[left],
            here[right],
            below[left],
            below[x],
            below[right],
        ];
        around.iter().filter(|shape| **shape != here[x]).count()
    }

    #[inline]
    fn index(&self, x: i32, y: i32) -> usize {
        let column = (x.max(0) as usize).min(self.width - 1);
        let row = (y.max(0) as usize).min(self.height - 1);
        row * self.width + column
    }

    /// Puts part `alpha` of the colour on a pixel that must be inside.
    #[inline]
    pub(super) fn blend(&mut self, x: usize, y: usize, color: Rgb, alpha: f32) {
        let index = y * self.width + x;
        self.pixels[index] = self.pixels[index].mix(color, alpha);
        if alpha > 0.5 && self.outlined {
            self.shapes[index] = self.shape;
        }
    }

    /// Fills a shape; a degenerate one (`None`) paints nothing.
    pub(super) fn fill(&mut self, path: Option<Path>, alpha: f32, paint: impl Fn(f32, f32) -> Rgb) {
        let Some((path, area)) = path.and_then(|path| self.visible(&path).map(|area| (path, area))) else {
            return;
        };
        let (left, top, width, height) = area;
        let Some(mut mask) = Mask::new(width as u32, height as u32) else { return };
        let shift = Transform::from_translate(-(left as f32), -(top as f32));
        mask.fill_path(&path, FillRule::Winding, true, shift);
        self.next_shape();
        for (row, line) in mask.data().chunks_exact(width).enumerate() {
            for (column, coverage) in line.iter().enumerate().filter(|(_, coverage)| **coverage > 0) {
                let (x, y) = (left + column, top + row);
                let color = paint(x as f32 + 0.5, y as f32 + 0.5);
                self.blend(x, y, color, alpha * f32::from(*coverage) / 255.0);
            }
        }
    }

    /// Left, top, width and height in pixels of the part of the path that is on the canvas.
    fn visible(&self, path: &Path) -> Option<(usize, usize, usize, usize)> {
        let bounds = path.bounds();
        let left = bounds.left().floor().max(0.0) as usize;
        let top = bounds.top().floor().max(0.0) as usize;
        let right = (bounds.right().ceil().max(0.0) as usize).min(self.width);
        let bottom = (bounds.bottom().ceil().max(0.0) as usize).min(self.height);
        (left < right && top < bottom).then(|| (left, top, right - left, bottom - top))
    }

    /// Fills every column from its height in `tops` down to `bottom`; all in pixels.
    /// `paint` gets x, y and the distance below the top.
    pub(super) fn fill_below(&mut self, tops: &[f32], bottom: f32, paint: impl Fn(f32, f32, f32) -> Rgb) {
        self.next_shape();
        let last = (bottom.max(0.0) as usize).min(self.height);
        let highest = tops.iter().copied().fold(f32::MAX, f32::min).clamp(0.0, last as f32) as usize;
        for y in highest..last {
            let row = y as f32;
            for (x, top) in tops.iter().enumerate().take(self.width) {
                let coverage = row + 1.0 - top;
                if coverage > 0.0 {
                    let color = paint(x as f32 + 0.5, row + 0.5, (row + 0.5 - top).max(0.0));
                    self.blend(x, y, color, coverage.min(1.0));
                }
            }
        }
    }

    /// Calls `paint` with every pixel in the box around a centre and its distance from it, 0 at the
    /// centre and 1 at the rim of the ellipse; outside the rim nothing happens.
    pub(super) fn within(
        &mut self,
        (cx, cy): Point,
        (rx, ry): Point,
        mut paint: impl FnMut(f32, f32, f32, Rgb) -> Rgb,
    ) {
        let rows = span(cy, ry, self.height);
        let columns = span(cx, rx, self.width);
        for y in rows {
            for x in columns.clone() {
                let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
                let (dx, dy) = ((px - cx) / rx, (py - cy) / ry);
                let distance = dx * dx + dy * dy;
                if distance < 1.0 {
                    let index = y * self.width + x;
                    self.pixels[index] = paint(px, py, distance.sqrt(), self.pixels[index]);
                }
            }
        }
    }

    /// Light around a point, fading to nothing at the radius.
    pub(super) fn glow(&mut self, center: Point, radius: f32, color: Rgb, strength: f32) {
        self.within(center, (radius, radius), |_, _, distance, under| {
            let fall = 1.0 - distance;
            under.screen(color * (strength * fall * fall * fall))
        });
    }
}

fn span(center: f32, radius: f32, limit: usize) -> std::ops::Range<usize> {
    let low = ((center - radius).max(0.0) as usize).min(limit);
    let high = ((center + radius + 1.0).max(0.0) as usize).min(limit);
    low..high.max(low)
}

/// A closed shape with straight sides.
pub(super) fn polygon(points: &[Point]) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 { builder.move_to(*x, *y) } else { builder.line_to(*x, *y) }
    }
    builder.close();
    builder.finish()
}

/// A closed shape that runs smoothly through the points (Catmull–Rom).
pub(super) fn smooth(points: &[Point]) -> Option<Path> {
    let count = points.len();
    let mut builder = PathBuilder::new();
    let first = points.first()?;
    builder.move_to(first.0, first.1);
    for index in 0..count {
        let at = |offset: usize| points[(index + offset + count - 1) % count];
        let (before, from, to, after) = (at(0), at(1), at(2), at(3));
        builder.cubic_to(
            from.0 + (to.0 - before.0) / 6.0,
            from.1 + (to.1 - before.1) / 6.0,
            to.0 - (after.0 - from.0) / 6.0,
            to.1 - (after.1 - from.1) / 6.0,
            to.0,
            to.1,
        );
    }
    builder.close();
    builder.finish()
}

/// An ellipse.
pub(super) fn ellipse((cx, cy): Point, (rx, ry): Point) -> Option<Path> {
    PathBuilder::from_oval(Rect::from_ltrb(cx - rx, cy - ry, cx + rx, cy + ry)?)
}

/// A line through the points with round ends.
pub(super) fn line(points: &[Point], width: f32) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 { builder.move_to(*x, *y) } else { builder.line_to(*x, *y) }
    }
    let stroke = Stroke {
        width: width.max(0.4),
        line_cap: LineCap::Round,
        line_join: LineJoin::Round,
        ..Stroke::default()
    };
    builder.finish()?.stroke(&stroke, 1.0)
}
