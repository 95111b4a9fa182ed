//! How soon what was committed arrives: a queued task's job at an idle worker, before its claim, and its event
//! at an open stream.
//!
//! The clock starts when PostgreSQL stamps the event, inside the statement that commits it; so the commit's own
//! write to the disk is part of both numbers.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::ProjectId;
use domain::job::Kind;
use domain::project::{Command, Event};
use infra::nats::JobQueue;
use infra::postgres::tail;

use super::statistics::Percentiles;
use super::{in_time, progress, story};
use crate::exit::Failed;
use crate::stack::Shared;

/// Projects that are started, one after the other.
const TIMES: u32 = 200;
/// The first ones warm up connections and plans.
const WARM_UP: u32 = 20;
/// The system comes to rest in between.
const REST: Duration = Duration::from_millis(25);

/// Milliseconds from a commit to whoever waits for it.
#[derive(Debug)]
pub(super) struct Latency {
    pub(super) to_worker: Percentiles,
    pub(super) to_stream: Percentiles,
}

pub(super) async fn measure(shared: &Shared) -> Result<Latency, Failed> {
    progress("From a commit to the worker and to the stream");
    let mut queue = shared.bus.job_queue(Kind::Storyboard).await.map_err(Failed::because)?;
    let (mut to_worker, mut to_stream) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP + TIMES {
        let project = story::new_project();
        let (job, event) =
            in_time("a job's way to the worker", arrivals(shared, project, &mut queue)).await?;
        if round >= WARM_UP {
            let queued = queued_at(shared, project).await?;
            to_worker.push(millis(queued, job));
            to_stream.push(millis(queued, event));
        }
        story::execute(shared, project, Command::DeleteProject).await?;
        shared.bus.wake().await;
        tokio::time::sleep(REST).await;
    }
    Ok(Latency { to_worker: Percentiles::of(to_worker), to_stream: Percentiles::of(to_stream) })
}

/// Starts a project; answers when its storyboard's job and the event that queued it arrived.
async fn arrivals(
    shared: &Shared,
    project: ProjectId,
    queue: &mut JobQueue,
) -> Result<(DateTime<Utc>, DateTime<Utc>), Failed> {
    let mut live = shared.bus.watch(project).await.map_err(Failed::because)?;
    let job = async {
        loop {
            let message = queue.next().await.map_err(Failed::because)?;
            let arrived = shared.clock.now();
            let Some(message) = message else { continue };
            message.ack().await.map_err(Failed::because)?;
            if message.job.project == project {
                return Ok(arrived);
            }
        }
    };
    let event = async {
        story::until(&mut live, "TaskQueued").await?;
        Ok(shared.clock.now())
    };
    let start = async {
        story::execute(shared, project, story::create(project, None)).await?;
        shared.bus.wake().await;
        Ok::<(), Failed>(())
    };
    let ((), job, event) = tokio::try_join!(start, job, event)?;
    Ok((job, event))
}

async fn queued_at(shared: &Shared, project: ProjectId) -> Result<DateTime<Utc>, Failed> {
    let stream = tail::read_stream(&shared.pool, project, 0, 100).await.map_err(Failed::because)?;
    let queued = stream.iter().find(|recorded| matches!(recorded.event, Event::TaskQueued(_)));
    queued.map(|recorded| recorded.at).ok_or_else(|| Failed::Runtime("no task was queued".to_owned()))
}

/// Milliseconds between two times.
pub(super) fn millis(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).as_seconds_f64() * 1_000.0
}
