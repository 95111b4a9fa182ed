//! Slowly varying texture, worked out on a coarse grid and read smoothly: noise is the dearest thing in a
//! picture, and most of it is softer than a few pixels.

use super::noise::lerp;

/// `N` values for every place of an area.
pub(super) struct Texture<const N: usize> {
    left: f32,
    top: f32,
    /// Grid points a pixel.
    density: f32,
    columns: usize,
    rows: usize,
    cells: Vec<[f32; N]>,
}

impl<const N: usize> Texture<N> {
    /// Works out `at(x, y)` for every `step` pixels of the area (left, top, right, bottom).
    pub(super) fn weave(
        (left, top, right, bottom): (f32, f32, f32, f32),
        step: f32,
        at: impl Fn(f32, f32) -> [f32; N],
    ) -> Self {
        let step = step.max(1.0);
        let columns = ((right - left).max(0.0) / step) as usize + 2;
        let rows = ((bottom - top).max(0.0) / step) as usize + 2;
        let mut cells = Vec::with_capacity(columns * rows);
        for row in 0..rows {
            let y = top + row as f32 * step;
            cells.extend((0..columns).map(|column| at(left + column as f32 * step, y)));
        }
        Self { left, top, density: 1.0 / step, columns, rows, cells }
    }

    /// The values at a place in pixels; outside of the area those of its edge.
    #[inline]
    pub(super) fn at(&self, x: f32, y: f32) -> [f32; N] {
        let gx = ((x - self.left) * self.density).clamp(0.0, (self.columns - 2) as f32);
        let gy = ((y - self.top) * self.density).clamp(0.0, (self.rows - 2) as f32);
        let (column, row) = (gx as usize, gy as usize);
        let (fx, fy) = (gx - column as f32, gy - row as f32);
        let corner = row * self.columns + column;
        let above = [self.cells[corner], self.cells[corner + 1]];
        let below = [self.cells[corner + self.columns], self.cells[corner + self.columns + 1]];
        std::array::from_fn(|part| {
            lerp(lerp(above[0][part], above[1][part], fx), lerp(below[0][part], below[1][part], fx), fy)
        })
    }
}
