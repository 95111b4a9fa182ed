//! Frames that clips are made of: pictures that are stored here already. Nothing is fetched for a client.

use domain::asset::{Asset, AssetKey};
use domain::job::Kind;

use super::call::Call;
use crate::problem::Problem;

/// Where stored media are.
const MEDIA: &str = "/media/";

impl Call<'_> {
    /// The stored picture that a frame names by its URL or path; signatures and whatever else a query says do not
    /// count.
    pub(super) async fn picture(&self, frame: &str) -> Result<Asset, Problem> {
        let key = key_of(frame).ok_or_else(not_ours)?;
        let bytes = self.app.api.media.size(&key).await?.ok_or_else(not_ours)?;
        Ok(Asset { key, bytes, duration_seconds: None })
    }
}

fn not_ours() -> Problem {
    let detail = "frame: must be the URL or the path of a picture that is stored here, as /frames answers it";
    Problem::bad_request("frame_not_stored", detail)
}

fn key_of(frame: &str) -> Option<AssetKey> {
    let path = frame.split(['?', '#']).next()?;
    let (_, name) = path.rsplit_once(MEDIA)?;
    AssetKey::parse(name).ok().filter(|key| key.kind() == Kind::Image.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_known_by_what_it_contains() {
        let name = format!("image/{}.png", "0".repeat(64));
        let known = |frame: &str| key_of(frame).map(|key| key.as_str().to_owned());
        for frame in [
            format!("/media/{name}"),
            format!("http://films.example/media/{name}?v=2&retry=1"),
            format!("https://films.example/k/key/media/{name}#top"),
        ] {
            assert_eq!(known(&frame), Some(name.clone()), "{frame}");
        }
        let voice = format!("/media/tts/{}.wav", "0".repeat(64));
        for frame in ["", "frame.png", "http://elsewhere.example/a.png", "/media/image/../x.png", &voice] {
            assert_eq!(known(frame), None, "{frame}");
        }
    }
}
