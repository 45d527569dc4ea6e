//! The commands of the documentation, run as it shows them.
//!
//! A fenced block of `sh` or `console` is run if the line before it is one of these comments:
//!
//! | comment | what happens |
//! |---|---|
//! | `<!-- tested -->` | it must end with exit code 0 |
//! | `<!-- tested with demo.env -->` | the same, with the variables of `demo.env` in its environment |
//! | `<!-- tested in the background until FILE has TEXT -->` | it keeps running; the next block starts once FILE contains TEXT |
//! | `<!-- tested with Ctrl-C after a commit to STATE -->` | it is interrupted once it has committed documents, and must end with exit code 130 |
//! | `<!-- tested twice without cargo -->` | it is run twice, as if typed again; `cargo run --locked --` is the built binary, and `cargo test --locked` does nothing |
//!
//! The blocks of a page run one after another in an empty directory, with `bash` and the built
//! binary first in the path. Pages run in parallel. A block of `sh` is a script. In a block of
//! `console`, lines that begin with `$ ` are commands and the others are what they print, where `…`
//! matches any text.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::pages::{Page, pages};
use crate::command::cosmos_tail;
use crate::left_out::say;

/// The longest time that a block may take, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// How the comment before a block says that it is run.
#[derive(Debug, Clone, PartialEq)]
enum Way {
    ToItsEnd,
    WithDemoVariables,
    InBackgroundUntil { file: String, text: String },
    InterruptedAfterCommit(String),
    TwiceWithoutCargo,
}

/// Takes the place of cargo in a test that cargo has started: it would wait for the directory of the
/// build, and begin all tests again. Any other command of cargo fails.
const CARGO: &str = r#"
cargo() {
    case "$1 $2 ${3-}" in
        "run --locked --") cosmos-tail "${@:4}" ;;
        "test --locked ") ;;
        *) echo "this is not a command for the first minute: cargo $*"; return 1 ;;
    esac
}
"#;

#[derive(Debug, Clone, PartialEq)]
struct Block {
    /// The line of the page that it begins at.
    line: usize,
    way: Way,
    is_console: bool,
    text: String,
}

fn way(comment: &str) -> Option<Way> {
    let words = comment
        .strip_prefix("<!-- tested")?
        .strip_suffix("-->")?
        .trim();
    Some(match words {
        "" => Way::ToItsEnd,
        "with demo.env" => Way::WithDemoVariables,
        "twice without cargo" => Way::TwiceWithoutCargo,
        _ => {
            if let Some(condition) = words.strip_prefix("in the background until ") {
                let (file, text) = condition.split_once(" has ").expect("FILE has TEXT");
                let (file, text) = (file.to_owned(), text.to_owned());
                Way::InBackgroundUntil { file, text }
            } else if let Some(file) = words.strip_prefix("with Ctrl-C after a commit to ") {
                Way::InterruptedAfterCommit(file.to_owned())
            } else {
                panic!("`{comment}` does not say how to test a block")
            }
        }
    })
}

/// The tested blocks of a page.
fn blocks(markdown: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        let Some(way) = way(line) else { continue };
        let (number, fence) = lines.next().expect("a block after the comment");
        let is_console = match fence {
            "```console" => true,
            "```sh" => false,
            _ => panic!("line {}: expected a block of `sh` or `console`", number + 1),
        };
        let text: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```")
            .collect();
        found.push(Block {
            line: number + 1,
            way,
            is_console,
            text: text.join("\n") + "\n",
        });
    }
    found
}

/// The commands of a `console` block, each with the output that it must print.
fn commands(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command.to_owned(), String::new())),
            None => {
                let (_, printed) = commands.last_mut().expect("a command before its output");
                printed.push_str(line);
                printed.push('\n');
            }
        }
    }
    commands
}

/// Whether `text` is `pattern`, where `…` matches any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in between {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// `bash` in `directory`, with the built binary first in the path.
fn bash(directory: &Path, script: &str) -> Command {
    // Its environment has no variable that could change what the binary does.
    let clean = cosmos_tail();
    let binary = Path::new(clean.get_program()).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(binary.to_owned()).chain(std::env::split_paths(&path));
    let mut bash = Command::new("bash");
    bash.env_clear();
    for (name, value) in clean.get_envs() {
        bash.env(name, value.unwrap_or_default());
    }
    bash.env("PATH", std::env::join_paths(path).unwrap())
        .args(["--norc", "-euo", "pipefail", "-c", script])
        .current_dir(directory)
        .stdin(Stdio::null())
        // A process group of its own, so that everything it starts can be ended with it.
        .process_group(0);
    bash
}

/// A process group that is killed when this value is dropped.
struct Group(Child);

impl Group {
    fn id(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It may have ended already.
        killpg(self.id(), Signal::SIGKILL).ok();
        self.0.wait().ok();
    }
}

/// Waits until `condition` holds; fails if the group ends before.
#[track_caller]
fn wait_until(what: &str, group: &mut Group, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what}: not in time");
        if let Some(status) = group.0.try_wait().unwrap() {
            assert!(condition(), "{what}: not before it ended: {status}");
        }
        // Polled, since another process writes the file.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a script to its end, with its output in `log`; returns the exit code.
fn to_its_end(directory: &Path, script: &str, log: &Path) -> Option<i32> {
    let output = std::fs::File::create(log).unwrap();
    let mut command = bash(directory, &format!("exec 2>&1\n{script}"));
    let mut group = Group(command.stdout(output).spawn().unwrap());
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = group.0.try_wait().unwrap() {
            return status.code();
        }
        assert!(Instant::now() < end, "it did not end in time: {script}");
        // Polled, since the standard library cannot wait for a process with a time limit.
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Walk {
    page: String,
    directory: tempfile::TempDir,
    log: PathBuf,
    background: Vec<Group>,
}

impl Walk {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn place(&self, block: &Block) -> String {
        format!("{}, line {}", self.page, block.line)
    }

    fn run(&mut self, block: &Block) {
        let at = self.place(block);
        match &block.way {
            Way::ToItsEnd => self.finish(block, "", &at),
            Way::WithDemoVariables => self.finish(block, ". ./demo.env\n", &at),
            Way::TwiceWithoutCargo => {
                self.finish(block, CARGO, &at);
                self.finish(block, CARGO, &format!("{at}, for the second time"));
            }
            Way::InBackgroundUntil { file, text } => {
                let mut command = bash(self.directory.path(), &block.text);
                let spawned = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
                let mut group = Group(spawned.unwrap());
                let path = self.path(file);
                wait_until(&format!("{at}: {text} in {file}"), &mut group, || {
                    std::fs::read_to_string(&path).is_ok_and(|found| found.contains(text))
                });
                self.background.push(group);
            }
            Way::InterruptedAfterCommit(state) => {
                let path = self.path(state);
                let before = std::fs::read(&path).ok();
                let script = format!(". ./demo.env\n{}", block.text);
                let mut command = bash(self.directory.path(), &script);
                let log = std::fs::File::create(&self.log).unwrap();
                let mut group = Group(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
                wait_until(&format!("{at}: a commit to {state}"), &mut group, || {
                    std::fs::read(&path).is_ok_and(|now| {
                        Some(&now) != before.as_ref() && documents(&now).is_some_and(|n| n > 0)
                    })
                });
                killpg(group.id(), Signal::SIGINT).unwrap();
                let status = group.0.wait().unwrap();
                let said = std::fs::read_to_string(&self.log).unwrap();
                assert_eq!(status.code(), Some(130), "{at}: {said}");
            }
        }
    }

    /// Runs a block that ends by itself.
    fn finish(&self, block: &Block, before: &str, at: &str) {
        const MARK: &str = "\u{1}end of a command\n";
        let commands = if block.is_console {
            commands(&block.text)
        } else {
            vec![(block.text.clone(), "…".to_owned())]
        };
        let mut script = before.to_owned();
        for (command, _) in &commands {
            script.push_str(&format!("{command}\nprintf '{MARK}'\n"));
        }
        let code = to_its_end(self.directory.path(), &script, &self.log);
        let said = String::from_utf8(std::fs::read(&self.log).unwrap()).unwrap();
        assert_eq!(code, Some(0), "{at}:\n{said}");
        for ((command, expected), printed) in commands.iter().zip(said.split(MARK)) {
            assert!(
                matches(expected, printed),
                "{at}: `{command}` prints\n{printed}instead of\n{expected}"
            );
        }
    }
}

/// The number of documents that a state has committed.
fn documents(state: &[u8]) -> Option<u64> {
    let state: serde_json::Value = serde_json::from_slice(state).ok()?;
    state["state"]["totals"]["documents"].as_u64()
}

fn is_there(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|path| path.join(program).is_file())
}

/// Runs the tested blocks of a page in a directory of its own.
fn walk(page: &Page, blocks: &[Block]) {
    let directory = tempfile::tempdir().unwrap();
    // Outside of the directory, since some commands list its files.
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut walk = Walk {
        page: page.name.clone(),
        directory,
        log: log.path().to_owned(),
        background: Vec::new(),
    };
    for block in blocks {
        if block.text.contains("jq ") && !is_there("jq") {
            say(&format!("left out: {}; there is no jq", walk.place(block)));
            continue;
        }
        walk.run(block);
    }
}

#[test]
fn every_tested_command_of_the_documentation_works_as_shown() {
    if !is_there("bash") {
        say("left out: the commands of the documentation; there is no bash");
        return;
    }
    let pages = pages();
    let tested: Vec<(&Page, Vec<Block>)> = pages
        .iter()
        .map(|page| (page, blocks(&page.text)))
        .filter(|(_, blocks)| !blocks.is_empty())
        .collect();
    let count: usize = tested.iter().map(|(_, blocks)| blocks.len()).sum();
    assert!(count >= 29, "only {count} blocks are tested");
    std::thread::scope(|scope| {
        for (page, blocks) in &tested {
            scope.spawn(|| walk(page, blocks));
        }
    });
}

#[test]
fn the_first_commands_of_the_readme_are_tested() {
    let pages = pages();
    let readme = pages.iter().find(|page| page.name == "README.md");
    let first = &blocks(&readme.expect("the README").text)[0];
    assert_eq!(first.way, Way::TwiceWithoutCargo);
    assert!(first.text.starts_with("cargo run --locked -- --demo "));
}

#[test]
fn blocks_are_found_by_their_comments() {
    let markdown = "text\n<!-- tested -->\n```console\n$ one\nit …\n$ two\n```\n\
        ```sh\nnot this\n```\n<!-- tested with Ctrl-C after a commit to a/b -->\n```sh\nthree\n```\n";
    let found = blocks(markdown);
    assert_eq!(found.len(), 2);
    assert_eq!(
        commands(&found[0].text),
        [
            ("one".to_owned(), "it …\n".to_owned()),
            ("two".to_owned(), String::new())
        ]
    );
    assert_eq!(found[1].way, Way::InterruptedAfterCommit("a/b".to_owned()));
    assert_eq!((found[1].text.as_str(), found[1].line), ("three\n", 12));
}

#[test]
fn an_ellipsis_matches_any_text() {
    assert!(matches("a … c\n", "a b b c\n"));
    assert!(matches("…", ""));
    assert!(matches("a…b…c", "a1b2bc"));
    assert!(!matches("a … c\n", "a b c"));
    assert!(!matches("ab…ba", "aba"));
    assert!(!matches("a", "ab"));
}
