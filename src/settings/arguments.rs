//! The command line: clap's definition, made from the table of settings, and what clap itself does not check.

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use super::setting::{AnySetting, Row};
use super::table::{self, rows};
use crate::cli::{Cli, Command, manual};

/// The clap definition: the commands, each with the settings that the table gives it.
pub fn command() -> clap::Command {
    definition(Row::is_of)
}

/// The clap definition, with the settings that a command has.
pub(super) fn definition(has: fn(&Row, Command) -> bool) -> clap::Command {
    let global = rows().filter(|setting| setting.row().is_global());
    let mut command = Cli::command()
        .args(global.filter_map(|setting| setting.arg(None)))
        .after_help(manual::aligned(manual::PROGRAM.examples))
        .after_long_help(manual::PROGRAM.to_string());
    let names: Vec<String> = command
        .get_subcommands()
        .map(|subcommand| subcommand.get_name().to_owned())
        .collect();
    for name in names {
        let Some(which) = Command::of_name(&name) else {
            continue;
        };
        command = command.mut_subcommand(name, |subcommand| {
            let subcommand = which.with_nested(with_own_args(subcommand, which, has));
            let nested = which.nested().into_iter();
            nested.fold(subcommand, |subcommand, (name, which)| {
                subcommand.mut_subcommand(name, |nested| with_own_args(nested, which, has))
            })
        });
    }
    command
}

/// A command with the settings that it has, and what its help has beside them.
fn with_own_args(
    definition: clap::Command,
    which: Command,
    has: fn(&Row, Command) -> bool,
) -> clap::Command {
    let own = rows().filter(|setting| has(setting.row(), which));
    let definition = definition.args(own.filter_map(|setting| setting.arg(Some(which))));
    match manual::of(which) {
        Some(manual) => definition.after_long_help(manual.to_string()),
        None => definition,
    }
}

/// The variables that a command reads, each with what it is for; of all commands if none is given.
pub fn variables(command: Option<Command>) -> Vec<(&'static str, &'static str)> {
    let is_read = |row: &Row| command.is_none_or(|command| row.is_shown_by(command));
    let read = rows().map(AnySetting::row).filter(|row| is_read(row));
    let mut found: Vec<_> = read
        .filter_map(|row| Some((row.variable?, row.help)))
        .collect();
    if command.is_none_or(|command| table::ENDPOINT.row.is_shown_by(command)) {
        found.extend(manual::OTHER_VARIABLES);
    }
    found.extend(manual::VARIABLES);
    found
}

/// The names of the command and of the commands within it.
pub(super) fn subcommands(matches: &ArgMatches) -> Vec<String> {
    let mut names = Vec::new();
    let mut matches = matches;
    while let Some((name, own)) = matches.subcommand() {
        names.push(name.to_owned());
        matches = own;
    }
    names
}

/// The command, and what belongs to it.
pub(super) fn of_subcommand(matches: ArgMatches) -> Result<(Command, ArgMatches), clap::Error> {
    let command = Cli::from_arg_matches(&matches)?.command;
    let Some((_, own)) = matches.subcommand() else {
        return Ok((command, matches));
    };
    let Some((name, nested)) = own.subcommand() else {
        return Ok((command, own.clone()));
    };
    // A flag of the command would be ignored by the one below it.
    let is_typed = |row: &&Row| own.value_source(row.name) == Some(ValueSource::CommandLine);
    let of_command = rows().map(AnySetting::row);
    let mut of_command = of_command.filter(|row| !row.is_global() && row.is_of(command));
    if let Some(row) = of_command.find(is_typed) {
        let flag = row.flag();
        return Err(self::command().error(
            clap::error::ErrorKind::ArgumentConflict,
            format!("'{flag}' comes before '{name}': write it after it, if '{name}' has it"),
        ));
    }
    let known = command.nested();
    let which = known.iter().find(|(known, _)| *known == name);
    Ok(which.map_or_else(
        || (command, own.clone()),
        |(_, which)| (*which, nested.clone()),
    ))
}

/// Refuses several containers where a command takes one. The flag is common to all commands, and `export` takes several.
pub(super) fn ensure_one_container(
    matches: &ArgMatches,
    which: Command,
) -> Result<(), clap::Error> {
    let row = &table::CONTAINER.row;
    let given = matches.try_get_raw(row.name).ok().flatten();
    if which == Command::Export || given.is_none_or(|given| given.len() < 2) {
        return Ok(());
    }
    let flag = row.flag();
    Err(command().error(
        clap::error::ErrorKind::ArgumentConflict,
        format!("the argument '{flag} <NAME>' cannot be used multiple times"),
    ))
}

/// Refuses a flag where a value is missing. clap takes it for the value if that may begin with a hyphen.
pub(super) fn ensure_values(matches: &ArgMatches, which: Command) -> Result<(), clap::Error> {
    let of_command = || {
        table::rows()
            .map(AnySetting::row)
            .filter(|row| row.is_of(which))
    };
    for row in of_command().filter(|row| row.may_have_hyphen) {
        let given = matches.try_get_raw(row.name).ok().flatten();
        for value in given.into_iter().flatten() {
            let is_flag = |text: &str| {
                matches!(text, "--" | "-h" | "--help") || of_command().any(|row| row.is_flag(text))
            };
            if value.to_str().is_some_and(is_flag) {
                let name = row.flag();
                let found = value.to_string_lossy();
                return Err(command().error(
                    clap::error::ErrorKind::InvalidValue,
                    format!("a value is required for '{name}', but the flag '{found}' follows"),
                ));
            }
        }
    }
    Ok(())
}
