//! `GET /v1/projects/{id}/events`: the same as the WebSocket, as server-sent events. A browser reconnects
//! by itself and says with `Last-Event-ID` what it has.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::ids::ProjectId;
use futures::stream;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::feed::{End, Feed, Parameters, Shown};
use super::message::Plain;
use crate::auth::Identity;
use crate::extract::{Base, Path, Query};
use crate::problem::Problem;
use crate::{App, openapi};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies of the nginx family would keep small events back.
pub(crate) const NO_BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// What a browser sends when it reconnects.
#[derive(Debug)]
pub(crate) struct Resume;

impl IntoParams for Resume {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let words = "The version that the client has; it resumes after that";
        vec![openapi::parameter("Last-Event-ID", ParameterIn::Header, openapi::version(), words)]
    }
}

/// Each event's `id` is the project's version; its `data` is a message of the WebSocket stream.
#[utoipa::path(
    get, path = "/v1/projects/{project}/events", tag = "live", operation_id = "listen",
    summary = "What happens, as it happens (server-sent events)", params(Parameters, Resume),
    responses(
        (status = 200, description = "Events follow", content((String = "text/event-stream"))),
        (status = 400, description = "invalid_last_event_id"),
        (status = 429, description = "too_many_streams"),
        (status = 503, description = "too_many_streams,project_unreadable"),
    ),
)]
pub(crate) async fn listen(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    Query(parameters): Query<Parameters>,
    base: Base,
    identity: Identity,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = last_event(&headers)?.max(parameters.after);
    let seat = app.seat(&identity, project).await?;
    let unreadable = |_| {
        Problem::unavailable("project_unreadable", "the project cannot be read now; try again in a moment")
    };
    let feed = Feed::start(app, project, &base, after, seat).await.map_err(unreadable)?;
    let events = stream::unfold(Some(feed), async |feed| {
        let mut feed = feed?;
        match feed.next().await {
            Ok(shown) => Some((event(&shown), Some(feed))),
            // Whoever reads too slowly to be sent more is told so, and let go.
            Err(End::Lagged) => Some((event(&Shown { version: None, text: Plain::Lagged.text() }), None)),
            Err(_) => None,
        }
    });
    let body = Body::from_stream(stream::StreamExt::map(events, Ok::<_, Infallible>));
    let headers =
        [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache, no-transform"), NO_BUFFERING];
    Ok((headers, body).into_response())
}

/// The form of <https://html.spec.whatwg.org/multipage/server-sent-events.html>. JSON has no line breaks.
fn event(Shown { version, text }: &Shown) -> Bytes {
    let id = version.map(|version| format!("id: {version}\n")).unwrap_or_default();
    format!("{id}data: {text}\n\n").into()
}

fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let version = value.to_str().ok().and_then(|text| text.parse().ok());
    let invalid = || {
        let detail = "Last-Event-ID must be the id of an event of this stream, like 12";
        Problem::bad_request("invalid_last_event_id", detail)
    };
    version.map(Some).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_brings_a_version_has_an_id() {
        let shown = |version| Shown { version, text: Plain::Lagged.text() };
        assert_eq!(event(&shown(Some(7))), "id: 7\ndata: {\"type\":\"lagged\"}\n\n");
        assert_eq!(event(&shown(None)), "data: {\"type\":\"lagged\"}\n\n");
    }

    #[test]
    fn the_last_event_is_a_version_or_refused() {
        let read = |text: &str| last_event(&HeaderMap::from_iter([(LAST_EVENT_ID, text.parse().unwrap())]));
        assert_eq!(last_event(&HeaderMap::new()).unwrap(), None);
        assert_eq!(read("12").unwrap(), Some(12));
        for text in ["", "x", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(read(text).unwrap_err().code, "invalid_last_event_id", "{text}");
        }
    }
}
