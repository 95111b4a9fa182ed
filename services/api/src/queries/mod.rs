//! What is read: one endpoint, or one list with its item, a file.

pub(crate) mod dead_letters;
pub(crate) mod documentation;
pub(crate) mod estimate;
pub(crate) mod export;
pub(crate) mod film;
pub(crate) mod film_download;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod media;
pub(crate) mod project;
pub(crate) mod projects;
pub(crate) mod queues;
pub(crate) mod session;
pub(crate) mod shots;
pub(crate) mod takes;
pub(crate) mod tasks;
pub(crate) mod webhooks;
pub(crate) mod workers;
