//! Frames that clips are made of: pictures that are stored here, that lie elsewhere, or that come along.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::asset::{Asset, AssetKey};
use domain::job::Kind;
use domain::project::{GivenShot, ShotPatch};

use super::errand::scene_name;
use super::steps::SCENE;
use crate::external::Wanted;
use crate::facades::call::Call;
use crate::facades::fields::Fields;
use crate::problem::Problem;

/// Where stored media are.
const MEDIA: &str = "/media/";
/// Time for all frames of a call to arrive; less than a request has.
const PATIENCE: Duration = Duration::from_secs(45);

impl Call {
    /// A shot for each frame, with its picture.
    pub(super) async fn framed(&self, frames: &[Fields]) -> Result<Vec<GivenShot>, Problem> {
        let bringing = async {
            let mut shots = Vec::with_capacity(frames.len());
            for frame in frames {
                let address = frame.text(&["frame", "imageUrl", "url", "path"]).unwrap_or_default();
                let picture = Some(self.picture(&address).await?);
                let content = ShotPatch { prompt: frame.text(&["prompt"]), ..ShotPatch::default() };
                shots.push(GivenShot { name: scene_name(frame, SCENE), content, picture, take: None });
            }
            Ok(shots)
        };
        tokio::time::timeout(PATIENCE, bringing).await.unwrap_or_else(|_| {
            let detail = "frames: they took too long to fetch; send fewer of them at a time";
            Err(Problem::bad_request("frames_too_slow", detail))
        })
    }

    /// The picture of a frame: one that is stored here, by its address, one that is fetched under the rules for
    /// addresses that others name, or the content of a `data:` URL.
    pub(super) async fn picture(&self, frame: &str) -> Result<Asset, Problem> {
        if let Some(stored) = self.stored(frame).await? {
            return Ok(stored);
        }
        let wanted = Wanted::of(Kind::Image).ok_or_else(not_a_picture)?;
        let brought = if let Some(data) = frame.strip_prefix("data:") {
            let (_, base64) = data.split_once(";base64,").ok_or_else(not_a_picture)?;
            let bytes = STANDARD.decode(base64.trim()).map_err(|_| not_a_picture())?;
            self.app.check_disk().await?;
            let mut file = self.app.api.media.receive_file().await?;
            file.write(&bytes).await?;
            self.app.take_in(&wanted, file).await
        } else if frame.starts_with("http://") || frame.starts_with("https://") {
            let _turn =
                self.app.frames.acquire().await.map_err(|error| Problem::internal(error.to_string()))?;
            self.app.fetch(&wanted, frame).await
        } else {
            return Err(not_a_picture());
        };
        brought.map_err(|problem| problem.about("frame"))
    }

    /// The stored picture that an address of ours leads to, if it is as good as for fetching it.
    async fn stored(&self, frame: &str) -> Result<Option<Asset>, Problem> {
        let Some(key) = key_of(frame) else { return Ok(None) };
        let query = frame.split_once('?').map_or("", |(_, query)| query);
        if !self.base.opens(&key, query.split('#').next().unwrap_or_default()) {
            return Ok(None);
        }
        let bytes = self.app.api.media.want(&key).await?;
        Ok(bytes.map(|bytes| Asset { key, bytes, duration_seconds: None }))
    }
}

fn not_a_picture() -> Problem {
    let detail = "frame: must be the address of a picture, as /frames answers it or anywhere on the internet, or a \
                  data: URL with one in base64";
    Problem::bad_request("frame_not_found", detail)
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
    fn a_stored_frame_is_known_by_what_it_contains() {
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
