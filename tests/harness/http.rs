//! The product's surface as a client sees it: without sockets, or with.

use api::{Access, Listeners};
use axum::Router;
use axum::body::{Body, BodyDataStream, to_bytes};
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use infra::runtime::CancellationToken;
use serde_json::Value;
use standalone::stack::Shared;
use std::net::SocketAddr;
use tower::ServiceExt;

use super::{LONG, World, assert_documented};

/// What a request came to.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<String>,
    /// Null when it is no JSON.
    pub(crate) body: Value,
}

/// One server of a world, asked without sockets.
#[derive(Clone)]
pub(crate) struct Http {
    router: Router,
}

impl Http {
    pub(crate) fn of(world: &World) -> Self {
        Self::on(&world.shared)
    }

    pub(crate) fn on(shared: &Shared) -> Self {
        Self::with(shared, Access::default())
    }

    pub(crate) fn with(shared: &Shared, access: Access) -> Self {
        Self { router: api::router(shared.api(access)) }
    }

    /// The body of what is there.
    pub(crate) async fn bytes(&self, path: &str) -> Vec<u8> {
        let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        to_bytes(response.into_body(), 10_000_000).await.unwrap().to_vec()
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        match body {
            Some(body) => {
                let headers = [headers, &[("content-type", "application/json")]].concat();
                self.send(method, path, &headers, Body::from(body.to_string())).await
            }
            None => self.send(method, path, headers, Body::empty()).await,
        }
    }

    /// The same with any body.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 10_000_000).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        assert_documented(method, path, parts.status, &body);
        let etag = parts.headers.get("etag").map(|etag| etag.to_str().unwrap().to_owned());
        Answer { status: parts.status, etag, body }
    }

    /// Server-sent events of a project.
    pub(crate) async fn listen(&self, path: &str, headers: &[(&str, &str)]) -> Listener {
        let request = Request::get(path).header("host", "localhost");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Listener { events: response.into_body().into_data_stream() }
    }
}

/// A request to a world's own server.
pub(crate) async fn ask(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    Http::of(world).ask(method, path, headers, body).await
}

/// What is there.
pub(crate) async fn get(world: &World, path: &str) -> Value {
    answer_of(world, "GET", path, 200, None).await
}

/// What a request that must come to this status answers.
pub(crate) async fn answer_of(
    world: &World,
    method: &str,
    path: &str,
    status: u16,
    body: Option<Value>,
) -> Value {
    let answer = Http::of(world).ask(method, path, &[], body).await;
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    answer.body
}

/// An open stream of server-sent events.
pub(crate) struct Listener {
    events: BodyDataStream,
}

impl Listener {
    /// What every event until the end says.
    pub(crate) async fn until_the_end(mut self) -> Vec<Value> {
        let mut text = String::new();
        while let Some(piece) = tokio::time::timeout(LONG, self.events.next()).await.expect("it ends") {
            text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        }
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// The next event: its id, and its message. `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<(Option<u64>, Value)> {
        let event = tokio::time::timeout(LONG, self.events.next()).await.expect("an event comes")?.unwrap();
        let text = std::str::from_utf8(&event).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let id = field("id: ").map(|id| id.parse().unwrap());
        Some((id, serde_json::from_str(field("data: ").expect("an event has data")).unwrap()))
    }
}

/// A server with sockets, and the address of its surface and of its metrics.
pub(crate) struct Served {
    pub(crate) api: SocketAddr,
    pub(crate) metrics: SocketAddr,
    shutdown: CancellationToken,
}

impl Served {
    /// Serves as long as `use_it` runs.
    pub(crate) async fn during<T>(world: &World, use_it: impl AsyncFnOnce(&Self) -> T) -> T {
        let any = "127.0.0.1:0".parse().unwrap();
        let listeners = Listeners::bind(any, Some(any)).await.unwrap();
        let metrics = listeners.metrics.as_ref().unwrap().local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let served = Self { api: listeners.api.local_addr().unwrap(), metrics, shutdown: shutdown.clone() };
        let serving = api::run(listeners, world.shared.api(Access::default()), shutdown);
        let using = async {
            let outcome = use_it(&served).await;
            served.shutdown.cancel();
            outcome
        };
        let (ended, outcome) = tokio::join!(serving, using);
        ended.unwrap();
        outcome
    }
}
