//! Opaque places in lists: a time and an id, as 48 hexadecimal digits; or a text and an id, after a `t`.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::problem::Problem;

/// After which item of a list in the order of time: its time and its id.
pub(crate) type Place = (DateTime<Utc>, Uuid);

/// The place after an item that was created at `at`.
pub(crate) fn encode(at: DateTime<Utc>, id: Uuid) -> String {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&at.timestamp_micros().to_be_bytes());
    bytes[8..].copy_from_slice(id.as_bytes());
    hex::encode(bytes)
}

/// Reads a place back. Whatever we did not write is a bad request.
pub(crate) fn decode(cursor: &str) -> Result<Place, Problem> {
    let mut bytes = [0; 24];
    hex::decode_to_slice(cursor, &mut bytes).map_err(|_| invalid())?;
    let (at, id) = bytes.split_at(8);
    let micros = i64::from_be_bytes(at.try_into().map_err(|_| invalid())?);
    let at = DateTime::from_timestamp_micros(micros).filter(is_storable).ok_or_else(invalid)?;
    Ok((at, Uuid::from_slice(id).map_err(|_| invalid())?))
}

/// The place after an item of a list that is sorted by a text.
pub(crate) fn encode_text(text: &str, id: Uuid) -> String {
    format!("t{}{}", hex::encode(id.as_bytes()), hex::encode(text))
}

/// Reads such a place back.
pub(crate) fn decode_text(cursor: &str) -> Result<(String, Uuid), Problem> {
    let bytes = cursor.strip_prefix('t').and_then(|digits| hex::decode(digits).ok()).ok_or_else(invalid)?;
    let (id, text) = bytes.split_at_checked(16).ok_or_else(invalid)?;
    let text = String::from_utf8(text.to_vec()).map_err(|_| invalid())?;
    // PostgreSQL's texts cannot hold it.
    if text.contains('\0') {
        return Err(invalid());
    }
    Ok((text, Uuid::from_slice(id).map_err(|_| invalid())?))
}

fn invalid() -> Problem {
    Problem::bad_request("invalid_cursor", "the cursor is not one that this list answered with")
}

/// PostgreSQL knows fewer years than [`DateTime`].
fn is_storable(at: &DateTime<Utc>) -> bool {
    use chrono::Datelike;
    (0..=9999).contains(&at.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_keeps_the_time_to_the_microsecond() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        let id = Uuid::from_u128(7);
        assert_eq!(decode(&encode(at, id)).unwrap(), (at, id));
    }

    #[test]
    fn what_is_no_cursor_of_ours_is_a_bad_request() {
        let far = hex::encode([[0x7f; 8].as_slice(), &[0; 16]].concat());
        for text in ["", "x", "00", &"f".repeat(47), &"z".repeat(48), &far] {
            assert_eq!(decode(text).unwrap_err().code, "invalid_cursor", "{text}");
            assert_eq!(decode_text(text).unwrap_err().code, "invalid_cursor", "{text}");
        }
        let (at, id) = (DateTime::UNIX_EPOCH, Uuid::from_u128(7));
        assert!(decode_text(&encode(at, id)).is_err() && decode(&encode_text("text", id)).is_err());
        for text in ["t", "tff", &encode_text("a\0b", id), &format!("t{}ff", "0".repeat(32))] {
            assert_eq!(decode_text(text).unwrap_err().code, "invalid_cursor", "{text}");
        }
    }

    #[test]
    fn a_cursor_keeps_a_text_in_any_language() {
        let id = Uuid::from_u128(7);
        for text in ["", "The lamp", "灯塔"] {
            assert_eq!(decode_text(&encode_text(text, id)).unwrap(), (text.to_owned(), id));
        }
    }
}
