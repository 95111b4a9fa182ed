//! What is shown. Titles, prompts and errors come from others: no character of theirs may steer a terminal.

use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Widest cell of a table, in columns.
const CELL: usize = 60;

/// One line without anything that a terminal would obey or that turns the order of letters.
pub(super) fn plain(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' | '\r' | '\t' => Some(' '),
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => None,
        '\u{2028}' | '\u{2029}' => Some(' '),
        character if character.is_control() => Some('\u{fffd}'),
        character => Some(character),
    };
    text.chars().filter_map(shown).collect()
}

/// A field as text; a dash for what is not there.
pub(super) fn field(value: &Value, name: &str) -> String {
    match &value[name] {
        Value::Null => "–".to_owned(),
        Value::String(text) if text.is_empty() => "–".to_owned(),
        Value::String(text) => plain(text),
        other => plain(&other.to_string()),
    }
}

/// The day and minute of a time.
pub(super) fn time(value: &Value, name: &str) -> String {
    let text = field(value, name);
    let minute: String = text.chars().take("2026-11-22T10:00".len()).collect();
    minute.replace('T', " ")
}

/// JSON in one line, with the control characters that JSON lets through escaped too.
pub(super) fn json_line(value: &Value) -> String {
    let mut line = String::new();
    for character in value.to_string().chars() {
        match character {
            '\u{7f}'..='\u{9f}' => line.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => line.push(character),
        }
    }
    line
}

/// Columns side by side; the last one is cut at no width but every cell's.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heads)
        .chain(rows.iter().map(|row| row.iter().map(|cell| cut(cell)).collect()))
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let padded = cells.map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A cell that fits.
fn cut(text: &str) -> String {
    if text.width() <= CELL {
        return text.to_owned();
    }
    let mut cell = String::new();
    let mut width = 0;
    for character in text.chars() {
        width += character.width().unwrap_or(0);
        if width >= CELL {
            break;
        }
        cell.push(character);
    }
    cell.push('…');
    cell
}

/// Names and values, one pair a line.
pub(super) fn details(pairs: &[(&str, String)]) -> String {
    let widest = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:widest$}  {value}");
    pairs.iter().map(line).collect::<Vec<_>>().join("\n")
}
