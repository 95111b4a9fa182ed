//! How each style treats a finished picture: a table of numbers, so that a style is a line to tune.

use domain::settings::Mood;
use domain::style::KnownStyle;

use super::color::{Rgb, grey, hex};

/// Lengths are parts of the picture's unit; amounts are 0 for nothing to 1 for all.
#[derive(Clone, Copy)]
pub(super) struct Treatment {
    /// 1 leaves colours as they are.
    pub(super) saturation: f32,
    /// 1 leaves contrast as it is.
    pub(super) contrast: f32,
    /// Added to brightness.
    pub(super) lift: f32,
    /// Multiplied in where it is dark, and where it is light.
    pub(super) tints: [Rgb; 2],
    /// Spread of bright light.
    pub(super) bloom: f32,
    /// How much darker the corners are.
    pub(super) vignette: f32,
    pub(super) grain: f32,
    /// Steps of brightness; 0 for a smooth scale.
    pub(super) levels: f32,
    /// Width of the lines around shapes; 0 for none.
    pub(super) outline: f32,
    pub(super) line: Rgb,
    /// Size of brush strokes; 0 for none.
    pub(super) strokes: f32,
    /// How far paint runs over its edges.
    pub(super) bleed: f32,
    /// Texture of the paper.
    pub(super) paper: f32,
    /// Width of the margin left unpainted; 0 for none.
    pub(super) border: f32,
    /// Softness away from the middle, as in a photograph of a model.
    pub(super) tilt: f32,
    /// Size of the dots in the shadows; 0 for none.
    pub(super) dots: f32,
    /// How many blocks the shorter side has; 0 for full resolution.
    pub(super) blocks: f32,
    /// Whether it is a wash of ink on paper.
    pub(super) ink: bool,
}

const PLAIN: Treatment = Treatment {
    saturation: 1.05,
    contrast: 1.05,
    lift: 0.0,
    tints: [grey(1.0), grey(1.0)],
    bloom: 0.22,
    vignette: 0.22,
    grain: 0.012,
    levels: 0.0,
    outline: 0.0,
    line: hex(0x1c1a22),
    strokes: 0.0,
    bleed: 0.0,
    paper: 0.0,
    border: 0.0,
    tilt: 0.0,
    dots: 0.0,
    blocks: 0.0,
    ink: false,
};

const FILM: Treatment = Treatment {
    saturation: 0.88,
    contrast: 1.1,
    tints: [hex(0xd8f2ff), hex(0xfff0d8)],
    bloom: 0.34,
    vignette: 0.38,
    grain: 0.035,
    ..PLAIN
};

const REALISTIC: Treatment = Treatment { saturation: 0.92, vignette: 0.16, grain: 0.016, ..PLAIN };

const ANIME: Treatment = Treatment {
    saturation: 1.3,
    lift: 0.03,
    bloom: 0.34,
    vignette: 0.05,
    grain: 0.0,
    outline: 0.0012,
    line: hex(0x3a3558),
    ..PLAIN
};

const CARTOON: Treatment = Treatment {
    saturation: 1.42,
    lift: 0.04,
    bloom: 0.05,
    vignette: 0.0,
    grain: 0.0,
    levels: 7.0,
    outline: 0.003,
    line: hex(0x2a2030),
    ..PLAIN
};

const WATERCOLOR: Treatment = Treatment {
    saturation: 1.3,
    contrast: 0.95,
    lift: 0.08,
    bloom: 0.1,
    vignette: 0.0,
    grain: 0.0,
    bleed: 0.012,
    paper: 1.0,
    border: 0.022,
    ..PLAIN
};

const OIL_PAINTING: Treatment = Treatment {
    saturation: 1.22,
    contrast: 1.1,
    tints: [hex(0xf2e6ff), hex(0xfff2d4)],
    grain: 0.0,
    strokes: 0.0135,
    ..PLAIN
};

const INK: Treatment = Treatment {
    bloom: 0.0,
    vignette: 0.0,
    grain: 0.0,
    bleed: 0.005,
    paper: 0.7,
    ink: true,
    outline: 0.0012,
    line: hex(0x262422),
    ..PLAIN
};

const CYBERPUNK: Treatment = Treatment {
    saturation: 1.15,
    contrast: 1.08,
    tints: [hex(0xc4dcff), hex(0xffeaf8)],
    bloom: 0.75,
    vignette: 0.35,
    grain: 0.02,
    ..PLAIN
};

const COMIC: Treatment = Treatment {
    saturation: 1.3,
    contrast: 1.2,
    bloom: 0.0,
    vignette: 0.0,
    grain: 0.0,
    levels: 5.0,
    outline: 0.0042,
    line: hex(0x0c0a10),
    dots: 0.0085,
    ..PLAIN
};

const PIXEL: Treatment = Treatment {
    saturation: 1.25,
    contrast: 1.12,
    bloom: 0.1,
    vignette: 0.0,
    grain: 0.0,
    levels: 9.0,
    blocks: 150.0,
    ..PLAIN
};

const RENDER_3D: Treatment = Treatment {
    saturation: 1.14,
    contrast: 1.0,
    lift: 0.03,
    bloom: 0.4,
    vignette: 0.12,
    grain: 0.0,
    tilt: 0.008,
    ..PLAIN
};

const DREAMY: Treatment = Treatment {
    saturation: 1.05,
    contrast: 0.86,
    lift: 0.07,
    tints: [hex(0xf0dcff), hex(0xfff0f4)],
    bloom: 0.95,
    vignette: 0.0,
    grain: 0.006,
    tilt: 0.005,
    ..PLAIN
};

const NOIR: Treatment = Treatment {
    saturation: 0.0,
    contrast: 1.3,
    lift: 0.045,
    bloom: 0.4,
    vignette: 0.6,
    grain: 0.06,
    ..PLAIN
};

const UKIYOE: Treatment = Treatment {
    saturation: 1.15,
    contrast: 1.06,
    tints: [hex(0xe8ecf4), hex(0xfff4dc)],
    bloom: 0.0,
    vignette: 0.0,
    grain: 0.0,
    levels: 6.0,
    outline: 0.0024,
    line: hex(0x243044),
    paper: 0.6,
    ..PLAIN
};

impl Treatment {
    pub(super) fn of(style: Option<KnownStyle>, mood: Mood) -> Self {
        let mut treatment = style.map_or(PLAIN, Self::styled);
        let (contrast, vignette) = match mood {
            Mood::Calm => (1.0, 0.0),
            Mood::Tense => (1.12, 0.16),
            Mood::Bright => (1.03, -0.1),
        };
        treatment.contrast *= contrast;
        treatment.vignette = (treatment.vignette + vignette).max(0.0);
        treatment
    }

    fn styled(style: KnownStyle) -> Self {
        match style {
            KnownStyle::Film => FILM,
            KnownStyle::Realistic => REALISTIC,
            KnownStyle::Anime => ANIME,
            KnownStyle::Cartoon => CARTOON,
            KnownStyle::Watercolor => WATERCOLOR,
            KnownStyle::OilPainting => OIL_PAINTING,
            KnownStyle::Ink => INK,
            KnownStyle::Cyberpunk => CYBERPUNK,
            KnownStyle::Comic => COMIC,
            KnownStyle::Pixel => PIXEL,
            KnownStyle::Render3d => RENDER_3D,
            KnownStyle::Dreamy => DREAMY,
            KnownStyle::Noir => NOIR,
            KnownStyle::Ukiyoe => UKIYOE,
        }
    }
}
