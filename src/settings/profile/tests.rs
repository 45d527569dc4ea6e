use anyhow::Result;
use std::path::{Path, PathBuf};

use super::{
    ChosenProfile, ConfigFile, KeySource, Profile, ProfileEndpoint, ProfileOptions, WantedProfile,
};
use crate::cli::choices::AuthMethod;
use crate::cosmos::options::SecretText;
use crate::error::{ExitCode, exit_code, render};
use crate::feed::ContainerAddress;
use crate::settings::given::Given;
use crate::settings::resolved::Origin;

/// A text that no message may repeat.
const CANARY: &str = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeQ==";
const PATH: &str = "/etc/tail/config.toml";

fn parse(text: &str) -> Result<ConfigFile> {
    ConfigFile::parse(text.as_bytes(), Path::new(PATH), Some(Path::new("/home/u")))
}

/// The rendered usage error of a file that must be refused.
#[track_caller]
fn refused(text: &str) -> String {
    let error = parse(text).expect_err("must be refused");
    assert_eq!(exit_code(&error), ExitCode::Usage, "{}", render(&error));
    let rendered = render(&error);
    assert!(
        !format!("{rendered}{error:?}").contains(&CANARY[..20]),
        "{rendered}"
    );
    assert!(rendered.contains("\nhint: "), "{rendered}");
    rendered
}

fn only(text: &str) -> Profile {
    let mut profiles = parse(text).unwrap().profiles;
    assert_eq!(profiles.len(), 1);
    profiles.remove(0)
}

fn options(given: &[(&'static str, &str)]) -> ProfileOptions {
    let mut options = ProfileOptions::default();
    for (name, text) in given {
        options.set(name, (*text).to_owned());
    }
    options
}

fn wanted(name: &str) -> WantedProfile {
    WantedProfile {
        name: name.to_owned(),
        origin: Origin::Flag("profile"),
    }
}

fn source(endpoint: &str) -> ContainerAddress {
    ContainerAddress {
        endpoint: endpoint.to_owned(),
        database: "shop".to_owned(),
        container: "orders".to_owned(),
        container_rid: "rid".to_owned(),
    }
}

#[test]
fn a_profile_can_have_every_key() {
    let profile = only(
        r#"
        default-profile = "production"
        [profiles.production]
        endpoint = "https://shop.documents.azure.com:443/"
        database = "shop"
        container = "orders"
        auth = "managed-identity"
        key-file = "~/.secrets/production.key"
        [profiles.production.options]
        concurrency = 8
        page-size = 0x1F4
        max-retries = 0
        poll-interval = "500ms"
        checkpoint-interval = "1m"
        checkpoint-bytes = "64MiB"
        priority = "low"
        throughput-bucket = 2
        "#,
    );
    assert_eq!(
        profile,
        Profile {
            name: "production".to_owned(),
            endpoint: Some(ProfileEndpoint {
                url: url::Url::parse("https://shop.documents.azure.com/").unwrap(),
                is_emulator: false,
            }),
            database: Some("shop".to_owned()),
            container: Some("orders".to_owned()),
            auth: Some(AuthMethod::ManagedIdentity),
            key: Some(KeySource::File("/home/u/.secrets/production.key".into())),
            options: options(&[
                ("concurrency", "8"),
                ("page-size", "500"),
                ("max-retries", "0"),
                ("poll-interval", "500ms"),
                ("checkpoint-interval", "1m"),
                ("checkpoint-bytes", "67108864"),
                ("priority", "low"),
                ("throughput-bucket", "2"),
            ]),
        }
    );
}

#[test]
fn a_profile_and_a_file_can_be_empty() {
    assert_eq!(only("[profiles.a]").endpoint, None);
    for text in ["", "\u{feff}", "# only a comment\n"] {
        let config = parse(text).unwrap();
        assert!(config.profiles.is_empty());
        assert!(config.choose(None).unwrap().is_none());
    }
}

#[test]
fn a_key_comes_from_a_file_a_command_or_the_profile_itself() {
    for (line, source) in [
        ("key-file = '~'", KeySource::File(PathBuf::from("/home/u/"))),
        // What is not absolute lies beside the configuration file.
        (
            "key-file = 'keys/a'",
            KeySource::File(PathBuf::from("/etc/tail/keys/a")),
        ),
        ("key-file = '/k'", KeySource::File(PathBuf::from("/k"))),
        (
            "key-command = ['pass', 'show', 'a b']",
            KeySource::Command(["pass", "show", "a b"].map(str::to_owned).into()),
        ),
        ("key = 'abcd'", KeySource::Text(SecretText::new("abcd"))),
    ] {
        let profile = only(&format!("[profiles.a]\n{line}"));
        assert_eq!(profile.key, Some(source), "{line}");
    }
    let error = ConfigFile::parse(b"[profiles.a]\nkey-file = '~/k'", Path::new(PATH), None);
    assert!(render(&error.unwrap_err()).contains("home directory"));
}

#[test]
fn an_unknown_key_is_reported_with_its_line_and_the_nearest_key() {
    for (text, line, unknown, hint) in [
        (
            "\n[profiles.a]\ndatabase = 'x'\nendpont = 'y'",
            4,
            "`endpont` in [profiles.a]",
            "did you mean `endpoint`?",
        ),
        (
            "[profiles.a]\nkey_file = 'x'",
            2,
            "`key_file` in [profiles.a]",
            "did you mean `key-file`?",
        ),
        (
            "[profiles.a.options]\npagesize = 1",
            2,
            "`pagesize` in [profiles.a.options]",
            "did you mean `page-size`?",
        ),
        (
            "default = 'a'\n[profiles.a]",
            1,
            "`default`",
            "did you mean `default-profile`?",
        ),
        (
            "[profiles.a]\npage-size = 500",
            2,
            "`page-size` in [profiles.a]",
            "[profiles.NAME.options]",
        ),
        ("endpoint = 'x'", 1, "`endpoint`", "[profiles.NAME]"),
        ("\n\n[staging]", 3, "`staging`", "[profiles.staging]"),
        // The first of several, in the order of the file.
        (
            "[profiles.a]\nzzz = 1\naaa = 2",
            2,
            "`zzz` in [profiles.a]",
            "the valid keys here are: ",
        ),
    ] {
        let error = refused(text);
        let expected = format!(
            "error: `{PATH}` is wrong in line {line}\n  Caused by: unknown key {unknown}\n"
        );
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains(hint), "{error}");
    }
}

#[test]
fn a_wrong_value_is_reported_with_its_line_and_an_example() {
    for (lines, says, example) in [
        (
            "endpoint = 1",
            "`endpoint` must be a string, not an integer",
            "endpoint = ",
        ),
        (
            "database = true",
            "`database` must be a string, not a boolean",
            "database = ",
        ),
        (
            "key = 5",
            "`key` must be a string, not an integer",
            "key = ",
        ),
        (
            "key-file = ['a']",
            "`key-file` must be a string, not an array",
            "key-file = ",
        ),
        (
            "key-command = 'a b'",
            "`key-command` must be an array of strings, not a string",
            "key-command = [",
        ),
        (
            "key-command = ['a', 1]",
            "`key-command` must be an array of strings",
            "key-command = [",
        ),
        (
            "key-command = []",
            "does not name a program",
            "key-command = [",
        ),
        (
            "options = 1",
            "`options` must be a table, not an integer",
            "[",
        ),
        (
            "options.page-size = '5'",
            "`page-size` must be a whole number, not a string",
            "page-size = 500",
        ),
        (
            "options.page-size = 0",
            "`page-size` has a wrong value",
            "from 1 to 1000000",
        ),
        (
            "options.concurrency = 4097",
            "wrong value",
            "from 1 to 4096",
        ),
        ("options.max-retries = -1", "wrong value", "at least 0"),
        (
            "options.max-retries = 99999999999999999999",
            "wrong value",
            "at least 0",
        ),
        (
            "options.poll-interval = 5",
            "a duration in quotes, not an integer",
            "\"2s\"",
        ),
        (
            "options.poll-interval = 'often'",
            "expected a duration",
            "2s",
        ),
        (
            "options.checkpoint-bytes = '64 boxes'",
            "expected a number of bytes",
            "64MiB",
        ),
        (
            "options.checkpoint-bytes = 1.5",
            "a number of bytes, not a float",
            "\"64MiB\"",
        ),
        ("endpoint = ''", "`endpoint` is empty", "remove the line"),
        (
            "auth = 'managed_identity'",
            "`auth` has a wrong value",
            "did you mean `managed-identity`?",
        ),
        (
            "container = 'a/b'",
            "cannot be the name of a container",
            "without /",
        ),
        (
            "endpoint = 'http://shop.documents.azure.com'",
            "plain http",
            "use https",
        ),
    ] {
        let error = refused(&format!("[profiles.a]\n{lines}\n"));
        assert!(error.contains("is wrong in line 2\n"), "{lines}: {error}");
        assert!(error.contains(says), "{lines}: {error}");
        assert!(error.contains(example), "{lines}: {error}");
    }
    assert!(refused("profiles = 5").contains("`profiles` must be a table"));
    assert!(refused("profiles.a = 5").contains("`a` must be a table"));
}

#[test]
fn a_profile_has_one_key() {
    let error = refused("[profiles.a]\nkey-file = 'a'\nkey-command = ['b']");
    assert!(error.contains("wrong in line 3"), "{error}");
    assert!(error.contains("`key-file` and `key-command`"), "{error}");
}

#[test]
fn duplicates_are_refused() {
    let error = refused("[profiles.a]\ndatabase = 'x'\ndatabase = 'y'");
    assert!(error.contains("wrong in line 3"), "{error}");
    assert!(error.contains("duplicate key"), "{error}");
    let error = refused("[profiles.a]\n[profiles.a]");
    assert!(error.contains("wrong in line 2"), "{error}");
}

#[test]
fn no_mistake_makes_a_message_repeat_a_secret() {
    for text in [
        format!("[profiles.a]\nkey = {CANARY}"),
        format!("[profiles.a]\nkey = \"{CANARY}"),
        format!("[profiles.a]\nkey = '{CANARY}' '{CANARY}'"),
        format!("[profiles.a]\nkey '{CANARY}'"),
        format!("[profiles.a]\nkey: {CANARY}"),
        format!("[profiles.a]\nkey = ['{CANARY}']"),
        format!("[profiles.a]\nkye = '{CANARY}'"),
        format!("[profiles.a]\nauth = '{CANARY}'"),
        format!("[profiles.a]\nkey-command = ['a', {{ x = '{CANARY}' }}]"),
        format!("[profiles.a]\nendpoint = 'https://u:{CANARY}@shop.documents.azure.com'"),
        format!("[profiles.a]\nendpoint = 'AccountEndpoint=https://a;AccountKey={CANARY}'"),
        format!("[profiles.a]\noptions.page-size = '{CANARY}'"),
        format!("[profiles.a]\noptions.poll-interval = '{CANARY}'"),
        format!("[profiles.a]\nkey = '{CANARY}'\nkey = '{CANARY}'"),
    ] {
        let error = refused(&text);
        assert!(error.contains("wrong in line "), "{error}");
    }
}

#[test]
fn bytes_that_are_not_text_are_refused_with_their_line() {
    let error = ConfigFile::parse(b"[profiles.a]\nkey = '\xff'", Path::new(PATH), None);
    let error = render(&error.unwrap_err());
    assert!(error.contains("wrong in line 2"), "{error}");
    assert!(error.contains("UTF-8"), "{error}");
}

#[test]
fn a_default_must_be_a_profile() {
    let error = refused("\ndefault-profile = 'stagin'\n[profiles.staging]\n[profiles.b]");
    assert!(error.contains("wrong in line 2"), "{error}");
    assert!(error.contains("did you mean `staging`?"), "{error}");
}

#[test]
fn the_named_profile_comes_before_the_default_one() {
    let config = parse("default-profile = 'b'\n[profiles.a]\n[profiles.b]").unwrap();
    let chosen = config.choose(Some(&wanted("a"))).unwrap().unwrap();
    assert_eq!((chosen.profile.name.as_str(), chosen.is_named), ("a", true));
    let chosen = config.choose(None).unwrap().unwrap();
    assert_eq!(
        (chosen.profile.name.as_str(), chosen.is_named),
        ("b", false)
    );
}

#[test]
fn the_flag_names_a_profile_before_the_variable() {
    let of = |arguments: &[&str], environment| {
        let given = Given::parse(["c", "ranges"].iter().chain(arguments)).unwrap();
        given
            .with_environment(environment)
            .wanted_profile()
            .unwrap()
    };
    let set = |name: &str| (name == "COSMOS_TAIL_PROFILE").then(|| "b".to_owned());
    assert_eq!(of(&["--profile", "a"], set).unwrap(), wanted("a"));
    assert_eq!(
        of(&[], set).unwrap(),
        WantedProfile {
            name: "b".to_owned(),
            origin: Origin::Variable("COSMOS_TAIL_PROFILE")
        }
    );
    assert_eq!(of(&[], |_| Some(" ".into())), None);
}

#[test]
fn a_profile_that_does_not_exist_is_a_usage_error_with_the_nearest_name() {
    let config = parse("[profiles.production]\n[profiles.staging]").unwrap();
    let error = config.choose(Some(&wanted("prodution"))).unwrap_err();
    assert_eq!(exit_code(&error), ExitCode::Usage);
    assert_eq!(
        render(&error),
        format!(
            "error: there is no profile `prodution` in `{PATH}` (--profile)\n\
             hint: did you mean `production`? the profiles are: production, staging\n"
        )
    );
    let absent = ConfigFile::load(Path::new("/nonexistent/c.toml"), false, None).unwrap();
    assert!(absent.choose(None).unwrap().is_none());
    let error = absent.choose(Some(&wanted("a"))).unwrap_err();
    assert_eq!(exit_code(&error), ExitCode::Usage);
    assert!(render(&error).contains("`/nonexistent/c.toml` does not exist"));
}

#[test]
fn a_named_file_must_exist() {
    let error = ConfigFile::load(Path::new("/nonexistent/c.toml"), true, None).unwrap_err();
    assert_eq!(exit_code(&error), ExitCode::Usage);
    let text = render(&error);
    assert!(text.contains("/nonexistent/c.toml"), "{text}");
    assert!(text.contains("hint: COSMOS_TAIL_CONFIG"), "{text}");
}

#[cfg(unix)]
#[test]
fn only_a_file_with_a_key_that_others_can_read_is_noticed() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    let notices = |text: &str, mode: u32| {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        ConfigFile::load(&path, true, None).unwrap().notices
    };
    let with_key = format!("[profiles.a]\nkey = '{CANARY}'");
    assert_eq!(notices(&with_key, 0o600), Vec::<String>::new());
    assert_eq!(notices("[profiles.a]", 0o644), Vec::<String>::new());
    let found = notices(&with_key, 0o604);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("(mode 0604); chmod 600"), "{found:?}");
}

#[test]
fn an_existing_export_uses_the_profile_of_its_account() {
    let config = parse(
        "
        [profiles.other]
        endpoint = 'other'
        key = 'AAAA'
        [profiles.anywhere]
        key = 'BBBB'
        [profiles.shop]
        endpoint = 'shop'
        key = 'CCCC'
        ",
    )
    .unwrap();
    let name = |endpoint: &str| {
        let chosen = config.choose_for(None, &source(endpoint), true).unwrap();
        chosen.map(|chosen| (chosen.profile.name.clone(), chosen.is_named))
    };
    assert_eq!(
        name("https://shop.documents.azure.com/"),
        Some(("shop".to_owned(), false))
    );
    assert_eq!(name("https://third.documents.azure.com/"), None);
    let chosen = config.choose_for(
        Some(&wanted("anywhere")),
        &source("https://x.example/"),
        true,
    );
    assert_eq!(chosen.unwrap().unwrap().profile.name, "anywhere");
}

#[test]
fn of_several_profiles_of_an_account_the_default_then_the_container_decides() {
    let several = "
        [profiles.a]
        endpoint = 'shop'
        key = 'AAAA'
        [profiles.b]
        endpoint = 'shop'
        database = 'shop'
        container = 'orders'
        key = 'BBBB'
        ";
    let shop = source("https://shop.documents.azure.com/");
    let name = |text: &str| {
        let config = parse(text).unwrap();
        let chosen = config.choose_for(None, &shop, true);
        chosen.map(|chosen| chosen.unwrap().profile.name.clone())
    };
    assert_eq!(name(several).unwrap(), "b");
    assert_eq!(
        name(&format!("default-profile = 'a'\n{several}")).unwrap(),
        "a"
    );
    let undecided = several.replace("'orders'", "'other'");
    let config = parse(&undecided).unwrap();
    assert!(config.choose_for(None, &shop, false).unwrap().is_none());
    let error = name(&undecided).unwrap_err();
    assert_eq!(exit_code(&error), ExitCode::Usage);
    assert!(render(&error).contains("`a` and `b`"), "{}", render(&error));
    // With one credential there is nothing to decide.
    let same = several
        .replace("'orders'", "'other'")
        .replace("BBBB", "AAAA");
    assert_eq!(name(&same).unwrap(), "a");
}

#[test]
fn a_flag_comes_before_the_option_of_a_profile() {
    let profile = only("[profiles.a.options]\npage-size = 500\nmax-retries = 3");
    let given = Given::parse(["c", "export", "-o", "x", "--page-size", "7"]).unwrap();
    let given = given.with_profile(Some(ChosenProfile {
        profile: &profile,
        is_named: false,
    }));
    let plan = crate::settings::ExportPlan::new(&given).unwrap();
    assert_eq!(
        (plan.settings.page_size, plan.settings.max_retries),
        (7, 3.into())
    );
    let lines: Vec<String> = given
        .option_values()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        lines,
        [
            "concurrency by the number of ranges and cores (default)",
            "page-size 7 (--page-size)",
            "max-retries 3 (profile a)",
            "max-ru none (default)",
            "poll-interval 1s (default)",
            "checkpoint-interval 5s (default)",
            "checkpoint-bytes 256MiB (default)",
            "health-timeout 1m (default)",
            "log-format text (default)",
        ]
    );
}
