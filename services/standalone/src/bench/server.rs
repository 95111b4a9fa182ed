//! The API as a process of its own, on the bench's servers.

use std::path::{self, Path};

use domain::ids::ProjectId;
use tokio::process::Child;

use super::process::{self, Started};
use super::{in_time, statistics};
use crate::exit::Failed;
use crate::stack::Servers;

/// A running `storytovideo api`.
pub(super) struct ApiServer {
    child: Child,
    started: Started,
}

impl ApiServer {
    /// Starts it in `folder`, where no file has settings for it.
    pub(super) async fn start(servers: &Servers, folder: &Path) -> Result<Self, Failed> {
        let media = path::absolute(&servers.media).map_err(Failed::because)?;
        let mut child = process::program(&["api", "--bind", "127.0.0.1:0", "--log", "off"])?
            .current_dir(folder)
            .env("STORYTOVIDEO_DATABASE_URL", &servers.database_url)
            .env("STORYTOVIDEO_NATS_URL", &servers.nats_url)
            .env("STORYTOVIDEO_MEDIA", media)
            .spawn()
            .map_err(Failed::because)?;
        let started = in_time("the start of the API", process::started(&mut child)).await?;
        Ok(Self { child, started })
    }

    /// The address of something that it serves.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.started.url)
    }

    /// The address of a project's stream.
    pub(super) fn stream(&self, project: ProjectId) -> String {
        self.url(&format!("/v1/projects/{project}/stream")).replacen("http", "ws", 1)
    }

    /// Memory in use.
    pub(super) async fn resident_mib(&self) -> Result<f64, Failed> {
        process::resident_mib(self.started.pid).await.map(statistics::round)
    }

    /// Ends it.
    pub(super) async fn stop(self) -> Result<(), Failed> {
        let Self { child, started } = self;
        let stopped = process::stop(child).await;
        drop(started.said);
        stopped
    }
}
