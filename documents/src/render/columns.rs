//! The columns before a document on a terminal: time, operation, id and partition key.

use time::Date;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::change::{Change, KeyPath};
use super::line::Line;
use super::terminal::colour;
use super::tokens::decode_string;
use crate::escape::escape_for_terminal;
use crate::feed::page::OperationType;
use crate::width::{cut_middle, width_of};

/// The width of a column, unless the terminal is so wide that it may have more: a UUID fits. In a line that is not
/// cut, longer values are shown in full and push the rest of the line to the right.
const MAX_ID_WIDTH: usize = 36;
const MAX_KEY_WIDTH: usize = 24;

/// The width of the longest operation that is known.
const OPERATION_WIDTH: usize = 7;

/// How times are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// The time of day. A line with the date precedes the first change of a day.
    OfDay,
    /// Date and time, since each line may be read on its own.
    Full,
}

/// What the columns of each line have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) times: Times,
    pub(super) coloured: bool,
    /// Whether the feed shows the latest versions only. Then it is not known what was done to an item: it may have
    /// been created and replaced since.
    pub(super) latest_only: bool,
}

/// The columns. They grow with the values shown in them.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    style: Style,
    /// None if the id is the partition key.
    has_key: bool,
    id_width: usize,
    key_width: usize,
    day: Option<Date>,
}

impl Columns {
    pub(super) fn new(style: Style, key_paths: &[KeyPath]) -> Self {
        let by_id = matches!(key_paths, [path] if *path == ["id"]);
        Self {
            style,
            has_key: !by_id && !key_paths.is_empty(),
            id_width: 0,
            key_width: 0,
            day: None,
        }
    }

    /// Appends to `out` a line with the day of a change, if it differs from that of the previous change. Returns the
    /// beginning of the line of the change, which has at most `width` columns.
    pub(super) fn begin(
        &mut self,
        change: &Change<'_>,
        key_paths: &[KeyPath],
        width: Option<usize>,
        out: &mut Vec<u8>,
    ) -> Line {
        let mut line = Line::new(width);
        self.write_time(change, &mut line, out);
        let (operation, operation_colour) = operation(change, self.style.latest_only);
        line.push(operation, operation_colour);
        line.space(OPERATION_WIDTH.saturating_sub(operation.len()) + 1);

        let id = change.id.map_or_else(|| "-".to_owned(), plain_value);
        let key = self.has_key.then(|| key_of(change, key_paths));
        // A wide terminal has more space for both.
        let max_id = width.map_or(MAX_ID_WIDTH, |width| MAX_ID_WIDTH.max(width / 4));
        let max_key = width.map_or(MAX_KEY_WIDTH, |width| MAX_KEY_WIDTH.max(width / 6));
        self.id_width = self.id_width.max(width_up_to(&id, max_id));
        if let Some(key) = &key {
            self.key_width = self.key_width.max(width_up_to(key, max_key));
        }
        let shares = line
            .free()
            .map(|free| shares(free, self.id_width, key.as_ref().map(|_| self.key_width)));
        let (id_width, key_width) = shares.unwrap_or((self.id_width, self.key_width));
        let is_cut = shares.is_some();
        padded(&id, id_width, is_cut, colour::BOLD, &mut line);
        if let Some(key) = &key {
            line.space(1);
            padded(key, key_width, is_cut, colour::CYAN, &mut line);
        }
        line
    }

    fn write_time(&mut self, change: &Change<'_>, line: &mut Line, out: &mut Vec<u8>) {
        let time = change.time();
        let shown = match self.style.times {
            Times::Full => time.and_then(|time| time.format(&Rfc3339).ok()),
            Times::OfDay => time.and_then(|time| {
                let format = format_description!("[hour]:[minute]:[second]");
                time.format(format).ok()
            }),
        };
        if self.style.times == Times::OfDay
            && let Some(day) = time.map(|time| time.date())
            && Some(day) != self.day
        {
            self.day = Some(day);
            let mut title = Line::new(line.free());
            title.push(&format!("{day} UTC"), colour::DIM);
            title.write(self.style.coloured, out);
        }
        let unknown = match self.style.times {
            Times::OfDay => "--:--:--",
            Times::Full => "--------------------",
        };
        line.push(shown.as_deref().unwrap_or(unknown), colour::DIM);
        line.space(1);
    }
}

/// The widths of the columns of id and key in a line with `free` columns. Two fifths stay free for the document;
/// of the rest the key has a third, or what the id leaves.
fn shares(free: usize, id: usize, key: Option<usize>) -> (usize, usize) {
    // Two fifths, and a space before the document.
    let both = (free - free * 2 / 5).saturating_sub(1);
    let Some(key) = key else {
        return (id.min(both), 0);
    };
    let both = both.saturating_sub(1);
    let key = key.min((both / 3).max(both.saturating_sub(id)));
    (id.min(both - key), key)
}

/// The width of a text, or `max` if it is wider.
fn width_up_to(text: &str, max: usize) -> usize {
    // Its end does not matter, and it may be long.
    let begin = &text[..text.floor_char_boundary(text.len().min(1024))];
    width_of(begin).min(max)
}

fn padded(text: &str, width: usize, is_cut: bool, colour: &'static str, line: &mut Line) {
    let before = line.used();
    if is_cut {
        line.push(&cut_middle(text, width), colour);
    } else {
        line.push(text, colour);
    }
    line.space(width.saturating_sub(line.used() - before));
}

fn key_of(change: &Change<'_>, key_paths: &[KeyPath]) -> String {
    let values = change.partition_key(key_paths);
    let values: Vec<_> = values.iter().map(|(_, value)| plain_value(value)).collect();
    if values.is_empty() {
        "-".to_owned()
    } else {
        values.join("/")
    }
}

/// What happened, in at most seven characters.
pub(super) fn operation(change: &Change<'_>, latest_only: bool) -> (&'static str, &'static str) {
    if change.is_delete() {
        let expired = change.metadata.time_to_live_expired;
        return (if expired { "expire" } else { "delete" }, colour::RED);
    }
    match change.metadata.operation_type {
        Some(OperationType::Create) if !latest_only => ("create", colour::GREEN),
        Some(OperationType::Replace) if !latest_only => ("replace", colour::YELLOW),
        Some(OperationType::Delete) => ("delete", colour::RED),
        _ => ("change", colour::YELLOW),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_key_leave_two_fifths_to_the_document() {
        for (free, id, key, expected) in [
            (63, 9, Some(6), (9, 6)),
            (63, 36, Some(6), (30, 6)),
            (63, 36, Some(24), (24, 12)),
            (63, 9, Some(24), (9, 24)),
            (103, 36, Some(24), (36, 24)),
            (63, 100, None, (37, 0)),
            (5, 36, Some(24), (1, 0)),
            (1, 36, Some(24), (0, 0)),
            (0, 36, Some(24), (0, 0)),
        ] {
            assert_eq!(shares(free, id, key), expected, "{free} {id} {key:?}");
        }
        for free in 0..300 {
            for id in 0..60 {
                for key in [None, Some(0), Some(5), Some(40)] {
                    let (shown_id, shown_key) = shares(free, id, key);
                    assert!(shown_id + shown_key <= free * 3 / 5 + 1);
                    assert!(shown_id <= id && Some(shown_key) <= key.or(Some(0)));
                }
            }
        }
    }
}
