//! The `storytovideo` program: everything in one process for a laptop, each role by itself for a cluster,
//! and the tools around them.

mod access;
mod audit;
pub mod bench;
mod cli;
mod client;
mod config;
mod descriptors;
pub mod doctor;
pub mod exit;
mod external;
mod film;
mod keys;
mod replay;
mod roles;
pub mod stack;
pub mod supervise;
pub mod tools;
mod up;
pub mod worker_folder;

pub use cli::main;
