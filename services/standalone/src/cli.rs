//! The command line.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use domain::ids::ProjectId;
use domain::job::Kind;
use domain::settings::{Aspect, Quality};
use engine::Retention;
use infra::outbound::IpNet;
use infra::postgres::projection::TABLES;
use infra::runtime::LogFilter;

use crate::access::{AccessArgs, ReachArgs, RoomArgs};
use crate::config::Config;
use crate::exit::Failed;
use crate::external::ExternalArgs;
use crate::stack::Surroundings;
use crate::tools::Places;
use crate::{audit, bench, client, doctor, film, keys, replay, roles, up};

/// Turns a written story into a narrated film, and keeps every step of how it got there.
#[derive(Debug, Parser)]
#[command(name = "storytovideo", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Globals {
    /// A file with settings (docs/configuration.md); ./storytovideo.toml is read when none is named.
    #[arg(long, env = "STORYTOVIDEO_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is logged.
    #[arg(long, env = "STORYTOVIDEO_LOG", global = true, default_value_t, value_name = "FILTER")]
    pub(crate) log: LogFilter,
    /// Where tools that were fetched are kept. [default: ~/.cache/storytovideo]
    #[arg(long, env = "STORYTOVIDEO_CACHE_DIR", global = true, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

impl Globals {
    /// This machine, with the cache where it was asked to be.
    pub(crate) fn places(&self) -> Places {
        Places::of_this_machine(self.cache_dir.as_deref())
    }
}

/// Servers that run already, for commands that would start their own.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Other servers")]
pub(crate) struct Running {
    /// PostgreSQL; one of our own is started when not given.
    #[arg(long, env = "STORYTOVIDEO_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// NATS; one of our own is started when not given.
    #[arg(long, env = "STORYTOVIDEO_NATS_URL", hide_env_values = true)]
    nats_url: Option<String>,
    /// The folder for media, where others share it; one in the data folder when not given.
    #[arg(long, env = "STORYTOVIDEO_MEDIA", value_name = "DIR")]
    media: Option<PathBuf>,
    #[command(flatten)]
    webhooks: Webhooks,
    #[command(flatten)]
    retention: RetentionArgs,
}

/// Where messages to webhooks may go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Webhooks")]
pub(crate) struct Webhooks {
    /// Networks inside that webhooks may lead to, such as 10.0.0.0/8; public addresses always may.
    #[arg(long, env = "STORYTOVIDEO_WEBHOOKS_ALLOWED_NETWORKS", value_delimiter = ',', value_name = "CIDR")]
    pub(crate) webhooks_allowed_network: Vec<IpNet>,
}

/// What is kept for how long.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Retention")]
pub(crate) struct RetentionArgs {
    /// Takes that no shot uses lose their media when their shot has not changed for so many days; never when not given.
    #[arg(long, env = "STORYTOVIDEO_RETENTION_UNCHOSEN_TAKES_DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500), value_name = "DAYS")]
    retention_unchosen_takes_days: Option<u64>,
    /// Errands, as calls of the gateway's clients become, go to the trash when nobody has touched them for so many days; 0 keeps them.
    #[arg(long, env = "STORYTOVIDEO_RETENTION_ERRANDS_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(..=36_500), value_name = "DAYS")]
    retention_errands_days: u64,
    /// Media stays for so many hours after it was given up.
    #[arg(long, env = "STORYTOVIDEO_RETENTION_MEDIA_GRACE_HOURS", default_value_t = 168, value_parser = clap::value_parser!(u64).range(2..=876_000), value_name = "HOURS")]
    retention_media_grace_hours: u64,
}

impl RetentionArgs {
    /// As the engine takes it.
    pub(crate) fn retention(&self) -> Retention {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        Retention {
            unchosen_takes: self.retention_unchosen_takes_days.map(|days| hours(24 * days)),
            errands: Some(hours(24 * self.retention_errands_days)).filter(|kept| !kept.is_zero()),
            grace: hours(self.retention_media_grace_hours),
            ..Retention::default()
        }
    }
}

impl Running {
    /// What a system is started among.
    pub(crate) fn surroundings(&self, globals: &Globals) -> Surroundings {
        let (database_url, nats_url) = (self.database_url.clone(), self.nats_url.clone());
        let allowed_networks = self.webhooks.webhooks_allowed_network.clone();
        Surroundings {
            database_url,
            nats_url,
            media: self.media.clone(),
            places: globals.places(),
            allowed_networks,
            retention: self.retention.retention(),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a film of a story. Interrupted, the same command goes on where it stopped.
    Film(FilmArgs),
    /// Run everything as a server, until Ctrl-C.
    Up(UpArgs),
    /// Say which tools were found, where, and how to get what is missing.
    Doctor {
        /// Answer with one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Measure this machine: commands, latencies, throughput.
    Bench {
        /// Answer with one JSON object on the last line.
        #[arg(long)]
        json: bool,
    },
    /// Listen to streams for the benchmark, in a process apart.
    #[command(hide = true)]
    BenchAudience,
    /// Print or check the hashes that show any alteration of the history.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Make read tables again from the log, while the server goes on, and put them in their place.
    Replay(ReplayArgs),
    /// Bring the database's schema up to date.
    Migrate(Servers),
    /// Streams and consumers.
    Bus {
        #[command(subcommand)]
        command: BusCommand,
    },
    /// API keys: who may use the server, and for what.
    Keys(keys::KeysArgs),
    /// Run the HTTP API alone.
    Api {
        #[command(flatten)]
        servers: Servers,
        #[command(flatten)]
        http: Http,
    },
    /// Run the engine alone: relay, dispatcher, desk, projector, collector.
    Engine(Servers),
    /// Run a worker alone.
    Worker {
        #[command(flatten)]
        servers: Servers,
        #[command(flatten)]
        home: WorkerHome,
        /// Kinds of jobs with how many at once: `image=2 tts=1`; all kinds when none are given.
        #[arg(value_parser = parse_slots, value_name = "KIND[=N]")]
        kinds: Vec<(Kind, u32)>,
        #[command(flatten)]
        external: ExternalArgs,
        #[command(flatten)]
        sleeping: SleepingArgs,
    },
    #[command(flatten)]
    Client(client::Command),
    /// Print what makes a shell complete these commands.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Print each project's head: id, version, hash. Whoever keeps it sees any later alteration of what is before.
    Head(Log),
    /// Compute the hashes again, and name every event that is altered or missing; exit code 1 if there is one.
    Verify(VerifyArgs),
}

/// Which log.
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// PostgreSQL; the one that a running `up` has on its data folder when not given.
    #[arg(long, env = "STORYTOVIDEO_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// The data folder of a running `up`.
    #[arg(long, env = "STORYTOVIDEO_DATA", default_value = ".storytovideo", value_name = "DIR")]
    pub(crate) data: PathBuf,
}

/// `storytovideo audit verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) log: Log,
    /// Only this project.
    #[arg(long, value_name = "ID")]
    pub(crate) project: Option<ProjectId>,
    /// Heads that `audit head` printed earlier: they must be in today's history.
    #[arg(long, value_name = "FILE")]
    pub(crate) heads: Option<PathBuf>,
}

/// `storytovideo replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) log: Log,
    /// Read tables, or `all`.
    #[arg(required = true, value_name = "TABLE|all", value_parser = clap::builder::PossibleValuesParser::new(TABLES.into_iter().chain(["all"])))]
    pub(crate) tables: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum BusCommand {
    /// Apply `nats/topology.json`, and compare it with what the server holds.
    Apply {
        /// The NATS server.
        #[arg(long, env = "STORYTOVIDEO_NATS_URL", hide_env_values = true)]
        nats_url: String,
    },
}

/// Where a role finds the others.
#[derive(Debug, Clone, Args)]
pub(crate) struct Servers {
    /// PostgreSQL.
    #[arg(long, env = "STORYTOVIDEO_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// NATS.
    #[arg(long, env = "STORYTOVIDEO_NATS_URL", hide_env_values = true)]
    pub(crate) nats_url: Option<String>,
    /// The folder for media, shared by all roles.
    #[arg(long, env = "STORYTOVIDEO_MEDIA", default_value = ".storytovideo/media", value_name = "DIR")]
    pub(crate) media: PathBuf,
    /// A worker that is silent for so long has lost its jobs, in seconds.
    #[arg(long, env = "STORYTOVIDEO_LEASE_SECONDS", default_value_t = 40, value_parser = clap::value_parser!(u64).range(2..=3600))]
    pub(crate) lease_seconds: u64,
    #[command(flatten)]
    pub(crate) webhooks: Webhooks,
    #[command(flatten)]
    pub(crate) retention: RetentionArgs,
}

/// Where the API listens, and who may ask.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub(crate) struct Http {
    /// Where to listen.
    #[arg(long, env = "STORYTOVIDEO_BIND", default_value = "127.0.0.1:8080", value_name = "ADDR:PORT")]
    pub(crate) bind: SocketAddr,
    /// Where to serve `/metrics`, for operators; nowhere when not given.
    #[arg(long, env = "STORYTOVIDEO_METRICS_BIND", value_name = "ADDR:PORT")]
    pub(crate) metrics_bind: Option<SocketAddr>,
    /// Names besides loopback's that requests may be sent to.
    #[arg(long, env = "STORYTOVIDEO_ALLOWED_HOSTS", value_delimiter = ',', value_name = "HOST")]
    pub(crate) allowed_host: Vec<String>,
    /// Origins besides our own that browsers may come from.
    #[arg(long, env = "STORYTOVIDEO_ALLOWED_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub(crate) allowed_origin: Vec<String>,
    /// Largest archive of a project that may be imported, in MiB.
    #[arg(long, env = "STORYTOVIDEO_LIMITS_IMPORT_MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1_048_576), value_name = "MIB")]
    limits_import_mib: u64,
    /// Give those who develop clients built-in shots (`mock-gen`).
    #[arg(long, env = "STORYTOVIDEO_API_DEVELOPER_MODE", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", value_name = "BOOL")]
    api_developer_mode: bool,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) room: RoomArgs,
}

impl Http {
    /// The API within what was set.
    pub(crate) fn limited(&self, api: api::Api) -> api::Api {
        let import_limit = self.limits_import_mib * 1024 * 1024;
        api::Api { import_limit, developer_mode: self.api_developer_mode, ..api }
    }
}

/// What a worker is called, and where it keeps its files.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkerHome {
    /// The worker's name, the same after a restart and no other's. [default: the machine's, with an id that is
    /// kept in the worker's folder]
    #[arg(long, env = "STORYTOVIDEO_WORKER_NAME")]
    pub(crate) name: Option<String>,
    /// Where workers keep their names and their files in the making.
    #[arg(long, env = "STORYTOVIDEO_WORK", default_value = ".storytovideo/workers", value_name = "DIR")]
    pub(crate) work: PathBuf,
}

/// A worker that only pretends to work, to test everything around it.
#[derive(Debug, Clone, Args)]
pub(crate) struct SleepingArgs {
    /// Sleep so many milliseconds for every job in place of doing it.
    #[arg(long, hide = true, value_name = "MS")]
    pub(crate) sleeping_ms: Option<u64>,
    /// Note the start and end of every run in this file.
    #[arg(long, hide = true, value_name = "FILE", requires = "sleeping_ms")]
    pub(crate) sleeping_notes: Option<PathBuf>,
}

/// `storytovideo film`.
#[derive(Debug, Args)]
pub(crate) struct FilmArgs {
    /// The story, a UTF-8 text file; `-` reads it from standard input.
    #[arg(value_name = "STORY|-")]
    pub(crate) story: PathBuf,
    /// Where the film goes; beside it go the same name with .srt and .vtt. [default: STORY.mp4]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, env = "STORYTOVIDEO_DATA", default_value = ".storytovideo", value_name = "DIR")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) running: Running,
    /// Title; the story's own when not given.
    #[arg(long, default_value = "")]
    pub(crate) title: String,
    /// Style, free text; for example `watercolor`, `ink`, `noir`, `电影`.
    #[arg(long, default_value = "")]
    pub(crate) style: String,
    /// Number of shots, 1 to 200; chosen from the story's length when not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) shots: Option<u32>,
    /// Language of the story, for example `en` or `zh`; detected when not given.
    #[arg(long)]
    pub(crate) language: Option<String>,
    /// Voice, by the speech provider's name; the language's own when not given.
    #[arg(long)]
    pub(crate) voice: Option<String>,
    /// Shape: 16:9, 9:16, 1:1 or 4:3.
    #[arg(long, default_value = "16:9")]
    pub(crate) aspect: Aspect,
    /// `preview` (540p, fast) or `final`.
    #[arg(long, default_value = "final")]
    pub(crate) quality: Quality,
    /// Make another film, even of a story that has one.
    #[arg(long)]
    pub(crate) new: bool,
    /// Answer with one JSON object on the last line of standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `storytovideo up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) http: Http,
    /// Where everything is kept.
    #[arg(long, env = "STORYTOVIDEO_DATA", default_value = ".storytovideo", value_name = "DIR")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) running: Running,
    #[command(flatten)]
    pub(crate) external: ExternalArgs,
}

fn parse_slots(text: &str) -> Result<(Kind, u32), String> {
    let (kind, count) = text.split_once('=').unwrap_or((text, "1"));
    let count = count.parse().ok().filter(|count| (1..=256).contains(count));
    Ok((kind.parse()?, count.ok_or("at once: 1 to 256 jobs")?))
}

/// Does what the command line says.
pub async fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let config = match Config::read(&arguments) {
        Ok(config) => config,
        Err(error) => return refuse(&Failed::Usage(error.to_string())),
    };
    let matches = config.defaults_for(Cli::command()).try_get_matches_from(arguments);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    run(cli, &config).await.unwrap_or_else(|failed| refuse(&failed))
}

fn refuse(failed: &Failed) -> ExitCode {
    say_to_stderr(&format!("storytovideo: {failed}"));
    failed.code()
}

async fn run(cli: Cli, config: &Config) -> Result<ExitCode, Failed> {
    let Cli { globals, command } = cli;
    match command {
        Command::Film(args) => film::run(args, &globals).await.map(|()| ExitCode::SUCCESS),
        Command::Up(args) => up::run(args, &globals, config).await.map(|()| ExitCode::SUCCESS),
        Command::Doctor { json } => examine(json, &globals.places()).await,
        Command::Bench { json } => bench::run(json, &globals).await.map(|()| ExitCode::SUCCESS),
        Command::BenchAudience => bench::listen().await.map(|()| ExitCode::SUCCESS),
        Command::Keys(args) => keys::run(args, &globals).await.map(|()| ExitCode::SUCCESS),
        Command::Audit { command: AuditCommand::Head(log) } => audit::head(&log).await,
        Command::Audit { command: AuditCommand::Verify(args) } => audit::verify(&args).await,
        Command::Replay(args) => replay::run(&args).await,
        Command::Migrate(servers) => roles::migrate(&servers).await.map(|()| ExitCode::SUCCESS),
        Command::Bus { command: BusCommand::Apply { nats_url } } => {
            roles::apply_bus(&nats_url).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Api { servers, http } => {
            roles::api(&servers, &http, &globals, config).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Engine(servers) => roles::engine(&servers, &globals).await.map(|()| ExitCode::SUCCESS),
        Command::Client(command) => client::run(command).await.map(|()| ExitCode::SUCCESS),
        Command::Completions { shell } => Ok(complete(shell)),
        Command::Worker { servers, home, kinds, external, sleeping } => {
            let external = external.read(config)?;
            let worked = roles::worker(&servers, home, &kinds, external, sleeping, &globals).await;
            worked.map(|()| ExitCode::SUCCESS)
        }
    }
}

fn complete(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "storytovideo", &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}

async fn examine(json: bool, places: &Places) -> Result<ExitCode, Failed> {
    let report = doctor::examine(places).await;
    let text = if json { serde_json::to_string(&report).map_err(Failed::because)? } else { report.to_text() };
    say(text.trim_end());
    Ok(if report.healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a shell shows for a program that `SIGPIPE` ended.
const AFTER_SIGPIPE: i32 = 141;

/// A line of the answer. Where nobody reads any further, as before `| head`, the program ends as others do
/// that `SIGPIPE` kills; children end with it. Nor does it go on as if it had answered where it cannot.
pub(crate) fn say(line: &str) {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(AFTER_SIGPIPE),
        Err(error) => {
            say_to_stderr(&format!("storytovideo: the answer cannot be written: {error}"));
            std::process::exit(1);
        }
    }
}

/// A line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "what people should know goes to standard error")]
pub(crate) fn say_to_stderr(line: &str) {
    eprintln!("{line}");
}

/// Minutes and seconds.
pub(crate) fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    format!("{}:{:02}", whole / 60, whole % 60)
}
