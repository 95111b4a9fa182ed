//! Settings of who reaches the API and who may do what there, and the refusal to let strangers in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use api::{Access, AuthConfig, ConfigError, Crowd, Rates, Role, Room, Tls};
use clap::{ArgAction, Args};
use infra::outbound::IpNet;
use infra::postgres::{PgPool, access};

use crate::cli::Http;
use crate::config::Config;
use crate::exit::Failed;

/// How the API is reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub(crate) struct ReachArgs {
    /// Where callers reach us, like `https://films.example`; as they asked when not given.
    #[arg(long, env = "STORYTOVIDEO_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
    #[arg(long, env = "STORYTOVIDEO_TRUSTED_PROXIES", value_delimiter = ',', value_name = "NETWORK")]
    trusted_proxies: Vec<IpNet>,
    /// Certificate chain, PEM; with it the API speaks HTTPS.
    #[arg(long, env = "STORYTOVIDEO_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, env = "STORYTOVIDEO_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Where plain HTTP is answered with the HTTPS address.
    #[arg(long, env = "STORYTOVIDEO_REDIRECT_BIND", value_name = "ADDR:PORT")]
    pub(crate) redirect_bind: Option<SocketAddr>,
}

impl ReachArgs {
    /// The certificate, if there is one. What needs what is looked at here, as each may come from another place: a
    /// flag, a variable or the file.
    pub(crate) fn tls(&self) -> Result<Option<Tls>, Failed> {
        let lacks = |words: &str| Err(Failed::Usage(words.to_owned()));
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                Tls::read(cert, key).map(Some).map_err(|error| Failed::Usage(error.to_string()))
            }
            (None, None) if self.redirect_bind.is_some() => {
                lacks("redirect_bind leads to HTTPS, so tls_cert and tls_key must be set too")
            }
            (None, None) => Ok(None),
            _ => lacks("tls_cert and tls_key belong together: set both, or neither"),
        }
    }

    /// `https` with a certificate.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() { "https" } else { "http" }
    }
}

/// Who may do what. Secrets are not here: they have no flags.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Who may do what, and how much")]
pub(crate) struct AccessArgs {
    /// Where the keys are that verify tokens signed by RS256 or ES256.
    #[arg(long, env = "STORYTOVIDEO_AUTH_JWKS_URL", value_name = "URL")]
    auth_jwks_url: Option<String>,
    /// The audience that tokens must be for.
    #[arg(long, env = "STORYTOVIDEO_AUTH_AUDIENCE", value_name = "AUD")]
    auth_audience: Option<String>,
    /// The issuer that tokens must be of.
    #[arg(long, env = "STORYTOVIDEO_AUTH_ISSUER", value_name = "ISS")]
    auth_issuer: Option<String>,
    /// How long a session lasts, in minutes.
    #[arg(long, env = "STORYTOVIDEO_AUTH_SESSION_MINUTES", default_value_t = 480, value_parser = clap::value_parser!(u64).range(1..=1440), value_name = "MINUTES")]
    auth_session_minutes: u64,
    /// Let clients that send no header put an API key first in the path: `/k/<key>/…`
    #[arg(long, env = "STORYTOVIDEO_AUTH_PATH_KEYS", action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_name = "BOOL")]
    auth_path_keys: bool,
    /// Networks whose callers need no credentials.
    #[arg(long, env = "STORYTOVIDEO_AUTH_TRUSTED_NETWORKS", value_delimiter = ',', value_name = "NETWORK")]
    auth_trusted_networks: Vec<IpNet>,
    /// What those callers may do: viewer, editor or admin.
    #[arg(long, env = "STORYTOVIDEO_AUTH_TRUSTED_ROLE", default_value_t = Role::Viewer, value_name = "ROLE")]
    auth_trusted_role: Role,
    /// Requests that look, for each caller and minute.
    #[arg(long, env = "STORYTOVIDEO_LIMITS_READS", default_value_t = Rates::default().reads, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    limits_reads: u32,
    /// Requests that change something, for each caller and minute.
    #[arg(long, env = "STORYTOVIDEO_LIMITS_WRITES", default_value_t = Rates::default().writes, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    limits_writes: u32,
    /// Looks at one task, for each caller and minute.
    #[arg(long, env = "STORYTOVIDEO_LIMITS_POLLS", default_value_t = Rates::default().polls, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    limits_polls: u32,
    /// Live streams of one caller at once.
    #[arg(long, env = "STORYTOVIDEO_LIMITS_STREAMS", default_value_t = Crowd::default().streams, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    limits_streams: u32,
    /// Connections of one address at once; loopback and trusted proxies have no limit.
    #[arg(long, env = "STORYTOVIDEO_LIMITS_CONNECTIONS", default_value_t = Crowd::default().connections, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    limits_connections: u32,
}

/// How much there may be.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Who may do what, and how much")]
pub(crate) struct RoomArgs {
    /// MiB that stay free where media are kept: below that, new work is refused.
    #[arg(long, env = "STORYTOVIDEO_LIMITS_MIN_FREE_MIB", default_value_t = 512, value_name = "MIB")]
    limits_min_free_mib: u64,
    /// Projects that one owner may have.
    #[arg(long, env = "STORYTOVIDEO_QUOTA_PROJECTS", value_name = "N")]
    quota_projects: Option<u64>,
    /// Open tasks that one owner's projects may have.
    #[arg(long, env = "STORYTOVIDEO_QUOTA_OPEN_TASKS", value_name = "N")]
    quota_open_tasks: Option<u64>,
    /// MiB of media that one owner's projects may have.
    #[arg(long, env = "STORYTOVIDEO_QUOTA_MEDIA_MIB", value_name = "MIB")]
    quota_media_mib: Option<u64>,
}

impl RoomArgs {
    fn room(&self) -> Room {
        let bytes = |mib: u64| mib.saturating_mul(1024 * 1024);
        Room {
            free_bytes: bytes(self.limits_min_free_mib),
            projects: self.quota_projects,
            open_tasks: self.quota_open_tasks,
            media_bytes: self.quota_media_mib.map(bytes),
        }
    }
}

impl AccessArgs {
    fn crowd(&self) -> Crowd {
        Crowd { streams: self.limits_streams, connections: self.limits_connections }
    }

    fn auth(&self, config: &Config) -> Result<AuthConfig, Failed> {
        let secret = |key| config.secret(key).map_err(|error| Failed::Usage(error.to_string()));
        Ok(AuthConfig {
            jwt_secret: secret("auth.jwt_secret")?,
            jwks_url: self.auth_jwks_url.clone(),
            audience: self.auth_audience.clone(),
            issuer: self.auth_issuer.clone(),
            signing_key: secret("auth.signing_key")?,
            session: Duration::from_secs(self.auth_session_minutes * 60),
            path_keys: self.auth_path_keys,
            trusted_networks: self.auth_trusted_networks.clone(),
            trusted_role: self.auth_trusted_role,
            rates: Rates { reads: self.limits_reads, writes: self.limits_writes, polls: self.limits_polls },
            webhook_secret: secret("webhooks.inbound_secret")?,
        })
    }
}

impl Http {
    /// Who may ask, and for what.
    pub(crate) fn access(&self, config: &Config) -> Result<Access, Failed> {
        let usage = |error: ConfigError| Failed::Usage(error.to_string());
        let mut hosts = self.allowed_host.clone();
        if !self.bind.ip().is_unspecified() {
            hosts.push(self.bind.ip().to_string());
        }
        let access = Access::new(&hosts, &self.allowed_origin).map_err(usage)?;
        let access = match &self.reach.public_url {
            Some(url) => access.reached_at(url).map_err(usage)?,
            None => access,
        };
        let access = access.behind(self.reach.trusted_proxies.clone()).within(self.room.room());
        access.with_crowd(self.access.crowd()).with_auth(self.access.auth(config)?).map_err(usage)
    }

    /// Nobody from another machine is served without saying who it is.
    pub(crate) fn refuse_strangers_without_keys(&self, access: &Access) -> Result<(), Failed> {
        let mut addresses = [Some(self.bind), self.metrics_bind].into_iter().flatten();
        match addresses.find(|address| !address.ip().is_loopback()) {
            Some(address) if !access.auth().is_on() => Err(Failed::Usage(format!(
                "{address} can be reached from other machines, so callers must say who they are: make an \
                 API key with `storytovideo keys create`, or set STORYTOVIDEO_AUTH_JWT_SECRET or \
                 STORYTOVIDEO_AUTH_JWKS_URL; or choose an address of 127.0.0.0/8"
            ))),
            _ => Ok(()),
        }
    }

    /// The same, where API keys may have been made.
    pub(crate) async fn refuse_strangers(&self, access: &Access, pool: &PgPool) -> Result<(), Failed> {
        match self.refuse_strangers_without_keys(access) {
            Err(refused) if !access::any_key(pool).await.map_err(Failed::because)? => Err(refused),
            _ => Ok(()),
        }
    }
}
