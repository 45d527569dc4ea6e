//! Completion scripts and man pages, generated from the definition of the command line.

use std::io;

use clap_complete::Shell;
use clap_mangen::Man;

use super::completion_names::with_names;
use crate::settings;

/// The name of the command.
const NAME: &str = "cosmos-tail";

/// The completion script of a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut settings::command(), NAME, &mut script);
    with_names(shell, script)
}

/// The name that a shell expects for a completion script in its completion directory.
pub fn completions_file_name(shell: Shell) -> String {
    match shell {
        Shell::Bash => format!("{NAME}.bash"),
        Shell::Zsh => format!("_{NAME}"),
        Shell::Fish => format!("{NAME}.fish"),
        Shell::PowerShell => format!("_{NAME}.ps1"),
        Shell::Elvish => format!("{NAME}.elv"),
        other => format!("{NAME}.{other}"),
    }
}

/// The man pages, one for the command and one for each subcommand: file name and text.
///
/// # Errors
///
/// Only those of writing to memory, which does not fail.
pub fn man_pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = settings::command();
    command.build();
    let mut pages = vec![page(command.clone(), NAME)?];
    for subcommand in command.get_subcommands() {
        let name = format!("{NAME}-{}", subcommand.get_name());
        pages.push(page(subcommand.clone(), &name)?);
        let nested = subcommand.get_subcommands();
        for nested in nested.filter(|nested| nested.get_name() != "help") {
            let name = format!("{name}-{}", nested.get_name());
            pages.push(page(nested.clone(), &name)?);
        }
    }
    Ok(pages)
}

fn page(command: clap::Command, name: &str) -> io::Result<(String, Vec<u8>)> {
    let mut text = Vec::new();
    // The library requires a static name; there are only a few.
    let title: &'static str = name.to_owned().leak();
    Man::new(command.name(title).display_name(title))
        .manual("cosmos-tail manual")
        .render(&mut text)?;
    Ok((format!("{name}.1"), text))
}
