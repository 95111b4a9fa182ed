//! Who may do what: credentials that are missing, forged, over or another's, roles, owners, tickets, signed
//! addresses and limits, against the whole system.

mod alone;
mod credentials;
mod crowd;
mod facades;
mod issuer;
mod keys;
mod limits;
mod owners;
mod pages;
mod room;
mod streams;
mod webhooks;
mod wire;

use std::collections::BTreeMap;

use api::{Access, AuthConfig};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::{World, assert_documented};

pub(crate) const SECRET: &str = "a secret of thirty-two bytes or more";

/// What a request came to.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// One server with authentication, that keeps its windows and caches between requests.
pub(crate) struct Server {
    pub(crate) world: World,
    router: Router,
}

impl Server {
    /// With a shared secret and an engine that keeps the read tables.
    pub(crate) async fn new() -> Self {
        Self::with(|auth| auth).await
    }

    pub(crate) async fn with(change: impl FnOnce(AuthConfig) -> AuthConfig) -> Self {
        let world = World::with_engine().await;
        let auth = AuthConfig { jwt_secret: Some(SECRET.to_owned()), ..AuthConfig::default() };
        let access = Access::default().with_auth(change(auth)).unwrap();
        let router = api::router(world.shared.api(access));
        Self { world, router }
    }

    /// A request as somebody, or as nobody.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        who: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let bearer = who.map(|token| format!("Bearer {token}"));
        let headers: BTreeMap<&str, &str> =
            bearer.iter().map(|value| ("authorization", value.as_str())).collect();
        self.send(method, path, &headers, body).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &BTreeMap<&str, &str>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            Some(body) => {
                request.header("content-type", "application/json").body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        };
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 10_000_000).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        assert_documented(method, path, parts.status, &body);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A new project of somebody's: its path.
    pub(crate) async fn project_of(&self, who: &str) -> String {
        let answer = self.ask("POST", "/v1/projects", Some(who), Some(json!({ "story": "One. Two." }))).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        format!("/v1/projects/{}", answer.body["id"].as_str().unwrap())
    }

    pub(crate) async fn end(self) {
        self.world.end().await;
    }
}

/// A good token for an hour.
pub(crate) fn token(subject: &str, role: &str) -> String {
    signed(&json!({ "sub": subject, "role": role, "exp": now() + 3_600 }), SECRET)
}

pub(crate) fn signed(claims: &Value, secret: &str) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

pub(crate) fn now() -> i64 {
    infra::runtime::Clock::System.now().timestamp()
}
