//! Raw frames, and how one becomes another in a transition.
//!
//! Done here and not by the encoder's filters: it is a loop over bytes, exact to the frame, and a film of any
//! length never needs more than two sources open at once.

use domain::settings::Transition;

/// Size of a frame in pixels, both even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// One plane of a frame: where its bytes begin, its size, and what black is in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plane {
    pub(super) start: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) black: u8,
}

impl Size {
    pub(super) fn new(width: u32, height: u32) -> Self {
        Self { width: width as usize, height: height as usize }
    }

    /// Bytes of a frame as planar 4:2:0.
    pub(super) fn bytes(self) -> usize {
        self.width * self.height * 3 / 2
    }

    /// Luma and the two chroma planes, which have half its width and height.
    pub(super) fn planes(self) -> [Plane; 3] {
        let (width, height) = (self.width / 2, self.height / 2);
        let luma = self.width * self.height;
        let chroma = |start| Plane { start, width, height, black: 128 };
        [
            Plane { start: 0, width: self.width, height: self.height, black: 16 },
            chroma(luma),
            chroma(luma + width * height),
        ]
    }
}

impl Plane {
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.width * self.height
    }
}

/// Turns `from` towards `to`, in place; `progress` runs from 0 (all `from`) to 1 (all `to`).
pub(super) fn mix(kind: Transition, size: Size, from: &mut [u8], to: &[u8], progress: f64) {
    match kind {
        Transition::Cut => from.copy_from_slice(to),
        Transition::Crossfade => blend(from, to, progress),
        Transition::Fade if progress < 0.5 => fade_out(size, from, progress * 2.0),
        Transition::Fade => {
            from.copy_from_slice(to);
            fade_out(size, from, 2.0 - progress * 2.0);
        }
        Transition::Dissolve => dissolve(size, from, to, progress),
        Transition::WipeLeft => by_rows(size, from, to, ease(progress), |from, to, edge| {
            from[edge..].copy_from_slice(&to[edge..]);
        }),
        Transition::SlideLeft => by_rows(size, from, to, ease(progress), |from, to, edge| {
            let gone = from.len() - edge;
            from.copy_within(gone.., 0);
            from[edge..].copy_from_slice(&to[..gone]);
        }),
    }
}

/// Starts and stops gently.
fn ease(progress: f64) -> f64 {
    progress * progress * (3.0 - 2.0 * progress)
}

fn blend(from: &mut [u8], to: &[u8], progress: f64) {
    let share = (progress * 256.0).round() as u16;
    for (from, to) in from.iter_mut().zip(to) {
        *from = ((u16::from(*from) * (256 - share) + u16::from(*to) * share + 128) >> 8) as u8;
    }
}

fn fade_out(size: Size, frame: &mut [u8], progress: f64) {
    let share = (progress * 256.0).round() as u16;
    for plane in size.planes() {
        let black = u16::from(plane.black) * share + 128;
        for pixel in &mut frame[plane.range()] {
            *pixel = ((u16::from(*pixel) * (256 - share) + black) >> 8) as u8;
        }
    }
}

/// Calls `row` for each row of each plane with the column of the edge, which moves from right to left.
fn by_rows(size: Size, from: &mut [u8], to: &[u8], progress: f64, row: impl Fn(&mut [u8], &[u8], usize)) {
    let [_, chroma, _] = size.planes();
    let edge = ((1.0 - progress) * chroma.width as f64).round() as usize;
    for (plane, scale) in size.planes().into_iter().zip([2, 1, 1]) {
        let rows = from[plane.range()].chunks_exact_mut(plane.width);
        for (from, to) in rows.zip(to[plane.range()].chunks_exact(plane.width)) {
            row(from, to, edge * scale);
        }
    }
}

/// Grains switch one by one, in an order that looks random and is always the same. A grain is a few pixels,
/// so that it can be seen and encoded at any size.
fn dissolve(size: Size, from: &mut [u8], to: &[u8], progress: f64) {
    let grain = (size.height / 180).max(1);
    let threshold = (progress * 65_536.0) as u32;
    for (plane, pixels) in size.planes().into_iter().zip([2 * grain, grain, grain]) {
        let rows = from[plane.range()].chunks_exact_mut(plane.width);
        for (y, (from, to)) in rows.zip(to[plane.range()].chunks_exact(plane.width)).enumerate() {
            for (x, (from, to)) in from.chunks_mut(pixels).zip(to.chunks(pixels)).enumerate() {
                if scatter(x as u32, (y / pixels) as u32) < threshold {
                    from.copy_from_slice(to);
                }
            }
        }
    }
}

/// A number below 65,536 that depends on the place in no visible way.
fn scatter(x: u32, y: u32) -> u32 {
    let mixed = (x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77)).wrapping_mul(0xc2b2_ae3d);
    (mixed ^ (mixed >> 15)).wrapping_mul(0x27d4_eb2f) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 64, height: 36 };

    fn mixed(kind: Transition, progress: f64) -> Vec<u8> {
        let mut frame = vec![100; SIZE.bytes()];
        mix(kind, SIZE, &mut frame, &vec![200; SIZE.bytes()], progress);
        frame
    }

    fn share_of_new(frame: &[u8]) -> f64 {
        frame.iter().filter(|pixel| **pixel == 200).count() as f64 / frame.len() as f64
    }

    #[test]
    fn every_transition_begins_with_the_one_shot_and_ends_with_the_other() {
        for kind in Transition::ALL.iter().copied().filter(|kind| *kind != Transition::Cut) {
            assert!(mixed(kind, 0.0).iter().all(|pixel| *pixel == 100), "{kind}");
            assert!(mixed(kind, 1.0).iter().all(|pixel| *pixel == 200), "{kind}");
        }
    }

    #[test]
    fn in_the_middle_each_is_what_its_name_says() {
        assert!(mixed(Transition::Crossfade, 0.5).iter().all(|pixel| *pixel == 150));
        let fade = mixed(Transition::Fade, 0.5);
        assert_eq!((fade[0], fade[SIZE.width * SIZE.height]), (16, 128));
        for kind in [Transition::Dissolve, Transition::WipeLeft, Transition::SlideLeft] {
            let share = share_of_new(&mixed(kind, 0.5));
            assert!((0.4..0.6).contains(&share), "{kind}: {share}");
        }
    }

    #[test]
    fn a_wipe_comes_from_the_right_and_a_slide_pushes() {
        let wiped = mixed(Transition::WipeLeft, 0.5);
        assert_eq!((wiped[0], wiped[SIZE.width - 1]), (100, 200));
        let mut frame: Vec<u8> = (0..SIZE.bytes()).map(|at| (at % SIZE.width) as u8).collect();
        mix(Transition::SlideLeft, SIZE, &mut frame, &vec![200; SIZE.bytes()], 0.5);
        assert_eq!((frame[0], frame[31], frame[32]), (32, 63, 200));
    }
}
