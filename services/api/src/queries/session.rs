//! `GET /v1/session`: who one is, and what one may do.

use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Identity;

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WhoAmI)]
pub(crate) struct Who {
    /// The name in the credentials; null while authentication is off.
    subject: Option<String>,
    /// `viewer`, `editor` or `admin`.
    #[schema(pattern = "^(viewer|editor|admin)$")]
    role: &'static str,
}

/// 200 with the caller.
#[utoipa::path(
    get, path = "/v1/session", tag = "access", operation_id = "whoAmI", summary = "Who I am",
    responses((status = 200, description = "The caller", body = Who)),
)]
pub(crate) async fn get(identity: Identity) -> axum::Json<Who> {
    axum::Json(Who { subject: identity.subject().map(str::to_owned), role: identity.role().as_str() })
}
