//! `storytovideo film`: a story in, a film out, and the same command again goes on where it stopped.

mod export;
pub(crate) mod progress;
mod story;

use std::time::Duration;

use domain::ids::{CommandId, ProjectId, TaskId};
use domain::metadata::Context;
use domain::project::{Command, CreateProject, Envelope, Parameters, Project, ProjectError};
use domain::settings::Settings;
use infra::postgres::event_store::{ExecuteError, Receipt};
use infra::postgres::views::films::{self, FilmRow};
use infra::postgres::views::projects::{self, ProjectRow};
use infra::postgres::views::tasks::{self, TaskRow, TaskStatus};
use infra::runtime::{Clock, LogTo, init_logging};
use uuid::Uuid;

use crate::cli::{FilmArgs, Globals, say_to_stderr};
use crate::exit::Failed;
use crate::roles::interrupted;
use crate::stack::{Shared, Stack};
use progress::Display;
pub(crate) use story::Story;

/// How often the display looks.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// Tasks of the largest project: storyboard, and per shot a picture, a clip and a voice, with some to spare.
const ALL_TASKS: i64 = 2_000;

/// Makes the film, whatever is left to do of it.
pub(crate) async fn run(args: FilmArgs, globals: &Globals) -> Result<(), Failed> {
    let story = Story::read(&args.story).await?;
    let output = export::Target::new(&args)?;
    let creation = creation(&args, &story)?;
    tokio::fs::create_dir_all(&args.data)
        .await
        .map_err(|error| Failed::Usage(format!("{} cannot be made: {error}", args.data.display())))?;
    let display = Display::new();
    let prepare = |line: &str| display.preparing(line);
    let stack = tokio::select! {
        stack = Stack::start(&args.data, args.running.surroundings(globals), None, &prepare) => stack?,
        () = interrupted() => return Err(Failed::Interrupted),
    };
    let log = LogTo::File(args.data.join("logs").join("storytovideo.log"));
    init_logging(&log, &globals.log).map_err(Failed::because)?;
    let made = tokio::select! {
        made = make(&stack.shared, creation, &display) => made,
        () = interrupted() => Err(Failed::Interrupted),
        () = stack.died() => Err(Failed::Runtime("a part of the system died; the log says why".to_owned())),
    };
    display.finish();
    let exported = match made {
        Ok(made) => output.export(&stack.shared, &made).await.map(|files| (made, files)),
        Err(failed) => Err(failed),
    };
    let stopped = stack.stop().await;
    let (made, files) = exported?;
    stopped?;
    export::tell(&made, &files, args.json)
}

/// A finished film with the tasks that made it.
#[derive(Debug)]
pub(crate) struct MadeFilm {
    pub(crate) project: ProjectRow,
    pub(crate) film: FilmRow,
    pub(crate) tasks: Vec<TaskRow>,
}

async fn make(
    shared: &Shared,
    (id, creation): (ProjectId, Envelope),
    display: &Display,
) -> Result<MadeFilm, Failed> {
    let project = match shared.store.execute(id, creation).await {
        // However long ago the same command line began it.
        Err(ExecuteError::Rule(ProjectError::AlreadyExists)) => id,
        executed => begun(shared, executed).await?,
    };
    let mut live = shared.bus.watch(project).await.map_err(Failed::because)?;
    let mut helped = false;
    loop {
        if let Some(row) = projects::find(&shared.pool, project).await.map_err(Failed::because)? {
            let tasks =
                tasks::of_project(&shared.pool, project, None, ALL_TASKS).await.map_err(Failed::because)?;
            display.show(&tasks);
            let film = films::newest(&shared.pool, project).await.map_err(Failed::because)?;
            let film = film.filter(|film| is_of_the_whole(film, &tasks));
            if let Some(film) = film.filter(|_| !row.film_stale && row.tasks_open == 0) {
                return Ok(MadeFilm { project: row, film, tasks });
            }
            // A run that failed for good, or whose film was stopped, is given one new try by each call; what
            // fails under the eyes of this one has had its tries.
            if row.tasks_open > 0 {
                helped = true;
            } else {
                if helped {
                    return Err(Failed::Runtime(why(&tasks)));
                }
                help(shared, project, &tasks).await?;
                helped = true;
            }
        }
        let look = tokio::time::sleep(LOOK_EVERY);
        tokio::pin!(look);
        loop {
            tokio::select! {
                message = live.next() => match message {
                    Some(message) => display.live(&message),
                    None => return Err(Failed::Runtime("the connection to NATS was closed".to_owned())),
                },
                () = &mut look => break,
            }
        }
    }
}

/// The command that creates the project, under an id that the same command line gives again. What breaks a rule
/// is refused here, before anything is begun.
fn creation(args: &FilmArgs, story: &Story) -> Result<(ProjectId, Envelope), Failed> {
    let command = if args.new { CommandId(Uuid::new_v4()) } else { story.command(args) };
    let project = ProjectId(Uuid::new_v5(&command.0, b"project"));
    let create = CreateProject {
        id: project,
        story: story.text.clone(),
        title: args.title.clone(),
        description: String::new(),
        style: args.style.clone(),
        shot_count: args.shots,
        settings: Settings {
            aspect: args.aspect,
            language: args.language.clone(),
            voice: args.voice.clone(),
            quality: args.quality,
            auto_render: true,
            ..Settings::default()
        },
    };
    let envelope = envelope(&Clock::System, command, Command::CreateProject(create));
    Project::default().decide(&envelope).map_err(|rule| Failed::Usage(rule.to_string()))?;
    Ok((project, envelope))
}

fn envelope(clock: &Clock, id: CommandId, command: Command) -> Envelope {
    let context = Context {
        command: id,
        at: clock.now(),
        actor: "user:local".to_owned(),
        owner: None,
        correlation: id.to_string(),
        causation: None,
        traceparent: None,
    };
    Envelope { context, if_version: None, command }
}

async fn execute(shared: &Shared, project: ProjectId, envelope: Envelope) -> Result<ProjectId, Failed> {
    begun(shared, shared.store.execute(project, envelope).await).await
}

async fn begun(shared: &Shared, executed: Result<Receipt, ExecuteError>) -> Result<ProjectId, Failed> {
    let receipt = executed.map_err(|error| match error {
        ExecuteError::Rule(rule) => Failed::Usage(rule.to_string()),
        other => Failed::because(other),
    })?;
    shared.bus.wake().await;
    Ok(receipt.project)
}

/// Tries again what failed; where nothing did, asks for the film.
async fn help(shared: &Shared, project: ProjectId, tasks: &[TaskRow]) -> Result<(), Failed> {
    let failed: Vec<TaskId> = newest_failed(tasks).map(|task| task.id).collect();
    if failed.is_empty() {
        let command = Command::RenderFilm { parameters: Parameters::default() };
        execute(shared, project, envelope(&shared.clock, CommandId(Uuid::new_v4()), command)).await?;
    }
    for task in failed {
        let command = Command::RetryTask { task };
        execute(shared, project, envelope(&shared.clock, CommandId(Uuid::new_v4()), command)).await?;
    }
    // The next look must not see the tables as they were before.
    let version = shared.store.load(project).await.map_err(Failed::because)?.state.version;
    while projects::version(&shared.pool, project).await.map_err(Failed::because)? < Some(version) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Whether a film is the one that the project's settings ask for, as against a part or another form of it.
fn is_of_the_whole(film: &FilmRow, tasks: &[TaskRow]) -> bool {
    tasks.iter().all(|task| task.id != film.id || task.parameters == Parameters::default())
}

fn newest_failed(tasks: &[TaskRow]) -> impl Iterator<Item = &TaskRow> {
    let is_newest = |task: &TaskRow| {
        let later = |other: &&TaskRow| other.kind == task.kind && other.shot_id == task.shot_id;
        tasks.iter().rfind(later).is_some_and(|newest| newest.id == task.id)
    };
    tasks.iter().filter(move |task| task.status == TaskStatus::Failed && is_newest(task))
}

fn why(tasks: &[TaskRow]) -> String {
    let reasons: Vec<String> = newest_failed(tasks)
        .filter_map(|task| task.error.as_ref().map(|error| format!("{}: {error}", task.kind.task_type())))
        .collect();
    match reasons.first() {
        Some(first) if reasons.len() > 1 => format!("{first} (and {} more tasks failed)", reasons.len() - 1),
        Some(first) => first.clone(),
        None => "the film was not made; the log says why".to_owned(),
    }
}

/// A line that stays on the terminal.
pub(super) fn note(line: &str) {
    say_to_stderr(line);
}
