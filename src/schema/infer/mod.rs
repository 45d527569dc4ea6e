//! Infers a schema from documents.
//!
//! # Types
//!
//! Null says nothing of a type. What else was seen of a field decides:
//!
//! | seen | type |
//! |---|---|
//! | booleans | `boolean` |
//! | integers of 64 bits | `int64` |
//! | other numbers, or both | `double` |
//! | strings | `string`; if asked for, `timestamp…` if all are written in one form of it |
//! | arrays | `list<T>`, where T follows from the elements of all of them; `json` if these never had any |
//! | objects | a struct of the fields of all of them; `json` if these never had any |
//! | two of these, or only null | `json` |
//!
//! Numbers that fit neither `int64` nor `double`, or not the one of the two that others demand, and
//! strings with a lone surrogate do not decide: they go to the overflow column. Unless they are more
//! than a tenth: then the type is `json`. An array fits as a whole or not at all, so within arrays a
//! single value that would not fit makes the type of its element or field `json`; null does that to a
//! field of an object there.
//!
//! # What gets no column
//!
//! All of it is kept in the overflow column.
//!
//! - What has one of the [reserved names](super::RESERVED), in whatever case.
//! - Of names of one object that differ only by case, which most engines take for one: all but the
//!   most frequent.
//! - Fields beyond 1,000 columns, counted with those within structs and lists; the most frequent
//!   ones stay.
//! - Names of more than 1 KiB, and fields that are first seen after 50,000 others.
//!
//! An object with more than 200 different names is taken for a map, whose keys are data: `json`. So
//! is what is nested deeper than 16 levels.
//!
//! # Order
//!
//! First `id` and the partition key, then fields as they were first seen, by their [`Place`], then
//! system fields. Nothing else depends on the order in which documents are observed.

mod observed;
mod select;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Column, ColumnList, ColumnType, FieldPath, SYSTEM_FIELDS, Schema};
use crate::feed::page::members;
use observed::{Observed, Observer, name_of};

/// Columns in the end, those within structs and lists included.
const MOST_LEAVES: usize = 1000;
/// Different names that the objects of a struct can have.
const MOST_FIELDS_OF_OBJECT: usize = 200;
/// Levels of arrays and objects that are looked into.
const MOST_NESTING: usize = 16;
/// The longest name that a column can have.
const MOST_NAME_BYTES: usize = 1024;
/// Fields that are known at the same time: each takes a few hundred bytes.
const MOST_FIELDS: usize = 50_000;

/// How a schema is inferred.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferenceOptions {
    /// How much is looked at; the usual amount if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleSize>,
    /// Whether strings that are all written as timestamps become such.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub detect_timestamps: bool,
    /// Whether system fields are left out, unless they are among `columns`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_system_fields: bool,
    /// The columns, if they are given; then only missing types are inferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<ColumnList>,
}

/// How much of a container is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleSize {
    /// So many pages of every range.
    Pages(u32),
    /// Every document.
    All,
}

/// Where a document was found: the same documents in the same places make the same schema, in
/// whatever order they are observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// The number of the range.
    pub range: u32,
    /// The number of the document in what was read of it.
    pub document: u64,
    /// The number of the value in the document.
    field: u32,
}

impl Place {
    /// The place of the `document`th document of `range`.
    pub fn new(range: u32, document: u64) -> Self {
        Self {
            range,
            document,
            field: 0,
        }
    }
}

/// What was observed, and what is to be made of it.
#[derive(Debug)]
pub struct Inference {
    options: InferenceOptions,
    key_paths: Vec<Vec<String>>,
    observer: Observer,
    documents: u64,
    subject: Subject,
}

/// What is looked at in a document.
#[derive(Debug)]
enum Subject {
    Everything(Observed),
    /// The fields that have been asked for, each with the number of its column.
    Columns {
        wanted: HashMap<String, Wanted>,
        observed: Vec<Observed>,
    },
}

#[derive(Debug)]
enum Wanted {
    Column(usize),
    Within(HashMap<String, Wanted>),
}

/// What was inferred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inferred {
    /// The schema.
    pub schema: Schema,
    /// Documents that were looked at.
    pub documents: u64,
    /// Fields that were seen and have no column.
    pub left_out: usize,
    /// Whether there are more of them, which were not counted.
    pub has_uncounted: bool,
    /// Columns that were asked for without a type and not seen anywhere.
    pub unseen: Vec<FieldPath>,
}

impl Inference {
    /// An inference by `options` that has seen nothing yet. `key_paths` are the names on the paths
    /// of the partition key.
    pub fn new(options: InferenceOptions, key_paths: Vec<Vec<String>>) -> Self {
        let subject = match &options.columns {
            None => Subject::Everything(Observed::new(Place::default())),
            Some(list) => {
                let mut wanted = HashMap::new();
                for (number, (path, _)) in list.columns().iter().enumerate() {
                    want(&mut wanted, path.names(), number);
                }
                Subject::Columns {
                    wanted,
                    observed: list
                        .columns()
                        .iter()
                        .map(|_| Observed::new(Place::default()))
                        .collect(),
                }
            }
        };
        Self {
            observer: Observer {
                detect_timestamps: options.detect_timestamps,
                place: Place::default(),
                tracked: 0,
                is_full: false,
            },
            options,
            key_paths,
            documents: 0,
            subject,
        }
    }

    /// Takes note of a document from a [`Page`](crate::feed::page::Page), found at `place`. One that
    /// is no object has no fields.
    pub fn observe(&mut self, document: &[u8], place: Place) {
        self.documents += 1;
        self.observer.place = place;
        match &mut self.subject {
            Subject::Everything(observed) => {
                let drops = self.options.without_system_fields;
                let is_wanted = |name: &str| !(drops && SYSTEM_FIELDS.contains(&name));
                observed.observe_members(document, 1, &mut self.observer, is_wanted);
            }
            Subject::Columns { wanted, observed } => {
                observe_wanted(document, wanted, observed, &mut self.observer);
            }
        }
    }

    /// Documents that were observed.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// The schema that follows. Of nothing follows a column for the id, which every document has.
    pub fn finish(&self) -> Inferred {
        let (mut columns, left_out, unseen) = match &self.subject {
            Subject::Everything(observed) => {
                let (columns, left_out) = select::columns(observed, &self.key_paths);
                (columns, left_out, Vec::new())
            }
            Subject::Columns { observed, .. } => {
                let (columns, unseen) = self.given_columns(observed);
                (columns, 0, unseen)
            }
        };
        if columns.is_empty() {
            columns.push(Column {
                path: FieldPath::top("id"),
                column_type: ColumnType::String,
            });
        }
        Inferred {
            schema: Schema { columns },
            documents: self.documents,
            left_out,
            has_uncounted: self.observer.is_full,
            unseen,
        }
    }

    fn given_columns(&self, observed: &[Observed]) -> (Vec<Column>, Vec<FieldPath>) {
        let mut unseen = Vec::new();
        let given = self.options.columns.iter().flat_map(ColumnList::columns);
        let columns = given.zip(observed).map(|((path, given), seen)| {
            if given.is_none() && seen.count == 0 {
                unseen.push(path.clone());
            }
            Column {
                path: path.clone(),
                column_type: given.clone().unwrap_or_else(|| select::column_type(seen)),
            }
        });
        (columns.collect(), unseen)
    }
}

/// Notes that the field at `path` is the column of this `number`. No path lies within another.
fn want(wanted: &mut HashMap<String, Wanted>, path: &[String], number: usize) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        wanted.insert(first.clone(), Wanted::Column(number));
        return;
    }
    let entry = wanted.entry(first.clone());
    if let Wanted::Within(within) = entry.or_insert_with(|| Wanted::Within(HashMap::new())) {
        want(within, rest, number);
    }
}

fn observe_wanted(
    object: &[u8],
    wanted: &HashMap<String, Wanted>,
    observed: &mut [Observed],
    observer: &mut Observer,
) {
    for member in members(object) {
        let Some(name) = name_of(member.raw_name) else {
            continue;
        };
        match wanted.get(&*name) {
            Some(Wanted::Column(number)) => observed[*number].observe(member.value, 1, observer),
            Some(Wanted::Within(within)) => {
                observe_wanted(member.value, within, observed, observer)
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
