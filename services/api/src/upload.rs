//! Takes a file from a `multipart/form-data` body: one part named `file`, bounded in size and time, and looked at
//! before it is stored. What it is called and what it is said to be does not count.

pub(crate) mod picture;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use domain::asset::Asset;
use infra::media::{Incoming, MediaFolder};
use multer::{Constraints, Multipart, SizeLimit};
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::body::declared_length;
use crate::problem::Problem;
use picture::Plain;

/// Largest file, in bytes.
pub(crate) const FILE_LIMIT: u64 = 50 * 1024 * 1024;
/// What the parts' own heads may add.
const FORM_LIMIT: u64 = FILE_LIMIT + 64 * 1024;
/// Longest time that a file may take to arrive.
const PATIENCE: Duration = Duration::from_secs(50);
/// Pictures that are decoded at once.
const DECODERS: usize = 2;

/// The form of an upload, for the API's document.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document is made from it; the body itself is read as it arrives")]
pub(crate) struct UploadForm {
    /// The file, at most 50 MiB.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// A form with a file that is still to be read.
pub(crate) struct Upload(Multipart<'static>);

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let boundary =
            content_type.and_then(|value| multer::parse_boundary(value).ok()).ok_or_else(|| {
                let detail = "the body must be multipart/form-data with one part named file";
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
            })?;
        if declared_length(request.headers()).is_some_and(|length| length > FORM_LIMIT) {
            return Err(too_large());
        }
        let limits = SizeLimit::new().whole_stream(FORM_LIMIT).per_field(FILE_LIMIT);
        let form = Constraints::new().allowed_fields(vec!["file"]).size_limit(limits);
        let body = request.into_body().into_data_stream();
        Ok(Self(Multipart::with_constraints(body, boundary, form)))
    }
}

impl Upload {
    /// Stores the picture: PNG, JPEG or WebP, decoded to the last pixel, and as it is to be seen.
    pub(crate) async fn picture(self, media: &MediaFolder, decoders: &Decoders) -> Result<Asset, Problem> {
        let file = self.receive(media).await?;
        let path = file.path().to_owned();
        let Plain { extension, anew } = decoders.run(move || picture::plain(&path)).await??;
        let Some(bytes) = anew else { return Ok(media.keep(file, "image", extension).await?) };
        let mut written = media.receive_file().await?;
        written.write(&bytes).await?;
        Ok(media.keep(written, "image", extension).await?)
    }

    /// Stores the music: WAV, FLAC, MP3, Ogg or M4A. The film is made without it when it cannot be played.
    pub(crate) async fn music(self, media: &MediaFolder) -> Result<Asset, Problem> {
        let file = self.receive(media).await?;
        let extension = sound_format(file.path()).await?;
        Ok(media.keep(file, "music", extension).await?)
    }

    async fn receive(mut self, media: &MediaFolder) -> Result<Incoming, Problem> {
        let slow = |_| {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the file took too long to arrive")
        };
        let mut file = tokio::time::timeout(PATIENCE, self.read(media)).await.map_err(slow)??;
        if file.bytes() == 0 {
            return Err(Problem::invalid("file", "must not be empty"));
        }
        file.settle().await?;
        Ok(file)
    }

    async fn read(&mut self, media: &MediaFolder) -> Result<Incoming, Problem> {
        let missing = || Problem::invalid("file", "must be there, as one part of the form");
        let mut part = self.0.next_field().await.map_err(|error| refused(&error))?.ok_or_else(missing)?;
        let mut file = media.receive_file().await?;
        while let Some(chunk) = part.chunk().await.map_err(|error| refused(&error))? {
            file.write(&chunk).await?;
        }
        drop(part);
        match self.0.next_field().await.map_err(|error| refused(&error))? {
            Some(_) => Err(Problem::invalid("file", "must be there once")),
            None => Ok(file),
        }
    }
}

/// The few pictures that are decoded at once; others wait for their turn.
#[derive(Debug, Clone)]
pub(crate) struct Decoders(Arc<Semaphore>);

impl Default for Decoders {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(DECODERS)))
    }
}

impl Decoders {
    /// Runs what decodes a picture once it is its turn, which it keeps even when nobody waits for it any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        decode: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let lost = |error: String| Problem::internal(format!("a picture was not decoded: {error}"));
        let turn = self.0.clone().acquire_owned().await.map_err(|error| lost(error.to_string()))?;
        let decoding = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            decode()
        });
        decoding.await.map_err(|error| lost(error.to_string()))
    }
}

fn refused(error: &multer::Error) -> Problem {
    match error {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => too_large(),
        multer::Error::UnknownField { .. } => Problem::invalid("file", "must be the only part of the form"),
        _ => Problem::bad_request("malformed_form", "the body is no whole multipart/form-data"),
    }
}

fn too_large() -> Problem {
    let detail = format!("the file must have at most {FILE_LIMIT} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
}

/// The extension of what a sound file really is.
async fn sound_format(path: &Path) -> Result<&'static str, Problem> {
    let mut head = [0; 12];
    let not_read = |error: std::io::Error| Problem::media_unreadable(&error);
    let mut file = tokio::fs::File::open(PathBuf::from(path)).await.map_err(not_read)?;
    let read = file.read(&mut head).await.map_err(not_read)?;
    let unknown = || Problem::invalid("file", "must be a WAV, FLAC, MP3, Ogg or M4A sound");
    sound_extension(&head[..read]).ok_or_else(unknown)
}

/// The extension of a sound, by its first 12 bytes.
pub(crate) fn sound_extension(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("wav"),
        [b'f', b'L', b'a', b'C', ..] => Some("flac"),
        [b'O', b'g', b'g', b'S', ..] => Some("ogg"),
        [b'I', b'D', b'3', ..] | [0xff, 0xfa | 0xfb | 0xf2 | 0xf3, ..] => Some("mp3"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("m4a"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::picture::LONGEST_SIDE;
    use super::*;
    use axum::body::Body;
    use image::ImageFormat;

    const BOUNDARY: &str = "line";

    fn part(name: &str, content: &[u8]) -> Vec<u8> {
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"../../etc/passwd\"\r\n\r\n"
        );
        [head.as_bytes(), content, b"\r\n"].concat()
    }

    fn form(parts: &[Vec<u8>]) -> Vec<u8> {
        [parts.concat(), format!("--{BOUNDARY}--\r\n").into_bytes()].concat()
    }

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::DynamicImage::new_rgb8(width, height).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    async fn bring(body: Vec<u8>) -> Result<Asset, (u16, String)> {
        let folder = tempfile::tempdir().unwrap();
        let media = MediaFolder::open(folder.path()).await.unwrap();
        let request = Request::put("/")
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(Body::from(body))
            .unwrap();
        let told = |problem: Problem| (problem.status.as_u16(), problem.detail);
        let upload = Upload::from_request(request, &()).await.map_err(told)?;
        let stored = upload.picture(&media, &Decoders::default()).await.map_err(told);
        let left = std::fs::read_dir(folder.path().join("incoming")).unwrap().count();
        assert_eq!(left, 0, "an upload leaves nothing behind");
        if let Ok(asset) = &stored {
            assert_eq!(media.size(&asset.key).await.unwrap(), Some(asset.bytes));
        }
        stored
    }

    #[tokio::test]
    async fn a_picture_is_stored_as_what_it_is_whatever_it_is_called() {
        for (format, extension) in
            [(ImageFormat::Png, "png"), (ImageFormat::Jpeg, "jpg"), (ImageFormat::WebP, "png")]
        {
            let asset = bring(form(&[part("file", &picture(64, 48, format))])).await.unwrap();
            assert_eq!(asset.key.extension(), extension);
        }
    }

    #[tokio::test]
    async fn what_is_no_whole_picture_is_refused() {
        let whole = picture(64, 48, ImageFormat::Png);
        let cut = whole[..whole.len() / 2].to_vec();
        let html = b"<html><script>alert(1)</script></html>".to_vec();
        let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec();
        let strip = picture(2_000, 16, ImageFormat::Png);
        for content in [cut, html, svg, strip, Vec::new(), picture(8, 8, ImageFormat::Png)] {
            let (status, words) = bring(form(&[part("file", &content)])).await.unwrap_err();
            assert_eq!(status, 422, "{words}");
        }
    }

    #[tokio::test]
    async fn a_picture_that_unpacks_to_too_much_is_refused() {
        let (status, words) =
            bring(form(&[part("file", &picture(LONGEST_SIDE + 1, 1_000, ImageFormat::Png))]))
                .await
                .unwrap_err();
        assert_eq!(status, 422);
        assert!(words.contains("8192"), "{words}");
    }

    #[tokio::test]
    async fn a_picture_with_too_many_pixels_is_refused_by_what_its_head_says() {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::DynamicImage::new_luma8(LONGEST_SIDE, 4_096).write_to(&mut bytes, ImageFormat::Png).unwrap();
        assert!(bring(form(&[part("file", bytes.get_ref())])).await.is_ok());
        let mut larger = bytes.into_inner();
        // The height, and the head's checksum.
        larger[20..24].copy_from_slice(&LONGEST_SIDE.to_be_bytes());
        let checksum = crc32(&larger[12..29]);
        larger[29..33].copy_from_slice(&checksum.to_be_bytes());
        let (status, words) = bring(form(&[part("file", &larger)])).await.unwrap_err();
        assert_eq!(status, 422);
        assert!(words.contains("33554432"), "{words}");
    }

    /// Of a PNG chunk's type and data (PNG, third edition, 5.3).
    fn crc32(bytes: &[u8]) -> u32 {
        let of_bit = |sum: u32| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
        !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| of_bit(sum)))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn few_pictures_are_decoded_at_once_and_all_of_them_in_the_end() {
        use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
        let (decoders, running) = (Decoders::default(), Arc::new(AtomicUsize::new(0)));
        let (started, starts) = std::sync::mpsc::channel();
        let (go, gone) = std::sync::mpsc::channel();
        let gone = Arc::new(std::sync::Mutex::new(gone));
        let decode = |_| {
            let (running, started, gone) = (running.clone(), started.clone(), gone.clone());
            decoders.run(move || {
                started.send(running.fetch_add(1, SeqCst) + 1).unwrap();
                gone.lock().unwrap().recv().unwrap();
                running.fetch_sub(1, SeqCst);
            })
        };
        let all = futures::future::join_all((0..12).map(decode));
        let letting = tokio::task::spawn_blocking(move || {
            let let_go = |_| {
                let at_once = starts.recv().unwrap();
                go.send(()).unwrap();
                at_once
            };
            (0..12).map(let_go).max()
        });
        let (decoded, most) = tokio::join!(all, letting);
        assert!(decoded.iter().all(Result::is_ok));
        assert!(most.unwrap() <= Some(DECODERS));
    }

    #[tokio::test]
    async fn a_form_is_whole_and_has_the_file_alone() {
        let good = picture(64, 48, ImageFormat::Png);
        let twice = form(&[part("file", &good), part("file", &good)]);
        assert_eq!(bring(twice).await.unwrap_err().0, 422);
        assert_eq!(bring(form(&[part("other", &good)])).await.unwrap_err().0, 422);
        assert_eq!(bring(form(&[])).await.unwrap_err().0, 422);
        assert_eq!(bring(part("file", &good)).await.unwrap_err().0, 400, "it ends too early");
        assert_eq!(bring(b"nonsense".to_vec()).await.unwrap_err().0, 400);
    }

    #[tokio::test]
    async fn a_file_of_more_than_50_mib_is_refused() {
        let large = vec![0; usize::try_from(FILE_LIMIT).unwrap() + 1];
        assert_eq!(bring(form(&[part("file", &large)])).await.unwrap_err().0, 413);
    }

    #[tokio::test]
    async fn a_sound_is_known_by_its_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sound");
        let format = async |head: &[u8]| {
            std::fs::write(&path, head).unwrap();
            sound_format(&path).await.ok()
        };
        assert_eq!(format(b"RIFF\0\0\0\0WAVEfmt ").await, Some("wav"));
        assert_eq!(format(b"ID3\x04").await, Some("mp3"));
        assert_eq!(format(b"\0\0\0\x20ftypM4A ").await, Some("m4a"));
        assert_eq!(format(b"#EXTM3U").await, None);
        assert_eq!(format(b"").await, None);
    }
}
