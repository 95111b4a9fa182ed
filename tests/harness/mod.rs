//! What every test of the whole system needs: servers, a world to act in, processes to kill, and a way to wait.

mod audit;
mod descriptors;
mod documented;
mod http;
mod picture;
mod process;
mod receiver;
mod schemathesis;
mod servers;
mod stories;
mod tools;
mod typescript;
mod wait;
mod worker_by_hand;
mod world;

pub(crate) use audit::{audit, finished_tasks};
pub(crate) use descriptors::room_for;
pub(crate) use documented::assert_documented;
pub(crate) use http::{Answer, Http, Listener, Served, answer_of, ask, get};
pub(crate) use picture::picture;
pub(crate) use process::{Note, Role, Said, notes, program, run};
pub(crate) use receiver::{Receiver, Told, status};
pub(crate) use schemathesis::check_conformance;
pub(crate) use servers::{Own, shared_database};
pub(crate) use stories::{a_film_of, creation, envelope, everything_on, play, storyboard};
pub(crate) use tools::provider_tools;
pub(crate) use typescript::run_generated_client;
pub(crate) use wait::{LONG, until};
pub(crate) use worker_by_hand::Hand;
pub(crate) use world::{World, leftovers};
