//! What is shown. Titles, prompts and errors come from others: no character of theirs may steer a terminal.

use std::io;

use rustix::termios::tcgetwinsize;
use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Widest cell of a table that is not its row's last, in columns.
const CELL: usize = 60;
/// What is left of a column where the terminal is narrow, in columns.
const NARROWEST: usize = 8;
/// The head of a column that is never cut: ids are for copying.
const WHOLE: &str = "ID";

/// A body without what is not given.
pub(super) fn given(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    body
}

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

/// The day and minute of a time, in UTC.
pub(super) fn time(value: &Value, name: &str) -> String {
    let text = field(value, name);
    match text.get(.."2026-11-22T10:00".len()) {
        Some(minute) => format!("{}Z", minute.replace('T', " ")),
        None => text,
    }
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

/// Columns side by side, no wider than the terminal if there is one.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width =
        tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|width| *width > 0);
    table_within(width, heads, rows)
}

/// The same in so many columns.
pub(super) fn table_within(width: Option<usize>, heads: &[&str], rows: &[Vec<String>]) -> String {
    let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let last = heads.len().saturating_sub(1);
    let natural = heads.iter().enumerate().map(|(column, head)| {
        let widest = if column == last { widest(column) } else { widest(column).min(CELL) };
        widest.max(head.width())
    });
    let mut widths: Vec<usize> = natural.collect();
    if let Some(width) = width {
        fit(&mut widths, heads, width);
    }
    let line = |cells: Vec<&str>| {
        let cells = cells.into_iter().zip(&widths).map(|(cell, width)| {
            let cell = cut(cell, *width);
            format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(heads.to_vec())).chain(rows).collect::<Vec<_>>().join("\n")
}

/// Takes from the widest column until all fit, or none can be narrower.
fn fit(widths: &mut [usize], heads: &[&str], width: usize) {
    let gaps = 2 * heads.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let can_shrink =
            |(width, head): &(&mut usize, &&str)| **head != WHOLE && **width > NARROWEST.max(head.width());
        let columns = widths.iter_mut().zip(heads).filter(can_shrink);
        let Some((widest, _)) = columns.max_by_key(|(width, _)| **width) else { return };
        *widest -= 1;
    }
}

/// A cell that fits.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut cell = String::new();
    let mut width = 0;
    for character in text.chars() {
        width += character.width().unwrap_or(0);
        if width >= columns {
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
