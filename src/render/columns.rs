//! The columns before a document on a terminal: time, operation, id and partition key.

use time::Date;
use time::macros::format_description;

use super::change::{Change, KeyPath};
use super::terminal::colour;
use super::tokens::decode_string;
use crate::escape::escape_for_terminal;
use crate::feed::page::OperationType;

/// The maximum width of a column in characters: a UUID fits. Longer values are shown in full and push the
/// rest of the line to the right.
const MAX_ID_WIDTH: usize = 36;
const MAX_KEY_WIDTH: usize = 24;

/// The columns. They grow with the values shown in them.
#[derive(Debug)]
pub(super) struct Columns {
    coloured: bool,
    /// None if the id is the partition key.
    has_key: bool,
    id_width: usize,
    key_width: usize,
    day: Option<Date>,
}

impl Columns {
    pub(super) fn new(coloured: bool, key_paths: &[KeyPath]) -> Self {
        let by_id = matches!(key_paths, [path] if *path == ["id"]);
        Self {
            coloured,
            has_key: !by_id && !key_paths.is_empty(),
            id_width: 0,
            key_width: 0,
            day: None,
        }
    }

    /// Appends the columns of a change, after a line with its day if that differs from the day of the previous
    /// change.
    pub(super) fn write(&mut self, change: &Change<'_>, key_paths: &[KeyPath], out: &mut Vec<u8>) {
        let time = change.time();
        if let Some(day) = time
            .map(|time| time.date())
            .filter(|day| Some(*day) != self.day)
        {
            self.day = Some(day);
            self.text(&format!("{day} UTC"), colour::DIM, out);
            out.push(b'\n');
        }
        let clock = time.and_then(|time| {
            let format = format_description!("[hour]:[minute]:[second]");
            time.format(format).ok()
        });
        self.text(clock.as_deref().unwrap_or("--:--:--"), colour::DIM, out);
        out.push(b' ');

        let (operation, operation_colour) = operation(change);
        self.text(&format!("{operation:7}"), operation_colour, out);
        out.push(b' ');

        let id = change.id.map_or_else(|| "-".to_owned(), plain_value);
        self.id_width = self.id_width.max(id.chars().count().min(MAX_ID_WIDTH));
        self.padded(&id, self.id_width, colour::BOLD, out);
        if self.has_key {
            out.push(b' ');
            let values = change.partition_key(key_paths);
            let values: Vec<_> = values.iter().map(|(_, value)| plain_value(value)).collect();
            let key = if values.is_empty() {
                "-".to_owned()
            } else {
                values.join("/")
            };
            self.key_width = self.key_width.max(key.chars().count().min(MAX_KEY_WIDTH));
            self.padded(&key, self.key_width, colour::CYAN, out);
        }
    }

    fn padded(&self, text: &str, width: usize, colour: &str, out: &mut Vec<u8>) {
        self.text(text, colour, out);
        let padding = width.saturating_sub(text.chars().count());
        out.resize(out.len() + padding, b' ');
    }

    fn text(&self, text: &str, colour: &str, out: &mut Vec<u8>) {
        if self.coloured {
            out.extend_from_slice(colour.as_bytes());
        }
        out.extend_from_slice(text.as_bytes());
        if self.coloured {
            out.extend_from_slice(colour::RESET.as_bytes());
        }
    }
}

/// What happened, in at most seven characters. LatestVersion does not say whether an item was
/// created or replaced.
fn operation(change: &Change<'_>) -> (&'static str, &'static str) {
    if change.is_delete() {
        let expired = change.metadata.time_to_live_expired;
        return (if expired { "expire" } else { "delete" }, colour::RED);
    }
    match change.metadata.operation_type {
        Some(OperationType::Create) => ("create", colour::GREEN),
        Some(OperationType::Replace) => ("replace", colour::YELLOW),
        Some(OperationType::Delete) => ("delete", colour::RED),
        Some(OperationType::Other) | None => ("change", colour::YELLOW),
    }
}

/// A JSON value for people: a string without quotes, safe for a terminal.
pub(super) fn plain_value(json: &[u8]) -> String {
    let text = match json.first() {
        Some(b'"') => String::from_utf8_lossy(&decode_string(json)).into_owned(),
        _ => String::from_utf8_lossy(json).into_owned(),
    };
    escape_for_terminal(&text).into_owned()
}
