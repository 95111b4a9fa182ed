//! `POST /v1/projects`: start a project.

use axum::response::Response;
use domain::ids::ProjectId;
use domain::project::{Command, CreateProject};
use domain::settings::Settings;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::revise_project::merged;
use crate::App;
use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::extract::Json;
use crate::json::Project;
use crate::problem::Problem;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewProject, example = json!({
    "story": "The keeper lit the lamp. A storm came. The ship came home.",
    "style": "watercolor", "shotCount": 3, "settings": { "autoRender": true },
}))]
pub(crate) struct Body {
    /// 1 to 20,000 characters.
    #[schema(min_length = 1, max_length = 20_000)]
    story: String,
    /// Taken from the storyboard when absent.
    #[schema(max_length = 200)]
    title: Option<String>,
    #[schema(max_length = 2_000)]
    description: Option<String>,
    /// Free text; known names have palettes of their own.
    #[schema(max_length = 2_000)]
    style: Option<String>,
    /// The storyboard decides when absent.
    #[schema(minimum = 1, maximum = 200)]
    shot_count: Option<u32>,
    #[schema(value_type = Option<Settings>)]
    settings: Option<Map<String, Value>>,
}

/// 201 with the project and its `Location`; the same `Idempotency-Key` again answers the first project.
#[utoipa::path(
    post, path = "/v1/projects", tag = "projects", operation_id = "createProject", summary = "Start a project",
    params(Caller), request_body = Body,
    responses((status = 201, description = "The project", body = Project, headers(("Location"), ("ETag")))),
)]
pub(crate) async fn post(asked: ChangeRequest<()>, body: Json<Body>) -> Result<Response, Problem> {
    let Json { value, digest } = body;
    let settings = merged(&Settings::default(), &value.settings.unwrap_or_default())?;
    let id = new_id(&asked.app);
    let command = Command::CreateProject(CreateProject {
        id,
        story: value.story,
        title: value.title.unwrap_or_default(),
        description: value.description.unwrap_or_default(),
        style: value.style.unwrap_or_default(),
        shot_count: value.shot_count,
        settings,
    });
    let created = asked.execute(id, command, digest).await?.receipt.project;
    asked.tell_new_project(created).await
}

/// A UUIDv7 of the present, with fresh random bits.
pub(crate) fn new_id(app: &App) -> ProjectId {
    let millis = u64::try_from(app.api.clock.now().timestamp_millis()).unwrap_or(0);
    let mut random = [0; 10];
    random.copy_from_slice(&Uuid::new_v4().as_bytes()[..10]);
    // Six of the first eight bytes' bits are fixed in a UUIDv4; the other bytes of a second one are not.
    random[6..].copy_from_slice(&Uuid::new_v4().as_bytes()[..4]);
    ProjectId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}
