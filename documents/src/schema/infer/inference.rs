//! An inference: documents in, a schema out.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::observed::{Observed, Observer, Rule, name_of};
use super::place::Place;
use super::select::{self, Misfits, Selection};
use crate::feed::page::SYSTEM_FIELDS;
use crate::feed::page::members;
use crate::schema::column::{Column, ColumnType, FieldPath, Schema};
use crate::schema::list::ColumnList;

/// How a schema is inferred.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferenceOptions {
    /// How much to sample; the default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleSize>,
    /// Whether strings become timestamps if all are written as such.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub detect_timestamps: bool,
    /// Whether the type that at least 95 % of the values have decides. Otherwise a single other value makes the
    /// column one of JSON, as in states of builds that did not have this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_majority: bool,
    /// Whether to leave out system fields that are not among `columns`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_system_fields: bool,
    /// The columns, if given: then only missing types are inferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<ColumnList>,
}

/// How much of a container is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleSize {
    /// This many pages of every range.
    Pages(u32),
    /// Every document.
    All,
}

/// The observations, and how to make a schema of them.
#[derive(Debug)]
pub struct Inference {
    options: InferenceOptions,
    key_paths: Vec<Vec<String>>,
    pub(super) observer: Observer,
    documents: u64,
    subject: Subject,
}

/// The observed part of documents.
#[derive(Debug)]
enum Subject {
    Everything(Box<Observed>),
    /// The requested fields, each with the number of its column.
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

/// The result of an inference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inferred {
    /// The schema.
    pub schema: Schema,
    /// How many documents were observed.
    pub documents: u64,
    /// How many observed fields have no column.
    pub left_out: usize,
    /// Whether there are more, which were not counted.
    pub has_uncounted: bool,
    /// Requested columns without a type that no document had.
    pub unseen: Vec<FieldPath>,
    /// Where values do not have the type of their column.
    pub misfits: Vec<Misfits>,
}

impl Inference {
    /// An inference by `options` without observations. `key_paths` are the names on the paths of the partition
    /// key.
    pub fn new(options: InferenceOptions, key_paths: Vec<Vec<String>>) -> Self {
        let subject = match &options.columns {
            None => Subject::Everything(Box::new(Observed::new(Place::default()))),
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
                cell: 0,
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

    /// Observes a document of a [`Page`](crate::feed::page::Page), found at `place`. One that is not an object
    /// has no fields.
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

    /// How many documents were observed.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// The inferred schema. Without observations it has a column for the id, which every document has.
    pub fn finish(&self) -> Inferred {
        let rule = if self.options.by_majority {
            Rule::Majority
        } else {
            Rule::All
        };
        let (selection, unseen) = match &self.subject {
            Subject::Everything(observed) => {
                (select::columns(observed, &self.key_paths, rule), Vec::new())
            }
            Subject::Columns { observed, .. } => self.given_columns(observed, rule),
        };
        let Selection {
            mut columns,
            left_out,
            misfits,
        } = selection;
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
            misfits,
        }
    }

    fn given_columns(&self, observed: &[Observed], rule: Rule) -> (Selection, Vec<FieldPath>) {
        let mut unseen = Vec::new();
        let mut selection = Selection::default();
        let given = self.options.columns.iter().flat_map(ColumnList::columns);
        for ((path, given), seen) in given.zip(observed) {
            let column_type = match given {
                Some(given) => given.clone(),
                None => {
                    if seen.count == 0 {
                        unseen.push(path.clone());
                    }
                    let (column_type, misfits) = select::column_type(seen, path, rule);
                    selection.misfits.extend(misfits);
                    column_type
                }
            };
            selection.columns.push(Column {
                path: path.clone(),
                column_type,
            });
        }
        (selection, unseen)
    }
}

/// Requests the field at `path` for the column `number`. No path is within another.
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
