//! The whole system from outside: real PostgreSQL, real nats-server, and roles in processes of their own that are
//! killed, frozen and lied to.
//!
//! No test sleeps for a fixed time: each waits for a condition, with a limit, and says what it saw when that
//! passes. Each ends by `finish`, which finds whatever was left lying about.
#![cfg(test)]

mod access;
mod api;
mod bus;
mod client;
mod command_line;
mod contract;
mod crashes;
mod event_store;
mod external;
mod facades;
mod film;
mod film_parts;
mod generated_client;
mod harness;
mod history;
mod interleaving;
mod live;
mod log_commands;
mod operations;
mod outages;
mod projection;
mod render;
mod results;
mod retention;
mod speech;
mod spending;
mod takes;
mod tidy;
mod transfer;
mod webhooks;
