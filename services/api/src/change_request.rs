//! A request for a change: who asks for what, and the ways in which nearly all of them are answered.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use domain::ids::{ProjectId, ShotId, TaskId};
use domain::project::Command;
use serde::de::DeserializeOwned;

use crate::App;
use crate::caller::{Caller, etag};
use crate::execute::Executed;
use crate::extract::{Base, Path};
use crate::json::Changed;
use crate::problem::Problem;

/// What a change is asked with besides its body.
#[derive(Debug)]
pub(crate) struct ChangeRequest<I> {
    pub(crate) app: Arc<App>,
    pub(crate) caller: Caller,
    /// The ids in the path; `()` where there are none.
    pub(crate) ids: I,
    pub(crate) base: Base,
}

impl<I: DeserializeOwned + Send> FromRequestParts<Arc<App>> for ChangeRequest<I> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Path(ids) = Path::from_request_parts(parts, app).await?;
        let base = Base::from_request_parts(parts, app).await?;
        let caller = Caller::from_request_parts(parts, app).await?;
        Ok(Self { app: app.clone(), caller, ids, base })
    }
}

impl<I> ChangeRequest<I> {
    /// Executes the command that this request is. `digest` is that of its body.
    pub(crate) async fn execute(
        &self,
        project: ProjectId,
        command: Command,
        digest: [u8; 32],
    ) -> Result<Executed, Problem> {
        self.app.execute(&self.caller, project, command, digest).await
    }

    /// Tells of a task: its present state, and where to ask again.
    pub(crate) async fn tell_task(
        &self,
        status: StatusCode,
        task: TaskId,
        executed: &Executed,
    ) -> Result<Response, Problem> {
        let version = executed.receipt.version;
        let body = Changed { item: self.app.task(task, &self.base).await?, project_version: version };
        let headers = [(LOCATION, format!("/v1/tasks/{task}")), etag(version)];
        Ok((status, headers, axum::Json(body)).into_response())
    }

    /// Tells of a shot as it is then.
    pub(crate) async fn tell_shot(
        &self,
        (project, shot): (ProjectId, ShotId),
        executed: &Executed,
    ) -> Result<Response, Problem> {
        let version = executed.receipt.version;
        let body =
            Changed { item: self.app.shot(project, shot, &self.base).await?, project_version: version };
        Ok(([etag(version)], axum::Json(body)).into_response())
    }

    /// Tells of a project as it is then.
    pub(crate) async fn tell_project(&self, project: ProjectId) -> Result<Response, Problem> {
        let (version, project) = self.app.project(project, &self.base).await?;
        Ok(([etag(version)], axum::Json(project)).into_response())
    }

    /// Tells of a project that did not exist before.
    pub(crate) async fn tell_new_project(&self, project: ProjectId) -> Result<Response, Problem> {
        let location = [(LOCATION, format!("/v1/projects/{project}"))];
        Ok((StatusCode::CREATED, location, self.tell_project(project).await?).into_response())
    }
}
