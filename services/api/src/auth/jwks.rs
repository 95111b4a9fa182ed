//! The public keys of an issuer (RFC 7517): fetched when needed, kept for a while, and never more than so
//! many or so often.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::bearer::TokenError;
use crate::problem::chain;

/// Time to fetch the keys.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer, in bytes.
const SIZE: usize = 256 * 1024;
/// Keys that are looked at.
const KEYS: usize = 64;
/// Keys are fetched again after so long.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// What was fetched is believed for so long when the issuer does not answer.
const STALE: Duration = Duration::from_secs(60 * 60);
/// Shortest time between two attempts, whatever tokens name.
const PAUSE: Duration = Duration::from_secs(15);

/// Why keys cannot be fetched from there at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum JwksError {
    /// The address is none, or not a safe one.
    #[error("{0:?} is not an https address (http is allowed to loopback only)")]
    Address(String),
    /// No client can be made.
    #[error("cannot make an HTTP client: {0}")]
    Client(#[source] reqwest::Error),
}

/// An issuer's keys.
#[derive(Debug)]
pub(super) struct Jwks {
    issuer: Arc<Issuer>,
    /// Fetches go on when whoever began one has gone, so that nobody can keep them from their end.
    fetches: TaskTracker,
}

#[derive(Debug)]
struct Issuer {
    url: reqwest::Url,
    client: reqwest::Client,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Vec<Jwk>,
    fetched: Option<Instant>,
    /// The last attempt to fetch them, which may be under way.
    tried: Option<(Instant, Attempt)>,
}

/// Ends when the attempt has, well or not.
type Attempt = Shared<BoxFuture<'static, ()>>;

impl Jwks {
    /// Keys from an address; nothing is fetched yet.
    pub(super) fn new(url: &str) -> Result<Self, JwksError> {
        let address = reqwest::Url::parse(url).ok().filter(is_safe);
        let url = address.ok_or_else(|| JwksError::Address(url.to_owned()))?;
        // A provider that is installed already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(JwksError::Client)?;
        let issuer = Arc::new(Issuer { url, client, known: Mutex::default() });
        Ok(Self { issuer, fetches: TaskTracker::new() })
    }

    /// The key that a token names. Whoever names a known one waits for nothing, others for one fetch at most.
    pub(super) async fn key(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, TokenError> {
        let (found, is_fresh) = {
            let known = self.issuer.known();
            (known.is_within(STALE) && find(&known.keys, id, algorithm).is_some(), known.is_within(FRESH))
        };
        if !found || !is_fresh {
            let attempt = self.attempt();
            if !found {
                attempt.await;
            }
        }
        let known = self.issuer.known();
        if !known.is_within(STALE) {
            return Err(TokenError::IssuerSilent);
        }
        let key = find(&known.keys, id, algorithm).ok_or(TokenError::Invalid)?;
        DecodingKey::from_jwk(key).map_err(|_| TokenError::Invalid)
    }

    /// The attempt that was begun lately, or a new one.
    fn attempt(&self) -> Attempt {
        let mut known = self.issuer.known();
        if let Some((at, attempt)) = &known.tried
            && at.elapsed() < PAUSE
        {
            return attempt.clone();
        }
        let fetching = self.fetches.spawn(self.issuer.clone().renew());
        let attempt = fetching.map(drop).boxed().shared();
        known.tried = Some((Instant::now(), attempt.clone()));
        attempt
    }
}

impl Known {
    /// Whether the keys were fetched so short a time ago.
    fn is_within(&self, time: Duration) -> bool {
        self.fetched.is_some_and(|at| at.elapsed() < time)
    }
}

impl Issuer {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn renew(self: Arc<Self>) {
        match self.fetch().await {
            Ok(keys) => {
                let mut known = self.known();
                known.keys = keys;
                known.fetched = Some(Instant::now());
            }
            Err(error) => tracing::warn!(error = chain(&error), "the issuer's keys cannot be fetched"),
        }
    }

    async fn fetch(&self) -> Result<Vec<Jwk>, FetchError> {
        let mut response = self.client.get(self.url.clone()).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > SIZE {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        read(&body)
    }
}

/// The keys of a set. Those of a kind that nobody here knows are as if they were not there (RFC 7517, 5).
fn read(set: &[u8]) -> Result<Vec<Jwk>, FetchError> {
    let KeySet { keys } = serde_json::from_slice(set)?;
    let known = keys.into_iter().take(KEYS).filter_map(|key| serde_json::from_value(key).ok());
    Ok(known.collect())
}

/// A set of keys, each in whatever form.
#[derive(Debug, Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the request failed")]
    Request(#[source] reqwest::Error),
    #[error("the answer is no key set")]
    Form(#[from] serde_json::Error),
    #[error("the answer is larger than {SIZE} bytes")]
    TooLarge,
}

/// The address may hold a secret, which no log may know.
impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error.without_url())
    }
}

fn is_safe(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

/// The key of this id, or the only one where the token names none, if it is one for this algorithm.
fn find<'a>(keys: &'a [Jwk], id: Option<&str>, algorithm: Algorithm) -> Option<&'a Jwk> {
    let mut fitting = keys.iter().filter(|key| is_for(key, algorithm));
    match id {
        Some(id) => fitting.find(|key| key.common.key_id.as_deref() == Some(id)),
        None => fitting.next().filter(|_| fitting.next().is_none()),
    }
}

/// A key signs by one algorithm, that of its type; symmetric ones have no place among public keys.
fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    let stated = key.common.key_algorithm;
    let signs_by = match (&key.algorithm, stated) {
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Some(Algorithm::RS256),
        (AlgorithmParameters::EllipticCurve(_), None | Some(KeyAlgorithm::ES256)) => Some(Algorithm::ES256),
        _ => None,
    };
    let signs = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    signs && signs_by == Some(algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(set: Value) -> Vec<Jwk> {
        read(json!({ "keys": set }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_key_counts_only_for_the_algorithm_of_its_type() {
        let keys = keys(json!([
            { "kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB" },
            { "kty": "EC", "kid": "e", "crv": "P-256", "x": "AA", "y": "AA" },
            { "kty": "oct", "kid": "o", "k": "AAAA" },
            { "kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB" },
            { "kty": "RSA", "kid": "512", "alg": "RS512", "n": "AQAB", "e": "AQAB" },
        ]));
        let found = |id: Option<&str>, algorithm| find(&keys, id, algorithm).is_some();
        assert!(found(Some("r"), Algorithm::RS256) && found(Some("e"), Algorithm::ES256));
        assert!(!found(Some("r"), Algorithm::ES256) && !found(Some("e"), Algorithm::RS256));
        for id in ["o", "enc", "512", "unknown"] {
            assert!(!found(Some(id), Algorithm::RS256), "{id}");
        }
        assert!(found(None, Algorithm::RS256), "the only one that signs so");
    }

    #[test]
    fn a_key_of_an_unknown_kind_takes_no_other_with_it() {
        let set = json!([
            { "kty": "AKP", "kid": "new", "alg": "ML-DSA-44", "pub": "AAAA" },
            7,
            { "kty": "RSA", "kid": "r", "alg": "RS256", "n": "AQAB", "e": "AQAB" },
        ]);
        assert!(find(&keys(set), Some("r"), Algorithm::RS256).is_some());
        assert!(read(b"[]").is_err() && read(b"nothing").is_err());
    }

    #[tokio::test]
    async fn why_keys_cannot_be_fetched_is_told_without_the_address_which_may_hold_a_secret() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let jwks = Jwks::new(&format!("http://{closed}/keys?key=hidden")).unwrap();
        let told = chain(&jwks.issuer.fetch().await.unwrap_err());
        assert!(told.contains("the request failed: ") && !told.contains("hidden"), "{told}");
    }

    #[test]
    fn two_keys_are_not_told_apart_without_their_ids() {
        let two = json!([
            { "kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB" },
            { "kty": "RSA", "kid": "b", "n": "AQAB", "e": "AQAB" },
        ]);
        assert!(find(&keys(two), None, Algorithm::RS256).is_none());
    }

    /// Tells its keys once, and then takes questions and never answers them.
    async fn answer_once(listener: tokio::net::TcpListener, set: Value) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut first, _) = listener.accept().await.unwrap();
        let _ = first.read(&mut [0; 4_096]).await.unwrap();
        let body = set.to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        first.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut silent = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            silent.push(stream);
        }
    }

    #[tokio::test]
    async fn who_names_a_known_key_does_not_wait_for_those_who_name_others() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let jwks = Jwks::new(&format!("http://{}/keys", listener.local_addr().unwrap())).unwrap();
        let set = json!({ "keys": [{ "kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB" }] });
        let asking = async {
            assert!(jwks.key(Some("r"), Algorithm::RS256).await.is_ok());
            tokio::time::pause();
            tokio::time::advance(PAUSE).await;
            tokio::time::resume();
            let mut stranger = std::pin::pin!(jwks.key(Some("x"), Algorithm::RS256));
            assert!(futures::poll!(stranger.as_mut()).is_pending(), "the issuer is asked, and silent");
            let known = jwks.key(Some("r"), Algorithm::RS256).now_or_never();
            assert!(known.expect("without waiting").is_ok());
        };
        tokio::select! {
            () = answer_once(listener, set) => unreachable!("it listens for ever"),
            () = asking => {}
        }
    }

    #[test]
    fn keys_come_by_a_safe_way_only() {
        for url in
            ["https://issuer.example/jwks", "http://127.0.0.1:1/jwks", "http://[::1]/", "http://localhost/"]
        {
            assert!(Jwks::new(url).is_ok(), "{url}");
        }
        for url in
            ["http://issuer.example/jwks", "file:///etc/passwd", "issuer", "http://127.0.0.1.evil.example/"]
        {
            assert!(Jwks::new(url).is_err(), "{url}");
        }
    }
}
