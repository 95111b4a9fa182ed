//! What changes something: one use case a file.

pub(crate) mod add_shot;
pub(crate) mod create_project;
pub(crate) mod create_webhook;
pub(crate) mod delete_project;
pub(crate) mod drain_worker;
pub(crate) mod end_task;
pub(crate) mod generate_many;
pub(crate) mod generate_take;
pub(crate) mod import_project;
pub(crate) mod make_storyboard;
pub(crate) mod order_shots;
pub(crate) mod pause_queue;
pub(crate) mod purge_project;
pub(crate) mod redeliver;
pub(crate) mod remove_shot;
pub(crate) mod render_film;
pub(crate) mod replay_dead_letter;
pub(crate) mod restore;
pub(crate) mod revise_project;
pub(crate) mod revise_shot;
pub(crate) mod revise_webhook;
pub(crate) mod rotate_secret;
pub(crate) mod select_take;
pub(crate) mod session;
pub(crate) mod ticket;
pub(crate) mod undelete_project;
pub(crate) mod upload_image;
pub(crate) mod upload_music;

use serde::Deserialize;
use utoipa::ToSchema;

/// The body of what the address says all about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParameters {}
