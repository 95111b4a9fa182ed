//! The cookie of a session: for our own pages only, out of reach of their scripts.

use super::credentials::cookie_name;
use super::network::Client;

/// `Set-Cookie` for a token that is good for so many seconds; none makes the browser forget it.
pub(crate) fn of(client: Client, token: &str, seconds: i64) -> String {
    let (name, secure) = (cookie_name(client.secure), if client.secure { "; Secure" } else { "" });
    format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}
