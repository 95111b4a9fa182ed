//! The project that is made over and over: twenty shots, each a picture, a voice and a clip, and a film.

use domain::ids::{CommandId, ProjectId};
use domain::metadata::Context;
use domain::project::{Command, CreateProject, Envelope, ProjectPatch};
use domain::settings::Settings;
use infra::nats::{LiveMessage, LiveSubscription};
use infra::runtime::Clock;
use uuid::Uuid;

use super::in_time;
use crate::exit::Failed;
use crate::stack::Shared;

/// Shots of a project.
pub(super) const SHOTS: u32 = 20;
/// Jobs of a project: a storyboard, three a shot, and a film.
pub(super) const STEPS: u32 = 3 * SHOTS + 2;

/// An id that no project has.
pub(super) fn new_project() -> ProjectId {
    ProjectId(Uuid::new_v4())
}

/// The command that starts a project and, with the storyboard, all its work; planned ahead when the number
/// of shots is known.
pub(super) fn create(id: ProjectId, shot_count: Option<u32>) -> Command {
    let settings = Settings {
        image_to_video: true,
        auto_render: true,
        // Voices that another project made of the same words would be used again.
        voice: Some(id.to_string()),
        ..Settings::default()
    };
    Command::CreateProject(CreateProject {
        id,
        story: "The lighthouse keeper counted the waves, and the waves counted him. ".repeat(15),
        title: "Bench".to_owned(),
        description: String::new(),
        style: "watercolor".to_owned(),
        shot_count,
        settings,
    })
}

/// A small command with one small event.
pub(super) fn rename(number: u64) -> Command {
    Command::ReviseProject(ProjectPatch { title: Some(format!("Title {number}")), ..ProjectPatch::default() })
}

/// A command as a user gives it.
pub(super) fn envelope(clock: &Clock, command: Command) -> Envelope {
    let id = CommandId(Uuid::new_v4());
    let context = Context {
        command: id,
        at: clock.now(),
        actor: "user:bench".to_owned(),
        owner: None,
        correlation: id.to_string(),
        causation: None,
        traceparent: None,
    };
    Envelope { context, if_version: None, command }
}

/// Executes a command as the API does, without waking anybody.
pub(super) async fn execute(shared: &Shared, project: ProjectId, command: Command) -> Result<(), Failed> {
    let executed = shared.store.execute(project, envelope(&shared.clock, command)).await;
    executed.map(drop).map_err(Failed::because)
}

/// Starts a project of so many shots as the API does, and wakes the readers of the log.
pub(super) async fn start(shared: &Shared, project: ProjectId, shots: u32) -> Result<(), Failed> {
    execute(shared, project, create(project, Some(shots))).await?;
    shared.bus.wake().await;
    Ok(())
}

/// A project of so many shots with everything made, by a system at work.
pub(super) async fn finished(shared: &Shared, shots: u32) -> Result<ProjectId, Failed> {
    let project = new_project();
    let mut live = shared.bus.watch(project).await.map_err(Failed::because)?;
    start(shared, project, shots).await?;
    in_time("a project", until(&mut live, "FilmRendered")).await?;
    Ok(project)
}

/// Waits until an event of this type comes by.
pub(super) async fn until(live: &mut LiveSubscription, event_type: &str) -> Result<(), Failed> {
    loop {
        match live.next().await {
            Some(LiveMessage::Event(event)) if event["type"] == event_type => return Ok(()),
            Some(_) => {}
            None => return Err(Failed::Runtime("the connection to NATS was closed".to_owned())),
        }
    }
}
