//! A document as it is stored: its members in their order, each as the text that it has.
//!
//! Whatever is not changed is written back as it was, numbers and unknown members too.

use std::fmt;

use anyhow::{Context, Result};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// Members that the service sets. A write leaves them out.
const SYSTEM: [&str; 6] = ["_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"];

/// A document.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    members: Vec<(String, Box<RawValue>)>,
}

impl Document {
    /// The document of a JSON text.
    ///
    /// # Errors
    ///
    /// If the text is not an object.
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        serde_json::from_slice(text).context("it is not a JSON object")
    }

    /// Whether it has a member of this name, whatever its value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    fn raw(&self, name: &str) -> Option<&RawValue> {
        // Of two members of one name the last counts, as it does for the SDKs.
        let mut found = self.members.iter().rev();
        found
            .find(|(member, _)| member == name)
            .map(|(_, value)| &**value)
    }

    /// The value of a member; null is one.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.raw(name)?.get()).ok()
    }

    /// The value of a member that is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.raw(name)?.get()).ok()
    }

    /// The value of a member that is a whole number.
    pub(super) fn whole(&self, name: &str) -> Option<i64> {
        serde_json::from_str(self.raw(name)?.get()).ok()
    }

    /// Sets a member, in its place or at the end.
    ///
    /// # Errors
    ///
    /// None: any value can be written as JSON.
    pub(super) fn set(&mut self, name: &str, value: impl Serialize) -> Result<()> {
        let value = serde_json::value::to_raw_value(&value)?;
        let mut found = self.members.iter_mut().rev();
        match found.find(|(member, _)| member == name) {
            Some((_, old)) => *old = value,
            None => self.members.push((name.to_owned(), value)),
        }
        Ok(())
    }

    /// Its ETag, if it was read or written.
    pub(crate) fn etag(&self) -> Option<String> {
        self.text("_etag")
    }

    /// The same with this ETag.
    ///
    /// # Errors
    ///
    /// None: it can be written as JSON.
    pub(crate) fn with_etag(mut self, etag: &str) -> Result<Self> {
        self.set("_etag", etag)?;
        Ok(self)
    }

    /// The text to be written: without what the service sets.
    ///
    /// # Errors
    ///
    /// None: it was read from JSON.
    pub(super) fn to_text(&self) -> Result<Vec<u8>> {
        let own = self.members.iter();
        let own = own.filter(|(name, _)| !SYSTEM.contains(&name.as_str()));
        let own = Self {
            members: own.cloned().collect(),
        };
        Ok(serde_json::to_vec(&own)?)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Document { members })
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_is_written_as_it_was() {
        let text = r#"{"id":"a","n":1.50,"big":123456789012345678901234567890,"_ts":7,"Owner":"x","_etag":"\"e\"","more":{"b":1,"a":1e400}}"#;
        let mut document = Document::parse(text.as_bytes()).unwrap();
        document.set("Owner", Option::<&str>::None).unwrap();
        document.set("new", "\u{1b}").unwrap();
        let written = String::from_utf8(document.to_text().unwrap()).unwrap();
        assert_eq!(
            written,
            r#"{"id":"a","n":1.50,"big":123456789012345678901234567890,"Owner":null,"more":{"b":1,"a":1e400},"new":"\u001b"}"#
        );
        assert_eq!(document.value("Owner"), Some(Value::Null));
        assert_eq!(document.text("Owner"), None);
        assert_eq!(document.whole("_ts"), Some(7));
        assert!(Document::parse(b"[]").is_err());
    }
}
