//! The whole test on the embedded account.

use cosmos_tail::demo::{DemoAccount, DemoOptions};

use super::{SCRATCH, STEPS, Tested, assert_passed};
use crate::command::{cosmos_tail, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_account_passes_every_step() {
    let options = DemoOptions {
        documents: 20,
        partitions: 2,
        ..DemoOptions::default()
    };
    let account = DemoAccount::start(&options).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let command = || {
        let mut command = cosmos_tail();
        command
            .current_dir(directory.path())
            .env("AZURE_COSMOS_ENDPOINT", account.endpoint().as_str())
            .env("AZURE_COSMOS_KEY", account.key());
        command
    };
    let mut whole = command();
    whole.args(["acceptance", "--scratch-database", SCRATCH]);
    let path = directory.path().to_owned();
    let tested = tokio::task::spawn_blocking(move || Tested::run(&mut whole, &path));
    let tested = tested.await.unwrap();
    assert_passed(
        &tested,
        STEPS,
        account.key(),
        account.endpoint().as_str(),
        directory.path(),
    );
    // The emulator does not say that it is the owner that is missing.
    let differing = tested.beliefs("differs");
    assert_eq!(differing.len(), 1, "{differing:?}");
    assert!(differing[0].starts_with("owner.missing"), "{differing:?}");
    // The emulator sorts members, and has no numbers beyond a double.
    let shapes = tested.report["shapes"].as_array().unwrap();
    let refused = shapes.iter().filter(|shape| shape["stored"] == "refused");
    assert_eq!(
        refused.map(|shape| &shape["shape"]).collect::<Vec<_>>(),
        ["a number beyond a double"]
    );
    // Its database is gone, and no other.
    let mut listing = command();
    listing.arg("ls");
    let listed = tokio::task::spawn_blocking(move || run(&mut listing))
        .await
        .unwrap();
    assert!(
        listed.stdout.contains(DemoAccount::DATABASE),
        "{}",
        listed.stdout
    );
    assert!(!listed.stdout.contains(SCRATCH), "{}", listed.stdout);
}
