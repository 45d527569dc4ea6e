//! Containers whose names are no names of directories, or fall together as such.

use std::collections::HashSet;

use super::*;

#[test]
fn every_name_has_a_directory_of_its_own() {
    let long = "x".repeat(255);
    let names = [
        "Orders",
        "orders",
        "ORDERS",
        "con",
        "LPT1.old",
        "_hidden",
        ".dot",
        "ends.",
        "day=1",
        "50%",
        "für",
        "a b",
        "*",
        "database.json",
        "database.json.lock",
        "DATABASE.json.tmp",
        "a:b|c\"d<e>",
        &long,
    ];
    let mut database = Database::new(&names, 1, 5);
    succeed(&mut database.export());
    let file = database.file();
    let lower: HashSet<String> = file
        .containers
        .iter()
        .map(|one| one.directory.to_lowercase())
        .collect();
    assert_eq!(lower.len(), names.len(), "{file:?}");
    database.assert_whole();

    // They keep their directories, whatever comes.
    let before: Vec<_> = names.iter().map(|name| database.directory(name)).collect();
    let new = database
        .gateway
        .create_container(DATABASE, "oRDERS", "/pk", 1);
    fill(&new, 0..3);
    database.containers.push(("oRDERS".to_owned(), new));
    succeed(&mut database.resume());
    let after: Vec<_> = names.iter().map(|name| database.directory(name)).collect();
    assert_eq!(before, after);
    database.assert_whole();
}

#[test]
fn a_name_that_looks_like_a_secret_is_logged_as_one() {
    let database = Database::new(&[KEY, "plain"], 1, 5);
    let broken = Fault::on(RequestKind::Offers, Action::answer(200, None, "<html>"));
    database.gateway.push_fault(broken.always());
    let ended = succeed(database.export().args(["--log-format", "json"]));
    assert!(!ended.stderr.contains(KEY), "{}", ended.stderr);
    let lines = ended.stderr.lines().map(serde_json::from_str::<Value>);
    let of: Vec<Value> = lines
        .map(|line| line.unwrap()["container"].take())
        .collect();
    assert!(
        of.contains(&"***".into()) && of.contains(&"plain".into()),
        "{of:?}"
    );
}
