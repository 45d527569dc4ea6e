//! The help of each command, short and long.

use super::stage::words;
use super::{Pages, Stage};

const COMMANDS: [&str; 17] = [
    "ranges",
    "ls",
    "definitions",
    "tail",
    "export",
    "plan",
    "schema",
    "resume",
    "lag",
    "leases",
    "verify",
    "replay",
    "compare",
    "acceptance",
    "demo",
    "profiles",
    "completions",
];

/// The commands below another one.
const NESTED: [&str; 11] = [
    "leases list",
    "leases check",
    "leases repair",
    "leases reset",
    "leases release",
    "leases export",
    "leases import",
    "leases adopt",
    "profiles add",
    "profiles use",
    "profiles test",
];

/// All of them.
fn all() -> impl Iterator<Item = &'static str> {
    COMMANDS.into_iter().chain(NESTED)
}

/// A command, perhaps below another one.
fn find<'a>(program: &'a mut clap::Command, name: &str) -> &'a mut clap::Command {
    name.split(' ').fold(program, |above, name| {
        above.find_subcommand_mut(name).unwrap()
    })
}

#[test]
fn help() {
    let stage = Stage::alone();
    let mut pages = Pages::new("help");
    let mut show = |name: &str, about: &str, typed: &str| {
        stage.show(&mut pages, name, about, typed);
    };
    show("cosmos-tail", "The short help.", "cosmos-tail -h");
    show("cosmos-tail-long", "The long help.", "cosmos-tail --help");
    show("nothing", "Nothing but the name was typed.", "cosmos-tail");
    for command in all() {
        let page = command.replace(' ', "-");
        show(
            &page,
            &format!("The short help of `{command}`."),
            &format!("cosmos-tail {command} -h"),
        );
        show(
            &format!("{page}-long"),
            &format!("The long help of `{command}`."),
            &format!("cosmos-tail {command} --help"),
        );
    }
    show(
        "help-help",
        "Help about a command, by a command.",
        "cosmos-tail help completions",
    );
    pages.finish();
}

/// The definition of the command line, as a terminal of 80 columns shows it.
fn at_80_columns() -> clap::Command {
    let command = cosmos_tail::settings::command().term_width(80);
    let mut command = command.mut_subcommands(|subcommand| subcommand.term_width(80));
    command.build();
    command
}

#[test]
fn the_short_help_of_each_command_fits_a_screen() {
    let mut command = at_80_columns();
    let mut long = Vec::new();
    let mut check = |name: &str, help: String| {
        let lines = help.lines().count();
        if lines > 42 {
            long.push(format!("{name}: {lines} lines\n{help}"));
        }
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
    };
    check("cosmos-tail", command.render_help().to_string());
    for name in all() {
        let help = find(&mut command, name).render_help();
        check(name, help.to_string());
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_short_help_shows_what_the_command_uses() {
    let mut command = at_80_columns();
    for name in ["verify", "completions", "profiles", "profiles use", "demo"] {
        let help = find(&mut command, name).render_long_help();
        assert!(!help.to_string().contains("--endpoint"), "{name}: {help}");
    }
    for name in [
        "ranges",
        "ls",
        "tail",
        "export",
        "schema",
        "replay",
        "profiles add",
        "profiles test",
    ] {
        let help = find(&mut command, name).render_help();
        for flag in ["--endpoint", "--database", "--container"] {
            assert!(help.to_string().contains(flag), "{name}: {help}");
        }
        // What makes a profile uses none.
        let uses_profile = name != "profiles add";
        for flag in ["--profile", "--demo"] {
            assert_eq!(
                help.to_string().contains(flag),
                uses_profile,
                "{name}: {help}"
            );
        }
    }
}

#[test]
fn the_long_help_has_examples_that_can_be_typed() {
    let mut command = at_80_columns();
    let mut helps = vec![command.render_long_help().to_string()];
    for name in all() {
        let help = find(&mut command, name).render_long_help();
        helps.push(help.to_string());
    }
    for help in helps {
        let (_, examples) = help
            .split_once("\nExamples:\n")
            .unwrap_or_else(|| panic!("{help}"));
        let lines = examples.lines().take_while(|line| line.starts_with("  "));
        let mut typed = lines
            .filter_map(|line| line.strip_prefix("  cosmos-tail "))
            .peekable();
        assert!(
            typed.peek().is_some() || examples.contains("cosmos-tail"),
            "{help}"
        );
        for line in typed {
            assert!(line.len() <= 66, "it wraps: {line}");
            // A shell takes the rest.
            let own = words(line).into_iter();
            let own = own.take_while(|word| !["|", ">", "<", "&"].contains(&word.as_str()));
            let words = std::iter::once("cosmos-tail".to_owned()).chain(own);
            if let Err(error) = cosmos_tail::settings::Given::parse(words) {
                panic!("{line}: {error}");
            }
        }
    }
}

#[test]
fn each_man_page_has_the_sections_of_a_manual() {
    let pages = cosmos_tail::command::generate::man_pages().unwrap();
    assert_eq!(pages.len(), all().count() + 1);
    let names: Vec<String> = pages
        .iter()
        .map(|(name, _)| name.replace(".1", "(1)"))
        .collect();
    for (name, page) in &pages {
        let page = String::from_utf8(page.clone()).unwrap();
        let plain = page.replace("\\-", "-");
        let mut rest = plain.as_str();
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "EXAMPLES",
            "ENVIRONMENT",
            "FILES",
            "\"EXIT STATUS\"",
            "\"SEE ALSO\"",
        ] {
            let heading = format!(".SH {section}\n");
            let (_, after) = rest
                .split_once(&heading)
                .unwrap_or_else(|| panic!("{name}: {section}\n{page}"));
            assert!(!after.starts_with(".SH"), "{name}: {section} is empty");
            rest = after;
        }
        for other in names
            .iter()
            .filter(|other| **other != name.replace(".1", "(1)"))
        {
            assert!(rest.contains(other), "{name}: {other}");
        }
    }
}

#[test]
fn each_command_has_a_page() {
    let command = cosmos_tail::settings::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    assert!(names.eq(COMMANDS));
    let nested: Vec<String> = command
        .get_subcommands()
        .flat_map(|command| {
            let below = command.get_subcommands();
            below.map(|nested| format!("{} {}", command.get_name(), nested.get_name()))
        })
        .collect();
    assert_eq!(nested, NESTED);
}
