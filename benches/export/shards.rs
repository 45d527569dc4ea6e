//! An export by several processes that share a plan, at the same time.

use std::path::Path;
use std::process::Command;

use super::count_rows;
use super::gateway::{KEY, StaticGateway};
use super::process::{Cost, run_measured};

/// Starts each share of the plan `$2`, of `$1`, into the directory `$3`, and waits for all of them.
const ALL_SHARES: &str = "
shard=0
while [ $shard -lt $1 ]; do
    \"$0\" export -q --plan \"$2\" --shard $shard/$1 -o \"$3\" &
    processes=\"$processes $!\"
    shard=$((shard + 1))
done
for process in $processes; do wait $process || exit 1; done
";

/// How they are called in the table.
pub(super) fn name(count: u32, format: &str) -> String {
    format!("{count} shards, {format}")
}

/// Makes a plan, and measures all of its shards together.
pub(super) fn run(gateway: &StaticGateway, count: u32, format: &str, directory: &Path) -> Cost {
    let binary = env!("CARGO_BIN_EXE_cosmos-tail");
    let (plan, out) = (directory.join("plan.json"), directory.join("out/"));
    let (plan, out) = (plan.to_str().unwrap(), out.to_str().unwrap());
    let planned = Command::new(binary)
        .args(["plan", "-q", "--format", format, "-o", plan])
        .args([
            "-d",
            StaticGateway::DATABASE,
            "-c",
            StaticGateway::CONTAINER,
        ])
        .env("AZURE_COSMOS_ENDPOINT", gateway.endpoint())
        .env("AZURE_COSMOS_KEY", KEY)
        .status()
        .unwrap();
    assert!(planned.success(), "the plan was made");
    let shares = count.to_string();
    let command = ["sh", "-c", ALL_SHARES, binary, &shares, plan, out];
    let cost = run_measured(&command, gateway);
    assert_eq!(
        count_rows(Path::new(out)),
        gateway.total_documents(),
        "the shards have all of it"
    );
    cost
}
