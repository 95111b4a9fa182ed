//! The read tables: one file each, with its row, how events change it, and how it is found.
//!
//! Rows of projects and shots are pictures of the aggregate's state; tasks, takes and films outlive
//! their place in the state and follow from the events themselves.

pub mod films;
pub mod pace;
pub mod projects;
pub mod shots;
pub mod takes;
pub mod tasks;

use serde::Serialize;
use sqlx::PgConnection;

use super::PostgresError;
use super::event_store::to_json;

/// Writes rows by one statement: inserted, or all but `kept` columns overwritten. A row of another project is
/// left as it is, whatever ids a history from elsewhere may name.
async fn upsert<R: Serialize>(
    connection: &mut PgConnection,
    table: &'static str,
    columns: &[&str],
    kept: &[&str],
    rows: &[R],
) -> Result<(), PostgresError> {
    if rows.is_empty() {
        return Ok(());
    }
    let overwritten = columns.iter().filter(|column| **column != "id" && !kept.contains(column));
    let assignments: Vec<String> =
        overwritten.map(|column| format!("{column} = excluded.{column}")).collect();
    let own = columns.contains(&"project_id");
    let own = if own { format!("WHERE {table}.project_id = excluded.project_id") } else { String::new() };
    let list = columns.join(", ");
    let sql = format!(
        "INSERT INTO {table} ({list}) SELECT {list} FROM json_populate_recordset(NULL::{table}, $1::json) \
         ON CONFLICT (id) DO UPDATE SET {} {own}",
        assignments.join(", ")
    );
    sqlx::query(&sql)
        .bind(without_nul(to_json(&rows)?))
        .execute(connection)
        .await
        .map_err(PostgresError::during("write a read table"))?;
    Ok(())
}

/// JSON without the escape of U+0000, which the log's type `json` takes and `text` does not: an event that somebody
/// slipped one into must not stop the tables of everybody.
fn without_nul(json: String) -> String {
    const NUL: &str = "\\u0000";
    if !json.contains(NUL) {
        return json;
    }
    let mut kept = String::with_capacity(json.len());
    let mut rest = json.as_str();
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        kept.push_str(before);
        if let Some(after) = escape.strip_prefix(NUL) {
            rest = after;
        } else {
            // An escape is two characters, or begins with two that hold no backslash after them.
            let (escape, after) = escape.split_at(escape.len().min(2));
            kept.push_str(escape);
            rest = after;
        }
    }
    kept.push_str(rest);
    kept
}

/// A row as JSON text, read back.
fn from_json<R: serde::de::DeserializeOwned>(json: &str) -> Result<R, PostgresError> {
    serde_json::from_str(json).map_err(|error| PostgresError::Corrupt(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_taken_out_of_json_and_what_only_looks_like_one_stays() {
        let text = "a\0b\\u0000 \"\0\" c\\\0";
        let json = to_json(&[text]).unwrap();
        let [read]: [String; 1] = serde_json::from_str(&without_nul(json)).unwrap();
        assert_eq!(read, text.replace('\0', ""));
    }
}
