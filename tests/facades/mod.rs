//! Clients of the systems that this one replaces: what they send, and what they read out of the answers.

mod ai_story;
mod frames;
mod gateway;
mod generate;
mod replay;
mod server;
mod web;

use axum::http::StatusCode;
use domain::job::Kind;
use futures::StreamExt;
use serde_json::Value;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use worker::providers::bench::Noted;

use crate::harness::{Http, LONG, Served, World, until};

/// A system with every role at work, as those clients see it.
async fn at_work() -> (World, Http) {
    let world = World::with_engine().await;
    world.start_worker("all", Noted::default(), &Kind::ALL);
    let http = Http::of(&world);
    (world, http)
}

/// What a task says until its socket closes.
async fn watched(world: &World, path: &str) -> Vec<Value> {
    Served::during(world, async |served| {
        let (mut socket, _) = connect_async(format!("ws://{}{path}", served.api)).await.unwrap();
        let mut seen = Vec::new();
        let watching = async {
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Text(text) = message {
                    seen.push(serde_json::from_str::<Value>(&text).unwrap());
                }
            }
        };
        tokio::time::timeout(LONG, watching).await.expect("the socket closes");
        seen
    })
    .await
}

impl Http {
    /// A success, which is 200 on every façade.
    async fn ok(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        until(path, LONG, async || {
            let answer = self.ask(method, path, &[], body.clone()).await;
            if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                // A busy machine may not have read a change after 2 s.
                return Err(answer.body.to_string());
            }
            assert_eq!(answer.status, StatusCode::OK, "{method} {path}: {}", answer.body);
            Ok(answer.body)
        })
        .await
    }

    /// Asks until an answer has what is waited for.
    async fn until(&self, path: &str, what: impl Fn(&Value) -> bool) -> Value {
        until(path, LONG, async || {
            let answer = self.ok("GET", path, None).await;
            if what(&answer) { Ok(answer) } else { Err(answer.to_string()) }
        })
        .await
    }
}

/// The names of an object's members, in the order of the alphabet.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Ends a test once nothing is left to be done.
async fn finish(world: World) {
    world.finish().await;
}

/// Whether a media URL is absolute and leads to something, also with what those clients append.
async fn leads_somewhere(http: &Http, url: &str) -> bool {
    let path = url.strip_prefix("http://localhost").unwrap_or_else(|| panic!("{url} is absolute"));
    http.ask("GET", &format!("{path}?v=2&retry=1"), &[], None).await.status == StatusCode::OK
}
