//! Makes read tables again from the log, beside the live ones, and puts them in their place by one short
//! transaction, while everybody goes on reading and the projector goes on writing.
//!
//! The new tables are in a schema of their own, on whose connections every statement of the projection finds
//! them by the usual names. They follow the live projector's checkpoint and never pass it; for the switch that
//! checkpoint is held, so that old and new are of one place in the log.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool};
use tokio::time::Instant;
use uuid::Uuid;

use super::leadership::{self, Fence, RENEW_EVERY};
use super::projection::{Projection, READER, TABLES};
use super::tail::{Place, Recorded, read_page};
use super::{PostgresError, checkpoint};

/// Who replays holds this role, so that two do not at once.
const ROLE: &str = "replay";
/// Where the new tables are made.
const BESIDE: &str = "replay";
/// Where the old ones go in the moment of the switch.
const RETIRED: &str = "replay_retired";
/// Events that are applied at a time.
const PAGE: i64 = 8_000;
/// Most events that are caught up with while the live projector waits.
const CAUGHT_UP: usize = 2_000;
/// How long the switch may wait for those who read the old tables.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many events were applied.
    Applied(usize),
    /// The new tables are where the live ones were a moment ago.
    CaughtUp,
}

/// A replay under way.
#[derive(Debug)]
pub struct Replay {
    live: PgPool,
    beside: PgPool,
    projection: Projection,
    place: Place,
    fence: Fence,
    holder: Uuid,
    renewed: Instant,
}

impl Replay {
    /// Makes empty tables beside the live ones; nothing when another replay is under way. `holder` is nobody
    /// else's.
    pub async fn begin(live: PgPool, holder: Uuid) -> Result<Option<Self>, PostgresError> {
        let Some(fence) = leadership::take_or_renew(&live, ROLE, holder).await? else { return Ok(None) };
        drop_schemas(&live).await?;
        let made = make_tables(&live).await;
        made.map_err(PostgresError::during("make tables for a replay"))?;
        let options = (*live.connect_options()).clone();
        let options = options.options([("search_path", format!("{BESIDE},public"))]);
        let beside = PgPoolOptions::new().max_connections(2).connect_lazy_with(options);
        Ok(Some(Self {
            projection: Projection::new(beside.clone()),
            live,
            beside,
            place: Place::default(),
            fence,
            holder,
            renewed: Instant::now(),
        }))
    }

    /// How many events the log has: about so many will be applied.
    pub async fn events(&self) -> Result<u64, PostgresError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
            .fetch_one(&self.live)
            .await
            .map_err(PostgresError::during("count the events"))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Applies the next page of what the live tables have.
    pub async fn step(&mut self) -> Result<Step, PostgresError> {
        self.renew().await?;
        let goal = checkpoint::load(&self.live, READER).await?;
        let page = self.page(goal, PAGE).await?;
        match page.len() {
            0 => Ok(Step::CaughtUp),
            events => self.apply(&page).await.map(|()| Step::Applied(events)),
        }
    }

    /// Puts the new tables in the place of the live ones. False when the live ones are too far ahead again, or
    /// too busy: catch up and ask again.
    pub async fn switch(&mut self, tables: &[&str]) -> Result<bool, PostgresError> {
        self.renew().await?;
        let begun = self.live.begin().await;
        let mut transaction = begun.map_err(PostgresError::during("begin the switch"))?;
        let goal = match hold_checkpoint(&mut transaction).await {
            Ok(goal) => goal,
            Err(error) if is_lock_timeout(&error) => return Ok(false),
            Err(error) => return Err(PostgresError::during("hold a checkpoint")(error)),
        };
        let page = self.page(goal, i64::try_from(CAUGHT_UP).unwrap_or(i64::MAX)).await?;
        if page.len() == CAUGHT_UP {
            return Ok(false);
        }
        self.apply(&page).await?;
        match exchange(&mut transaction, tables).await {
            Ok(()) => {}
            Err(error) if is_lock_timeout(&error) => return Ok(false),
            Err(error) => return Err(PostgresError::during("exchange the tables")(error)),
        }
        transaction.commit().await.map_err(PostgresError::during("commit the switch"))?;
        Ok(true)
    }

    /// Clears away what is left, whether or not there was a switch.
    pub async fn end(self) -> Result<(), PostgresError> {
        self.beside.close().await;
        drop_schemas(&self.live).await?;
        leadership::release(&self.live, ROLE, self.holder).await
    }

    async fn page(&self, goal: Place, limit: i64) -> Result<Vec<Arc<Recorded>>, PostgresError> {
        if self.place >= goal {
            return Ok(Vec::new());
        }
        let mut page = read_page(&self.live, self.place, limit).await?;
        page.retain(|recorded| recorded.place <= goal);
        Ok(page.into_iter().map(Arc::new).collect())
    }

    async fn apply(&mut self, page: &[Arc<Recorded>]) -> Result<(), PostgresError> {
        self.place = self.projection.apply(self.place, page, &self.fence).await?;
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), PostgresError> {
        if self.renewed.elapsed() < RENEW_EVERY {
            return Ok(());
        }
        let still = leadership::take_or_renew(&self.live, ROLE, self.holder).await?;
        self.renewed = Instant::now();
        if still == Some(self.fence) { Ok(()) } else { Err(PostgresError::LeadershipLost) }
    }
}

/// Tables like the live ones, with their indexes by the same names, and a checkpoint of their own.
async fn make_tables(live: &PgPool) -> Result<(), sqlx::Error> {
    let mut transaction = live.begin().await?;
    execute(&mut transaction, &format!("CREATE SCHEMA {BESIDE}")).await?;
    for table in TABLES.into_iter().chain(["checkpoints"]) {
        let like = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED";
        execute(&mut transaction, &format!("CREATE TABLE {BESIDE}.{table} (LIKE public.{table} {like})"))
            .await?;
        let indexes: Vec<(String, String, bool)> = sqlx::query_as(
            "SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisprimary FROM pg_index i \
             JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = ('public.' || $1)::regclass",
        )
        .bind(table)
        .fetch_all(&mut *transaction)
        .await?;
        for (name, definition, is_key) in indexes {
            let beside =
                definition.replace(&format!(" ON public.{table} "), &format!(" ON {BESIDE}.{table} "));
            execute(&mut transaction, &beside).await?;
            if is_key {
                let key = format!("ALTER TABLE {BESIDE}.{table} ADD PRIMARY KEY USING INDEX {name}");
                execute(&mut transaction, &key).await?;
            }
        }
    }
    transaction.commit().await
}

async fn execute(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}

/// The live projector's place, which does not move until the transaction ends.
async fn hold_checkpoint(connection: &mut PgConnection) -> Result<Place, sqlx::Error> {
    execute(connection, &format!("SET LOCAL lock_timeout = {}", LOCK_PATIENCE.as_millis())).await?;
    sqlx::query("INSERT INTO checkpoints (reader) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(READER)
        .execute(&mut *connection)
        .await?;
    let (epoch, transaction, position): (i32, String, i64) = sqlx::query_as(
        "SELECT log_epoch, transaction_id::text, position FROM checkpoints WHERE reader = $1 FOR UPDATE",
    )
    .bind(READER)
    .fetch_one(connection)
    .await?;
    let transaction = transaction.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Place { epoch, transaction, position })
}

async fn exchange(connection: &mut PgConnection, tables: &[&str]) -> Result<(), sqlx::Error> {
    execute(connection, &format!("CREATE SCHEMA {RETIRED}")).await?;
    let known = TABLES.into_iter().filter(|table| tables.contains(table));
    for table in known {
        execute(connection, &format!("ALTER TABLE public.{table} SET SCHEMA {RETIRED}")).await?;
        execute(connection, &format!("ALTER TABLE {BESIDE}.{table} SET SCHEMA public")).await?;
    }
    Ok(())
}

async fn drop_schemas(live: &PgPool) -> Result<(), PostgresError> {
    sqlx::raw_sql(&format!("DROP SCHEMA IF EXISTS {BESIDE}, {RETIRED} CASCADE"))
        .execute(live)
        .await
        .map(drop)
        .map_err(PostgresError::during("clear a replay away"))
}

/// `lock_not_available` (PostgreSQL, appendix A).
fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("55P03")
}
