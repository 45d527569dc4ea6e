//! Replicas that lag, regions that lose writes, and writers that write while a client reads.

use serde_json::json;

use super::careless_client::{feed, get};
use super::driver_reader::{Reader, ids, sorted};
use super::{assert_clean, latest_texts, start, write};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, Lag, RequestKind, at_random, in_turn,
    rewriter,
};

/// One partition of an account with this consistency, LSNs from 1.
fn start_with(consistency: &'static str) -> (Gateway, Container) {
    let gateway = Gateway::start(GatewayOptions {
        consistency,
        refuse_stronger_consistency: false,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container("db", "coll", "/pk", 1);
    (gateway, container)
}

fn lag(transactions: u64) -> Fault {
    Fault::on(RequestKind::ChangeFeed, Action::Lag(transactions))
}

#[test]
fn a_replica_that_lags_shows_the_container_as_it_was() {
    let (gateway, container) = start(1);
    write(&container, 0..3);
    container.upsert(json!({"id": "0000", "pk": "p0", "again": true}));
    container.delete("0001", "p1");
    let whole = feed(&gateway, "0", &[]);
    assert_eq!(whole.fields("id"), ["0002", "0000"]);
    assert_eq!(whole.header("lsn"), Some("5"));
    assert_eq!(whole.header("x-ms-session-token"), Some("0:1#5"));

    gateway.push_fault(lag(2));
    let lagging = feed(&gateway, "0", &[]);
    assert_eq!(lagging.fields("id"), ["0000", "0001", "0002"]);
    assert_eq!(lagging.fields("_lsn"), [1, 2, 3]);
    assert_eq!(lagging.etag(), Some("\"3\""));
    assert_eq!(lagging.header("lsn"), Some("3"));
    assert_eq!(lagging.header("x-ms-session-token"), Some("0:1#3"));
    assert_eq!(gateway.request_log().pop().unwrap().replica_lsn, Some(3));

    gateway.push_fault(lag(1));
    let between = feed(&gateway, "0", &[]);
    assert_eq!(between.fields("id"), ["0001", "0002", "0000"]);
    // The fault has struck; the next request is answered by a replica that has everything.
    assert_eq!(feed(&gateway, "0", &[]).etag(), Some("\"4\""));
    assert_clean(&gateway);
}

#[test]
fn a_replica_behind_the_token_answers_304_with_its_own_lower_lsn() {
    let (gateway, container) = start_with("Eventual");
    write(&container, 0..9);
    assert_eq!(feed(&gateway, "0", &[]).etag(), Some("\"9\""));
    let at = ("If-None-Match", "\"9\"");
    gateway.push_fault(lag(4).times(2));
    let stale = feed(&gateway, "0", &[at, ("x-ms-session-token", "0:1#9")]);
    assert_eq!((stale.status, stale.etag()), (304, Some("\"5\"")));
    assert_eq!(stale.header("lsn"), Some("5"));
    // So does a pin.
    let pin = feed(&gateway, "0", &[("If-None-Match", "*")]);
    assert_eq!((pin.status, pin.etag()), (304, Some("\"5\"")));
    // Its tokens are tokens.
    let rest = feed(&gateway, "0", &[("If-None-Match", "\"5\"")]);
    assert_eq!(rest.fields("_lsn"), [6, 7, 8, 9]);
    assert_clean(&gateway);
}

#[test]
fn a_session_token_is_honoured_if_the_consistency_requires_it() {
    let tokens = [
        ("0:1#6", false),
        ("0:1#7", true),
        ("7:1#99,0:1#7#3=7", true),
        ("7:1#99", false),
    ];
    let levels = [
        ("Session", None, true),
        ("Session", Some("Eventual"), false),
        ("Eventual", None, false),
        ("ConsistentPrefix", None, false),
        ("BoundedStaleness", None, false),
        ("BoundedStaleness", Some("Session"), true),
        ("Eventual", Some("Session"), true),
    ];
    for (account, request, is_honoured) in levels {
        let (gateway, container) = start_with(account);
        write(&container, 0..9);
        gateway.push_fault(lag(3).always());
        for (token, is_above) in tokens {
            let mut headers = vec![("x-ms-session-token", token)];
            headers.extend(request.map(|level| ("x-ms-consistency-level", level)));
            let answer = feed(&gateway, "0", &headers);
            let what = format!("{account} {request:?} {token}");
            if is_honoured && is_above {
                assert_eq!(answer.status, 404, "{what}");
                assert_eq!(answer.header("x-ms-substatus"), Some("1002"), "{what}");
                assert_eq!(answer.etag(), None, "{what}");
            } else {
                let seen = (answer.status, answer.etag());
                assert_eq!(seen, (200, Some("\"6\"")), "{what}");
            }
        }
        assert_clean(&gateway);
        let mut headers = vec![("x-ms-session-token", "nonsense")];
        headers.extend(request.map(|level| ("x-ms-consistency-level", level)));
        feed(&gateway, "0", &headers);
        assert_eq!(gateway.violations().len(), usize::from(is_honoured));
    }
}

#[test]
fn a_stronger_consistency_than_the_accounts_is_refused_as_the_service_does() {
    let gateway = Gateway::start(GatewayOptions {
        consistency: "ConsistentPrefix",
        ..GatewayOptions::default()
    });
    gateway.create_container("db", "coll", "/pk", 1);
    for (level, status) in [
        ("Strong", 400),
        ("Session", 400),
        ("ConsistentPrefix", 304),
        ("Eventual", 304),
    ] {
        let answer = feed(&gateway, "0", &[("x-ms-consistency-level", level)]);
        assert_eq!(answer.status, status, "{level}");
    }
    assert_clean(&gateway);
}

#[test]
fn no_replica_lags_behind_the_start_of_its_partition() {
    let (gateway, container) = start(1);
    write(&container, 0..20);
    let children = container.split("0", 2);
    gateway.push_fault(lag(u64::MAX).always());
    let of_child = |id: &str| {
        let is_here = |served: &&crate::gateway::Served| served.partition == id;
        container.latest().iter().filter(is_here).count()
    };
    for child in &children {
        let answer = feed(&gateway, child, &[]);
        assert_eq!(answer.fields("id").len(), of_child(child));
    }
    write(&container, 20..40);
    for child in &children {
        let answer = feed(&gateway, child, &[]);
        assert!(answer.fields("id").len() < of_child(child));
    }
    let merged = container.merge(&children[0], &children[1]);
    assert_eq!(feed(&gateway, &merged, &[]).fields("id").len(), 40);
    assert_clean(&gateway);
}

#[test]
fn replicas_lag_by_time_in_turn_and_at_random() {
    let (gateway, container) = start(1);
    for number in 0..5 {
        write(&container, number..number + 1);
        gateway.advance_time(10);
    }
    // The clock is 10 seconds after the last write.
    let lsn_at = |lag: Lag| {
        gateway.set_lag(move |_| lag);
        let pin = feed(&gateway, "0", &[("If-None-Match", "*")]);
        pin.header("lsn").unwrap().parse::<u64>().unwrap()
    };
    let seen = [0, 9, 10, 11, 30, 31, 1000].map(|seconds| lsn_at(Lag::Seconds(seconds)));
    assert_eq!(seen, [5, 5, 5, 4, 3, 2, 0]);
    assert_eq!(lsn_at(Lag::Transactions(2)), 3);

    let pins = |count: usize| -> Vec<u64> {
        let pin = || feed(&gateway, "0", &[("If-None-Match", "*")]);
        (0..count)
            .map(|_| pin().header("lsn").unwrap().parse().unwrap())
            .collect()
    };
    gateway.set_lag(in_turn(vec![0, 1, 3]));
    assert_eq!(pins(4), [5, 4, 2, 5]);
    // A fault takes precedence over the replicas.
    gateway.push_fault(lag(5));
    assert_eq!(pins(2), [0, 4]);

    let drawn = |seed| {
        gateway.set_lag(at_random(seed, 4));
        pins(40)
    };
    let first = drawn(7);
    assert_eq!(first, drawn(7));
    assert!(first.contains(&5) && first.contains(&1), "{first:?}");
    gateway.set_lag(|record| if record.is_pin() { 4 } else { 0 });
    assert_eq!(pins(1), [1]);
    assert_eq!(feed(&gateway, "0", &[]).etag(), Some("\"5\""));
    gateway.clear_lag();
    assert_eq!(pins(1), [5]);
    assert_eq!(get(&gateway, "/dbs/db", &[]).0, 401);
    assert_clean(&gateway);
}

#[tokio::test]
async fn the_driver_reads_a_lagging_replica_and_then_the_rest() {
    let (gateway, container) = start_with("Eventual");
    write(&container, 0..20);
    container.rewrite("0003");
    gateway.set_lag(|_| 6);
    let reader = Reader::open(&gateway).await;
    let mut plan = reader.read_from_beginning().await;
    let mut read = reader.drain(&mut plan).await;
    assert_eq!(read.len(), 15);
    let old = read
        .iter()
        .position(|text| text.contains("\"0003\""))
        .unwrap();
    gateway.clear_lag();
    read.extend(reader.drain(&mut plan).await);
    read.remove(old);
    assert_eq!(sorted(read), sorted(latest_texts(&container)));
    assert_clean(&gateway);
}

#[test]
fn a_region_that_lost_writes_reuses_their_lsns() {
    let (gateway, container) = start_with("Eventual");
    write(&container, 0..5);
    container.rewrite("0001");
    container.delete("0002", "p2");
    let whole = feed(&gateway, "0", &[]);
    assert_eq!(whole.etag(), Some("\"6\""));
    assert_eq!(container.lose("0", 3), 4);
    assert_eq!(container.partitions()[0].lsn, 4);
    let lost: Vec<_> = container.lost().iter().map(|served| served.lsn).collect();
    assert_eq!(lost, [5, 6, 7]);

    // A reader that had them is beyond its end.
    let at = ("If-None-Match", "\"6\"");
    let answer = feed(&gateway, "0", &[at]);
    assert_eq!((answer.status, answer.etag()), (304, Some("\"4\"")));
    let again = feed(&gateway, "0", &[]);
    assert_eq!(again.fields("_lsn"), [1, 2, 3, 4]);

    // New writes reuse the LSNs, and a reader beyond them does not see them.
    write(&container, 7..8);
    assert_eq!(container.partitions()[0].lsn, 5);
    assert_eq!(feed(&gateway, "0", &[at]).status, 304);
    container.rewrite("0001");
    write(&container, 8..9);
    let answer = feed(&gateway, "0", &[at]);
    assert_eq!(
        (answer.etag(), answer.fields("id")),
        (Some("\"7\""), vec![json!("0008")])
    );
    assert_eq!(container.changes().len(), 7);

    // The history that it began with stays.
    let children = container.split("0", 2);
    for child in &children {
        let lsn = container
            .partitions()
            .iter()
            .find(|p| p.id == *child)
            .unwrap()
            .lsn;
        assert_eq!(container.lose(child, 100), lsn);
    }
    assert_eq!(container.latest().len(), 6);
    assert_clean(&gateway);
}

#[tokio::test]
async fn rewritten_documents_move_in_the_feed() {
    let (gateway, container) = start(1);
    write(&container, 0..12);
    let rewritten = ["0011", "0005", "none", "0000", "0011"].map(str::to_owned);
    gateway.push_fault(rewriter(&container, rewritten, 2));
    let reader = Reader::open(&gateway).await;
    let mut plan = reader.read_from_beginning().await;
    let read = reader.drain(&mut plan).await;
    // Three documents per page; the second page is requested after 0011 was rewritten, and so on.
    let pages: Vec<_> = ids(&read);
    assert_eq!(
        pages,
        [
            "0000", "0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010",
            "0011", "0005", "0000", "0011"
        ]
    );
    let read_from_file = |text: &String| {
        let document: serde_json::Value = serde_json::from_str(text).unwrap();
        document["rewritten"].as_u64()
    };
    let numbers: Vec<_> = read[11..].iter().map(read_from_file).collect();
    assert_eq!(numbers, [Some(1), Some(1), Some(1), Some(2)]);
    assert_eq!(container.changes().len(), 16);
    assert_clean(&gateway);
}
