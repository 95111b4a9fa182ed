//! How many whole commands a second, beside how many bare one-row `INSERT`s into the same table: the two take
//! turns, so that both meet the same machine.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::ids::ProjectId;
use futures::future::try_join_all;
use infra::postgres::bench::BareInserts;
use infra::postgres::tail::{self, Recorded};
use tokio::time::Instant;

use super::statistics::round;
use super::{progress, story};
use crate::exit::Failed;
use crate::stack::Shared;

/// Numbers of clients that work at once.
pub(super) const CLIENTS: [u32; 3] = [1, 8, 32];
/// Turns that each of the two gets per number of clients.
const TURNS: u32 = 4;
/// Length of a turn.
const TURN: Duration = Duration::from_millis(750);

/// Per second, by the number of clients.
#[derive(Debug, Default)]
pub(super) struct Rates {
    pub(super) inserts: BTreeMap<u32, f64>,
    pub(super) commands: BTreeMap<u32, f64>,
}

/// One client: a project of its own for commands, and a connection of its own for bare inserts.
struct Client {
    project: ProjectId,
    renamed: u64,
    bare: BareInserts,
    like: Recorded,
}

/// The bare inserts have a connection for each client; the commands share what a process keeps.
pub(super) async fn measure(shared: &Shared, database_url: &str) -> Result<Rates, Failed> {
    let mut rates = Rates::default();
    for count in CLIENTS {
        progress(&format!("Commands and bare inserts, {count} at once"));
        let mut clients = try_join_all((0..count).map(|_| Client::new(shared, database_url))).await?;
        let (mut inserted, mut executed) = (0, 0);
        for _ in 0..TURNS {
            let turns = try_join_all(clients.iter_mut().map(Client::insert)).await?;
            inserted += turns.into_iter().sum::<u64>();
            let turns = try_join_all(clients.iter_mut().map(|client| client.command(shared))).await?;
            executed += turns.into_iter().sum::<u64>();
        }
        rates.inserts.insert(count, per_second(inserted));
        rates.commands.insert(count, per_second(executed));
        let removed = try_join_all(clients.into_iter().map(|client| client.bare.remove())).await;
        removed.map_err(Failed::because)?;
    }
    Ok(rates)
}

fn per_second(done: u64) -> f64 {
    round(done as f64 / (TURN * TURNS).as_secs_f64())
}

impl Client {
    async fn new(shared: &Shared, database_url: &str) -> Result<Self, Failed> {
        let project = story::new_project();
        story::execute(shared, project, story::create(project, None)).await?;
        story::execute(shared, project, story::rename(0)).await?;
        let stream = tail::read_stream(&shared.pool, project, 0, 1_000).await.map_err(Failed::because)?;
        let newest = stream.into_iter().last();
        let like = newest.ok_or_else(|| Failed::Runtime("a command left no event".to_owned()))?;
        let bare = BareInserts::connect(database_url).await.map_err(Failed::because)?;
        Ok(Self { project, renamed: 0, bare, like })
    }

    async fn insert(&mut self) -> Result<u64, Failed> {
        let until = Instant::now() + TURN;
        let mut done = 0;
        while Instant::now() < until {
            self.bare.insert(&self.like).await.map_err(Failed::because)?;
            done += 1;
        }
        Ok(done)
    }

    async fn command(&mut self, shared: &Shared) -> Result<u64, Failed> {
        let until = Instant::now() + TURN;
        let mut done = 0;
        while Instant::now() < until {
            self.renamed += 1;
            story::execute(shared, self.project, story::rename(self.renamed)).await?;
            done += 1;
        }
        Ok(done)
    }
}
