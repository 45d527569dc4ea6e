//! Which observed fields get a column, and in which order.

use std::collections::HashMap;

use super::limits::MAX_LEAVES;
use super::observed::{Observed, Rule, Typed};
use super::place::Place;
use crate::feed::page::SYSTEM_FIELDS;
use crate::schema::column::{Column, ColumnType, Field, FieldPath};
use crate::schema::names::is_reserved;

/// The rank of a name among the names of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Id,
    PartitionKey(usize),
    /// By the place where it was first seen.
    Seen(Place),
    System(usize),
}

/// A field that is not a struct and could have a column.
#[derive(Debug)]
struct Leaf<'a> {
    path: Vec<(Rank, &'a str)>,
    count: u64,
    typed: Typed,
}

/// A place where some values do not have the type of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfits {
    /// The path of the values.
    pub path: FieldPath,
    /// Their number; in a list, that of the lists with some.
    pub number: u64,
    /// How often the field was seen, null included.
    pub seen: u64,
}

/// The columns that were chosen.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) columns: Vec<Column>,
    /// How many fields remain without a column.
    pub(super) left_out: usize,
    /// Where values do not fit their columns, in the order of the columns.
    pub(super) misfits: Vec<Misfits>,
}

impl Leaf<'_> {
    /// Whether it gets a column before all others, however rare it is.
    fn comes_first(&self) -> bool {
        let is_special = |(rank, _): &(Rank, &str)| !matches!(rank, Rank::Seen(_));
        self.path.iter().all(is_special)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.path.iter().map(|(_, name)| *name)
    }
}

/// The columns for the fields of a document.
pub(super) fn columns(document: &Observed, key_paths: &[Vec<String>], rule: Rule) -> Selection {
    let keys: Vec<&[String]> = key_paths.iter().map(Vec::as_slice).collect();
    let mut leaves = Leaves::new(rule);
    leaves.of_object(document, &keys, true, &mut Vec::new());
    let (kept, left_out) = most_frequent(leaves.found);
    let fields = nest(&kept, 0);
    let columns = fields.into_iter().map(|field| Column {
        path: FieldPath::top(field.name),
        column_type: field.field_type,
    });
    Selection {
        columns: columns.collect(),
        left_out: leaves.left_out + left_out,
        misfits: misfits(&kept, leaves.beside_structs, None),
    }
}

/// The type of one requested field at `path`, and where values do not fit it.
pub(super) fn column_type(
    field: &Observed,
    path: &FieldPath,
    rule: Rule,
) -> (ColumnType, Vec<Misfits>) {
    let at_path = |number| Misfits {
        path: path.clone(),
        number,
        seen: field.count,
    };
    let Some(others) = field.as_struct(rule) else {
        let typed = field.typed(rule);
        let odd = (typed.misfits > 0).then(|| at_path(typed.misfits));
        return (typed.column_type, odd.into_iter().collect());
    };
    let mut leaves = Leaves::new(rule);
    leaves.of_object(field, &[], false, &mut Vec::new());
    let (kept, _) = most_frequent(leaves.found);
    match nest(&kept, 0) {
        fields if fields.is_empty() => (ColumnType::Json, Vec::new()),
        fields => {
            let mut odd: Vec<Misfits> = (others > 0).then(|| at_path(others)).into_iter().collect();
            odd.extend(misfits(&kept, leaves.beside_structs, Some(path)));
            (ColumnType::Struct(fields), odd)
        }
    }
}

/// Where values do not fit the columns that were kept, or are beside structs.
fn misfits(
    kept: &[Leaf<'_>],
    beside_structs: Vec<Misfits>,
    within: Option<&FieldPath>,
) -> Vec<Misfits> {
    let leaves = kept
        .iter()
        .filter(|leaf| leaf.typed.misfits > 0)
        .filter_map(|leaf| {
            Some(Misfits {
                path: FieldPath::new(leaf.names().map(str::to_owned).collect())?,
                number: leaf.typed.misfits,
                seen: leaf.count,
            })
        });
    let mut all: Vec<Misfits> = leaves.chain(beside_structs).collect();
    all.sort_by(|a, b| a.path.names().cmp(b.path.names()));
    if let Some(outer) = within {
        for one in &mut all {
            one.path = one
                .path
                .names()
                .iter()
                .fold(outer.clone(), |path, name| path.join(name));
        }
    }
    all
}

#[derive(Debug)]
struct Leaves<'a> {
    rule: Rule,
    found: Vec<Leaf<'a>>,
    left_out: usize,
    /// Where values are in the place of objects.
    beside_structs: Vec<Misfits>,
}

impl<'a> Leaves<'a> {
    fn new(rule: Rule) -> Self {
        Self {
            rule,
            found: Vec::new(),
            left_out: 0,
            beside_structs: Vec::new(),
        }
    }

    /// Finds the leaves of an object at `path`. `keys` are the partition key's paths from here on.
    fn of_object(
        &mut self,
        object: &'a Observed,
        keys: &[&[String]],
        is_document: bool,
        path: &mut Vec<(Rank, &'a str)>,
    ) {
        // Most engines ignore case, so only the most frequent of names that differ by case gets a column.
        let mut chosen = HashMap::<String, (Rank, &'a str, &'a Observed)>::new();
        for (name, field) in &object.fields {
            let folded = name.to_lowercase();
            if is_document && is_reserved(&folded) {
                self.left_out += 1;
                continue;
            }
            let rank = rank(name, field, keys, is_document);
            let order = |(rank, name, field): &(Rank, &'a str, &'a Observed)| {
                let is_seen = matches!(rank, Rank::Seen(_));
                (is_seen, std::cmp::Reverse(field.count), *name)
            };
            let this = (rank, &**name, field);
            let one = chosen.entry(folded).or_insert(this);
            if one.1 != this.1 {
                self.left_out += 1;
                if order(&this) < order(one) {
                    *one = this;
                }
            }
        }
        for (rank, name, field) in chosen.into_values() {
            path.push((rank, name));
            if let Some(others) = field.as_struct(self.rule) {
                let names = path.iter().map(|(_, name)| (*name).to_owned());
                self.beside_structs.extend(
                    FieldPath::new(names.collect())
                        .filter(|_| others > 0)
                        .map(|path| Misfits {
                            path,
                            number: others,
                            seen: field.count,
                        }),
                );
                let within: Vec<&[String]> = keys
                    .iter()
                    .filter_map(|key| key.split_first().filter(|(first, _)| *first == name))
                    .map(|(_, rest)| rest)
                    .collect();
                self.of_object(field, &within, false, path);
            } else {
                self.found.push(Leaf {
                    path: path.clone(),
                    count: field.count,
                    typed: field.typed(self.rule),
                });
            }
            path.pop();
        }
    }
}

fn rank(name: &str, field: &Observed, keys: &[&[String]], is_document: bool) -> Rank {
    if is_document && name == "id" {
        return Rank::Id;
    }
    let of_key = |key: &&[String]| key.first().is_some_and(|first| first == name);
    if let Some(number) = keys.iter().position(of_key) {
        return Rank::PartitionKey(number);
    }
    match SYSTEM_FIELDS.iter().position(|system| *system == name) {
        Some(number) if is_document => Rank::System(number),
        _ => Rank::Seen(field.first),
    }
}

/// The most frequent leaves, as many as may have columns, in the order of their columns; and how many are
/// left out.
fn most_frequent(mut leaves: Vec<Leaf<'_>>) -> (Vec<Leaf<'_>>, usize) {
    leaves.sort_by(|a, b| {
        let order = |leaf: &Leaf<'_>| (!leaf.comes_first(), std::cmp::Reverse(leaf.count));
        order(a)
            .cmp(&order(b))
            .then_with(|| a.names().cmp(b.names()))
    });
    let (mut remaining, mut kept) = (MAX_LEAVES, 0);
    for leaf in &mut leaves {
        if remaining == 0 {
            break;
        }
        // Part of a list would not preserve it, so it has all its columns or is JSON.
        if leaves_of(&leaf.typed.column_type) > remaining {
            leaf.typed = Typed {
                column_type: ColumnType::Json,
                misfits: 0,
            };
        }
        remaining -= leaves_of(&leaf.typed.column_type);
        kept += 1;
    }
    let left_out = leaves.len() - kept;
    leaves.truncate(kept);
    leaves.sort_by(|a, b| a.path.cmp(&b.path));
    (leaves, left_out)
}

/// How many columns a type takes.
fn leaves_of(column_type: &ColumnType) -> usize {
    match column_type {
        ColumnType::List(element) => leaves_of(element),
        ColumnType::Struct(fields) => fields
            .iter()
            .map(|field| leaves_of(&field.field_type))
            .sum(),
        _ => 1,
    }
}

/// Nests leaves, which are in order and whose paths share their first `depth` names, into structs.
fn nest(leaves: &[Leaf<'_>], depth: usize) -> Vec<Field> {
    let same_name = |a: &Leaf<'_>, b: &Leaf<'_>| a.path[depth] == b.path[depth];
    let groups = leaves.chunk_by(same_name).map(|group| Field {
        name: group[0].path[depth].1.to_owned(),
        field_type: match group {
            [leaf] if leaf.path.len() == depth + 1 => leaf.typed.column_type.clone(),
            _ => ColumnType::Struct(nest(group, depth + 1)),
        },
    });
    groups.collect()
}
