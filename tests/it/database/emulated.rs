//! A database that goes from one emulator of Microsoft's to another.

use cosmos_tail::demo::DemoAccount;

use super::*;
use crate::demo::options;

/// A command against an account.
fn at(account: &DemoAccount) -> Command {
    let mut command = cosmos_tail();
    command
        .env("AZURE_COSMOS_ENDPOINT", account.endpoint().as_str())
        .env("AZURE_COSMOS_KEY", account.key())
        .env("AZURE_COSMOS_DATABASE", DemoAccount::DATABASE);
    command
}

/// The definitions beside the containers of an export, without what each account writes itself.
fn definitions(out: &std::path::Path) -> Vec<(String, Value)> {
    let file = DatabaseFile::read(out).unwrap().unwrap();
    let mut found: Vec<(String, Value)> = file
        .containers
        .iter()
        .map(|one| {
            let own = crate::command::state_directory(&out.join(&one.directory));
            let text = std::fs::read(own.join("container.json")).unwrap();
            let text: Value = serde_json::from_slice(&text).unwrap();
            let mut definition = text["definition"].clone();
            let members = definition.as_object_mut().unwrap();
            members.retain(|name, _| !name.starts_with('_'));
            (one.name.clone(), definition)
        })
        .collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

#[test]
fn a_database_goes_from_one_account_to_another() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = options(200, 2);
    let start = || runtime.block_on(DemoAccount::start(&options)).unwrap();
    let (from, to) = (start(), start());
    for name in ["Sales", "sales"] {
        succeed(at(&from).args([
            "replay",
            "--create",
            "--from-container",
            "shop/orders",
            "-c",
            name,
        ]));
    }
    let directory = tempfile::tempdir().unwrap();
    let (out, again) = (
        directory.path().join("backup"),
        directory.path().join("again"),
    );
    let all = ["-c", "Sales", "-c", "s*"];
    succeed(at(&from).arg("export").args(all).arg("-o").arg(&out));
    assert_eq!(verify(&out, &["--strict"]).code, Some(0));
    succeed(at(&to).args(["replay", "--create"]).arg(&out));
    for (name, directory) in [("Sales", "Sales"), ("sales", "sales~")] {
        let file = DatabaseFile::read(&out).unwrap().unwrap();
        let place = file.containers.iter().find(|one| one.name == name).unwrap();
        assert!(place.directory.starts_with(directory), "{place:?}");
        succeed(
            at(&to)
                .arg("compare")
                .arg(out.join(&place.directory))
                .args(["-c", name]),
        );
    }
    succeed(at(&to).arg("export").args(all).arg("-o").arg(&again));
    assert_eq!(definitions(&again), definitions(&out));
    assert_eq!(definitions(&out).len(), 2);
    // And what was copied without files.
    let mut copy = at(&to);
    copy.args([
        "replay",
        "--from-container",
        "shop/S*",
        "--exclude",
        "sales",
    ]);
    let ended = run(&mut copy);
    assert_ne!(ended.code, Some(0), "a container is not copied to itself");
}
