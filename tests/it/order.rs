//! The modules of `src/` import each other in one direction, by the order that docs/architecture.md
//! declares, and no files import each other in a circle. The source is parsed, tests and every platform's
//! code included; an import is a `use` or a path written out anywhere.

mod check;
mod floors;
mod planted;
mod resolve;
mod tokens;
mod tree;

use std::path::Path;
use std::sync::LazyLock;

use check::{against_the_order, circles, undeclared};
use floors::Floors;
use tree::Tree;

/// Where docs/architecture.md declares the order.
const HEADING: &str = "The order of modules";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn source() -> &'static Tree {
    static TREE: LazyLock<Tree> =
        LazyLock::new(|| Tree::read(&|file| std::fs::read_to_string(root().join(file)).ok()));
    &TREE
}

fn declared() -> Floors {
    let page = root().join("docs/architecture.md");
    Floors::read(&std::fs::read_to_string(page).unwrap(), HEADING)
}

#[track_caller]
fn assert_none(wrong: &[String], what: &str) {
    assert!(wrong.is_empty(), "{what}:\n\n{}\n", wrong.join("\n"));
}

#[test]
fn every_module_has_a_floor() {
    let wrong = undeclared(source(), &declared());
    assert_none(&wrong, "declare the order in docs/architecture.md");
}

#[test]
fn a_module_imports_only_modules_on_lower_floors() {
    let wrong = against_the_order(source(), &declared());
    assert_none(&wrong, "imports against the order of docs/architecture.md");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let wrong = circles(source());
    assert!(wrong.is_empty(), "circles:\n\n{}\n", wrong.join("\n\n"));
}

#[test]
fn every_file_belongs_to_a_module() {
    let tree = source();
    let mut directories = vec![root().join("src"), root().join("documents/src")];
    let mut orphans = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let file = path.strip_prefix(root()).unwrap().to_str().unwrap();
            let file = file.replace('\\', "/");
            if path.is_dir() {
                directories.push(path);
            } else if file.ends_with(".rs") && !tree.files.contains(&file) {
                orphans.push(file);
            }
        }
    }
    assert_none(&orphans, "files that no module declares");
}
