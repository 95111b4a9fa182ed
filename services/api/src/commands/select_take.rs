//! `PUT /v1/projects/{id}/shots/{shotId}/selection`: let a shot use another of its takes.

use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::{ProjectId, ShotId, TakeId};
use domain::project::{Command, EarlierTake};
use infra::postgres::views::takes;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::change_request::ChangeRequest;
use crate::extract::Json;
use crate::json::{Changed, Shot};
use crate::problem::Problem;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Selection)]
pub(crate) struct Body {
    /// A picture, clip or voice of this shot.
    take_id: TakeId,
}

/// 200 with the shot as it is then. The take is not stale until the shot's content changes again.
#[utoipa::path(
    put, path = "/v1/projects/{project}/shots/{shot}/selection", tag = "shots", operation_id = "selectTake",
    summary = "Let a shot use another of its takes", params(Caller), request_body = Body,
    responses(
        (status = 200, description = "The shot", body = Changed<Shot>, headers(("ETag"))),
        (status = 404, description = "take_not_found"),
        (status = 409, description = "shot_locked, take_expired, no_picture_yet, nothing_to_say"),
    ),
)]
pub(crate) async fn put(
    asked: ChangeRequest<(ProjectId, ShotId)>,
    body: Json<Body>,
) -> Result<Response, Problem> {
    let (project, shot) = asked.ids;
    asked.app.project_row(project).await?;
    asked.app.shot(project, shot, &asked.base).await?;
    let row = takes::find(&asked.app.api.pool, shot, body.value.take_id).await?;
    let row = row.ok_or_else(|| Problem::not_found("take_not_found", "the shot has no such take"))?;
    if row.expired_at.is_some() || asked.app.api.media.want(&row.asset.key).await?.is_none() {
        let detail = "the take's media was given up; make it again with its seed";
        return Err(Problem::new(StatusCode::CONFLICT, "take_expired", detail));
    }
    let take = EarlierTake {
        id: row.id,
        kind: row.kind,
        asset: row.asset,
        parameters: row.parameters,
        made_with: row.made_with,
    };
    let command = Command::SelectTake { shot, take: Box::new(take) };
    let executed = asked.execute(project, command, body.digest).await?;
    asked.tell_shot((project, shot), &executed).await
}
