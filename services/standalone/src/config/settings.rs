//! Every setting there is. `docs/configuration.md` tells people of them; tests compare it, and the command
//! line, with this list.

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its key in the file, with its table: `auth.issuer`.
    pub(crate) key: &'static str,
}

const fn setting(key: &'static str) -> Setting {
    Setting { key }
}

/// All of them, as the documentation orders them.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("data"),
    setting("media"),
    setting("database_url"),
    setting("nats_url"),
    setting("log"),
    setting("cache_dir"),
    setting("lease_seconds"),
    setting("worker_name"),
    setting("bind"),
    setting("metrics_bind"),
    setting("allowed_hosts"),
    setting("allowed_origins"),
    setting("webhooks.allowed_networks"),
];

/// The environment variable of a key: `auth.issuer` is `STORYTOVIDEO_AUTH_ISSUER`.
pub(crate) fn variable_of(key: &str) -> String {
    format!("STORYTOVIDEO_{}", key.replace('.', "_").to_uppercase())
}
