//! The built-in picture provider: paints a scene from a prompt, with no model and no network.
//!
//! Pure and repeatable: the same specification gives the same bytes. A prompt's known words, English or
//! Chinese, choose what is seen; style and mood choose the light and the treatment; the seed the layout.

mod animals;
mod brush;
mod buildings;
mod canvas;
mod coast;
mod color;
mod deep;
mod figures;
mod finish;
mod light;
mod noise;
mod plants;
mod room;
mod scene;
mod sky;
mod stage;
mod street;
mod terrain;
mod texture;
mod treatment;
mod vessels;
mod water;
mod weather;
mod words;

use domain::job::ImageSpec;
use domain::style::KnownStyle;

use brush::Brush;
use scene::{Place, Scene, Structure, Thing, Water};
use stage::Stage;
use treatment::Treatment;

/// The shortest and the longest side that can be painted, in pixels.
pub const SIDES: std::ops::RangeInclusive<u32> = 16..=3840;

/// Why a picture could not be painted.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// A side is outside of [`SIDES`].
    #[error("cannot paint {width}×{height} pixels: both sides must be between 16 and 3840")]
    Size {
        /// The width asked for, in pixels.
        width: u32,
        /// The height asked for, in pixels.
        height: u32,
    },
    /// The picture could not be written as PNG.
    #[error("cannot encode the picture as PNG")]
    Encode(#[from] png::EncodingError),
}

/// Paints the picture that is asked for and returns it as PNG, 8-bit RGB, of exactly the size asked for.
///
/// Takes tens of milliseconds for a million pixels and blocks for so long.
///
/// # Errors
/// [`DrawError::Size`] when a side is outside of [`SIDES`].
pub fn draw(spec: &ImageSpec) -> Result<Vec<u8>, DrawError> {
    let (width, height) = (spec.width, spec.height);
    if !SIDES.contains(&width) || !SIDES.contains(&height) {
        return Err(DrawError::Size { width, height });
    }
    let style = KnownStyle::parse(&spec.style);
    let treatment = Treatment::of(style, spec.mood);
    let block = block_size(&treatment, width.min(height));
    let (columns, rows) = (width.div_ceil(block) as usize, height.div_ceil(block) as usize);
    let mut stage = Stage::new(spec, Scene::read(spec), style, columns, rows);
    paint(&mut stage);
    let seed = stage.dice("finish").texture();
    let unit = stage.u;
    let pixels = finish::develop(stage.canvas, &treatment, unit, seed);
    let pixels = if block == 1 { pixels } else { enlarge(&pixels, columns, block, width, height) };
    encode(&pixels, width, height)
}

/// Pixels a side of one block of the style's own coarse grid.
fn block_size(treatment: &Treatment, shorter: u32) -> u32 {
    if treatment.blocks > 0.0 { ((shorter as f32 / treatment.blocks) as u32).max(1) } else { 1 }
}

/// Everything from far to near.
fn paint(stage: &mut Stage) {
    match stage.scene.place {
        Place::Street => {
            sky::paint(stage);
            buildings::paint_skyline(stage);
            street::paint(stage);
            figures::paint(stage);
            weather::paint_near(stage);
        }
        Place::Room => {
            sky::paint(stage);
            terrain::paint_far(stage);
            terrain::paint_ground(stage);
            water::paint(stage);
            weather::paint_near(stage);
            room::paint(stage);
            stage.light.indoors();
            figures::paint(stage);
        }
        Place::Underwater => {
            deep::paint_underwater(stage);
            figures::paint(stage);
        }
        Place::Space => {
            deep::paint_space(stage);
            figures::paint(stage);
        }
        _ => paint_outdoors(stage),
    }
}

fn paint_outdoors(stage: &mut Stage) {
    sky::paint(stage);
    weather::paint_far(stage);
    terrain::paint_far(stage);
    if stage.scene.built(Structure::City) {
        buildings::paint_skyline(stage);
    }
    if !stage.scene.at_sea() || stage.scene.place == Place::Beach {
        terrain::paint_ground(stage);
    }
    water::paint(stage);
    if stage.scene.place == Place::Cliff {
        coast::paint_cliff(stage);
    }
    plants::paint_trees(stage);
    buildings::paint(stage);
    paint_lights(stage);
    figures::paint(stage);
    plants::paint_frame(stage);
    plants::paint_near(stage);
    weather::paint_near(stage);
}

/// Fires and lamps that nobody carries, around the subject.
fn paint_lights(stage: &mut Stage) {
    let mut dice = stage.dice("lights");
    let side = if stage.focus < stage.w / 2.0 { 1.0 } else { -1.0 };
    let (u, row) = (stage.u, figures::figure_row(stage));
    let on_land = !stage.open_sea();
    if stage.scene.has(Thing::Fire) && on_land {
        let foot = (stage.focus - side * u * 0.16, row + u * 0.01);
        weather::fire(&mut Brush::new(stage, foot, u * 0.09), &mut dice);
    }
    let lantern = stage.scene.has(Thing::Lantern);
    if lantern && stage.scene.eastern && matches!(stage.scene.water, Some(Water::River | Water::Lake)) {
        water::floating_lanterns(stage);
    } else if lantern && on_land && !stage.scene.has_people() && stage.scene.structures.is_empty() {
        let foot = (stage.focus + side * u * 0.1, row);
        weather::lantern(&mut Brush::new(stage, foot, u * 0.13), &mut dice);
    }
    if stage.scene.has(Thing::StreetLamp) && on_land {
        for (away, size) in [(-0.06, 0.3), (0.42, 0.22)] {
            let foot = (stage.focus + side * u * away, row - u * (0.3 - size) * 0.8);
            weather::street_lamp(&mut Brush::new(stage, foot, u * size));
        }
    }
}

/// Repeats every pixel to a block, cut to the size.
fn enlarge(pixels: &[u8], columns: usize, block: u32, width: u32, height: u32) -> Vec<u8> {
    let (block, width) = (block as usize, width as usize);
    let mut large = Vec::with_capacity(width * height as usize * 3);
    for y in 0..height as usize {
        let row = &pixels[y / block * columns * 3..][..columns * 3];
        for x in 0..width {
            large.extend_from_slice(&row[x / block * 3..][..3]);
        }
    }
    large
}

fn encode(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, DrawError> {
    let mut bytes = Vec::with_capacity(pixels.len() / 2);
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Up);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use domain::settings::Mood;

    use super::*;

    const STYLES: [&str; 15] = [
        "film",
        "anime",
        "realistic",
        "cartoon",
        "watercolor",
        "oil painting",
        "ink",
        "cyberpunk",
        "comic",
        "pixel",
        "3d",
        "dreamy",
        "noir",
        "ukiyo-e",
        "no such style",
    ];

    fn spec(prompt: &str, width: u32, height: u32) -> ImageSpec {
        ImageSpec {
            prompt: prompt.to_owned(),
            negative_prompt: String::new(),
            style: "film".to_owned(),
            mood: Mood::Calm,
            width,
            height,
            seed: 1,
            model: None,
            steps: None,
            cfg_scale: None,
        }
    }

    fn pixels(spec: &ImageSpec) -> Vec<u8> {
        let bytes = draw(spec).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (spec.width, spec.height));
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        pixels
    }

    /// Mean and standard deviation of the bytes.
    fn spread(pixels: &[u8]) -> (f64, f64) {
        let mean = pixels.iter().map(|byte| f64::from(*byte)).sum::<f64>() / pixels.len() as f64;
        let variance =
            pixels.iter().map(|byte| (f64::from(*byte) - mean).powi(2)).sum::<f64>() / pixels.len() as f64;
        (mean, variance.sqrt())
    }

    fn difference(one: &[u8], other: &[u8]) -> f64 {
        one.iter().zip(other).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / one.len() as f64
    }

    fn assert_worth_looking_at(spec: &ImageSpec) {
        let (mean, deviation) = spread(&pixels(spec));
        let what = (&spec.prompt, &spec.style, spec.mood, spec.width, spec.height);
        assert!(mean > 8.0 && mean < 247.0, "{what:?} is black or white: {mean}");
        assert!(deviation > 4.0, "{what:?} is flat: {deviation}");
    }

    #[test]
    fn the_same_specification_gives_the_same_bytes() {
        for style in STYLES {
            let spec = ImageSpec { style: style.to_owned(), ..spec("a house in the rain", 320, 180) };
            assert_eq!(draw(&spec).unwrap(), draw(&spec).unwrap(), "{style}");
        }
    }

    #[test]
    fn another_seed_gives_a_visibly_different_picture() {
        for prompt in
            ["a house by a lake", "a neon street", "a room", "海底", "space", "a ship at sea", "zzz"]
        {
            let one = spec(prompt, 320, 180);
            let other = ImageSpec { seed: 2, ..one.clone() };
            assert!(difference(&pixels(&one), &pixels(&other)) > 4.0, "{prompt}");
        }
    }

    #[test]
    fn every_known_style_looks_unlike_the_others() {
        let all: Vec<Vec<u8>> = STYLES
            .iter()
            .map(|style| {
                pixels(&ImageSpec { style: (*style).to_owned(), ..spec("a castle on a hill", 320, 180) })
            })
            .collect();
        for (index, one) in all.iter().enumerate() {
            for (other_index, other) in all.iter().enumerate().skip(index + 1) {
                assert!(difference(one, other) > 2.0, "{} and {}", STYLES[index], STYLES[other_index]);
            }
        }
    }

    #[test]
    fn every_style_and_mood_draws_at_odd_sizes() {
        for style in STYLES {
            for mood in Mood::ALL {
                for (width, height) in [(16, 16), (33, 997), (641, 17), (160, 90)] {
                    let spec = spec("a village by the river at sunset, a child", width, height);
                    assert_worth_looking_at(&ImageSpec { style: style.to_owned(), mood: *mood, ..spec });
                }
            }
        }
    }

    #[test]
    fn every_place_weather_and_hour_is_worth_looking_at() {
        let places = [
            "mountains",
            "hills",
            "desert",
            "forest",
            "plain",
            "beach",
            "cliff",
            "street",
            "room",
            "underwater",
            "space",
            "sea and ship",
            "lake and boat",
            "river and bridge",
            "city",
            "wheat field",
            "castle and dragon",
        ];
        for place in places {
            for sky in
                ["dawn", "noon", "sunset", "dusk", "night", "rain", "storm at night", "snow", "fog", "clouds"]
            {
                assert_worth_looking_at(&spec(&format!("{place}, {sky}, a crowd, a horse, a fish"), 96, 54));
            }
        }
    }

    #[test]
    fn emoji_garbage_and_very_long_prompts_still_give_a_picture() {
        let long = "山村 storm 🌊 ".repeat(160);
        for prompt in [
            "",
            "🦄🌈🔥",
            "\u{0}\u{1}\u{feff}\u{202e}",
            "%s%n'; --",
            "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ́́́",
            "ß ſ İ ŉ",
            &long.chars().take(2000).collect::<String>(),
        ] {
            assert_worth_looking_at(&spec(prompt, 160, 90));
        }
    }

    #[test]
    fn a_picture_out_of_bounds_is_refused() {
        for (width, height) in [(3841, 100), (100, 3841), (15, 100), (100, 0), (u32::MAX, u32::MAX)] {
            let refused = draw(&spec("a house", width, height));
            assert!(matches!(refused, Err(DrawError::Size { .. })), "{width}×{height}");
        }
        assert!(draw(&spec("a house", 3840, 16)).is_ok());
    }

    #[test]
    fn night_is_darker_than_day() {
        let mean = |prompt: &str| spread(&pixels(&spec(prompt, 160, 90))).0;
        assert!(mean("a house on a hill at night") + 20.0 < mean("a house on a hill at noon"));
    }

    #[test]
    fn noir_has_no_colour_and_pixel_art_has_blocks() {
        let noir = pixels(&ImageSpec { style: "noir".to_owned(), ..spec("a field of flowers", 160, 90) });
        assert!(noir.chunks_exact(3).all(|pixel| pixel[0].abs_diff(pixel[2]) <= 1));
        let blocks =
            pixels(&ImageSpec { style: "pixel".to_owned(), ..spec("a field of flowers", 1280, 720) });
        let (left, right) = (&blocks[..3], &blocks[9..12]);
        assert_eq!(left, right);
    }
}
