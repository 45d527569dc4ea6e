//! A test of the test: imports against the order, one of each form, and what is allowed.

use super::check::{against_the_order, circles, undeclared};
use super::floors::Floors;
use super::tree::Tree;

/// Contents of `src/low/inner.rs`, each with the path that the failure names.
const AGAINST_THE_ORDER: [(&str, &str); 35] = [
    ("use crate::high::Thing;", "crate::high::Thing"),
    ("use crate::high;", "crate::high"),
    (
        "use crate::{middle::Part, high::Thing};",
        "crate::high::Thing",
    ),
    ("use crate::{high::{self, part}};", "crate::high"),
    ("use crate::{high::{self, part}};", "crate::high::part"),
    ("use crate::high::*;", "crate::high::*"),
    ("use crate::*; fn f() { high::make() }", "high::make"),
    (
        "use crate::high::Thing as Other;",
        "crate::high::Thing as Other",
    ),
    ("use crate::high as other;", "crate::high as other"),
    (
        "use super::super::high::Thing;",
        "super::super::high::Thing",
    ),
    ("use cosmos_tail::high::Thing;", "cosmos_tail::high::Thing"),
    (
        "use ::cosmos_tail::high::Thing;",
        "cosmos_tail::high::Thing",
    ),
    (
        "extern crate self as me; use me::high::Thing;",
        "me::high::Thing",
    ),
    (
        "mod deep { use super::super::super::high; }",
        "super::super::super::high",
    ),
    ("pub use crate::high::Thing;", "crate::high::Thing"),
    (
        "pub(crate) use self::alias::Thing; mod alias { pub use crate::high::Thing; }",
        "self::alias::Thing",
    ),
    // Through names that other modules pass on.
    ("use crate::Passed;", "crate::Passed"),
    (
        "fn f() { crate::middle::Handed::new() }",
        "crate::middle::Handed::new",
    ),
    (
        "fn f() { use crate::high::make; make() }",
        "crate::high::make",
    ),
    // Written out.
    ("fn f() { crate::high::make() }", "crate::high::make"),
    (
        "fn f() { super::super::high::make() }",
        "super::super::high::make",
    ),
    (
        "fn f() { Vec::<crate::high::Thing>::new(); }",
        "crate::high::Thing",
    ),
    (
        "struct S { thing: Option<crate::high::Thing> }",
        "crate::high::Thing",
    ),
    (
        "fn f(x: u8) { match x { crate::high::LIMIT => {} _ => {} } }",
        "crate::high::LIMIT",
    ),
    ("fn f<T: crate::high::Trait>(_: T) {}", "crate::high::Trait"),
    (
        "fn f() -> impl Iterator<Item = crate::high::Thing> { panic!() }",
        "crate::high::Thing",
    ),
    (
        "struct S; impl crate::high::Trait for S {}",
        "crate::high::Trait",
    ),
    // In attributes and macros.
    (
        "struct S { #[serde(with = \"crate::high::text\")] a: u8 }",
        "crate::high::text",
    ),
    (
        "struct S { #[serde(default = \"crate::high::make\")] a: u8 }",
        "crate::high::make",
    ),
    (
        "#[serde(bound = \"T: crate::high::Trait\")] struct S<T>(T);",
        "crate::high::Trait",
    ),
    (
        "struct S { #[arg(value_parser = crate::high::parse)] a: u8 }",
        "crate::high::parse",
    ),
    (
        "#[derive(crate::high::Derive)] struct S;",
        "crate::high::Derive",
    ),
    (
        "fn f() { println!(\"{}\", vec![1, crate::high::LIMIT][0]) }",
        "crate::high::LIMIT",
    ),
    (
        "fn f(x: u8) -> bool { matches!(x, 0..crate::high::LIMIT) }",
        "crate::high::LIMIT",
    ),
    (
        "macro_rules! m { () => { use $crate::{high::{Thing}}; } }",
        "crate::high::Thing",
    ),
];

/// Contents of `src/low/inner.rs` that are allowed.
const ALLOWED: [&str; 12] = [
    "use crate::ground::Base; fn f() { crate::ground::make() }",
    "use super::Own; fn f() { self::g() } fn g() {}",
    "use std::fmt; fn f() { high::make() } mod high { pub fn make() {} }",
    "use ::high::Thing; fn f() { ::high::make(); ::high::Thing::new(); }",
    "/// See [`crate::high::Thing`].\n#[doc = \"crate::high::Thing\"] fn f() {}",
    "#[expect(dead_code, reason = \"as in crate::high, for now\")] fn f() {}",
    "fn f() { g(\"crate::high::Thing\") }",
    "pub(in crate::low) fn f() {} // crate::high::make()",
    "fn f(high: Pair) { vec![high.high, high]; }",
    "use crate::ground::high; fn f() { high::make() }",
    "fn f<'high>(_: &'high str) { m!('high) }",
    "#[cfg(test)] mod tests { use super::*; fn f() { g() } } fn g() {}",
];

const ORDER: &str = "\
# Page

## Order

The highest first:

```text
lib
high  what is on top
middle side
low
ground
```
";

/// A source of these files and of default ones.
fn planted(files: &[(&str, &str)]) -> Tree {
    let others = [
        (
            "src/lib.rs",
            "pub mod ground; pub mod high; pub mod low; pub mod middle; pub mod side;
             pub use high::Passed;",
        ),
        (
            "src/ground.rs",
            "pub struct Base; pub fn make() {} pub mod high { pub fn make() {} }",
        ),
        (
            "src/high.rs",
            "pub struct Thing; pub struct Passed; pub fn make() {} pub trait Trait {}",
        ),
        (
            "src/low/mod.rs",
            "mod inner; pub struct Own; pub use inner::S;",
        ),
        ("src/low/inner.rs", ""),
        (
            "src/middle.rs",
            "pub struct Part; pub use crate::high::Thing as Handed;",
        ),
        ("src/side.rs", ""),
    ];
    let text = |file: &str| {
        let mut all = files.iter().chain(&others);
        let (_, text) = all.find(|(name, _)| *name == file)?;
        Some((*text).to_owned())
    };
    Tree::read(&text)
}

fn order() -> Floors {
    Floors::read(ORDER, "Order")
}

/// What is wrong in one file.
fn wrong_in(file: &str, tree: &Tree) -> Vec<String> {
    let wrong = against_the_order(tree, &order()).into_iter();
    wrong.filter(|wrong| wrong.starts_with(file)).collect()
}

#[test]
fn an_import_against_the_order_is_found_in_each_form() {
    for (text, path) in AGAINST_THE_ORDER {
        let file = "src/low/inner.rs";
        let wrong = wrong_in(file, &planted(&[(file, text)]));
        let wanted = format!("{file}:1: `{path}`: `low` (floor 2) imports `high` (floor 4)");
        assert!(
            wrong.contains(&wanted),
            "{text}\nwanted {wanted}\nfound {wrong:#?}"
        );
    }
}

#[test]
fn what_is_no_import_against_the_order_passes() {
    for text in ALLOWED {
        let file = "src/low/inner.rs";
        let wrong = wrong_in(file, &planted(&[(file, text)]));
        assert!(wrong.is_empty(), "{text}\n{wrong:#?}");
    }
}

#[test]
fn modules_on_one_floor_do_not_import_each_other() {
    let tree = planted(&[("src/side.rs", "\nuse crate::middle::Part;")]);
    let wanted =
        "src/side.rs:2: `crate::middle::Part`: `side` (floor 3) imports `middle` (floor 3)";
    assert_eq!(wrong_in("src/side.rs", &tree), [wanted]);
}

#[test]
fn tests_and_code_for_other_platforms_obey_the_order() {
    let text = "#[cfg(windows)] mod a { fn f() { crate::high::make() } }
                #[cfg(test)] mod tests { use crate::high::Thing; }
                #[cfg(windows)] mod a { fn g() { crate::high::other() } }";
    let tree = planted(&[("src/low/inner.rs", text)]);
    assert_eq!(wrong_in("src/low", &tree).len(), 3);
}

#[test]
fn a_module_at_another_path_obeys_the_order() {
    let tree = planted(&[
        (
            "src/low/inner.rs",
            "#[path = \"../../elsewhere/cases.rs\"] mod cases;",
        ),
        ("elsewhere/cases.rs", "use cosmos_tail::high::Thing;"),
    ]);
    assert_eq!(
        wrong_in("elsewhere/cases.rs:1: `cosmos_tail::high::Thing`", &tree).len(),
        1
    );
}

#[test]
fn the_program_is_a_module_too() {
    let tree = planted(&[("src/main.rs", "use cosmos_tail::high::Thing; fn main() {}")]);
    assert_eq!(undeclared(&tree, &order()), ["`main` has no floor"]);
    let order = Floors::read(&ORDER.replace("ground", "ground\nmain"), "Order");
    assert_eq!(undeclared(&tree, &order), [""; 0]);
    let wanted =
        "src/main.rs:1: `cosmos_tail::high::Thing`: `main` (floor 1) imports `high` (floor 5)";
    assert!(against_the_order(&tree, &order).contains(&wanted.to_owned()));
}

#[test]
fn a_module_without_a_floor_is_found() {
    let order = Floors::read(&ORDER.replace(" side", ""), "Order");
    assert_eq!(undeclared(&planted(&[]), &order), ["`side` has no floor"]);
}

#[test]
fn a_floor_without_a_module_is_found() {
    let order = Floors::read(&ORDER.replace("side", "side gone"), "Order");
    let wanted = "`gone` has a floor, but there is no such module";
    assert_eq!(undeclared(&planted(&[]), &order), [wanted]);
}

#[test]
#[should_panic(expected = "`low` has two floors")]
fn a_module_with_two_floors_is_refused() {
    Floors::read(&ORDER.replace("ground", "ground low"), "Order");
}

#[test]
fn a_circle_of_two_files_is_found() {
    let tree = planted(&[
        ("src/low/mod.rs", "mod inner; mod other;"),
        ("src/low/inner.rs", "use super::other::B; pub struct A(B);"),
        (
            "src/low/other.rs",
            "pub struct B;\nfn f() { super::inner::A::new() }",
        ),
    ]);
    let wanted = "src/low/inner.rs:1: `super::other::B` is in src/low/other.rs\n\
                  src/low/other.rs:2: `super::inner::A::new` is in src/low/inner.rs";
    assert_eq!(circles(&tree), [wanted]);
}

#[test]
fn a_circle_through_names_that_are_passed_on_is_found() {
    let tree = planted(&[
        (
            "src/low/mod.rs",
            "mod inner; mod other; mod third; pub use inner::A; pub use other::*;",
        ),
        ("src/low/inner.rs", "use crate::low::B; pub struct A(B);"),
        (
            "src/low/other.rs",
            "mod prelude { pub use super::super::third::C; } use prelude::*; pub struct B(C);",
        ),
        (
            "src/low/third.rs",
            "pub struct C; fn f() -> super::A { panic!() }",
        ),
    ]);
    let found = circles(&tree);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("src/low/inner.rs:1: `crate::low::B` is in src/low/other.rs"));
    assert!(found[0].contains("src/low/third.rs:1: `super::A` is in src/low/inner.rs"));
}

#[test]
fn a_child_that_uses_an_item_of_a_parent_that_uses_the_child_is_a_circle() {
    for parent in [
        "mod inner; pub struct Own; fn f() { inner::g() }",
        "mod inner; pub use inner::g; pub struct Own; fn f() { g() }",
        "mod inner; use inner::g; pub struct Own;",
    ] {
        let tree = planted(&[
            ("src/low/mod.rs", parent),
            ("src/low/inner.rs", "pub fn g(_: super::Own) {}"),
        ]);
        assert_eq!(circles(&tree).len(), 1, "{parent}");
    }
}

#[test]
fn declaring_and_passing_on_children_is_no_circle() {
    let tree = planted(&[
        (
            "src/low/mod.rs",
            "mod inner; mod tests; pub use inner::{g, Other as Another}; pub struct Own;",
        ),
        (
            "src/low/inner.rs",
            "use super::Own; pub struct Other; pub fn g(_: Own) {}",
        ),
        ("src/low/tests.rs", "use super::*; fn f() { g(Own) }"),
    ]);
    assert_eq!(circles(&tree), [""; 0]);
}
