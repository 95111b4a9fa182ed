//! What clients of the API see of it: how soon events are with many of them, what they cost it, and how fast it
//! answers.

use std::path::Path;

use super::broadcast::{self, Broadcast};
use super::reads::{self, Reads};
use super::server::ApiServer;
use super::story;
use super::streams::{self, Streams};
use crate::exit::Failed;
use crate::stack::Stack;

/// Shots of the projects of which there are many.
const FEW_SHOTS: u32 = 2;

/// All of it.
#[derive(Debug)]
pub(super) struct Surface {
    pub(super) broadcast: Broadcast,
    pub(super) streams: Streams,
    pub(super) reads: Reads,
}

/// Measures on a system at work, whose roles end when the log is filled.
pub(super) async fn measure(stack: Stack, folder: &Path) -> Result<Surface, Failed> {
    let large = story::finished(&stack.shared, reads::SHOTS).await?;
    let small = story::finished(&stack.shared, FEW_SHOTS).await?;
    let server = ApiServer::start(stack.servers(), folder).await?;
    let broadcast = broadcast::measure(&stack.shared, &server, small).await?;
    server.stop().await?;
    stack.lifecycle.shutdown().cancel();
    stack.lifecycle.ended(super::PATIENCE).await.map_err(Failed::because)?;
    let projects = reads::seed(&stack.shared, large, small).await?;
    let server = ApiServer::start(stack.servers(), folder).await?;
    let reads = reads::measure(&server, &projects).await?;
    server.stop().await?;
    let streams = streams::measure(stack.servers(), folder, &projects).await?;
    stack.stop().await?;
    Ok(Surface { broadcast, streams, reads })
}
