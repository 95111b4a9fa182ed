//! What those who generate clients from the document need to be told, and the annotations of handlers do not say:
//! words of which one is chosen, objects that may have any member, and bodies that are files.

use serde_json::{Map, Value, json};

/// The whole document, in words that generators understand.
pub(super) fn refine(value: &mut Value) {
    match value {
        Value::Object(members) => {
            name_the_words(members);
            open(members);
            members.get_mut("content").into_iter().for_each(files);
            members.values_mut().for_each(refine);
        }
        Value::Array(items) => items.iter_mut().for_each(refine),
        _ => {}
    }
}

/// A pattern that is only a choice of words becomes an enumeration, which generators turn into a type.
fn name_the_words(schema: &mut Map<String, Value>) {
    let words = schema.get("pattern").and_then(Value::as_str).and_then(choice);
    let Some(mut words) = words else { return };
    if schema
        .get("type")
        .is_some_and(|kind| kind.as_array().is_some_and(|kinds| kinds.contains(&json!("null"))))
    {
        words.push(Value::Null);
    }
    schema.remove("pattern");
    schema.insert("enum".to_owned(), Value::Array(words));
}

/// The words of a pattern like `^(created|ready)$` or `^createdAt$`.
fn choice(pattern: &str) -> Option<Vec<Value>> {
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let words = inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(inner);
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    words.split('|').all(is_word).then(|| words.split('|').map(Value::from).collect())
}

/// An object of which no member is told may have any: some generators take it for one without members.
fn open(schema: &mut Map<String, Value>) {
    const TOLD: [&str; 6] = ["properties", "additionalProperties", "allOf", "oneOf", "anyOf", "$ref"];
    let kind = schema.get("type");
    let is_object = kind == Some(&json!("object")) || kind == Some(&json!(["object", "null"]));
    if is_object && !TOLD.iter().any(|keyword| schema.contains_key(*keyword)) {
        schema.insert("additionalProperties".to_owned(), json!(true));
    }
}

/// What is neither JSON nor text is bytes.
fn files(content: &mut Value) {
    for (kind, body) in content.as_object_mut().into_iter().flatten() {
        let is_words =
            ["text/", "multipart/"].iter().any(|words| kind.starts_with(words)) || kind.contains("json");
        if kind.contains('/') && !is_words && body.is_object() {
            body["schema"] = json!({ "type": "string", "format": "binary" });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refined(mut value: Value) -> Value {
        refine(&mut value);
        value
    }

    #[test]
    fn a_choice_of_words_is_an_enumeration_and_another_pattern_stays() {
        let status = json!({ "type": "string", "pattern": "^(created|ready)$" });
        assert_eq!(refined(status), json!({ "type": "string", "enum": ["created", "ready"] }));
        let maybe = json!({ "type": ["string", "null"], "pattern": "^deleted$" });
        assert_eq!(refined(maybe), json!({ "type": ["string", "null"], "enum": ["deleted", null] }));
        let kind = json!({ "type": "string", "pattern": "^[a-z]{1,20}$" });
        assert_eq!(refined(kind.clone()), kind);
    }

    #[test]
    fn an_object_without_members_is_open_and_a_closed_one_stays_closed() {
        let result = json!({ "type": ["object", "null"] });
        assert_eq!(refined(result)["additionalProperties"], true);
        let closed = json!({ "type": "object", "additionalProperties": false });
        assert_eq!(refined(closed.clone()), closed);
    }

    #[test]
    fn a_file_is_bytes() {
        let answer = json!({ "content": { "video/mp4": { "schema": { "type": "string" } } } });
        assert_eq!(refined(answer)["content"]["video/mp4"]["schema"]["format"], "binary");
        let answer = json!({ "content": { "text/html": { "schema": { "type": "string" } } } });
        assert_eq!(refined(answer.clone()), answer);
    }
}
