//! Serves stored files: conditional requests and byte ranges (RFC 9110, 13 and 14), streamed.

use std::io::SeekFrom;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
    IF_RANGE, RANGE,
};
use axum::response::{IntoResponse, Response};
use domain::asset::AssetKey;
use infra::media::MediaFolder;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::openapi;
use crate::problem::Problem;

const CHUNK: usize = 64 * 1024;

/// What a request for a file may ask besides.
#[derive(Debug)]
pub(crate) struct Conditions;

impl IntoParams for Conditions {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let header = |name, schema, words| openapi::parameter(name, ParameterIn::Header, schema, words);
        let tag = || openapi::text("^\"[0-9a-f]{64}\"$", &format!("\"{}\"", "0".repeat(64)));
        vec![
            header("Range", openapi::text("^bytes=[0-9]*-[0-9]*$", "bytes=0-1023"), "One part of the file"),
            header("If-Range", tag(), "Only if the file is still this one; else the whole"),
            header("If-None-Match", tag(), "Only if the file is another one"),
        ]
    }
}

/// A part of a file, both ends included, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    first: u64,
    last: u64,
}

/// What a `Range` header comes to.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Part),
    /// Nothing of the file is in the range.
    Nothing,
}

/// Answers with an asset, or the part of it that the request asks for.
pub(crate) async fn serve(
    media: &MediaFolder,
    key: &AssetKey,
    request: &HeaderMap,
) -> Result<Response, Problem> {
    let path = media.path(key);
    let mut file = match tokio::fs::File::open(&path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(no_such_media()),
        Err(error) => return Err(Problem::media_unreadable(&error)),
    };
    let found = file.metadata().await.map_err(|error| Problem::media_unreadable(&error))?;
    if !found.is_file() {
        return Err(no_such_media());
    }
    let size = found.len();
    let etag = format!("\"{}\"", key.sha256());
    if names_etag(request, &etag) {
        return Ok(with_etag(StatusCode::NOT_MODIFIED.into_response(), &etag));
    }
    let (status, part) = match wanted(request, &etag, size) {
        Wanted::Whole => (StatusCode::OK, Part { first: 0, last: size.saturating_sub(1) }),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Nothing => return Err(unsatisfiable(size)),
    };
    let length = if size == 0 { 0 } else { part.last - part.first + 1 };
    file.seek(SeekFrom::Start(part.first)).await.map_err(|error| Problem::media_unreadable(&error))?;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(length), CHUNK));
    let mut response = with_etag((status, body).into_response(), &etag);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(key.extension())));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if status == StatusCode::PARTIAL_CONTENT {
        insert_text(headers, &format!("bytes {}-{}/{size}", part.first, part.last));
    }
    Ok(response)
}

/// There is no such asset: 404.
pub(crate) fn no_such_media() -> Problem {
    Problem::not_found("media_not_found", "no such media is stored")
}

fn unsatisfiable(size: u64) -> Problem {
    let detail = "nothing of the file is in that range";
    let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", detail);
    match HeaderValue::from_str(&format!("bytes */{size}")) {
        Ok(value) => problem.with_header(CONTENT_RANGE, value),
        Err(_) => problem,
    }
}

fn insert_text(headers: &mut HeaderMap, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(CONTENT_RANGE, value);
    }
}

fn with_etag(mut response: Response, etag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

/// Only what browsers need to show our media; anything else is just bytes.
fn content_type(extension: &str) -> &'static str {
    match extension {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "flac" => "audio/flac",
        "ogg" => "audio/ogg",
        "srt" => "application/x-subrip; charset=utf-8",
        "vtt" => "text/vtt; charset=utf-8",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn names_etag(request: &HeaderMap, etag: &str) -> bool {
    let is_named = |list: &str| {
        list.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    };
    text(request, &IF_NONE_MATCH).is_some_and(is_named)
}

fn wanted(request: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let Some(range) = text(request, &RANGE) else { return Wanted::Whole };
    if request.contains_key(IF_RANGE) && text(request, &IF_RANGE) != Some(etag) {
        return Wanted::Whole;
    }
    parse_range(range, size).unwrap_or(Wanted::Whole)
}

/// Reads `bytes=a-b`, `bytes=a-` or `bytes=-n`. Several ranges, other units and nonsense may be ignored
/// (RFC 9110, 14.2), and are.
fn parse_range(range: &str, size: u64) -> Option<Wanted> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let part = match (number(first)?, number(last)?) {
        (None, None) => return None,
        (None, Some(suffix)) => Part { first: size.saturating_sub(suffix), last: size.saturating_sub(1) },
        (Some(first), None) => Part { first, last: size.saturating_sub(1) },
        (Some(first), Some(last)) if first > last => return None,
        (Some(first), Some(last)) => Part { first, last: last.min(size.saturating_sub(1)) },
    };
    Some(if part.first >= size { Wanted::Nothing } else { Wanted::Part(part) })
}

/// `Some(None)` for no digits; numbers too large to count are larger than any file.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.bytes().all(|b| b.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let part = |first, last| Some(Wanted::Part(Part { first, last }));
        assert_eq!(parse_range("bytes=0-9", 100), part(0, 9));
        assert_eq!(parse_range("bytes=90-", 100), part(90, 99));
        assert_eq!(parse_range("bytes=-10", 100), part(90, 99));
        assert_eq!(parse_range("bytes=-1000", 100), part(0, 99));
        assert_eq!(parse_range("bytes=0-99999999999999999999999", 100), part(0, 99));
        assert_eq!(parse_range("bytes=99-99", 100), part(99, 99));
    }

    #[test]
    fn a_range_past_the_end_has_nothing() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(parse_range(range, 100), Some(Wanted::Nothing), "{range}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Some(Wanted::Nothing));
    }

    #[test]
    fn nonsense_and_several_ranges_are_ignored() {
        for range in [
            "bytes=",
            "bytes=-",
            "bytes=9-0",
            "bytes=a-b",
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=+1-2",
            "bytes=0x1-2",
        ] {
            assert_eq!(parse_range(range, 100), None, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_version_is_answered_with_the_whole() {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        headers.insert(IF_RANGE, HeaderValue::from_static("\"old\""));
        assert_eq!(wanted(&headers, "\"new\"", 10), Wanted::Whole);
        assert_eq!(wanted(&headers, "\"old\"", 10), Wanted::Part(Part { first: 0, last: 0 }));
    }

    #[test]
    fn a_known_etag_is_recognised_in_a_list() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("\"a\", W/\"b\""));
        assert!(names_etag(&headers, "\"b\""));
        assert!(!names_etag(&headers, "\"c\""));
    }
}
