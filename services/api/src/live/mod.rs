//! Live streams: what happens in a project, as it happens.
//!
//! Messages on the bus may be lost; versions show it, and the log has them all. One [`hub`] a project and
//! process listens to the bus; each open stream is a [`client`] of it.

pub(crate) mod client;
mod hub;
mod message;

pub(crate) use hub::Streams;
