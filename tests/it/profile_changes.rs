//! `profiles add` and `profiles use`: the configuration file keeps everything else, and no secret enters it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{Ended, cosmos_tail, fail, spawn, succeed, wait};
use crate::gateway::KEY;
use crate::orders::filled;

struct Config(tempfile::TempDir);

impl Config {
    fn new(text: Option<&str>) -> Self {
        let config = Self(tempfile::tempdir().unwrap());
        if let Some(text) = text {
            std::fs::write(config.path(), text).unwrap();
        }
        config
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("config.toml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = cosmos_tail();
        command
            .env("COSMOS_TAIL_CONFIG", self.path())
            .arg("profiles")
            .args(arguments);
        command
    }

    /// Runs a change that must be refused, and checks that nothing has changed.
    #[track_caller]
    fn refuse(&self, command: &mut Command, code: i32, parts: &[&str]) -> Ended {
        let files = |directory: &Path| {
            let mut files: Vec<(PathBuf, Vec<u8>)> = std::fs::read_dir(directory)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .map(|path| (path.clone(), std::fs::read(path).unwrap_or_default()))
                .collect();
            files.sort();
            files
        };
        let before = files(self.0.path());
        let ended = fail(command, code);
        for part in parts {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
        assert_eq!(files(self.0.path()), before, "{}", ended.stderr);
        ended
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A key of the length that keys have.
const LONG_KEY: &str =
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";

const OLD: &str = "# my accounts\ndefault-profile = 'a'   # at work\n\n[profiles.a]\nendpoint = 'shop'\n# later\n";

#[test]
fn a_profile_of_flags_and_environment_is_added_behind_what_is_there() {
    let config = Config::new(Some(OLD));
    let mut command = config.command(&[
        "add",
        "b",
        "-d",
        "shop",
        "--auth",
        "cli",
        "--region",
        "West Europe",
        "--priority",
        "low",
    ]);
    command
        .env("AZURE_COSMOS_ENDPOINT", "other")
        .env("AZURE_COSMOS_CONTAINER", "orders");
    let ended = succeed(&mut command);
    assert!(
        ended.stderr.contains("added the profile `b`"),
        "{}",
        ended.stderr
    );
    assert_eq!(
        config.text(),
        format!(
            "{OLD}\n[profiles.b]\nendpoint = \"https://other.documents.azure.com/\"\ndatabase = \"shop\"\n\
             container = \"orders\"\nauth = \"cli\"\n\n[profiles.b.options]\nregion = \"West Europe\"\n\
             priority = \"low\"\n"
        )
    );
    #[cfg(unix)]
    assert_eq!(mode(&config.path()), 0o600);
    let listed = succeed(&mut config.command(&[]));
    assert!(listed.stdout.contains("a (default)"), "{}", listed.stdout);
    succeed(&mut config.command(&["use", "b"]));
    assert!(
        config
            .text()
            .starts_with("# my accounts\ndefault-profile = \"b\"   # at work\n"),
        "{}",
        config.text()
    );
    let listed = succeed(&mut config.command(&[]));
    assert!(listed.stdout.contains("b (default)"), "{}", listed.stdout);
}

#[test]
fn a_profile_that_exists_is_replaced_only_by_force() {
    let config = Config::new(Some(OLD));
    let mut command = config.command(&["add", "a", "--endpoint", "other"]);
    config.refuse(&mut command, 2, &["there is a profile `a`", "--force"]);
    succeed(&mut config.command(&["add", "a", "--endpoint", "emulator", "--force"]));
    assert_eq!(config.text(), OLD.replace("'shop'", "\"emulator\""));
}

#[test]
fn the_first_profile_makes_the_file_and_its_directory() {
    let config = Config::new(None);
    let path = config.0.path().join("deep/er/config.toml");
    let mut command = config.command(&["add", "my profile", "--endpoint", "shop"]);
    succeed(command.env("COSMOS_TAIL_CONFIG", &path));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text,
        "[profiles.\"my profile\"]\nendpoint = \"https://shop.documents.azure.com/\"\n"
    );
    #[cfg(unix)]
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}

#[test]
fn a_key_is_stored_only_on_request_and_never_in_the_configuration() {
    let (gateway, _) = filled(1, 5);
    let config = Config::new(None);
    let add = |arguments: &[&str]| {
        let mut command = config.command(&["add"]);
        command
            .env("AZURE_COSMOS_ENDPOINT", gateway.endpoint())
            .args(["-d", "shop", "-c", "orders"])
            .args(arguments);
        command
    };
    let mut command = add(&["none"]);
    let ended = succeed(command.env("AZURE_COSMOS_KEY", KEY));
    assert!(
        ended
            .stderr
            .contains("the key of AZURE_COSMOS_KEY is not stored"),
        "{}",
        ended.stderr
    );
    let mut command = add(&["own", "--store-key"]);
    let ended = succeed(command.env("AZURE_COSMOS_KEY", KEY));
    assert!(!ended.stderr.contains(KEY));
    let mut piped = spawn(add(&["piped", "--key-file", "-", "--store-key"]).stdin(Stdio::piped()));
    writeln!(piped.stdin.take().unwrap(), "{KEY}").unwrap();
    let ended = wait(piped);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!config.text().contains(KEY), "{}", config.text());
    for name in ["own", "piped"] {
        let file = config.0.path().join(format!("{name}.key"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), KEY);
        #[cfg(unix)]
        assert_eq!(mode(&file), 0o600);
        let mut command = cosmos_tail();
        command
            .env("COSMOS_TAIL_CONFIG", config.path())
            .args(["ranges", "--profile", name]);
        let ended = succeed(&mut command);
        assert_eq!(ended.stderr, "");
    }
    // Its own file is replaced, no other one.
    let mut command = add(&["own", "--store-key", "--force"]);
    succeed(command.env("AZURE_COSMOS_KEY", "Y2FuYXJ5"));
    assert_eq!(
        std::fs::read_to_string(config.0.path().join("own.key")).unwrap(),
        "Y2FuYXJ5"
    );
    std::fs::write(config.0.path().join("mine.key"), "mine").unwrap();
    let mut command = add(&["mine", "--store-key"]);
    config.refuse(
        command.env("AZURE_COSMOS_KEY", KEY),
        2,
        &["mine.key` exists"],
    );
}

#[test]
fn what_cannot_be_stored_is_refused_and_changes_nothing() {
    let config = Config::new(Some(OLD));
    let endpoint = ["--endpoint", "shop"];
    for (arguments, parts) in [
        (
            &["add", "b"][..],
            &["nothing is given that the profile could have"][..],
        ),
        (&["add", "", "--endpoint", "shop"], &["name of the profile"]),
        (
            &["add", "a\nb", "--endpoint", "shop"],
            &["name of the profile"],
        ),
        (
            &["add", "--endpoint", "shop", "--", "-b"],
            &["the name `-b` begins with `-`"],
        ),
        #[cfg(feature = "demo")]
        (
            &["add", "b", "--endpoint", "shop", "--demo"],
            &["an embedded account ends with its process"],
        ),
        (
            &["add", "b", "--endpoint", "shop", "--profile", "a"],
            &["cannot be used with"],
        ),
        (
            &["add", LONG_KEY, "--endpoint", "shop"],
            &["is an account key"],
        ),
        (
            &["add", "b", "--endpoint", LONG_KEY],
            &["is an account key"],
        ),
        (
            &["add", "b", "--endpoint", "shop", "--key-file", LONG_KEY],
            &["is an account key", "regenerate"],
        ),
        (
            &["add", "b", "--endpoint", "shop", "-d", "x/y"],
            &["cannot be the name of a database"],
        ),
        (
            &["add", "b", "--endpoint", "http://example.com"],
            &["plain http"],
        ),
        (
            &["add", "b", "--endpoint", "shop", "--key-file", "-"],
            &["--store-key"],
        ),
        (
            &["add", "b", "--endpoint", "shop", "--store-key"],
            &["no key"],
        ),
        (
            &[
                "add",
                "b",
                "--endpoint",
                "shop",
                "--store-key",
                "--auth",
                "cli",
            ],
            &["--auth"],
        ),
        (
            &[
                "add",
                "b",
                "--endpoint",
                "shop",
                "--store-key",
                "--key-file",
                "x",
            ],
            &["names a file"],
        ),
        (
            &["use", "b"],
            &["there is no profile `b`", "the profiles are: a"],
        ),
        (&["use"], &["NAME"]),
        (&["add", "b", "--key", LONG_KEY], &["--key"]),
    ] {
        let ended = config.refuse(&mut config.command(arguments), 2, parts);
        assert!(
            !ended.stderr.contains(LONG_KEY) || arguments.contains(&"--key"),
            "{}",
            ended.stderr
        );
    }
    for name in ["a/b", "..", ".hidden", "a b"] {
        let mut command = config.command(&["add", name, "--store-key"]);
        command.args(endpoint).env("AZURE_COSMOS_KEY", LONG_KEY);
        config.refuse(&mut command, 2, &["cannot name the file of its key"]);
    }
}

#[test]
fn a_broken_file_is_named_with_its_line_and_never_written() {
    for (text, part) in [
        ("[profiles.a]\nendpoint: 'x'\n", "line 2"),
        ("[profiles.a]\nendpont = 'x'\n", "did you mean `endpoint`?"),
        ("default-profile = 'z'\n", "line 1"),
        ("profiles = 7\n", "must be a table"),
    ] {
        let config = Config::new(Some(text));
        for arguments in [&["add", "b", "--endpoint", "shop"][..], &["use", "a"]] {
            config.refuse(&mut config.command(arguments), 2, &[part]);
        }
    }
}

#[test]
fn line_ends_and_inline_tables_are_kept() {
    for text in [
        "# one\r\n[profiles.a]\r\nendpoint = 'shop'\r\n",
        "profiles = { a = { endpoint = 'shop' } }\n",
        "profiles.a.endpoint = 'shop' # dotted\n",
    ] {
        let config = Config::new(Some(text));
        succeed(&mut config.command(&[
            "add",
            "b",
            "--endpoint",
            "other",
            "--throughput-bucket",
            "2",
        ]));
        succeed(&mut config.command(&["use", "b"]));
        let changed = config.text();
        assert_eq!(changed.contains('\r'), text.contains('\r'), "{changed:?}");
        let listed = succeed(&mut config.command(&["--format", "json"]));
        let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!(listed[0]["endpoint"], "https://shop.documents.azure.com/");
        assert_eq!(listed[1]["profile"], "b");
        assert_eq!(listed[1]["default"], true);
        assert_eq!(listed[1]["options"]["throughput-bucket"], "2");
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_kept_and_a_file_that_is_read_only_is_not_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let config = Config::new(None);
    let real = config.0.path().join("real.toml");
    std::fs::write(&real, OLD).unwrap();
    std::os::unix::fs::symlink("real.toml", config.path()).unwrap();
    succeed(&mut config.command(&["add", "b", "--endpoint", "other"]));
    assert!(
        std::fs::symlink_metadata(config.path())
            .unwrap()
            .file_type()
            .is_symlink()
    );
    assert!(std::fs::read_to_string(&real).unwrap().starts_with(OLD));
    assert!(
        std::fs::read_to_string(&real)
            .unwrap()
            .contains("[profiles.b]")
    );
    std::fs::set_permissions(&real, PermissionsExt::from_mode(0o400)).unwrap();
    config.refuse(
        &mut config.command(&["use", "b"]),
        1,
        &["is read-only", "COSMOS_TAIL_CONFIG"],
    );
    std::fs::remove_file(&real).unwrap();
    fail(&mut config.command(&["add", "c", "--endpoint", "other"]), 2);
    let mut command = config.command(&["add", "c", "--endpoint", "other"]);
    fail(command.env("COSMOS_TAIL_CONFIG", "/dev/null"), 1);
}

#[test]
fn a_variable_that_names_another_profile_is_pointed_out() {
    let config = Config::new(Some(&format!("{OLD}[profiles.b]\nendpoint = 'x-y-z'\n")));
    let mut command = config.command(&["use", "b"]);
    let ended = succeed(command.env("COSMOS_TAIL_PROFILE", "a"));
    assert!(
        ended
            .stderr
            .contains("COSMOS_TAIL_PROFILE names the profile `a`"),
        "{}",
        ended.stderr
    );
}
