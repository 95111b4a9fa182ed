//! How long one project of twenty shots takes, when its providers only sleep: what is beyond the ideal is the
//! system's own.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::ids::ProjectId;
use domain::job::Kind;
use domain::project::Event;
use infra::postgres::tail;
use worker::providers::bench::Sleeping;

use super::latency::millis;
use super::statistics::Percentiles;
use super::{in_time, progress, story};
use crate::exit::Failed;
use crate::stack::Shared;

/// Projects that are made, one after the other.
const TIMES: u32 = 40;
/// How long each kind of job sleeps.
const SLEEPS: [(Kind, u64); 5] =
    [(Kind::Storyboard, 50), (Kind::Image, 100), (Kind::Tts, 30), (Kind::Video, 100), (Kind::Film, 50)];
/// Storyboard, image, video and film, one after the other; voices are made beside the pictures.
pub(super) const IDEAL_MILLIS: u32 = 300;

pub(super) fn provider() -> Sleeping {
    let durations: BTreeMap<Kind, Duration> =
        SLEEPS.into_iter().map(|(kind, millis)| (kind, Duration::from_millis(millis))).collect();
    Sleeping { durations }
}

/// Milliseconds from the answer to the command to the film.
pub(super) async fn measure(shared: &Shared) -> Result<Percentiles, Failed> {
    progress("Projects of twenty shots with providers that sleep");
    in_time("a project", one(shared, story::new_project())).await?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        times.push(in_time("a project", one(shared, story::new_project())).await?);
    }
    Ok(Percentiles::of(times))
}

async fn one(shared: &Shared, project: ProjectId) -> Result<f64, Failed> {
    let mut live = shared.bus.watch(project).await.map_err(Failed::because)?;
    story::execute(shared, project, story::create(project, Some(story::SHOTS))).await?;
    let started = shared.clock.now();
    shared.bus.wake().await;
    story::until(&mut live, "FilmRendered").await?;
    let stream = tail::read_stream(&shared.pool, project, 0, 10_000).await.map_err(Failed::because)?;
    let film = stream.iter().find(|recorded| matches!(recorded.event, Event::FilmRendered(_)));
    let film = film.ok_or_else(|| Failed::Runtime("the film is not in the log".to_owned()))?;
    Ok(millis(started, film.at))
}
