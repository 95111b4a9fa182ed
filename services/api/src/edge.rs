//! What happens to every request and every answer: its id, who may ask at all, a limit in time, panics,
//! the form of errors, and the counting.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tokio::time::Instant;

use crate::auth::{Client, Verdict};
use crate::caller::RequestId;
use crate::commands::import_project;
use crate::facades::Facade;
use crate::problem::Problem;
use crate::{App, audit, auth, cors, external, headers};

/// Longest time from a request to the head of its answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same where bodies may be large; between their pieces there is less.
const LONG_PATIENCE: Duration = Duration::from_secs(3_600);
/// Where that is.
const LONG: [&str; 2] = [import_project::ROUTE, external::UPLOAD];
/// Most headers of a request, and most bytes of them as they are sent.
const HEADERS: usize = 100;
const HEADER_BYTES: usize = 64 * 1024;
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer of the router.
pub(crate) async fn serve(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.as_deref().unwrap_or("none").to_owned();
    let method = method_name(request.method());
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(app.bodies.clone());
    let facade = Facade::at(request.uri().path());
    let client = app.api.access.client(request.extensions(), request.headers());
    let crossing = cors::Crossing::of(&app.api.access, &request);
    let (answered, verdict) = match crossing.preflight(&request) {
        _ if are_too_large(request.headers()) => (too_large().into_response(), None),
        Some(allowed) => (allowed, None),
        None => enter(&app, request, next, client).await,
    };
    let mut response = in_its_form(answered, facade, &id);
    if let Some(verdict) = verdict {
        auth::guard::tell_rates(verdict, response.headers_mut());
    }
    add_headers(response.headers_mut(), &id, client);
    crossing.tell(response.headers_mut());
    let status = response.status().as_u16();
    app.metrics.request(method, &route, status);
    tracing::debug!(
        request_id = id.0,
        method,
        route,
        status,
        millis = started.elapsed().as_millis(),
        "answered"
    );
    response
}

fn are_too_large(headers: &HeaderMap) -> bool {
    // Each has a colon, a space and the end of its line.
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    headers.len() > HEADERS || bytes > HEADER_BYTES
}

fn too_large() -> Problem {
    let detail = format!("there may be at most {HEADERS} headers, of {HEADER_BYTES} bytes in all");
    Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", detail)
}

/// Answers whom the guard lets in, and tells the audit of all others. How much is left for the caller comes along,
/// whatever the answer, if it is known who that is.
async fn enter(app: &App, mut request: Request, next: Next, client: Client) -> (Response, Option<Verdict>) {
    let admitted = auth::admit(app, &mut request, client).await;
    let asked = audit::Asked::of(&request, client);
    let verdict = request.extensions().get::<Verdict>().copied();
    let response = match admitted {
        Ok(()) => let_in(request, next, client).await,
        Err(problem) => problem.into_response(),
    };
    asked.came_to(app, &response);
    (response, verdict)
}

async fn let_in(mut request: Request, next: Next, client: Client) -> Response {
    request.extensions_mut().insert(client);
    let route = request.extensions().get::<MatchedPath>();
    let is_long = route.is_some_and(|path| LONG.contains(&path.as_str()));
    let patience = if is_long { LONG_PATIENCE } else { PATIENCE };
    answer(request, next, patience).await
}

async fn answer(request: Request, next: Next, patience: Duration) -> Response {
    let answering = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(patience, answering).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            Problem::internal(format!("a handler panicked: {}", words(&*panic))).into_response()
        }
        Err(_) => Problem::unavailable("timeout", "the answer took too long").into_response(),
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

/// Writes every error, whoever raised it, as the caller knows them: a problem, or what a façade says instead.
fn in_its_form(mut response: Response, facade: Option<Facade>, id: &RequestId) -> Response {
    let own = Problem::take_from(response.extensions_mut());
    match (own.or_else(|| Problem::of_foreign(&response)), facade) {
        (Some(problem), Some(facade)) => facade.tell(problem, &id.0),
        (Some(problem), None) => problem.render(&id.0),
        (None, _) => response,
    }
}

/// A layer for what is not ours to guard: it only gives answers their form, their ids and their headers.
pub(crate) async fn in_form(request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let mut response = in_its_form(next.run(request).await, None, &id);
    add_headers(response.headers_mut(), &id, Client { address: None, secure: false });
    response
}

fn add_headers(headers: &mut HeaderMap, id: &RequestId, client: Client) {
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers::secure(headers, client);
}

/// Methods that people make up count as one.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
