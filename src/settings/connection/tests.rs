//! Connections from flags and the environment.

use std::collections::HashMap;

use anyhow::Result;

use super::credential::EMULATOR_KEY;
use super::plan::ConnectionPlan;
use super::request::{ConnectionArgs, ConnectionRequest};
use crate::cli::choices::AuthMethod;
use crate::cosmos::options::{CredentialOptions, EntraIdOptions, NationalCloud, SecretText};
use crate::error::{ExitCode, exit_code, render};
use crate::signal::Shutdown;

/// A base64 text that no message may repeat.
const CANARY: &str = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeQ==";
const OTHER_KEY: &str = "b3RoZXIta2V5LW90aGVyLWtleQ==";
const ACCOUNT: &str = "https://shop.documents.azure.com:443/";

fn args() -> ConnectionArgs {
    ConnectionArgs {
        database: Some("shop".to_owned()),
        container: Some("orders".to_owned()),
        ..ConnectionArgs::default()
    }
}

fn at(endpoint: &str) -> ConnectionArgs {
    ConnectionArgs {
        endpoint: Some(endpoint.to_owned()),
        ..args()
    }
}

fn resolve(args: &ConnectionArgs, env: &[(&str, &str)]) -> Result<ConnectionPlan> {
    resolve_with_stdin(args, env, b"")
}

fn resolve_with_stdin(
    args: &ConnectionArgs,
    env: &[(&str, &str)],
    stdin: &[u8],
) -> Result<ConnectionPlan> {
    let env: HashMap<&str, &str> = env.iter().copied().collect();
    let mut stdin = stdin;
    let request = ConnectionRequest {
        args,
        profile: None,
        source: None,
        shutdown: &Shutdown::default(),
    };
    ConnectionPlan::resolve(
        &request,
        &|name| env.get(name).map(|v| (*v).to_owned()),
        &mut stdin,
    )
}

/// The rendered usage error of a resolution that must fail with exit code 2.
fn usage_error(result: Result<ConnectionPlan>) -> String {
    let error = result.expect_err("must be refused");
    assert_eq!(exit_code(&error), ExitCode::Usage, "{}", render(&error));
    let text = render(&error);
    for secret in [CANARY, OTHER_KEY] {
        assert!(!text.contains(secret), "{text}");
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
    text
}

fn key(plan: &ConnectionPlan) -> &str {
    match &plan.connect.credential {
        CredentialOptions::Key(key) => key.expose(),
        other => panic!("expected a key, got {other:?}"),
    }
}

fn entra(plan: &ConnectionPlan) -> &EntraIdOptions {
    match &plan.connect.credential {
        CredentialOptions::EntraId(source) => source,
        other => panic!("expected an Entra ID credential, got {other:?}"),
    }
}

fn connection_string(endpoint: &str, key: &str) -> String {
    format!("AccountEndpoint={endpoint};AccountKey={key};")
}

#[test]
fn a_key_in_the_environment_goes_with_the_endpoint_flag() {
    let plan = resolve(&at(ACCOUNT), &[("AZURE_COSMOS_KEY", CANARY)]).unwrap();
    assert_eq!(
        plan.connect.endpoint.as_str(),
        "https://shop.documents.azure.com/"
    );
    assert_eq!(
        (
            plan.connect.database.as_str(),
            plan.connect.container.as_str()
        ),
        ("shop", "orders")
    );
    assert_eq!(key(&plan), CANARY);
    assert!(!plan.connect.accept_self_signed);
    assert_eq!(plan.notices, Vec::<String>::new());
}

#[test]
fn a_connection_string_alone_gives_endpoint_key_and_database() {
    let text = format!("accountendpoint={ACCOUNT}; AccountKey={CANARY};Database=books;Unknown=1;");
    let mut args = args();
    args.database = None;
    let plan = resolve(&args, &[("AZURE_COSMOS_CONNECTION_STRING", &text)]).unwrap();
    assert_eq!(
        plan.connect.endpoint.as_str(),
        "https://shop.documents.azure.com/"
    );
    assert_eq!(plan.connect.database, "books");
    assert_eq!(key(&plan), CANARY);
}

#[test]
fn a_database_flag_wins_over_the_connection_string() {
    let text = format!("{}Database=books", connection_string(ACCOUNT, CANARY));
    let plan = resolve(&args(), &[("AZURE_COSMOS_CONNECTION_STRING", &text)]).unwrap();
    assert_eq!(plan.connect.database, "shop");
}

#[test]
fn a_connection_string_without_a_key_leads_to_entra_id() {
    let text = format!("AccountEndpoint={ACCOUNT}");
    let plan = resolve(&args(), &[("AZURE_COSMOS_CONNECTION_STRING", &text)]).unwrap();
    assert_eq!(entra(&plan), &EntraIdOptions::AzureCli { by_default: true });
}

#[test]
fn the_same_account_may_be_named_twice() {
    let text = connection_string("https://SHOP.documents.azure.com", CANARY);
    let plan = resolve(&at(ACCOUNT), &[("AZURE_COSMOS_CONNECTION_STRING", &text)]).unwrap();
    assert_eq!(key(&plan), CANARY);
}

#[test]
fn a_connection_string_for_another_account_is_a_contradiction() {
    let text = connection_string("https://other.documents.azure.com:443/", CANARY);
    for auth in [AuthMethod::Auto, AuthMethod::Key] {
        let mut args = at(ACCOUNT);
        args.auth = Some(auth);
        let error = usage_error(resolve(&args, &[("AZURE_COSMOS_CONNECTION_STRING", &text)]));
        assert!(error.contains("https://shop.documents.azure.com/"));
        assert!(error.contains("https://other.documents.azure.com/"));
    }
}

#[test]
fn a_connection_string_for_another_account_is_left_aside_when_its_key_is_not_needed() {
    let text = connection_string("https://other.documents.azure.com:443/", CANARY);
    let string = ("AZURE_COSMOS_CONNECTION_STRING", text.as_str());
    let plan = resolve(&at(ACCOUNT), &[string, ("AZURE_COSMOS_KEY", OTHER_KEY)]).unwrap();
    assert_eq!(key(&plan), OTHER_KEY);
    let mut cli = at(ACCOUNT);
    cli.auth = Some(AuthMethod::Cli);
    assert_eq!(
        entra(&resolve(&cli, &[string]).unwrap()),
        &EntraIdOptions::AzureCli { by_default: false }
    );
    assert_eq!(
        key(&resolve(&at("emulator"), &[string]).unwrap()),
        EMULATOR_KEY
    );
}

#[test]
fn two_different_keys_for_one_account_are_a_contradiction() {
    let text = connection_string(ACCOUNT, CANARY);
    let string = ("AZURE_COSMOS_CONNECTION_STRING", text.as_str());
    let error = usage_error(resolve(&args(), &[string, ("AZURE_COSMOS_KEY", OTHER_KEY)]));
    assert!(error.contains("unset one of them"));
    let plan = resolve(&args(), &[string, ("AZURE_COSMOS_KEY", CANARY)]).unwrap();
    assert_eq!(key(&plan), CANARY);
}

#[test]
fn a_malformed_connection_string_is_refused_without_being_repeated() {
    for text in [
        CANARY.to_owned() + "no-equals",
        CANARY.replace('=', ""),
        format!("AccountKey={CANARY}"),
        format!("AccountEndpoint=not a url;AccountKey={CANARY}"),
        format!("AccountEndpoint={ACCOUNT};AccountKey=%{CANARY}"),
    ] {
        let error = usage_error(resolve(
            &args(),
            &[("AZURE_COSMOS_CONNECTION_STRING", &text)],
        ));
        assert!(error.contains("AZURE_COSMOS_CONNECTION_STRING"), "{error}");
        assert!(!error.contains(&CANARY[..20]), "{error}");
    }
}

#[test]
fn emulator_is_the_well_known_address_and_key_with_its_own_certificate() {
    let plan = resolve(&at("Emulator"), &[]).unwrap();
    assert_eq!(plan.connect.endpoint.as_str(), "https://localhost:8081/");
    assert_eq!(key(&plan), EMULATOR_KEY);
    assert!(plan.connect.accept_self_signed);
    let plan = resolve(&at("emulator"), &[("AZURE_COSMOS_KEY", CANARY)]).unwrap();
    assert_eq!(key(&plan), CANARY);
    assert!(plan.connect.accept_self_signed);
}

#[test]
fn a_certificate_goes_unchecked_on_the_loopback_interface_only() {
    let string = |endpoint| {
        format!(
            "{}DisableServerCertificateValidation=True",
            connection_string(endpoint, CANARY)
        )
    };
    let resolve = |text: &str| resolve(&args(), &[("AZURE_COSMOS_CONNECTION_STRING", text)]);
    assert!(
        resolve(&string("https://127.0.0.1:8081"))
            .unwrap()
            .connect
            .accept_self_signed
    );
    let plan = resolve(&string(ACCOUNT)).unwrap();
    assert!(!plan.connect.accept_self_signed);
    assert!(plan.notices[0].contains("is ignored"), "{:?}", plan.notices);
    let plan = self::resolve(
        &at("https://localhost:8081"),
        &[("AZURE_COSMOS_KEY", CANARY)],
    );
    assert!(!plan.unwrap().connect.accept_self_signed);
}

#[test]
fn plain_http_on_loopback_without_a_key_is_an_emulator() {
    let plan = resolve(&at("http://localhost:8081"), &[]).unwrap();
    assert_eq!(key(&plan), EMULATOR_KEY);
    assert!(plan.notices[0].contains("well-known key"));
    assert!(!plan.connect.accept_self_signed);
    let plan = resolve(&at("http://[::1]:8081"), &[("AZURE_COSMOS_KEY", CANARY)]).unwrap();
    assert_eq!(key(&plan), CANARY);
}

#[test]
fn an_entra_id_token_never_goes_over_plain_http() {
    let mut args = at("http://localhost:8081");
    args.auth = Some(AuthMethod::Cli);
    assert!(usage_error(resolve(&args, &[])).contains("plain http"));
}

#[test]
fn hosts_and_account_names_are_completed_to_urls() {
    for (given, endpoint) in [
        (ACCOUNT, "https://shop.documents.azure.com/"),
        (
            "https://shop.documents.azure.com",
            "https://shop.documents.azure.com/",
        ),
        (
            "shop.documents.azure.com",
            "https://shop.documents.azure.com/",
        ),
        (
            " shop.documents.azure.com:443 ",
            "https://shop.documents.azure.com/",
        ),
        ("shop", "https://shop.documents.azure.com/"),
        ("my-shop-2", "https://my-shop-2.documents.azure.com/"),
        (
            "shop.documents.azure.cn:8443",
            "https://shop.documents.azure.cn:8443/",
        ),
        ("localhost:8081", "https://localhost:8081/"),
        ("localhost", "https://localhost/"),
        ("http://127.0.0.1:9/", "http://127.0.0.1:9/"),
    ] {
        let plan = resolve(&at(given), &[("AZURE_COSMOS_KEY", CANARY)]).unwrap();
        assert_eq!(plan.connect.endpoint.as_str(), endpoint, "{given}");
    }
}

#[test]
fn an_endpoint_that_is_none_is_refused() {
    for (given, says) in [
        ("https://", "not a URL"),
        ("ftp://shop.documents.azure.com", "scheme `ftp`"),
        ("http://shop.documents.azure.com", "plain http"),
        ("http://127.0.0.2:8081", "plain http"),
        ("http://localhost.evil.example", "plain http"),
        (
            "https://shop.documents.azure.com/dbs/shop",
            "something after the host",
        ),
        (
            "https://shop.documents.azure.com/?a=b",
            "something after the host",
        ),
        (
            "https://shop.documents.azure.com/#a",
            "something after the host",
        ),
        ("a b", "not a URL"),
    ] {
        let error = usage_error(resolve(&at(given), &[("AZURE_COSMOS_KEY", CANARY)]));
        assert!(error.contains(says), "{given}: {error}");
    }
}

#[test]
fn an_endpoint_that_holds_a_secret_is_refused_without_being_repeated() {
    for given in [
        format!("https://user:{CANARY}@shop.documents.azure.com"),
        format!("https://{OTHER_KEY}@shop.documents.azure.com"),
        connection_string(ACCOUNT, CANARY),
    ] {
        usage_error(resolve(&at(&given), &[]));
    }
}

#[test]
fn what_is_missing_is_named_with_its_flag_its_variable_and_the_demo() {
    let mut no_database = at(ACCOUNT);
    no_database.database = Some(String::new());
    let mut no_container = at(ACCOUNT);
    no_container.container = None;
    for (args, parts) in [
        (
            args(),
            ["no endpoint given", "--endpoint", "AZURE_COSMOS_ENDPOINT"],
        ),
        (
            no_database,
            [
                "no database given",
                "-d/--database NAME",
                "AZURE_COSMOS_DATABASE",
            ],
        ),
        (
            no_container,
            [
                "no container given",
                "-c/--container NAME",
                "AZURE_COSMOS_CONTAINER",
            ],
        ),
    ] {
        let error = usage_error(resolve(&args, &[("AZURE_COSMOS_KEY", CANARY)]));
        for part in parts {
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(error.contains("--demo"), cfg!(feature = "demo"), "{error}");
    }
}

#[test]
fn names_that_would_change_the_path_are_refused() {
    for name in ["a/b", "a\\b", "a?b", "a#b", "a\nb", &"x".repeat(256)] {
        let mut args = at(ACCOUNT);
        args.container = Some(name.to_owned());
        usage_error(resolve(&args, &[("AZURE_COSMOS_KEY", CANARY)]));
    }
    let mut args = at(ACCOUNT);
    args.container = Some("Bücher & more ✓".to_owned());
    let plan = resolve(&args, &[("AZURE_COSMOS_KEY", CANARY)]).unwrap();
    assert_eq!(plan.connect.container, "Bücher & more ✓");
}

#[test]
fn a_key_file_wins_over_the_environment_and_is_trimmed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("\u{feff}{CANARY}\r\n")).unwrap();
    let mut args = at(ACCOUNT);
    args.key_file = Some(file.path().to_owned());
    let plan = resolve(&args, &[("AZURE_COSMOS_KEY", OTHER_KEY)]).unwrap();
    assert_eq!(key(&plan), CANARY);
    assert_eq!(plan.notices, Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_is_noticed() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), CANARY).unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut args = at(ACCOUNT);
    args.key_file = Some(file.path().to_owned());
    let plan = resolve(&args, &[]).unwrap();
    assert!(
        plan.notices[0].contains("(mode 0644); chmod 600"),
        "{:?}",
        plan.notices
    );
}

#[test]
fn a_key_comes_from_standard_input() {
    let mut args = at(ACCOUNT);
    args.key_file = Some("-".into());
    let plan = resolve_with_stdin(&args, &[], format!("  {CANARY}\n").as_bytes()).unwrap();
    assert_eq!(key(&plan), CANARY);
}

#[test]
fn a_source_that_holds_no_key_is_refused_without_being_repeated() {
    let mut args = at(ACCOUNT);
    args.key_file = Some("-".into());
    for stdin in [
        Vec::new(),
        format!("{CANARY} {CANARY}").into_bytes(),
        CANARY.as_bytes()[..CANARY.len() - 1].to_vec(),
        vec![0xff, 0xfe],
        connection_string(ACCOUNT, CANARY).into_bytes(),
        vec![b'A'; 64 * 1024 + 4],
    ] {
        let error = usage_error(resolve_with_stdin(&args, &[], &stdin));
        assert!(error.contains("standard input (--key-file -)"), "{error}");
        assert!(!error.contains(&CANARY[..20]), "{error}");
    }
    let error = usage_error(resolve(
        &at(ACCOUNT),
        &[("AZURE_COSMOS_KEY", "not base64!")],
    ));
    assert!(error.contains("AZURE_COSMOS_KEY"), "{error}");
    assert!(!error.contains("not base64!"), "{error}");
}

#[test]
fn a_key_file_that_cannot_be_read_is_a_failure_that_names_it() {
    let mut args = at(ACCOUNT);
    args.key_file = Some("/nonexistent/key".into());
    let error = resolve(&args, &[]).unwrap_err();
    assert_eq!(exit_code(&error), ExitCode::Failed);
    assert!(render(&error).contains("/nonexistent/key"));
}

#[test]
fn asking_for_a_key_without_giving_one_names_the_three_ways() {
    let mut args = at(ACCOUNT);
    args.auth = Some(AuthMethod::Key);
    let error = usage_error(resolve(&args, &[("AZURE_COSMOS_KEY", " ")]));
    for way in [
        "AZURE_COSMOS_KEY",
        "AZURE_COSMOS_CONNECTION_STRING",
        "--key-file",
    ] {
        assert!(error.contains(way), "{error}");
    }
}

#[test]
fn a_named_entra_id_method_wins_over_a_key() {
    let mut args = at(ACCOUNT);
    args.auth = Some(AuthMethod::ManagedIdentity);
    args.key_file = Some("/nonexistent/key".into());
    let plan = resolve(
        &args,
        &[("AZURE_COSMOS_KEY", CANARY), ("AZURE_CLIENT_ID", "id")],
    );
    assert_eq!(
        entra(&plan.unwrap()),
        &EntraIdOptions::ManagedIdentity {
            client_id: Some("id".to_owned())
        }
    );
}

#[test]
fn auto_without_a_key_decides_by_what_is_set() {
    let principal = [
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", CANARY),
    ];
    let workload = [
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/token"),
    ];
    let cases: [(&[(&str, &str)], EntraIdOptions); 6] = [
        (&[], EntraIdOptions::AzureCli { by_default: true }),
        // Incomplete settings of a service principal are none.
        (
            &principal[..2],
            EntraIdOptions::AzureCli { by_default: true },
        ),
        (
            &principal,
            EntraIdOptions::ClientSecret {
                tenant_id: "t".to_owned(),
                client_id: "c".to_owned(),
                client_secret: SecretText::new(CANARY),
            },
        ),
        (
            &workload,
            EntraIdOptions::WorkloadIdentity {
                tenant_id: "t".to_owned(),
                client_id: "c".to_owned(),
                token_file: "/token".into(),
            },
        ),
        (
            &[("IDENTITY_ENDPOINT", "http://x")],
            EntraIdOptions::ManagedIdentity { client_id: None },
        ),
        (
            &[("MSI_ENDPOINT", "http://x"), ("AZURE_CLIENT_ID", "c")],
            EntraIdOptions::ManagedIdentity {
                client_id: Some("c".to_owned()),
            },
        ),
    ];
    for (env, expected) in cases {
        assert_eq!(entra(&resolve(&at(ACCOUNT), env).unwrap()), &expected);
    }
}

#[test]
fn a_named_method_whose_variables_are_missing_says_which() {
    for (auth, variable) in [
        (AuthMethod::Environment, "AZURE_CLIENT_SECRET"),
        (AuthMethod::WorkloadIdentity, "AZURE_FEDERATED_TOKEN_FILE"),
    ] {
        let mut args = at(ACCOUNT);
        args.auth = Some(auth);
        let env = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
        assert!(usage_error(resolve(&args, &env)).contains(variable));
    }
}

#[test]
fn no_secret_shows_in_the_debug_form_of_a_plan() {
    let text = connection_string(ACCOUNT, CANARY);
    let with_key = resolve(&args(), &[("AZURE_COSMOS_CONNECTION_STRING", &text)]).unwrap();
    let with_secret = resolve(
        &at(ACCOUNT),
        &[
            ("AZURE_TENANT_ID", "t"),
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_CLIENT_SECRET", CANARY),
        ],
    )
    .unwrap();
    for plan in [with_key, with_secret] {
        let debug = format!("{plan:?} {plan:#?}");
        assert!(debug.contains("***") && !debug.contains(CANARY), "{debug}");
    }
}

#[test]
fn the_authority_follows_the_cloud_unless_a_variable_names_it() {
    let named = ("AZURE_AUTHORITY_HOST", "https://login.example/");
    for (endpoint, cloud) in [
        ("https://shop.documents.azure.com/", None),
        (
            "https://shop.documents.azure.cn/",
            Some(NationalCloud::China),
        ),
        (
            "https://shop.documents.azure.us/",
            Some(NationalCloud::UsGovernment),
        ),
        ("https://shop.documents.microsoftazure.de/", None),
        ("https://shop.example/", None),
        ("https://127.0.0.1:8443/", None),
    ] {
        let plan = resolve(&at(endpoint), &[]).unwrap();
        assert_eq!(plan.connect.token.cloud, cloud, "{endpoint}");
        let plan = resolve(&at(endpoint), &[named]).unwrap();
        assert_eq!(plan.connect.token.cloud, None, "{endpoint}");
    }
}
