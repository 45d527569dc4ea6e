//! What this program believes of the service, each with a check on an answer.
//!
//! The scripted gateway of the tests keeps to the same beliefs, so what is true of it is true of the service as far as
//! these hold.

use super::answers::{activity, charge, error_body, throttled};
use super::exchange::Exchange;
use super::feed::{
    feed_after, feed_body, feed_envelope, feed_etag, feed_etag_is_last, feed_item_count, feed_lsn,
    feed_nothing_new, feed_order, feed_partition_lsn, feed_pin, feed_range_id, feed_session,
    feed_session_lsn, feed_size, feed_stays, replica_behind,
};
use super::items::{item_deleted, item_etag, item_read, item_written, query_body, query_plan};
use super::resources::{
    account_body, container_body, container_missing, owner_missing, ranges_tile,
};
use super::verdict::{is_there, of, one_of, present, status};
use super::versions::{all_delete, all_metadata, all_operation, all_refusal};

/// What an answer says about a belief.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing: the belief is about other answers.
    NotAboutThis,
    /// It holds.
    Held,
    /// It does not, by what was seen: a shape, without names and values.
    Differs(String),
}

/// Something that is believed of the service.
#[derive(Debug, Clone, Copy)]
pub struct Belief {
    /// Its name in the report.
    pub id: &'static str,
    /// What is believed.
    pub text: &'static str,
    /// What an answer says: nothing if it is about other answers, otherwise whether it holds.
    check: fn(&Exchange<'_>) -> Option<Result<(), String>>,
}

impl Belief {
    pub(super) fn judge(&self, exchange: &Exchange<'_>) -> Check {
        match (self.check)(exchange) {
            None => Check::NotAboutThis,
            Some(Ok(())) => Check::Held,
            Some(Err(saw)) => Check::Differs(saw),
        }
    }
}

/// A belief as a row: its name, what it says, and its check.
macro_rules! beliefs {
    ($($id:literal, $text:literal, $check:expr;)*) => {
        /// All beliefs, in the order of the report.
        pub const BELIEFS: &[Belief] = &[$(Belief { id: $id, text: $text, check: $check }),*];
    };
}

beliefs! {
    "account.body", "the account names its regions and its consistency level", account_body;
    "answer.date", "an answer has a date", |e| is_there(e, "date");
    "answer.activity", "an answer has an activity id, which is a GUID", activity;
    "answer.charge", "an answer with documents is charged with a decimal number above 0", charge;
    "error.body", "a refusal is a JSON object with `code` and `message`", error_body;
    "database.created", "a new database is answered with 201", |e| status(e, "database create", &[201, 409, 400, 403]);
    "database.deleted", "a deleted database is answered with 204", |e| status(e, "database delete", &[204, 404]);
    "container.created", "a new container is answered with 201", |e| status(e, "container create", &[201, 409, 400, 403]);
    "container.body", "a container has its id, its RID and its partition key", container_body;
    "container.missing", "a container that does not exist is 404 without a substatus", container_missing;
    "owner.missing", "the ranges of a container that does not exist are 404/1003", owner_missing;
    "ranges.etag", "the list of ranges has an ETag", |e| of(e, "ranges", 200).then(|| present(e, "etag"));
    "ranges.tile", "the ranges cover the key space from `` to `FF`", ranges_tile;
    "feed.etag", "the ETag of the feed is a whole number in quotes", feed_etag;
    "feed.etag-is-last-lsn", "the ETag of a page is the LSN of its last document", feed_etag_is_last;
    "feed.item-count", "x-ms-item-count is the number of documents in a page", feed_item_count;
    "feed.body", "a page is an object with `_rid`, `Documents`, and `_count`, their number", feed_body;
    "feed.envelope", "the feed sends documents in envelopes, with `current` and `metadata`", feed_envelope;
    "feed.lsn", "each document of the feed has an LSN", feed_lsn;
    "feed.order", "the LSNs of a page do not go back", feed_order;
    "feed.after", "a page has only documents after the position that it continues", feed_after;
    "feed.size", "a page has no more documents than were asked for, apart from a transaction", feed_size;
    "feed.partition-lsn", "the header lsn is the partition's LSN, which no ETag is beyond", feed_partition_lsn;
    "feed.session", "the session token of the feed is ID:VERSION#LSN, perhaps with #REGION=LSN", feed_session;
    "feed.session-lsn", "the session token of the feed has the LSN of the header lsn", feed_session_lsn;
    "feed.range-id", "the feed says which partition key range answers", feed_range_id;
    "feed.nothing-new", "nothing new is 304 without a body, with an ETag", feed_nothing_new;
    "feed.nothing-new-stays", "the ETag of a 304 is not before the position that it answers", feed_stays;
    "feed.pin", "the feed from now on is answered with 304 first, at the partition's LSN", feed_pin;
    "all.operation", "a version is a create, a replace or a delete", all_operation;
    "all.metadata", "a version has its LSN and its time", all_metadata;
    "all.delete", "a delete has an empty `current`, and its id and partition key in `metadata`", all_delete;
    "all.refusal", "a feed of all versions that is not kept is refused with 400", all_refusal;
    "gone", "410 has the substatus 1000, 1002, 1007 or 1008", |e| (e.status == 410).then(|| one_of(e, &[1000, 1002, 1007, 1008]));
    "throttled", "429 says in x-ms-retry-after-ms how long to wait", throttled;
    "replica.behind", "a replica behind the session token answers 404/1002, and 404 of a feed is nothing else", replica_behind;
    "query.body", "a page of a query is an object with `Documents` and `_count`, their number", query_body;
    "query.plan", "the plan of a query has `queryInfo` and `queryRanges`", query_plan;
    "item.etag", "an item that is read or written has an ETag in quotes", item_etag;
    "item.read", "an item is read with 200, and is 404 if it is not there", item_read;
    "item.created", "a new item is answered with 201, a replaced one with 200", item_written;
    "item.deleted", "a deleted item is answered with 204", item_deleted;
}
