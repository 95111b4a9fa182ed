//! Every answer that any test sees on an address of ours is one that `openapi.json` tells of.

use std::sync::LazyLock;

use axum::http::StatusCode;
use serde_json::Value;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_slice(&api::document()).unwrap());

/// Asserts that this status, and the code of an error, are documented. Façades, which document neither, and
/// addresses and methods that nobody knows are let through.
pub(crate) fn assert_documented(method: &str, target: &str, status: StatusCode, body: &Value) {
    let path = target.split('?').next().unwrap_or_default();
    let Some(operation) = operation(method, path) else { return };
    let responses = &operation["responses"];
    if !responses["default"].is_null() {
        return;
    }
    let answer = &responses[status.as_str()];
    assert!(!answer.is_null(), "{method} {path}: {status} is not documented: {body}");
    if status.is_client_error() || status.is_server_error() {
        let codes = &answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]
            ["enum"];
        let known = codes.as_array().is_some_and(|codes| codes.contains(&body["code"]));
        assert!(known, "{method} {path}: {status} {} is not among {codes}", body["code"]);
    }
}

/// The operation at an address; one without parameters goes before one with.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        let (mut parts, mut places) = (path.split('/'), template.split('/'));
        places.by_ref().all(|place| parts.next().is_some_and(|part| place == part || place.starts_with('{')))
            && parts.next().is_none()
    };
    let paths = DOCUMENT["paths"].as_object()?.iter().filter(|(template, _)| fits(template));
    let (_, item) = paths.min_by_key(|(template, _)| template.matches('{').count())?;
    item.get(method.to_ascii_lowercase())
}
