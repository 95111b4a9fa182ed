//! What a film that clients of the façades ask for is to be like.

use domain::project::Parameters;
use domain::settings::FrameSize;

use super::fields::Fields;
use crate::problem::Problem;

/// `{format?, resolution?, fps?}`; what is not given is the project's own.
pub(super) fn film_parameters(fields: &Fields) -> Result<Parameters, Problem> {
    let invalid = |field: &str, words: &str| Problem::bad_request("invalid", format!("{field}: {words}"));
    let resolution = fields.text(&["resolution"]).map(|text| frame_size(&text)).transpose();
    let format = fields.text(&["format"]).map(|text| text.trim().to_lowercase().parse()).transpose();
    Ok(Parameters {
        fps: fields.count("fps")?,
        resolution: resolution.map_err(|words| invalid("resolution", &words))?,
        format: format.map_err(|words: String| invalid("format", &words))?,
        ..Parameters::default()
    })
}

/// Those clients write `1920x1080`, `1920 * 1080`, `1080P` and `1080`.
fn frame_size(text: &str) -> Result<FrameSize, String> {
    let spaceless: String = text.to_lowercase().split_whitespace().collect();
    let text = spaceless.replace(['*', '×'], "x");
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { format!("{text}p").parse() } else { text.parse() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolution_is_read_as_those_clients_write_it() {
        for (text, read) in [
            ("1920x1080", "1920x1080"),
            ("1080p", "1080p"),
            ("720 * 1280", "720x1280"),
            ("480P", "480p"),
            ("720", "720p"),
        ] {
            assert_eq!(frame_size(text).map(|size| size.to_string()), Ok(read.to_owned()), "{text}");
        }
        assert!(frame_size("big").is_err() && frame_size("1920x").is_err());
    }
}
