//! A group as a file: the JSON array that .NET's in-memory lease container saves.
//!
//! Its ids have no prefix, and its leases no owner, no time and no mode, so the file fits any container with the
//! same ranges.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use super::create::{NewLease, feed_range};
use super::document::Document;
use super::group::Group;
use super::lease::{Checkpoint, Form, Lease};
use super::prefix::Target;
use super::ranges::{comparable, gaps, overlapping, range_of, ranges_of, token_of};
use crate::cosmos::partitions::PhysicalPartition;
use crate::feed::FeedRange;

/// The leases of a group as the text of a file.
///
/// # Errors
///
/// If a lease has no range or no position that can be read.
pub(crate) fn export(group: &Group, partitions: &[PhysicalPartition]) -> Result<Vec<Document>> {
    let ranges = ranges_of(&group.leases, partitions);
    let comparable = comparable(&group.leases, &ranges, partitions);
    let leases = group.leases.iter().zip(ranges).zip(comparable);
    leases
        .map(|((lease, range), comparable)| {
            let document = match (range, comparable) {
                (Some(range), Some(_)) => exported(lease, &range),
                (Some(_), None) => Err(anyhow!(
                    "its partition was merged with another one, and nothing says which part of that it is for"
                )),
                (None, _) => Err(anyhow!("its partition does not exist any more")),
            };
            document.map_err(|error| {
                anyhow!("the lease `{}` cannot be exported: {error:#}", lease.token)
            })
        })
        .collect()
}

fn exported(lease: &Lease, range: &FeedRange) -> Result<Document> {
    if let Checkpoint::Unreadable(reason) = &lease.checkpoint {
        bail!("{reason}");
    }
    let is_partition = matches!(lease.form, Form::NetPartition | Form::JavaPartition);
    let mut document = Document::default();
    document.set("id", &lease.token)?;
    document.set("version", lease.form.version())?;
    document.set("_etag", Value::Null)?;
    document.set("LeaseToken", &lease.token)?;
    if is_partition {
        document.set("PartitionId", &lease.token)?;
    }
    document.set("FeedRange", feed_range(range))?;
    document.set("ContinuationToken", lease.checkpoint.etag())?;
    document.set("properties", properties_of(&lease.document))?;
    document.set("timestamp", Value::Null)?;
    document.set("_ts", 0)?;
    Ok(document)
}

fn properties_of(document: &Document) -> Value {
    let properties = document.value("properties");
    properties
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}))
}

/// The leases of a file, in the forms that a group has.
///
/// # Errors
///
/// If it is not such a file, or its leases do not cover a container.
pub(crate) fn import(
    text: &[u8],
    is_java: bool,
    partitions: &[PhysicalPartition],
) -> Result<Vec<NewLease>> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let documents: Vec<Document> = serde_json::from_slice(text).map_err(|error| {
        anyhow!("it is not a JSON array of leases, as `leases export` writes it: {error}")
    })?;
    let mut leases = Vec::with_capacity(documents.len());
    for (at, document) in documents.into_iter().enumerate() {
        let imported = imported(document, is_java, partitions);
        leases.push(imported.map_err(|reason| anyhow!("its lease {}: {reason}", at + 1))?);
    }
    ensure_whole(&leases)?;
    Ok(leases)
}

/// Refuses leases that do not cover a container once.
///
/// # Errors
///
/// Names the first gap or overlap.
pub(super) fn ensure_whole(leases: &[NewLease]) -> Result<()> {
    ensure!(!leases.is_empty(), "it has no leases");
    let mut tokens = BTreeSet::new();
    for lease in leases {
        ensure!(
            tokens.insert(&lease.token),
            "it has two leases `{}`",
            lease.token
        );
    }
    let ranges: Vec<Option<FeedRange>> = leases
        .iter()
        .map(|lease| Some(lease.range.clone()))
        .collect();
    if let Some(at) = overlapping(&ranges).iter().position(|is| *is) {
        bail!("its lease `{}` overlaps another one", leases[at].token);
    }
    let all = ranges.into_iter().flatten();
    if let Some(gap) = gaps(all).first() {
        bail!("it has no lease for the range {}", token_of(gap));
    }
    Ok(())
}

/// A lease in the form of another SDK, at the same position.
///
/// # Errors
///
/// Why it has none.
pub(super) fn in_dialect_of(
    lease: &Lease,
    range: &FeedRange,
    is_java: bool,
    partitions: &[PhysicalPartition],
) -> Result<NewLease> {
    let document = exported(lease, range)?;
    let new = imported(document, is_java, partitions).map_err(|reason| anyhow!("{reason}"))?;
    // KEDA understands those of whole partitions.
    let whole = partitions.iter().find(|one| one.range == *range);
    Ok(match whole.filter(|_| !is_java) {
        Some(partition) => NewLease {
            form: Form::NetPartition,
            token: partition.id.clone(),
            ..new
        },
        None => new,
    })
}

fn imported(
    document: Document,
    is_java: bool,
    partitions: &[PhysicalPartition],
) -> Result<NewLease, String> {
    let properties = properties_of(&document);
    let lease = Lease::of(document, &Target::Rid(String::new()))?;
    let etag = match &lease.checkpoint {
        Checkpoint::Unset => None,
        Checkpoint::At(etag) => Some(etag.clone()),
        Checkpoint::Unreadable(reason) => return Err(reason.clone()),
    };
    let range = range_of(&lease, partitions)
        .ok_or("it has no range, and there is no partition of its id")?;
    let is_partition = partitions
        .iter()
        .any(|one| one.id == lease.token && one.range == range);
    let (form, token) = match lease.form {
        _ if is_java => (Form::JavaRange, token_of(&range)),
        // The partitions of another container have other ranges.
        Form::NetPartition | Form::JavaPartition if is_partition => {
            (Form::NetPartition, lease.token)
        }
        _ => (Form::NetRange, token_of(&range)),
    };
    Ok(NewLease {
        form,
        token,
        range,
        etag,
        properties,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(id: &str, min: &str, max: &str) -> PhysicalPartition {
        PhysicalPartition {
            id: id.to_owned(),
            range: FeedRange::new(min, max).unwrap(),
            portable: String::new(),
            parents: Vec::new(),
        }
    }

    fn import_of(text: &Value, is_java: bool) -> Result<Vec<NewLease>> {
        let partitions = [partition("0", "", "1F"), partition("1", "1F", "FF")];
        import(text.to_string().as_bytes(), is_java, &partitions)
    }

    fn v0(id: &str, min: &str, max: &str) -> Value {
        json!({"id": id, "version": 0, "LeaseToken": id, "PartitionId": id,
            "FeedRange": {"Range": {"min": min, "max": max}}, "ContinuationToken": "\"5\"",
            "properties": {"a": "b"}, "timestamp": null, "_ts": 0, "_etag": null})
    }

    #[test]
    fn a_file_becomes_leases_of_either_sdk() {
        let file = json!([v0("0", "", "1F"), v0("1", "1F", "FF")]);
        let leases = import_of(&file, false).unwrap();
        assert_eq!(leases[1].form, Form::NetPartition);
        assert_eq!(leases[1].token, "1");
        assert_eq!(leases[1].properties, json!({"a": "b"}));
        let leases = import_of(&file, true).unwrap();
        assert_eq!(
            (leases[1].form, leases[1].token.as_str()),
            (Form::JavaRange, "1F-FF")
        );
        // Partitions that this container does not have become ranges.
        let other = json!([v0("7", "", "20"), v0("8", "20", "FF")]);
        let leases = import_of(&other, false).unwrap();
        assert_eq!(
            (leases[0].form, leases[0].token.as_str()),
            (Form::NetRange, "-20")
        );
    }

    #[test]
    fn what_does_not_cover_a_container_is_refused() {
        for (file, reason) in [
            (json!({}), "not a JSON array"),
            (json!([]), "no leases"),
            (json!([7]), "not a JSON array"),
            (json!([{"id": "0"}]), "lease 1: it has no LeaseToken"),
            (json!([v0("0", "", "1F")]), "no lease for the range 1F-FF"),
            (
                json!([v0("0", "", "1F"), v0("0", "", "1F")]),
                "two leases `0`",
            ),
            (json!([v0("0", "", "20"), v0("1", "1F", "FF")]), "overlaps"),
            (
                json!([{"id": "9", "LeaseToken": "9", "properties": {}}]),
                "no partition of its id",
            ),
        ] {
            let found = format!("{:#}", import_of(&file, false).unwrap_err());
            assert!(found.contains(reason), "{file}: {found}");
        }
    }
}
