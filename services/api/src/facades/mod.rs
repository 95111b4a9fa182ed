//! Clients of the systems that this one replaces go on unchanged: each façade speaks one of their languages, and
//! translates it to the same commands and queries. Nothing is decided here.

mod ai_story;
mod asked;
mod call;
mod document;
mod fields;
mod gateway;
mod mock_shots;
mod server;
mod watch;
mod web;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use infra::postgres::views::projects::ProjectRow;

use crate::App;
use crate::problem::Problem;

pub(crate) use document::describe;
pub(crate) use words::Facade;

/// Longest target of a request, in bytes: those clients send whole stories in the query.
const TARGET_LIMIT: usize = 60 * 1024;
/// Longest title that is made of a story's own words, in characters.
const TITLE_LIMIT: usize = 24;

/// The addresses of all façades.
pub(crate) fn routes() -> Router<Arc<App>> {
    let facades = ai_story::routes().merge(gateway::routes()).merge(server::routes()).merge(web::routes());
    facades.layer(from_fn(check_target))
}

async fn check_target(request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > TARGET_LIMIT) {
        let detail = format!("the address must have at most {TARGET_LIMIT} bytes");
        return Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail).into_response();
    }
    next.run(request).await
}

/// A title, also before the storyboard has found one.
fn title_of(project: &ProjectRow) -> String {
    if !project.title.trim().is_empty() {
        return project.title.clone();
    }
    let words = project.story.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(TITLE_LIMIT).collect();
    if cut.len() < words.len() { format!("{cut}…") } else { cut }
}
