//! The only crate that talks to PostgreSQL ([`postgres`]), NATS ([`nats`]) and stored media ([`media`]),
//! and what every process needs to run ([`runtime`]).

pub mod media;
pub mod nats;
pub mod postgres;
pub mod runtime;
