//! The fields in which two versions of a document differ.
//!
//! Members are compared by name, whatever their order, and elements of arrays by the longest common subsequence, so
//! that an insertion is one difference. Values are compared by content: numbers exactly, by value, and strings
//! without their escapes. What is shown is the text that the service sent.

mod align;
mod path;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use align::{Budget, alike, common};
pub(super) use path::{Path, Step};
use tree::{Class, Classes, Kind, NodeId, Tree};

use crate::feed::page::members;
use crate::render::tokens::decode_string;

/// Values that are nested deeper are compared as a whole.
const MAX_DEPTH: usize = 64;

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference<'a> {
    /// Where it is in the document after the change. Only the index of a removed element counts the elements before
    /// the change.
    pub path: Path<'a>,
    /// The JSON text before; none if it was added.
    pub from: Option<&'a [u8]>,
    /// The JSON text after; none if it was removed.
    pub to: Option<&'a [u8]>,
}

/// The differences between two versions of a document: those that are in the new version in its order, with removed
/// members after the others of their object.
pub fn differences<'a>(old: &'a [u8], new: &'a [u8]) -> Vec<Difference<'a>> {
    let mut classes = Classes::default();
    let (Some(old_tree), Some(new_tree)) = (classes.tree(old), classes.tree(new)) else {
        return too_large(old, new);
    };
    let mut comparison = Comparison {
        old: &old_tree,
        new: &new_tree,
        path: Vec::new(),
        budget: Budget::default(),
        found: Vec::new(),
    };
    comparison.values(old_tree.root(), new_tree.root());
    comparison.found
}

/// The differences of documents with very many values: by their members, as text.
fn too_large<'a>(old: &'a [u8], new: &'a [u8]) -> Vec<Difference<'a>> {
    let by_name = |document: &'a [u8]| {
        let named = members(document).map(|member| {
            let name = decode_string(member.raw_name).into_owned();
            (name, (member.raw_name, member.value))
        });
        named.collect::<HashMap<_, _>>()
    };
    if old.first() != Some(&b'{') || new.first() != Some(&b'{') {
        let is_same = old == new;
        let whole = Difference {
            path: Path::default(),
            from: Some(old),
            to: Some(new),
        };
        return Vec::from_iter((!is_same).then_some(whole));
    }
    let (before, after) = (by_name(old), by_name(new));
    let mut found = Vec::new();
    for (name, (raw, value)) in &after {
        let from = before.get(name).map(|(_, value)| *value);
        if from != Some(*value) {
            found.push(Difference {
                path: Path::from(vec![Step::Name(raw)]),
                from,
                to: Some(value),
            });
        }
    }
    let is_gone = |(name, _): &(&Vec<u8>, _)| !after.contains_key(*name);
    for (_, (raw, value)) in before.iter().filter(is_gone) {
        found.push(Difference {
            path: Path::from(vec![Step::Name(raw)]),
            from: Some(value),
            to: None,
        });
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

struct Comparison<'t, 'a> {
    old: &'t Tree<'a>,
    new: &'t Tree<'a>,
    path: Vec<Step<'a>>,
    budget: Budget,
    found: Vec<Difference<'a>>,
}

impl<'a> Comparison<'_, 'a> {
    fn values(&mut self, old: NodeId, new: NodeId) {
        if self.old.class(old) == self.new.class(new) {
            return;
        }
        match (self.old.kind(old), self.new.kind(new)) {
            _ if self.path.len() >= MAX_DEPTH => self.note(Some(old), Some(new)),
            (Kind::Object, Kind::Object) => self.objects(old, new),
            (Kind::Array, Kind::Array) => self.arrays(old, new),
            _ => self.note(Some(old), Some(new)),
        }
    }

    fn note(&mut self, old: Option<NodeId>, new: Option<NodeId>) {
        self.found.push(Difference {
            path: Path::from(self.path.clone()),
            from: old.map(|node| self.old.text(node)),
            to: new.map(|node| self.new.text(node)),
        });
    }

    fn objects(&mut self, old: NodeId, new: NodeId) {
        let (before, after) = (self.old.members(old), self.new.members(new));
        let earlier: HashMap<Class, NodeId> = before
            .iter()
            .map(|member| (member.class, member.value))
            .collect();
        for member in &after {
            self.path.push(Step::Name(member.name));
            match earlier.get(&member.class) {
                Some(old) => self.values(*old, member.value),
                None => self.note(None, Some(member.value)),
            }
            self.path.pop();
        }
        let names: HashSet<Class> = after.iter().map(|member| member.class).collect();
        for member in before
            .iter()
            .filter(|member| !names.contains(&member.class))
        {
            self.path.push(Step::Name(member.name));
            self.note(Some(member.value), None);
            self.path.pop();
        }
    }

    fn arrays(&mut self, old: NodeId, new: NodeId) {
        let before: Vec<NodeId> = self.old.children(old).collect();
        let after: Vec<NodeId> = self.new.children(new).collect();
        let old_classes: Vec<Class> = before.iter().map(|node| self.old.class(*node)).collect();
        let new_classes: Vec<Class> = after.iter().map(|node| self.new.class(*node)).collect();
        let mut kept = common(&old_classes, &new_classes, &mut self.budget);
        kept.push((before.len(), after.len()));
        let (mut a, mut b) = (0, 0);
        for (next_a, next_b) in kept {
            self.gap(&before[a..next_a], a, &after[b..next_b], b);
            (a, b) = (next_a + 1, next_b + 1);
        }
    }

    /// Elements between two that were kept: `old` from the index `a`, `new` from `b`. Those that are alike were
    /// changed, and of the others as many as are on both sides.
    fn gap(&mut self, old: &[NodeId], a: usize, new: &[NodeId], b: usize) {
        if old.is_empty() && new.is_empty() {
            return;
        }
        let (old_tree, new_tree) = (self.old, self.new);
        let likeness = |a: usize, b: usize| likeness((old_tree, old[a]), (new_tree, new[b]));
        let mut pairs = alike(old.len(), new.len(), likeness, &mut self.budget);
        pairs.push((old.len(), new.len()));
        let (mut from, mut to) = (0, 0);
        for (next_from, next_to) in pairs {
            let both = (next_from - from).min(next_to - to);
            for at in 0..both {
                self.element(
                    Some((old[from + at], a + from + at)),
                    Some((new[to + at], b + to + at)),
                );
            }
            for (at, node) in old[from + both..next_from].iter().enumerate() {
                self.element(Some((*node, a + from + both + at)), None);
            }
            for (at, node) in new[to + both..next_to].iter().enumerate() {
                self.element(None, Some((*node, b + to + both + at)));
            }
            if let (Some(old), Some(new)) = (old.get(next_from), new.get(next_to)) {
                self.path.push(Step::Index(b + next_to));
                self.values(*old, *new);
                self.path.pop();
            }
            (from, to) = (next_from + 1, next_to + 1);
        }
    }

    /// An element and its index, before and after. Objects with nothing in common are not compared further.
    fn element(&mut self, old: Option<(NodeId, usize)>, new: Option<(NodeId, usize)>) {
        let Some((_, index)) = new.or(old) else {
            return;
        };
        let (old, new) = (old.map(|(node, _)| node), new.map(|(node, _)| node));
        self.path.push(Step::Index(index));
        match (old, new) {
            (Some(old), Some(new)) if self.have_much_in_common(old, new) => self.values(old, new),
            _ => self.note(old, new),
        }
        self.path.pop();
    }

    fn have_much_in_common(&self, old: NodeId, new: NodeId) -> bool {
        self.old.class(old) == self.new.class(new)
            || (self.old.kind(old) == Kind::Array && self.new.kind(new) == Kind::Array)
            || likeness((self.old, old), (self.new, new)) > 0
    }
}

/// How much two objects have in common: members of the same value, of which texts count most, since names and ids
/// are texts.
fn likeness(old: (&Tree<'_>, NodeId), new: (&Tree<'_>, NodeId)) -> usize {
    /// More members than this say nothing more.
    const MAX_MEMBERS: usize = 32;
    let members = |(tree, object): (&Tree<'_>, NodeId)| {
        let children = tree.children(object).take(MAX_MEMBERS);
        let named = children.filter_map(|value| {
            let weight = if tree.text(value).starts_with(b"\"") {
                3
            } else {
                1
            };
            Some((tree.name(value)?, tree.class(value), weight))
        });
        named.collect::<Vec<(Class, Class, usize)>>()
    };
    let (before, after) = (members(old), members(new));
    let common = before.iter().filter(|member| after.contains(member));
    common.map(|(_, _, weight)| weight).sum()
}
