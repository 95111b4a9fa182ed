//! How many requests a second the API answers from the read tables, when they hold 10,000 projects: copies of two
//! that were made, put into the log and read from there by the projector.

use std::time::Duration;

use domain::ids::ProjectId;
use futures::future::try_join_all;
use infra::outbound::trusted_tls;
use infra::postgres::bench;
use reqwest::Client;
use tokio::time::Instant;

use super::server::ApiServer;
use super::statistics::round;
use super::{progress, replay};
use crate::exit::Failed;
use crate::stack::Shared;

/// Projects in the read tables.
pub(super) const PROJECTS: i32 = 10_000;
/// Shots of the projects whose details are asked for.
pub(super) const SHOTS: u32 = 10;
/// How many of them there are; the others have fewer shots, which no list shows.
const LARGE: i32 = 100;
/// Projects that are copied into the log by one statement.
const AT_ONCE: usize = 250;
/// Clients at once, each with a connection that it keeps.
const CLIENTS: usize = 8;
const WARM_UP: Duration = Duration::from_millis(500);
const TURN: Duration = Duration::from_secs(3);
/// Items of a page of the list, as when nobody says how many.
const PAGE: &str = "/v1/projects";

/// Requests a second.
#[derive(Debug)]
pub(super) struct Reads {
    pub(super) detail: f64,
    pub(super) list: f64,
}

/// Fills log and read tables with copies of two projects. No engine may be at work. Answers the copies of the
/// large one, then those of the small one.
pub(super) async fn seed(
    shared: &Shared,
    large: ProjectId,
    small: ProjectId,
) -> Result<Vec<ProjectId>, Failed> {
    progress("Making 10,000 projects");
    let mut copies = Vec::new();
    for (project, numbers) in [(large, 1..=LARGE), (small, LARGE + 1..=PROJECTS)] {
        let numbers: Vec<i32> = numbers.collect();
        for some in numbers.chunks(AT_ONCE) {
            bench::copy_stream(&shared.pool, project, some).await.map_err(Failed::because)?;
            copies.extend(some.iter().map(|number| bench::copy_of(project, *number)));
        }
    }
    replay::replay(shared).await?;
    bench::analyze(&shared.pool).await.map_err(Failed::because)?;
    Ok(copies)
}

/// `projects` as they were seeded.
pub(super) async fn measure(server: &ApiServer, projects: &[ProjectId]) -> Result<Reads, Failed> {
    progress("Reads with 10,000 projects");
    let tls = trusted_tls().map_err(Failed::because)?;
    let http =
        Client::builder().tls_backend_preconfigured(tls).no_proxy().build().map_err(Failed::because)?;
    let large = projects.iter().take(usize::try_from(LARGE).unwrap_or(1));
    let details: Vec<String> = large.map(|id| server.url(&format!("{PAGE}/{id}"))).collect();
    let list = [server.url(PAGE)];
    Ok(Reads { detail: rate(&http, &details).await?, list: rate(&http, &list).await? })
}

/// Requests a second for these addresses in turn.
async fn rate(http: &Client, addresses: &[String]) -> Result<f64, Failed> {
    ask(http, addresses, WARM_UP).await?;
    let answered = ask(http, addresses, TURN).await?;
    Ok(round(answered as f64 / TURN.as_secs_f64()))
}

async fn ask(http: &Client, addresses: &[String], turn: Duration) -> Result<usize, Failed> {
    let until = Instant::now() + turn;
    let clients = (0..CLIENTS).map(|client| async move {
        let mut answered = 0;
        for address in addresses.iter().cycle().skip(client) {
            if Instant::now() >= until {
                break;
            }
            let answer = http.get(address).send().await.and_then(reqwest::Response::error_for_status);
            answer.map_err(Failed::because)?.bytes().await.map_err(Failed::because)?;
            answered += 1;
        }
        Ok::<usize, Failed>(answered)
    });
    Ok(try_join_all(clients).await?.into_iter().sum())
}
