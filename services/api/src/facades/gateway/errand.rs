//! What a call stands for: a project of ours that it names, or an errand of its own.

use std::sync::Arc;

use domain::ids::{ProjectId, TaskId};
use domain::job::Kind;
use domain::project::{
    Command, CreateProject, Event, Generate, GivenShot, Lifecycle, Only, Origin, Parameters, Project,
    SceneName, StartErrand,
};
use infra::postgres::views::projects;
use serde_json::Value;

use crate::execute::Executed;
use crate::facades::call::Call;
use crate::facades::fields::Fields;
use crate::problem::Problem;

/// The project that a call is about.
pub(super) struct Known {
    pub(super) id: ProjectId,
    pub(super) state: Arc<Project>,
}

impl Call {
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

    /// Starts an errand, and asks what is asked of it, all at once. Takes are made in the usual way where nobody says
    /// otherwise.
    pub(super) async fn errand(
        &self,
        project: CreateProject,
        usual: Parameters,
        asked: Vec<Command>,
    ) -> Result<Executed, Problem> {
        let id = project.id;
        let start = Command::StartErrand(Box::new(StartErrand {
            project,
            origin: Origin::Gateway,
            external_id: self.fields.text(&["projectId", "id"]),
            usual,
        }));
        let together = Command::Together(std::iter::once(start).chain(asked).collect());
        self.execute(id, together).await
    }

    /// An errand of given shots, and one take of each; answers the batch.
    pub(super) async fn takes(
        &self,
        project: CreateProject,
        shots: Vec<GivenShot>,
        (kind, parameters): (Kind, Parameters),
    ) -> Result<TaskId, Problem> {
        let asked = vec![Command::GiveShots { shots }, every(kind, parameters)];
        let executed = self.errand(project, Parameters::default(), asked).await?;
        self.app.batch_of(&executed).await
    }

    /// The task of the one shot that was given with a take.
    pub(super) async fn take_of(&self, executed: &Executed, kind: Kind) -> Result<TaskId, Problem> {
        let queued = |event: &Event| match event {
            Event::TaskQueued(task) if task.kind == kind => Some(task.task_id),
            _ => None,
        };
        let task = self.app.in_log(executed, queued).await?;
        task.ok_or_else(|| Problem::internal("a given shot made no task"))
    }
}

fn every(kind: Kind, parameters: Parameters) -> Command {
    Command::Generate(Generate { kinds: vec![kind], shots: None, only: Only::All, parameters })
}

/// What the client calls a scene, to be told back as it was said.
pub(super) fn scene_name(fields: &Fields, field: &str) -> Option<SceneName> {
    match fields.value(field)? {
        Value::String(text) => Some(SceneName::Text(text.clone())),
        Value::Number(number) => {
            Some(number.as_i64().map_or_else(|| SceneName::Text(number.to_string()), SceneName::Number))
        }
        _ => None,
    }
}
