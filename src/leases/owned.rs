//! What an instance writes into the leases that it takes, keeps and lets go.

use anyhow::{Context, Result};
use serde_json::Value;
use time::{OffsetDateTime, UtcOffset};

use super::create::{Common, NewLease, feed_range};
use super::document::Document;
use super::java_token::JavaState;
use super::lease::{Dialect, Form, Lease};
use super::prefix::Target;
use super::read::KeyedBy;
use crate::feed::FeedRange;

/// What one process leaves in the times that it writes, so that it is told from another one of the same name: the last
/// four of seven decimals, which both SDKs read and no program needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark(u32);

impl Mark {
    const RANGE: u32 = 10_000;
    const UNIT: u32 = 100;

    /// That of a process that starts. Times without so many decimals have none.
    pub(crate) fn random() -> Self {
        Self(fastrand::u32(1..Self::RANGE))
    }

    /// The time in whole milliseconds, and the mark after them.
    fn put_on(self, time: OffsetDateTime) -> Result<OffsetDateTime> {
        let marked = u32::from(time.millisecond()) * Self::RANGE + self.0;
        Ok(time.replace_nanosecond(marked * Self::UNIT)?)
    }

    fn is_on(self, time: OffsetDateTime) -> bool {
        let (decimals, rest) = (
            time.nanosecond() / Self::UNIT,
            time.nanosecond() % Self::UNIT,
        );
        decimals % Self::RANGE == self.0 && rest == 0
    }
}

/// Who wrote a lease, and when by the service's clock. An instance recognizes its own writes by it: the answer to one
/// may be lost, and another instance may have the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The instance that has the lease; none to let it go.
    pub(crate) owner: Option<String>,
    time: String,
}

impl Stamp {
    /// The stamp of a write that the process of this mark makes now.
    ///
    /// # Errors
    ///
    /// None: the present can be written.
    pub(crate) fn new(owner: Option<&str>, now: OffsetDateTime, mark: Mark) -> Result<Self> {
        let format = time::macros::format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z"
        );
        let time = mark.put_on(now.to_offset(UtcOffset::UTC))?.format(format);
        Ok(Self {
            owner: owner.map(str::to_owned),
            time: time.context("the present")?,
        })
    }

    fn put_on(&self, document: &mut Document) -> Result<()> {
        document.set("Owner", &self.owner)?;
        document.set("timestamp", &self.time)
    }
}

impl Lease {
    /// The lease of a document that was written, and has this ETag since.
    ///
    /// # Errors
    ///
    /// Why it is none, in words.
    pub(crate) fn written(document: Document, etag: &str, target: &Target) -> Result<Self, String> {
        let document = document.with_etag(etag);
        Self::of(document.map_err(|error| error.to_string())?, target)
    }

    /// Its document with this stamp. `etag` moves its position; a lease of a partition that does not name its range
    /// gets `range`.
    ///
    /// # Errors
    ///
    /// None: everything that it has can be written.
    pub(crate) fn stamped(
        &self,
        stamp: &Stamp,
        etag: Option<&str>,
        range: &FeedRange,
        common: Common<'_>,
    ) -> Result<Document> {
        let mut document = self.document.clone();
        if self.form == Form::NetPartition && self.own_range.is_none() {
            document.set("FeedRange", feed_range(range))?;
        }
        if let Some(etag) = etag {
            document.set("ContinuationToken", self.token_at(etag, range, common))?;
        }
        stamp.put_on(&mut document)?;
        Ok(document)
    }

    /// What its `ContinuationToken` is at an ETag.
    fn token_at(&self, etag: &str, range: &FeedRange, common: Common<'_>) -> String {
        match self.form.dialect() {
            Dialect::Net | Dialect::JavaPartition => etag.to_owned(),
            Dialect::JavaRange => {
                let moved = self.java_state().and_then(|state| state.at(etag));
                let new = || JavaState::new(common.rid, common.mode, range, etag);
                moved.unwrap_or_else(new).encode()
            }
        }
    }

    /// Whether it is what was written with this stamp. A stamp alone does not say so: the time may have been the same
    /// before.
    pub(crate) fn is(&self, written: &Document, stamp: &Stamp) -> bool {
        const POSITION: &str = "ContinuationToken";
        self.owner == stamp.owner
            && self.timestamp().as_deref() == Some(&*stamp.time)
            && self.document.text(POSITION) == written.text(POSITION)
    }

    /// Whether the process of this mark wrote it last.
    pub(crate) fn has(&self, mark: Mark) -> bool {
        self.renewed.is_some_and(|time| mark.is_on(time))
    }

    /// The time that its owner wrote, as its text.
    pub(crate) fn timestamp(&self) -> Option<String> {
        self.document.text("timestamp")
    }

    /// What it has in `properties`, which its children inherit.
    pub(crate) fn properties(&self) -> Value {
        let properties = self.document.value("properties");
        properties
            .filter(Value::is_object)
            .unwrap_or_else(|| serde_json::json!({}))
    }
}

impl NewLease {
    /// Its document with this stamp.
    ///
    /// # Errors
    ///
    /// None: everything that it has can be written.
    pub(crate) fn stamped(&self, stamp: &Stamp, common: Common<'_>) -> Result<Document> {
        let mut document = self.document(common)?;
        stamp.put_on(&mut document)?;
        Ok(document)
    }
}

/// The document that keeps other instances from creating the leases of a group at the same time.
///
/// # Errors
///
/// None: it is JSON.
pub(crate) fn lock(common: Common<'_>, seconds: u64) -> Result<Document> {
    let id = common.prefix.lock();
    let mut document = Document::default();
    document.set("id", &id)?;
    if common.keyed_by == KeyedBy::PartitionKey {
        document.set("partitionKey", &id)?;
    }
    // It has an effect only where the lease container has a time to live.
    document.set("ttl", seconds)?;
    Ok(document)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::super::prefix::Prefix;
    use super::*;
    use crate::feed::FeedMode;

    const RID: &str = "nMNRAKUxYpc=";

    fn parse(document: &Value) -> Lease {
        let document = Document::parse(document.to_string().as_bytes()).unwrap();
        Lease::of(document, &Target::Rid(RID.to_owned())).unwrap()
    }

    const MARK: Mark = Mark(12);

    fn written(lease: &Lease, stamp: &Stamp, etag: Option<&str>) -> (Lease, String) {
        let prefix = Prefix::new("orders", "host", RID).unwrap();
        let common = Common {
            prefix: &prefix,
            keyed_by: KeyedBy::Id,
            mode: FeedMode::LatestVersion,
            rid: RID,
        };
        let range = FeedRange::new("", "1F").unwrap();
        let document = lease.stamped(stamp, etag, &range, common).unwrap();
        let text = document.to_text().unwrap();
        let again = Document::parse(&text).unwrap();
        let again = Lease::of(again, &Target::Rid(RID.to_owned())).unwrap();
        (again, String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_stamp_changes_the_owner_and_the_time_alone() {
        let lease = parse(
            &json!({"id": "p..0", "version": 0, "LeaseToken": "0", "Owner": null, "mine": 1.50,
            "ContinuationToken": "\"7\"", "properties": {"a": "b"}, "timestamp": null, "_etag": "x"}),
        );
        let now = datetime!(2026-11-28 12:00:00.123456 UTC);
        let stamp = Stamp::new(Some("worker-1"), now, MARK).unwrap();
        let (again, text) = written(&lease, &stamp, None);
        assert_eq!(again.owner.as_deref(), Some("worker-1"));
        assert_eq!(again.checkpoint.lsn(), Some(7));
        assert!(again.is(&again.document, &stamp));
        assert!(again.has(MARK) && !again.has(Mark(11)) && !lease.has(MARK));
        assert!(
            text.contains(r#""timestamp":"2026-11-28T12:00:00.1230012Z""#),
            "{text}"
        );
        // Old leases did not say their range.
        assert!(
            text.contains(r#""FeedRange":{"Range":{"max":"1F","min":""}}"#),
            "{text}"
        );
        let other = Stamp::new(Some("worker-1"), now, Mark(13)).unwrap();
        assert!(!again.is(&again.document, &other));
        // Changed by hand meanwhile.
        assert!(!again.is(&written(&lease, &stamp, Some("\"8\"")).0.document, &stamp));
    }

    #[test]
    fn a_position_is_written_in_the_form_of_its_dialect() {
        let stamp = Stamp::new(None, datetime!(2026-11-28 12:00 UTC), MARK).unwrap();
        let net = parse(
            &json!({"id": "p..0", "version": 0, "LeaseToken": "0", "properties": {"a": "b"},
            "ContinuationToken": null}),
        );
        let (again, _) = written(&net, &stamp, Some("\"9\""));
        assert_eq!(
            again.document.text("ContinuationToken").as_deref(),
            Some("\"9\"")
        );
        assert_eq!(again.properties(), json!({"a": "b"}));
        assert_eq!(again.owner, None);

        let range = json!({"Range": {"min": "", "max": "1F"}});
        for token in [
            None,
            Some(
                JavaState::new(
                    RID,
                    FeedMode::LatestVersion,
                    &FeedRange::new("", "1F").unwrap(),
                    "\"3\"",
                )
                .encode(),
            ),
        ] {
            let java = parse(
                &json!({"id": "p..-1F", "version": 1, "LeaseToken": "-1F", "feedRange": range,
                "ContinuationToken": token}),
            );
            let (again, _) = written(&java, &stamp, Some("\"9\""));
            let state = again.java_state().unwrap();
            assert_eq!(state.etag(), Some("\"9\""));
            assert_eq!(state.range(), Some(FeedRange::new("", "1F").unwrap()));
        }
    }
}
