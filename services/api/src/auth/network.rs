//! Where a request comes from: the peer, or whom a trusted proxy speaks for.

use std::net::{IpAddr, SocketAddr};

use axum::http::{Extensions, HeaderMap, HeaderName};
use infra::outbound::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Addresses of `X-Forwarded-For` that are looked at.
const HOPS: usize = 16;

/// The connection that a request came by; put beside each request by the listener.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Whether it is encrypted.
    pub secure: bool,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// Unknown for a request that came by no connection, or for whom a proxy of ours names nobody.
    pub(crate) address: Option<IpAddr>,
    /// Whether nobody on the way could read it.
    pub(crate) secure: bool,
}

impl Client {
    /// What a proxy says is believed only of one that is trusted.
    pub(crate) fn of(extensions: &Extensions, headers: &HeaderMap, proxies: &[IpNet]) -> Self {
        let Some(connection) = extensions.get::<Connection>() else {
            return Self { address: None, secure: false };
        };
        let trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(&address));
        let peer = connection.peer.ip().to_canonical();
        if !trusted(peer) {
            return Self { address: Some(peer), secure: connection.secure };
        }
        let proto = headers.get(FORWARDED_PROTO).and_then(|value| value.to_str().ok());
        let secure = connection.secure || proto.is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        Self { address: farthest(headers, peer, trusted), secure }
    }
}

/// From the nearest hop outwards, the first that is no proxy of ours: what lies beyond it may be made up. One that
/// is no address is nobody, and not the proxy that named it: its network may be trusted.
fn farthest(headers: &HeaderMap, peer: IpAddr, trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let mut client = peer;
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(str::trim));
    for hop in hops.take(HOPS) {
        client = address_in(hop)?.to_canonical();
        if !trusted(client) {
            break;
        }
    }
    Some(client)
}

/// An address, which some proxies write with its port or in brackets.
fn address_in(hop: &str) -> Option<IpAddr> {
    let plain = || hop.trim_matches(['[', ']']).parse().ok();
    plain().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> Client {
        let mut extensions = Extensions::new();
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        extensions.insert(Connection { peer, secure: false });
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED_PROTO, "https".parse().unwrap());
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        Client::of(&extensions, &headers, &["10.0.0.0/8".parse().unwrap()])
    }

    fn address(peer: &str, forwarded: &[&str]) -> String {
        client(peer, forwarded).address.unwrap().to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(address("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert!(!client("192.0.2.1", &[]).secure);
        assert_eq!(address("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert!(client("10.0.0.1", &[]).secure);
    }

    #[test]
    fn what_a_client_made_up_before_the_proxies_is_not_believed() {
        assert_eq!(address("10.0.0.1", &["127.0.0.1, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["127.0.0.1", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(address("::ffff:10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn whom_a_proxy_names_by_no_address_is_nobody_and_not_the_proxy() {
        for line in ["nonsense", "203.0.113.9, unknown", "203.0.113.9,", "", "1.2.3.4:x"] {
            assert_eq!(client("10.0.0.1", &[line]).address, None, "{line:?}");
        }
    }

    #[test]
    fn a_port_beside_an_address_is_left_out() {
        assert_eq!(address("10.0.0.1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["[2001:db8::7]:4711, 10.0.0.2:80"]), "2001:db8::7");
        assert_eq!(address("10.0.0.1", &["[2001:db8::7]"]), "2001:db8::7");
    }
}
