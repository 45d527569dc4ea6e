//! The judge: what a container holds by what was written to it, and whether a step found exactly that.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::content::canonical::has_same_content;
use crate::escape::escape_for_terminal;
use crate::feed::page::{OperationType, Page, members, write_without_system_fields};

/// What a document has to be equal in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sameness {
    /// The text of its members, in their order.
    Text,
    /// Its content: members in any order, numbers by value.
    Content,
}

/// The documents of a container, by id: each as it is stored, without what the service adds.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected(BTreeMap<String, Stored>);

/// A document as it is stored, and the text of every version of it that may be read.
#[derive(Debug, Clone)]
struct Stored {
    /// None once it is deleted.
    text: Option<Vec<u8>>,
    earlier: Vec<Vec<u8>>,
}

/// A version of a document that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) operation: Option<OperationType>,
    pub(super) id: String,
    pub(super) text: Option<Vec<u8>>,
    pub(super) lsn: Option<u64>,
}

impl Expected {
    /// A document is stored with this text, or another version of it.
    pub(super) fn store(&mut self, id: &str, text: Vec<u8>) {
        let stored = self.0.entry(id.to_owned()).or_insert(Stored {
            text: None,
            earlier: Vec::new(),
        });
        stored.earlier.extend(stored.text.replace(text));
    }

    /// A document is deleted.
    pub(super) fn delete(&mut self, id: &str) {
        if let Some(stored) = self.0.get_mut(id) {
            stored.earlier.extend(stored.text.take());
        }
    }

    /// Only the documents whose ids are these.
    #[must_use]
    pub(super) fn only(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let own = self.0.iter().filter(|(id, _)| is_wanted(id));
        Self(
            own.map(|(id, stored)| (id.clone(), stored.clone()))
                .collect(),
        )
    }

    /// How many documents are stored.
    pub(super) fn len(&self) -> usize {
        self.0
            .values()
            .filter(|stored| stored.text.is_some())
            .count()
    }

    /// The text of a document as it is stored.
    pub(super) fn text(&self, id: &str) -> Option<&[u8]> {
        self.0.get(id)?.text.as_deref()
    }

    /// Judges what a command read at rest: each document once, as it is stored, and nothing else.
    pub(super) fn judge(&self, read: &[Vec<u8>], sameness: Sameness) -> Result<(), String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for document in read {
            let id = id_of(document).ok_or("a document without an id")?;
            let shown = named(&id);
            let Some(stored) = self.text(&id) else {
                return Err(format!("{shown} was read, which is not there"));
            };
            if !same(stored, &without_system_fields(document), sameness) {
                return Err(format!("{shown} has another content"));
            }
            *seen.entry(id).or_default() += 1;
        }
        if let Some((id, times)) = seen.iter().find(|(_, times)| **times > 1) {
            return Err(format!("{} was read {times} times", named(id)));
        }
        let stored = self.0.iter().filter(|(_, stored)| stored.text.is_some());
        let missing: Vec<&String> = stored
            .map(|(id, _)| id)
            .filter(|id| !seen.contains_key(*id))
            .collect();
        match missing.first() {
            None => Ok(()),
            Some(first) => Err(format!(
                "{} of {} documents are missing, such as {}",
                missing.len(),
                self.len(),
                named(first)
            )),
        }
    }

    /// Judges what followed a container while it was written: each document as it is stored, as the last of its versions
    /// if one reader read them all, and nothing that never was.
    pub(super) fn judge_followed(&self, read: &[Vec<u8>], is_one: bool) -> Result<(), String> {
        let mut last: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for document in read {
            let id = id_of(document).ok_or("a document without an id")?;
            let own = without_system_fields(document);
            let stored = self
                .0
                .get(&id)
                .ok_or_else(|| format!("{} was never there", named(&id)))?;
            let was_there = stored
                .text
                .iter()
                .chain(&stored.earlier)
                .any(|text| *text == own);
            if !was_there {
                return Err(format!("{} never had this content", named(&id)));
            }
            if is_one || stored.text.as_ref() == Some(&own) {
                last.insert(id, own);
            }
        }
        for (id, stored) in &self.0 {
            if let Some(text) = &stored.text
                && last.get(id) != Some(text)
            {
                return Err(format!("{} was not read as it is now", named(id)));
            }
        }
        Ok(())
    }
}

/// Judges versions: those of each document are these, once and in their order.
pub(super) fn judge_versions(expected: &[Version], read: &[Version]) -> Result<(), String> {
    let mut ids: Vec<&str> = expected
        .iter()
        .chain(read)
        .map(|version| version.id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let of = |all: &[Version]| -> Vec<Version> {
            let own = all.iter().filter(|version| version.id == id);
            own.map(|version| Version {
                lsn: None,
                ..version.clone()
            })
            .collect()
        };
        let (expected, read) = (of(expected), of(read));
        if expected != read {
            let shown = |versions: &[Version]| -> String {
                let operations = versions.iter().map(|version| match version.operation {
                    Some(operation) => format!("{operation:?}").to_lowercase(),
                    None => "none".to_owned(),
                });
                operations.collect::<Vec<_>>().join(", ")
            };
            return Err(match shown(&expected) == shown(&read) {
                true => format!("a version of {} has another content", named(id)),
                false => format!(
                    "{} has the versions {}, not {}",
                    named(id),
                    shown(&read),
                    shown(&expected)
                ),
            });
        }
    }
    Ok(())
}

/// A version as the feed should have it; without text if it is a deletion.
pub(super) fn version(operation: OperationType, id: &str, text: Option<Vec<u8>>) -> Version {
    Version {
        operation: Some(operation),
        id: id.to_owned(),
        text,
        lsn: None,
    }
}

/// The documents of a file of JSON lines.
pub(super) fn documents_of(path: &Path) -> Result<Vec<Vec<u8>>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    Ok(lines.map(<[u8]>::to_vec).collect())
}

/// The versions in lines of envelopes.
pub(super) fn versions_of(lines: &[Vec<u8>]) -> Result<Vec<Version>> {
    let mut versions = Vec::new();
    for line in lines {
        let page = [b"{\"Documents\":[", &line[..], b"]}"].concat();
        let page = Page::parse(page.into()).context("a line is no change")?;
        for item in page.items() {
            let metadata = item.metadata().unwrap_or_default();
            let document = item.document();
            let id = match document {
                Some(document) => id_of(document),
                None => metadata.id.and_then(text_of),
            };
            versions.push(Version {
                operation: metadata.operation_type,
                id: id.context("a change has no id")?,
                text: document.map(without_system_fields),
                lsn: metadata.lsn,
            });
        }
    }
    Ok(versions)
}

/// A document without what the service adds.
pub(super) fn without_system_fields(document: &[u8]) -> Vec<u8> {
    let mut own = Vec::with_capacity(document.len());
    write_without_system_fields(document, &mut own);
    own
}

fn same(a: &[u8], b: &[u8], sameness: Sameness) -> bool {
    a == b || (sameness == Sameness::Content && has_same_content(a, b))
}

fn id_of(document: &[u8]) -> Option<String> {
    text_of(
        members(document)
            .find(|member| member.is_named("id"))?
            .value,
    )
}

fn text_of(json: &[u8]) -> Option<String> {
    serde_json::from_slice(json).ok()
}

/// The id of a document of the known set, in a message: only its beginning, since some are long.
fn named(id: &str) -> String {
    let mut short: String = id.chars().take(24).collect();
    if short.len() < id.len() {
        short.push('…');
    }
    format!("`{}`", escape_for_terminal(&short))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Expected {
        let mut expected = Expected::default();
        for text in [r#"{"id":"a","n":1.0}"#, r#"{"id":"b"}"#, r#"{"id":"c"}"#] {
            expected.store(&text[7..8], text.as_bytes().to_vec());
        }
        expected.delete("c");
        expected
    }

    fn lines(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn what_is_missing_doubled_changed_or_not_there_is_noticed() {
        let expected = stored();
        let [a, b] = [r#"{"id":"a","n":1.0,"_ts":1}"#, r#"{"_etag":"x","id":"b"}"#];
        expected.judge(&lines(&[b, a]), Sameness::Text).unwrap();
        for (read, wrong) in [
            (vec![a], "1 of 2 documents are missing, such as `b`"),
            (vec![a, b, b], "`b` was read 2 times"),
            (
                vec![a, b, r#"{"id":"c"}"#],
                "`c` was read, which is not there",
            ),
            (vec![r#"{"id":"a","n":1}"#, b], "`a` has another content"),
        ] {
            assert_eq!(
                expected.judge(&lines(&read), Sameness::Text).unwrap_err(),
                wrong
            );
        }
        let by_value = lines(&[r#"{"n":1,"id":"a"}"#, b]);
        expected.judge(&by_value, Sameness::Content).unwrap();
        let other = lines(&[r#"{"n":2,"id":"a"}"#, b]);
        assert!(expected.judge(&other, Sameness::Content).is_err());
    }

    #[test]
    fn a_follower_needs_each_last_version_and_nothing_that_never_was() {
        let mut expected = stored();
        expected.store("a", br#"{"id":"a","n":2}"#.to_vec());
        let [old, new, b] = [
            r#"{"id":"a","n":1.0}"#,
            r#"{"id":"a","n":2}"#,
            r#"{"id":"b"}"#,
        ];
        expected
            .judge_followed(&lines(&[old, b, new, r#"{"id":"c"}"#]), true)
            .unwrap();
        expected
            .judge_followed(&lines(&[new, b, old]), false)
            .unwrap();
        for (read, wrong) in [
            (vec![b, old], "`a` was not read as it is now"),
            (vec![b, new, old], "`a` was not read as it is now"),
            (
                vec![b, new, r#"{"id":"a","n":3}"#],
                "`a` never had this content",
            ),
            (vec![b, new, r#"{"id":"d"}"#], "`d` was never there"),
        ] {
            assert_eq!(
                expected.judge_followed(&lines(&read), true).unwrap_err(),
                wrong
            );
        }
    }
}
