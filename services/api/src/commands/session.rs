//! `POST /v1/session`: an API key for a short token; `DELETE /v1/session` takes the cookie back.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use infra::postgres::tail::rfc3339_millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::auth::{self, Client, cookie};
use crate::extract::Json;
use crate::problem::Problem;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewSession, example = json!({ "apiKey": "stv_0123_4567", "cookie": true }))]
pub(crate) struct Body {
    /// The key; `Authorization: Bearer` may hold it as well.
    #[schema(max_length = 200)]
    api_key: Option<String>,
    /// Whether the token comes also as a cookie that no script can read.
    #[serde(default)]
    cookie: bool,
}

/// A token and what it is worth.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    /// For `Authorization: Bearer`.
    token: String,
    /// When it ends.
    #[serde(serialize_with = "rfc3339_millis")]
    expires_at: DateTime<Utc>,
    /// Whom it stands for.
    subject: Option<String>,
    /// `viewer`, `editor` or `admin`.
    #[schema(pattern = "^(viewer|editor|admin)$")]
    role: &'static str,
}

/// 200 with a token; a revoked key ends its sessions within seconds.
#[utoipa::path(
    post, path = "/v1/session", tag = "access", operation_id = "beginSession", summary = "An API key for a token",
    request_body = Body,
    responses(
        (status = 200, description = "The token", body = Session),
        (status = 401, description = "credentials_missing,credentials_invalid"),
        (status = 429, description = "too_many_requests"),
    ),
)]
pub(crate) async fn post(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Json<Body>,
) -> Result<Response, Problem> {
    let Body { api_key, cookie: wants_cookie } = body.value;
    let key = api_key.or_else(|| bearer(&headers)).ok_or_else(auth::none_shown)?;
    let (token, until, identity) = app.auth.begin_session(&key, client).await?;
    let session = Session {
        token: token.clone(),
        expires_at: until,
        subject: identity.subject().map(str::to_owned),
        role: identity.role().as_str(),
    };
    let mut response = axum::Json(session).into_response();
    if wants_cookie {
        let seconds = (until - app.now()).num_seconds();
        set(&mut response, &cookie::of(client, &token, seconds));
    }
    Ok(response)
}

/// 204; the browser forgets its cookie.
#[utoipa::path(
    delete, path = "/v1/session", tag = "access", operation_id = "endSession", summary = "Forget the cookie",
    responses((status = 204, description = "It is forgotten")),
)]
pub(crate) async fn delete(Extension(client): Extension<Client>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    set(&mut response, &cookie::of(client, "", 0));
    response
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
}

fn set(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
