//! Who may do what. Off until a secret, an issuer or a key is configured; then nothing is answered before it
//! is known who asks, but for what [`policy`] leaves open.
//!
//! All of it is decided in [`guard`], before a request reaches its handler, for every route in the same way.

mod bearer;
pub(crate) mod cookie;
mod credentials;
pub(crate) mod guard;
mod identity;
mod jwks;
mod keys;
mod network;
mod ownership;
pub(crate) mod path_key;
pub(crate) mod policy;
mod rates;
mod signing;

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::ProjectId;
use infra::outbound::IpNet;
use infra::postgres::{PgPool, PostgresError, access};
use infra::runtime::Clock;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use uuid::Uuid;

use crate::ConfigError;
use crate::problem::Problem;
use bearer::{TokenError, Verifier};
use credentials::Credential;
use jwks::Jwks;
use ownership::Ownership;
use signing::{Session, seconds};

pub use identity::{Role, UnknownRole, is_sane_subject};
pub use keys::NewKey;
pub use network::Connection;
pub use rates::Rates;

pub(crate) use credentials::none_shown;
pub(crate) use guard::admit;
pub(crate) use identity::{Grounds, Identity};
pub(crate) use network::Client;
pub(crate) use rates::Verdict;
pub(crate) use signing::Signing;

/// The name of the key that we sign with, in its table.
const SIGNING_KEY: &str = "root";
/// How often it is looked whether a key was made, while authentication is off.
const LOOK: Duration = Duration::from_secs(2);
/// Shortest secret, in bytes: a key of HS256 is as long as its hash (RFC 7518, 3.2).
const SECRET: usize = 32;
/// Longest session, and that of a browser: a working day.
const SESSION: Duration = Duration::from_secs(8 * 60 * 60);

/// What is configured about who may do what.
#[derive(Clone)]
pub struct AuthConfig {
    /// Verifies tokens that are signed by HS256.
    pub jwt_secret: Option<String>,
    /// Where the keys are that verify tokens signed by RS256 and ES256.
    pub jwks_url: Option<String>,
    /// Tokens must be for this audience.
    pub audience: Option<String>,
    /// Tokens must be of this issuer.
    pub issuer: Option<String>,
    /// Signs sessions, tickets and the addresses of media; one that the database keeps when absent.
    pub signing_key: Option<String>,
    /// For how long a session lasts.
    pub session: Duration,
    /// Whether an API key may be the first part of the path: `/k/<key>/…`.
    pub path_keys: bool,
    /// Callers from these networks need no credentials.
    pub trusted_networks: Vec<IpNet>,
    /// What those callers may do.
    pub trusted_role: Role,
    /// How much a caller may ask for.
    pub rates: Rates,
    /// What external nodes sign their reports with; without it none are taken.
    pub webhook_secret: Option<String>,
}

/// Half of it are secrets.
impl fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthConfig").finish_non_exhaustive()
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            jwt_secret: None,
            jwks_url: None,
            audience: None,
            issuer: None,
            signing_key: None,
            session: SESSION,
            path_keys: false,
            trusted_networks: Vec::new(),
            trusted_role: Role::default(),
            rates: Rates::default(),
            webhook_secret: None,
        }
    }
}

impl AuthConfig {
    /// Whether this alone switches authentication on. API keys in the database do, too.
    pub fn is_on(&self) -> bool {
        self.jwt_secret.is_some() || self.jwks_url.is_some()
    }

    /// Whether it makes sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.jwt_secret.as_deref().is_some_and(|secret| secret.len() < SECRET) {
            return Err(ConfigError::Secret("auth.jwt_secret"));
        }
        if self.signing_key.as_deref().is_some_and(|key| key.len() < SECRET) {
            return Err(ConfigError::Secret("auth.signing_key"));
        }
        if self.webhook_secret.as_deref().is_some_and(|secret| secret.len() < SECRET) {
            return Err(ConfigError::Secret("webhooks.inbound_secret"));
        }
        self.jwks()?;
        Ok(())
    }

    fn jwks(&self) -> Result<Option<Jwks>, ConfigError> {
        self.jwks_url
            .as_deref()
            .map(Jwks::new)
            .transpose()
            .map_err(|error| ConfigError::Jwks(error.to_string()))
    }
}

/// Knows callers by what they show.
#[derive(Debug)]
pub(crate) struct Auth {
    config: AuthConfig,
    pool: PgPool,
    clock: Clock,
    on: AtomicBool,
    looked: Mutex<Option<Instant>>,
    verifier: Verifier,
    keys: keys::Keys,
    signing: OnceCell<Signing>,
    ownership: Ownership,
    windows: rates::Windows,
}

impl Auth {
    /// What was configured, which [`AuthConfig::check`] found to make sense.
    pub(crate) fn new(config: AuthConfig, pool: PgPool, clock: Clock) -> Self {
        // An address that makes no sense is refused at the start of the program; here it is as no address.
        let jwks = config.jwks().ok().flatten();
        let (audience, issuer) = (config.audience.clone(), config.issuer.clone());
        Self {
            on: AtomicBool::new(config.is_on()),
            looked: Mutex::new(None),
            verifier: Verifier::new(config.jwt_secret.as_deref(), jwks, audience, issuer),
            keys: keys::Keys::new(),
            signing: OnceCell::new(),
            ownership: Ownership::new(pool.clone()),
            windows: rates::Windows::new(config.rates),
            config,
            pool,
            clock,
        }
    }

    /// Whether callers must say who they are. Once they must, they must until this process ends.
    pub(crate) async fn is_on(&self) -> Result<bool, PostgresError> {
        if self.on.load(Ordering::Relaxed) {
            return Ok(true);
        }
        if self.looked_lately() {
            return Ok(false);
        }
        if access::any_key(&self.pool).await? {
            self.on.store(true, Ordering::Relaxed);
            tracing::info!("an API key was made: authentication is on");
            return Ok(true);
        }
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(false)
    }

    fn looked_lately(&self) -> bool {
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.is_some_and(|at| at.elapsed() < LOOK)
    }

    /// Whether keys may be parts of paths.
    pub(crate) fn has_path_keys(&self) -> bool {
        self.config.path_keys
    }

    /// What sessions, tickets and addresses of media are signed with.
    pub(crate) async fn signing(&self) -> Result<&Signing, Problem> {
        let make = async || {
            let key = match &self.config.signing_key {
                Some(key) => key.clone().into_bytes(),
                None => access::signing_key(&self.pool, SIGNING_KEY, &keys::random_secret()).await?,
            };
            Signing::new(&key).map_err(|error| Problem::internal(error.to_string()))
        };
        self.signing.get_or_try_init(make).await
    }

    /// Who shows this.
    async fn identify(&self, credential: &Credential, client: Client) -> Result<Identity, Problem> {
        match credential {
            Credential::ApiKey(key) => Ok(self.key_holder(key, client).await?.1),
            Credential::Token(token) if is_session(token) => self.session_holder(token).await,
            Credential::Token(token) => match self.verifier.identify(token).await {
                Ok(identity) => Ok(identity),
                Err(error @ TokenError::IssuerSilent) => {
                    Err(Problem::unavailable("issuer_unavailable", error.to_string()))
                }
                Err(error) => Err(credentials::bad(error.to_string())),
            },
            Credential::Ticket(ticket) => {
                let ticket = self.signing().await?.read_ticket(ticket);
                let ticket = ticket.ok_or_else(|| credentials::bad("the ticket is not valid, or over"))?;
                Ok(Identity::with_ticket(&ticket.sub, ticket.project).on(ticket.grounds))
            }
            Credential::Cookie(token) => Ok(self.session_holder(token).await?.by_cookie()),
            Credential::None => self.trusted(client).ok_or_else(credentials::none_shown),
        }
    }

    /// Who shows this API key, and the key's id.
    async fn key_holder(&self, key: &str, client: Client) -> Result<(Uuid, Identity), Problem> {
        if self.keys.is_unheard_of(key) {
            self.check_refusals(client)?;
        }
        let found = self.keys.identify(&self.pool, key).await?;
        found.ok_or_else(|| credentials::bad("the API key is unknown or revoked"))
    }

    async fn session_holder(&self, token: &str) -> Result<Identity, Problem> {
        let over = || credentials::bad("the session is over, or none of ours");
        let session = self.signing().await?.read_session(token).ok_or_else(over)?;
        let holder = self.keys.holder(&self.pool, session.key).await?.ok_or_else(over)?;
        Ok(holder.on(Grounds { key: Some(session.key), until: Some(session.exp) }))
    }

    /// Callers from a trusted network, all under one name.
    fn trusted(&self, client: Client) -> Option<Identity> {
        let address = client.address?;
        let trusted = self.config.trusted_networks.iter().any(|network| network.contains(&address));
        trusted.then(|| Identity::new("trusted-network", self.config.trusted_role))
    }

    /// A session for whoever holds this API key: its token, its end, and the holder.
    pub(crate) async fn begin_session(
        &self,
        key: &str,
        client: Client,
    ) -> Result<(String, DateTime<Utc>, Identity), Problem> {
        let (id, identity) = self.key_holder(key, client).await?;
        let until = self.clock.now() + self.config.session;
        let token = self.signing().await?.session(&Session { key: id, exp: seconds(until) });
        let token = token.map_err(|error| Problem::internal(error.to_string()))?;
        Ok((token, until, identity))
    }

    /// Whether the caller may see a project that was named otherwise than in the path.
    pub(crate) async fn may_see(&self, identity: &Identity, project: ProjectId) -> Result<bool, Problem> {
        self.ownership.may_see(identity, ownership::Asked::Project(project)).await
    }
}

fn is_session(token: &str) -> bool {
    jsonwebtoken::decode_header(token).is_ok_and(|header| header.typ.as_deref() == Some(signing::SESSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_as_many_bytes_as_what_it_signs_with() {
        let of = |length: usize| AuthConfig { jwt_secret: Some("x".repeat(length)), ..AuthConfig::default() };
        assert!(of(32).check().is_ok());
        for length in [0, 16, 31] {
            assert!(matches!(of(length).check(), Err(ConfigError::Secret("auth.jwt_secret"))), "{length}");
            let reports = AuthConfig { webhook_secret: Some("x".repeat(length)), ..AuthConfig::default() };
            assert!(
                matches!(reports.check(), Err(ConfigError::Secret("webhooks.inbound_secret"))),
                "{length}"
            );
        }
    }
}
