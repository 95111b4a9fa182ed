//! How much work passes through when the providers take no time at all: twenty projects of twenty shots at once.

use futures::future::try_join_all;
use tokio::time::Instant;

use super::statistics::{median, round};
use super::{in_time, progress, story};
use crate::exit::Failed;
use crate::stack::Shared;

/// Projects at once.
const PROJECTS: u32 = 20;
/// The median of so many rounds counts, after one to warm up.
const ROUNDS: u32 = 5;

/// What passes through in a second.
#[derive(Debug)]
pub(super) struct Throughput {
    pub(super) projects: f64,
    pub(super) steps: f64,
}

pub(super) async fn measure(shared: &Shared) -> Result<Throughput, Failed> {
    progress("Twenty projects at once with providers that take no time");
    in_time("a round", round_of_projects(shared)).await?;
    let mut seconds = Vec::new();
    for _ in 0..ROUNDS {
        seconds.push(in_time("a round", round_of_projects(shared)).await?);
    }
    let projects = f64::from(PROJECTS) / median(seconds);
    Ok(Throughput { projects: round(projects), steps: round(projects * f64::from(story::STEPS)) })
}

/// Seconds from the first command to the last film.
async fn round_of_projects(shared: &Shared) -> Result<f64, Failed> {
    let projects: Vec<_> = (0..PROJECTS).map(|_| story::new_project()).collect();
    let watches = projects.iter().map(|project| shared.bus.watch(*project));
    let live = try_join_all(watches).await.map_err(Failed::because)?;
    let started = Instant::now();
    let films = projects.iter().zip(live).map(|(project, mut live)| async move {
        story::start(shared, *project, story::SHOTS).await?;
        story::until(&mut live, "FilmRendered").await
    });
    try_join_all(films).await?;
    Ok(started.elapsed().as_secs_f64())
}
