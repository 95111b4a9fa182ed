//! Ends a film early. It stays the film that it was, frame for frame, and stops.

use super::FilmPlan;

impl FilmPlan {
    /// The same, of no more than `frames` frames; says so when that leaves something out.
    pub(super) fn cut_at(mut self, frames: u64) -> Self {
        if self.frames <= frames {
            return self;
        }
        self.frames = frames;
        self.warnings.push(format!("the film ends after {:.1} s, as was asked", self.seconds()));
        self.shots.retain(|shot| shot.first_frame < frames);
        self.segments.retain(|segment| segment.first_frame < frames);
        for segment in &mut self.segments {
            segment.frames = segment.frames.min(frames - segment.first_frame);
        }
        self.voices.retain(|voice| voice.first_frame < frames);
        for voice in &mut self.voices {
            voice.frames = voice.frames.min(frames - voice.first_frame);
        }
        self.captions = self.captions.iter().filter_map(|caption| caption.within(0, frames)).collect();
        self
    }
}
