//! `compare --follow` where a reading is answered by a replica that lags behind what the feed, or an earlier reading, has
//! shown: nothing is ever said to be the same that is not.

use std::collections::HashMap;

use super::follow::{NOTHING, changed, follow, said, wait_until_said};
use super::*;
use crate::gateway::{GatewayOptions, Lag, RequestKind, RequestRecord};
use crate::monitor::{Served, wait_until};
use crate::orders::{document, filled_with};

/// How many requests of a reading are answered by such a replica, in each partition: a pin and a page, and those of a
/// second reading.
const LAGGING: usize = 4;

/// Whether a request is of a reading, or of a pin: of a small range, or without a position.
fn is_of_reading(record: &RequestRecord) -> bool {
    let begins = matches!(record.token.as_deref(), None | Some("*"));
    // No partition is as small.
    let range = record.epk_range.as_ref();
    let is_small = range.is_some_and(|(min, max)| min.len() > 2 && min.get(..2) == max.get(..2));
    record.kind == RequestKind::ChangeFeed && (begins || is_small)
}

/// The first requests of readings lag in each partition, once so many pins were made.
fn in_first_requests(lag: Lag, pins: usize) -> impl FnMut(&RequestRecord) -> Lag + Send {
    let mut pinned = 0;
    let mut seen: HashMap<Option<String>, usize> = HashMap::new();
    move |record| {
        if !is_of_reading(record) {
            return Lag::default();
        }
        if record.is_pin() && pinned < pins {
            pinned += 1;
            return Lag::default();
        }
        let key = format!("{:?} {:?}", record.container, record.partition);
        let seen = seen.entry(Some(key)).or_default();
        *seen += 1;
        match *seen <= LAGGING {
            true => lag,
            false => Lag::default(),
        }
    }
}

/// Waits until this is said, and asserts that it never was that both are the same.
#[track_caller]
fn wait_without_same(served: &Served, outcome: &str, documents: [u64; 4]) {
    wait_until(&format!("{outcome} {documents:?}"), || {
        let said = said(served);
        let is_same = said.as_ref().is_some_and(|(outcome, _)| outcome == "same");
        assert!(!is_same, "{said:?}");
        match said == Some((outcome.to_owned(), documents)) {
            true => Ok(()),
            false => Err(format!("{said:?}")),
        }
    });
}

fn eventual() -> GatewayOptions {
    GatewayOptions {
        consistency: "Eventual",
        ..GatewayOptions::default()
    }
}

#[test]
fn a_first_reading_from_before_the_pins_is_not_believed() {
    let (gateway, container) = filled_with(eventual(), 2, 200);
    let copy = gateway.create_container(crate::command::DATABASE, "copy", "/pk", 2);
    crate::orders::fill(&copy, 0..200);
    // The last transaction of its partition: a replica that lacks it has what the copy has.
    container.upsert(changed(7, 1));
    gateway.set_lag(in_first_requests(Lag::Transactions(1), 4));
    let served = Served::start(&mut follow(&gateway, "1s"));
    wait_without_same(&served, "different", [0, 0, 1, 0]);
    copy.upsert(changed(7, 1));
    wait_until_said(&served, "same", NOTHING);
    assert_eq!(served.stop().code, SAME);
}

#[test]
fn what_is_known_of_a_partition_is_known_of_those_that_it_is_split_into() {
    let (gateway, container) = filled_with(eventual(), 1, 200);
    let copy = gateway.create_container(crate::command::DATABASE, "copy", "/pk", 1);
    crate::orders::fill(&copy, 0..200);
    let served = Served::start(&mut follow(&gateway, "1s"));
    wait_until_said(&served, "same", NOTHING);
    let before = container.upsert(document(7)) - 1;
    wait_until_said(&served, "same", NOTHING);
    let first = container.partitions()[0].id.clone();
    let mut lag = in_first_requests(Lag::At(before), 0);
    let of = container.rid().to_owned();
    gateway.set_lag(move |record| {
        let is_child =
            record.container.as_ref() == Some(&of) && record.partition.as_ref() != Some(&first);
        match is_child {
            true => lag(record),
            false => Lag::default(),
        }
    });
    container.upsert(changed(7, 1));
    wait_until_said(&served, "changing", [0, 0, 0, 1]);
    container.split(&container.partitions()[0].id, 2);
    wait_without_same(&served, "different", [0, 0, 1, 0]);
    copy.upsert(changed(7, 1));
    wait_until_said(&served, "same", NOTHING);
    assert_eq!(served.stop().code, SAME);
}

#[test]
fn a_deletion_that_a_reading_has_seen_is_not_unseen() {
    let (gateway, container) = filled_with(eventual(), 1, 200);
    let copy = gateway.create_container(crate::command::DATABASE, "copy", "/pk", 1);
    crate::orders::fill(&copy, 0..200);
    let served = Served::start(&mut follow(&gateway, "1s"));
    wait_until_said(&served, "same", NOTHING);
    copy.upsert(changed(7, 1));
    wait_until_said(&served, "different", [0, 0, 1, 0]);
    // The feed of the source stays where it was before the deletion, and so do some readings after the first.
    let of = container.rid().to_owned();
    gateway.set_lag(move |record| {
        let is_source = record.container.as_ref() == Some(&of);
        Lag::Transactions(u64::from(is_source && !is_of_reading(record)))
    });
    container.delete("item-7", "key-7");
    wait_without_same(&served, "different", [0, 1, 0, 0]);
    let of = container.rid().to_owned();
    let mut readings = in_first_requests(Lag::Transactions(1), 0);
    // As the source had it.
    copy.upsert(document(7));
    let mut polls = 0;
    gateway.set_lag(move |record| {
        let is_source = record.container.as_ref() == Some(&of);
        match (is_source, is_of_reading(record)) {
            (false, true) => Lag::default(),
            (false, false) => {
                polls += 1;
                Lag::default()
            }
            // Once the feed of the target has said so.
            (true, true) if polls > 1 => readings(record),
            (true, true) => Lag::default(),
            (true, false) => Lag::Transactions(1),
        }
    });
    let asked = gateway.requests(RequestKind::ChangeFeed);
    wait_until("more readings", || {
        let said = said(&served);
        let is_same = said.as_ref().is_some_and(|(outcome, _)| outcome == "same");
        assert!(!is_same, "{said:?}");
        let log = gateway.request_log();
        let log = log
            .iter()
            .filter(|record| record.kind == RequestKind::ChangeFeed);
        let readings = log.skip(asked).filter(|record| is_of_reading(record));
        match readings.count() {
            20.. => Ok(()),
            readings => Err(format!("{readings} readings")),
        }
    });
    gateway.clear_lag();
    wait_without_same(&served, "different", [0, 1, 0, 0]);
    copy.delete("item-7", "key-7");
    wait_until_said(&served, "same", NOTHING);
    assert_eq!(served.stop().code, SAME);
}
