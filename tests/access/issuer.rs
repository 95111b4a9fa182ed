//! Tokens of an issuer whose keys are fetched: the right key by the right algorithm, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::AuthConfig;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rsa::pkcs1::EncodeRsaPrivateKey;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::{Server, now};

/// An issuer with one key of each kind.
struct Issuer {
    rsa: EncodingKey,
    ec: EncodingKey,
    set: Value,
}

impl Issuer {
    fn new() -> Self {
        let rsa = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        let rsa = EncodingKey::from_rsa_der(rsa.to_pkcs1_der().unwrap().as_bytes());
        let ec = EncodingKey::from_ec_der(&rcgen::KeyPair::generate().unwrap().serialize_der());
        let public = |id: &str, key: &EncodingKey, algorithm| {
            let mut key = Jwk::from_encoding_key(key, algorithm).unwrap();
            key.common.key_id = Some(id.to_owned());
            key
        };
        let keys = [public("r", &rsa, Algorithm::RS256), public("e", &ec, Algorithm::ES256)];
        let set = json!({ "keys": keys });
        Self { rsa, ec, set }
    }

    fn token(&self, id: &str, algorithm: Algorithm) -> String {
        let header = Header { kid: Some(id.to_owned()), ..Header::new(algorithm) };
        let key = if algorithm == Algorithm::RS256 { &self.rsa } else { &self.ec };
        let claims = json!({ "sub": "ada", "exp": now() + 60, "aud": "films", "iss": "home" });
        encode(&header, &claims, key).unwrap()
    }

    /// Tells its keys, and counts how often.
    async fn serve(&self) -> (SocketAddr, Arc<AtomicUsize>, AbortOnDropHandle<()>) {
        let (set, asked) = (self.set.clone(), Arc::new(AtomicUsize::new(0)));
        let count = asked.clone();
        let tell = get(move || {
            count.fetch_add(1, Ordering::Relaxed);
            std::future::ready(axum::Json(set.clone()))
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = async { axum::serve(listener, Router::new().route("/keys", tell)).await.unwrap() };
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        let serving = tokio::spawn(serving);
        (address, asked, AbortOnDropHandle::new(serving))
    }
}

async fn server_for(address: SocketAddr) -> Server {
    Server::with(|auth| AuthConfig {
        jwt_secret: None,
        jwks_url: Some(format!("http://{address}/keys")),
        audience: Some("films".to_owned()),
        issuer: Some("home".to_owned()),
        ..auth
    })
    .await
}

#[tokio::test]
async fn a_token_of_the_issuer_counts_by_the_key_it_names_and_the_keys_are_fetched_once() {
    let issuer = Issuer::new();
    let (address, asked, _serving) = issuer.serve().await;
    let server = server_for(address).await;
    let status = async |token: &str| server.ask("GET", "/v1/session", Some(token), None).await.status;
    assert_eq!(status(&issuer.token("r", Algorithm::RS256)).await, StatusCode::OK);
    assert_eq!(status(&issuer.token("e", Algorithm::ES256)).await, StatusCode::OK);
    for (id, algorithm) in [("e", Algorithm::RS256), ("r", Algorithm::ES256), ("x", Algorithm::RS256)] {
        assert_eq!(
            status(&issuer.token(id, algorithm)).await,
            StatusCode::UNAUTHORIZED,
            "{id} {algorithm:?}"
        );
    }
    let stranger = Issuer::new();
    assert_eq!(status(&stranger.token("r", Algorithm::RS256)).await, StatusCode::UNAUTHORIZED);
    // The public key, which everybody knows, as if it were a shared secret.
    let modulus = issuer.set["keys"][0]["n"].as_str().unwrap();
    let claims = json!({ "sub": "root", "role": "admin", "exp": now() + 60, "aud": "films", "iss": "home" });
    let header = Header { kid: Some("r".to_owned()), ..Header::new(Algorithm::HS256) };
    let confused = encode(&header, &claims, &EncodingKey::from_secret(modulus.as_bytes())).unwrap();
    assert_eq!(status(&confused).await, StatusCode::UNAUTHORIZED);
    assert_eq!(asked.load(Ordering::Relaxed), 1, "unknown names do not make us ask again and again");
    server.end().await;
}

#[tokio::test]
async fn while_the_issuer_is_silent_nobody_is_let_in_and_nobody_is_called_a_liar() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = server_for(address).await;
    let answer =
        server.ask("GET", "/v1/session", Some(&Issuer::new().token("r", Algorithm::RS256)), None).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("issuer_unavailable"))
    );
    server.end().await;
}
