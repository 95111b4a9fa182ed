//! A place among the open streams: there are so many in all, and so many for one caller.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use domain::ids::ProjectId;
use infra::runtime::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::open::Held;
use crate::App;
use crate::auth::Identity;
use crate::crowd::{Enough, share_of};
use crate::metrics::Counted;
use crate::problem::Problem;
use crate::serve;
use crate::shares::Share;

/// Streams at once, if there is room for far more connections, so that whoever asks for something else is heard.
const STREAMS: usize = 4_096;

/// Held by each open stream, from when it is let in.
#[derive(Debug)]
pub(crate) struct Seat {
    _counted: Counted,
    _tracked: TaskTrackerToken,
    held: Held,
    _share: Option<Share<Arc<str>>>,
}

impl Seat {
    /// Cancelled when whoever has it may look no more.
    pub(crate) fn end(&self) -> &CancellationToken {
        self.held.end()
    }
}

impl App {
    /// The place of one more stream of a project.
    pub(crate) async fn seat(&self, identity: &Identity, project: ProjectId) -> Result<Seat, Problem> {
        {
            let _turn = self.streams.turn().await;
            self.project_row(project).await?;
        }
        let most = self.api.access.crowd().streams;
        let share = share_of(identity, &self.holders.streams, most).map_err(|Enough| too_many(most))?;
        let counted = self.metrics.stream();
        if self.metrics.open_streams() > STREAMS.min(serve::room() / 4 * 3) as u64 {
            return Err(Problem::unavailable("too_many_streams", "too many live streams are open"));
        }
        let held = self.streams.hold(project, identity.clone());
        Ok(Seat { _counted: counted, _tracked: self.streams.token(), held, _share: share })
    }
}

fn too_many(most: u32) -> Problem {
    let detail = format!("you have {most} live streams open, as many as one may have; close some first");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail)
        .with_header(RETRY_AFTER, HeaderValue::from_static("10"))
}
