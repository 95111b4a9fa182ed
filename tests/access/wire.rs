//! What only shows on real connections: TLS and where it leads, signed media, trusted networks, line breaks,
//! bodies without end, and more connections than there is room for.

use std::net::SocketAddr;
use std::time::Duration;

use api::{Access, AuthConfig, Listeners, Tls};
use axum::http::StatusCode;
use domain::job::Kind;
use futures::future::try_join_all;
use infra::runtime::CancellationToken;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use worker::providers::bench::Sleeping;

use super::{SECRET, Server, token};
use crate::harness::{LONG, Role, World, room_for, until};

/// Connections that are being made at the same time.
const CONNECTING: usize = 250;

pub(super) fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(super) fn access(auth: AuthConfig) -> Access {
    Access::default().with_auth(AuthConfig { jwt_secret: Some(SECRET.to_owned()), ..auth }).unwrap()
}

/// Serves on real sockets for as long as `use_it` runs.
pub(super) async fn serve<T>(
    world: &World,
    access: Access,
    listeners: Listeners,
    use_it: impl Future<Output = T>,
) -> T {
    let shutdown = CancellationToken::new();
    let serving = api::run(listeners, world.shared.api(access), shutdown.clone());
    let using = async {
        let outcome = use_it.await;
        shutdown.cancel();
        outcome
    };
    let (ended, outcome) = tokio::join!(serving, using);
    ended.unwrap();
    outcome
}

/// Sends these bytes, and reads until the server closes or has nothing more to say.
async fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close before it has taken everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A certificate for this machine, and a client that trusts it.
fn certificate(folder: &TempDir) -> (Tls, reqwest::Client) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = Tls::read(&chain, &key).unwrap();
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([trusted])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    (tls, client)
}

#[tokio::test]
async fn over_tls_browsers_are_told_to_come_back_by_tls_and_plain_http_leads_there() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    assert!(Tls::read(folder.path(), folder.path()).is_err());
    // Whoever makes the client names the cryptography; the server installs its own.
    let _ =
        access(AuthConfig { jwks_url: Some("https://localhost/keys".to_owned()), ..AuthConfig::default() });
    let (tls, client) = certificate(&folder);
    let listeners = Listeners::bind(any(), None).await.unwrap().encrypted(tls, Some(any())).await.unwrap();
    let (port, plain) = (listeners.api.local_addr().unwrap().port(), listeners.redirect_address().unwrap());
    serve(&world, access(AuthConfig::default()), listeners, async {
        let home = format!("https://localhost:{port}");
        let health = client.get(format!("{home}/healthz")).send().await.unwrap();
        assert_eq!(health.status().as_u16(), 200);
        assert_eq!(health.headers()["strict-transport-security"], "max-age=31536000");
        let refused = client.get(format!("{home}/v1/projects")).send().await.unwrap();
        assert_eq!(refused.status().as_u16(), 401);
        let led =
            raw(plain, b"GET /v1/projects?a=b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .await;
        assert!(led.starts_with("HTTP/1.1 308") && led.contains(&format!("{home}/v1/projects?a=b")), "{led}");
        let astray = raw(plain, b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await;
        assert!(astray.starts_with("HTTP/1.1 421") && !astray.contains("location"), "{astray}");
        assert!(astray.contains("host_not_allowed") && astray.contains("x-request-id: "), "{astray}");
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_network_that_is_trusted_needs_no_credentials_and_has_its_role() {
    let world = World::new().await;
    let trusting =
        AuthConfig { trusted_networks: vec!["127.0.0.0/8".parse().unwrap()], ..AuthConfig::default() };
    let listeners = Listeners::bind(any(), None).await.unwrap();
    let address = listeners.api.local_addr().unwrap();
    serve(&world, access(trusting), listeners, async {
        let ask = async |head: &str| {
            raw(
                address,
                format!(
                    "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                )
                .as_bytes(),
            )
            .await
        };
        assert!(ask("GET /v1/projects").await.starts_with("HTTP/1.1 200"));
        assert!(
            ask("DELETE /v1/projects/01900000-0000-7000-8000-000000000001").await.starts_with("HTTP/1.1 403")
        );
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn media_is_fetched_by_its_signed_address_and_by_no_other() {
    let server = Server::new().await;
    server.world.start_worker("all", Sleeping::default(), &Kind::ALL);
    let ada = token("ada", "editor");
    let path = server.project_of(&ada).await;
    let picture = until("there is a picture", LONG, async || {
        let shots = server.ask("GET", &format!("{path}/shots"), Some(&ada), None).await.body;
        let url = shots["items"][0]["image"]["url"].as_str().map(str::to_owned);
        url.ok_or_else(|| shots.to_string())
    })
    .await;
    let address = picture.strip_prefix("http://localhost").unwrap();
    let status = async |address: &str| server.ask("GET", address, None, None).await.status;
    assert_eq!(status(address).await, StatusCode::OK);
    assert_eq!(status(&format!("{address}&v=3&retry=1")).await, StatusCode::OK);
    let (plain, query) = address.split_once('?').unwrap();
    assert_eq!(status(plain).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&address.replace("expires=1", "expires=2")).await, StatusCode::UNAUTHORIZED);
    let other = format!("/media/image/{}.png?{query}", "0".repeat(64));
    assert_eq!(status(&other).await, StatusCode::UNAUTHORIZED);
    let headers = server.ask("GET", address, None, None).await.headers;
    assert!(headers["cache-control"].to_str().unwrap().starts_with("private"));
    let leftover = server.world;
    leftover.finish().await;
}

#[tokio::test]
async fn line_breaks_in_what_is_sent_break_nothing_in_what_comes_back() {
    let world = World::new().await;
    let listeners = Listeners::bind(any(), None).await.unwrap();
    let address = listeners.api.local_addr().unwrap();
    serve(&world, access(AuthConfig::default()), listeners, async {
        for (target, header) in [
            ("/v1/projects?q=%0d%0aSet-Cookie:%20a=b", "X-Nothing: 1"),
            ("/%0d%0aSet-Cookie:%20a=b", "X-Nothing: 1"),
            ("/healthz", "X-Request-Id: a%0d%0aSet-Cookie: a=b"),
            ("/healthz", "X-Request-Id: a\rSet-Cookie: a=b"),
            ("/healthz", "X-Request-Id: a\n Set-Cookie: a=b"),
            ("/healthz", "Host: localhost\r\nHost: evil.example"),
            ("/healthz", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        ] {
            let request =
                format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{header}\r\nConnection: close\r\n\r\n");
            let answer = raw(address, request.as_bytes()).await.to_ascii_lowercase();
            assert!(!answer.contains("\nset-cookie:"), "{header:?}: {answer}");
            assert!(answer.matches("http/1.1 ").count() <= 1, "{header:?}: {answer}");
        }
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn headers_that_are_too_large_or_too_many_are_refused_with_words() {
    let world = World::new().await;
    let listeners = Listeners::bind(any(), None).await.unwrap();
    let address = listeners.api.local_addr().unwrap();
    serve(&world, access(AuthConfig::default()), listeners, async {
        let ask = async |target: &str, headers: &str| {
            let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
            raw(address, format!("{head}{headers}\r\n").as_bytes()).await
        };
        let large = |bytes: usize| format!("X-Large: {}\r\n", "x".repeat(bytes));
        // As large as both may be; and then somewhat more, and as much as nobody reads.
        let long_target = format!("/healthz?{}", "x".repeat(60_000));
        assert!(ask(&long_target, &large(65_000)).await.starts_with("HTTP/1.1 200"));
        for headers in [large(66_000), "X-Many: 1\r\n".repeat(120)] {
            let answer = ask("/healthz", &headers).await;
            assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
            assert!(answer.contains("\"code\":\"headers_too_large\""), "{answer}");
        }
        assert!(ask("/healthz", &large(1_000_000)).await.starts_with("HTTP/1.1 431"));
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let world = World::new().await;
    let listeners = Listeners::bind(any(), None).await.unwrap();
    let address = listeners.api.local_addr().unwrap();
    serve(&world, access(AuthConfig::default()), listeners, async {
        let bearer = token("ada", "editor");
        let head = |length: &str, auth: &str| {
            format!(
                "POST /v1/projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                 {auth}{length}\r\n\r\n"
            )
        };
        let known = format!("Authorization: Bearer {bearer}\r\n");
        let gibibyte = raw(address, head("Content-Length: 1073741824", &known).as_bytes()).await;
        assert!(gibibyte.starts_with("HTTP/1.1 413"), "{gibibyte}");
        let stranger = raw(address, head("Content-Length: 1073741824", "").as_bytes()).await;
        assert!(stranger.starts_with("HTTP/1.1 401"), "{stranger}");
        let mut endless = head("Transfer-Encoding: chunked", &known).into_bytes();
        for _ in 0..40 {
            endless.extend_from_slice(b"10000\r\n");
            endless.extend(std::iter::repeat_n(b' ', 0x10000));
            endless.extend_from_slice(b"\r\n");
        }
        let endless = raw(address, &endless).await;
        assert!(endless.starts_with("HTTP/1.1 413"), "{endless}");
        // Whoever sends all of it before reading anything is told, too.
        let large = [head("Content-Length: 60000000", &known).into_bytes(), vec![b' '; 60_000_000]].concat();
        let large = raw(address, &large).await;
        assert!(large.starts_with("HTTP/1.1 413"), "{large}");
    })
    .await;
    world.end().await;
}

/// So many connections to an address that are open at the same time.
async fn crowd(address: SocketAddr, count: usize, api: &Role) -> Vec<TcpStream> {
    let mut open = Vec::new();
    until("all connections are open", LONG, async || {
        // Who says nothing is let go after a while.
        open.retain(|stream: &TcpStream| stream.try_read(&mut [0]).is_err());
        while open.len() < count {
            let connecting = (0..CONNECTING.min(count - open.len())).map(|_| TcpStream::connect(address));
            let connected = tokio::time::timeout(LONG, try_join_all(connecting)).await;
            open.extend(connected.expect("the API accepts").unwrap());
        }
        let files = api.open_files();
        if files >= count { Ok(()) } else { Err(format!("{files} open files")) }
    })
    .await;
    open
}

/// Waits until the API has let go of a crowd.
async fn is_alone(api: &Role) {
    until("the connections are closed", LONG, async || match api.open_files() {
        files if files < 200 => Ok(()),
        files => Err(format!("{files} open files")),
    })
    .await;
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_open_connections_leave_the_api_answering_and_its_memory_flat() {
    let count = room_for(10_000, 1);
    let world = World::new().await;
    let (api, address) = Role::api(&world.servers, world.database_url(), None).await;
    let mut used = Vec::new();
    for _ in 0..3 {
        let crowd = crowd(address, count, &api).await;
        assert!(raw(address, HEALTH).await.starts_with("HTTP/1.1 200"));
        used.push(api.memory() >> 20);
        drop(crowd);
        is_alone(&api).await;
    }
    println!("{count} connections, MiB: {used:?}");
    let most = used.iter().max().unwrap();
    assert!(*most < 100 + count as u64 / 16, "64 KiB for each and no more: {used:?} MiB");
    assert!(used[2] < used[1] + used[1] / 4, "another crowd needs no memory of its own: {used:?} MiB");
    api.stop().await;
    world.end().await;
}

#[tokio::test]
async fn more_connections_than_there_are_files_wait_and_the_idle_ones_make_room() {
    let world = World::new().await;
    let (api, address) = Role::api(&world.servers, world.database_url(), Some(400)).await;
    let mut idle = Vec::new();
    for _ in 0..600 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    until("whoever has something to say is heard", LONG, async || {
        match tokio::time::timeout(Duration::from_secs(5), raw(address, HEALTH)).await {
            Ok(answer) if answer.starts_with("HTTP/1.1 200") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    api.stop().await;
    world.end().await;
}
