//! Where a moment happens: a directory, an account, and a command that is typed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Pages;
use crate::command::{Ended, cosmos_tail, run};
use crate::gateway::{Gateway, KEY};

/// An empty directory, in which commands are typed that reach a gateway.
pub(super) struct Stage {
    directory: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
    variables: Vec<(&'static str, String)>,
}

impl Stage {
    /// One whose environment names the account of a gateway.
    pub(super) fn at(gateway: &Gateway) -> Self {
        let mut stage = Self::alone();
        stage.environment = vec![
            ("AZURE_COSMOS_ENDPOINT", gateway.endpoint()),
            ("AZURE_COSMOS_KEY", KEY.to_owned()),
        ];
        stage.variables = vec![("$ENDPOINT", gateway.endpoint()), ("$KEY", KEY.to_owned())];
        stage
    }

    /// One whose environment names no account.
    pub(super) fn alone() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
            variables: vec![("$KEY", KEY.to_owned())],
        }
    }

    /// The path of a file of the directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of the directory.
    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Changes the bytes of a file of the directory.
    pub(super) fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.path(name)).unwrap();
        change(&mut bytes);
        self.write(name, bytes);
    }

    /// Gives a name to text that is typed, such as `$OTHER`.
    pub(super) fn set(&mut self, variable: &'static str, value: impl Into<String>) {
        self.variables.push((variable, value.into()));
    }

    /// The command that `typed` is: variables, `cosmos-tail`, its arguments, and perhaps `< FILE`.
    pub(super) fn command(&self, typed: &str) -> Command {
        let mut command = cosmos_tail();
        command.current_dir(self.directory.path());
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        let mut words = words(typed).into_iter().map(|word| {
            let replace = |word: String, (name, value): &(&str, String)| word.replace(name, value);
            self.variables.iter().fold(word, replace)
        });
        for word in words.by_ref().take_while(|word| word != "cosmos-tail") {
            match word.split_once('=') {
                Some((name, "")) => command.env_remove(name),
                Some((name, value)) => command.env(name, value),
                None => panic!("`{word}` comes before the command"),
            };
        }
        while let Some(word) = words.next() {
            if word == "<" {
                let path = self.path(&words.next().unwrap());
                command.stdin(Stdio::from(std::fs::File::open(path).unwrap()));
            } else {
                command.arg(word);
            }
        }
        command
    }

    /// Runs what comes before a moment, and must succeed.
    #[track_caller]
    pub(super) fn prepare(&self, typed: &str) {
        crate::command::succeed(&mut self.command(typed));
    }

    /// Runs a command and adds its page.
    #[track_caller]
    pub(super) fn show(&self, pages: &mut Pages, name: &str, about: &str, typed: &str) {
        let ended = run(&mut self.command(typed));
        pages.add(name, about, typed, &self.steady(ended));
    }

    /// As [`Stage::show`], for a page with the words or the means of a Unix system.
    #[track_caller]
    pub(super) fn show_on_unix(&self, pages: &mut Pages, name: &str, about: &str, typed: &str) {
        if cfg!(unix) {
            self.show(pages, name, about, typed);
        } else {
            pages.leave_out(name);
        }
    }

    /// What a run showed, without what differs from run to run.
    pub(super) fn steady(&self, ended: Ended) -> Ended {
        let steady = |text: String| steady(&text, self.directory.path());
        Ended {
            code: ended.code,
            stdout: steady(ended.stdout),
            stderr: steady(ended.stderr),
        }
    }
}

/// The words of a command, with quotes as in a shell.
pub(super) fn words(typed: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in typed.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    assert!(quote.is_none(), "a quote is open: {typed}");
    words.extend(word);
    words
}

/// Replaces what differs from run to run and from system to system: the directory, ports, process ids,
/// durations, charges, UUIDs, the time of day, checksums, and how Windows writes lines, paths and programs.
fn steady(text: &str, directory: &Path) -> String {
    // An escape sequence would be obeyed by the terminal that shows the page.
    let mut text = text.replace("\r\n", "\n").replace('\x1b', "␛");
    let canonical = directory.canonicalize().unwrap();
    for path in [canonical.as_path(), directory] {
        text = text.replace(&path.display().to_string(), "/DIR");
    }
    if cfg!(windows) {
        text = with_slashes(&text.replace("cosmos-tail.exe", "cosmos-tail"));
    }
    for (before, after, placeholder) in [
        ("127.0.0.1:", "", "NNNNN"),
        ("(process ", ")", "PID"),
        ("(os error ", ")", "N"),
        ("gave up after ", " tries", "N"),
        (" ", " s\n", "N.N"),
        (" ", " s,", "N.N"),
        (" ", " RU\n", "N"),
        (" ", " RU,", "N"),
        (" ", " RU +", "N"),
        ("\"seconds\":", "", "N.N"),
        ("\"request_units\":", "", "N.N"),
    ] {
        text = without_number(&text, before, after, placeholder);
    }
    let text = without_clock(&text);
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-:.".contains(c);
    let mut steady = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(is_part) {
        let (between, tail) = rest.split_at(start);
        let end = tail.find(|c| !is_part(c)).unwrap_or(tail.len());
        let end = tail[..end].trim_end_matches([':', '.']).len().max(1);
        let (token, after) = tail.split_at(end);
        steady.push_str(between);
        steady.push_str(placeholder_of(token).unwrap_or(token));
        rest = after;
    }
    steady + rest
}

/// Replaces each time of day between `of` or `at` and `UTC`.
fn without_clock(text: &str) -> String {
    let mut steady = String::new();
    let mut rest = text;
    while let Some(at) = [" of ", " at "]
        .iter()
        .filter_map(|word| rest.find(word))
        .min()
    {
        let (start, tail) = rest.split_at(at + " of ".len());
        steady.push_str(start);
        rest = tail;
        let is_clock = tail.get(2..3) == Some(":") && tail.get(5..6) == Some(":");
        if is_clock && tail.get(8..12) == Some(" UTC") {
            steady.push_str("HH:MM:SS");
            rest = &tail[8..];
        }
    }
    steady + rest
}

/// The placeholder for a UUID, a time of today, or a checksum.
fn placeholder_of(token: &str) -> Option<&'static str> {
    let is_recent =
        |time: OffsetDateTime| (OffsetDateTime::now_utc() - time).abs() < time::Duration::days(1);
    if token.len() == 36 && uuid::Uuid::parse_str(token).is_ok() {
        Some("UUID")
    } else if OffsetDateTime::parse(token, &Rfc3339).is_ok_and(is_recent) {
        Some("TIME")
    } else if token.len() == 8
        && token
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    {
        Some("CHECKSUM")
    } else {
        None
    }
}

/// Replaces each number between `before` and `after`.
fn without_number(text: &str, before: &str, after: &str, placeholder: &str) -> String {
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
    let mut steady = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(before) {
        let (start, tail) = rest.split_at(at + before.len());
        steady.push_str(start);
        // The number ends with a digit: what follows may be punctuation.
        let run = tail.find(|c| !is_number(c)).unwrap_or(tail.len());
        let length = tail[..run].trim_end_matches(['.', ',']).len();
        let is_it =
            tail.starts_with(|c: char| c.is_ascii_digit()) && tail[length..].starts_with(after);
        rest = tail;
        if is_it {
            steady.push_str(placeholder);
            rest = &tail[length..];
        }
    }
    steady + rest
}

/// Paths of Windows with slashes. The escapes of characters and of quotes keep their backslash.
fn with_slashes(text: &str) -> String {
    let mut slashed = String::new();
    for (at, c) in text.char_indices() {
        let rest = &text[at + c.len_utf8()..];
        let is_path = rest.starts_with(|c: char| c.is_alphanumeric() || "._-".contains(c))
            && !rest.starts_with("u{")
            && !rest.starts_with("u00");
        slashed.push(if c == '\\' && is_path { '/' } else { c });
    }
    slashed
}

#[test]
fn values_that_differ_between_runs_are_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap();
    let text = format!(
        "`{}/state.json` at http://127.0.0.1:4567/ (process 17), {now}, \
         0189dc4f-2b6a-7c3e-9a51-0d6f8e4b2c7d: head of 23:18:43 UTC, a48f820c, \x1b[0m1,234 RU, 12 s, 0.3 s\r\n{{\"seconds\":0.25,\"rows\":2}}",
        directory.path().display()
    );
    assert_eq!(
        steady(&text, directory.path()),
        "`/DIR/state.json` at http://127.0.0.1:NNNNN/ (process PID), TIME, UUID: head of HH:MM:SS UTC, CHECKSUM, ␛[0m1,234 RU, N.N s, N.N s\n\
         {\"seconds\":N.N,\"rows\":2}"
    );
    // What is the same in every run stays.
    let text = "10.5 MiB, 3 ranges, 400 RU/s, 2026-11-23T12:00:00Z, 10s, port 8081";
    assert_eq!(
        steady(text, directory.path()),
        "10.5 MiB, 3 ranges, 400 RU/s, 2026-11-23T12:00:00Z, 10s, port 8081"
    );
}

#[test]
fn paths_of_windows_become_paths_with_slashes() {
    assert_eq!(
        with_slashes(r#"`out\state.json` a\u{1b}b "a\"b" \u001b C:\x"#),
        r#"`out/state.json` a\u{1b}b "a\"b" \u001b C:/x"#
    );
}

#[test]
fn a_command_is_split_as_a_shell_splits_it() {
    assert_eq!(
        words("A=1 cosmos-tail  tail --jq '.a | .b' -o \"\" < x"),
        [
            "A=1",
            "cosmos-tail",
            "tail",
            "--jq",
            ".a | .b",
            "-o",
            "",
            "<",
            "x"
        ]
    );
}
