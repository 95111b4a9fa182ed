//! How much of a server one caller or one address may hold open, so that nobody takes the room of all others.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::App;
use crate::auth::Identity;
use crate::shares::{Share, Shares};

/// The limits of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// Live streams of one caller at once, while callers are known.
    pub streams: u32,
    /// Connections of one address at once. Loopback and trusted proxies, which speak for many, have no limit.
    pub connections: u32,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { streams: 256, connections: 512 }
    }
}

/// What callers and addresses hold of one server.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    pub(crate) streams: Shares<Arc<str>>,
    pub(crate) transfers: Shares<Arc<str>>,
    connections: Shares<IpAddr>,
}

impl App {
    /// A connection's part of what its address may have; `None` when it has enough.
    pub(crate) fn connection_of(&self, peer: IpAddr) -> Option<Share<IpAddr>> {
        let access = &self.api.access;
        let most = if access.speaks_for_many(peer) { u32::MAX } else { access.crowd().connections };
        self.holders.connections.take(household(peer), most)
    }
}

/// One more of something for a caller. `None` is no share, for callers that are not known; `Err` when it has
/// enough.
pub(crate) fn share_of(
    identity: &Identity,
    shares: &Shares<Arc<str>>,
    most: u32,
) -> Result<Option<Share<Arc<str>>>, Enough> {
    let Some(subject) = identity.subject() else { return Ok(None) };
    shares.take(subject.into(), most).map(Some).ok_or(Enough)
}

/// A caller has as much as one may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Enough;

/// Whoever has one address of a network of 64 bits can have all of them (RFC 4291, 2.5.4).
pub(crate) fn household(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> String {
        household(address.parse().unwrap()).to_string()
    }

    #[test]
    fn addresses_that_one_household_has_are_one() {
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3::9"), of("2001:db8:1:2:4::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }
}
