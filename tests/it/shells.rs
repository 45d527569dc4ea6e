//! Completions in the real shells, where they are installed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::{against, cosmos_tail, succeed};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, KEY, RequestKind};
use crate::left_out::say;

/// The profiles of the configuration.
const NAMES: &[&str] = &["production", "source", "staging"];

/// A directory with the binary, the scripts and a configuration.
struct Shell {
    directory: tempfile::TempDir,
    gateway: Gateway,
}

impl Shell {
    fn new() -> Self {
        let gateway = Gateway::start(GatewayOptions::default());
        for name in ["orders", "orders_copy", "my orders", "it's $(id) `id`"] {
            gateway.create_container("shop", name, "/pk", 1);
        }
        gateway.create_container("stock", "items", "/pk", 1);
        let directory = tempfile::tempdir().unwrap();
        let config = format!(
            "[profiles.production]\n[profiles.source]\nendpoint = '{}'\nkey-file = 'key'\n[profiles.staging]\n",
            gateway.endpoint()
        );
        std::fs::write(directory.path().join("config.toml"), config).unwrap();
        std::fs::write(directory.path().join("key"), KEY).unwrap();
        for name in ["bash", "zsh", "fish"] {
            let ended = succeed(cosmos_tail().args(["completions", name]));
            let file = if name == "zsh" { "_cosmos-tail" } else { name };
            std::fs::write(directory.path().join(file), ended.stdout).unwrap();
        }
        Self { directory, gateway }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What a shell prints that runs `script`; `None` if it is not installed.
    fn run(&self, shell: &str, script: &str) -> Option<String> {
        let mut command = against(&self.gateway);
        let program = PathBuf::from(command.get_program());
        let binaries = program.parent().unwrap().display().to_string();
        let path = format!("{binaries}:{}", std::env::var("PATH").unwrap());
        let mut child = {
            let mut shell = Command::new(shell);
            shell.env_clear();
            for (name, value) in command.get_envs() {
                shell.env(name, value.unwrap_or_default());
            }
            shell
                .env_remove("AZURE_COSMOS_DATABASE")
                .env_remove("AZURE_COSMOS_CONTAINER");
            shell.env("PATH", path).env("HOME", self.directory.path());
            shell
                .env("COSMOS_TAIL_CONFIG", self.path("config.toml"))
                .env("TERM", "dumb");
            shell
                .env("SCRIPTS", self.directory.path())
                .env("LC_ALL", "C.UTF-8");
            shell
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            shell.spawn().ok()?
        };
        command.arg("--version");
        child
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{stdout}{stderr}");
        Some(stdout.into_owned())
    }

    /// The completions of the last word in bash.
    fn bash(&self, words: &[&str]) -> Option<Vec<String>> {
        let quoted: Vec<String> = words
            .iter()
            .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
            .collect();
        let (last, previous) = (words.len() - 1, words.len() - 2);
        let script = format!(
            "source \"$SCRIPTS/bash\"\nCOMP_WORDS=({})\nCOMP_CWORD={last}\n_cosmos__tail cosmos-tail \
             \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{previous}]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
            quoted.join(" ")
        );
        let printed = self.run("bash", &script)?;
        Some(
            printed
                .lines()
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// The completions of a line in fish.
    fn fish(&self, line: &str) -> Option<Vec<String>> {
        let line = line.replace('\'', r"\'");
        let script = format!("source \"$SCRIPTS/fish\"\ncomplete -C '{line}'\n");
        let printed = self.run("fish", &script)?;
        Some(
            printed
                .lines()
                .map(|line| line.split('\t').next().unwrap().to_owned())
                .collect(),
        )
    }

    /// What zsh shows in a terminal when the line is completed, up to the `last` name.
    fn zsh(&self, line: &str, last: &str) -> Option<String> {
        let script = format!(
            r#"zmodload zsh/zpty || exit 1
TERM=xterm zpty session zsh -f -i
zpty -w session "fpath=($SCRIPTS \$fpath); autoload -U compinit; compinit -u -D; stty columns 200"
zpty -w session 'print READY-''NOW'
zpty -r -m session seen '*READY-NOW*'
zpty -w -n session {}$' \t\t'
shown=
repeat 300; do
    while zpty -r -t session piece; do shown+=$piece; done
    [[ $shown == *{last}* ]] && break
    sleep 0.1
done
print -r -- "$shown"
zpty -d session
"#,
            zsh_quoted(line)
        );
        self.run("zsh", &script)
    }
}

fn zsh_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn absent(shell: &str) {
    say(&format!(
        "left out: completions in {shell}, which is not installed"
    ));
}

#[test]
fn what_the_scripts_of_the_generator_miss_is_added() {
    for (shell, parts) in [
        (
            "bash",
            &["\"${prev}\" == \"=\"", "_cosmos__tail_names address"][..],
        ),
        (
            "zsh",
            &["_cosmos_tail_words=", ":_cosmos-tail_names address'"],
        ),
        ("fish", &["set -e cmd[-1]", "(__cosmos_tail_names address)"]),
    ] {
        let script = succeed(cosmos_tail().args(["completions", shell])).stdout;
        for part in parts {
            assert!(script.contains(part), "{shell}: {part}");
        }
    }
}

#[test]
fn bash_completes_profiles_databases_and_containers() {
    let shell = Shell::new();
    let complete = |words: &[&str]| shell.bash(words);
    let Some(found) = complete(&["cosmos-tail", "tail", "--profile", ""]) else {
        return absent("bash");
    };
    assert_eq!(found, NAMES);
    for (words, expected) in [
        (&["cosmos-tail", "--profile", "st"][..], &["staging"][..]),
        (&["cosmos-tail", "profiles", "use", ""], NAMES),
        (&["cosmos-tail", "profiles", "test", "p"], &["production"]),
        (&["cosmos-tail", "tail", "-d", ""], &["shop", "stock"]),
        (&["cosmos-tail", "tail", "--database", "st"], &["stock"]),
        (
            &["cosmos-tail", "tail", "-d", "shop", "-c", "ord"],
            &["orders", "orders_copy"],
        ),
        (
            &["cosmos-tail", "-d", "shop", "export", "-c", "my"],
            &["my\\ orders"],
        ),
        (
            &["cosmos-tail", "-d", "shop", "export", "-c", "it"],
            &["it\\'s\\ \\$\\(id\\)\\ \\`id\\`"],
        ),
        (
            &["cosmos-tail", "-d", "'stock'", "ls", "--container", ""],
            &["items"],
        ),
        (
            &["cosmos-tail", "tail", "--profile", "=", "st"],
            &["staging"],
        ),
        (
            &[
                "cosmos-tail",
                "tail",
                "-d",
                "shop",
                "--container",
                "=",
                "orders_",
            ],
            &["orders_copy"],
        ),
        (
            &["cosmos-tail", "replay", "--from-container", "st"],
            &["stock/items"],
        ),
        (
            &[
                "cosmos-tail",
                "replay",
                "--source-profile",
                "source",
                "--from-container",
                "stock",
            ],
            &["stock/items"],
        ),
        (
            &[
                "cosmos-tail",
                "replay",
                "--source-profile",
                "staging",
                "--from-container",
                "",
            ],
            &[],
        ),
        (
            &["cosmos-tail", "--demo", "replay", "--from-container", ""],
            &["shop/orders", "shop/orders_copy"],
        ),
        (&["cosmos-tail", "-d", "nowhere", "ls", "-c", ""], &[]),
        (&["cosmos-tail", "ls", "-c", ""], &[]),
        (&["cosmos-tail", "--key-file", "-", "ls", "-d", ""], &[]),
    ] {
        assert_eq!(complete(words).unwrap(), expected, "{words:?}");
    }
    // The pieces of an address, as bash splits it.
    let endpoint = shell.gateway.endpoint();
    let port = endpoint.rsplit(':').next().unwrap();
    let words = [
        "cosmos-tail",
        "--endpoint",
        "http",
        ":",
        "//127.0.0.1",
        ":",
        port,
        "ls",
        "-d",
        "sh",
    ];
    assert_eq!(complete(&words).unwrap(), ["shop"]);
    let flags = complete(&["cosmos-tail", "profiles", "use", "--e"]).unwrap();
    assert_eq!(flags, ["--endpoint"]);
    let formats = complete(&["cosmos-tail", "ls", "--format", "=", "j"]).unwrap();
    assert_eq!(formats, ["json"]);
}

#[test]
fn fish_completes_profiles_databases_and_containers() {
    let shell = Shell::new();
    let Some(found) = shell.fish("cosmos-tail tail --profile ") else {
        return absent("fish");
    };
    assert_eq!(found, NAMES);
    for (line, expected) in [
        ("cosmos-tail tail -d ", &["shop", "stock"][..]),
        (
            "cosmos-tail tail -d shop -c ord",
            &["orders", "orders_copy"],
        ),
        ("cosmos-tail profiles use ", NAMES),
        ("cosmos-tail --profile ", NAMES),
        ("cosmos-tail --profile=st", &["--profile=staging"]),
        ("cosmos-tail -d ", &["shop", "stock"]),
        ("cosmos-tail -d stock ls -c ", &["items"]),
        ("cosmos-tail replay --from-container st", &["stock/items"]),
    ] {
        assert_eq!(shell.fish(line).unwrap(), expected, "{line}");
    }
}

#[test]
fn zsh_completes_profiles_databases_and_containers() {
    let shell = Shell::new();
    let Some(found) = shell.zsh("cosmos-tail tail --profile", "staging") else {
        return absent("zsh");
    };
    assert!(
        found.contains("production") && found.contains("staging"),
        "{found}"
    );
    let found = shell
        .zsh("cosmos-tail tail -d shop -c", "orders_copy")
        .unwrap();
    assert!(
        found.contains("orders_copy") && !found.contains("items"),
        "{found}"
    );
    let found = shell.zsh("cosmos-tail profiles use", "staging").unwrap();
    assert!(found.contains("production"), "{found}");
    let line = "cosmos-tail replay --from-container";
    let found = shell.zsh(line, "stock/items").unwrap();
    assert!(found.contains("shop/orders_copy"), "{found}");
}

#[test]
fn names_that_do_not_come_are_not_waited_for() {
    let shell = Shell::new();
    let hold = Action::Delay(Duration::from_secs(60));
    shell
        .gateway
        .push_fault(Fault::on(RequestKind::DatabaseFeed, hold).times(100));
    let ask = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = against(&shell.gateway);
        command
            .arg("__complete")
            .args(arguments)
            .envs(environment.iter().copied());
        let started = Instant::now();
        let ended = succeed(&mut command);
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(
            (ended.stdout.as_str(), ended.stderr.as_str()),
            ("", ""),
            "{arguments:?}"
        );
    };
    ask(&["database", "ls", "-d"], &[]);
    ask(&["database"], &[("AZURE_COSMOS_KEY", "Y2FuYXJ5")]);
    ask(&["database"], &[("AZURE_COSMOS_KEY", "no key!")]);
    ask(
        &["database"],
        &[("AZURE_COSMOS_ENDPOINT", "https://192.0.2.1/")],
    );
    ask(
        &["profile"],
        &[("COSMOS_TAIL_CONFIG", "/nonexistent/config.toml")],
    );
    ask(&[], &[]);
}

#[cfg(unix)]
#[test]
fn a_command_for_a_key_is_not_run_to_complete_a_name() {
    let shell = Shell::new();
    let ran = shell.path("ran");
    let config = format!(
        "[profiles.a]\nendpoint = '{}'\nkey-command = ['touch', '{}']\n",
        shell.gateway.endpoint(),
        ran.display()
    );
    std::fs::write(shell.path("config.toml"), config).unwrap();
    let mut command = cosmos_tail();
    command.env("COSMOS_TAIL_CONFIG", shell.path("config.toml"));
    let ended = succeed(command.args(["__complete", "database", "--profile", "a", "ls", "-d"]));
    assert_eq!(ended.stdout, "");
    assert!(!Path::new(&ran).exists());
}
