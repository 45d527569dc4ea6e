//! Named profiles, by the real binary.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::command::{
    CONTAINER, DATABASE, assert_latest, cosmos_tail, fail, files, lines, state_directory, succeed,
};
use crate::gateway::{Gateway, KEY};
use crate::orders::{fill, filled};

/// A key that nothing may print.
const CANARY: &str = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeQ==";

/// A directory with a configuration file.
struct Config {
    directory: tempfile::TempDir,
}

impl Config {
    fn new(text: &str) -> Self {
        let config = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        config.write("config.toml", text);
        config
    }

    /// Writes a file that its owner alone can read.
    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The binary, with nothing set but this configuration file.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = cosmos_tail();
        command
            .env("COSMOS_TAIL_CONFIG", self.path("config.toml"))
            .args(arguments);
        command
    }

    /// An export to `out` below the directory.
    fn export(&self, arguments: &[&str]) -> (Command, PathBuf) {
        let out = self.path("out");
        let mut command = self.command(&["export", "-o"]);
        command.arg(&out).args(arguments);
        (command, out)
    }
}

/// The lines of a profile of the gateway's container, without its key.
fn of_gateway(gateway: &Gateway, name: &str) -> String {
    format!(
        "[profiles.{name}]\nendpoint = \"{}\"\ndatabase = \"{DATABASE}\"\ncontainer = \"{CONTAINER}\"\n",
        gateway.endpoint()
    )
}

/// Everything below a directory but the files named.
fn texts_below(directory: &Path, but: &[&str]) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push_str(&texts_below(&path, but));
        } else if !but.iter().any(|name| path.ends_with(name)) {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    all
}

#[test]
fn an_export_by_a_profile_needs_nothing_else() {
    let (gateway, container) = filled(2, 300);
    let config = Config::new(&format!(
        "{}key-file = 'staging.key'\n[profiles.staging.options]\npage-size = 50\nmax-retries = 3\n",
        of_gateway(&gateway, "staging")
    ));
    config.write("staging.key", KEY);
    let (mut export, out) = config.export(&["--profile", "staging", "-v", "--max-retries", "4"]);
    let ended = succeed(&mut export);
    assert_latest(&lines(&out), &container);
    let key_file = config.path("staging.key");
    for line in [
        "page-size 50 (profile staging)".to_owned(),
        "max-retries 4 (--max-retries)".to_owned(),
        "checkpoint-interval 5s (default)".to_owned(),
        format!("endpoint {} (profile staging)", gateway.endpoint()),
        format!("database {DATABASE} (profile staging)"),
        format!("container {CONTAINER} (profile staging)"),
        "auth auto (default)".to_owned(),
        format!("key from key-file {} (profile staging)", key_file.display()),
    ] {
        assert!(
            ended.stderr.lines().any(|said| said == line),
            "{line}\n{}",
            ended.stderr
        );
    }
    let left = texts_below(config.directory.path(), &["staging.key"]);
    assert!(!format!("{left}{}", ended.stderr).contains(KEY));
    // The page size is the requested one.
    let most = gateway.request_log().iter().map(|r| r.items).max();
    assert_eq!(most, Some(50));
}

#[test]
fn a_profile_can_be_named_by_variable_or_default() {
    let (gateway, container) = filled(1, 50);
    let text = format!(
        "{}key = '{KEY}'\n[profiles.other]\n",
        of_gateway(&gateway, "a")
    );
    let config = Config::new(&format!("default-profile = 'a'\n{text}"));
    let (mut export, out) = config.export(&[]);
    succeed(&mut export);
    assert_latest(&lines(&out), &container);

    let config = Config::new(&format!("default-profile = 'other'\n{text}"));
    let (mut export, out) = config.export(&[]);
    succeed(export.env("COSMOS_TAIL_PROFILE", "a"));
    assert_latest(&lines(&out), &container);
}

#[test]
fn the_environment_overrides_a_profile_and_is_reported() {
    let (gateway, container) = filled(1, 50);
    let config = Config::new(&format!(
        "[profiles.a]\nendpoint = 'https://elsewhere.example'\ndatabase = '{DATABASE}'\n\
         container = '{CONTAINER}'\nkey = '{CANARY}'\n"
    ));
    let (mut export, out) = config.export(&["--profile", "a"]);
    let ended = succeed(
        export
            .env("AZURE_COSMOS_ENDPOINT", gateway.endpoint())
            .env("AZURE_COSMOS_KEY", KEY),
    );
    assert_latest(&lines(&out), &container);
    assert!(
        ended
            .stderr
            .contains("warning: AZURE_COSMOS_ENDPOINT overrides the endpoint of profile `a`"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains(CANARY));
}

#[cfg(unix)]
#[test]
fn a_key_command_runs_once_and_only_if_needed() {
    let (gateway, container) = filled(1, 50);
    let config = Config::new(&format!(
        "default-profile = 'a'\n{}key-command = ['/bin/sh', 'key.sh', '{CANARY}']\n",
        of_gateway(&gateway, "a")
    ));
    config.write(
        "key.sh",
        &format!("echo ran >> ran\necho '{KEY}'\necho asked >&2\n"),
    );
    let ran = || {
        let text = std::fs::read_to_string(config.path("ran")).unwrap_or_default();
        text.lines().count()
    };
    let here = |mut command: Command| {
        command.current_dir(config.directory.path());
        command
    };
    for arguments in [
        &["completions", "bash"][..],
        &["profiles"],
        &["profiles", "--format", "json"],
        #[cfg(feature = "demo")]
        &["--demo", "ranges"],
    ] {
        let ended = succeed(&mut here(config.command(arguments)));
        assert!(!format!("{ended:?}").contains(CANARY), "{ended:?}");
    }
    assert_eq!(ran(), 0);

    let (export, out) = config.export(&["-v"]);
    let ended = succeed(&mut here(export));
    assert_eq!(ran(), 1);
    assert_latest(&lines(&out), &container);
    assert!(ended.stderr.contains("asked\n"), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("key from key-command /bin/sh (profile a)\n"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains(CANARY));

    // A wrong output is reported before the key command is run.
    let (export, _) = config.export(&[]);
    fail(&mut here(export), 2);
    assert_eq!(ran(), 1);

    config.write("key.sh", &format!("echo '{CANARY}'; exit 4"));
    let (mut export, _) = config.export(&["--force"]);
    let ended = fail(export.current_dir(config.directory.path()), 1);
    assert!(
        ended
            .stderr
            .contains("key-command `/bin/sh` of profile `a` failed (exit status: 4)"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains(CANARY));
}

#[test]
fn a_resume_takes_the_credential_of_the_profile_of_its_account() {
    let (gateway, container) = filled(2, 100);
    let mine = format!("{}key = '{KEY}'\n", of_gateway(&gateway, "mine"));
    let text = format!(
        "{mine}[profiles.elsewhere]\nendpoint = 'https://elsewhere.example'\nkey = '{CANARY}'\n\
         [profiles.key-only]\nkey = '{KEY}'\n"
    );
    let config = Config::new(&text);
    let (mut export, out) = config.export(&["--profile", "mine"]);
    succeed(&mut export);
    let state = state_directory(&out).join("state.json");
    let resume = |arguments: &[&str]| {
        let mut command = config.command(&["resume", "--state"]);
        command.arg(&state).args(arguments);
        command
    };
    // The database and the container are in the state.
    for (round, arguments) in [&[][..], &["--profile", "mine"], &["--profile", "key-only"]]
        .iter()
        .enumerate()
    {
        let first = 100 + 10 * round;
        fill(&container, first..first + 10);
        let ended = succeed(resume(arguments).arg("-v"));
        assert_latest(&lines(&out), &container);
        assert!(
            ended
                .stderr
                .contains(&format!("database {DATABASE} (state file)\n")),
            "{}",
            ended.stderr
        );
    }
    let ended = fail(&mut resume(&["--profile", "elsewhere"]), 2);
    for part in [gateway.endpoint().as_str(), "https://elsewhere.example/"] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
    assert!(!ended.stderr.contains(CANARY));
    assert!(files(&state_directory(&out), "open").is_empty());
}

#[test]
fn profiles_are_listed_without_their_secrets() {
    let text = format!(
        "default-profile = 'staging'\n\
         [profiles.production]\nendpoint = 'shop'\ndatabase = 'shop'\ncontainer = 'orders'\n\
         auth = 'managed-identity'\n\
         [profiles.staging]\nendpoint = 'emulator'\nkey = '{CANARY}'\n\
         options.page-size = 500\n\
         [profiles.vault]\nkey-command = ['az', '--token', '{CANARY}']\n\
         [profiles.file]\nkey-file = '/secrets/file.key'\n"
    );
    let config = Config::new(&text);
    let json = succeed(&mut config.command(&["profiles", "--format", "json"]));
    let entry = |name: &str| {
        json!({"profile": name, "default": false, "endpoint": null, "database": null,
               "container": null, "auth": null, "key": null, "key_source": null, "options": {}})
    };
    let with = |mut entry: Value, more: Value| {
        for (name, value) in more.as_object().unwrap() {
            entry[name] = value.clone();
        }
        entry
    };
    assert_eq!(
        serde_json::from_str::<Value>(&json.stdout).unwrap(),
        json!([
            with(
                entry("production"),
                json!({"endpoint": "https://shop.documents.azure.com/", "database": "shop",
                       "container": "orders", "auth": "managed-identity"})
            ),
            with(
                entry("staging"),
                json!({"default": true, "endpoint": "emulator", "key": "key",
                       "options": {"page-size": "500"}})
            ),
            with(
                entry("vault"),
                json!({"key": "key-command", "key_source": "az"})
            ),
            with(
                entry("file"),
                json!({"key": "key-file", "key_source": "/secrets/file.key"})
            ),
        ])
    );
    let table = succeed(&mut config.command(&["profiles", "-v"]));
    let names: Vec<&str> = table
        .stdout
        .lines()
        .map(|line| line.split("  ").next().unwrap_or_default())
        .collect();
    assert_eq!(
        names,
        [
            "PROFILE",
            "production",
            "staging (default)",
            "vault",
            "file"
        ]
    );
    assert!(!format!("{json:?}{table:?}").contains(CANARY));
}

#[test]
fn without_a_configuration_file_the_list_is_empty() {
    let home = tempfile::tempdir().unwrap();
    let list = |arguments: &[&str]| {
        let mut command = cosmos_tail();
        command
            .env_remove("COSMOS_TAIL_CONFIG")
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path())
            .env("APPDATA", home.path())
            .arg("profiles")
            .args(arguments);
        succeed(&mut command)
    };
    let ended = list(&[]);
    assert_eq!(ended.stdout, "");
    if cfg!(not(windows)) {
        assert!(
            ended.stderr.contains("config.toml` does not exist"),
            "{}",
            ended.stderr
        );
    }
    assert_eq!(list(&["--format", "json"]).stdout, "[]\n");
}

#[test]
fn an_invalid_profile_has_a_hint_and_exit_code_2() {
    for (text, profile, says, hint) in [
        (
            "[profiles.production]\n",
            "prodction",
            "there is no profile `prodction`",
            "did you mean `production`?",
        ),
        (
            "[profiles.a]\nendpoint: 'x'\n",
            "a",
            "is wrong in line 2",
            "strings need quotes",
        ),
        (
            "[profiles.a]\nendpont = 'x'\n",
            "a",
            "unknown key `endpont` in [profiles.a]",
            "did you mean `endpoint`?",
        ),
        (
            "[profiles.a]\noptions.page-size = 'many'\n",
            "a",
            "`page-size` must be a whole number, not a string",
            "page-size = 500",
        ),
    ] {
        let config = Config::new(text);
        let (mut export, out) = config.export(&["--profile", profile]);
        let ended = fail(&mut export, 2);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
        assert!(
            ended.stderr.lines().last().unwrap().starts_with("hint: "),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains(hint), "{}", ended.stderr);
        assert!(!out.exists());
        // What needs no profile is not kept from its work.
        succeed(&mut config.command(&["completions", "bash"]));
        #[cfg(feature = "demo")]
        succeed(&mut config.command(&["--demo", "ranges"]));
    }
    let config = Config::new("");
    let missing = config.path("missing.toml");
    let mut command = config.command(&["profiles"]);
    let ended = fail(command.env("COSMOS_TAIL_CONFIG", &missing), 2);
    assert!(
        ended.stderr.contains(missing.to_str().unwrap()),
        "{}",
        ended.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_causes_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let (gateway, _) = filled(1, 10);
    let config = Config::new(&format!("{}key = '{KEY}'\n", of_gateway(&gateway, "a")));
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(config.path("config.toml"), mode).unwrap();
    let (mut export, _) = config.export(&["--profile", "a"]);
    for command in [&mut export, &mut config.command(&["profiles"])] {
        let ended = succeed(command);
        assert!(
            ended
                .stderr
                .contains("contains an account key and can be read by other users (mode 0644)"),
            "{}",
            ended.stderr
        );
        assert!(!ended.stderr.contains(KEY));
    }
}

#[cfg(feature = "demo")]
#[test]
fn the_demo_uses_neither_profile_nor_environment() {
    let config = Config::new(&format!(
        "default-profile = 'a'\n[profiles.a]\nendpoint = 'https://elsewhere.example'\n\
         database = 'x'\ncontainer = 'y'\nkey = '{CANARY}'\noptions.page-size = 1\n"
    ));
    let (mut export, out) = config.export(&["--demo", "-v", "--profile", "a"]);
    let ended = succeed(
        export
            .env("AZURE_COSMOS_ENDPOINT", "https://elsewhere.example")
            .env("AZURE_COSMOS_DATABASE", "x")
            .env("AZURE_COSMOS_CONTAINER", "y"),
    );
    assert!(
        ended.stderr.contains("page-size 1000 (default)\n"),
        "{}",
        ended.stderr
    );
    assert!(
        ended
            .stderr
            .contains("warning: --demo has its own account: the profile `a` is not used"),
        "{}",
        ended.stderr
    );
    assert_eq!(lines(&out).len(), 10_000);
    let mut resume = config.command(&["--demo", "resume", "--state"]);
    succeed(resume.arg(state_directory(&out).join("state.json")));
}
