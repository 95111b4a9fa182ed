//! Every setting there is. `docs/configuration.md` tells people of them; tests compare it, and the command
//! line, with these lists.

/// The keys of all that have flags, as the documentation orders them. A dot is a table of the file.
pub(crate) const SETTINGS: &[&str] = &[
    "data",
    "media",
    "database_url",
    "nats_url",
    "log",
    "cache_dir",
    "lease_seconds",
    "worker_name",
    "work",
    "bind",
    "metrics_bind",
    "allowed_hosts",
    "allowed_origins",
    "webhooks.allowed_networks",
    "retention.unchosen_takes_days",
    "retention.errands_days",
    "retention.media_grace_hours",
    "server",
    "api_key",
    "public_url",
    "trusted_proxies",
    "tls_cert",
    "tls_key",
    "redirect_bind",
    "auth.jwks_url",
    "auth.audience",
    "auth.issuer",
    "auth.session_minutes",
    "auth.path_keys",
    "auth.trusted_networks",
    "auth.trusted_role",
    "limits.reads",
    "limits.writes",
    "limits.polls",
    "limits.streams",
    "limits.connections",
    "limits.min_free_mib",
    "quota.projects",
    "quota.open_tasks",
    "quota.media_mib",
    "limits.import_mib",
    "external.url",
    "external.callback_url",
    "external.kinds",
    "external.slots",
    "api.developer_mode",
];

/// The keys of those that have none, as arguments show in the list of processes.
pub(crate) const SECRETS: &[&str] = &["auth.jwt_secret", "auth.signing_key", "webhooks.inbound_secret"];

/// All keys.
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().chain(SECRETS).copied()
}

/// The environment variable of a key: `auth.issuer` is `STORYTOVIDEO_AUTH_ISSUER`.
pub(crate) fn variable_of(key: &str) -> String {
    format!("STORYTOVIDEO_{}", key.replace('.', "_").to_uppercase())
}
