//! Clients of the systems that this one replaces: what they send, and what they read out of the answers.

mod ai_story;
mod gateway;
mod generate;
mod replay;
mod server;
mod web;

use axum::http::StatusCode;
use domain::job::Kind;
use serde_json::Value;
use worker::providers::bench::Noted;

use crate::harness::{Http, LONG, World, until};

/// A system with every role at work, as those clients see it.
async fn at_work() -> (World, Http) {
    let world = World::with_engine().await;
    world.start_worker("all", Noted::default(), &Kind::ALL);
    let http = Http::of(&world);
    (world, http)
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
