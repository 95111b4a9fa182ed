//! `storytovideo audit`: prints heads, and finds what was altered in the history.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use domain::ids::ProjectId;
use infra::postgres::audit::{self, Finding};
use infra::postgres::{self, PgPool};

use crate::cli::{Log, VerifyArgs, say, say_to_stderr};
use crate::exit::Failed;
use crate::supervise::running_database;

/// Connections that a command on the log needs.
const CONNECTIONS: u32 = 2;

/// Heads that were kept, by project and version.
type Kept = BTreeMap<ProjectId, BTreeMap<u64, [u8; 32]>>;

/// The log's database: the one that is named, else the one that a running `up` has.
pub(crate) fn connect(log: &Log) -> Result<PgPool, Failed> {
    let url = match &log.database_url {
        Some(url) => url.clone(),
        None => running_database(&log.data)?.ok_or_else(|| {
            let folder = log.data.display();
            Failed::Usage(format!(
                "nothing runs on {folder}: start `storytovideo up`, or give --data or --database-url"
            ))
        })?,
    };
    postgres::connect(&url, CONNECTIONS, "storytovideo-log").map_err(|error| Failed::Usage(error.to_string()))
}

/// Prints `project version hash` for every project.
pub(crate) async fn head(log: &Log) -> Result<ExitCode, Failed> {
    let pool = connect(log)?;
    each_head(&pool, async |head| {
        say(&format!("{} {} {}", head.project, head.version, hex::encode(head.hash)));
        Ok(())
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn each_head(
    pool: &PgPool,
    mut each: impl AsyncFnMut(audit::Head) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let mut after = None;
    loop {
        let page = audit::heads(pool, after).await.map_err(Failed::because)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.project);
        for head in page {
            each(head).await?;
        }
    }
}

/// Exit code 1 when anything is altered or missing, each on a line of its own.
pub(crate) async fn verify(args: &VerifyArgs) -> Result<ExitCode, Failed> {
    let mut kept = args.heads.as_deref().map_or_else(|| Ok(Kept::new()), read_heads)?;
    let pool = connect(&args.log)?;
    let mut tally = Tally::default();
    match args.project {
        Some(project) => {
            let kept = kept.remove(&project).unwrap_or_default();
            tally.verify(&pool, project, &kept).await?;
            if tally.events == 0 && tally.faults == 0 {
                return Err(Failed::Runtime(format!("there is no project {project}")));
            }
        }
        None => {
            each_head(&pool, async |head| {
                tally.verify(&pool, head.project, &kept.remove(&head.project).unwrap_or_default()).await
            })
            .await?;
            // What is left are projects of which there is nothing any more.
            for (project, kept) in &kept {
                tally.verify(&pool, *project, kept).await?;
            }
        }
    }
    let Tally { projects, events, faults } = tally;
    say_to_stderr(&format!("{events} events of {projects} projects: {faults} altered or missing"));
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Default)]
struct Tally {
    projects: u64,
    events: u64,
    faults: u64,
}

impl Tally {
    async fn verify(
        &mut self,
        pool: &PgPool,
        project: ProjectId,
        kept: &BTreeMap<u64, [u8; 32]>,
    ) -> Result<(), Failed> {
        let found = |finding: Finding| {
            self.faults += 1;
            say(&finding.to_string());
        };
        self.events += audit::verify(pool, project, kept, found).await.map_err(Failed::because)?;
        self.projects += 1;
        Ok(())
    }
}

/// Lines as `audit head` prints them; several of one project may come from different days.
fn read_heads(path: &Path) -> Result<Kept, Failed> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failed::Usage(format!("{}: {error}", path.display())))?;
    let mut kept = Kept::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let (project, version, hash) = read_head(line).ok_or_else(|| {
            let path = path.display();
            Failed::Usage(format!(
                "{path}:{number}: must be a project, a version and a hash, as `audit head` prints"
            ))
        })?;
        if kept.entry(project).or_default().insert(version, hash).is_some_and(|other| other != hash) {
            let path = path.display();
            return Err(Failed::Usage(format!(
                "{path}:{number}: another hash of version {version} than a line before: its history was written anew between the two"
            )));
        }
    }
    Ok(kept)
}

fn read_head(line: &str) -> Option<(ProjectId, u64, [u8; 32])> {
    let mut words = line.split_whitespace();
    let project = words.next()?.parse().ok()?;
    let version = words.next()?.parse().ok()?;
    let hash = hex::decode(words.next()?).ok()?.try_into().ok()?;
    words.next().is_none().then_some((project, version, hash))
}
