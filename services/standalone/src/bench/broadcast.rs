//! How soon an event is with all clients of a project that many watch, beside a bare broadcast of the same
//! message: the two take turns, so that both meet the same machine.
//!
//! The system's clock starts when PostgreSQL stamps the event, the bare server's when it is given the message.

use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use domain::ids::ProjectId;
use infra::postgres::tail;

use super::audience::{Audience, EVENT, Round};
use super::bare::Bare;
use super::server::ApiServer;
use super::statistics::Percentiles;
use super::{progress, story};
use crate::exit::Failed;
use crate::stack::Shared;

/// Clients of each of the two.
pub(super) const CLIENTS: usize = 2_000;
/// Events that each of the two sends, one after the other.
const TIMES: u64 = 60;
/// The first ones warm up.
const WARM_UP: u64 = 6;
/// All come to rest in between.
const REST: Duration = Duration::from_millis(25);

/// Milliseconds from an event to each client.
#[derive(Debug)]
pub(super) struct Broadcast {
    pub(super) live: Percentiles,
    pub(super) bare: Percentiles,
}

pub(super) async fn measure(
    shared: &Shared,
    server: &ApiServer,
    project: ProjectId,
) -> Result<Broadcast, Failed> {
    progress("From an event to 2,000 clients");
    let bare = Bare::start().await?;
    let mut watching = Audience::gather(&vec![server.stream(project); CLIENTS]).await?;
    let mut beside = Audience::gather(&vec![bare.stream(); CLIENTS]).await?;
    let (mut live_times, mut bare_times) = (Vec::new(), Vec::new());
    for number in 0..WARM_UP + TIMES {
        let (bytes, live) = tell(shared, project, number, &mut watching).await?;
        tokio::time::sleep(REST).await;
        let plain = tell_barely(shared, &bare, bytes, &mut beside).await?;
        tokio::time::sleep(REST).await;
        if number >= WARM_UP {
            live_times.extend(live);
            bare_times.extend(plain);
        }
    }
    watching.leave().await?;
    beside.leave().await?;
    bare.stop().await?;
    Ok(Broadcast { live: Percentiles::of(live_times), bare: Percentiles::of(bare_times) })
}

/// One event of the system: the length of its message, and milliseconds to each client.
async fn tell(
    shared: &Shared,
    project: ProjectId,
    number: u64,
    audience: &mut Audience,
) -> Result<(usize, Vec<f64>), Failed> {
    let rename = story::envelope(&shared.clock, story::rename(number));
    let executed = shared.store.execute(project, rename).await.map_err(Failed::because)?;
    shared.bus.wake().await;
    let round = audience.round().await?;
    let told = tail::read_stream(&shared.pool, project, executed.version - 1, 1).await;
    let told = told.map_err(Failed::because)?.into_iter().next();
    let told = told.ok_or_else(|| Failed::Runtime("an event is not in the log".to_owned()))?;
    Ok((round.bytes, after(told.at.timestamp_micros(), &round)))
}

/// The same number of bytes, with nothing behind it.
async fn tell_barely(
    shared: &Shared,
    bare: &Bare,
    bytes: usize,
    audience: &mut Audience,
) -> Result<Vec<f64>, Failed> {
    let text = Utf8Bytes::from(format!("{EVENT:x<bytes$}"));
    let sent = shared.clock.now().timestamp_micros();
    bare.send(text);
    Ok(after(sent, &audience.round().await?))
}

fn after(start: i64, round: &Round) -> Vec<f64> {
    round.micros.iter().map(|at| (at - start) as f64 / 1_000.0).collect()
}
