//! The help of each command, short and long.

use super::{Pages, Stage};

const COMMANDS: [&str; 11] = [
    "ranges",
    "ls",
    "tail",
    "export",
    "schema",
    "resume",
    "verify",
    "replay",
    "demo",
    "profiles",
    "completions",
];

/// The commands below another one.
const NESTED: [&str; 3] = ["profiles add", "profiles use", "profiles test"];

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
    for command in COMMANDS.into_iter().chain(NESTED) {
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
    pages.finish();
    let ended = crate::command::succeed(&mut stage.command("cosmos-tail --version"));
    let version = format!("cosmos-tail {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((ended.stdout, ended.stderr), (version, String::new()));
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
