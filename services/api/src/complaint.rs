//! What is wrong with a field, in words for people. The libraries that read bodies and queries speak of their own
//! types (`expected u32`, `struct Body`).

/// Longest value that is repeated to whoever sent it, in characters.
const VALUE_LIMIT: usize = 60;

/// The same about a field that the caller knows already.
pub(crate) fn in_plain_words(said: &str) -> String {
    let kind = said.split([':', '`']).next().unwrap_or_default().trim();
    match (kind, said.rsplit_once(", expected ")) {
        ("missing field", _) => "must be given".to_owned(),
        ("duplicate field", _) => "is given more than once".to_owned(),
        ("unknown field", Some((_, known))) => {
            format!("is not known here; there is {}", known.trim_start_matches("one of "))
        }
        ("unknown field", None) => "is not known here, and nothing else is".to_owned(),
        ("unknown variant", Some((value, known))) => {
            format!("must be {known}, not {}", cut(value.trim_start_matches("unknown variant ")))
        }
        ("invalid type" | "invalid value", Some((value, wanted))) => {
            let value = value.split_once(": ").map_or(value, |(_, value)| value);
            format!("must be {}, not {}", thing(wanted), cut(thing(value)))
        }
        ("UUID parsing failed", _) => "must be an id, which is a UUID".to_owned(),
        ("invalid digit found in string" | "cannot parse integer from empty string", _) => {
            "must be a whole number".to_owned()
        }
        ("number too large to fit in target type", _) => "is too large a number".to_owned(),
        _ => said.to_owned(),
    }
}

fn thing(name: &str) -> &str {
    match name {
        "u32" => "a whole number from 0 to 4294967295",
        "u8" | "u16" | "u64" | "usize" => "a whole number from 0 on",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" | "sequence" => "a list",
        "a map" | "map" => "an object",
        name if name.starts_with("struct ") => "an object",
        name => {
            ["floating point ", "integer "].iter().find_map(|kind| name.strip_prefix(kind)).unwrap_or(name)
        }
    }
}

/// Values may be as long as a body.
fn cut(value: &str) -> String {
    if value.chars().count() <= VALUE_LIMIT {
        return value.to_owned();
    }
    let start: String = value.chars().take(VALUE_LIMIT).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_the_program_reaches_people() {
        for (said, told) in [
            ("missing field `story`", "must be given"),
            ("duplicate field `title`", "is given more than once"),
            ("unknown field `x`, expected one of `a`, `b`", "is not known here; there is `a`, `b`"),
            ("unknown field `x`, expected `a`", "is not known here; there is `a`"),
            ("unknown field `x`, there are no fields", "is not known here, and nothing else is"),
            ("unknown variant `fr`, expected `en` or `zh`", "must be `en` or `zh`, not `fr`"),
            ("unknown variant `z`, expected one of `a`, `b`, `c`", "must be one of `a`, `b`, `c`, not `z`"),
            (
                "invalid type: floating point `1.5`, expected u32",
                "must be a whole number from 0 to 4294967295, not `1.5`",
            ),
            ("invalid type: null, expected struct Body", "must be an object, not null"),
            ("invalid type: map, expected a string", "must be a string, not an object"),
            ("invalid type: sequence, expected a map", "must be an object, not a list"),
            (
                "invalid type: string \"a, expected b\", expected a boolean",
                "must be true or false, not string \"a, expected b\"",
            ),
            ("UUID parsing failed: invalid character", "must be an id, which is a UUID"),
            ("invalid digit found in string", "must be a whole number"),
            ("must be between 360p and 2160p", "must be between 360p and 2160p"),
        ] {
            assert_eq!(in_plain_words(said), told);
        }
    }

    #[test]
    fn a_long_value_is_not_sent_back_whole() {
        let long = format!("invalid type: string {:?}, expected a boolean", "灯".repeat(100_000));
        assert!(in_plain_words(&long).chars().count() < 120);
    }
}
