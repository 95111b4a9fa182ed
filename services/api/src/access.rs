//! Which names and which web pages may talk to us.
//!
//! A page of any site can send requests to a server on the visitor's own machine. So the `Host` must be a
//! name we go by (a page that points its own name at 127.0.0.1 fails here), and an `Origin`, on sockets
//! too, must be ours.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{Extensions, HeaderMap, StatusCode, Uri};
use infra::outbound::IpNet;

use crate::ConfigError;
use crate::auth::{AuthConfig, Client};
use crate::crowd::Crowd;
use crate::problem::Problem;
use crate::room::Room;

/// The names we go by and the pages that may talk to us.
#[derive(Debug, Clone, Default)]
pub struct Access {
    hosts: Vec<String>,
    origins: Vec<String>,
    /// Where we are reached, whatever name was asked for.
    public: Option<String>,
    proxies: Vec<IpNet>,
    auth: AuthConfig,
    room: Room,
    crowd: Crowd,
}

impl Access {
    /// Besides the names of this machine's loopback, `hosts` (names or addresses, without a port) are
    /// ours; besides our own pages, those of `origins` (`https://example.org`) may talk to us.
    pub fn new(hosts: &[String], origins: &[String]) -> Result<Self, ConfigError> {
        let hosts = hosts.iter().map(|host| allowed_host(host)).collect::<Result<_, _>>()?;
        let origins = origins.iter().map(|origin| allowed_origin(origin)).collect::<Result<_, _>>()?;
        Ok(Self { hosts, origins, ..Self::default() })
    }

    /// We are reached at this address, like `https://films.example`; its name is ours, and its pages.
    pub fn reached_at(mut self, url: &str) -> Result<Self, ConfigError> {
        let origin = url.trim_end_matches('/').to_ascii_lowercase();
        let (_, authority) = split_origin(&origin).ok_or_else(|| ConfigError::PublicUrl(url.to_owned()))?;
        self.hosts.push(plain_name(authority.host()));
        self.origins.push(origin.clone());
        self.public = Some(origin);
        Ok(self)
    }

    /// What these proxies say of whom they speak for is believed.
    #[must_use]
    pub fn behind(self, proxies: Vec<IpNet>) -> Self {
        Self { proxies, ..self }
    }

    /// Whoever asks must say who they are, once something is configured to tell that by.
    pub fn with_auth(self, auth: AuthConfig) -> Result<Self, ConfigError> {
        auth.check()?;
        Ok(Self { auth, ..self })
    }

    /// Nobody may have more than this.
    #[must_use]
    pub fn within(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// Nobody may hold more open than this.
    #[must_use]
    pub fn with_crowd(self, crowd: Crowd) -> Self {
        Self { crowd, ..self }
    }

    pub(crate) fn crowd(&self) -> Crowd {
        self.crowd
    }

    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// What is configured about who may do what.
    pub fn auth(&self) -> &AuthConfig {
        &self.auth
    }

    /// Where a request comes from.
    pub(crate) fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> Client {
        Client::of(extensions, headers, &self.proxies)
    }

    /// Whether pages of some other origin may have our answers.
    pub(crate) fn has_origins(&self) -> bool {
        !self.origins.is_empty()
    }

    /// Whether many callers come from this address: a proxy's, or our own machine's, where one may run.
    pub(crate) fn speaks_for_many(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || self.proxies.iter().any(|network| network.contains(&peer))
    }

    /// The origin of our addresses, as the request reached us.
    pub(crate) fn origin(&self, authority: &Authority, client: Client) -> String {
        let scheme = if client.secure { "https" } else { "http" };
        self.public.clone().unwrap_or_else(|| format!("{scheme}://{authority}"))
    }

    /// Where whoever asked for this name finds us by TLS: where we are reached, if that is configured, else on this
    /// port.
    pub(crate) fn home_by_tls(&self, asked: &Authority, port: u16) -> String {
        let configured = self.public.clone().filter(|public| public.starts_with("https:"));
        let port = if port == 443 { String::new() } else { format!(":{port}") };
        configured.unwrap_or_else(|| format!("https://{}{port}", asked.host()))
    }

    /// The authority (`name[:port]`) that the request was sent to, if the request may be answered.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<Authority, Problem> {
        let authority = requested_authority(uri, headers)?;
        let name = plain_name(authority.host());
        if !(is_loopback(&name) || self.hosts.contains(&name)) {
            let detail = "this server does not go by that name; see the allowed hosts in its configuration";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed", detail));
        }
        self.check_origin(&authority, headers)?;
        Ok(authority)
    }

    fn check_origin(&self, host: &Authority, headers: &HeaderMap) -> Result<(), Problem> {
        let refused = || {
            let detail =
                "pages of that origin may not use this server; see the allowed origins in its configuration";
            Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail)
        };
        for origin in headers.get_all(ORIGIN) {
            let origin = origin.to_str().map_err(|_| refused())?.to_ascii_lowercase();
            if !(self.origins.contains(&origin) || is_same_origin(&origin, host)) {
                return Err(refused());
            }
        }
        Ok(())
    }
}

fn allowed_host(text: &str) -> Result<String, ConfigError> {
    let name = plain_name(text);
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if is_name || name.parse::<IpAddr>().is_ok() { Ok(name) } else { Err(ConfigError::Host(text.to_owned())) }
}

fn allowed_origin(text: &str) -> Result<String, ConfigError> {
    let origin = text.trim_end_matches('/').to_ascii_lowercase();
    let is_origin = split_origin(&origin).is_some();
    if is_origin { Ok(origin) } else { Err(ConfigError::Origin(text.to_owned())) }
}

/// The target's own authority counts, where it has one (RFC 9112, 3.2.2), else the one `Host` header.
fn requested_authority(uri: &Uri, headers: &HeaderMap) -> Result<Authority, Problem> {
    let unclear =
        || Problem::bad_request("host_unclear", "the request must have one Host header, and a valid one");
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(unclear());
    }
    let authority = match (uri.authority(), host) {
        (Some(authority), _) => authority.clone(),
        (None, Some(host)) => Authority::try_from(host.as_bytes()).map_err(|_| unclear())?,
        (None, None) => return Err(unclear()),
    };
    if authority.as_str().contains('@') { Err(unclear()) } else { Ok(authority) }
}

/// Lower case, without the brackets of an IPv6 address and without the root's dot.
fn plain_name(host: &str) -> String {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn is_loopback(name: &str) -> bool {
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn split_origin(origin: &str) -> Option<(&str, Authority)> {
    let (scheme, rest) = origin.split_once("://")?;
    let authority = Authority::try_from(rest).ok()?;
    let known = matches!(scheme, "http" | "https") && !authority.as_str().contains('@');
    known.then_some((scheme, authority))
}

fn is_same_origin(origin: &str, host: &Authority) -> bool {
    let Some((scheme, authority)) = split_origin(origin) else { return false };
    let default_port = if scheme == "https" { 443 } else { 80 };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default_port);
    plain_name(authority.host()) == plain_name(host.host()) && port(&authority) == port(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(access: &Access, headers: &[(&'static str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        access
            .check(&Uri::from_static("/v1/projects"), &map)
            .map_or_else(|problem| problem.status.as_u16(), |_| 200)
    }

    #[test]
    fn the_loopback_by_any_name_is_ours() {
        let access = Access::default();
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.3.2.1", "[::1]:8080", "localhost."]
        {
            assert_eq!(verdict(&access, &[("host", host)]), 200, "{host}");
        }
    }

    #[test]
    fn a_name_that_is_not_ours_is_refused() {
        let access = Access::default();
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:8080",
            "192.168.0.2",
            "0.0.0.0",
        ] {
            assert_eq!(verdict(&access, &[("host", host)]), 421, "{host}");
        }
        assert_eq!(verdict(&access, &[]), 400);
        assert_eq!(verdict(&access, &[("host", "localhost"), ("host", "localhost")]), 400);
        assert_eq!(verdict(&access, &[("host", "localhost@evil.example")]), 400);
    }

    #[test]
    fn an_allowed_name_is_ours() {
        let access = Access::new(&["Films.Example".to_owned()], &[]).unwrap();
        assert_eq!(verdict(&access, &[("host", "films.example:8080")]), 200);
        assert_eq!(verdict(&access, &[("host", "other.example")]), 421);
    }

    #[test]
    fn only_our_own_and_allowed_pages_may_ask() {
        let access = Access::new(&[], &["https://studio.example".to_owned()]).unwrap();
        let ask = |origin| verdict(&access, &[("host", "localhost:8080"), ("origin", origin)]);
        assert_eq!(ask("http://localhost:8080"), 200);
        assert_eq!(ask("https://studio.example"), 200);
        for origin in [
            "null",
            "http://localhost",
            "http://localhost:8081",
            "https://evil.example",
            "http://127.0.0.1:8080",
            "file://",
            "",
        ] {
            assert_eq!(ask(origin), 403, "{origin}");
        }
        let port_80 = verdict(&access, &[("host", "localhost"), ("origin", "http://localhost:80")]);
        assert_eq!(port_80, 200);
    }

    #[test]
    fn only_our_own_machine_and_trusted_proxies_speak_for_many() {
        let access = Access::default().behind(vec!["10.0.0.0/8".parse().unwrap()]);
        let speaks = |peer: &str| access.speaks_for_many(peer.parse().unwrap());
        assert!(speaks("127.0.0.1") && speaks("::1") && speaks("10.1.2.3") && speaks("::ffff:10.1.2.3"));
        assert!(!speaks("192.0.2.1") && !speaks("2001:db8::1"));
    }

    #[test]
    fn plain_requests_are_led_to_where_we_are_reached() {
        let asked = Authority::from_static("films.example:8080");
        assert_eq!(Access::default().home_by_tls(&asked, 8443), "https://films.example:8443");
        assert_eq!(Access::default().home_by_tls(&asked, 443), "https://films.example");
        let behind = |url| Access::default().reached_at(url).unwrap().home_by_tls(&asked, 8443);
        assert_eq!(behind("https://cdn.example"), "https://cdn.example");
        assert_eq!(behind("http://films.example"), "https://films.example:8443", "that is not TLS");
    }

    #[test]
    fn an_origin_or_host_that_makes_no_sense_is_a_configuration_error() {
        assert!(Access::new(&["http://x".to_owned()], &[]).is_err());
        assert!(Access::new(&[], &["studio.example".to_owned()]).is_err());
        assert!(Access::new(&[], &["*".to_owned()]).is_err());
    }
}
