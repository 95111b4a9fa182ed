//! Each role by itself, as a cluster runs them.

use std::sync::Arc;
use std::time::Duration;

use api::Listeners;
use domain::job::Kind;
use engine::Timing;
use infra::nats::Bus;
use infra::postgres;
use infra::runtime::{Clock, Lifecycle, LogTo, init_logging};
use tokio::signal::unix::{SignalKind, signal};
use worker::providers::Provider;
use worker::providers::bench::{Noted, Sleeping};

use crate::cli::{Globals, Http, Servers, SleepingArgs, WorkerHome, say, say_to_stderr};
use crate::config::Config;
use crate::descriptors;
use crate::exit::Failed;
use crate::external::External;
use crate::stack::{PROVIDER_TOOLS, Shared, builtin, builtin_slots};
use crate::tools::Toolbox;
use crate::worker_folder::WorkerFolder;

const PATIENCE: Duration = Duration::from_secs(15);

/// Ends at Ctrl-C or when the process is asked to terminate.
pub(crate) async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// The API's listeners, or a clear word on why there are none.
pub(crate) async fn listen(http: &Http) -> Result<Listeners, Failed> {
    let tls = http.reach.tls()?;
    descriptors::raise_limit();
    let listeners = Listeners::bind(http.bind, http.metrics_bind).await;
    let listeners = listeners.map_err(|error| {
        Failed::Usage(format!("{error}; choose another address with --bind or --metrics-bind"))
    })?;
    let Some(tls) = tls else { return Ok(listeners) };
    let encrypted = listeners.encrypted(tls, http.reach.redirect_bind).await;
    encrypted.map_err(|error| Failed::Usage(format!("{error}; choose another address with --redirect-bind")))
}

fn database_url(servers: &Servers) -> Result<&str, Failed> {
    servers
        .database_url
        .as_deref()
        .ok_or_else(|| Failed::Usage("set STORYTOVIDEO_DATABASE_URL, or give --database-url".to_owned()))
}

fn nats_url(servers: &Servers) -> Result<&str, Failed> {
    let missing = || Failed::Usage("set STORYTOVIDEO_NATS_URL, or give --nats-url".to_owned());
    servers.nats_url.as_deref().ok_or_else(missing)
}

async fn connect(servers: &Servers, name: &str, globals: &Globals) -> Result<Shared, Failed> {
    init_logging(&LogTo::Stderr, &globals.log).map_err(Failed::because)?;
    let shared = Shared::connect(database_url(servers)?, nats_url(servers)?, &servers.media, name).await?;
    let shared = shared.allowing(&servers.webhooks.webhooks_allowed_network)?;
    Ok(Shared { retention: servers.retention.retention(), ..shared })
}

/// Runs what was spawned until an interruption or a death.
async fn until_the_end(lifecycle: Lifecycle) -> Result<(), Failed> {
    tokio::select! {
        () = interrupted() => lifecycle.shutdown().cancel(),
        () = lifecycle.shutdown().cancelled() => {}
    }
    lifecycle.ended(PATIENCE).await.map_err(Failed::because)
}

pub(crate) async fn migrate(servers: &Servers) -> Result<(), Failed> {
    let pool = postgres::connect(database_url(servers)?, 1, "storytovideo-migrate")
        .map_err(|error| Failed::Usage(error.to_string()))?;
    postgres::migrate(&pool).await.map_err(Failed::because)?;
    say("The schema is up to date.");
    Ok(())
}

pub(crate) async fn apply_bus(nats_url: &str) -> Result<(), Failed> {
    let bus = Bus::connect(nats_url, "storytovideo-bus").await.map_err(Failed::because)?;
    bus.apply_topology().await.map_err(Failed::because)?;
    say("Streams and consumers are as nats/topology.json says.");
    Ok(())
}

pub(crate) async fn api(
    servers: &Servers,
    http: &Http,
    globals: &Globals,
    config: &Config,
) -> Result<(), Failed> {
    let access = http.access(config)?;
    let listeners = listen(http).await?;
    let address = listeners.api.local_addr().map_err(Failed::because)?;
    let shared = connect(servers, "storytovideo-api", globals).await?;
    http.refuse_strangers(&access, &shared.pool).await?;
    let lifecycle = Lifecycle::default();
    lifecycle
        .spawn("api", api::run(listeners, http.limited(shared.api(access)), lifecycle.shutdown().clone()));
    say_to_stderr(&format!("The API listens on {}://{address}", http.reach.scheme()));
    until_the_end(lifecycle).await
}

pub(crate) async fn engine(servers: &Servers, globals: &Globals) -> Result<(), Failed> {
    let shared = connect(servers, "storytovideo-engine", globals).await?;
    let lifecycle = Lifecycle::default();
    let timing = Timing { lease: Duration::from_secs(servers.lease_seconds), ..Timing::default() };
    lifecycle.spawn("engine", shared.engine(timing).run(lifecycle.shutdown().clone()));
    until_the_end(lifecycle).await
}

pub(crate) async fn worker(
    servers: &Servers,
    home: WorkerHome,
    kinds: &[(Kind, u32)],
    external: External,
    sleeping: SleepingArgs,
    globals: &Globals,
) -> Result<(), Failed> {
    init_logging(&LogTo::Stderr, &globals.log).map_err(Failed::because)?;
    nats_url(servers)?;
    if let Some(millis) = sleeping.sleeping_ms {
        let duration = Duration::from_millis(millis);
        let sleeper = Sleeping { durations: Kind::ALL.into_iter().map(|kind| (kind, duration)).collect() };
        let noted = Noted { sleeping: sleeper, notes: sleeping.sleeping_notes };
        return work(servers, home, kinds, external, noted).await;
    }
    let tools = Toolbox::prepare(&globals.places(), &PROVIDER_TOOLS, &|line| say_to_stderr(line)).await?;
    work(servers, home, kinds, external, builtin(&tools)?).await
}

async fn work<P: Provider>(
    servers: &Servers,
    home: WorkerHome,
    kinds: &[(Kind, u32)],
    external: External,
    provider: P,
) -> Result<(), Failed> {
    let (provider, beside) = external.beside(provider, builtin_slots())?;
    let slots = if kinds.is_empty() { beside } else { kinds.iter().copied().collect() };
    let folder = WorkerFolder::take(&home.work, home.name.as_deref())?;
    let client = format!("worker {}", folder.name());
    let bus = Bus::connect(nats_url(servers)?, &client).await.map_err(Failed::because)?;
    let heartbeat = Duration::from_millis(servers.lease_seconds * 1000 * 3 / 8);
    let config = worker::Config::new(folder.name().to_owned(), folder.scratch());
    let config = worker::Config { slots, heartbeat, ..config };
    let lifecycle = Lifecycle::default();
    let shutdown = lifecycle.shutdown().clone();
    lifecycle.spawn("worker", worker::run(config, bus, Arc::new(provider), Clock::System, shutdown));
    until_the_end(lifecycle).await
}
