//! What clients may rely on: the document has every route, and nothing in it leads nowhere.

use std::collections::BTreeSet;

use axum::Router;
use serde_json::Value;

use super::document;
use crate::facades;
use crate::router::routes;

fn read() -> Value {
    serde_json::from_slice(&document()).unwrap()
}

/// The addresses that a router really knows, as its debugging form tells them: it has no other way.
fn addresses<S>(router: &Router<S>) -> BTreeSet<String> {
    let told = format!("{router:?}");
    let paths = told.split_once("paths: {").expect("axum tells its routes").1;
    let paths = paths.split("fallback_router").next().unwrap();
    let quoted = paths.split('"').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// Whether an operation is of a façade: those have clients of their own, and errors of their own form.
fn is_of_a_facade(operation: &Value) -> bool {
    operation["tags"][0].as_str().is_some_and(|tag| tag.starts_with("façade"))
}

fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap();
        methods.iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

/// Every `$ref` below a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_registered_route_is_in_the_document() {
    let document = read();
    let documented: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let registered = addresses(&Router::from(routes()).merge(facades::routes()));
    assert!(registered.len() >= 20, "{registered:?}");
    assert_eq!(registered, documented);
}

#[test]
fn a_route_that_is_not_described_is_noticed() {
    let router = routes().route("/v1/hidden", axum::routing::get(|| async {}));
    assert!(addresses(&Router::from(router)).contains("/v1/hidden"));
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_how_it_can_fail() {
    let document = read();
    let mut names = BTreeSet::new();
    for (route, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{route}: {name} is taken");
        assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{route}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.as_str() < "400"), "{route}");
        if is_of_a_facade(operation) {
            assert!(responses.contains_key("default"), "{route}");
            continue;
        }
        for (status, response) in responses {
            assert!(response["headers"]["X-Request-Id"].is_object(), "{route} {status}");
            let is_problem = response["content"]["application/problem+json"].is_object();
            assert_eq!(is_problem, status.as_str() >= "400", "{route} {status}");
        }
    }
}

#[test]
fn bodies_have_names_of_their_own_and_references_lead_somewhere() {
    let document = read();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for taken_by_chance in ["Body", "Parameters"] {
        assert!(!schemas.contains_key(taken_by_chance), "name it with #[schema(as = …)]");
    }
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10, "{found:?}");
    for reference in found {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(schemas.contains_key(name), "{reference}");
    }
}

#[test]
fn edits_say_that_they_honour_a_version_and_posts_a_key() {
    let document = read();
    for (route, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().unwrap();
        let has = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
        assert_eq!(has("If-Match"), operation["responses"]["412"].is_object(), "{route}");
        assert!(!has("Idempotency-Key") || route.starts_with("post "), "{route}");
        assert_eq!(has("Idempotency-Key"), operation["responses"]["409"]["content"]["application/problem+json"]["examples"]["idempotency_key_reused"].is_object(), "{route}");
    }
}

#[test]
fn sections_are_told_in_the_order_of_reading_and_every_operation_is_in_one() {
    let document = read();
    let sections: Vec<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(sections.first(), Some(&"projects"));
    let used: BTreeSet<&str> =
        operations(&document).map(|(_, operation)| operation["tags"][0].as_str().unwrap()).collect();
    assert_eq!(used, sections.iter().copied().collect());
    assert_eq!(used.len(), sections.len(), "a section is told once: {sections:?}");
}
