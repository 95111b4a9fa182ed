//! Requests to a server, and one clear sentence for each way they can fail.

use std::time::Duration;

use infra::outbound::trusted_tls;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;

use super::output::plain;
use crate::exit::Failed;

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Longest time for a whole answer. The server takes 60 s at most.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longest silence of a stream or a download. Streams say something each 15 s.
const SILENCE: Duration = Duration::from_secs(60);
/// Largest answer that is taken, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;
/// A look is had so often at a server that cannot have it at the moment (503), with pauses of at most so much.
const LOOKS: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Items that are asked for at a time.
const PAGE: usize = 200;

/// Parameters of a query.
pub(super) type Query<'a> = &'a [(&'static str, String)];

/// A server, and who asks it.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    http: Client,
    base: Url,
}

impl Connection {
    /// Nothing is asked yet.
    pub(super) fn new(server: &str, api_key: Option<&str>) -> Result<Self, Failed> {
        let base = base(server)?;
        let mut headers = HeaderMap::new();
        if let Some(key) = api_key {
            let value = HeaderValue::from_str(&format!("Bearer {key}"));
            let mut value = value
                .map_err(|_| Failed::Usage("the API key has characters that no API key has".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = Client::builder()
            .tls_backend_preconfigured(trusted_tls().map_err(Failed::because)?)
            .no_proxy()
            // A key goes to the server that was named, and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_PATIENCE)
            .read_timeout(SILENCE)
            .default_headers(headers)
            .user_agent(concat!("storytovideo/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Failed::because)?;
        Ok(Self { http, base })
    }

    pub(super) async fn get(&self, path: &str, query: Query<'_>) -> Result<Value, Failed> {
        self.ask(Method::GET, path, query, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, Failed> {
        self.ask(Method::POST, path, &[], Some(body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> Result<Value, Failed> {
        self.ask(Method::PATCH, path, &[], Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, Failed> {
        self.ask(Method::DELETE, path, &[], None).await
    }

    /// The first `limit` items of a list; `next` is the parameter that takes its `nextCursor`.
    pub(super) async fn list(
        &self,
        path: &str,
        query: Query<'_>,
        next: &'static str,
        limit: usize,
    ) -> Result<Vec<Value>, Failed> {
        let mut items = Vec::new();
        let mut query = query.to_vec();
        loop {
            let size = PAGE.min(limit - items.len());
            let mut asked = query.clone();
            asked.push(("limit", size.to_string()));
            let mut page = self.get(path, &asked).await?;
            if let Value::Array(found) = page["items"].take() {
                items.extend(found);
            }
            let cursor = page["nextCursor"].as_str().map(str::to_owned);
            match cursor {
                Some(cursor) if items.len() < limit => {
                    query.retain(|(name, _)| *name != next);
                    query.push((next, cursor));
                }
                _ => return Ok(items),
            }
        }
    }

    /// An answer that is read bit by bit.
    pub(super) async fn open(&self, path: &str, query: Query<'_>) -> Result<Response, Failed> {
        self.checked(self.http.get(self.url(path, query))).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: Query<'_>,
        body: Option<Value>,
    ) -> Result<Value, Failed> {
        let mut request = self.http.request(method, self.url(path, query)).timeout(PATIENCE);
        if let Some(body) = body {
            let json = HeaderValue::from_static("application/json");
            request = request.header(reqwest::header::CONTENT_TYPE, json).body(body.to_string());
        }
        let answer = read(self.checked(request).await?).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer).map_err(|_| self.is_no_server())
    }

    /// Whatever is answered. A look that a server cannot have at the moment is had a little later.
    async fn answered(&self, mut request: RequestBuilder) -> Result<Response, Failed> {
        let mut tries = LOOKS;
        loop {
            let (client, built) = request.build_split();
            let built = built.map_err(Failed::because)?;
            let again = built.try_clone().filter(|built| built.method() == Method::GET);
            let response = client.execute(built).await.map_err(|error| self.unreachable(error))?;
            tries -= 1;
            match again.filter(|_| tries > 0 && response.status() == StatusCode::SERVICE_UNAVAILABLE) {
                Some(again) => request = RequestBuilder::from_parts(client, again),
                None => return Ok(response),
            }
            tokio::time::sleep(pause(response.headers())).await;
        }
    }

    /// The answer, if it is a good one.
    async fn checked(&self, request: RequestBuilder) -> Result<Response, Failed> {
        let response = self.answered(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if let Some(place) =
            response.headers().get(reqwest::header::LOCATION).filter(|_| status.is_redirection())
        {
            let place = String::from_utf8_lossy(place.as_bytes());
            let server = Url::parse(&place).map(|url| url.origin().ascii_serialization());
            let place = server.unwrap_or_else(|_| plain(&place));
            return Err(Failed::Usage(format!("the server sends to {place}; name that with --server")));
        }
        let answer = read(response).await?;
        match serde_json::from_slice::<Value>(&answer) {
            Ok(problem) if problem["code"].is_string() => Err(refusal(status.as_u16(), &problem)),
            _ => Err(self.is_no_server()),
        }
    }

    /// Paths are ours, and ids in them are ids; the server may live below a path.
    fn url(&self, path: &str, query: Query<'_>) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn unreachable(&self, error: reqwest::Error) -> Failed {
        let why = Failed::because(error.without_url());
        Failed::Runtime(format!(
            "{} cannot be reached ({why}); `storytovideo up` starts a server, --server names another",
            self.name()
        ))
    }

    fn is_no_server(&self) -> Failed {
        Failed::Runtime(format!("{} does not answer like a StoryToVideo server", self.name()))
    }

    fn name(&self) -> String {
        self.base.origin().ascii_serialization()
    }
}

/// What the server asks for, within reason.
fn pause(headers: &HeaderMap) -> Duration {
    let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(asked.unwrap_or(1)).min(LONGEST_PAUSE)
}

fn base(server: &str) -> Result<Url, Failed> {
    let wrong = || Failed::Usage(format!("{server:?} is not a server; write it like http://127.0.0.1:8080"));
    let url = Url::parse(server).map_err(|_| wrong())?;
    let sane = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if sane { Ok(url) } else { Err(wrong()) }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Failed> {
    let mut whole = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if whole.len() + chunk.len() > ANSWER_LIMIT => {
                return Err(Failed::Runtime("the server's answer is too large".to_owned()));
            }
            Ok(Some(chunk)) => whole.extend_from_slice(&chunk),
            Ok(None) => return Ok(whole),
            Err(error) => return Err(Failed::because(error.without_url())),
        }
    }
}

/// A problem (RFC 9457) in one sentence. What was asked for wrongly is bad usage.
pub(super) fn refusal(status: u16, problem: &Value) -> Failed {
    let text = |field: &str| plain(problem[field].as_str().unwrap_or_default());
    let mut sentence = text("detail");
    if let Some([_, _, ..]) = problem["errors"].as_array().map(Vec::as_slice) {
        let errors = problem["errors"].as_array().into_iter().flatten();
        let each = errors.map(|error| {
            let part = |name: &str| plain(error[name].as_str().unwrap_or_default());
            format!("{}: {}", part("field"), part("message"))
        });
        sentence = each.collect::<Vec<_>>().join("; ");
    }
    let code = text("code");
    match status {
        400 | 422 => Failed::Usage(format!("{sentence} ({code})")),
        401 => Failed::Runtime(format!("{sentence} ({code}); give --api-key, or set STORYTOVIDEO_API_KEY")),
        500.. => Failed::Runtime(format!("{sentence} ({code}, request {})", text("requestId"))),
        _ => Failed::Runtime(format!("{sentence} ({code})")),
    }
}
