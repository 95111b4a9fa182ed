//! An open stream ends with what let its reader in.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use api::{Access, AuthConfig, Listeners, Role};
use chrono::TimeDelta;
use domain::ids::ProjectId;
use domain::project::Command;
use futures::StreamExt;
use infra::postgres::access as keys;
use infra::runtime::Clock;
use serde_json::json;
use standalone::stack::Shared;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::wire::{access, any, serve};
use super::{SECRET, Server, now, token};
use crate::harness::{Http, LONG, Listener, envelope};

/// Everything until the stream is closed.
async fn until_closed(mut stream: Listener) {
    while stream.next().await.is_some() {}
}

fn id_in(path: &str) -> ProjectId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

async fn listen(http: &Http, path: &str, credential: &str) -> Listener {
    let bearer = format!("Bearer {credential}");
    let mut stream = http.listen(&format!("{path}/events"), &[("authorization", &bearer)]).await;
    assert_eq!(stream.next().await.expect("it begins with a snapshot").1["type"], "snapshot");
    stream
}

fn served(shared: &Shared) -> Http {
    let auth = AuthConfig { jwt_secret: Some(SECRET.to_owned()), ..AuthConfig::default() };
    Http::with(shared, Access::default().with_auth(auth).unwrap())
}

#[tokio::test]
async fn a_stream_ends_when_its_key_is_revoked_and_so_does_what_a_ticket_of_it_opened() {
    let server = Server::new().await;
    let http = served(&server.world.shared);
    let key = server.key("ada", Role::Editor).await;
    let path = server.project_of(&key.text).await;
    let by_key = listen(&http, &path, &key.text).await;
    let ticket = json!({ "projectId": id_in(&path) });
    let ticket = server.ask("POST", "/v1/tickets", Some(&key.text), Some(ticket)).await.body;
    let ticket = ticket["ticket"].as_str().unwrap();
    let by_ticket = http.listen(&format!("{path}/events?ticket={ticket}"), &[]).await;
    let mut by_token = listen(&http, &path, &token("ada", "viewer")).await;
    keys::revoke_key(server.world.pool(), key.row.id, Clock::System.now()).await.unwrap();
    tokio::join!(until_closed(by_key), until_closed(by_ticket));
    let rename = Some(json!({ "title": "Another" }));
    let renamed = server.ask("PATCH", &path, Some(&token("ada", "editor")), rename).await;
    assert_eq!(renamed.status, 200, "{}", renamed.body);
    while by_token.next().await.expect("others go on").1["event"]["type"] != "ProjectRenamed" {}
    server.end().await;
}

#[tokio::test]
async fn a_stream_ends_when_its_session_or_token_is_over() {
    let server = Server::new().await;
    let clock = Arc::new(AtomicI64::new(now() * 1_000));
    let shared = Shared { clock: Clock::Fixed(clock.clone()), ..server.world.shared.clone() };
    let http = served(&shared);
    let path = server.project_of(&token("ada", "editor")).await;
    let key = server.key("ada", Role::Viewer).await;
    let begin = Some(json!({ "apiKey": key.text }));
    let session = http.ask("POST", "/v1/session", &[], begin).await.body;
    let by_session = listen(&http, &path, session["token"].as_str().unwrap()).await;
    let by_token = listen(&http, &path, &token("ada", "viewer")).await;
    clock.store((now() + 9 * 3_600) * 1_000, Ordering::Relaxed);
    tokio::join!(until_closed(by_session), until_closed(by_token));
    server.end().await;
}

#[tokio::test]
async fn a_stream_ends_when_its_project_is_gone_for_good() {
    let server = Server::new().await;
    let http = served(&server.world.shared);
    let ada = token("ada", "editor");
    let path = server.project_of(&ada).await;
    let stream = listen(&http, &path, &ada).await;
    let mut deletion = envelope(Command::DeleteProject);
    deletion.context.at -= TimeDelta::days(40);
    server.world.shared.store.execute(id_in(&path), deletion).await.unwrap();
    server.world.execute(id_in(&path), Command::PurgeProject { early: true }).await;
    until_closed(stream).await;
    server.end().await;
}

#[tokio::test]
async fn sockets_are_closed_too_whichever_clients_they_are() {
    let server = Server::new().await;
    let key = server.key("ada", Role::Editor).await;
    let path = server.project_of(&key.text).await;
    let tasks = server.ask("GET", &format!("{path}/tasks"), Some(&key.text), None).await.body;
    let task = tasks["items"][0]["id"].as_str().unwrap();
    let listeners = Listeners::bind(any(), None).await.unwrap();
    let address = listeners.api.local_addr().unwrap();
    serve(&server.world, access(AuthConfig::default()), listeners, async {
        let open = async |target: &str| {
            let mut request = format!("ws://{address}{target}").into_client_request().unwrap();
            let bearer = format!("Bearer {}", key.text).parse().unwrap();
            request.headers_mut().insert("authorization", bearer);
            let mut socket = connect_async(request).await.unwrap().0;
            assert!(matches!(socket.next().await, Some(Ok(Message::Text(_)))), "{target}");
            socket
        };
        let mut sockets = [open(&format!("{path}/stream")).await, open(&format!("/tasks/{task}/wss")).await];
        keys::revoke_key(server.world.pool(), key.row.id, Clock::System.now()).await.unwrap();
        for socket in &mut sockets {
            let told = async {
                loop {
                    let message = socket.next().await.expect("it is closed with a reason").unwrap();
                    if let Message::Close(frame) = message {
                        break frame.unwrap().code;
                    }
                }
            };
            let code = tokio::time::timeout(LONG, told).await.expect("the socket is closed");
            assert_eq!(code, CloseCode::Policy);
        }
    })
    .await;
    server.end().await;
}
