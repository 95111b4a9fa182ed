//! Reads `storytovideo.toml` into the names of environment variables and their values.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::{ConfigError, settings};

/// Every value of the file by the variable that it stands for.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, Vec<String>>, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    parse(path, &text)
}

pub(super) fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, Vec<String>>, ConfigError> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Malformed {
        path: path.to_owned(),
        message: error.message().to_owned(),
    })?;
    let mut values = BTreeMap::new();
    flatten(path, "", table, &mut values)?;
    Ok(values)
}

fn flatten(
    path: &Path,
    within: &str,
    table: Table,
    values: &mut BTreeMap<String, Vec<String>>,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let key = if within.is_empty() { name } else { format!("{within}.{name}") };
        if settings::keys().any(|known| known == key) {
            let bad = || ConfigError::BadValue { path: path.to_owned(), key: key.clone() };
            values.insert(settings::variable_of(&key), words(value).ok_or_else(bad)?);
            continue;
        }
        match value {
            Value::Table(table) if is_table(&key) => flatten(path, &key, table, values)?,
            _ => return Err(ConfigError::UnknownKey { path: path.to_owned(), key }),
        }
    }
    Ok(())
}

/// Whether a setting's key lies within this table.
fn is_table(key: &str) -> bool {
    settings::keys().any(|known| known.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

fn words(value: Value) -> Option<Vec<String>> {
    match value {
        Value::Array(values) => values.into_iter().map(word).collect(),
        value => Some(vec![word(value)?]),
    }
}

fn word(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
