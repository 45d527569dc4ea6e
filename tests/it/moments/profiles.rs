//! The configuration file: listed, used, and wrong.

use super::{Pages, Stage};
use crate::gateway::{Action, Fault, Gateway, KEY, RequestKind};
use crate::orders::filled;

/// Writes the configuration file, which only its owner may read.
fn configure(stage: &Stage, name: &str, text: &str) {
    stage.write(name, text);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(stage.path(name), mode).unwrap();
    }
}

#[test]
fn profiles() {
    let (gateway, _) = filled(1, 5);
    let mut stage = Stage::alone();
    // Of the length that keys have.
    stage.set("$LONG_KEY", format!("{}==", "A".repeat(86)));
    let mut pages = Pages::new("profiles");
    configure(
        &stage,
        "list.toml",
        "default-profile = 'staging'\n\
         [profiles.production]\nendpoint = 'shop'\ndatabase = 'shop'\ncontainer = 'orders'\n\
         auth = 'managed-identity'\n\
         [profiles.staging]\nendpoint = 'emulator'\nkey = 'a secret'\noptions.page-size = 500\n\
         [profiles.vault]\nkey-command = ['az', '--token', 'a secret']\n\
         [profiles.file]\nkey-file = '/secrets/file.key'\n",
    );
    configure(
        &stage,
        "own.toml",
        &format!(
            "[profiles.own]\nendpoint = '{}'\ndatabase = 'shop'\ncontainer = 'orders'\nkey = '{KEY}'\n\
             options.page-size = 500\noptions.max-retries = 3\n",
            gateway.endpoint()
        ),
    );
    configure(
        &stage,
        "command.toml",
        &format!(
            "[profiles.a]\nendpoint = '{0}'\ndatabase = 'shop'\ncontainer = 'orders'\n\
             key-command = ['sh', '-c', 'exit 4']\n\
             [profiles.b]\nendpoint = '{0}'\ndatabase = 'shop'\ncontainer = 'orders'\n\
             key-command = ['no-such-program']\n",
            gateway.endpoint()
        ),
    );
    for (name, text) in [
        ("empty.toml", ""),
        (
            "readable.toml",
            "[profiles.own]\nendpoint = 'shop'\nkey = 'a secret'\n",
        ),
        ("syntax.toml", "[profiles.a]\nendpoint: 'x'\n"),
        ("unknown.toml", "[profiles.a]\nendpont = 'x'\n"),
        ("kind.toml", "[profiles.a]\noptions.page-size = 'many'\n"),
        ("bounds.toml", "[profiles.a]\noptions.page-size = 0\n"),
        (
            "keys.toml",
            "[profiles.a]\nkey = 'YQ=='\nkey-file = 'file.key'\n",
        ),
        (
            "default.toml",
            "default-profile = 'b'\n[profiles.a]\nendpoint = 'emulator'\n",
        ),
    ] {
        configure(&stage, name, text);
    }
    for (name, about, typed) in [
        (
            "table",
            "Four profiles.",
            "COSMOS_TAIL_CONFIG=list.toml cosmos-tail profiles",
        ),
        (
            "json",
            "The same as JSON.",
            "COSMOS_TAIL_CONFIG=list.toml cosmos-tail profiles --format json",
        ),
        (
            "verbose",
            "With -v.",
            "COSMOS_TAIL_CONFIG=list.toml cosmos-tail profiles -v",
        ),
        (
            "empty",
            "A configuration file without profiles.",
            "COSMOS_TAIL_CONFIG=empty.toml cosmos-tail profiles",
        ),
        (
            "used-verbose",
            "A profile is used; -v names the origin of each value.",
            "COSMOS_TAIL_CONFIG=own.toml cosmos-tail export --profile own -o orders -v",
        ),
        (
            "flag-overrides",
            "A flag overrides the profile.",
            "COSMOS_TAIL_CONFIG=own.toml cosmos-tail export --profile own -o overridden -v --page-size 10",
        ),
        (
            "environment-overrides",
            "The environment overrides the profile.",
            "COSMOS_TAIL_CONFIG=own.toml AZURE_COSMOS_CONTAINER=other cosmos-tail ranges --profile own",
        ),
        (
            "by-environment",
            "The environment names a profile that does not exist.",
            "COSMOS_TAIL_CONFIG=own.toml COSMOS_TAIL_PROFILE=other cosmos-tail ranges",
        ),
        (
            "unknown",
            "A profile that does not exist, one letter off.",
            "COSMOS_TAIL_CONFIG=list.toml cosmos-tail ranges --profile prodction",
        ),
        (
            "unknown-without-file",
            "A profile, and the configuration file is empty.",
            "COSMOS_TAIL_CONFIG=empty.toml cosmos-tail ranges --profile a",
        ),
        (
            "default-unknown",
            "The default profile does not exist.",
            "COSMOS_TAIL_CONFIG=default.toml cosmos-tail ranges",
        ),
        (
            "syntax",
            "A line that is not TOML.",
            "COSMOS_TAIL_CONFIG=syntax.toml cosmos-tail ranges --profile a",
        ),
        (
            "unknown-key",
            "A key that does not exist, one letter off.",
            "COSMOS_TAIL_CONFIG=unknown.toml cosmos-tail ranges --profile a",
        ),
        (
            "wrong-type",
            "Text where a number is expected.",
            "COSMOS_TAIL_CONFIG=kind.toml cosmos-tail ranges --profile a",
        ),
        (
            "out-of-bounds",
            "A number that is too small.",
            "COSMOS_TAIL_CONFIG=bounds.toml cosmos-tail ranges --profile a",
        ),
        (
            "two-keys",
            "Two sources of the key.",
            "COSMOS_TAIL_CONFIG=keys.toml cosmos-tail ranges --profile a",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    changes(&stage, &mut pages);
    tests(&gateway, &stage, &mut pages);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(stage.path("readable.toml"), mode).unwrap();
    }
    for (name, about, typed) in [
        (
            "file-missing",
            "A configuration file that does not exist.",
            "COSMOS_TAIL_CONFIG=missing.toml cosmos-tail profiles",
        ),
        (
            "key-command-fails",
            "The command for the key fails.",
            "COSMOS_TAIL_CONFIG=command.toml cosmos-tail ranges --profile a",
        ),
        (
            "key-command-missing",
            "The command for the key does not exist.",
            "COSMOS_TAIL_CONFIG=command.toml cosmos-tail ranges --profile b",
        ),
        (
            "readable-by-others",
            "Other users can read the key.",
            "COSMOS_TAIL_CONFIG=readable.toml cosmos-tail profiles",
        ),
    ] {
        stage.show_on_unix(&mut pages, name, about, typed);
    }
    pages.finish();
}

/// Profiles that are added and chosen.
fn changes(stage: &Stage, pages: &mut Pages) {
    configure(
        stage,
        "new.toml",
        "# mine\n[profiles.old]\nendpoint = 'emulator'\n",
    );
    stage.write("account.key", KEY);
    for (name, about, typed) in [
        (
            "add",
            "A profile is added.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add prod --endpoint shop -d shop -c orders --auth cli",
        ),
        (
            "add-exists",
            "A profile that exists.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add prod --endpoint other",
        ),
        (
            "add-force",
            "A profile that exists is replaced.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add prod --endpoint other --force --key-file account.key",
        ),
        (
            "add-key-of-environment",
            "A key is in the environment, and is not stored.",
            "COSMOS_TAIL_CONFIG=new.toml AZURE_COSMOS_KEY=$KEY cosmos-tail profiles add env --endpoint shop",
        ),
        (
            "add-store-key",
            "The key of the environment is stored.",
            "COSMOS_TAIL_CONFIG=new.toml AZURE_COSMOS_KEY=$KEY cosmos-tail profiles add kept --endpoint shop --store-key",
        ),
        (
            "add-key-from-stdin",
            "A key from standard input, and nowhere to keep it.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add piped --endpoint shop --key-file - < account.key",
        ),
        (
            "add-store-key-without-key",
            "--store-key without a key.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add empty --endpoint shop --store-key",
        ),
        (
            "add-store-key-and-file",
            "--store-key beside a key file.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add both --endpoint shop --store-key --key-file account.key",
        ),
        (
            "add-store-key-and-auth",
            "--store-key beside a method that needs no key.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add both --endpoint shop --store-key --auth cli",
        ),
        (
            "add-store-key-name",
            "A name that cannot be that of a file.",
            "COSMOS_TAIL_CONFIG=new.toml AZURE_COSMOS_KEY=$KEY cosmos-tail profiles add a/b --endpoint shop --store-key",
        ),
        (
            "add-key-file-missing",
            "A key file that does not exist.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add later --endpoint shop --key-file later.key",
        ),
        (
            "add-hyphen",
            "A name that would be taken for a flag.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add --endpoint shop -- -prod",
        ),
        (
            "add-demo",
            "A profile of an embedded account.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add demo --demo",
        ),
        (
            "list",
            "A word of other tools for the list of profiles.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles list",
        ),
        (
            "remove",
            "A word of other tools for what an editor does.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles remove old",
        ),
        (
            "add-nothing",
            "Nothing is given.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add nothing",
        ),
        (
            "add-a-key",
            "A key in place of the name.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles add $LONG_KEY --endpoint shop",
        ),
        (
            "add-to-broken",
            "The file is wrong.",
            "COSMOS_TAIL_CONFIG=syntax.toml cosmos-tail profiles add b --endpoint shop",
        ),
        (
            "format-before-the-command",
            "A flag before the command that it is for.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles --format json test",
        ),
        (
            "use",
            "The default profile is set.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles use prod",
        ),
        (
            "use-again",
            "The default profile is set again, and a variable names another.",
            "COSMOS_TAIL_CONFIG=new.toml COSMOS_TAIL_PROFILE=old cosmos-tail profiles use prod",
        ),
        (
            "use-unknown",
            "A profile that does not exist, two letters swapped.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles use prdo",
        ),
        (
            "use-without-file",
            "There is no configuration file.",
            "COSMOS_TAIL_CONFIG=nowhere.toml cosmos-tail profiles use prod",
        ),
        (
            "changed",
            "The profiles after these changes.",
            "COSMOS_TAIL_CONFIG=new.toml cosmos-tail profiles",
        ),
    ] {
        stage.show(pages, name, about, typed);
    }
    let text = std::fs::read_to_string(stage.path("new.toml")).unwrap();
    assert!(
        text.starts_with("default-profile = \"prod\"\n# mine\n"),
        "{text}"
    );
    assert!(!text.contains(KEY), "{text}");
}

/// Connections that are tested.
fn tests(gateway: &Gateway, stage: &Stage, pages: &mut Pages) {
    for (name, about, typed) in [
        (
            "test",
            "A profile that works.",
            "COSMOS_TAIL_CONFIG=own.toml cosmos-tail profiles test own",
        ),
        (
            "test-json",
            "The same as JSON.",
            "COSMOS_TAIL_CONFIG=own.toml cosmos-tail profiles test own --format json",
        ),
        (
            "test-container",
            "Its container does not exist, one letter off.",
            "COSMOS_TAIL_CONFIG=own.toml cosmos-tail profiles test own -c order",
        ),
        (
            "test-unknown",
            "A profile that does not exist.",
            "COSMOS_TAIL_CONFIG=own.toml cosmos-tail profiles test onw",
        ),
        (
            "test-twice-named",
            "Two profiles are named.",
            "COSMOS_TAIL_CONFIG=own.toml cosmos-tail profiles test own --profile other",
        ),
        (
            "test-nothing",
            "Nothing names an account.",
            "COSMOS_TAIL_CONFIG=empty.toml cosmos-tail profiles test",
        ),
        (
            "test-demo",
            "The embedded account.",
            "cosmos-tail --demo profiles test",
        ),
        (
            "test-wrong-key",
            "Another account's key.",
            "COSMOS_TAIL_CONFIG=own.toml AZURE_COSMOS_KEY=YW5vdGhlcg== cosmos-tail profiles test own",
        ),
        (
            "test-clock",
            "The clock is wrong by an hour.",
            "COSMOS_TAIL_CONFIG=own.toml COSMOS_TAIL_CLOCK=hour cosmos-tail profiles test own",
        ),
    ] {
        stage.write("hour", "3610");
        stage.show(pages, name, about, typed);
    }
    let refuse = Action::Refuse {
        status: 403,
        message: "Request blocked by Auth shop : Request is blocked because principal [ID] does not have required \
                  RBAC permissions to perform action [Microsoft.DocumentDB/databaseAccounts/readMetadata] on \
                  resource [/].",
    };
    for (name, about, kind, action) in [
        (
            "test-role",
            "A role that lacks an action.",
            RequestKind::Container,
            refuse,
        ),
        (
            "test-outage",
            "The account answers with an outage.",
            RequestKind::Account,
            Action::status(503, 0),
        ),
        (
            "test-feed",
            "Pages that are cut.",
            RequestKind::ChangeFeed,
            Action::CorruptBody,
        ),
    ] {
        gateway.clear_faults();
        gateway.push_fault(Fault::on(kind, action).times(1_000));
        let typed = "COSMOS_TAIL_CONFIG=own.toml cosmos-tail profiles test own";
        stage.show(pages, name, about, typed);
    }
    gateway.clear_faults();
}
