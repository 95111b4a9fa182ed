//! How many whole commands a second, beside how many bare one-row `INSERT`s into the same table: the two take
//! turns, so that both meet the same machine.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::ids::ProjectId;
use futures::future::try_join_all;
use infra::postgres::bench::BareInserts;
use infra::postgres::event_store::EventStore;
use infra::postgres::tail::{self, Recorded};
use infra::postgres::{self, PgPool};
use infra::runtime::Clock;
use tokio::time::Instant;

use super::statistics::round;
use super::{progress, story};
use crate::exit::Failed;
use crate::stack::Servers;

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

pub(super) async fn measure(servers: &Servers) -> Result<Rates, Failed> {
    let most = CLIENTS.into_iter().max().unwrap_or(1);
    let pool = postgres::connect(&servers.database_url, most, "bench").map_err(Failed::because)?;
    postgres::migrate(&pool).await.map_err(Failed::because)?;
    let store = EventStore::new(pool.clone());
    let mut rates = Rates::default();
    for count in CLIENTS {
        progress(&format!("Commands and bare inserts, {count} at once"));
        let new = (0..count).map(|_| Client::new(&servers.database_url, &pool, &store));
        let mut clients = try_join_all(new).await?;
        let (mut inserted, mut executed) = (0, 0);
        for _ in 0..TURNS {
            inserted += try_join_all(clients.iter_mut().map(Client::insert)).await?.iter().sum::<u64>();
            executed += try_join_all(clients.iter_mut().map(|client| client.command(&store)))
                .await?
                .iter()
                .sum::<u64>();
        }
        rates.inserts.insert(count, per_second(inserted));
        rates.commands.insert(count, per_second(executed));
        try_join_all(clients.into_iter().map(|client| client.bare.remove()))
            .await
            .map_err(Failed::because)?;
    }
    pool.close().await;
    Ok(rates)
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn per_second(done: u64) -> f64 {
    round(done as f64 / (TURN * TURNS).as_secs_f64())
}

impl Client {
    async fn new(url: &str, pool: &PgPool, store: &EventStore) -> Result<Self, Failed> {
        let project = story::new_project();
        story::execute(store, &Clock::System, project, story::create(project)).await?;
        story::execute(store, &Clock::System, project, story::rename(0)).await?;
        let stream = tail::read_stream(pool, project, 0, 1_000).await.map_err(Failed::because)?;
        let like =
            stream.into_iter().last().ok_or_else(|| Failed::Runtime("a rename left no event".to_owned()))?;
        let bare = BareInserts::connect(url).await.map_err(Failed::because)?;
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

    async fn command(&mut self, store: &EventStore) -> Result<u64, Failed> {
        let until = Instant::now() + TURN;
        let mut done = 0;
        while Instant::now() < until {
            self.renamed += 1;
            story::execute(store, &Clock::System, self.project, story::rename(self.renamed)).await?;
            done += 1;
        }
        Ok(done)
    }
}
