//! Names for the completion scripts of shells: profiles, databases, containers.
//!
//! The scripts run `cosmos-tail __complete KIND WORD…` with the words before the one that is completed, and read
//! a name from each line. It is not a command of the command line's definition, so nothing documents or completes
//! it. Whatever goes wrong, it prints nothing: somebody is typing.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::cosmos::account::CosmosAccount;
use crate::cosmos::retry::Persistence;
use crate::settings::{
    ConfigFile, Given, KeySource, Names, credential_is_given, process_environment,
};
use crate::settings::{ConnectionArgs, table};
use crate::signal::Shutdown;

use super::account::Account;

/// The word that asks for names in place of a command.
const WORD: &str = "__complete";
/// How long names are waited for.
const DEADLINE: Duration = Duration::from_secs(1);

/// What is being typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Profile,
    Database,
    Container,
}

impl Kind {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "profile" => Self::Profile,
            "database" => Self::Database,
            "container" => Self::Container,
            _ => return None,
        })
    }
}

/// The names that a completion script asks for, if `arguments` are its question.
pub fn names(arguments: &[OsString]) -> Option<Vec<String>> {
    let [_, word, rest @ ..] = arguments else {
        return None;
    };
    if word != WORD {
        return None;
    }
    let [kind, words @ ..] = rest else {
        return Some(Vec::new());
    };
    let kind = Kind::of(&kind.to_string_lossy());
    let names = kind.and_then(|kind| find(kind, &joined(words)));
    let names = names.unwrap_or_default();
    // A name is a line.
    let is_one_line = |name: &String| !name.chars().any(char::is_control);
    Some(names.into_iter().filter(is_one_line).collect())
}

/// The words without the quotes of the shell. bash takes `=` and `:` for words of their own.
fn joined(words: &[OsString]) -> Vec<OsString> {
    let mut joined: Vec<String> = Vec::new();
    let mut continues = false;
    for word in words {
        let word = word.to_string_lossy();
        let is_glue = matches!(&*word, "=" | ":");
        match joined.last_mut() {
            Some(last) if is_glue || continues => last.push_str(&word),
            _ => joined.push(word.into_owned()),
        }
        continues = is_glue;
    }
    joined.iter().map(|word| unquoted(word).into()).collect()
}

/// A word as the shell would pass it on, as far as quotes and backslashes go.
fn unquoted(word: &str) -> String {
    let mut plain = String::new();
    let mut quote = None;
    let mut letters = word.chars();
    while let Some(c) = letters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None | Some('"'), '\\') => plain.extend(letters.next()),
            (_, c) => plain.push(c),
        }
    }
    plain
}

fn find(kind: Kind, words: &[OsString]) -> Option<Vec<String>> {
    if kind == Kind::Profile {
        let config = ConfigFile::from_process().ok()?;
        return Some(
            config
                .profiles
                .into_iter()
                .map(|profile| profile.name)
                .collect(),
        );
    }
    let given = Given::parse_unfinished(words).ok()?;
    #[cfg(feature = "demo")]
    if given.is_on(&table::DEMO) {
        return Some(super::embedded::Embedded::names(kind == Kind::Database));
    }
    // Nothing that takes long, asks for something, or reads what is being typed.
    let args = ConnectionArgs::of(&given);
    if given
        .typed(&table::KEY_FILE)
        .is_some_and(|path| path == Path::new("-"))
    {
        return None;
    }
    let account = Account::new(&given, &Shutdown::default()).ok()?;
    let profile = account.profile().ok()?;
    let runs_command =
        profile.is_some_and(|chosen| matches!(chosen.profile.key, Some(KeySource::Command(_))));
    if runs_command && !credential_is_given(&args, &process_environment) {
        return None;
    }
    let options = account.account_plan(Names::IfGiven).ok()?.connect;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .ok()?;
    let listed = runtime.block_on(async {
        let list = async {
            let account = CosmosAccount::connect(&options, &Persistence::default()).await?;
            Ok::<_, anyhow::Error>(match kind {
                Kind::Container => {
                    let containers = account.containers(&options.database).await?;
                    let containers = containers.unwrap_or_default().into_iter();
                    containers.map(|container| container.name).collect()
                }
                _ => {
                    let databases = account.databases().await?.into_iter();
                    databases.map(|database| database.name).collect()
                }
            })
        };
        tokio::time::timeout(DEADLINE, Box::pin(list)).await
    });
    runtime.shutdown_background();
    listed.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_and_unquoted_as_the_shell_does() {
        for (words, expected) in [
            (&["-d", "shop"][..], &["-d", "shop"][..]),
            (&["--database", "=", "shop"], &["--database=shop"]),
            (
                &["--endpoint", "https", ":", "//a.b", ":", "443/", "-d", "x"],
                &["--endpoint", "https://a.b:443/", "-d", "x"],
            ),
            (&["-d", "\"my shop\""], &["-d", "my shop"]),
            (&["-d", "'a\\'b"], &["-d", "a\\b"]),
            (&["-d", "my\\ shop"], &["-d", "my shop"]),
            (&["-d", "\\"], &["-d", ""]),
        ] {
            let words: Vec<OsString> = words.iter().map(Into::into).collect();
            assert_eq!(joined(&words), expected, "{words:?}");
        }
    }
}
