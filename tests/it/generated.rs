//! Completions, man pages and the tables of settings in the documentation match the table of settings.

use std::path::{Path, PathBuf};

use clap_complete::Shell;
use cosmos_tail::command::generate;
use cosmos_tail::settings;

use crate::command::{cosmos_tail, run};

const SHELLS: [Shell; 5] = [
    Shell::Bash,
    Shell::Zsh,
    Shell::Fish,
    Shell::PowerShell,
    Shell::Elvish,
];

const HOW: &str =
    "regenerate with: COSMOS_TAIL_REGENERATE=1 cargo test --locked --test it generated";

/// Compares `files` with the content of `directory`, or writes them there on request.
fn compare(directory: &str, files: Vec<(String, Vec<u8>)>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    if std::env::var_os("COSMOS_TAIL_REGENERATE").is_some() {
        std::fs::create_dir_all(&directory).unwrap();
        for (name, text) in &files {
            std::fs::write(directory.join(name), text).unwrap();
        }
    }
    let mut expected: Vec<PathBuf> = files.iter().map(|(name, _)| directory.join(name)).collect();
    expected.sort();
    let mut found: Vec<PathBuf> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    assert_eq!(found, expected, "{HOW}");
    for (name, text) in &files {
        let in_tree = std::fs::read(directory.join(name)).unwrap();
        assert!(
            in_tree == *text,
            "{} is out of date; {HOW}",
            directory.join(name).display()
        );
    }
}

#[test]
fn completions_are_up_to_date() {
    let files = SHELLS.map(|shell| {
        (
            generate::completions_file_name(shell),
            generate::completions(shell),
        )
    });
    compare("completions", files.into());
}

#[test]
fn man_pages_are_up_to_date() {
    compare("man", generate::man_pages().unwrap());
}

#[test]
fn the_command_prints_the_same_completions() {
    for shell in SHELLS {
        let ended = run(cosmos_tail().args(["completions", &shell.to_string()]));
        assert_eq!(ended.code, Some(0));
        assert_eq!(
            ended.stdout.as_bytes(),
            generate::completions(shell),
            "{shell}"
        );
    }
}

/// The text of a page with a table between the marks of its name.
fn with_table(page: &str, name: &str, table: &str) -> String {
    let begin = format!("<!-- {name}: from the table of settings -->\n");
    let (before, rest) = page
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}{begin}\n{table}\n<!-- end -->{after}")
}

#[test]
fn the_tables_of_profiles_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/profiles.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut expected = page.clone();
    for (name, table) in settings::profile_tables() {
        expected = with_table(&expected, name, &table);
    }
    if std::env::var_os("COSMOS_TAIL_REGENERATE").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    let differs = page
        .lines()
        .zip(expected.lines())
        .find(|(is, should)| is != should);
    assert_eq!(differs, None, "{HOW}");
    assert_eq!(page, expected, "{HOW}");
}
