//! What handlers take from requests, each with an answer in our own form when it is not as it must be.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use domain::asset::AssetKey;
use infra::runtime::Clock;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::auth::Signing;
use crate::complaint::in_plain_words;
use crate::cursor::{self, Place};
use crate::openapi;
use crate::problem::{FieldError, Problem};

/// Largest body of a request, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;
/// Largest page of a list.
const PAGE_LIMIT: i64 = 200;
const PAGE_DEFAULT: i64 = 50;

/// Ids in the path. What is no id names nothing: 404.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Self(value)).map_err(|_| Problem::no_such_address())
    }
}

/// Parameters of the query.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|axum::extract::Query(value)| Self(value)).map_err(|refused| query_problem(&refused))
    }
}

/// The framework says `…: limit: invalid digit found in string`, or `…: duplicate field `limit``.
fn query_problem(refused: &QueryRejection) -> Problem {
    let text = refused.body_text();
    let said = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
    let (path, said) = said.split_once(": ").filter(|(path, _)| !path.contains(' ')).unwrap_or((".", said));
    let (field, message) = (field_named(path, said), in_plain_words(said));
    let problem = Problem::bad_request("invalid_query", format!("{field}: {message}"));
    problem.with_errors(vec![FieldError { field, message }])
}

/// Which page of a list is asked for, where the list is in the order of time.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParameters {
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// Items of a page, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

impl PageParameters {
    /// The last item of the page before, and how many items this one has.
    pub(crate) fn read(&self) -> Result<(Option<Place>, i64), Problem> {
        let limit = page_limit(self.limit)?;
        Ok((self.cursor.as_deref().map(cursor::decode).transpose()?, limit))
    }
}

/// How many items a page has: 1 to 200, and 50 when the caller does not say.
pub(crate) fn page_limit(asked: Option<i64>) -> Result<i64, Problem> {
    match asked {
        None => Ok(PAGE_DEFAULT),
        Some(limit) if (1..=PAGE_LIMIT).contains(&limit) => Ok(limit),
        Some(limit) => {
            Err(Problem::invalid("limit", format!("must be between 1 and {PAGE_LIMIT}; it is {limit}")))
        }
    }
}

/// Where callers find us, as they asked or as it is configured: addresses of media begin with it. While
/// authentication is on they are signed, and good for three days.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    origin: String,
    signing: Option<(Signing, Clock)>,
}

impl Base {
    /// From our origin, like `https://films.example`, and what signs addresses of media.
    pub(crate) fn new(origin: String, signing: Option<(Signing, Clock)>) -> Self {
        Self { origin, signing }
    }

    /// The same, for clients that put their own address before a path.
    pub(crate) fn of_paths(&self) -> Self {
        Self { origin: String::new(), signing: self.signing.clone() }
    }

    /// Whether an address of stored media with this query is good: whoever has one may have what it leads to.
    pub(crate) fn opens(&self, key: &AssetKey, query: &str) -> bool {
        let path = format!("/media/{key}");
        let is_good = |(signing, clock): &(Signing, Clock)| signing.is_signed(&path, query, clock.now());
        self.signing.as_ref().is_none_or(is_good)
    }

    /// The absolute URL of stored media.
    pub(crate) fn media(&self, key: &AssetKey) -> String {
        let path = format!("/media/{key}");
        let signed =
            self.signing.as_ref().and_then(|(signing, clock)| signing.media_query(&path, clock.now()));
        match signed {
            Some(query) => format!("{}{path}?{query}", self.origin),
            None => format!("{}{path}", self.origin),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let base = parts.extensions.get::<Self>().cloned();
        base.ok_or_else(|| Problem::internal("the request was not let in by the guard"))
    }
}

/// Versions are counted by a signed 64-bit integer of the database.
pub(crate) fn is_version(version: u64) -> bool {
    i64::try_from(version).is_ok()
}

/// The version that the caller wants to read at least: `?minVersion=N`, or `X-Min-Version: N`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MinVersion(pub(crate) Option<u64>);

impl IntoParams for MinVersion {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let words = "Wait up to 2 s until the read tables have this version";
        vec![
            openapi::parameter("minVersion", ParameterIn::Query, openapi::version(), words),
            openapi::parameter("X-Min-Version", ParameterIn::Header, openapi::version(), words),
        ]
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MinVersion {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Parameters {
            min_version: Option<u64>,
        }
        let Query(Parameters { min_version }) = Query::from_request_parts(parts, state).await?;
        let invalid = || {
            Problem::bad_request(
                "invalid_min_version",
                "X-Min-Version or minVersion must be a version, like 12",
            )
        };
        let number = |value: &HeaderValue| value.to_str().ok()?.parse().ok();
        let header = parts.headers.get("x-min-version");
        let in_header = header.map(|value| number(value).ok_or_else(invalid)).transpose()?;
        let wanted = min_version.max(in_header);
        if wanted.is_some_and(|version| !is_version(version)) { Err(invalid()) } else { Ok(Self(wanted)) }
    }
}

/// A JSON body, its unknown fields refused by the type. An empty body is `{}`.
#[derive(Debug)]
pub(crate) struct Json<T> {
    /// What it says.
    pub(crate) value: T,
    /// SHA-256 of its bytes, to tell a repeat from another request.
    pub(crate) digest: [u8; 32],
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = crate::body::whole(&parts, body, BODY_LIMIT).await?;
        if body.is_empty() {
            return Ok(Self { value: parse(b"{}")?, digest: domain::hash::sha256(&[]) });
        }
        if !says_json(&parts.headers) {
            let detail = "the body must be JSON, and its Content-Type application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        Ok(Self { value: parse(&body)?, digest: domain::hash::sha256(&[&body]) })
    }
}

fn says_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // The library takes a list for an object, field by field in their order.
    if body.trim_ascii_start().starts_with(b"[") && serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        return Err(Problem::invalid("", "the body must be an object, not a list"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        json_problem(&path, error.inner())
    })?;
    reader.end().map_err(|error| json_problem("", &error))?;
    Ok(value)
}

/// Reads a part of a body again, now as a whole of another type; `field` is where it was.
pub(crate) fn parse_value<T: DeserializeOwned>(field: &str, value: serde_json::Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| match error.path().to_string().as_str() {
        "." => json_problem(field, error.inner()),
        path => json_problem(&format!("{field}.{path}"), error.inner()),
    })
}

fn json_problem(path: &str, error: &serde_json::Error) -> Problem {
    // The library's words end in ` at line 1 column 2`, which helps with the syntax only.
    let words = error.to_string();
    let said = words.rsplit_once(" at line ").map_or(words.as_str(), |(said, _)| said);
    match error.classify() {
        Category::Data => match (field_named(path, said), in_plain_words(said)) {
            (field, words) if field.is_empty() => Problem::invalid(field, format!("the body {words}")),
            (field, words) => Problem::invalid(field, words),
        },
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::bad_request("malformed_json", format!("the body is not JSON: {words}"))
        }
    }
}

/// The field that an error is about. Missing and unknown ones are named in the library's words only:
/// its path leads to the object that they are missing in, or not known of.
fn field_named(path: &str, said: &str) -> String {
    let within = if path == "." { "" } else { path };
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .into_iter()
        .find_map(|start| said.strip_prefix(start)?.split_once('`').map(|(name, _)| name));
    match named {
        Some(name) if within.is_empty() => name.to_owned(),
        Some(name) if within == name || within.ends_with(&format!(".{name}")) => within.to_owned(),
        Some(name) => format!("{within}.{name}"),
        None => within.to_owned(),
    }
}

/// A value that may be absent, or there and null: `None`, `Some(None)`.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    serde::Deserialize::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use domain::settings::Settings;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Sample {
        story: String,
        shot_count: Option<u32>,
        settings: Option<Settings>,
    }

    async fn ask(content_type: &str, body: impl Into<Body>) -> Result<Sample, Problem> {
        let request = Request::post("/").header(CONTENT_TYPE, content_type).body(body.into()).unwrap();
        Json::<Sample>::from_request(request, &()).await.map(|body| body.value)
    }

    async fn refusal(body: impl Into<Body>) -> (u16, String) {
        let problem = ask("application/json", body).await.unwrap_err();
        let field = problem.errors.first().map(|error| error.field.clone()).unwrap_or_default();
        (problem.status.as_u16(), field)
    }

    #[tokio::test]
    async fn each_wrong_field_is_named() {
        assert_eq!(refusal(r#"{"story":"a","colour":1}"#).await, (422, "colour".to_owned()));
        assert_eq!(refusal(r#"{"story":"a","settings":{"fsp":1}}"#).await, (422, "settings.fsp".to_owned()));
        assert_eq!(
            refusal(r#"{"story":"a","settings":{"fps":"x"}}"#).await,
            (422, "settings.fps".to_owned())
        );
        assert_eq!(refusal(r#"{"story":"a","shotCount":-1}"#).await, (422, "shotCount".to_owned()));
        assert_eq!(refusal(r#"{"story":"a","story":"b"}"#).await, (422, "story".to_owned()));
        assert_eq!(refusal("{}").await, (422, "story".to_owned()));
        assert_eq!(refusal("").await, (422, "story".to_owned()));
        assert_eq!(refusal("null").await, (422, String::new()));
    }

    #[tokio::test]
    async fn a_list_is_not_taken_for_an_object() {
        for list in ["[]", " [\"a\", 3, null]"] {
            assert_eq!(refusal(list).await, (422, String::new()), "{list}");
        }
        assert_eq!(refusal("[").await.0, 400);
    }

    #[tokio::test]
    async fn a_wrong_parameter_of_the_query_is_named() {
        let refusal = async |query: &str| {
            let request = Request::get(format!("/?{query}")).body(Body::empty()).unwrap();
            let (mut parts, _) = request.into_parts();
            let problem = Query::<PageParameters>::from_request_parts(&mut parts, &()).await.unwrap_err();
            assert_eq!(problem.status.as_u16(), 400);
            (problem.errors[0].field.clone(), problem.detail)
        };
        assert_eq!(
            refusal("limit=x").await,
            ("limit".to_owned(), "limit: must be a whole number".to_owned())
        );
        let twice = refusal("limit=1&limit=2").await;
        assert_eq!(twice, ("limit".to_owned(), "limit: is given more than once".to_owned()));
    }

    #[tokio::test]
    async fn what_is_no_json_is_a_bad_request() {
        let deep = format!("{{\"story\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let bodies: [Vec<u8>; 7] = [
            b"{".to_vec(),
            b"not json".to_vec(),
            b"{\"story\":NaN}".to_vec(),
            b"{\"story\":\"\xff\xfe\"}".to_vec(),
            b"{\"story\":\"\\ud800\"}".to_vec(),
            b"{\"story\":\"a\"} {}".to_vec(),
            b"\xef\xbb\xbf{}".to_vec(),
        ];
        for body in bodies {
            assert_eq!(refusal(body.clone()).await.0, 400, "{}", String::from_utf8_lossy(&body));
        }
        let status = refusal(deep).await.0;
        assert!(status == 400 || status == 422, "{status}");
    }

    #[tokio::test]
    async fn a_body_of_another_type_or_size_is_refused() {
        let problem = ask("text/plain", "{\"story\":\"a\"}").await.unwrap_err();
        assert_eq!(problem.status.as_u16(), 415);
        assert_eq!(refusal("x".repeat(BODY_LIMIT + 1)).await.0, 413);
        let padded = format!("{{\"story\":\"a\"{}}}", " ".repeat(BODY_LIMIT - 13));
        assert_eq!(padded.len(), BODY_LIMIT);
        assert_eq!(ask("application/json; charset=utf-8", padded).await.unwrap().story, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_in_time_is_not_waited_for() {
        let never = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        assert_eq!(refusal(never).await.0, 408);
    }

    #[tokio::test]
    async fn a_version_to_wait_for_comes_in_the_query_or_a_header() {
        let wanted = async |uri: &str, header: Option<&str>| {
            let mut request = Request::get(uri);
            if let Some(value) = header {
                request = request.header("x-min-version", value);
            }
            let (mut parts, _) = request.body(Body::empty()).unwrap().into_parts();
            MinVersion::from_request_parts(&mut parts, &()).await.map(|version| version.0)
        };
        assert_eq!(wanted("/", None).await.unwrap(), None);
        assert_eq!(wanted("/?minVersion=7", None).await.unwrap(), Some(7));
        assert_eq!(wanted("/?minVersion=7", Some("9")).await.unwrap(), Some(9));
        assert_eq!(wanted("/", Some("x")).await.unwrap_err().status.as_u16(), 400);
        assert_eq!(wanted("/?minVersion=9223372036854775808", None).await.unwrap_err().status.as_u16(), 400);
        assert_eq!(wanted("/?minVersion=-1", None).await.unwrap_err().status.as_u16(), 400);
    }

    #[test]
    fn a_page_has_1_to_200_items() {
        assert_eq!(page_limit(None).unwrap(), 50);
        assert_eq!(page_limit(Some(200)).unwrap(), 200);
        for limit in [0, -1, 201, i64::MAX] {
            assert_eq!(page_limit(Some(limit)).unwrap_err().errors[0].field, "limit");
        }
    }
}
