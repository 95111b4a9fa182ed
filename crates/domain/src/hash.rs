//! SHA-256 over parts and over values: the one hash that assets, specifications and the event chain use.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// SHA-256 of the parts, one after the other.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Lower-case hexadecimal SHA-256 of a value's JSON, with a label that keeps values of different meaning apart.
pub fn hash_json<T: Serialize>(label: &str, value: &T) -> String {
    // A derived `Serialize` of plain data does not fail; an empty body keeps the function total.
    let json = serde_json::to_vec(value).unwrap_or_default();
    hex::encode(sha256(&[label.as_bytes(), b"\n", &json]))
}
