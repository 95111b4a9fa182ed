//! Looks at a stranger's picture, and makes it one that everybody sees alike.
//!
//! Viewers, models and ffmpeg differ in what they make of an orientation, of transparency and of an animation, and a
//! few bytes of a PNG's colour profile or comment unpack to gigabytes in some of them. So only a JPEG that is upright
//! is kept as it came; anything else is written anew from its pixels.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage};

use super::FILE_LIMIT;
use crate::problem::Problem;

/// Longest side of a picture, in pixels.
pub(super) const LONGEST_SIDE: u32 = 8_192;
/// Most pixels of a picture: 8,192 × 4,096.
const PIXELS: u64 = 32 * 1024 * 1024;
/// Most memory that decoding a picture may take, in bytes: eight for each pixel, and what the decoder needs.
const DECODING: u64 = PIXELS * 8 + 64 * 1024 * 1024;
/// Quality of a JPEG that is written anew, of 100: nobody sees the difference.
const QUALITY: u8 = 95;

/// A picture as it may be kept.
pub(super) struct Plain {
    /// Of the format that it is kept in.
    pub(super) extension: &'static str,
    /// Its bytes, unless it is kept as it came.
    pub(super) anew: Option<Vec<u8>>,
}

/// Decodes a picture within limits. Answers the extension of what it really is. Blocks.
pub(crate) fn look_at_picture(path: &Path) -> Result<&'static str, Problem> {
    decode(path).map(|decoded| decoded.extension)
}

/// Decodes a picture within limits, and makes it upright and opaque: a JPEG where it came as one, and where a PNG
/// would be larger than any file that is taken. Blocks.
pub(super) fn plain(path: &Path) -> Result<Plain, Problem> {
    let Decoded { extension, image, orientation } = decode(path)?;
    let is_jpeg = extension == "jpg";
    if is_jpeg && orientation == Orientation::NoTransforms {
        return Ok(Plain { extension, anew: None });
    }
    let mut image = DynamicImage::ImageRgb8(on_white(image));
    image.apply_orientation(orientation);
    let failed = |error| Problem::internal(format!("a picture was not written anew: {error}"));
    let mut bytes = Vec::new();
    if !is_jpeg {
        image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).map_err(failed)?;
        if bytes.len() as u64 <= FILE_LIMIT {
            return Ok(Plain { extension: "png", anew: Some(bytes) });
        }
        bytes.clear();
    }
    image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY)).map_err(failed)?;
    Ok(Plain { extension: "jpg", anew: Some(bytes) })
}

struct Decoded {
    extension: &'static str,
    image: DynamicImage,
    orientation: Orientation,
}

fn decode(path: &Path) -> Result<Decoded, Problem> {
    let mut reader = open(path)?;
    let extension = match reader.format() {
        Some(ImageFormat::Png) => "png",
        Some(ImageFormat::Jpeg) => "jpg",
        Some(ImageFormat::WebP) => "webp",
        _ => return Err(Problem::invalid("file", "must be a PNG, JPEG or WebP picture")),
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(DECODING);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(not_decoded)?;
    check_size(decoder.dimensions())?;
    if extension == "jpg" && !is_whole_jpeg(path)? {
        return Err(damaged());
    }
    let orientation = decoder.orientation().map_err(not_decoded)?;
    let image = DynamicImage::from_decoder(decoder).map_err(not_decoded)?;
    Ok(Decoded { extension, image, orientation })
}

/// Whether the end of the picture comes after its beginning: decoders fill up one that is cut off with grey or green
/// (ITU-T T.81, B.1: no such marker is within compressed data). What is behind the end is another matter.
fn is_whole_jpeg(path: &Path) -> Result<bool, Problem> {
    let bytes = std::fs::read(path).map_err(not_read)?;
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xff, marker, high, low, ..] = rest {
        match marker {
            0xda => return Ok(rest.windows(2).any(|two| two == [0xff, 0xd9])),
            // A fill byte before the marker.
            0xff => rest = &rest[1..],
            _ => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(2 + length..).unwrap_or_default();
            }
        }
    }
    Ok(false)
}

fn open(path: &Path) -> Result<ImageReader<BufReader<File>>, Problem> {
    ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(not_read)
}

fn not_read(error: std::io::Error) -> Problem {
    Problem::media_unreadable(&error)
}

/// What is seen through to a sheet of paper.
fn on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0.map(u32::from);
        Rgb([red, green, blue].map(|colour| ((colour * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}

fn not_decoded(error: image::ImageError) -> Problem {
    match error {
        image::ImageError::Limits(_) => too_many_pixels(),
        _ => damaged(),
    }
}

fn damaged() -> Problem {
    Problem::invalid("file", "is damaged: it cannot be decoded")
}

fn check_size((width, height): (u32, u32)) -> Result<(), Problem> {
    let (short, long) = (width.min(height), width.max(height));
    if long > LONGEST_SIDE || u64::from(width) * u64::from(height) > PIXELS {
        return Err(too_many_pixels());
    }
    if short < 16 || long / short >= 20 {
        return Err(Problem::invalid("file", "must have at least 16 pixels each way, and not be a strip"));
    }
    Ok(())
}

fn too_many_pixels() -> Problem {
    let words = format!("must have at most {LONGEST_SIDE} pixels each way, and {PIXELS} in all");
    Problem::invalid("file", words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::{png::PngEncoder, webp::WebPEncoder};
    use image::{GrayAlphaImage, ImageEncoder, LumaA};

    fn seen(bytes: &[u8]) -> Result<(&'static str, RgbImage), Problem> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture");
        std::fs::write(&path, bytes).unwrap();
        let Plain { extension, anew } = plain(&path)?;
        let kept = anew.as_deref().unwrap_or(bytes);
        Ok((extension, image::load_from_memory(kept).unwrap().into_rgb8()))
    }

    /// 64 × 32 pixels, white above and black below.
    fn sign() -> RgbImage {
        RgbImage::from_fn(64, 32, |_, y| Rgb([if y < 16 { 255 } else { 0 }; 3]))
    }

    /// Says that it lies on its side (TIFF 6.0: one entry, orientation 6, which is a quarter to the right).
    const ON_ITS_SIDE: &[u8] = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";

    fn write(mut encoder: impl ImageEncoder, picture: &RgbImage, exif: &[u8]) {
        encoder.set_exif_metadata(exif.to_vec()).unwrap();
        picture.write_with_encoder(encoder).unwrap();
    }

    fn encoded(format: ImageFormat, picture: &RgbImage, exif: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        match format {
            ImageFormat::Png => write(PngEncoder::new(&mut bytes), picture, exif),
            ImageFormat::WebP => write(WebPEncoder::new_lossless(&mut bytes), picture, exif),
            _ => write(JpegEncoder::new(&mut bytes), picture, exif),
        }
        bytes
    }

    #[test]
    fn a_picture_that_lies_on_its_side_is_put_upright_whatever_its_format() {
        let lying = image::imageops::rotate270(&sign());
        for (format, kept) in
            [(ImageFormat::Jpeg, "jpg"), (ImageFormat::Png, "png"), (ImageFormat::WebP, "png")]
        {
            let bytes = encoded(format, &lying, ON_ITS_SIDE);
            let (extension, picture) = seen(&bytes).unwrap();
            assert_eq!((extension, picture.dimensions()), (kept, (64, 32)));
            assert!(picture.get_pixel(32, 4)[0] > 240 && picture.get_pixel(32, 28)[0] < 16);
        }
    }

    #[test]
    fn an_upright_jpeg_is_kept_as_it_came_and_one_that_is_cut_off_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture");
        let mut bytes = encoded(ImageFormat::Jpeg, &sign(), b"MM\0\x2a\0\0\0\x08\0\0");
        let whole = bytes.clone();
        bytes.extend_from_slice(b"and a little film behind it");
        std::fs::write(&path, &bytes).unwrap();
        assert!(plain(&path).unwrap().anew.is_none());
        let Err(problem) = seen(&whole[..whole.len() - 20]) else { panic!("it is cut off") };
        assert!(problem.detail.contains("damaged"), "{}", problem.detail);
    }

    #[test]
    fn what_can_be_seen_through_lies_on_paper() {
        let ink = GrayAlphaImage::from_fn(32, 32, |x, _| LumaA([0, if x < 16 { 0 } else { 255 }]));
        let mut bytes = Vec::new();
        ink.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        let (_, picture) = seen(&bytes).unwrap();
        assert_eq!((picture.get_pixel(2, 2).0, picture.get_pixel(30, 2).0), ([255; 3], [0; 3]));
    }

    #[test]
    fn what_unpacks_to_gigabytes_elsewhere_does_not_get_there() {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 32, 32);
        encoder.add_ztxt_chunk("Comment".to_owned(), "0".repeat(1 << 20)).unwrap();
        encoder.write_header().unwrap().write_image_data(&[9; 32 * 32]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture");
        std::fs::write(&path, &bytes).unwrap();
        let kept = plain(&path).unwrap().anew.unwrap();
        assert!(bytes.windows(4).any(|four| four == b"zTXt") && kept.windows(4).all(|four| four != b"zTXt"));
    }
}
