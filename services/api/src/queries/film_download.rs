//! `GET /v1/projects/{id}/film/download`: the newest film as a file to keep.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, HeaderMap, HeaderValue};
use axum::response::Response;
use domain::ids::ProjectId;
use infra::postgres::views::films;

use super::film::no_film_yet;
use crate::App;
use crate::extract::Path;
use crate::files;
use crate::problem::Problem;

/// Longest file name without its extension, in characters, and in bytes: file systems take 255.
const NAME_LIMIT: usize = 80;
const BYTES_LIMIT: usize = 240;

/// The MP4 or WebM, or the range of it that is asked for.
#[utoipa::path(
    get, path = "/v1/projects/{project}/film/download", tag = "film", operation_id = "downloadFilm",
    summary = "The newest film as a file to keep", params(files::Conditions),
    responses(
        (status = 200, description = "The MP4 or WebM", headers(("ETag"), ("Accept-Ranges"), ("Content-Disposition")), content((String = "video/mp4"), (String = "video/webm"))),
        (status = 206, description = "The part that `Range` asks for", headers(("ETag"), ("Content-Range"), ("Accept-Ranges")), content((String = "video/mp4"), (String = "video/webm"))),
        (status = 304, description = "`If-None-Match` names it", headers(("ETag"))),
        (status = 416, description = "range_not_satisfiable"),
        (status = 404, description = "no_film_yet, media_not_found"),
        (status = 503, description = "media_unavailable"),
    ),
)]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let row = app.project_row(project).await?;
    let film = films::newest(&app.api.pool, project).await?.ok_or_else(no_film_yet)?;
    let key = &film.film.film.key;
    let mut response = files::serve(&app.api.media, key, &request).await?;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(value) = HeaderValue::from_str(&disposition(&row.title, key.extension())) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// `Content-Disposition` (RFC 6266): a plain name for old clients, and the whole one in UTF-8.
pub(super) fn disposition(title: &str, extension: &str) -> String {
    let name = file_name(title);
    let ascii: String = name.chars().filter(char::is_ascii).collect();
    let ascii = file_name(&ascii);
    format!(
        "attachment; filename=\"{ascii}.{extension}\"; filename*=UTF-8''{}.{extension}",
        percent_encoded(&name)
    )
}

/// A title as a file name: nothing that a file system, a shell or a reader's eye could take for
/// something else.
fn file_name(title: &str) -> String {
    let spoken: String = title.chars().map(|c| if is_safe(c) { c } else { ' ' }).collect();
    let words: Vec<&str> = spoken.split_whitespace().collect();
    let mut bytes = 0;
    let fits = |c: &char| {
        bytes += c.len_utf8();
        bytes <= BYTES_LIMIT
    };
    let name: String = words.join(" ").chars().take(NAME_LIMIT).take_while(fits).collect();
    let name = name.trim_matches(|c: char| c == '.' || c == '-' || c.is_whitespace());
    if name.is_empty() { "film".to_owned() } else { name.to_owned() }
}

fn is_safe(c: char) -> bool {
    let has_meaning =
        matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '%' | '$' | '`' | ';');
    // Marks without width and those that turn the direction of writing can hide an extension.
    let is_hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !(c.is_control() || has_meaning || is_hidden)
}

/// The `value-chars` of RFC 8187: letters, digits and a few marks as they are, the rest as `%XX`.
fn percent_encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#&+-.^_~".contains(&b);
    let encode = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_never_becomes_a_path() {
        for (title, name) in [
            ("../../etc/passwd", "etc passwd"),
            ("..\\..\\windows\\system32", "windows system32"),
            ("a\r\nSet-Cookie: x=1", "a Set-Cookie x=1"),
            ("$(rm -rf ~)", "(rm -rf ~)"),
            ("\u{202e}4pm.exe", "4pm.exe"),
            (".hidden", "hidden"),
            ("--flag", "flag"),
            ("", "film"),
            (" . ", "film"),
            ("\u{200b}", "film"),
        ] {
            assert_eq!(file_name(title), name, "{title:?}");
        }
    }

    #[test]
    fn a_chinese_title_survives_and_old_clients_get_a_name_too() {
        assert_eq!(
            disposition("灯塔 \"No. 7\"", "mp4"),
            "attachment; filename=\"No. 7.mp4\"; filename*=UTF-8''%E7%81%AF%E5%A1%94%20No.%207.mp4"
        );
        assert!(disposition("灯塔", "mp4").starts_with("attachment; filename=\"film.mp4\""));
    }

    #[test]
    fn a_long_title_makes_a_short_name() {
        assert_eq!(file_name(&"長".repeat(200)).chars().count(), NAME_LIMIT);
        assert_eq!(file_name(&"🌊".repeat(200)).len(), BYTES_LIMIT);
    }

    #[test]
    fn every_title_makes_a_valid_header() {
        for c in (0..=0x2100).filter_map(char::from_u32) {
            let header = disposition(&format!("a{c}b"), "mp4");
            assert!(HeaderValue::from_str(&header).is_ok(), "{c:?}");
            assert_eq!(header.matches('"').count(), 2, "{c:?}");
        }
    }
}
