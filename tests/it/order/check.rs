//! What is wrong with the imports of a source.

use std::collections::{BTreeMap, BTreeSet};

use super::floors::Floors;
use super::resolve::{End, Found};
use super::tree::{Form, ModuleId, Reference, Tree};

/// Modules without a floor, and floors without a module.
pub(super) fn undeclared(tree: &Tree, floors: &Floors) -> Vec<String> {
    let modules: BTreeSet<&str> = (0..tree.modules.len())
        .map(|module| tree.top_level(module))
        .collect();
    let missing = modules
        .iter()
        .filter(|module| floors.of(module).is_none())
        .map(|module| format!("`{module}` has no floor"));
    let unknown = floors
        .modules()
        .filter(|module| !modules.contains(module))
        .map(|module| format!("`{module}` has a floor, but there is no such module"));
    missing.chain(unknown).collect()
}

/// The paths that lead from a top-level module to one that is not below it.
pub(super) fn against_the_order(tree: &Tree, floors: &Floors) -> Vec<String> {
    let mut wrong = Vec::new();
    for reference in &tree.references {
        // The `use` that brought the name in is the import, and is in the list itself.
        let is_local = tree.has_name(reference.module, &reference.segments[0]);
        if is_local && reference.form == Form::Path {
            continue;
        }
        let from = tree.top_level(reference.module);
        let found = tree.resolve(reference.module, &reference.segments);
        for to in top_levels(tree, &found) {
            let (Some(low), Some(high)) = (floors.of(from), floors.of(to)) else {
                continue;
            };
            if from != to && high >= low {
                wrong.push(format!(
                    "{}: `{}`: `{from}` (floor {low}) imports `{to}` (floor {high})",
                    place(tree, reference),
                    reference.written,
                ));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// The top-level modules that a path leads to and through. The root counts only for its own items.
fn top_levels<'a>(tree: &'a Tree, found: &Found) -> BTreeSet<&'a str> {
    let is_root = |module: &ModuleId| tree.modules[*module].parent.is_none();
    let passed = found
        .passed
        .iter()
        .copied()
        .filter(|module| !is_root(module));
    let ends = found.ends.iter().filter_map(|end| match *end {
        End::Module(module) => Some(module).filter(|module| !is_root(module)),
        End::ItemOf(module) => Some(module),
    });
    passed
        .chain(ends)
        .map(|module| tree.top_level(module))
        .collect()
}

/// Files that import each other, directly or through others: a list of their imports for each circle.
pub(super) fn circles(tree: &Tree) -> Vec<String> {
    let imports = imports_of_files(tree);
    let reached: BTreeMap<&str, BTreeSet<&str>> = imports
        .keys()
        .map(|file| (*file, reachable(&imports, file)))
        .collect();
    let mut circles = BTreeSet::new();
    for (file, others) in &reached {
        let in_circle = |other: &&str| reached.get(other).is_some_and(|back| back.contains(file));
        let circle: BTreeSet<&str> = others.iter().copied().filter(in_circle).collect();
        let mut lines = Vec::new();
        for from in &circle {
            for (to, reference) in &imports[from] {
                if circle.contains(to) {
                    let place = place(tree, reference);
                    lines.push(format!("{place}: `{}` is in {to}", reference.written));
                }
            }
        }
        if !lines.is_empty() {
            circles.insert(lines.join("\n"));
        }
    }
    circles.into_iter().collect()
}

/// For each file, the files that define what it names, with the first place where it does.
type Imports<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a Reference>>;

fn imports_of_files(tree: &Tree) -> Imports<'_> {
    let mut imports = Imports::new();
    for reference in &tree.references {
        let from = tree.file(reference.module);
        for module in definers(tree, reference) {
            let to = tree.file(module);
            if to != from {
                let files = imports.entry(from).or_default();
                files.entry(to).or_insert(reference);
            }
        }
    }
    imports
}

/// The modules that define what a path names. A module that passes on the names of its children does not
/// use them, and a path to a module counts only where it goes on to an item.
fn definers(tree: &Tree, reference: &Reference) -> Vec<ModuleId> {
    let found = tree.resolve(reference.module, &reference.segments);
    let mut definers = Vec::new();
    for end in found.ends {
        match end {
            End::ItemOf(module) => {
                let is_passed_on = reference.form == Form::PublicUse
                    && tree.is_below(module, tree.named(reference.module));
                if !is_passed_on {
                    definers.push(module);
                }
            }
            // The traits of a module are used without being named.
            End::Module(module) if reference.form == Form::UseGlob => {
                if tree.defines_items(module) {
                    definers.push(module);
                }
            }
            End::Module(_) => {}
        }
    }
    definers
}

fn reachable<'a>(imports: &Imports<'a>, file: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next = vec![file];
    while let Some(file) = next.pop() {
        for to in imports.get(file).into_iter().flatten().map(|(to, _)| *to) {
            if reached.insert(to) {
                next.push(to);
            }
        }
    }
    reached
}

fn place(tree: &Tree, reference: &Reference) -> String {
    format!("{}:{}", tree.file(reference.module), reference.line)
}
