//! The domain of StoryToVideo: the project aggregate, and the contract between engine and workers.
//!
//! Pure: nothing here reads a clock, draws a random number, or talks to anything.

pub mod asset;
mod canonical;
pub mod desk;
pub mod hash;
pub mod ids;
pub mod job;
pub mod metadata;
pub mod project;
pub mod report;
pub mod settings;
pub mod style;
pub mod upload_pass;
pub mod webhook;
