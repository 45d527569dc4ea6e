//! A gateway that keeps to every belief, and gateways that each break some: the report names them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{SCRATCH, STEPS, Tested, acceptance, assert_passed, gateway};
use crate::gateway::{Action, Fault, Gateway, KEY, RequestKind, RequestRecord};

/// Splits the first partition of a container when its throughput is raised, as the service does at last.
fn split_when_raised(gateway: &Arc<Gateway>) {
    let weak = Arc::downgrade(gateway);
    let found = move || {
        let gateway = weak.upgrade()?;
        let container = gateway.container(SCRATCH, "split")?;
        Some((gateway, container))
    };
    let raised = found.clone();
    let offer = Action::call(move || {
        if let Some((gateway, container)) = found() {
            gateway.set_offer(container.rid(), json!({"offerThroughput": 400}));
        }
    });
    let split = Action::call(move || {
        let (_, container) = raised().expect("it has an offer");
        container.split(&container.partitions()[0].id, 2);
    });
    gateway.push_fault(Fault::on(RequestKind::Offers, offer).always());
    gateway.push_fault(Fault::on(RequestKind::OfferReplace, split));
}

#[test]
fn a_gateway_that_keeps_to_every_belief_passes() {
    let gateway = Arc::new(gateway());
    split_when_raised(&gateway);
    let directory = tempfile::tempdir().unwrap();
    let mut command = acceptance(&gateway, directory.path());
    let tested = Tested::run(command.arg("--split"), directory.path());
    let endpoint = gateway.endpoint();
    assert_passed(&tested, STEPS + 1, KEY, &endpoint, directory.path());
    assert_eq!(tested.beliefs("differs"), Vec::<String>::new());
    let mut unseen = tested.beliefs("not seen");
    // A split shows in either way.
    unseen.retain(|found| !found.starts_with("gone"));
    let mut unseen = unseen.iter().map(|found| found.split(' ').next());
    for belief in ["all.refusal", "throttled", "replica.behind"] {
        assert_eq!(unseen.next(), Some(Some(belief)));
    }
    assert_eq!(unseen.next(), None);
    let violations = gateway.violations();
    assert!(violations.is_empty(), "{violations:?}");
}

/// A belief, what breaks it, and what the report says of that.
struct Plant {
    belief: &'static str,
    fault: Fault,
    saw: &'static str,
}

fn plant(belief: &'static str, fault: Fault, saw: &'static str) -> Plant {
    Plant { belief, fault, saw }
}

fn is_latest(record: &RequestRecord) -> bool {
    record
        .header("a-im")
        .is_some_and(|mode| mode.starts_with("Incremental"))
}

/// The first pages of the feed of the latest versions.
fn page(action: Action) -> Fault {
    Fault::on(RequestKind::ChangeFeed, action)
        .when(|record| is_latest(record) && record.is_page() && record.token.is_none())
}

/// Requests that continue a position.
fn later(action: Action) -> Fault {
    Fault::on(RequestKind::ChangeFeed, action)
        .when(|record| is_latest(record) && record.is_page() && record.token.is_some())
}

/// Pages of two documents, of an export that is killed.
fn small(action: Action) -> Fault {
    Fault::on(RequestKind::ChangeFeed, action)
        .when(|record| is_latest(record) && record.is_page() && record.max_item_count == Some(2))
}

/// Requests for the present position.
fn pin(action: Action) -> Fault {
    Fault::on(RequestKind::ChangeFeed, action).when(|record| is_latest(record) && record.is_pin())
}

/// Pages of all versions, each of which is changed.
fn versions(change: fn(&mut Value)) -> Fault {
    let edit = Action::edit_json(move |page| documents(page).for_each(change));
    Fault::on(RequestKind::ChangeFeed, edit)
        .when(|record| !is_latest(record) && record.is_page())
        .times(20)
}

fn edit(edit: fn(&mut Value)) -> Action {
    Action::edit_json(edit)
}

fn without(value: &mut Value, member: &str) {
    value.as_object_mut().and_then(|own| own.remove(member));
}

/// Runs a test on a gateway with these, and looks for each in the report. What breaks one may show in `others` too.
#[track_caller]
fn assert_each_is_named(gateway: &Gateway, plants: Vec<Plant>, others: &[&str]) -> Tested {
    let mut expected = Vec::new();
    for Plant { belief, fault, saw } in plants {
        gateway.push_fault(fault);
        expected.push((belief, saw));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut command = acceptance(gateway, directory.path());
    let tested = Tested::run(&mut command, directory.path());
    let differing = tested.beliefs("differs");
    let unnamed: Vec<_> = expected
        .iter()
        .filter(|(belief, saw)| {
            !differing.iter().any(|found| {
                let (id, what) = found.split_once(' ').unwrap();
                id == *belief && what.contains(saw)
            })
        })
        .collect();
    let said = &tested.ended.stderr;
    assert!(
        unnamed.is_empty(),
        "{unnamed:#?} of\n{differing:#?}\n{said}"
    );
    for found in &differing {
        let mut planted = expected.iter().map(|(belief, _)| belief).chain(others);
        let is_planted = planted.any(|belief| found.split(' ').next() == Some(*belief));
        assert!(is_planted, "{found} was not planted\n{said}");
    }
    let here = directory.path().to_string_lossy();
    tested.assert_has_none_of(&[KEY, &gateway.endpoint(), "127.0.0.1", SCRATCH, &here]);
    tested
}

/// What the client does not mind, or asks for again.
#[test]
fn a_header_or_a_member_that_is_not_as_believed_is_named() {
    use RequestKind::{
        Account, ChangeFeed, Container, ContainerCreate, DatabaseCreate, DatabaseDelete, ItemRead,
        ItemWrite, PartitionKeyRanges, Query, QueryPlan,
    };
    let gateway = gateway();
    let header = Action::Header;
    let is_create = |record: &RequestRecord| {
        let is_upsert = record.header("x-ms-documentdb-is-upsert").is_some();
        !is_upsert && record.method == "POST" && !record.is_batch
    };
    let is_delete = |record: &RequestRecord| record.method == "DELETE";
    let is_whole = |record: &RequestRecord| record.token.is_none();
    let unquoted = Action::edit_etag(|etag| etag.map(|etag| etag.replace('"', "")));
    let plants = vec![
        plant(
            "account.body",
            Fault::on(
                Account,
                edit(|account| without(account, "userConsistencyPolicy")),
            )
            .nth(3),
            "no consistency level",
        ),
        plant(
            "answer.date",
            Fault::on(Container, header("date", None)).nth(2),
            "no header date",
        ),
        plant(
            "answer.activity",
            Fault::on(Container, header("x-ms-activity-id", None)).nth(3),
            "no header x-ms-activity-id",
        ),
        plant(
            "answer.charge",
            page(header("x-ms-request-charge", Some("none"))).nth(1),
            "x-ms-request-charge: a",
        ),
        plant(
            "database.created",
            Fault::on(DatabaseCreate, Action::As(200)),
            "status 200",
        ),
        plant(
            "database.deleted",
            Fault::on(DatabaseDelete, Action::As(200)),
            "status 200",
        ),
        plant(
            "container.created",
            Fault::on(ContainerCreate, Action::As(200)).nth(3),
            "status 200",
        ),
        plant(
            "ranges.etag",
            Fault::on(PartitionKeyRanges, header("etag", None))
                .when(is_whole)
                .nth(3),
            "no header etag",
        ),
        plant("feed.etag", page(unquoted).nth(3), "etag: 9"),
        plant(
            "feed.item-count",
            page(header("x-ms-item-count", None)).nth(4),
            "no header x-ms-item-count",
        ),
        plant(
            "feed.lsn",
            page(edit(without_lsn)).nth(5),
            "documents without one",
        ),
        plant(
            "feed.envelope",
            page(edit(without_envelopes)).nth(6),
            "bare documents",
        ),
        plant(
            "feed.partition-lsn",
            page(header("lsn", None)).nth(7),
            "no header lsn",
        ),
        plant(
            "feed.session",
            page(header("x-ms-session-token", Some("1#2"))).nth(8),
            "x-ms-session-token: 9#9",
        ),
        plant(
            "feed.session-lsn",
            pin(header("x-ms-session-token", Some("0:0#1"))).nth(5),
            "a token before it",
        ),
        plant(
            "feed.range-id",
            page(header("x-ms-documentdb-partitionkeyrangeid", None))
                .nth(9)
                .times(3),
            "no header x-ms-documentdb",
        ),
        plant(
            "all.operation",
            versions(|item| {
                if item["metadata"]["operationType"] == "replace" {
                    item["metadata"]["operationType"] = json!("update");
                }
            }),
            "another operation",
        ),
        plant(
            "query.plan",
            Fault::on(QueryPlan, edit(|plan| without(plan, "queryInfo"))),
            "a plan without them",
        ),
        plant(
            "query.body",
            Fault::on(Query, edit(|page| page["_count"] = json!(7))),
            "another `_count`",
        ),
        plant(
            "item.etag",
            Fault::on(ItemWrite, header("etag", Some("1-2"))).nth(5),
            "etag: 9-9",
        ),
        plant(
            "item.created",
            Fault::on(ItemWrite, Action::As(200)).when(is_create),
            "status 200",
        ),
        plant(
            "item.deleted",
            Fault::on(ItemWrite, Action::As(200)).when(is_delete),
            "status 200",
        ),
        plant(
            "gone",
            Fault::on(ChangeFeed, Action::status(410, 1022)).nth(30),
            "status 410/1022",
        ),
        plant(
            "throttled",
            Fault::on(ItemWrite, Action::status(429, 3200)).nth(9),
            "no header x-ms-retry-after-ms",
        ),
        plant(
            "error.body",
            Fault::on(ItemRead, Action::answer(503, None, "<html>")).nth(7),
            "503 without JSON",
        ),
    ];
    assert_each_is_named(&gateway, plants, &[]);
}

fn documents(page: &mut Value) -> impl Iterator<Item = &mut Value> {
    page["Documents"].as_array_mut().into_iter().flatten()
}

fn without_lsn(page: &mut Value) {
    for item in documents(page) {
        item["metadata"] = json!({});
        without(&mut item["current"], "_lsn");
    }
}

fn without_envelopes(page: &mut Value) {
    for item in documents(page) {
        *item = item["current"].take();
    }
}

/// What the client notices: it asks again, or ends with an error, and the step fails.
#[test]
fn a_feed_that_is_not_as_believed_is_named() {
    use RequestKind::{Container, ItemRead, PartitionKeyRanges};
    let gateway = gateway();
    let is_missing = |record: &RequestRecord| record.path.contains("/missing");
    let is_whole = |record: &RequestRecord| record.token.is_none();
    let back = || Action::edit_etag(one_before);
    let plants = vec![
        plant(
            "container.missing",
            Fault::on(Container, Action::status(404, 1004)).when(is_missing),
            "status 404/1004",
        ),
        plant(
            "owner.missing",
            Fault::on(PartitionKeyRanges, Action::status(404, 1005)).when(is_missing),
            "status 404/1005",
        ),
        plant(
            "container.body",
            Fault::on(Container, edit(|container| without(container, "_rid"))).nth(6),
            "a container without them",
        ),
        plant(
            "ranges.tile",
            Fault::on(PartitionKeyRanges, edit(shorten))
                .when(is_whole)
                .nth(9),
            "without gaps",
        ),
        plant(
            "feed.etag-is-last-lsn",
            small(back()).nth(4),
            "an ETag before the last document",
        ),
        plant(
            "feed.body",
            page(edit(|page| without(page, "_rid"))).nth(1),
            "no `_rid`",
        ),
        plant(
            "feed.order",
            page(edit(reverse)).nth(2),
            "LSNs that go back",
        ),
        plant(
            "feed.after",
            small(Action::GoBack(40)).nth(12),
            "documents from before the position",
        ),
        plant("feed.size", small(edit(enlarge)).nth(2), "a larger page"),
        plant(
            "feed.nothing-new",
            page(Action::NotModified { etag: None }).nth(12),
            "304 without an ETag",
        ),
        plant(
            "feed.nothing-new-stays",
            later(Action::NotModifiedBehind(1)).nth(30).times(3),
            "an ETag before it",
        ),
        plant(
            "feed.pin",
            pin(back()).nth(3),
            "an ETag before the partition's LSN",
        ),
        plant(
            "replica.behind",
            later(Action::status(404, 1004)).nth(25).times(3),
            "status 404/1004",
        ),
        plant(
            "all.metadata",
            versions(incomplete),
            "without `lsn` or `crts`",
        ),
        // Planted by the one before.
        plant(
            "all.delete",
            small(Action::As(200)).times(0),
            "a delete without",
        ),
        plant(
            "item.read",
            Fault::on(ItemRead, Action::As(206)).nth(11),
            "status 206",
        ),
    ];
    // A 304 that is scripted has none of these, and what is not as asked for has other numbers.
    let others = [
        "feed.item-count",
        "feed.etag",
        "feed.session",
        "feed.range-id",
        "feed.partition-lsn",
    ];
    let tested = assert_each_is_named(&gateway, plants, &others);
    assert!(!tested.steps("passed").is_empty());
}

/// A creation has no time, and a deletion no partition key.
fn incomplete(item: &mut Value) {
    let metadata = &mut item["metadata"];
    if metadata["operationType"] == "create" {
        without(metadata, "crts");
    } else if metadata["operationType"] == "delete" {
        without(metadata, "partitionKey");
    }
}

/// The position of an ETag, one transaction before.
fn one_before(etag: Option<String>) -> Option<String> {
    let lsn: u64 = etag?.trim_matches('"').parse().ok()?;
    Some(format!("\"{}\"", lsn.saturating_sub(1)))
}

fn reverse(page: &mut Value) {
    page["Documents"]
        .as_array_mut()
        .expect("it is a page")
        .reverse();
}

/// The last range ends earlier.
fn shorten(list: &mut Value) {
    let ranges = list["PartitionKeyRanges"].as_array_mut();
    let last = ranges.and_then(|ranges| ranges.last_mut());
    last.expect("there is a range")["maxExclusive"] = json!("FE");
}

/// The page has its first document three times more.
fn enlarge(page: &mut Value) {
    let documents = page["Documents"].as_array_mut().expect("it is a page");
    let first = documents[0].clone();
    documents.splice(0..0, [first.clone(), first.clone(), first]);
    page["_count"] = json!(documents.len());
}

/// The feed of all versions is refused with this status.
fn refuse_all_versions(gateway: &Gateway, status: u16) {
    let refused = Action::Refuse {
        status,
        message: "not enabled for this account",
    };
    let all = Fault::on(RequestKind::ChangeFeed, refused).when(|record| !is_latest(record));
    gateway.push_fault(all.always());
}

/// An account that keeps no versions: lines with the reason, and no failure.
#[test]
fn what_the_account_refuses_is_a_line_with_the_reason() {
    let gateway = gateway();
    gateway.refuse_definitions_with("changeFeedPolicy", "the account has no continuous backups");
    refuse_all_versions(&gateway, 400);
    let tested = assert_each_is_named(&gateway, Vec::new(), &[]);
    assert_eq!(tested.ended.code, Some(0), "{}", tested.ended.stderr);
    let refused = tested.steps("refused");
    assert_eq!(refused.len(), 2, "{refused:?}");
    for reason in [
        "not enabled for this account",
        "the account has no continuous backups",
    ] {
        let has_reason = |line: &String| line.contains(reason);
        assert!(refused.iter().all(has_reason), "{refused:?}");
    }
    assert_eq!(tested.steps("failed"), Vec::<String>::new());
}

/// The account has accepted a container that keeps versions.
#[test]
fn versions_that_are_kept_and_refused_are_a_failure() {
    let gateway = gateway();
    refuse_all_versions(&gateway, 405);
    let saw = plant("all.refusal", page(Action::As(200)).times(0), "status 405");
    let tested = assert_each_is_named(&gateway, vec![saw], &[]);
    assert_eq!(tested.ended.code, Some(1), "{}", tested.ended.stderr);
    assert_eq!(tested.steps("refused"), Vec::<String>::new());
    let failed = tested.steps("failed");
    assert_eq!(failed.len(), 2, "{failed:?}");
}
