//! Session tokens: each request for a range has the last token of that range, and no other.

use std::collections::HashMap;

use crate::command::{assert_latest, export, lines, succeed};
use crate::gateway::{Container, Gateway, RequestKind, RequestRecord};
use crate::orders::filled;
use crate::topology::split_on_page;

/// The requests for the feed of each range, in their order.
fn feed_requests(gateway: &Gateway) -> HashMap<String, Vec<RequestRecord>> {
    let mut by_range: HashMap<String, Vec<RequestRecord>> = HashMap::new();
    for record in gateway.request_log() {
        if let (RequestKind::ChangeFeed, Some(range)) = (record.kind, &record.partition) {
            by_range.entry(range.clone()).or_default().push(record);
        }
    }
    by_range
}

fn export_all(gateway: &Gateway, container: &Container) {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(gateway, &out).args(["--page-size", "10"]));
    assert_latest(&lines(&out), container);
}

/// The ranges that a session token is about.
fn ranges_of(token: &str) -> Vec<&str> {
    token
        .split(',')
        .map(|part| part.split_once(':').unwrap().0)
        .collect()
}

#[test]
fn a_request_has_only_the_token_of_its_range() {
    let (gateway, container) = filled(20, 2000);
    export_all(&gateway, &container);
    let by_range = feed_requests(&gateway);
    assert_eq!(by_range.len(), 20);
    for (range, requests) in by_range {
        let (first, rest) = requests.split_first().unwrap();
        assert_eq!(first.session_token, None);
        assert!(rest.len() > 1, "{requests:?}");
        for record in rest {
            let token = record.session_token.as_deref();
            assert_eq!(
                token.map(ranges_of),
                Some(vec![range.as_str()]),
                "{record:?}"
            );
        }
    }
}

#[test]
fn the_children_of_a_split_begin_with_the_token_of_their_parent() {
    let (gateway, container) = filled(2, 2000);
    split_on_page(&gateway, &container, 5, 2);
    export_all(&gateway, &container);
    let by_range = feed_requests(&gateway);
    assert_eq!(by_range.len(), 4, "{:?}", by_range.keys());
    for child in ["2", "3"] {
        let requests = &by_range[child];
        let tokens: Vec<Vec<&str>> = requests
            .iter()
            .map(|record| ranges_of(record.session_token.as_deref().expect("a token")))
            .collect();
        assert_eq!(tokens[0], ["0"], "{requests:?}");
        assert!(tokens.contains(&vec![child]), "{requests:?}");
        let first_own = tokens.iter().position(|of| *of == [child]).unwrap();
        assert!(
            tokens[first_own..].iter().all(|of| *of == [child]),
            "{tokens:?}"
        );
        assert!(
            tokens[..first_own].iter().all(|of| *of == ["0"]),
            "{tokens:?}"
        );
    }
}
