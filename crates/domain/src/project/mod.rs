//! The project aggregate: one event stream per project.

mod command;
mod content;
mod decide;
mod errand;
mod error;
mod event;
mod foreign;
pub mod limits;
mod names;
mod spec;
mod state;
#[cfg(test)]
mod tests;
mod workflow;

pub use command::{
    Asks, Command, CreateProject, EarlierTake, Envelope, ForkProject, Generate, Only, Parameters,
    ProjectPatch, ShotPatch,
};
pub use content::{Content, ContentShot, ContentTake};
pub use errand::{Errand, GivenShot, NAME as EXTERNAL_NAME, Origin, SceneName, StartErrand};
pub use error::ProjectError;
pub use event::*;
pub use foreign::ForeignHistory;
pub use state::{Batch, ChildState, Film, Lifecycle, Project, Shot, Status, Take, Task, TaskState};
pub use workflow::{MAX_ATTEMPTS, MAX_LOST_RUNS};

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;

impl Aggregate for Project {
    const TYPE: &'static str = "project";
    type Command = Envelope;
    type Event = Event;
    type Error = ProjectError;
    type Services = ();

    async fn handle(
        &mut self,
        command: Self::Command,
        _services: &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        for event in self.decide(&command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.evolve(&event);
    }
}
