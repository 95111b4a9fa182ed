//! Adds to every operation what follows from its address, method and parameters: path parameters, the
//! headers of every answer, the errors that any such request can come to, and the form of errors.
//!
//! A handler names the codes of an error in its description (`shot_locked, no_shots`); the rest is here.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use super::{IDEMPOTENCY_KEY, IF_MATCH};
use crate::problem::{Body, FieldError, KINDS, PROBLEM_JSON};

/// What a parameter of the path is; most are ids.
const IN_PATH: [(&str, &str); 9] = [
    ("project", "Id of a project"),
    ("shot", "Id of a shot of that project"),
    ("task", "Id of a task"),
    ("kind", "Kind of the media, or of the jobs"),
    ("name", "Name of the file"),
    ("webhook", "Id of a webhook"),
    ("delivery", "Id of a delivery of that webhook, as its receiver got it"),
    ("letter", "Id of a dead letter"),
    ("worker", "Name of a worker"),
];
/// Those that are no ids, and what they look like.
const NAMES: [(&str, &str); 4] = [
    ("kind", "^[a-z]{1,20}$"),
    ("name", "^[0-9a-f]{64}\\.[a-z0-9]{1,8}$"),
    ("worker", "^[A-Za-z0-9 ._-]{1,100}$"),
    ("file", "^[a-z]{1,20}\\.[a-z]{1,8}$"),
];
/// What a header of an answer means.
const HEADERS: [(&str, &str); 9] = [
    ("WWW-Authenticate", "`Bearer`"),
    ("X-Request-Id", "The caller's own when it was sane, else a new one"),
    ("ETag", "The project's version in quotes, for `If-Match`; of media, the file's SHA-256"),
    ("Location", "Where to ask again"),
    ("Retry-After", "Seconds to wait"),
    ("Content-Range", "Which part of the file it is"),
    ("Accept-Ranges", "`bytes`"),
    ("Content-Disposition", "A file name"),
    ("Allow", "The methods that the address knows"),
];

/// The sections of the document, in the order in which one wants to read them.
const SECTIONS: [(&str, &str); 12] = [
    ("projects", "Stories and what becomes of them"),
    ("shots", "The pictures, clips and voices of a story"),
    ("film", "Films, and their files"),
    ("tasks", "Work that is waited for"),
    ("live", "What happens, as it happens"),
    ("history", "Every version that a project ever had"),
    ("media", "The files that were made"),
    ("webhooks", "Telling other systems"),
    ("operations", "Workers, queues, and jobs that nobody could do"),
    ("access", "Sessions and tickets"),
    ("health", "Whether the server is well"),
    ("documentation", "This document"),
];

/// Errors by status, each with its codes.
type Errors = BTreeMap<u16, Vec<String>>;

/// The whole document.
pub(super) fn complete(mut document: Value) -> Value {
    let schemas = &mut document["components"]["schemas"];
    for (name, schema) in [("Problem", Body::schema()), ("FieldError", FieldError::schema())] {
        schemas[name] = serde_json::to_value(schema).unwrap_or_default();
    }
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": "A token, a session's, or an API key" },
        "apiKey": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
    });
    // While authentication is off nothing needs to be shown.
    document["security"] = json!([{}, { "bearer": [] }, { "apiKey": [] }]);
    let section = |(name, words): &(&str, &str)| json!({ "name": name, "description": words });
    document["tags"] = SECTIONS.iter().map(section).collect();
    name_the_inlined(&mut document);
    for (path, item) in members(&mut document["paths"]) {
        for (method, operation) in members(item) {
            complete_operation(path, method, operation);
        }
    }
    document
}

/// Generic schemas repeat what they are made of; a reference says it once.
fn name_the_inlined(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let known: Vec<(&String, &Value)> = schemas.as_object().into_iter().flatten().collect();
    for (_, schema) in members(&mut document["components"]["schemas"]) {
        let parts = schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten();
        parts.for_each(|part| replace(part, &known));
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten();
        let items = properties.filter_map(|(_, property)| property.get_mut("items"));
        items.for_each(|items| replace(items, &known));
    }
}

fn replace(schema: &mut Value, known: &[(&String, &Value)]) {
    let same = known.iter().find(|(_, named)| *named == schema);
    if let Some((name, _)) = same {
        *schema = json!({ "$ref": format!("#/components/schemas/{name}") });
    }
}

/// The members of what should be an object; none of anything else.
fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

fn complete_operation(path: &str, method: &str, operation: &mut Value) {
    let mut parameters = parameters_of(path);
    complete_body(operation);
    let declared = operation["parameters"].as_array().cloned().unwrap_or_default();
    // One extractor reads both headers; the key counts on POSTs only.
    parameters.extend(declared.into_iter().filter(|one| method == "post" || one["name"] != IDEMPOTENCY_KEY));
    let mut errors = common_errors(
        path,
        &Request { parameters: &parameters, body: operation.get("requestBody").is_some() },
    );
    parameters.push(json!({
        "name": "X-Request-Id", "in": "header", "required": false, "schema": { "type": "string" },
        "description": "Comes back with the answer if it has 1 to 128 letters, digits, dots, dashes and underscores",
    }));
    operation["parameters"] = Value::Array(parameters);
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    responses.retain(|status, answer| match status.parse() {
        Ok(status) if status >= 400 => {
            let codes = answer["description"].as_str().unwrap_or_default().split(',').map(str::trim);
            errors.entry(status).or_default().extend(codes.map(str::to_owned));
            false
        }
        _ => {
            add_headers(answer);
            true
        }
    });
    responses.extend(errors.into_iter().map(|(status, codes)| (status.to_string(), problem(status, &codes))));
}

/// An `Option` as a body means that it may be left out, not that it may be null.
fn complete_body(operation: &mut Value) {
    let schema = operation.pointer("/requestBody/content/application~1json/schema/oneOf/1").cloned();
    if let Some(schema) = schema {
        operation["requestBody"]["content"]["application/json"]["schema"] = schema;
        operation["requestBody"]["required"] = json!(false);
    }
}

/// An id, or a name, for each place in an address.
fn parameters_of(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let of = |list: &[(&str, &'static str)]| {
                list.iter().find(|(known, _)| *known == name).map(|(_, words)| *words)
            };
            let schema = match of(&NAMES) {
                Some(pattern) => json!({ "type": "string", "pattern": pattern }),
                None => json!({ "type": "string", "format": "uuid" }),
            };
            let words = of(&IN_PATH).unwrap_or("Which one");
            json!({ "name": name, "in": "path", "required": true, "description": words, "schema": schema })
        })
        .collect()
}

/// What decides which errors any handler can come to.
struct Request<'a> {
    parameters: &'a [Value],
    body: bool,
}

impl Request<'_> {
    fn has(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter["name"] == name)
    }

    fn has_query(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter["in"] == "query")
    }
}

/// The errors that come before a handler, from its extractors, or from what it stands on.
fn common_errors(path: &str, request: &Request<'_>) -> Errors {
    let reads_tables = path.starts_with("/v1/") || path.contains("{project}");
    let waits = request.has("minVersion") || request.has(IF_MATCH);
    let open = matches!(path, "/healthz" | "/readyz");
    let rules: [(bool, u16, &str); 26] = [
        (true, 400, "host_unclear"),
        (request.has_query(), 400, "invalid_query"),
        (request.has("minVersion"), 400, "invalid_min_version"),
        (request.has(IF_MATCH), 400, "invalid_if_match"),
        (request.has(IDEMPOTENCY_KEY), 400, "invalid_idempotency_key"),
        (request.body, 400, "malformed_json,incomplete_body"),
        (!open, 401, "credentials_missing,credentials_invalid"),
        (!open, 403, "role_insufficient,origin_required,ticket_scope"),
        (!open, 429, "too_many_requests"),
        (!open, 503, "issuer_unavailable"),
        (true, 403, "origin_not_allowed"),
        (request.has(IF_MATCH), 403, "quota_exceeded"),
        (request.has(IF_MATCH), 503, "low_disk"),
        (path.contains('{'), 404, "not_found"),
        (path.contains("{project}"), 404, "project_not_found,project_deleted,project_purged"),
        (path.contains("{shot}"), 404, "shot_not_found"),
        (path.contains("{task}"), 404, "task_not_found,project_deleted,project_purged"),
        (request.body, 408, "request_timeout"),
        (request.has(IDEMPOTENCY_KEY), 409, "idempotency_key_reused"),
        (request.has(IF_MATCH), 412, "version_mismatch"),
        (request.body, 413, "payload_too_large"),
        (request.body, 415, "unsupported_media_type"),
        (true, 421, "host_not_allowed"),
        (request.body, 422, "invalid"),
        (true, 431, "headers_too_large"),
        (true, 500, "internal"),
    ];
    let unavailable = [
        (true, 503, "timeout"),
        (reads_tables, 503, "database_unavailable,newer_version_needed"),
        (waits, 503, "projection_behind"),
        (request.has(IF_MATCH), 503, "contended"),
    ];
    let mut errors = Errors::new();
    for (_, status, codes) in rules.into_iter().chain(unavailable).filter(|(applies, ..)| *applies) {
        errors.entry(status).or_default().extend(codes.split(',').map(str::to_owned));
    }
    errors
}

fn add_headers(answer: &mut Value) {
    let declared = answer["headers"].as_object().cloned().unwrap_or_default();
    let names = declared.keys().map(String::as_str).chain(["X-Request-Id"]);
    answer["headers"] = Value::Object(names.map(header).collect());
}

fn header(name: &str) -> (String, Value) {
    let words = HEADERS.iter().find(|(known, _)| *known == name).map_or("", |(_, words)| *words);
    let schema = if name == "Retry-After" { "integer" } else { "string" };
    (name.to_owned(), json!({ "description": words, "required": true, "schema": { "type": schema } }))
}

/// An error as it is sent, with an example for each of its codes.
fn problem(status: u16, codes: &[String]) -> Value {
    let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let title = title.unwrap_or("Error");
    let mut codes = codes.to_vec();
    codes.sort();
    codes.dedup();
    let example = |code: &String| {
        let value = json!({
            "type": format!("{KINDS}{code}"), "title": title, "status": status, "code": code,
            "detail": code.replace('_', " "), "requestId": "0d6c9a52", "errors": [],
        });
        (code.clone(), json!({ "value": value }))
    };
    let examples: Map<String, Value> = codes.iter().map(example).collect();
    let schema = json!({ "allOf": [
        { "$ref": "#/components/schemas/Problem" },
        { "type": "object", "properties": { "code": { "type": "string", "enum": codes } } },
    ] });
    let mut headers: Map<String, Value> = [header("X-Request-Id")].into_iter().collect();
    match status {
        401 => headers.extend([header("WWW-Authenticate")]),
        429 | 503 => headers.extend([header("Retry-After")]),
        _ => {}
    }
    json!({
        "description": title, "headers": headers,
        "content": { PROBLEM_JSON: { "schema": schema, "examples": examples } },
    })
}
