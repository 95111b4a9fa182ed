//! How much memory of the API open streams take: many of one project, and as many of a project each.

use std::path::Path;
use std::time::Duration;

use domain::ids::ProjectId;

use super::audience::Audience;
use super::progress;
use super::server::ApiServer;
use super::statistics::round;
use crate::exit::Failed;
use crate::stack::Servers;

/// Open streams.
pub(super) const OPEN: usize = 1_000;
/// The server comes to rest before it is weighed.
const REST: Duration = Duration::from_secs(1);

/// MiB for all of them.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) one_project: f64,
    pub(super) own_projects: f64,
}

/// `projects` are at least as many as streams.
pub(super) async fn measure(
    servers: &Servers,
    folder: &Path,
    projects: &[ProjectId],
) -> Result<Streams, Failed> {
    progress("Memory of 1,000 open streams");
    let same: Vec<ProjectId> = projects.iter().copied().take(1).cycle().take(OPEN).collect();
    let own: Vec<ProjectId> = projects.iter().copied().take(OPEN).collect();
    Ok(Streams {
        one_project: weigh(servers, folder, &same).await?,
        own_projects: weigh(servers, folder, &own).await?,
    })
}

/// What these streams add to a server that has had one before: what the first one costs stays with the server.
async fn weigh(servers: &Servers, folder: &Path, projects: &[ProjectId]) -> Result<f64, Failed> {
    let server = ApiServer::start(servers, folder).await?;
    let addresses: Vec<String> = projects.iter().map(|project| server.stream(*project)).collect();
    Audience::gather(addresses.get(..1).unwrap_or_default()).await?.leave().await?;
    tokio::time::sleep(REST).await;
    let before = server.resident_mib().await?;
    let audience = Audience::gather(&addresses).await?;
    tokio::time::sleep(REST).await;
    let added = server.resident_mib().await? - before;
    audience.leave().await?;
    server.stop().await?;
    Ok(round(added))
}
