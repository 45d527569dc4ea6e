//! Names for the completion scripts of shells: profiles, databases, containers.
//!
//! The scripts run `cosmos-tail __complete KIND WORD…` with the words before the one that is completed, and read
//! a name from each line. It is not a command of the command line's definition, so nothing documents or completes
//! it. Whatever goes wrong, it prints nothing: somebody is typing.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::account::Account;
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::catalog::is_addressable;
use crate::cosmos::options::ConnectOptions;
use crate::cosmos::retry::Persistence;
use crate::settings::{
    ChosenProfile, ConfigFile, ConnectionArgs, ConnectionPlan, Given, KeySource, Names, Origin,
    WantedProfile, credential_is_given, process_environment, table,
};
use crate::signal::Shutdown;

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
    /// `DATABASE/CONTAINER`.
    Address,
}

impl Kind {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "profile" => Self::Profile,
            "database" => Self::Database,
            "container" => Self::Container,
            "address" => Self::Address,
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
    // A flag whose value is being typed.
    if joined
        .last()
        .is_some_and(|last| last.starts_with("--") && last.ends_with('='))
    {
        joined.pop();
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
        let [database, containers] = super::embedded::Embedded::names();
        return Some(match kind {
            Kind::Container => containers,
            Kind::Address => addresses(&database[0], containers).collect(),
            _ => database,
        });
    }
    let options = options(kind, &given)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .ok()?;
    let listed = runtime.block_on(async {
        let list = Box::pin(list(kind, &options));
        tokio::time::timeout(DEADLINE, list).await
    });
    runtime.shutdown_background();
    listed.ok()?.ok()
}

/// The account whose names are wanted. Nothing here takes long, asks for something, or reads what is being typed.
fn options(kind: Kind, given: &Given) -> Option<ConnectOptions> {
    let runs_command =
        |chosen: &ChosenProfile<'_>| matches!(chosen.profile.key, Some(KeySource::Command(_)));
    let source = given.typed(&table::SOURCE_PROFILE);
    if let Some(name) = source.filter(|_| kind == Kind::Address) {
        let config = ConfigFile::from_process().ok()?;
        let wanted = WantedProfile::new(name, Origin::Flag(table::SOURCE_PROFILE.row.name));
        let chosen = config.choose(Some(&wanted)).ok()??;
        if runs_command(&chosen) {
            return None;
        }
        let plan = ConnectionPlan::account_of_profile(
            Some(chosen),
            &process_environment,
            &Shutdown::default(),
        );
        return Some(plan.ok()?.connect);
    }
    let args = ConnectionArgs::of(given);
    let key_file = given.typed(&table::KEY_FILE);
    if key_file.is_some_and(|path| path == Path::new("-")) {
        return None;
    }
    let account = Account::new(given, &Shutdown::default()).ok()?;
    let profile = account.profile().ok()?;
    if profile.as_ref().is_some_and(runs_command)
        && !credential_is_given(&args, &process_environment)
    {
        return None;
    }
    Some(account.account_plan(Names::IfGiven).ok()?.connect)
}

async fn list(kind: Kind, options: &ConnectOptions) -> anyhow::Result<Vec<String>> {
    /// Databases whose containers are listed at the same time.
    const AT_ONCE: usize = 8;
    let account = CosmosAccount::connect(options, &Persistence::default()).await?;
    let containers = async |database: &str| -> anyhow::Result<Vec<String>> {
        let containers = account.containers(database).await?.unwrap_or_default();
        Ok(containers.into_iter().map(|entry| entry.name).collect())
    };
    if kind == Kind::Container {
        return containers(&options.database).await;
    }
    let databases = account.databases().await?.into_iter();
    let databases = databases
        .map(|entry| entry.name)
        .filter(|name| is_addressable(name));
    if kind == Kind::Database {
        return Ok(databases.collect());
    }
    let containers = &containers;
    let listed = stream::iter(databases).map(|database| async move {
        let names = containers(&database).await.unwrap_or_default();
        addresses(&database, names).collect::<Vec<_>>()
    });
    let listed: Vec<Vec<String>> = listed.buffered(AT_ONCE).collect().await;
    Ok(listed.concat())
}

/// Each container with its database.
fn addresses(database: &str, containers: Vec<String>) -> impl Iterator<Item = String> {
    containers
        .into_iter()
        .map(move |container| format!("{database}/{container}"))
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
            (&["-d", "x", "--container", "="], &["-d", "x"]),
        ] {
            let words: Vec<OsString> = words.iter().map(Into::into).collect();
            assert_eq!(joined(&words), expected, "{words:?}");
        }
    }
}
