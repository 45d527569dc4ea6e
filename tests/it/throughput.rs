//! Priority and throughput bucket: how the service weighs the requests of this program.

use std::collections::HashSet;

use serde_json::json;

use crate::command::{CONTAINER, DATABASE, against, fail, succeed};
use crate::gateway::{Gateway, GatewayOptions, RequestKind};
use crate::replay::{COPY, assert_no_violations};

#[test]
fn priority_and_throughput_bucket_go_with_reads_and_writes() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    for item in 0..200 {
        container.upsert(json!({"id": format!("{item}"), "pk": format!("key-{}", item % 4)}));
    }
    let source = format!("{DATABASE}/{CONTAINER}");
    let replay = |arguments: &[&str]| {
        let mut command = against(&gateway);
        command.env("AZURE_COSMOS_CONTAINER", COPY);
        command.args(["replay", "--from-container", &source]);
        command.args(arguments);
        command
    };
    let said = |from: usize| {
        let log = gateway.request_log();
        let of_documents = log[from..].iter().filter(|record| {
            matches!(
                record.kind,
                RequestKind::ChangeFeed | RequestKind::ItemWrite
            )
        });
        let said: HashSet<_> = of_documents
            .map(|record| {
                (
                    record.kind,
                    record.priority.clone(),
                    record.throughput_bucket.clone(),
                )
            })
            .collect();
        said
    };
    let both = |priority: Option<&str>, bucket: Option<&str>| {
        let of = |kind| (kind, priority.map(str::to_owned), bucket.map(str::to_owned));
        HashSet::from([of(RequestKind::ChangeFeed), of(RequestKind::ItemWrite)])
    };
    for (arguments, expected) in [
        (&[][..], both(None, None)),
        (
            &["--priority", "low", "--throughput-bucket", "3"],
            both(Some("Low"), Some("3")),
        ),
        (&["--priority", "high"], both(Some("High"), None)),
    ] {
        let from = gateway.total_requests();
        succeed(&mut replay(arguments));
        assert_eq!(said(from), expected, "{arguments:?}");
    }
    assert_eq!(copy.latest().len(), 200);
    for (arguments, part) in [
        (
            ["--throughput-bucket", "6"],
            "expected a whole number from 1 to 5",
        ),
        (
            ["--throughput-bucket", "0"],
            "expected a whole number from 1 to 5",
        ),
        (["--priority", "middle"], "[possible values: high, low]"),
    ] {
        let ended = fail(&mut replay(&arguments), 2);
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
    assert_no_violations(&gateway);
}
