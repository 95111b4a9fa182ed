//! Which addresses requests may go to that users name: public ones, and those that are allowed by
//! configuration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use ipnet::IpNet;

/// Where requests may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressRules {
    allowed: Vec<IpNet>,
}

impl AddressRules {
    /// Besides all public addresses, those of `allowed` may be asked.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Every address, inside or not: for addresses that whoever runs this system has named.
    pub fn everywhere() -> Self {
        let all = |address: IpAddr| IpNet::new(address, 0).ok();
        let (v4, v6) = (all(Ipv4Addr::UNSPECIFIED.into()), all(Ipv6Addr::UNSPECIFIED.into()));
        Self { allowed: v4.into_iter().chain(v6).collect() }
    }

    /// Whether a request may go there.
    pub fn permit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.allowed.iter().any(|network| network.contains(&address))
    }
}

/// Whether an address is one of the open internet's, by the registries of special-purpose addresses
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>,
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        (0 | 10 | 127, ..) => true,
        // Shared between carriers and their customers; link-local, with the clouds' metadata servers.
        (100, 64..=127, _) | (169, 254, _) => true,
        (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, documentation, benchmarks, the former 6to4 relays.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => true,
        // Multicast, reserved, broadcast.
        (224..=255, ..) => true,
        _ => false,
    };
    !special
}

/// Only global unicast is public, and of it nothing that carries an IPv4 address inside: a gateway could
/// lead such an address to where the IPv4 address leads.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    match segments {
        // Teredo and other protocol assignments; documentation; 6to4.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x2002, ..] => false,
        // Documentation, and identifiers that lead nowhere.
        [0x3ffe..=0x3fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(rules: &AddressRules, address: &str) -> bool {
        rules.permit(address.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_permitted() {
        for address in ["1.1.1.1", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::200e"] {
            assert!(permitted(&AddressRules::default(), address), "{address}");
        }
    }

    #[test]
    fn loopback_private_and_link_local_addresses_are_not_in_whatever_disguise() {
        let inside = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.1.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in inside {
            assert!(!permitted(&AddressRules::default(), address), "{address}");
        }
    }

    #[test]
    fn what_configuration_allows_is_permitted_and_nothing_else_besides() {
        let rules = AddressRules::new(vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        assert!(permitted(&rules, "10.1.2.3") && permitted(&rules, "::ffff:10.1.2.3"));
        assert!(permitted(&rules, "::1") && !permitted(&rules, "127.0.0.1"));
    }

    #[test]
    fn everywhere_is_everywhere() {
        for address in ["127.0.0.1", "10.1.2.3", "::1", "fd12::1", "1.1.1.1", "2606:4700::1111"] {
            assert!(permitted(&AddressRules::everywhere(), address), "{address}");
        }
    }
}
