//! Which observed fields get a column, and in which order.

use std::collections::HashMap;

use super::limits::MAX_LEAVES;
use super::observed::{Observed, Site};
use super::place::Place;
use crate::schema::column::{Column, ColumnType, Field, FieldPath};
use crate::schema::names::{RESERVED, SYSTEM_FIELDS};

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
    column_type: ColumnType,
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

/// The columns for the fields of a document, and how many fields remain without one.
pub(super) fn columns(document: &Observed, key_paths: &[Vec<String>]) -> (Vec<Column>, usize) {
    let keys: Vec<&[String]> = key_paths.iter().map(Vec::as_slice).collect();
    let mut leaves = Leaves::default();
    leaves.of_object(document, &keys, true, &mut Vec::new());
    let (kept, left_out) = most_frequent(leaves.found);
    let fields = nest(&kept, 0);
    let columns = fields.into_iter().map(|field| Column {
        path: FieldPath::top(field.name),
        column_type: field.field_type,
    });
    (columns.collect(), leaves.left_out + left_out)
}

/// The type of one requested field.
pub(super) fn column_type(field: &Observed) -> ColumnType {
    if !field.is_struct() {
        return field.column_type(Site::Document);
    }
    let mut leaves = Leaves::default();
    leaves.of_object(field, &[], false, &mut Vec::new());
    let (kept, _) = most_frequent(leaves.found);
    match nest(&kept, 0) {
        fields if fields.is_empty() => ColumnType::Json,
        fields => ColumnType::Struct(fields),
    }
}

#[derive(Debug, Default)]
struct Leaves<'a> {
    found: Vec<Leaf<'a>>,
    left_out: usize,
}

impl<'a> Leaves<'a> {
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
            if is_document && RESERVED.contains(&&*folded) {
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
            if field.is_struct() {
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
                    column_type: field.column_type(Site::Document),
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
        if leaves_of(&leaf.column_type) > remaining {
            leaf.column_type = ColumnType::Json;
        }
        remaining -= leaves_of(&leaf.column_type);
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
            [leaf] if leaf.path.len() == depth + 1 => leaf.column_type.clone(),
            _ => ColumnType::Struct(nest(group, depth + 1)),
        },
    });
    groups.collect()
}
