//! The API in a process of its own: what it writes into its log, and what strangers can make it hold.

use std::net::{SocketAddr, TcpListener};

use api::{NewKey, Role as May};
use infra::postgres::access;
use infra::runtime::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{LONG, Role, World, until};

const GIB: usize = 1 << 30;
const MIB: u64 = 1 << 20;

/// The API alone, with authentication on, and an editor's key.
async fn alone(world: &World) -> (Role, SocketAddr, String) {
    let key = NewKey::new("test", "ada", May::Editor, Clock::System.now());
    access::insert_key(world.pool(), &key.row).await.unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bind = address.to_string();
    let mut role = Role::start(&world.servers, world.database_url(), "api", 40, &["api", "--bind", &bind]);
    until("the API answers", LONG, async || {
        role.keep_alive();
        let answer = ask(address, "GET /readyz HTTP/1.1\r\n").await;
        if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(answer) }
    })
    .await;
    (role, address, key.text)
}

/// What a request without a body comes to; nothing when there is no connection.
async fn ask(address: SocketAddr, head: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address).await else { return String::new() };
    let request = format!("{head}Host: localhost\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(request.as_bytes()).await;
    read(stream).await
}

/// What comes until the server closes.
async fn read(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the server does not close");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn every_refusal_is_a_line_of_the_audit_without_what_was_shown() {
    let world = World::new().await;
    let (role, address, key) = alone(&world).await;
    let id = key.split('_').nth(1).unwrap();
    let forged = format!("stv_{id}_{}", "5ec7e7".repeat(10) + "5ec7");
    let head = format!(
        "GET /v1/projects?q=hidden HTTP/1.1\r\nAuthorization: Bearer {forged}\r\nX-Request-Id: r-7\r\n"
    );
    assert!(ask(address, &head).await.starts_with("HTTP/1.1 401"));
    let head = format!("GET /v1/workers HTTP/1.1\r\nAuthorization: Bearer {key}\r\n");
    assert!(ask(address, &head).await.starts_with("HTTP/1.1 403"));
    let lines = until("the audit has both", LONG, async || {
        let log = role.log();
        let lines: Vec<String> =
            log.lines().filter(|line| line.contains("audit")).map(str::to_owned).collect();
        if lines.len() == 2 { Ok(lines) } else { Err(log) }
    })
    .await;
    for (line, words) in lines.iter().zip([
        ["credentials_invalid", "401", "GET", "/v1/projects", "127.0.0.1", "r-7"],
        ["role_insufficient", "403", "GET", "/v1/workers", "ada", "denied"],
    ]) {
        assert!(words.iter().all(|word| line.contains(word)), "{words:?} in {line}");
    }
    let secret = key.rsplit('_').next().unwrap();
    let log = role.log();
    assert!(!log.contains("5ec7e7") && !log.contains(secret) && !log.contains("hidden"), "{log}");
    role.stop().await;
    world.end().await;
}

#[tokio::test]
async fn refusals_of_handlers_are_lines_of_the_audit_too() {
    let world = World::new().await;
    let (role, address, key) = alone(&world).await;
    let send = async |method_and_path: &str, key: &str, body: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "{method_and_path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        read(stream).await
    };
    let nobodys = "01900000-0000-7000-8000-000000000001";
    let project = format!("{{\"projectId\":\"{nobodys}\"}}");
    let webhook = format!("{{\"url\":\"https://films.example/\",\"projectId\":\"{nobodys}\"}}");
    for (what, shown, body, status) in [
        ("POST /v1/session", "stv_1_2", "{}", "401"),
        ("POST /v1/tickets", &key, &project, "404"),
        ("POST /v1/webhooks", &key, &webhook, "422"),
        (&format!("GET /v1/webhooks/{nobodys}"), &key, "", "404"),
        (&format!("GET /v1/api/projects/{nobodys}"), &key, "", "404"),
    ] {
        let answer = send(what, shown, body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer}");
    }
    let routes =
        ["/v1/session", "/v1/tickets", "/v1/webhooks", "/v1/webhooks/{webhook}", "/v1/api/projects/"];
    until("the audit has them all, and what was no refusal not", LONG, async || {
        let log = role.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("audit")).collect();
        let told = lines.len() == routes.len()
            && routes.iter().zip(&lines).all(|(route, line)| line.contains(route));
        if told { Ok(()) } else { Err(log) }
    })
    .await;
    role.stop().await;
    world.end().await;
}

#[tokio::test]
async fn a_gibibyte_is_refused_early_and_takes_no_memory() {
    let world = World::new().await;
    let (role, address, key) = alone(&world).await;
    let before = role.memory();
    for length in [format!("Content-Length: {GIB}"), "Transfer-Encoding: chunked".to_owned()] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /v1/projects HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\n{length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let piece = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        let mut sent = 0;
        // The server closes when it has heard enough.
        while sent < GIB && stream.write_all(&piece).await.is_ok() {
            sent += piece.len();
        }
        assert!(sent < GIB / 8, "{length}: {sent} bytes were taken");
    }
    let grown = role.memory().saturating_sub(before);
    assert!(grown < 64 * MIB, "{grown} bytes more");
    role.stop().await;
    world.end().await;
}

#[tokio::test]
async fn who_does_not_finish_the_head_of_a_request_is_let_go_and_others_are_served_meanwhile() {
    let world = World::new().await;
    let (role, address, _) = alone(&world).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: local").await.unwrap();
    let answer = ask(address, "GET /healthz HTTP/1.1\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = read(slow).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    role.stop().await;
    world.end().await;
}
