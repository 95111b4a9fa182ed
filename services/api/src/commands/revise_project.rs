//! `PATCH /v1/projects/{id}`: edit a project's own fields.

use axum::response::Response;
use domain::ids::ProjectId;
use domain::project::{Command, Envelope, ProjectError, ProjectPatch};
use domain::settings::Settings;
use infra::postgres::event_store::ExecuteError;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::execute::Executed;
use crate::extract::{Json, parse_value};
use crate::json::Project;
use crate::problem::Problem;

/// A merge of settings is tried again so often when others revise the project at the same moment.
const MERGES: u32 = 5;

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ProjectChanges, example = json!({ "title": "The lamp", "settings": { "fps": 30 } }))]
pub(crate) struct Body {
    #[schema(max_length = 200)]
    title: Option<String>,
    #[schema(max_length = 2_000)]
    description: Option<String>,
    #[schema(max_length = 2_000)]
    style: Option<String>,
    #[schema(min_length = 1, max_length = 20_000)]
    story: Option<String>,
    /// Those that change; the others stay.
    #[schema(value_type = Option<Settings>)]
    settings: Option<Map<String, Value>>,
}

/// 200 with the project as it is then.
#[utoipa::path(
    patch, path = "/v1/projects/{project}", tag = "projects", operation_id = "reviseProject",
    summary = "Edit a project's own fields", params(Caller), request_body = Option<Body>,
    responses((status = 200, description = "The project as it is then", body = Project, headers(("ETag")))),
)]
pub(crate) async fn patch(asked: ChangeRequest<ProjectId>, body: Json<Body>) -> Result<Response, Problem> {
    let project = asked.ids;
    let Json { value, digest } = body;
    match value.settings.clone() {
        Some(changes) => drop(revise_with_settings(&asked, value, &changes, digest).await?),
        None => {
            let command = Command::ReviseProject(patch_of(value, None));
            asked.execute(project, command, digest).await?;
        }
    }
    asked.tell_project(project).await
}

/// The domain takes settings whole. So the changes are merged into those that are there, on the condition
/// that nobody changes them in between.
async fn revise_with_settings(
    asked: &ChangeRequest<ProjectId>,
    body: Body,
    changes: &Map<String, Value>,
    digest: [u8; 32],
) -> Result<Executed, Problem> {
    let ChangeRequest { app, caller, ids: project, .. } = asked;
    app.check_owner(caller, *project).await?;
    app.check_room(caller, *project, Command::ReviseProject(patch_of(body.clone(), None)).asks()).await?;
    for _ in 0..MERGES {
        let now = app.api.store.load(*project).await?.state;
        if now.version == 0 {
            return Err(ProjectError::NotFound.into());
        }
        let settings = merged(&now.settings, changes)?;
        let envelope = Envelope {
            context: caller.context(app.api.clock.now(), digest),
            if_version: Some(caller.if_version.unwrap_or(now.version)),
            command: Command::ReviseProject(patch_of(body.clone(), Some(settings))),
        };
        match app.try_execute(*project, envelope).await? {
            Err(ExecuteError::Rule(ProjectError::ChangedSince { .. })) if caller.if_version.is_none() => {}
            executed => return Ok(executed?),
        }
    }
    Err(ExecuteError::Contended.into())
}

fn patch_of(body: Body, settings: Option<Settings>) -> ProjectPatch {
    ProjectPatch {
        title: body.title,
        description: body.description,
        style: body.style,
        settings,
        story: body.story,
    }
}

/// Settings with these changes, each of which is named when it makes no sense.
pub(super) fn merged(settings: &Settings, changes: &Map<String, Value>) -> Result<Settings, Problem> {
    let whole = serde_json::to_value(settings).map_err(|error| Problem::internal(error.to_string()))?;
    let Value::Object(mut whole) = whole else { return Err(Problem::internal("settings are no object")) };
    whole.extend(changes.clone());
    parse_value("settings", Value::Object(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merge(changes: Value) -> Result<Settings, Problem> {
        let before = Settings { voice: Some("amy".to_owned()), fps: 30, ..Settings::default() };
        merged(&before, changes.as_object().unwrap())
    }

    #[test]
    fn settings_that_are_not_named_stay() {
        let after = merge(json!({ "imageToVideo": true })).unwrap();
        assert!(after.image_to_video);
        assert_eq!((after.fps, after.voice.as_deref()), (30, Some("amy")));
    }

    #[test]
    fn null_takes_a_setting_back() {
        assert_eq!(merge(json!({ "voice": null })).unwrap().voice, None);
    }

    #[test]
    fn a_setting_that_is_wrong_or_unknown_is_named() {
        let field = |changes| merge(changes).unwrap_err().errors[0].field.clone();
        assert_eq!(field(json!({ "fps": "many" })), "settings.fps");
        assert_eq!(field(json!({ "fsp": 1 })), "settings.fsp");
        assert_eq!(field(json!({ "aspect": "2:1" })), "settings.aspect");
    }
}
