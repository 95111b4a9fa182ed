//! The read tables: one file each, with its row, how events change it, and how it is found.
//!
//! Rows of projects and shots are pictures of the aggregate's state; tasks, takes and films outlive
//! their place in the state and follow from the events themselves.

pub mod films;
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
        .bind(to_json(&rows)?)
        .execute(connection)
        .await
        .map_err(PostgresError::during("write a read table"))?;
    Ok(())
}

/// A row as JSON text, read back.
fn from_json<R: serde::de::DeserializeOwned>(json: &str) -> Result<R, PostgresError> {
    serde_json::from_str(json).map_err(|error| PostgresError::Corrupt(error.to_string()))
}
