//! The configuration file: listed, used, and wrong.

use super::{Pages, Stage};
use crate::gateway::KEY;
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
    let stage = Stage::alone();
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
