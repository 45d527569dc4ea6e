//! A tail that shares its ranges.

use super::{Pages, Stage};
use crate::leases::written::{Leased, ago};
use crate::orders::fill;

#[test]
fn share() {
    let leased = Leased::new(1, "/id");
    leased.gateway.run_clock();
    fill(&leased.orders, 0..3);
    let (id, lsn, bounds) = leased.partitions().remove(0);
    let java = leased.java("search");
    java.marker();
    java.range(&bounds, Some("indexer"), Some(lsn), &ago(0));
    let net = leased.net("billing");
    net.marker();
    net.partition(&id, &bounds, Some("worker-1"), Some(lsn), &ago(0));
    let stage = Stage::at(&leased.gateway);
    let mut pages = Pages::new("share");
    let tail = "cosmos-tail tail -d shop -c orders --leases shop/leases";
    for (name, about, arguments) in [
        (
            "verbose",
            "An instance that begins a group, with -v, and ends after three changes.",
            " -v --group orders --instance a --from beginning --fields id --max 3",
        ),
        (
            "waiting",
            "An instance that gets no lease, and ends since nothing comes.",
            " --group billing --instance worker-2 --idle-timeout 1s",
        ),
        (
            "of-java",
            "A group whose leases are of Java.",
            " --group search",
        ),
        (
            "of-another-feed",
            "A group that reads another feed.",
            " --group billing --mode all",
        ),
        (
            "with-a-state",
            "A state, beside which a group has positions of its own.",
            " --group orders --state tail.json",
        ),
        ("to-a-file", "A file.", " --group orders -o orders.jsonl"),
        (
            "until",
            "An end in time.",
            " --group orders --until 2026-11-23",
        ),
        (
            "part",
            "A part of the container.",
            " --group orders --range 0",
        ),
        (
            "upper-case",
            "A name that is not in lower case.",
            " --group orders --instance Worker-1",
        ),
        (
            "like-a-time",
            "A name that .NET would take for a time.",
            " --group orders --instance 2020-11-28t12:00:00z",
        ),
        (
            "group-name",
            "A name that no id can contain.",
            " --group 50%",
        ),
        (
            "renewed-too-late",
            "Intervals that do not fit each other.",
            " --group orders --renew-interval 45s",
        ),
        (
            "expires-too-soon",
            "Leases that expire too soon.",
            " --group orders --renew-interval 100ms --expiration-interval 1s",
        ),
        (
            "never-acquired",
            "No pause at all.",
            " --group orders --acquire-interval 0s",
        ),
        ("no-group", "A lease container without a group.", ""),
    ] {
        stage.show(&mut pages, name, about, &format!("{tail}{arguments}"));
    }
    stage.show(
        &mut pages,
        "same-container",
        "The leases in the container that is read.",
        "cosmos-tail tail -d shop -c leases --leases shop/leases --group orders",
    );
    stage.show(
        &mut pages,
        "not-leases",
        "A lease container with another partition key.",
        "cosmos-tail tail -d shop -c leases --leases shop/orders --group orders",
    );
    pages.finish();
}
