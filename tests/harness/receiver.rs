//! An endpoint for webhooks that remembers what it was told, and answers as the test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use infra::runtime::Lifecycle;
use serde_json::Value;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Told {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn version(&self) -> u64 {
        self.body["data"]["version"].as_u64().unwrap()
    }
}

type Answers = dyn Fn(usize) -> Response<Body> + Send + Sync;

#[derive(Clone)]
struct Shared {
    told: Arc<Mutex<Vec<Told>>>,
    answers: Arc<Answers>,
}

/// The endpoint; it ends with the runtime of its test.
pub(crate) struct Receiver {
    address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Receiver {
    /// Answers the request with this number, from 0, with what the function gives.
    pub(crate) async fn answering(answers: impl Fn(usize) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let shared = Shared { told: told.clone(), answers: Arc::new(answers) };
        let app = Router::new().fallback(hear).with_state(shared);
        Lifecycle::default().spawn_detached(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, told }
    }

    /// Takes everything.
    pub(crate) async fn willing() -> Self {
        Self::answering(|_| status(204)).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

/// An empty answer.
pub(crate) fn status(code: u16) -> Response<Body> {
    Response::builder().status(code).body(Body::empty()).unwrap()
}

async fn hear(State(shared): State<Shared>, headers: HeaderMap, text: String) -> Response<Body> {
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    let number = {
        let mut told = shared.told.lock().unwrap();
        told.push(Told { headers, text, body });
        told.len() - 1
    };
    (shared.answers)(number)
}
