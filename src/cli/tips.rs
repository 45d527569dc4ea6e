//! What clap's errors suggest: the word of ours for a word of other tools, or the word that is a few letters
//! off. clap itself also suggests words that have little in common.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::nearest::nearest;

/// What a word of other tools means here.
#[derive(Debug, Clone, Copy)]
enum Ours {
    /// The first of these commands or flags that exists.
    Names(&'static [&'static str]),
    /// A sentence.
    Says(&'static str),
    /// A sentence about this flag, where it exists.
    About(&'static str, &'static str),
}

use Ours::{About, Names, Says};

/// Words that people type for a command.
const COMMANDS: &[(&[&str], Ours)] = &[
    (
        &["version"],
        Says("to print the version: 'cosmos-tail --version'"),
    ),
    (
        &[
            "watch",
            "consume",
            "consumer",
            "cat",
            "follow",
            "logs",
            "log",
            "listen",
            "subscribe",
            "stream",
        ],
        Names(&["tail"]),
    ),
    (
        &[
            "get", "dump", "backup", "download", "pull", "fetch", "extract", "unload", "save",
        ],
        Names(&["export"]),
    ),
    (
        &[
            "import", "restore", "load", "put", "write", "push", "apply", "upload", "produce",
        ],
        Names(&["replay"]),
    ),
    (
        &["copy", "cp", "clone", "mirror", "migrate", "sync"],
        Says("to copy a container: 'cosmos-tail replay --from-container DATABASE/CONTAINER'"),
    ),
    (&["continue", "restart", "retry"], Names(&["resume"])),
    (
        &["ls", "list", "show", "describe", "databases", "containers"],
        Names(&["ls", "ranges"]),
    ),
    (&["partitions", "shards", "feed-ranges"], Names(&["ranges"])),
    (
        &[
            "init",
            "login",
            "auth",
            "config",
            "configure",
            "setup",
            "contexts",
        ],
        Names(&["profiles"]),
    ),
    (
        &["validate", "check", "fsck", "checksum"],
        Names(&["verify"]),
    ),
    (
        &["doctor", "ping", "test"],
        Says("to test a connection: 'cosmos-tail profiles test'"),
    ),
    (&["columns", "infer"], Names(&["schema"])),
    (
        &["serve", "server", "start", "run", "emulator"],
        Names(&["demo"]),
    ),
    (
        &["man", "usage"],
        Says("for help: 'cosmos-tail help COMMAND'"),
    ),
];

/// Words that people type for a command below `profiles`.
const PROFILES: &[(&[&str], Ours)] = &[
    (
        &["list", "ls", "show", "get", "view"],
        Says("to list the profiles: 'cosmos-tail profiles'"),
    ),
    (
        &["remove", "rm", "delete", "del", "unset"],
        Says("to remove a profile, delete its table from the configuration file"),
    ),
    (
        &["create", "new", "set", "edit", "save", "update", "init"],
        Names(&["add"]),
    ),
    (
        &["switch", "select", "choose", "default", "activate"],
        Names(&["use"]),
    ),
    (
        &["check", "doctor", "ping", "verify", "validate"],
        Names(&["test"]),
    ),
];

/// Words that people type for a flag: of one command, or of any.
const FLAGS: &[(&[&str], Option<&str>, Ours)] = &[
    (
        &["--output", "-o", "--out", "--file", "--dest"],
        Some("replay"),
        Says(
            "a replay writes to the container that -d and -c name, or with --stdout to standard output",
        ),
    ),
    (
        &["--state", "-o", "--output"],
        Some("verify"),
        Says(
            "'verify' takes the path of an export or of its state without a flag: 'cosmos-tail verify PATH'",
        ),
    ),
    (
        &["--output", "-o"],
        Some("resume"),
        Says("a resume writes where the export did, which its state knows"),
    ),
    (
        &[
            "--out",
            "--file",
            "--dest",
            "--destination",
            "--dir",
            "--directory",
            "--output-dir",
            "--outdir",
        ],
        None,
        Names(&["--output"]),
    ),
    (
        &["--output", "-o", "--out"],
        None,
        Says("the output goes to standard output: redirect it with '> FILE'"),
    ),
    (
        &[
            "--limit",
            "--count",
            "--lines",
            "--take",
            "--top",
            "--head",
            "--max-count",
            "--max-messages",
            "-n",
        ],
        None,
        Names(&["--max"]),
    ),
    (
        &[
            "--since",
            "--since-time",
            "--start",
            "--start-time",
            "--begin",
            "--after",
            "--offset",
            "--from-time",
        ],
        None,
        Names(&["--from", "--since"]),
    ),
    (
        &["--from-beginning", "--beginning", "--earliest"],
        None,
        About("--from", "to start at the beginning: '--from beginning'"),
    ),
    (
        &["--end", "--end-time", "--to", "--before", "--stop"],
        None,
        Names(&["--until"]),
    ),
    (
        &["--exit", "--no-follow", "-e"],
        Some("tail"),
        Names(&["--until-caught-up"]),
    ),
    (
        &["--watch", "-w", "--continuous"],
        None,
        Names(&["--follow"]),
    ),
    (
        &[
            "--container-name",
            "--collection",
            "--collection-name",
            "--topic",
            "-t",
            "--table",
        ],
        None,
        Names(&["--container"]),
    ),
    (
        &["--database-name", "--db", "--dbname"],
        None,
        Names(&["--database"]),
    ),
    (
        &[
            "--account",
            "--account-name",
            "--uri",
            "--url",
            "--host",
            "--server",
            "--account-endpoint",
        ],
        None,
        Names(&["--endpoint"]),
    ),
    (
        &[
            "--key",
            "--account-key",
            "--master-key",
            "--password",
            "--connection-string",
            "--secret",
        ],
        None,
        Says(
            "a secret is not taken from the command line, where every user of the machine could read it: set \
             AZURE_COSMOS_KEY or AZURE_COSMOS_CONNECTION_STRING, or use --key-file",
        ),
    ),
    (
        &[
            "--parallel",
            "--parallelism",
            "--threads",
            "--jobs",
            "-j",
            "--workers",
        ],
        None,
        Names(&["--concurrency"]),
    ),
    (
        &["--query", "--query-file", "--sql"],
        Some("tail"),
        Says(
            "a query reads documents as they are, and a tail shows changes as they are made: choose among them with \
             '--jq', or use 'export --query'",
        ),
    ),
    (
        &["--sql", "--where", "--filter", "--select"],
        None,
        Names(&["--query"]),
    ),
    (
        &["--param", "--params", "--parameters", "--arg"],
        None,
        Names(&["--parameter"]),
    ),
    (
        &["--filter", "--where", "--query", "--select", "--jsonpath"],
        None,
        Names(&["--jq", "--transform"]),
    ),
    (&["--raw"], None, Names(&["--raw-output"])),
    (
        &["--json"],
        None,
        About("--summary", "for a summary as JSON: '--summary json'"),
    ),
    (
        &["--json"],
        None,
        About("--format", "for JSON: '--format json'"),
    ),
    (
        &["--pk", "--partition", "--partition-key-path"],
        None,
        Names(&["--partition-key", "--range"]),
    ),
    (
        &["--deletes", "--all-versions", "--full-fidelity", "--all"],
        None,
        About("--mode", "for all versions and deletes: '--mode all'"),
    ),
    (
        &["--overwrite", "--yes", "-y", "--replace", "--clean"],
        None,
        Names(&["--force"]),
    ),
    (
        &["--gzip", "--compress", "-z"],
        None,
        Names(&["--compression"]),
    ),
    (
        &["--type", "--output-format", "--file-format"],
        None,
        Names(&["--format"]),
    ),
    (
        &["--batch", "--max-item-count"],
        None,
        Names(&["--page-size", "--batch-size"]),
    ),
    (&["--silent"], None, Names(&["--quiet"])),
    (
        &["--debug"],
        None,
        Says("for more detail: '-v', '-vv' or '-vvv'"),
    ),
    (
        &["--no-color", "--no-colour"],
        None,
        About(
            "--color",
            "without colors: '--color never', or set NO_COLOR",
        ),
    ),
    (
        &["--config", "--kubeconfig"],
        None,
        Says("the configuration file is named by COSMOS_TAIL_CONFIG"),
    ),
    (&["--context"], None, Names(&["--profile"])),
    (
        &["--continuation", "--checkpoint", "--group", "-G"],
        None,
        Names(&["--state"]),
    ),
];

/// What a word without a flag may be meant for, by the command.
const ARGUMENTS: &[(&str, &str)] = &[
    (
        "export",
        "the output is named by -o: 'cosmos-tail export -o PATH'",
    ),
    (
        "tail",
        "the container is named by flags: '-d DATABASE -c CONTAINER'",
    ),
    (
        "ranges",
        "the container is named by flags: '-d DATABASE -c CONTAINER'",
    ),
    (
        "schema",
        "the container is named by flags: '-d DATABASE -c CONTAINER'",
    ),
    (
        "ls",
        "the database is named by a flag: '-d DATABASE', and a container by '-c CONTAINER'",
    ),
];

/// The error with our suggestion in the place of clap's. `typed` are the subcommands that clap understood,
/// and `definition` is the whole command line.
pub fn with_tip(
    mut error: clap::Error,
    definition: &clap::Command,
    typed: &[String],
) -> clap::Error {
    let mut definition = definition.clone();
    definition.build();
    let mut command = &mut definition;
    for name in typed {
        match command.find_subcommand_mut(name) {
            Some(found) => command = found,
            // A part of it is not a command of ours.
            None => return error,
        }
    }
    let tip = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let Some(given) = text_of(&error, ContextKind::InvalidSubcommand) else {
                return error;
            };
            command_tip(&given, command)
        }
        ErrorKind::UnknownArgument => {
            let Some(given) = text_of(&error, ContextKind::InvalidArg) else {
                return error;
            };
            flag_tip(&given, command)
        }
        ErrorKind::InvalidValue => {
            let given = text_of(&error, ContextKind::InvalidValue);
            let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue) else {
                return error;
            };
            let valid: Vec<&str> = valid.iter().map(String::as_str).collect();
            let meant = nearest(&given.unwrap_or_default(), &valid).map(str::to_owned);
            error.remove(ContextKind::SuggestedValue);
            if let Some(meant) = meant {
                let meant = ContextValue::String(meant);
                error.insert(ContextKind::SuggestedValue, meant);
            }
            return error;
        }
        _ => return error,
    };
    for kind in [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedCommand,
        ContextKind::Suggested,
        ContextKind::TrailingArg,
    ] {
        error.remove(kind);
    }
    // clap's own names its suggestion.
    let usage = ContextValue::StyledStr(command.render_usage());
    error.insert(ContextKind::Usage, usage);
    if let Some(tip) = tip {
        let tips = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

fn text_of(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

fn command_tip(given: &str, parent: &clap::Command) -> Option<String> {
    let names: Vec<&str> = parent
        .get_subcommands()
        .map(clap::Command::get_name)
        .filter(|name| *name != "help")
        .collect();
    let word = given.to_lowercase();
    let words = if parent.get_name() == "profiles" {
        PROFILES
    } else {
        COMMANDS
    };
    let known = words.iter().find(|(words, _)| words.contains(&&*word));
    let meant = match known {
        Some((_, Says(sentence) | About(_, sentence))) => return Some((*sentence).to_owned()),
        Some((_, Names(ours))) => ours.iter().copied().find(|name| names.contains(name)),
        None => nearest(given, &names),
    };
    let Some(name) = meant else {
        return Some(format!("the commands are {}", names.join(", ")));
    };
    let about = parent.find_subcommand(name)?.get_about();
    let about = about.map(ToString::to_string).unwrap_or_default();
    Some(format!("the command for that may be '{name}': {about}"))
}

fn flag_tip(given: &str, command: &clap::Command) -> Option<String> {
    let of = command.get_name();
    if !given.starts_with('-') {
        if given == "help" {
            return Some(format!("for help: 'cosmos-tail help {of}'"));
        }
        let sentence = ARGUMENTS.iter().find(|(name, _)| *name == of);
        return sentence.map(|(_, sentence)| (*sentence).to_owned());
    }
    let flags: Vec<String> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| arg.get_long().map(|long| format!("--{long}")))
        .collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let known = FLAGS.iter().filter(|(words, command, _)| {
        words.contains(&given) && command.is_none_or(|command| command == of)
    });
    for (_, _, ours) in known {
        match ours {
            Says(sentence) => return Some((*sentence).to_owned()),
            About(flag, sentence) => {
                if flags.contains(flag) {
                    return Some((*sentence).to_owned());
                }
            }
            Names(names) => {
                if let Some(name) = names.iter().find(|name| flags.contains(name)) {
                    return Some(format!("the flag for that may be '{name}'"));
                }
            }
        }
    }
    let name = given.trim_start_matches('-');
    let plain: Vec<&str> = flags.iter().map(|flag| &flag[2..]).collect();
    nearest(name, &plain).map(|name| format!("a similar flag exists: '--{name}'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_word_has_one_meaning() {
        for commands in [COMMANDS, PROFILES] {
            let mut seen = BTreeSet::new();
            for word in commands.iter().flat_map(|(words, _)| *words) {
                assert!(seen.insert(word), "{word}");
            }
        }
    }
}
