//! `POST /v1/projects/{id}/restore` and `…/fork`: back to an earlier version, or another project from one.

use std::collections::HashSet;

use axum::response::Response;
use domain::asset::AssetKey;
use domain::ids::{ProjectId, TakeId};
use domain::project::{Command, Content, ForkProject};
use infra::postgres::past;
use infra::postgres::views::takes;
use serde::Deserialize;
use utoipa::ToSchema;

use super::create_project::new_id;
use crate::App;
use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::extract::Json;
use crate::json::Project;
use crate::problem::Problem;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = EarlierVersion, example = json!({ "version": 1 }))]
pub(crate) struct Body {
    /// A version that the project had.
    #[schema(minimum = 1)]
    version: u64,
}

/// 200 with the project, which is as it was then. Open work is cancelled, and none is queued.
#[utoipa::path(
    post, path = "/v1/projects/{project}/restore", tag = "history", operation_id = "restoreProject",
    summary = "Bring an earlier version's story, style, settings, shots and selections back",
    params(Caller), request_body = Body,
    responses((status = 200, description = "The project", body = Project, headers(("ETag")))),
)]
pub(crate) async fn restore(asked: ChangeRequest<ProjectId>, body: Json<Body>) -> Result<Response, Problem> {
    let project = asked.ids;
    let Json { value: Body { version }, digest } = body;
    if asked.app.repeated(&asked.caller, digest).await?.is_none() {
        let content = Box::new(asked.app.content_at(project, version).await?);
        asked.execute(project, Command::RestoreProject { version, content }, digest).await?;
    }
    asked.tell_project(project).await
}

/// 201 with the new project and its `Location`.
#[utoipa::path(
    post, path = "/v1/projects/{project}/fork", tag = "history", operation_id = "forkProject",
    summary = "Start another project from a version of this one; both share their media, and nothing is made again",
    params(Caller), request_body = Body,
    responses((status = 201, description = "The new project", body = Project, headers(("Location"), ("ETag")))),
)]
pub(crate) async fn fork(asked: ChangeRequest<ProjectId>, body: Json<Body>) -> Result<Response, Problem> {
    let from = asked.ids;
    let Json { value: Body { version }, digest } = body;
    let forked = match asked.app.repeated(&asked.caller, digest).await? {
        Some(repeated) => repeated,
        None => {
            let (id, content) = (new_id(&asked.app), asked.app.content_at(from, version).await?);
            let command = Command::ForkProject(Box::new(ForkProject { id, from, version, content }));
            asked.execute(id, command, digest).await?
        }
    };
    asked.tell_new_project(forked.receipt.project).await
}

impl App {
    /// What a project consisted of. No event names media that is gone or given up, so takes of which it is are left
    /// out: their shots have nothing to show until it is made again.
    async fn content_at(&self, project: ProjectId, version: u64) -> Result<Content, Problem> {
        self.project_row(project).await?;
        let state = past::state_at(&self.api.pool, project, version).await?;
        if version == 0 || state.version != version {
            return Err(Problem::invalid("version", "the project never had that version"));
        }
        let mut content = state.content();
        let selected: Vec<TakeId> = content.takes().map(|(_, _, take)| take.take_id).collect();
        let expired = takes::expired_among(&self.api.pool, &selected).await?;
        let mut gone: HashSet<AssetKey> = HashSet::new();
        for (_, _, take) in content.takes() {
            if expired.contains(&take.take_id) || self.api.media.want(&take.asset.key).await?.is_none() {
                gone.insert(take.asset.key.clone());
            }
        }
        content.retain_takes(|asset| !gone.contains(&asset.key));
        Ok(content)
    }
}
