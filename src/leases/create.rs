//! New leases, in the form that the processors of a dialect write themselves.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::document::Document;
use super::java_token::JavaState;
use super::lease::{Dialect, Form};
use super::prefix::Prefix;
use super::read::KeyedBy;
use crate::clock;
use crate::feed::{FeedMode, FeedRange};

/// A lease to be created.
#[derive(Debug, Clone)]
pub(crate) struct NewLease {
    pub(crate) form: Form,
    pub(crate) token: String,
    pub(crate) range: FeedRange,
    /// Where it begins; none for where its processor's options say.
    pub(crate) etag: Option<String>,
    /// The properties of a lease of .NET.
    pub(crate) properties: Value,
}

/// What all leases of a group have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Common<'a> {
    pub(crate) prefix: &'a Prefix,
    pub(crate) keyed_by: KeyedBy,
    pub(crate) mode: FeedMode,
    /// The RID of the container that is read.
    pub(crate) rid: &'a str,
}

impl NewLease {
    /// Its document.
    ///
    /// # Errors
    ///
    /// None: the present can be written.
    pub(crate) fn document(&self, common: Common<'_>) -> Result<Document> {
        let mut document = Document::default();
        let id = common.prefix.lease(&self.token);
        document.set("id", &id)?;
        if common.keyed_by == KeyedBy::PartitionKey {
            document.set("partitionKey", &id)?;
        }
        match self.form.dialect() {
            Dialect::Net => self.net(common, &mut document)?,
            Dialect::JavaPartition | Dialect::JavaRange => self.java(common, &mut document)?,
        }
        Ok(document)
    }

    fn net(&self, common: Common<'_>, document: &mut Document) -> Result<()> {
        let mode = match common.mode {
            FeedMode::LatestVersion => "Incremental Feed",
            FeedMode::AllVersionsAndDeletes => "Full-Fidelity Feed",
        };
        let is_partition = self.form == Form::NetPartition;
        document.set("version", self.form.version())?;
        document.set("LeaseToken", &self.token)?;
        if is_partition {
            document.set("PartitionId", &self.token)?;
        }
        document.set("FeedRange", feed_range(&self.range))?;
        document.set("Owner", Value::Null)?;
        document.set("ContinuationToken", &self.etag)?;
        document.set("properties", &self.properties)?;
        if !is_partition {
            document.set("Mode", mode)?;
        }
        document.set("timestamp", Value::Null)?;
        if is_partition {
            document.set("Mode", mode)?;
        }
        Ok(())
    }

    fn java(&self, common: Common<'_>, document: &mut Document) -> Result<()> {
        let is_range = self.form == Form::JavaRange;
        let token = self.etag.as_ref().map(|etag| {
            if is_range {
                JavaState::new(common.rid, common.mode, &self.range, etag).encode()
            } else {
                etag.clone()
            }
        });
        document.set("LeaseToken", &self.token)?;
        document.set("ContinuationToken", token)?;
        let now = clock::now().replace_nanosecond(0)?;
        document.set("timestamp", now.format(&Rfc3339).context("the present")?)?;
        document.set("Owner", Value::Null)?;
        if is_range {
            document.set("version", self.form.version())?;
            document.set("feedRange", feed_range(&self.range))?;
        }
        Ok(())
    }
}

/// The document that says that the leases of a group have been created.
///
/// # Errors
///
/// None: it is JSON.
pub(crate) fn marker(common: Common<'_>) -> Result<Document> {
    let id = common.prefix.marker();
    let mut document = Document::default();
    document.set("id", &id)?;
    if common.keyed_by == KeyedBy::PartitionKey {
        document.set("partitionKey", &id)?;
    }
    Ok(document)
}

/// A range as both SDKs write it.
pub(crate) fn feed_range(range: &FeedRange) -> Value {
    json!({"Range": {"min": range.min_inclusive, "max": range.max_exclusive}})
}

#[cfg(test)]
mod tests {
    use super::super::lease::Lease;
    use super::*;

    fn text(form: Form, keyed_by: KeyedBy) -> String {
        let prefix = Prefix::new("orders", "host", "nMNRAKUxYpc=").unwrap();
        let lease = NewLease {
            form,
            token: "0".to_owned(),
            range: FeedRange::full(),
            etag: Some("\"7\"".to_owned()),
            properties: json!({"a": "b"}),
        };
        let common = Common {
            prefix: &prefix,
            keyed_by,
            mode: FeedMode::LatestVersion,
            rid: "nMNRAKUxYpc=",
        };
        let document = lease.document(common).unwrap();
        let text = document.to_text().unwrap();
        // Each is a lease of its own form again, at the same position.
        let again = Lease::of(Document::parse(&text).unwrap(), &prefix.target).unwrap();
        assert_eq!((again.form, again.checkpoint.lsn()), (form, Some(7)));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn leases_have_the_members_of_their_sdk_in_its_order() {
        let id = "orders".to_owned() + "host_nMNRAA==_nMNRAKUxYpc=..0";
        assert_eq!(
            text(Form::NetPartition, KeyedBy::PartitionKey),
            format!(
                r#"{{"id":"{id}","partitionKey":"{id}","version":0,"LeaseToken":"0","PartitionId":"0","FeedRange":{{"Range":{{"max":"FF","min":""}}}},"Owner":null,"ContinuationToken":"\"7\"","properties":{{"a":"b"}},"timestamp":null,"Mode":"Incremental Feed"}}"#
            )
        );
        assert_eq!(
            text(Form::NetRange, KeyedBy::Id),
            format!(
                r#"{{"id":"{id}","version":1,"LeaseToken":"0","FeedRange":{{"Range":{{"max":"FF","min":""}}}},"Owner":null,"ContinuationToken":"\"7\"","properties":{{"a":"b"}},"Mode":"Incremental Feed","timestamp":null}}"#
            )
        );
        let java = text(Form::JavaRange, KeyedBy::Id);
        assert!(
            java.starts_with(&format!(
                r#"{{"id":"{id}","LeaseToken":"0","ContinuationToken":"ey"#
            )),
            "{java}"
        );
        assert!(
            java.ends_with(
                r#","Owner":null,"version":1,"feedRange":{"Range":{"max":"FF","min":""}}}"#
            ),
            "{java}"
        );
    }
}
