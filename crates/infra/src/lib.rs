//! The only crate that talks to PostgreSQL ([`postgres`]), NATS ([`nats`]), stored media ([`media`]) and
//! addresses that users name ([`outbound`]); and what every process needs to run ([`runtime`]).

pub mod archive;
pub mod media;
pub mod nats;
pub mod outbound;
pub mod postgres;
pub mod runtime;
