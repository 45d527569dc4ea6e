//! Completion scripts and man pages, generated from the definition of the command line.

use std::io;

use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::completion_names::with_names;
use crate::cli::Command;
use crate::cli::manual::{self, Manual};
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
    let mut found = vec![Page {
        name: NAME.to_owned(),
        command: command.clone(),
        manual: Some(manual::PROGRAM),
        variables: settings::variables(None),
    }];
    collect(&command, NAME, None, &mut found);
    let names: Vec<String> = found.iter().map(|page| page.name.clone()).collect();
    found
        .iter()
        .map(|page| Ok((format!("{}.1", page.name), page.render(&names)?)))
        .collect()
}

/// A man page to be.
struct Page {
    name: String,
    command: clap::Command,
    manual: Option<Manual>,
    /// The variables that the command reads, each with what it is for.
    variables: Vec<(&'static str, &'static str)>,
}

/// The pages of the commands below `parent`.
fn collect(parent: &clap::Command, name: &str, above: Option<Command>, found: &mut Vec<Page>) {
    let own = |subcommand: &&clap::Command| subcommand.get_name() != "help";
    for subcommand in parent.get_subcommands().filter(own) {
        let name = format!("{name}-{}", subcommand.get_name());
        let which = match above {
            Some(above) => above.below(subcommand.get_name()),
            None => Command::of_name(subcommand.get_name()),
        };
        found.push(Page {
            name: name.clone(),
            command: subcommand.clone(),
            manual: which.and_then(manual::of),
            variables: settings::variables(which),
        });
        collect(subcommand, &name, which, found);
    }
}

impl Page {
    fn render(&self, all: &[String]) -> io::Result<Vec<u8>> {
        // The library requires a static name; there are only a few.
        let title: &'static str = self.name.clone().leak();
        let command = self
            .command
            .clone()
            .name(title)
            .display_name(title)
            // Without the commit, which would make each commit change the pages.
            .version(env!("CARGO_PKG_VERSION"))
            .mut_subcommands(|subcommand| {
                let is_help = subcommand.get_name() == "help";
                subcommand.hide(is_help)
            });
        let has_subcommands = command.has_subcommands();
        let man = Man::new(command).manual("cosmos-tail manual");
        let mut text = Vec::new();
        man.render_title(&mut text)?;
        let mut add = |render: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
            let mut section = Vec::new();
            render(&mut section)?;
            // Each section of the library begins with the definitions of the first.
            let body = memchr::memmem::find(&section, b".SH").unwrap_or(0);
            text.extend_from_slice(&section[body..]);
            io::Result::Ok(())
        };
        add(&|out| man.render_name_section(out))?;
        add(&|out| man.render_synopsis_section(out))?;
        add(&|out| man.render_description_section(out))?;
        if has_subcommands {
            add(&|out| man.render_subcommands_section(out))?;
        }
        add(&|out| man.render_options_section(out))?;
        let rest = self.rest(all);
        add(&|out| rest.to_writer(out))?;
        Ok(text)
    }

    /// The sections after the options.
    fn rest(&self, all: &[String]) -> Roff {
        let mut roff = Roff::default();
        let none = std::iter::empty::<&str>;
        if let Some(manual) = self.manual {
            for (index, note) in manual.notes.iter().enumerate() {
                if index == 0 {
                    roff.control("SH", ["NOTES"]);
                }
                roff.control("PP", none());
                roff.text([roman(*note)]);
            }
            roff.control("SH", ["EXAMPLES"]);
            for (what, line) in manual.examples {
                roff.control("TP", none());
                roff.text([bold(*line)]);
                roff.text([roman(*what)]);
            }
        }
        if !self.variables.is_empty() {
            roff.control("SH", ["ENVIRONMENT"]);
            for (name, meaning) in &self.variables {
                roff.control("TP", none());
                roff.text([bold(*name)]);
                roff.text([roman(*meaning)]);
            }
        }
        roff.control("SH", ["FILES"]);
        for (name, meaning) in manual::FILES {
            roff.control("TP", none());
            roff.text([bold(*name)]);
            roff.text([roman(*meaning)]);
        }
        if let Some(manual) = self.manual {
            roff.control("SH", ["EXIT STATUS"]);
            for (code, meaning) in manual.exit_codes {
                roff.control("TP", none());
                roff.text([bold(code.to_string())]);
                roff.text([roman(*meaning)]);
            }
        }
        roff.control("SH", ["SEE ALSO"]);
        let others: Vec<String> = all
            .iter()
            .filter(|name| **name != self.name)
            .map(|name| format!("{name}(1)"))
            .collect();
        roff.text([roman(others.join(", "))]);
        roff
    }
}
