//! The `storytovideo` program: everything in one process for a laptop, each role by itself for a cluster,
//! and the tools around them.

mod bench;
mod cli;
mod doctor;
mod exit;
mod film;
mod roles;
mod stack;
mod supervise;
mod tools;
mod up;

pub use cli::main;
