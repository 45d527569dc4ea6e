//! What a change did to its document, for a person and for a program.

use super::change::{Change, KeyPath, write_nested};
use super::columns::operation;
use super::diff::{Difference, differences};
use super::fields::Fields;
use super::json_style::JsonStyle;
use super::line::Line;
use super::terminal::colour;
use super::tokens::write_string;
use crate::escape::write_json_token;
use crate::feed::RangeId;
use crate::feed::page::{ItemRef, members, write_without_system_fields};
use crate::width::cut_middle;

/// What a change did. Documents have no system fields.
#[derive(Debug)]
pub(super) enum WhatChanged<'a> {
    /// There was no document before.
    Created(&'a [u8]),
    /// The document is another.
    Replaced(Vec<Difference<'a>>),
    /// The document is gone. The feed may not have it any more.
    Deleted(Option<&'a [u8]>),
    /// This is the document, and the feed does not have the one before.
    WithoutPrevious(&'a [u8]),
    /// There is neither a document, nor is it gone.
    Unknown,
}

/// The documents that a change has, as far as they are compared.
#[derive(Debug)]
pub(super) struct Images {
    current: Option<Vec<u8>>,
    previous: Option<Vec<u8>>,
}

impl Images {
    pub(super) fn of(change: &Change<'_>, fields: Option<&Fields>) -> Self {
        let part = |document: &[u8]| {
            let mut part = Vec::new();
            match fields {
                Some(fields) if document.first() == Some(&b'{') => {
                    fields.write(document, &mut part)
                }
                None if document.first() == Some(&b'{') => {
                    write_without_system_fields(document, &mut part);
                }
                _ => part.extend_from_slice(document),
            }
            part
        };
        Self {
            current: change.document.map(part),
            previous: previous_image(change).map(part),
        }
    }

    /// What the change did.
    pub(super) fn compare(&self, change: &Change<'_>) -> WhatChanged<'_> {
        match (self.current.as_deref(), self.previous.as_deref()) {
            (Some(current), Some(previous)) => {
                WhatChanged::Replaced(differences(previous, current))
            }
            (Some(current), None) if operation(change, false).0 == "create" => {
                WhatChanged::Created(current)
            }
            (Some(current), None) => WhatChanged::WithoutPrevious(current),
            (None, previous) if change.is_delete() => WhatChanged::Deleted(previous),
            (None, _) => WhatChanged::Unknown,
        }
    }
}

/// The document before a change, if the feed has it.
pub(super) fn previous_image<'a>(change: &Change<'a>) -> Option<&'a [u8]> {
    // A document has at least an id.
    let is_document = |previous: &&[u8]| members(previous).next().is_some();
    change.previous.filter(is_document)
}

impl WhatChanged<'_> {
    /// Appends it to the line of the change.
    pub(super) fn show(&self, item: ItemRef<'_>, line: &mut Line) {
        match self {
            Self::Created(document) => line.push_json(document),
            Self::Replaced(differences) if differences.is_empty() => {
                line.push("nothing differs", colour::DIM);
            }
            Self::Replaced(differences) => show_differences(differences, line),
            Self::Deleted(Some(previous)) => {
                line.push("was ", colour::DIM);
                line.push_json(previous);
            }
            Self::Deleted(None) => line.push("no previous image", colour::DIM),
            Self::WithoutPrevious(document) => {
                line.push("no previous image: ", colour::DIM);
                line.push_json(document);
            }
            Self::Unknown => line.push_json(item.json()),
        }
    }

    /// Appends it as members of an object, each after a comma.
    fn write_members(&self, out: &mut Vec<u8>) {
        let whole = |from: Option<&[u8]>, to: Option<&[u8]>, out: &mut Vec<u8>| {
            out.extend_from_slice(b",\"changes\":[");
            write_difference(".", from, to, out);
            out.push(b']');
        };
        match self {
            Self::Created(document) => whole(None, Some(document), out),
            Self::Deleted(Some(previous)) => whole(Some(previous), None, out),
            Self::Replaced(differences) => {
                out.extend_from_slice(b",\"changes\":[");
                for (index, difference) in differences.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    let path = difference.path.to_string();
                    write_difference(&path, difference.from, difference.to, out);
                }
                out.push(b']');
            }
            Self::WithoutPrevious(document) => {
                out.extend_from_slice(b",\"changes\":null,\"document\":");
                out.extend_from_slice(document);
            }
            Self::Deleted(None) | Self::Unknown => out.extend_from_slice(b",\"changes\":null"),
        }
    }
}

fn show_differences(differences: &[Difference<'_>], line: &mut Line) {
    /// The shortest part of a value that is worth showing.
    const MIN_VALUE_WIDTH: usize = 12;
    // One long value leaves space for the next difference.
    let max = line.free().map(|free| {
        let values = 2 * differences.len().clamp(1, 3);
        (free / values).max(MIN_VALUE_WIDTH)
    });
    let text = |json: &[u8]| {
        let style = JsonStyle {
            escaped: true,
            ..JsonStyle::default()
        };
        let mut text = Vec::new();
        style.write(json, &mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        match max {
            Some(max) => cut_middle(&text, max).into_owned(),
            None => text,
        }
    };
    for (index, difference) in differences.iter().enumerate() {
        if line.is_full() {
            return;
        }
        if index > 0 {
            line.push(",", "");
            line.space(1);
        }
        let mut path = Vec::new();
        write_json_token(difference.path.to_string().as_bytes(), &mut path);
        let path = String::from_utf8_lossy(&path);
        let (sign, sign_colour) = match (difference.from, difference.to) {
            (None, _) => ("+", colour::GREEN),
            (_, None) => ("-", colour::RED),
            _ => ("", ""),
        };
        line.push(sign, sign_colour);
        line.push(&path, colour::NAME);
        line.space(1);
        if let Some(from) = difference.from {
            line.push(&text(from), colour::RED);
        }
        if difference.from.is_some() && difference.to.is_some() {
            line.space(1);
            line.push("→", colour::DIM);
            line.space(1);
        }
        if let Some(to) = difference.to {
            line.push(&text(to), colour::GREEN);
        }
    }
}

fn write_difference(path: &str, from: Option<&[u8]>, to: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"path\":");
    write_string(path.as_bytes(), out);
    for (name, value) in [("from", from), ("to", to)] {
        if let Some(value) = value {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            out.extend_from_slice(value);
        }
    }
    out.push(b'}');
}

/// Appends a change as an object:
///
/// ```json
/// {"time": …, "operation": "replace", "item": {"id": …, …}, "lsn": 7, "range": 3,
///  "changes": [{"path": ".status", "from": "paid", "to": "void"}]}
/// ```
///
/// It has no `id` at its top level, so that nothing takes it for a document.
pub(super) fn write_object(
    change: &Change<'_>,
    what: &WhatChanged<'_>,
    key_paths: &[KeyPath],
    range: RangeId,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    if let Some(time) = change.rfc3339() {
        out.extend_from_slice(format!("\"time\":\"{time}\",").as_bytes());
    }
    out.extend_from_slice(b"\"operation\":");
    match (operation(change, false).0, change.metadata.operation) {
        ("change", Some(name)) => out.extend_from_slice(name),
        (known, _) => write_string(known.as_bytes(), out),
    }
    out.extend_from_slice(b",\"item\":{");
    let id_path = ["id".to_owned()];
    let key = change.partition_key(key_paths);
    let key = key.iter().filter(|(path, _)| *path != id_path);
    let key = key.map(|(path, value)| (path.as_slice(), *value));
    let id = change.id.map(|id| (&id_path[..], id));
    let entries: Vec<(&[String], &[u8])> = id.into_iter().chain(key).collect();
    write_nested(&entries, out);
    out.push(b'}');
    if let Some(lsn) = change.lsn() {
        out.extend_from_slice(format!(",\"lsn\":{lsn}").as_bytes());
    }
    out.extend_from_slice(format!(",\"range\":{range}").as_bytes());
    what.write_members(out);
    out.push(b'}');
}
