//! `POST /v1/projects/{id}/film`: render the film.

use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::{ProjectId, ShotId};
use domain::job::Kind;
use domain::project::{Command, Parameters};
use domain::settings::{FilmFormat, FrameSize, OnMissing, Quality};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::execute::Wanted;
use crate::extract::Json;
use crate::json::{Changed, Task};
use crate::problem::Problem;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = FilmParameters, example = json!({ "quality": "preview" }))]
pub(crate) struct Body {
    quality: Option<Quality>,
    /// Sides in pixels, even and 128 to 3840, which decide the shape; or lines, 360p to 2160p, in the project's
    /// own. Without it the film has the project's size, a preview 540p.
    resolution: Option<FrameSize>,
    #[schema(minimum = 12, maximum = 60)]
    fps: Option<u32>,
    format: Option<FilmFormat>,
    /// The film begins with this shot; only the shots that it shows are made for it and waited for.
    from_shot: Option<ShotId>,
    /// The film ends with this shot.
    to_shot: Option<ShotId>,
    /// The film ends after so many seconds, wherever it is then. Shots that cannot begin before that are not made for
    /// it.
    #[schema(minimum = 1, maximum = 36_000)]
    max_seconds: Option<f64>,
    on_missing: Option<OnMissing>,
}

/// 202 with the task; the open task of the same specification is answered again.
#[utoipa::path(
    post, path = "/v1/projects/{project}/film", tag = "film", operation_id = "renderFilm",
    summary = "Render the film", params(Caller), request_body = Option<Body>,
    responses(
        (status = 202, description = "The task that renders it", body = Changed<Task>, headers(("Location"), ("ETag"))),
        (status = 409, description = "no_shots"),
    ),
)]
pub(crate) async fn post(asked: ChangeRequest<ProjectId>, body: Json<Body>) -> Result<Response, Problem> {
    let project = asked.ids;
    let Json { value: body, digest } = body;
    let parameters = Parameters {
        quality: body.quality,
        resolution: body.resolution,
        fps: body.fps,
        format: body.format,
        from_shot: body.from_shot,
        to_shot: body.to_shot,
        max_seconds: body.max_seconds,
        on_missing: body.on_missing,
        ..Parameters::default()
    };
    let wanted = Wanted { kind: Kind::Film, shot: None, parameters: Some(parameters.clone()) };
    let executed = asked.execute(project, Command::RenderFilm { parameters }, digest).await?;
    let task = asked.app.task_of(&executed, &wanted).await?;
    asked.tell_task(StatusCode::ACCEPTED, task, &executed).await
}
