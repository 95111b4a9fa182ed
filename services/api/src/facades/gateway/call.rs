//! What a call stands for: a project of ours that it names, or an errand of its own.

use std::sync::Arc;

use domain::ids::{ProjectId, TaskId};
use domain::job::Kind;
use domain::project::{
    Command, CreateProject, Event, Generate, GivenShot, Lifecycle, Only, Origin, Parameters, Project,
    SceneName, StartErrand,
};
use domain::settings::{Aspect, Resolution, Settings};
use infra::postgres::views::projects;
use serde_json::Value;

use crate::App;
use crate::caller::Caller;
use crate::commands::create_project::new_id;
use crate::execute::Executed;
use crate::facades::fields::Fields;
use crate::problem::Problem;

/// One call of a client.
pub(super) struct Call<'a> {
    pub(super) app: &'a App,
    pub(super) caller: Caller,
    pub(super) fields: Fields,
}

/// The project that a call is about.
pub(super) struct Known {
    pub(super) id: ProjectId,
    pub(super) state: Arc<Project>,
}

impl Call<'_> {
    /// The project that the call names: by our id, or, for an errand of an earlier call, by the client's own.
    pub(super) async fn known_project(&self) -> Result<Option<Known>, Problem> {
        let Some(name) = self.fields.text(&["projectId"]) else { return Ok(None) };
        if let Ok(id) = name.parse() {
            let state = self.app.api.store.load(id).await?.state;
            let is_there = state.lifecycle == Lifecycle::Active;
            if is_there && self.caller.identity.may_see(id, state.owner.as_deref()) {
                return Ok(Some(Known { id, state }));
            }
        }
        let owners = self.caller.identity.owners();
        let Some(id) = projects::find_errand(&self.app.api.pool, &name, &owners).await? else {
            return Ok(None);
        };
        Ok(Some(Known { id, state: self.app.api.store.load(id).await?.state }))
    }

    /// Starts an errand, and asks what is asked of it, all at once.
    pub(super) async fn errand(&self, start: Start, asked: Vec<Command>) -> Result<Executed, Problem> {
        let id = new_id(self.app);
        let project = CreateProject {
            id,
            story: start.story,
            title: String::new(),
            description: String::new(),
            style: start.style,
            shot_count: start.shot_count,
            settings: start.settings,
        };
        let start = Command::StartErrand(Box::new(StartErrand {
            project,
            origin: Origin::Gateway,
            external_id: self.fields.text(&["projectId", "id"]),
            usual: start.usual,
        }));
        let together = Command::Together(std::iter::once(start).chain(asked).collect());
        self.app.execute(&self.caller, id, together, self.fields.digest).await
    }

    /// An errand of given shots, and one take of each; answers the batch.
    pub(super) async fn takes(
        &self,
        start: Start,
        shots: Vec<GivenShot>,
        (kind, parameters): (Kind, Parameters),
    ) -> Result<TaskId, Problem> {
        let executed =
            self.errand(start, vec![Command::GiveShots { shots }, every(kind, parameters)]).await?;
        self.app.batch_of(&executed).await
    }

    /// The same of one shot; answers the take's own task.
    pub(super) async fn take(
        &self,
        start: Start,
        shot: GivenShot,
        (kind, parameters): (Kind, Parameters),
    ) -> Result<TaskId, Problem> {
        let given = Command::GiveShots { shots: vec![shot] };
        let executed = self.errand(start, vec![given, every(kind, parameters)]).await?;
        let queued = |event: &Event| match event {
            Event::TaskQueued(task) if task.kind == kind => Some(task.task_id),
            _ => None,
        };
        let task = self.app.in_log(&executed, queued).await?;
        task.ok_or_else(|| Problem::internal("an errand of one shot made no task"))
    }
}

/// What an errand starts with.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// Empty where shots are given.
    pub(super) story: String,
    pub(super) style: String,
    pub(super) shot_count: Option<u32>,
    pub(super) settings: Settings,
    /// How takes are made where nobody says otherwise.
    pub(super) usual: Parameters,
}

fn every(kind: Kind, parameters: Parameters) -> Command {
    Command::Generate(Generate { kinds: vec![kind], shots: None, only: Only::All, parameters })
}

/// What the client calls a scene, to be told back as it was said.
pub(super) fn scene_name(fields: &Fields, field: &str) -> Option<SceneName> {
    match fields.value(field)? {
        Value::String(text) => Some(SceneName::Text(text.clone())),
        value => value.as_i64().map(SceneName::Number),
    }
}

/// The shape and size of ours that come nearest to so many pixels.
pub(super) fn sized(settings: Settings, (width, height): (u32, u32)) -> Settings {
    let ratio = |(width, height): (u32, u32)| (f64::from(width.max(1)) / f64::from(height.max(1))).ln();
    let lines = width.min(height).clamp(Resolution::SMALLEST.lines(), Resolution::LARGEST.lines());
    let resolution = Resolution::new(lines).unwrap_or_default();
    let distance = |aspect: &Aspect| (ratio(resolution.frame_size(*aspect)) - ratio((width, height))).abs();
    let nearest = Aspect::ALL.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    Settings { resolution, aspect: nearest.unwrap_or(settings.aspect), ..settings }
}

/// The settings with a size like `1024x576` or `720p`, if one is given.
pub(super) fn sized_as_said(settings: Settings, said: Option<&str>) -> Result<Settings, Problem> {
    let Some(text) = said.map(|text| text.trim().to_lowercase()) else { return Ok(settings) };
    let pixels = |text: &str| text.trim().parse::<u32>().ok().filter(|pixels| *pixels > 0);
    let invalid = || Problem::bad_request("invalid", "resolution: must be like 1024x576 or 720p");
    match text.split_once(['x', '*', '×']) {
        Some((width, height)) => Ok(sized(settings, pixels(width).zip(pixels(height)).ok_or_else(invalid)?)),
        None => {
            let lines = pixels(text.trim_end_matches('p')).and_then(Resolution::new).ok_or_else(invalid)?;
            Ok(Settings { resolution: lines, ..settings })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_becomes_the_nearest_that_there_is() {
        let frame = |text: &str| sized_as_said(Settings::default(), Some(text)).unwrap().frame_size();
        for (text, size) in [
            ("1024x576", (1024, 576)),
            ("1024x1024", (1024, 1024)),
            ("720x1280", (720, 1280)),
            ("640 * 480", (640, 480)),
            ("384x256", (480, 360)),
            ("1080p", (1920, 1080)),
        ] {
            assert_eq!(frame(text), size, "{text}");
        }
        for text in ["big", "0x0", "10p", "x", "1x"] {
            assert!(sized_as_said(Settings::default(), Some(text)).is_err(), "{text}");
        }
    }
}
