//! Pictures to bring.

/// The smallest picture that is taken, 16 × 16 pixels of one grey: each shade is another file.
pub(crate) fn picture(shade: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 16, 16);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[shade; 256]).unwrap();
    bytes
}
