//! Live streams: what happens in a project, as it happens.
//!
//! Messages on the bus may be lost; versions show it, and the log has them all. One [`hub`] a project and
//! process listens to the bus; each open stream is a [`feed`] from it, sent over a [`socket`] or as
//! [`events`].

mod batches;
pub(crate) mod events;
mod feed;
mod hub;
mod message;
mod open;
mod percentages;
mod seat;
pub(crate) mod socket;
mod upgrade;

pub(crate) use events::NO_BUFFERING;
pub(crate) use hub::{Streams, Update};
pub(crate) use percentages::mean;
pub(crate) use seat::Seat;
pub(crate) use upgrade::{Socket, Upgrade, say};
