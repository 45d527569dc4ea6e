//! A key, or something that contains one, in the place of another value: no message repeats it.

use std::process::Command;

use crate::command::{against, cosmos_tail, run};
use crate::gateway::{Gateway, GatewayOptions};
use crate::orders::filled;

/// Keys of the form that accounts have: 64 bytes. The second has no `/`, so that it could be a name.
const KEYS: [&str; 2] = [
    "Y2FuYXJ5/GNhbmFyeSBjYW5hcnkgY2FuYXJ5IGNhbmFyeSBjYW5hcnkgY2FuYXJ5IGNhbmFyeSBjYW5hcnk0AA==",
    "Y2FuYXJ5IGNhbmFyeSBjYW5hcnkgY2FuYXJ5IGNhbmFyeSBjYW5hcnkgY2FuYXJ5IGNhbmFyeSBjYW5hcnk0AA==",
];

/// What no text may have of a key, in any case: the host of a URL is in lower case.
const PARTS: [&str; 2] = ["nhbmfyesbjyw5hcnk", "y2fuyxj5"];

#[track_caller]
fn run_in_silence(command: &mut Command) {
    let ended = run(command);
    let said = format!("{}{}", ended.stdout, ended.stderr).to_lowercase();
    for part in PARTS {
        assert!(!said.contains(part), "{command:?}\n{said}");
    }
    assert!(!said.is_empty(), "{command:?}");
    assert_ne!(ended.code, Some(0), "{command:?}\n{said}");
}

#[test]
fn no_flag_repeats_a_value_meant_for_another() {
    let (gateway, _) = filled(1, 1);
    let directory = tempfile::tempdir().unwrap();
    for key in KEYS {
        let string = format!("AccountEndpoint={};AccountKey={key};", gateway.endpoint());
        for secret in [key, &string] {
            for arguments in [
                &["ranges", "--endpoint"][..],
                &["ranges", "--key-file"],
                &["ranges", "-d"],
                &["ranges", "-c"],
                &["ranges", "--profile"],
                &["ranges", "--format"],
                &["ranges", "--key"],
                &["ranges"],
                &[],
                &["resume", "--state"],
                &["verify"],
                &["replay", "--stdout"],
                &["replay", "-c", "other"],
                &["export", "-o", "-", "--page-size"],
                &["export", "-o", "-", "--from"],
                &["export", "-o", "-", "--format", "csv", "--schema"],
                &["tail", "--jq"],
                &["tail", "--range"],
                &["replay", "x", "--from-container"],
            ] {
                let mut command = against(&gateway);
                command.current_dir(&directory).args(arguments).arg(secret);
                run_in_silence(&mut command);
                command.arg("-vvv");
                run_in_silence(&mut command);
            }
            // Of an unknown flag, as a part of the same word.
            for flag in ["--key=", "--endpiont=", "--endpoint=", "-c", "-d"] {
                let mut command = against(&gateway);
                command.arg("ranges").arg(format!("{flag}{secret}"));
                run_in_silence(&mut command);
            }
            for variable in [
                "AZURE_COSMOS_ENDPOINT",
                "AZURE_COSMOS_DATABASE",
                "AZURE_COSMOS_CONTAINER",
                "COSMOS_TAIL_PROFILE",
            ] {
                let mut command = against(&gateway);
                command.env(variable, secret).args(["ranges", "-vvv"]);
                run_in_silence(&mut command);
            }
        }
    }
    let log = gateway.request_log();
    let sent = log
        .iter()
        .find(|record| record.path.to_lowercase().contains(PARTS[0]));
    assert!(sent.is_none(), "{sent:?}");
}

#[test]
fn a_key_given_as_a_key_file_is_recognized() {
    let gateway = Gateway::start(GatewayOptions::default());
    let string = format!("AccountEndpoint=https://a.b/;AccountKey={};", KEYS[0]);
    for secret in [KEYS[0], KEYS[0].trim_end_matches('='), KEYS[1], &string] {
        let mut command = against(&gateway);
        let ended = run(command.args(["ranges", "--key-file", secret]));
        assert_eq!(
            ended.stderr,
            "error: the value of key-file is an account key, not the name of a file\nhint: write it to a file, or \
             set AZURE_COSMOS_KEY to it; every user of this machine can read the command line, so \
             regenerate this key\n"
        );
        assert_eq!(ended.code, Some(2));
    }
    for (flag, said) in [
        ("-d", "the name of the database is an account key"),
        ("-c", "the name of the container is an account key"),
    ] {
        let ended = run(against(&gateway).args(["ranges", flag, KEYS[1]]));
        assert_eq!(
            ended.stderr,
            format!(
                "error: {said}\nhint: set AZURE_COSMOS_KEY to the key, and give the name here\n"
            )
        );
        assert_eq!(ended.code, Some(2));
    }
    let ended = run(cosmos_tail().args(["ranges", "--endpoint", KEYS[1]]));
    assert_eq!(
        ended.stderr,
        "error: the endpoint is an account key, not a URL\nhint: an endpoint looks like \
         https://NAME.documents.azure.com:443/\n"
    );
    assert_eq!(ended.code, Some(2));
    let ended = run(cosmos_tail().args(["ranges", "--key-fiel", KEYS[1]]));
    assert_eq!(
        ended.stderr,
        "error: unexpected argument '--key-fiel' found\n\n  tip: a similar flag exists: \
         '--key-file'\n\nUsage: cosmos-tail ranges [OPTIONS]\n\nFor more information, try '--help'.\n"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "no key").unwrap();
    let mut command = against(&gateway);
    let ended = run(command.args(["ranges", "--key-file"]).arg(file.path()));
    assert_eq!(ended.code, Some(2));
    let named = format!(
        "error: the key file `{}` is not an account key",
        file.path().display()
    );
    assert!(ended.stderr.starts_with(&named), "{}", ended.stderr);
}
