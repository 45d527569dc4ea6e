//! Connections with a profile: precedence, and what is reported of it.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::credential::EMULATOR_KEY;
use super::plan::ConnectionPlan;
use super::request::{ConnectionArgs, ConnectionRequest};
use crate::cli::choices::{AuthMethod, Priority};
use crate::cosmos::options::{CredentialOptions, RequestPriority, ThroughputControl};
use crate::error::{ExitCode, exit_code, render};
use crate::feed::ContainerAddress;
use crate::settings::profile::{ChosenProfile, ConfigFile, Profile, ProfileOptions};
use crate::signal::Shutdown;

const KEY: &str = "cHJvZmlsZS1rZXktcHJvZmlsZS1rZXk=";
const OTHER_KEY: &str = "b3RoZXIta2V5LW90aGVyLWtleQ==";

fn args() -> ConnectionArgs {
    ConnectionArgs::default()
}

fn profile(lines: &str) -> Profile {
    let text = format!("[profiles.staging]\n{lines}");
    let config = ConfigFile::parse(text.as_bytes(), Path::new("/c.toml"), None).unwrap();
    config.profiles.into_iter().next().unwrap()
}

fn whole() -> Profile {
    profile(&format!(
        "endpoint = 'shop'\ndatabase = 'd-profile'\ncontainer = 'c-profile'\nkey = '{KEY}'"
    ))
}

fn resolve(
    args: &ConnectionArgs,
    env: &[(&str, &str)],
    profile: &Profile,
    source: Option<&ContainerAddress>,
) -> Result<ConnectionPlan> {
    let env: HashMap<&str, &str> = env.iter().copied().collect();
    let request = ConnectionRequest {
        args,
        profile: Some(ChosenProfile {
            profile,
            is_named: true,
        }),
        source,
        shutdown: &Shutdown::default(),
    };
    let environment = |name: &str| env.get(name).map(|v| (*v).to_owned());
    ConnectionPlan::resolve(&request, &environment, &mut OTHER_KEY.as_bytes())
}

fn lines(plan: &ConnectionPlan) -> Vec<String> {
    plan.values.iter().map(ToString::to_string).collect()
}

fn key(plan: &ConnectionPlan) -> &str {
    match &plan.connect.credential {
        CredentialOptions::Key(key) => key.expose(),
        other => panic!("expected a key, got {other:?}"),
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
fn a_profile_can_provide_everything() {
    let plan = resolve(&args(), &[], &whole(), None).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "endpoint https://shop.documents.azure.com/ (profile staging)",
            "database d-profile (profile staging)",
            "container c-profile (profile staging)",
            "auth auto (default)",
            "key (profile staging)",
        ]
    );
    assert_eq!(key(&plan), KEY);
    assert_eq!(plan.notices, Vec::<String>::new());
    assert!(!format!("{plan:?}").contains(KEY));
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_profile() {
    // For each value: flag, variable, profile; the one that is left wins.
    let env = [
        ("AZURE_COSMOS_DATABASE", "d-env"),
        ("AZURE_COSMOS_CONTAINER", "c-env"),
    ];
    for (flags, env, database, container) in [
        (
            false,
            false,
            "d-profile (profile staging)",
            "c-profile (profile staging)",
        ),
        (
            false,
            true,
            "d-env (AZURE_COSMOS_DATABASE)",
            "c-env (AZURE_COSMOS_CONTAINER)",
        ),
        (true, false, "d-flag (--database)", "c-flag (--container)"),
        (true, true, "d-flag (--database)", "c-flag (--container)"),
    ]
    .map(|(flags, with_env, d, c)| (flags, if with_env { &env[..] } else { &[] }, d, c))
    {
        let mut args = args();
        if flags {
            args.database = Some("d-flag".to_owned());
            args.container = Some("c-flag".to_owned());
        }
        let plan = resolve(&args, env, &whole(), None).unwrap();
        assert_eq!(
            lines(&plan)[1..3],
            [
                format!("database {database}"),
                format!("container {container}")
            ]
        );
    }
}

#[test]
fn the_endpoint_comes_from_flag_variable_connection_string_or_profile() {
    let string = format!("AccountEndpoint=https://string.example/;AccountKey={OTHER_KEY}");
    let variable = ("AZURE_COSMOS_ENDPOINT", "https://variable.example/");
    let string = ("AZURE_COSMOS_CONNECTION_STRING", string.as_str());
    let key = ("AZURE_COSMOS_KEY", OTHER_KEY);
    let mut typed = args();
    typed.endpoint = Some("https://flag.example/".to_owned());
    for (args, env, expected) in [
        (
            &typed,
            &[variable, string, key][..],
            "https://flag.example/ (--endpoint)",
        ),
        (
            &args(),
            &[variable, string, key],
            "https://variable.example/ (AZURE_COSMOS_ENDPOINT)",
        ),
        (
            &args(),
            &[string],
            "https://string.example/ (AZURE_COSMOS_CONNECTION_STRING)",
        ),
        (
            &args(),
            &[],
            "https://shop.documents.azure.com/ (profile staging)",
        ),
    ] {
        let plan = resolve(args, env, &whole(), None).unwrap();
        assert_eq!(lines(&plan)[0], format!("endpoint {expected}"));
    }
}

#[test]
fn the_credential_is_one_value_that_the_highest_place_decides() {
    let with = |line: &str| {
        profile(&format!(
            "endpoint='shop'\ndatabase='d'\ncontainer='c'\n{line}"
        ))
    };
    let identity = with("auth = 'managed-identity'");
    let plan = resolve(&args(), &[], &identity, None).unwrap();
    assert_eq!(
        lines(&plan)[3..],
        ["auth managed-identity (profile staging)"]
    );

    let env = [("AZURE_COSMOS_KEY", OTHER_KEY)];
    let plan = resolve(&args(), &env, &identity, None).unwrap();
    assert_eq!(
        lines(&plan)[3..],
        ["auth key (AZURE_COSMOS_KEY)", "key (AZURE_COSMOS_KEY)"]
    );
    assert_eq!(
        plan.notices,
        [
            "AZURE_COSMOS_KEY overrides the credential of profile `staging`; unset it to use the profile's"
        ]
    );

    let mut typed = args();
    typed.key_file = Some("-".into());
    let plan = resolve(&typed, &[], &identity, None).unwrap();
    assert_eq!(
        lines(&plan)[3..],
        [
            "auth key (--key-file)",
            "key from standard input (--key-file)"
        ]
    );
    assert_eq!(plan.notices, Vec::<String>::new());

    let mut typed = args();
    typed.auth = Some(AuthMethod::Cli);
    let plan = resolve(&typed, &env, &with(&format!("key = '{KEY}'")), None).unwrap();
    assert_eq!(lines(&plan)[3..], ["auth cli (--auth)"]);

    let mut typed = args();
    typed.auth = Some(AuthMethod::Key);
    let plan = resolve(&typed, &[], &with(&format!("key = '{KEY}'")), None).unwrap();
    assert_eq!(key(&plan), KEY);
}

#[test]
fn a_profile_of_another_account_gives_no_key() {
    let mut typed = args();
    typed.endpoint = Some("https://other.example/".to_owned());
    let plan = resolve(&typed, &[], &whole(), None).unwrap();
    assert!(matches!(
        plan.connect.credential,
        CredentialOptions::EntraId(_)
    ));
    assert_eq!(
        plan.notices,
        [
            "the credential of profile `staging` is for https://shop.documents.azure.com/ and is not \
          used for https://other.example/"
        ]
    );
    let plan = resolve(
        &args(),
        &[("AZURE_COSMOS_ENDPOINT", "https://other.example/")],
        &whole(),
        None,
    );
    let notices = plan.unwrap().notices;
    assert!(
        notices[1].starts_with("AZURE_COSMOS_ENDPOINT overrides the endpoint of profile"),
        "{notices:?}"
    );
}

#[test]
fn the_emulator_of_a_profile_is_the_emulator() {
    let emulator = profile("endpoint = 'emulator'\ndatabase = 'd'\ncontainer = 'c'");
    let plan = resolve(&args(), &[], &emulator, None).unwrap();
    assert_eq!(key(&plan), EMULATOR_KEY);
    assert!(plan.connect.accept_self_signed);
    // And when its export is resumed, whose state has only the address.
    let mut typed = args();
    (typed.database, typed.container) = (Some("shop".into()), Some("orders".into()));
    let source = source("https://localhost:8081/");
    let plan = resolve(&typed, &[], &emulator, Some(&source)).unwrap();
    assert_eq!(key(&plan), EMULATOR_KEY);
    assert!(plan.connect.accept_self_signed);
}

#[test]
fn a_profile_provides_only_the_credential_of_an_existing_export() {
    let source = source("https://shop.documents.azure.com/");
    let mut typed = args();
    typed.container = Some("orders".to_owned());
    let environment = [
        ("AZURE_COSMOS_DATABASE", "shop"),
        ("AZURE_COSMOS_ENDPOINT", "SHOP.documents.azure.com"),
    ];
    let plan = resolve(&typed, &environment, &whole(), Some(&source)).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "endpoint https://shop.documents.azure.com/ (state file)",
            "database shop (state file)",
            "container orders (state file)",
            "auth auto (default)",
            "key (profile staging)",
        ]
    );
    assert_eq!(plan.notices, Vec::<String>::new());
}

#[test]
fn a_state_and_other_sources_must_not_contradict_each_other() {
    let source = source("https://shop.documents.azure.com/");
    let key_only = profile(&format!("key = '{KEY}'"));
    let said = |change: fn(&mut ConnectionArgs), env: &[(&str, &str)], profile: &Profile| {
        let mut typed = args();
        change(&mut typed);
        let error = resolve(&typed, env, profile, Some(&source)).unwrap_err();
        assert_eq!(exit_code(&error), ExitCode::Usage);
        render(&error)
    };
    assert_eq!(
        said(|args| args.endpoint = Some("other".into()), &[], &key_only),
        "error: the state belongs to the account `https://shop.documents.azure.com/`, but --endpoint names \
         `https://other.documents.azure.com/`\n\
         hint: if this is the right state, leave --endpoint out; if the account has this address now, \
         add --account-moved\n"
    );
    assert_eq!(
        said(|args| args.container = Some("typed".into()), &[], &key_only),
        "error: the state belongs to the container `orders`, but --container names `typed`\n\
         hint: if this is the right state, leave --container out\n"
    );
    assert_eq!(
        said(|_| (), &[("AZURE_COSMOS_DATABASE", "env")], &key_only),
        "error: the state belongs to the database `shop`, but AZURE_COSMOS_DATABASE names `env`\n\
         hint: if this is the right state, unset AZURE_COSMOS_DATABASE, or give --database \
         shop\n"
    );
    assert_eq!(
        said(|_| (), &[], &whole()),
        "error: the state belongs to the database `shop`, but profile staging names `d-profile`\n\
         hint: if this is the right state, use another profile, or give --database shop\n"
    );
    let string = "AccountEndpoint=https://elsewhere.documents.azure.com:443/;AccountKey=x;";
    let text = said(
        |_| (),
        &[("AZURE_COSMOS_CONNECTION_STRING", string)],
        &key_only,
    );
    assert!(
        text.starts_with(
            "error: the state belongs to the account `https://shop.documents.azure.com/`, but \
             AZURE_COSMOS_CONNECTION_STRING names `https://elsewhere.documents.azure.com/`\n"
        ),
        "{text}"
    );
}

#[test]
fn a_state_alone_sends_no_token_outside_azure() {
    let typed = ConnectionArgs {
        auth: Some(AuthMethod::Cli),
        ..args()
    };
    let nothing = profile("");
    for endpoint in [
        "https://evil.example/",
        "https://documents.azure.com.evil.example/",
        "https://evildocuments.azure.com/",
        "https://127.0.0.1/",
    ] {
        let error = resolve(&typed, &[], &nothing, Some(&source(endpoint))).unwrap_err();
        assert_eq!(exit_code(&error), ExitCode::Usage);
        assert_eq!(
            render(&error),
            format!(
                "error: only the state names the account {endpoint}, and an Entra ID token would be sent there\n\
                 hint: if the account is yours, confirm it with --endpoint {endpoint}\n"
            )
        );
        let env = [("AZURE_COSMOS_ENDPOINT", endpoint)];
        resolve(&typed, &env, &nothing, Some(&source(endpoint))).unwrap();
    }
    let shop = source("https://shop.documents.azure.com/");
    resolve(&typed, &[], &nothing, Some(&shop)).unwrap();
}

#[test]
fn an_export_of_another_account_is_refused_naming_both() {
    let source = source("https://other.example/");
    let error = resolve(&args(), &[], &whole(), Some(&source)).unwrap_err();
    assert_eq!(exit_code(&error), ExitCode::Usage);
    assert_eq!(
        render(&error),
        "error: the state belongs to the account `https://other.example/`, but profile staging names \
         `https://shop.documents.azure.com/`\n\
         hint: if this is the right state, use another profile, or give --endpoint \
         https://other.example/; if the account has this address now, add --account-moved\n"
    );
    let anywhere = profile(&format!("key = '{KEY}'"));
    assert_eq!(
        key(&resolve(&args(), &[], &anywhere, Some(&source)).unwrap()),
        KEY
    );
}

#[test]
fn the_container_alone_needs_no_key() {
    let mut profile = whole();
    profile.key = Some(crate::settings::KeySource::Command(vec![
        "/nonexistent".into(),
    ]));
    let request = ConnectionRequest {
        args: &args(),
        profile: Some(ChosenProfile {
            profile: &profile,
            is_named: true,
        }),
        source: None,
        shutdown: &Shutdown::default(),
    };
    assert_eq!(
        ConnectionPlan::container_of(&request, &|_| None).unwrap(),
        "c-profile"
    );
    assert_eq!(profile.options, ProfileOptions::default());
}

#[cfg(unix)]
mod key_commands {
    use super::*;
    use crate::settings::connection::key::run_key_command;

    fn run(script: &str, deadline: Duration) -> Result<String> {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        run_key_command(
            &words,
            "key-command `sh`",
            deadline,
            &Shutdown::default(),
            &mut Vec::new(),
        )
        .map(|key| key.to_string())
    }

    fn failure(script: &str, deadline: Duration) -> String {
        let error = run(script, deadline).unwrap_err();
        assert!(!format!("{error:?}").contains(KEY), "{error:?}");
        render(&error)
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn its_standard_output_is_the_key() {
        let command = format!("key-command = ['/bin/sh', '-c', 'cat; echo {KEY}']");
        let profile = profile(&format!(
            "endpoint='shop'\ndatabase='d'\ncontainer='c'\n{command}"
        ));
        let plan = resolve(&args(), &[], &profile, None).unwrap();
        assert_eq!(key(&plan), KEY);
        assert_eq!(
            lines(&plan)[4],
            "key from key-command /bin/sh (profile staging)"
        );
    }

    #[test]
    fn it_does_not_run_when_a_key_is_given() {
        let directory = tempfile::tempdir().unwrap();
        let witness = directory.path().join("ran");
        let command = format!("key-command = ['/bin/touch', '{}']", witness.display());
        let profile = profile(&format!(
            "endpoint='shop'\ndatabase='d'\ncontainer='c'\n{command}"
        ));
        resolve(&args(), &[("AZURE_COSMOS_KEY", KEY)], &profile, None).unwrap();
        let mut typed = args();
        typed.endpoint = Some("https://other.example".to_owned());
        resolve(&typed, &[], &profile, None).unwrap();
        assert!(!witness.exists());
        let error = resolve(&args(), &[], &profile, None).unwrap_err();
        assert!(witness.exists());
        assert!(
            render(&error).contains("is not an account key"),
            "{error:?}"
        );
    }

    #[test]
    fn its_failure_is_reported_without_its_output() {
        let text = failure(&format!("echo {KEY}; exit 3"), LONG);
        assert!(text.contains("failed (exit status: 3)"), "{text}");
        assert!(text.contains("hint: "), "{text}");
        let text = failure("head -c 70000 /dev/zero", LONG);
        assert!(text.contains("larger than 64 KiB"), "{text}");
        let words = ["/nonexistent/az".to_owned()];
        let error = run_key_command(
            &words,
            "key-command `az`",
            LONG,
            &Shutdown::default(),
            &mut Vec::new(),
        );
        assert!(render(&error.unwrap_err()).contains("cannot run key-command `az`"));
    }

    #[test]
    fn it_is_stopped_when_it_takes_too_long() {
        let started = Instant::now();
        for script in [
            "exec sleep 10",
            // A grandchild holds the pipe open.
            "sleep 10 & exit 0",
            // It closes its output and keeps running.
            "exec >&-; exec sleep 10",
        ] {
            let text = failure(script, Duration::from_millis(200));
            assert!(
                text.contains("did not finish within 0.2 s"),
                "{script}: {text}"
            );
        }
        assert!(started.elapsed() < LONG);
    }
}

#[test]
fn priority_and_bucket_come_from_the_flag_or_else_the_profile() {
    let of = |options: &str, args: &ConnectionArgs| {
        let profile = profile(&format!(
            "endpoint = 'shop'\ndatabase = 'd'\ncontainer = 'c'\nkey = '{KEY}'\n{options}"
        ));
        let plan = resolve(args, &[], &profile, None).unwrap();
        (plan.connect.throughput, lines(&plan).split_off(5))
    };
    assert_eq!(of("", &args()), (ThroughputControl::default(), Vec::new()));
    let both = "options.priority = 'low'\noptions.throughput-bucket = 2";
    let (plan, said) = of(both, &args());
    assert_eq!(
        (plan.priority, plan.bucket),
        (Some(RequestPriority::Low), Some(2))
    );
    assert_eq!(
        said,
        [
            "throughput-bucket 2 (profile staging)",
            "priority low (profile staging)"
        ]
    );
    let typed = ConnectionArgs {
        priority: Some(Priority::High),
        ..args()
    };
    let (plan, said) = of(both, &typed);
    assert_eq!(
        (plan.priority, plan.bucket),
        (Some(RequestPriority::High), Some(2))
    );
    assert_eq!(said[1], "priority high (--priority)");
}
