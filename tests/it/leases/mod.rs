//! The commands on leases, on groups of each SDK.

mod adopted;
mod changed;
mod listed;
mod whole;
pub(crate) mod written;

use std::process::Command;

use serde_json::Value;

use crate::command::{cosmos_tail, succeed};
use crate::gateway::KEY;
use written::Leased;

/// A command on the leases of a gateway.
fn leases(leased: &Leased, arguments: &str) -> Command {
    let mut command = cosmos_tail();
    command
        .env("AZURE_COSMOS_ENDPOINT", leased.gateway.endpoint())
        .env("AZURE_COSMOS_KEY", KEY)
        .arg("leases")
        .args(arguments.split(' '))
        .args(["--leases", "shop/leases"]);
    command
}

/// The only group of a list.
#[track_caller]
fn list(leased: &Leased) -> Value {
    let ended = succeed(&mut leases(leased, "list --format json"));
    let list: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(list["groups"].as_array().unwrap().len(), 1, "{list}");
    list["groups"][0].clone()
}

/// A member of each lease.
fn each<'a>(group: &'a Value, member: &str) -> Vec<&'a Value> {
    let leases = group["leases"].as_array().unwrap();
    leases.iter().map(|lease| &lease[member]).collect()
}
