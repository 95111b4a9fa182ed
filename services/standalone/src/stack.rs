//! Everything in one process: PostgreSQL and nats-server as supervised children (unless others are named),
//! the engine, and a worker with the built-in providers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::job::Kind;
use engine::{Engine, Retention, Timing};
use infra::media::MediaFolder;
use infra::nats::Bus;
use infra::outbound::{AddressRules, IpNet, Outbound};
use infra::postgres::event_store::EventStore;
use infra::postgres::{self, PgPool};
use infra::runtime::{Clock, Lifecycle};
use worker::film::{FilmTools, FontFamilies};
use worker::providers::Provider;
use worker::providers::builtin::Builtin;
use worker::providers::builtin::tts::{Piper, Speech, SpeechTools};

use crate::exit::Failed;
use crate::external::External;
use crate::supervise::{DataFolder, Nats, Postgres};
use crate::tools::{Places, Tool, Toolbox};
use crate::worker_folder::WorkerFolder;

/// Connections that one process keeps to PostgreSQL at most.
const CONNECTIONS: u32 = 20;
/// Largest archive that may be brought here, in bytes, unless it is set otherwise.
const IMPORT_LIMIT: u64 = 1024 * 1024 * 1024;
/// How long roles, and then servers, have to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a system is started among: servers that run elsewhere, and where this machine keeps things.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// PostgreSQL; one of the data folder's own when absent.
    pub database_url: Option<String>,
    /// NATS; one of the data folder's own when absent.
    pub nats_url: Option<String>,
    /// The folder for media that others share; one of the data folder's own when absent.
    pub media: Option<PathBuf>,
    /// Where tools are.
    pub places: Places,
    /// Networks inside that webhooks may lead to.
    pub allowed_networks: Vec<IpNet>,
    /// What is kept for how long.
    pub retention: Retention,
}

impl Surroundings {
    /// Nothing runs elsewhere.
    pub fn alone(places: Places) -> Self {
        Self {
            database_url: None,
            nats_url: None,
            media: None,
            places,
            allowed_networks: Vec::new(),
            retention: Retention::default(),
        }
    }
}

/// The servers of a data folder, running.
#[derive(Debug)]
pub struct Servers {
    /// The data folder, locked.
    pub data: DataFolder,
    /// What was found or installed.
    pub tools: Toolbox,
    /// Where PostgreSQL is.
    pub database_url: String,
    /// Where NATS is.
    pub nats_url: String,
    /// Where NATS is for workers.
    pub worker_nats_url: String,
    /// The folder for media.
    pub media: PathBuf,
    /// Networks inside that webhooks may lead to.
    pub allowed_networks: Vec<IpNet>,
    /// What is kept for how long.
    pub retention: Retention,
    /// The children; they end after everything else.
    lifecycle: Lifecycle,
}

/// What roles share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The database.
    pub pool: PgPool,
    /// Commands go here.
    pub store: EventStore,
    /// The bus.
    pub bus: Bus,
    /// Stored media.
    pub media: MediaFolder,
    /// Requests to addresses that users name.
    pub outbound: Outbound,
    /// The time.
    pub clock: Clock,
    /// What is kept for how long.
    pub retention: Retention,
}

/// A running system.
#[derive(Debug)]
pub struct Stack {
    /// What the roles share.
    pub shared: Shared,
    /// The roles.
    pub lifecycle: Lifecycle,
    servers: Servers,
}

/// The tools that running the servers takes.
const SERVER_TOOLS: [Tool; 2] = [Tool::Postgres, Tool::NatsServer];
/// The tools that the built-in providers take.
pub const PROVIDER_TOOLS: [Tool; 4] = [Tool::Ffmpeg, Tool::EspeakNg, Tool::CjkFont, Tool::Piper];

impl Servers {
    /// Starts what the data folder needs, with the tools that are wanted beside.
    pub async fn start(
        data: &Path,
        among: Surroundings,
        further_tools: &[Tool],
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Self, Failed> {
        let Surroundings { database_url: external_database, nats_url: external_nats, .. } = among;
        let Surroundings { mut places, allowed_networks, media, retention, .. } = among;
        let data = DataFolder::open(data)?;
        let media = media.unwrap_or_else(|| data.media());
        places.postgres_major = DataFolder::postgres_major(data.path());
        let mut wanted: Vec<Tool> = SERVER_TOOLS.to_vec();
        wanted.retain(|tool| match tool {
            Tool::Postgres => external_database.is_none(),
            _ => external_nats.is_none(),
        });
        wanted.extend(further_tools);
        let tools = Toolbox::prepare(&places, &wanted, progress).await?;
        progress("Starting PostgreSQL and nats-server");
        let lifecycle = Lifecycle::default();
        let database_url = match external_database {
            Some(url) => url,
            None => {
                let server = Postgres::start(&data, &tools).await?;
                let url = server.url().to_owned();
                lifecycle.spawn("PostgreSQL", server.run(lifecycle.shutdown().clone()));
                url
            }
        };
        let (nats_url, worker_nats_url) = match external_nats {
            Some(url) => (url.clone(), url),
            None => {
                let server = Nats::start(&data, &tools).await?;
                let urls = (server.url().to_owned(), server.worker_url());
                lifecycle.spawn("nats-server", server.run(lifecycle.shutdown().clone()));
                urls
            }
        };
        Ok(Self {
            data,
            tools,
            database_url,
            nats_url,
            worker_nats_url,
            media,
            allowed_networks,
            retention,
            lifecycle,
        })
    }

    /// Ends the children.
    pub async fn stop(self) -> Result<(), Failed> {
        self.lifecycle.shutdown().cancel();
        self.lifecycle.ended(PATIENCE).await.map_err(Failed::because)
    }

    /// Cancelled when a child has died for good.
    pub fn died(&self) -> &infra::runtime::CancellationToken {
        self.lifecycle.shutdown()
    }
}

impl Shared {
    /// Connects, and brings schema and streams up to date. While NATS is away, whoever leads sees to the streams
    /// when it is back.
    pub async fn connect(
        database_url: &str,
        nats_url: &str,
        media: &Path,
        name: &str,
    ) -> Result<Self, Failed> {
        let pool = postgres::connect(database_url, CONNECTIONS, name).map_err(usage)?;
        postgres::migrate(&pool).await.map_err(Failed::because)?;
        let bus = Bus::connect(nats_url, name).await.map_err(Failed::because)?;
        if bus.is_connected() {
            bus.apply_topology().await.map_err(Failed::because)?;
        }
        let media = MediaFolder::open(media).await.map_err(Failed::because)?;
        let outbound = Outbound::new(AddressRules::default()).map_err(Failed::because)?;
        let store = EventStore::new(pool.clone(), Clock::System);
        let retention = Retention::default();
        Ok(Self { store, pool, bus, media, outbound, clock: Clock::System, retention })
    }

    /// The same, with requests to addresses that users name let into these networks too.
    pub fn allowing(self, networks: &[IpNet]) -> Result<Self, Failed> {
        let outbound = Outbound::new(AddressRules::new(networks.to_vec())).map_err(Failed::because)?;
        Ok(Self { outbound, ..self })
    }

    /// The engine on these.
    pub fn engine(&self, timing: Timing) -> Engine {
        Engine {
            pool: self.pool.clone(),
            store: self.store.clone(),
            bus: self.bus.clone(),
            media: self.media.clone(),
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            timing,
            retention: self.retention.clone(),
            minimum_window: 64,
        }
    }

    /// The HTTP API on these, for those who may ask.
    pub fn api(&self, access: api::Access) -> api::Api {
        api::Api {
            pool: self.pool.clone(),
            store: self.store.clone(),
            bus: self.bus.clone(),
            media: self.media.clone(),
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            access,
            import_limit: IMPORT_LIMIT,
            developer_mode: false,
        }
    }
}

impl Stack {
    /// Starts everything but the API, with the built-in providers, and an external node beside them if there is
    /// to be one.
    pub(crate) async fn start(
        data: &Path,
        among: Surroundings,
        external: Option<External>,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Self, Failed> {
        let mut slots = builtin_slots();
        if among.nats_url.is_none() {
            // No other worker will come: that nothing here makes clips is better said than waited for.
            slots.insert(Kind::Video, 1);
        }
        let servers = Servers::start(data, among, &PROVIDER_TOOLS, progress).await?;
        let provider = builtin(&servers.tools)?;
        match external {
            Some(external) => {
                let (provider, slots) = external.beside(provider, slots)?;
                Self::on(servers, provider, slots).await
            }
            None => Self::on(servers, provider, slots).await,
        }
    }

    /// Starts the roles on running servers.
    pub async fn on<P: Provider>(
        servers: Servers,
        provider: P,
        slots: BTreeMap<Kind, u32>,
    ) -> Result<Self, Failed> {
        let (database, nats, media) = (&servers.database_url, &servers.nats_url, &servers.media);
        let shared = Shared::connect(database, nats, media, "storytovideo").await?;
        let shared =
            Shared { retention: servers.retention.clone(), ..shared.allowing(&servers.allowed_networks)? };
        let lifecycle = Lifecycle::default();
        lifecycle.spawn("engine", shared.engine(Timing::default()).run(lifecycle.shutdown().clone()));
        let folder = WorkerFolder::take(&servers.data.path().join("workers"), None)?;
        let config = worker::Config::new(folder.name().to_owned(), folder.scratch());
        let bus = Bus::connect(&servers.worker_nats_url, "storytovideo worker").await;
        let worker = worker::run(
            worker::Config { slots, ..config },
            bus.map_err(Failed::because)?,
            Arc::new(provider),
            shared.clock.clone(),
            lifecycle.shutdown().clone(),
        );
        lifecycle.spawn("worker", async move {
            let _taken = folder;
            worker.await
        });
        Ok(Self { shared, lifecycle, servers })
    }

    /// The servers below the roles.
    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    /// Ends the roles, then the servers.
    pub async fn stop(self) -> Result<(), Failed> {
        self.lifecycle.shutdown().cancel();
        let ended = self.lifecycle.ended(PATIENCE).await.map_err(Failed::because);
        self.shared.store.close().await;
        let stopped = self.servers.stop().await;
        ended.and(stopped)
    }

    /// Ends when a role or a server has died.
    pub async fn died(&self) {
        tokio::select! {
            () = self.lifecycle.shutdown().cancelled() => {}
            () = self.servers.died().cancelled() => {}
        }
    }
}

/// How many jobs of each kind run at once here: films and voices use several threads themselves.
pub fn builtin_slots() -> BTreeMap<Kind, u32> {
    let cores = u32::try_from(cores()).unwrap_or(1);
    BTreeMap::from([(Kind::Storyboard, 1), (Kind::Image, cores.min(4)), (Kind::Tts, 1), (Kind::Film, 1)])
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The built-in providers on the tools that were found.
pub fn builtin(tools: &Toolbox) -> Result<Builtin, Failed> {
    Ok(Builtin::new(Speech::new(speech_tools(tools), 1), film_tools(tools)?))
}

/// What speech is made with.
pub fn speech_tools(tools: &Toolbox) -> SpeechTools {
    let path = |tool: Tool| tools.path(tool).map(PathBuf::from);
    let piper = path(Tool::Piper)
        .zip(tools.python())
        .map(|(packages, python)| Piper { python: python.to_owned(), packages });
    SpeechTools { piper, espeak: path(Tool::EspeakNg) }
}

/// What films are made with.
pub fn film_tools(tools: &Toolbox) -> Result<FilmTools, Failed> {
    let missing = "ffmpeg is missing; `storytovideo doctor` says how to get it";
    let ffmpeg = tools.path(Tool::Ffmpeg).ok_or_else(|| Failed::Runtime(missing.to_owned()))?;
    let latin = tools.latin_font();
    let files = latin.map(|font| font.path.as_path()).into_iter().chain(tools.path(Tool::CjkFont));
    Ok(FilmTools {
        ffmpeg: ffmpeg.to_owned(),
        font_files: files.map(PathBuf::from).collect(),
        fonts: FontFamilies {
            latin: latin.map(|font| font.family.to_owned()),
            cjk: tools.font_family().unwrap_or("sans-serif").to_owned(),
        },
        threads: cores(),
    })
}

fn usage(error: infra::postgres::PostgresError) -> Failed {
    Failed::Usage(error.to_string())
}
