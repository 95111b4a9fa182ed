//! One caller or one address cannot take the room of all others.

use api::{Access, AuthConfig, Crowd};
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use futures::stream::FuturesUnordered;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;
use tower::ServiceExt;

use super::{SECRET, Server, token};
use crate::harness::{Http, LONG, Served, World, until};

impl Server {
    async fn with_crowd(crowd: Crowd) -> Self {
        let server = Self::new().await;
        let auth = AuthConfig { jwt_secret: Some(SECRET.to_owned()), ..AuthConfig::default() };
        let access = Access::default().with_auth(auth).unwrap().with_crowd(crowd);
        Self { router: api::router(server.world.shared.api(access)), ..server }
    }

    async fn open(&self, request: axum::http::request::Builder, who: &str, body: Body) -> Response {
        let request = request.header("host", "localhost").header("authorization", format!("Bearer {who}"));
        self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap()
    }

    async fn listen(&self, path: &str, who: &str) -> Response {
        self.open(Request::get(format!("{path}/events")), who, Body::empty()).await
    }

    /// Begins to bring an archive, of which no more than its first byte comes.
    async fn import_without_end(&self, who: &str) -> Response {
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"P"))]);
        let request = Request::post("/v1/projects/import").header("content-type", "application/zip");
        self.open(request, who, Body::from_stream(first.chain(stream::pending()))).await
    }
}

async fn code(response: Response) -> Value {
    let body = axum::body::to_bytes(response.into_body(), 100_000).await.unwrap();
    serde_json::from_slice::<Value>(&body).unwrap()["code"].clone()
}

#[tokio::test]
async fn a_caller_has_so_many_live_streams_and_others_have_their_own() {
    let server = Server::with_crowd(Crowd { streams: 2, ..Crowd::default() }).await;
    let (ada, bob) = (token("ada", "editor"), token("bob", "editor"));
    let (hers, his) = (server.project_of(&ada).await, server.project_of(&bob).await);
    let (first, second) = (server.listen(&hers, &ada).await, server.listen(&hers, &ada).await);
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    let third = server.listen(&hers, &ada).await;
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(third.headers().contains_key("retry-after"));
    assert_eq!(code(third).await, json!("too_many_streams"));
    assert_eq!(server.listen(&his, &bob).await.status(), StatusCode::OK);
    drop(first);
    assert_eq!(server.listen(&hers, &ada).await.status(), StatusCode::OK, "there is room again");
    drop(second);
    server.end().await;
}

#[tokio::test]
async fn archives_that_do_not_arrive_keep_nobody_else_from_theirs() {
    let server = Server::new().await;
    let (ada, bob) = (token("ada", "editor"), token("bob", "editor"));
    let (hers, his) = (server.project_of(&ada).await, server.project_of(&bob).await);
    let mut imports: FuturesUnordered<_> = (0..4).map(|_| server.import_without_end(&ada)).collect();
    for _ in 0..2 {
        let refused = tokio::time::timeout(LONG, imports.next()).await.unwrap().unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(code(refused).await, json!("too_many_transfers"), "two at once are enough for one");
    }
    let export =
        async |path: &str, who| server.open(Request::get(format!("{path}/export")), who, Body::empty()).await;
    assert_eq!(export(&hers, &ada).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let export_of_his = export(&his, &bob).await;
    assert_eq!(export_of_his.status(), StatusCode::OK);
    assert!(whole(export_of_his).await.starts_with(b"PK"), "the whole archive");
    drop(imports);
    assert_eq!(export(&hers, &ada).await.status(), StatusCode::OK, "what was given up counts no more");
    server.end().await;
}

async fn whole(response: Response) -> Bytes {
    axum::body::to_bytes(response.into_body(), 10_000_000).await.unwrap()
}

/// Asks for a session, and holds back what proves that it may have one.
async fn ask_slowly(served: &Served) -> TcpStream {
    let mut stream = TcpStream::connect(served.api).await.unwrap();
    let head = "POST /v1/session HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    stream.write_all(format!("{head}content-length: 100\r\n\r\n{{").as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn who_asks_for_too_many_sessions_is_refused_before_the_body_is_there() {
    let world = World::new().await;
    Served::during(&world, async |served| {
        let mut slow = Vec::new();
        for _ in 0..60 {
            slow.push(ask_slowly(served).await);
        }
        // Two limits of a minute may touch sixty requests; of sixty-one the last is beyond both.
        let mut last = ask_slowly(served).await;
        let mut answer = [0; 12];
        tokio::time::timeout(LONG, last.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 429");
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_socket_is_a_connection_for_as_long_as_it_is_open() {
    let world = World::with_engine().await;
    let project = world.a_film_of(1, domain::settings::Settings::default()).await;
    let path = format!("/v1/projects/{project}");
    until("the project can be read", LONG, async || {
        match Http::of(&world).ask("GET", &path, &[], None).await.status {
            StatusCode::OK => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    Served::during(&world, async |served| {
        let mut sockets = Vec::new();
        for _ in 0..5 {
            let (mut socket, _) = connect_async(format!("ws://{}{path}/stream", served.api)).await.unwrap();
            assert!(socket.next().await.unwrap().unwrap().is_text(), "the stream has begun");
            sockets.push(socket);
        }
        // The one that asks is one, too.
        until("they count as connections", LONG, async || match connections(served).await {
            6 => Ok(()),
            open => Err(format!("{open} connections")),
        })
        .await;
        drop(sockets);
        until("they count no more", LONG, async || match connections(served).await {
            1 => Ok(()),
            open => Err(format!("{open} connections")),
        })
        .await;
    })
    .await;
    world.end().await;
}

async fn connections(served: &Served) -> u64 {
    let mut stream = TcpStream::connect(served.metrics).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("stv_api_connections "));
    line.unwrap().trim().parse().unwrap()
}
