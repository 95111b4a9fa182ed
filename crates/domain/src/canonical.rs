//! Canonical JSON, so that two sides sign the same bytes: keys sorted by code point at every level, no spaces,
//! text unescaped as far as JSON allows, and numbers as their sender wrote them. It is what Python writes by
//! `json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`.
//!
//! Numbers are never read: `1` and `1.0` are two numbers to whoever signed them, and some have more digits than
//! any type of ours.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Deepest nesting. Each level is read once more for every level around it.
const DEPTH: usize = 32;

/// Why something has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonical {
    /// It is no JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It is nested too deeply.
    #[error("it is nested more than {DEPTH} levels deep")]
    TooDeep,
}

impl From<serde_json::Error> for NotCanonical {
    fn from(error: serde_json::Error) -> Self {
        Self::NotJson(error.to_string())
    }
}

/// The members of an object as they were written, by their names. Of two of one name the last one counts.
pub(crate) type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The canonical form of an object.
///
/// # Errors
/// [`NotCanonical`] when a member is nested too deeply, or is no JSON.
pub(crate) fn object(members: &Members<'_>) -> Result<String, NotCanonical> {
    let mut text = String::new();
    write_object(members, 1, &mut text)?;
    Ok(text)
}

fn write(value: &RawValue, depth: usize, text: &mut String) -> Result<(), NotCanonical> {
    if depth > DEPTH {
        return Err(NotCanonical::TooDeep);
    }
    let written = value.get();
    match written.as_bytes().first() {
        Some(b'{') => write_object(&serde_json::from_str(written)?, depth + 1, text),
        Some(b'[') => write_array(&serde_json::from_str::<Vec<&RawValue>>(written)?, depth + 1, text),
        Some(b'"') => write_text(&serde_json::from_str::<String>(written)?, text),
        // A number, true, false or null.
        _ => {
            text.push_str(written);
            Ok(())
        }
    }
}

fn write_object(members: &Members<'_>, depth: usize, text: &mut String) -> Result<(), NotCanonical> {
    text.push('{');
    for (number, (name, value)) in members.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        write_text(name, text)?;
        text.push(':');
        write(value, depth, text)?;
    }
    text.push('}');
    Ok(())
}

fn write_array(items: &[&RawValue], depth: usize, text: &mut String) -> Result<(), NotCanonical> {
    text.push('[');
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        write(item, depth, text)?;
    }
    text.push(']');
    Ok(())
}

fn write_text(words: &str, text: &mut String) -> Result<(), NotCanonical> {
    text.push_str(&serde_json::to_string(words)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<String, NotCanonical> {
        object(&serde_json::from_str(text)?)
    }

    #[test]
    fn keys_are_sorted_at_every_level_and_spaces_are_gone() {
        let text = "{ \"b\" : [ { \"z\" : 1 , \"a\" : [ ] } ] ,\n\t\"a\" : { \"é\" : null, \"Z\" : true } }";
        assert_eq!(canonical(text).unwrap(), r#"{"a":{"Z":true,"é":null},"b":[{"a":[],"z":1}]}"#);
        // By code points, where UTF-16 would have the fox first.
        let text = r#"{"\ud83e\udd8a":1,"\uffee":2}"#;
        assert_eq!(canonical(text).unwrap(), "{\"\u{ffee}\":2,\"🦊\":1}");
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        let numbers = r#"{"a":1,"b":1.0,"c":-0.0,"d":1e-07,"e":123456789012345678901234567890,"f":2.50}"#;
        assert_eq!(canonical(numbers).unwrap(), numbers);
    }

    #[test]
    fn text_is_escaped_no_more_than_it_must_be() {
        let text = r#"{"a":"\u00e9\/\"\\\n\u0001\u007f\u2028\u7535"}"#;
        assert_eq!(canonical(text).unwrap(), "{\"a\":\"é/\\\"\\\\\\n\\u0001\u{7f}\u{2028}电\"}");
    }

    #[test]
    fn of_two_members_of_one_name_the_last_counts() {
        assert_eq!(canonical(r#"{"a":1,"a":2}"#).unwrap(), r#"{"a":2}"#);
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused_and_costs_little() {
        let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(canonical(&nested(DEPTH - 1)).is_ok());
        assert_eq!(canonical(&nested(DEPTH)), Err(NotCanonical::TooDeep));
        assert_eq!(canonical(&nested(500_000)), Err(NotCanonical::TooDeep));
    }

    #[test]
    fn what_is_no_json_has_no_canonical_form() {
        for text in ["", "{", "[]", "1", r#"{"a":NaN}"#, r#"{"a":01}"#, r#"{"a":"\ud800"}"#, r#"{"a":1}x"#] {
            assert!(matches!(canonical(text), Err(NotCanonical::NotJson(_))), "{text}");
        }
    }
}
