//! The account key, from wherever it was given. No message here repeats what was read.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine;
use zeroize::Zeroizing;

use super::connection_string::ConnectionString;
use super::request::ConnectionRequest;
use crate::cosmos::options::{KeyReader, SecretText};
use crate::error::{Annotate, usage, with_hint};
use crate::process;
use crate::redact::is_account_key;
use crate::settings::environment::Environment;
use crate::settings::permissions::mode_open_to_others;
use crate::settings::profile::{KeySource, Profile};
use crate::settings::resolved::{Origin, ResolvedValue};
use crate::settings::table::{self, CONNECTION_STRING_VARIABLE, KEY_VARIABLE};
use crate::signal::Shutdown;

/// A larger file is not a key file, and longer output of a command is not a key.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;

/// The time limit of a key command. The Azure CLI alone takes seconds on a cold start.
const KEY_COMMAND_DEADLINE: Duration = Duration::from_secs(30);

/// How often to check whether a key command is still wanted.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// A key, and what is reported of it.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) key: SecretText,
    pub(super) value: ResolvedValue,
    /// What reads it again, if it is in a file.
    pub(super) reader: Option<KeyReader>,
}

impl Key {
    fn new(key: SecretText, from: impl Into<String>, origin: Origin) -> Self {
        Self {
            key,
            value: ResolvedValue::new(table::KEY.row.name, from, origin),
            reader: None,
        }
    }

    /// The key in a file.
    fn of_file(path: &Path, origin: Origin, notices: &mut Vec<String>) -> Result<Self> {
        let key = key_of_file(path, notices)?;
        let is_there_again = |path: &Path| path.metadata().is_ok_and(|found| found.is_file());
        let again = path.to_owned();
        // A pipe can be read once. That others can read the file is reported once.
        let reader = is_there_again(path).then(|| {
            KeyReader::new(move || {
                ensure!(
                    is_there_again(&again),
                    "the key file `{}` is gone",
                    again.display()
                );
                key_of_file(&again, &mut Vec::new())
            })
        });
        Ok(Self {
            reader,
            ..Self::new(key, format!("from key-file {}", path.display()), origin)
        })
    }
}

/// The account key: from the file that a flag names, otherwise from the environment, otherwise
/// from the profile.
pub(super) fn account_key(
    request: &ConnectionRequest<'_>,
    env: Environment<'_>,
    from_string: Option<&ConnectionString>,
    profile: Option<&Profile>,
    stdin: &mut dyn Read,
    notices: &mut Vec<String>,
) -> Result<Option<Key>> {
    if let Some(path) = &request.args.key_file {
        let flag = Origin::Flag(table::KEY_FILE.row.name);
        if path.as_os_str() == "-" {
            let origin = "standard input (--key-file -)";
            let text = read_key(stdin, origin)?;
            let key = valid_key(&text, origin)?;
            return Ok(Some(Key::new(key, "from standard input", flag)));
        }
        return Key::of_file(path, flag, notices).map(Some);
    }
    if let Some(key) = key_of_environment(env, from_string)? {
        return Ok(Some(key));
    }
    profile
        .and_then(|profile| Some((profile, profile.key.as_ref()?)))
        .map(|(profile, source)| key_of_profile(profile, source, notices, request.shutdown))
        .transpose()
}

fn key_of_environment(
    env: Environment<'_>,
    from_string: Option<&ConnectionString>,
) -> Result<Option<Key>> {
    let variable = env(KEY_VARIABLE)
        .map(|text| valid_key(&text, KEY_VARIABLE))
        .transpose()?;
    let string = from_string
        .and_then(|s| s.key.as_ref())
        .map(|key| valid_key(key.expose(), "AccountKey in AZURE_COSMOS_CONNECTION_STRING"))
        .transpose()?;
    if let (Some(a), Some(b)) = (&variable, &string)
        && a != b
    {
        return Err(usage(
            "AZURE_COSMOS_KEY and AZURE_COSMOS_CONNECTION_STRING contain different keys",
            "unset one of them",
        ));
    }
    let key = |name| move |key| Key::new(key, "", Origin::Variable(name));
    Ok(variable
        .map(key(KEY_VARIABLE))
        .or(string.map(key(CONNECTION_STRING_VARIABLE))))
}

fn key_of_profile(
    profile: &Profile,
    source: &KeySource,
    notices: &mut Vec<String>,
    shutdown: &Shutdown,
) -> Result<Key> {
    let origin = Origin::Profile(profile.name.clone());
    match source {
        KeySource::Text(key) => {
            let key = valid_key(
                key.expose(),
                &format!("`key` of profile `{}`", profile.name),
            )?;
            Ok(Key::new(key, "", origin))
        }
        KeySource::File(path) => Key::of_file(path, origin, notices),
        KeySource::Command(words) => {
            let program = words.first().map_or("", String::as_str);
            let name = format!("key-command `{program}` of profile `{}`", profile.name);
            let text = run_key_command(words, &name, KEY_COMMAND_DEADLINE, shutdown, notices)?;
            // The arguments are not reported: one may be a token.
            Ok(Key::new(
                valid_key(&text, &format!("the output of {name}"))?,
                format!("from key-command {program}"),
                origin,
            ))
        }
    }
}

/// Runs a command, without a shell, whose standard output is the key. Its standard error goes to the user, or is added
/// to `notices` where messages are for programs; standard input stays with this process, which may read data from it.
pub(super) fn run_key_command(
    words: &[String],
    name: &str,
    deadline: Duration,
    shutdown: &Shutdown,
    notices: &mut Vec<String>,
) -> Result<Zeroizing<String>> {
    const HINT: &str = "run the key-command by hand; it must print the key and nothing else";
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| usage(format!("{name} is empty"), HINT))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(match process::children_are_captured() {
            true => Stdio::piped(),
            false => Stdio::inherit(),
        })
        .spawn()
        .with_context(|| format!("cannot run {name}"))
        .hint("key-command is an array: a program, by path or from PATH, and its arguments")?;
    let Some(mut stdout) = child.stdout.take() else {
        return Err(anyhow!("{name} has no standard output"));
    };
    let (sender, receiver) = channel();
    let origin = format!("the output of {name}");
    // Abandoned at the deadline: a grandchild may hold the pipe open.
    std::thread::spawn(move || {
        let text = read_key(&mut stdout, &origin);
        drop(stdout);
        sender.send(text).ok();
    });
    let messages = child.stderr.take().map(lines_of);
    let started = std::time::Instant::now();
    let outcome = loop {
        let received = receiver.recv_timeout(CHECK_INTERVAL.min(deadline));
        if matches!(received, Err(RecvTimeoutError::Timeout))
            && started.elapsed() < deadline
            && shutdown.reason().is_none()
        {
            continue;
        }
        break received;
    };
    let text = match outcome {
        Ok(Ok(text)) => text,
        outcome => {
            child.kill().ok();
            child.wait().ok();
            return Err(match outcome {
                Ok(Err(error)) => error,
                Ok(Ok(_)) | Err(RecvTimeoutError::Disconnected) => {
                    with_hint(anyhow!("cannot read the output of {name}"), HINT)
                }
                Err(RecvTimeoutError::Timeout) => ended_early(name, deadline, shutdown),
            });
        }
    };
    // It may close its output and keep running.
    let status = loop {
        if let Some(status) = child
            .try_wait()
            .with_context(|| format!("cannot await {name}"))?
        {
            break status;
        }
        if started.elapsed() > deadline || shutdown.reason().is_some() {
            child.kill().ok();
            child.wait().ok();
            return Err(ended_early(name, deadline, shutdown));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let messages = messages
        .map(|lines| std::iter::from_fn(|| lines.recv_timeout(CHECK_INTERVAL).ok()).collect());
    let messages: Vec<String> = messages.unwrap_or_default();
    if !status.success() {
        let error = anyhow!("{name} failed ({status})");
        return Err(with_hint(
            match messages.as_slice() {
                [] => error,
                lines => anyhow!(lines.join("\n")).context(error.to_string()),
            },
            HINT,
        ));
    }
    let messages = messages.into_iter();
    notices.extend(messages.map(|line| format!("{name}: {line}")));
    Ok(text)
}

/// The lines that a program writes, each up to the length of a key file.
fn lines_of(stderr: ChildStderr) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let mut stderr = BufReader::new(stderr);
        let mut line = Vec::new();
        loop {
            let read = stderr
                .by_ref()
                .take(MAX_KEY_FILE_BYTES)
                .read_until(b'\n', &mut line);
            if !matches!(read, Ok(1..)) {
                return;
            }
            // What comes when nobody waits any more is read all the same, so that the program is not stopped.
            let text = String::from_utf8_lossy(line.trim_ascii_end());
            sender.send(text.into_owned()).ok();
            line.clear();
        }
    });
    lines
}

/// Why a command was stopped.
fn ended_early(name: &str, deadline: Duration, shutdown: &Shutdown) -> anyhow::Error {
    if shutdown.reason().is_some() {
        return shutdown.stopped_before(&format!("{name} had printed the key"));
    }
    with_hint(
        anyhow!("{name} did not finish within {} s", deadline.as_secs_f64()),
        "run the key-command by hand; it must not wait for input",
    )
}

/// The key in a file. A key given in place of a file name is not repeated.
fn key_of_file(path: &Path, notices: &mut Vec<String>) -> Result<SecretText> {
    if path.to_str().is_some_and(is_account_key) && !path.exists() {
        return Err(usage(
            "the value of key-file is an account key, not the name of a file",
            "write it to a file, or set AZURE_COSMOS_KEY to it; every user of this machine can read the \
             command line, so regenerate this key",
        ));
    }
    let origin = format!("the key file `{}`", path.display());
    let text = read_key_file(path, &origin, notices)?;
    valid_key(&text, &origin)
}

fn read_key_file(
    path: &Path,
    origin: &str,
    notices: &mut Vec<String>,
) -> Result<Zeroizing<String>> {
    let mut file = fs_err::File::open(path)
        .context("cannot read the account key")
        .hint("a key file contains the key and nothing else")?;
    if let Some(mode) = mode_open_to_others(&file.metadata()?) {
        notices.push(format!(
            "{origin} can be read by other users (mode {mode:04o}); chmod 600 would prevent that"
        ));
    }
    read_key(&mut file, origin)
}

/// Reads a key and trims it. The source may never end.
fn read_key(source: &mut dyn Read, origin: &str) -> Result<Zeroizing<String>> {
    // At full capacity, since a buffer that grows leaves its old contents in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE_BYTES as usize + 1));
    source
        .take(MAX_KEY_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read the account key from {origin}"))?;
    if bytes.len() as u64 > MAX_KEY_FILE_BYTES {
        return Err(usage(
            format!("{origin} is larger than 64 KiB, so it is not an account key"),
            "give the key and nothing else",
        ));
    }
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    // Some editors and shells put a byte order mark first.
    let text = text.trim_start_matches('\u{feff}').trim();
    Ok(Zeroizing::new(text.to_owned()))
}

/// Checks that a key is base64, as every account key is. The key appears in no message.
fn valid_key(text: &str, origin: &str) -> Result<SecretText> {
    let text = text.trim();
    // Without a copy of the text.
    const NAME: &[u8] = b"accountkey=";
    let mut parts = text.as_bytes().windows(NAME.len());
    if parts.any(|part| part.eq_ignore_ascii_case(NAME)) {
        return Err(usage(
            format!("{origin} is a connection string, not an account key"),
            "set AZURE_COSMOS_CONNECTION_STRING to it",
        ));
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    if decoded
        .map(Zeroizing::new)
        .is_ok_and(|bytes| !bytes.is_empty())
    {
        return Ok(SecretText::new(text));
    }
    Err(usage(
        format!("{origin} is not an account key, which is base64 text"),
        "copy the primary or secondary key from the account's Keys page, whole, up to its last `=`",
    ))
}
