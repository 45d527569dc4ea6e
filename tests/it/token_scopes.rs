//! The scope of Entra ID tokens, as the Azure CLI is asked for it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::command::{cosmos_tail, fail};

/// An Azure CLI that notes its arguments, and issues nothing.
fn fake_cli(directory: &Path) {
    let az = directory.join("az");
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {}/asked\necho 'ERROR: none' >&2\nexit 1\n",
        directory.display()
    );
    std::fs::write(&az, script).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_scope_follows_the_cloud_unless_it_is_given() {
    let directory = tempfile::tempdir().unwrap();
    fake_cli(directory.path());
    let profiles = directory.path().join("config.toml");
    let options = "[profiles.p.options]\ntoken-scope = 'https://of-the-profile/.default'\n";
    std::fs::write(&profiles, format!("[profiles.p]\n{options}")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let variable = "AZURE_COSMOS_AAD_SCOPE_OVERRIDE";
    let common = "https://cosmos.azure.com/.default";
    for (endpoint, options, set, scope) in [
        ("https://shop.documents.azure.com/", &[][..], None, common),
        (
            "https://shop.privatelink.documents.azure.com/",
            &[],
            None,
            common,
        ),
        ("https://localhost:8443/", &[], None, common),
        // Not a name that only Azure assigns.
        ("https://documents.azure.cn.example/", &[], None, common),
        (
            "https://shop.documents.azure.cn:443/",
            &[],
            None,
            "https://shop.documents.azure.cn/.default",
        ),
        (
            "https://shop.privatelink.documents.azure.cn/",
            &[],
            None,
            "https://shop.documents.azure.cn/.default",
        ),
        (
            "https://Shop-usgovvirginia.documents.azure.us/",
            &[],
            None,
            "https://shop-usgovvirginia.documents.azure.us/.default",
        ),
        (
            "https://shop.documents.azure.cn/",
            &["--token-scope", "https://shop.documents.azure.com/.default"],
            Some("https://of-the-variable/.default"),
            "https://shop.documents.azure.com/.default",
        ),
        (
            "https://shop.documents.azure.cn/",
            &["--token-scope", "https://cosmos.azure.com"],
            None,
            common,
        ),
        (
            "https://shop.documents.azure.com/",
            &["--profile", "p"],
            Some("https://of-the-variable/.default"),
            "https://of-the-variable/.default",
        ),
        (
            "https://shop.documents.azure.com/",
            &["--profile", "p"],
            None,
            "https://of-the-profile/.default",
        ),
    ] {
        let asked = directory.path().join("asked");
        std::fs::remove_file(&asked).ok();
        let mut command = cosmos_tail();
        command
            .env("PATH", format!("{}:{path}", directory.path().display()))
            .env("COSMOS_TAIL_CONFIG", &profiles)
            .args(["ranges", "-d", "shop", "-c", "orders", "--auth", "cli"])
            .args(["--endpoint", endpoint])
            .args(options);
        if let Some(set) = set {
            command.env(variable, set);
        }
        let ended = fail(&mut command, 1);
        assert!(
            ended
                .stderr
                .contains("Caused by: cannot get a token with the Azure CLI's credential\n"),
            "{}",
            ended.stderr
        );
        let asked = std::fs::read_to_string(&asked).unwrap();
        let words: Vec<&str> = asked.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "--scope").unwrap();
        assert_eq!(words[at + 1], scope, "{endpoint} {options:?}: {asked}");
    }
}

#[test]
fn what_is_no_scope_is_refused() {
    for odd in [
        "",
        "cosmos",
        "http://cosmos.azure.com/.default",
        "https://u:p@x/.default",
        "https://x/?a",
    ] {
        let mut command = cosmos_tail();
        command.args([
            "ranges",
            "-d",
            "d",
            "-c",
            "c",
            "--endpoint",
            "shop",
            "--auth",
            "cli",
        ]);
        let ended = fail(command.args(["--token-scope", odd]), 2);
        assert!(
            ended
                .stderr
                .contains("expected a URL such as https://cosmos.azure.com/.default"),
            "{}",
            ended.stderr
        );
        let mut command = cosmos_tail();
        command.args([
            "ranges",
            "-d",
            "d",
            "-c",
            "c",
            "--endpoint",
            "shop",
            "--auth",
            "cli",
        ]);
        if !odd.is_empty() {
            let ended = fail(command.env("AZURE_COSMOS_AAD_SCOPE_OVERRIDE", odd), 2);
            assert!(
                ended
                    .stderr
                    .starts_with("error: AZURE_COSMOS_AAD_SCOPE_OVERRIDE has a wrong value: "),
                "{}",
                ended.stderr
            );
        }
    }
}
