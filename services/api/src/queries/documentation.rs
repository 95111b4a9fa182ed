//! `GET /openapi.json`: what can be asked of this server; `GET /docs`: the same for people, without the
//! internet.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::extract::Path;
use crate::problem::Problem;
use crate::{App, openapi};

/// The OpenAPI 3.1 document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "documentation", operation_id = "getDocument", summary = "This document",
    responses((status = 200, description = "OpenAPI 3.1", content((Object = "application/json")))),
)]
pub(crate) async fn document(State(app): State<Arc<App>>) -> Response {
    let document = app.document.get_or_init(openapi::document).clone();
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], document).into_response()
}

/// A page that shows the document.
#[utoipa::path(
    get, path = "/docs", tag = "documentation", operation_id = "getPage", summary = "This document for people",
    responses((status = 200, description = "A page", content((String = "text/html")))),
)]
pub(crate) async fn page() -> Response {
    of_type("text/html; charset=utf-8", include_str!("../docs/page.html"))
}

/// What the page is made with.
#[utoipa::path(
    get, path = "/docs/{file}", tag = "documentation", operation_id = "getPagePart", summary = "A part of that page",
    responses((status = 200, description = "The part", content((String = "text/css"), (String = "text/javascript")))),
)]
pub(crate) async fn part(Path(file): Path<String>) -> Result<Response, Problem> {
    match file.as_str() {
        "page.css" => Ok(of_type("text/css; charset=utf-8", include_str!("../docs/page.css"))),
        "page.js" => Ok(of_type("text/javascript; charset=utf-8", include_str!("../docs/page.js"))),
        _ => Err(Problem::no_such_address()),
    }
}

fn of_type(content_type: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(content_type))], text).into_response()
}
