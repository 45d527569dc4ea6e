//! What a container has beside its definition: stored procedures, triggers, user-defined functions, and the client
//! encryption keys of its database that its policy names.
//!
//! Each is kept as the service sent it, byte for byte. A new one is made from it by leaving out what the service writes
//! itself.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::definition::{is_defined, named};
use crate::count::exactly;

/// The most that all companions of a container take, in bytes. A container has a hundred stored procedures or so, and
/// none is longer than a request.
pub const MAX_COMPANION_BYTES: usize = 16 << 20;
/// A longer name is not one of the service's.
const MAX_NAME: usize = 1024;

/// A kind of companions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CompanionKind {
    /// Stored procedures.
    StoredProcedures,
    /// Triggers.
    Triggers,
    /// User-defined functions.
    UserDefinedFunctions,
    /// Client encryption keys, which are those of the database.
    ClientEncryptionKeys,
}

impl CompanionKind {
    /// What runs in the service. The keys are the database's.
    pub(super) const SCRIPTS: [Self; 3] = [
        Self::StoredProcedures,
        Self::Triggers,
        Self::UserDefinedFunctions,
    ];

    /// For people, of more than one.
    pub fn names(self) -> &'static str {
        match self {
            Self::StoredProcedures => "stored procedures",
            Self::Triggers => "triggers",
            Self::UserDefinedFunctions => "user-defined functions",
            Self::ClientEncryptionKeys => "client encryption keys",
        }
    }

    /// For people, of one.
    pub fn name(self) -> &'static str {
        let names = self.names();
        names.strip_suffix('s').unwrap_or(names)
    }

    /// The last word of the address of its list.
    pub(super) fn segment(self) -> &'static str {
        match self {
            Self::StoredProcedures => "sprocs",
            Self::Triggers => "triggers",
            Self::UserDefinedFunctions => "udfs",
            Self::ClientEncryptionKeys => "clientencryptionkeys",
        }
    }

    /// The member of a page of the list that has its entries.
    pub(super) fn member(self) -> &'static str {
        match self {
            Self::StoredProcedures => "StoredProcedures",
            Self::Triggers => "Triggers",
            Self::UserDefinedFunctions => "UserDefinedFunctions",
            Self::ClientEncryptionKeys => "ClientEncryptionKeys",
        }
    }

    /// The same word in an address of Azure Resource Manager.
    pub fn arm_segment(self) -> &'static str {
        match self {
            Self::StoredProcedures => "storedProcedures",
            Self::Triggers => "triggers",
            Self::UserDefinedFunctions => "userDefinedFunctions",
            Self::ClientEncryptionKeys => "clientEncryptionKeys",
        }
    }

    /// Whether the database has it, and not one of its containers.
    pub fn is_of_database(self) -> bool {
        self == Self::ClientEncryptionKeys
    }
}

/// Why the companions of a kind are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// The credential does not cover them.
    Denied,
    /// The account is an emulator, and has no such thing.
    NotSupported,
    /// They could not be read, for this reason.
    Failed(String),
}

/// A stored procedure, a trigger, a function or a key, which was checked.
#[derive(Debug, Clone)]
pub struct Companion {
    id: String,
    text: Box<RawValue>,
}

impl Companion {
    /// The companion in `text`, which may come from anywhere.
    ///
    /// # Errors
    ///
    /// If it is none, in words.
    pub fn parse(text: Box<RawValue>) -> Result<Self> {
        #[derive(Deserialize)]
        struct Named {
            id: String,
        }
        ensure!(text.get().starts_with('{'), "it is not a JSON object");
        let mut names = BTreeSet::new();
        for (name, _) in named(text.get())? {
            if let Some(twice) = names.replace(name) {
                bail!("it has {twice:?} twice");
            }
        }
        let Named { id } = serde_json::from_str(text.get()).map_err(|error| anyhow!("{error}"))?;
        ensure!(
            !id.is_empty() && id.len() <= MAX_NAME,
            "its id is empty, or longer than {MAX_NAME} bytes"
        );
        Ok(Self { id, text })
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is made of, in the order of the service. Values are as they are.
    pub fn members(&self) -> Vec<(String, &str)> {
        let mut members = named(self.text.get()).unwrap_or_default();
        members.retain(|(name, _)| is_defined(name));
        members
    }

    /// The body of the request that makes it.
    pub(super) fn body(&self) -> String {
        let members: Vec<String> = self
            .members()
            .into_iter()
            .map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name)))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// Whether both make the same.
    pub(super) fn is_the_same_as(&self, other: &Self) -> bool {
        let made_of = |one: &Self| -> BTreeMap<String, serde_json::Value> {
            let members = one.members().into_iter();
            members
                .map(|(name, value)| (name, serde_json::from_str(value).unwrap_or_default()))
                .collect()
        };
        made_of(self) == made_of(other)
    }
}

/// The companions of a container, as far as they were read. A kind that is not in it is not known.
#[derive(Debug, Clone, Default)]
pub struct Companions(BTreeMap<CompanionKind, Vec<Companion>>);

impl Companions {
    /// Adds those of a kind.
    ///
    /// # Errors
    ///
    /// If two have one name, or all are longer than any container's, in words.
    pub fn add(&mut self, kind: CompanionKind, all: Vec<Companion>) -> Result<()> {
        let mut ids = BTreeSet::new();
        for one in &all {
            ensure!(
                ids.insert(&*one.id),
                "there are two {} {:?}",
                kind.names(),
                one.id
            );
        }
        let others = self.all().filter(|(of, _)| *of != kind);
        let length: usize = others
            .map(|(_, one)| one)
            .chain(&all)
            .map(|one| one.text.get().len() + 1)
            .sum();
        ensure!(
            length <= MAX_COMPANION_BYTES,
            "they are longer than {} MiB",
            MAX_COMPANION_BYTES >> 20
        );
        self.0.insert(kind, all);
        Ok(())
    }

    /// Those of a kind; none if they are not known.
    pub fn of(&self, kind: CompanionKind) -> Option<&[Companion]> {
        self.0.get(&kind).map(Vec::as_slice)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (CompanionKind, &Companion)> {
        let kinds = self.0.iter();
        kinds.flat_map(|(kind, all)| all.iter().map(|one| (*kind, one)))
    }

    /// Takes over from `other` each kind that is not known here, as far as it is not too much.
    pub fn complete_from(&mut self, other: &Self) {
        for (kind, all) in &other.0 {
            if !self.0.contains_key(kind) {
                // What is left out stays unread.
                self.add(*kind, all.clone()).ok();
            }
        }
    }

    /// The text of them, a JSON object with a list for each kind.
    ///
    /// # Errors
    ///
    /// If they cannot be serialized.
    pub fn text(&self) -> Result<Box<RawValue>> {
        let lists: BTreeMap<CompanionKind, Vec<&RawValue>> = self
            .0
            .iter()
            .map(|(kind, all)| (*kind, all.iter().map(|one| &*one.text).collect()))
            .collect();
        Ok(serde_json::value::to_raw_value(&lists)?)
    }

    /// The companions in such a text. Kinds that a later build knows are left out.
    ///
    /// # Errors
    ///
    /// If it is another text, in words.
    pub fn parse(text: &RawValue) -> Result<Self> {
        let lists: BTreeMap<String, &RawValue> =
            serde_json::from_str(text.get()).map_err(|error| anyhow!("{error}"))?;
        let mut found = Self::default();
        for (name, list) in lists {
            let name = serde_json::Value::from(name);
            let Ok(kind) = CompanionKind::deserialize(&name) else {
                continue;
            };
            let list: Vec<Box<RawValue>> = serde_json::from_str(list.get())
                .map_err(|error| anyhow!("the list of {}: {error}", kind.names()))?;
            let all = list.into_iter().map(Companion::parse);
            let all: Vec<Companion> = all
                .collect::<Result<_>>()
                .with_context(|| format!("one of its {} cannot be used", kind.names()))?;
            found.add(kind, all)?;
        }
        Ok(found)
    }

    /// The kinds that are known.
    pub fn kinds(&self) -> Vec<CompanionKind> {
        self.0.keys().copied().collect()
    }

    /// Whether one has others than the other, of a kind that both know.
    pub fn contradict(&self, other: &Self) -> bool {
        let is_same = |all: &[Companion], others: &[Companion]| {
            all.len() == others.len()
                && all.iter().all(|one| {
                    let same_id = others.iter().find(|other| other.id == one.id);
                    same_id.is_some_and(|other| one.is_the_same_as(other))
                })
        };
        self.0.iter().any(|(kind, all)| {
            let others = other.of(*kind);
            others.is_some_and(|others| !is_same(all, others))
        })
    }

    /// How many there are of each kind, for people; none if there are none.
    pub fn counted(&self) -> Option<String> {
        let counted: Vec<String> = self
            .0
            .iter()
            .filter(|(_, all)| !all.is_empty())
            .map(|(kind, all)| exactly(all.len() as u64, kind.name()))
            .collect();
        Some(counted.join(", ")).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Companions> {
        Companions::parse(&RawValue::from_string(json.to_owned())?)
    }

    #[test]
    fn a_companion_is_made_of_all_that_is_not_the_services() {
        let text = r#"{"_rid":"a==","id":"a/../\u0062","body":"function () { return '\u2028'; }","_ts":1,
            "triggerType":"Pre","new":1e400,"_self":"x"}"#;
        let one = Companion::parse(RawValue::from_string(text.to_owned()).unwrap()).unwrap();
        assert_eq!(one.id(), "a/../b");
        assert_eq!(
            one.body(),
            r#"{"id":"a/../\u0062","body":"function () { return '\u2028'; }","triggerType":"Pre","new":1e400}"#
        );
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let text = r#"{"storedProcedures":[{"id":"a","body":"x"}],"triggers":[],"clientEncryptionKeys":[{"id":"k"}]}"#;
        let found = parse(text).unwrap();
        assert_eq!(found.text().unwrap().get(), text);
        assert_eq!(
            found.counted().unwrap(),
            "1 stored procedure, 1 client encryption key"
        );
        assert!(found.of(CompanionKind::UserDefinedFunctions).is_none());
        assert_eq!(found.of(CompanionKind::Triggers).unwrap().len(), 0);
        // A kind of a later build.
        let more = text.replacen('{', r#"{"notYetKnown":5,"#, 1);
        assert_eq!(parse(&more).unwrap().kinds(), found.kinds());
        let spaced = text.replace("\"body\":\"x\"", "\"_ts\":7, \"body\" : \"\\u0078\"");
        assert!(!parse(&spaced).unwrap().contradict(&found));
        let less = text.replace("\"triggers\":[],", "");
        assert!(!parse(&less).unwrap().contradict(&found));
        for other in [
            text.replace("\"body\":\"x\"", "\"body\":\"y\""),
            text.replace("\"id\":\"a\"", "\"id\":\"b\""),
            text.replace("\"triggers\":[]", "\"triggers\":[{\"id\":\"t\"}]"),
        ] {
            assert!(parse(&other).unwrap().contradict(&found), "{other}");
        }
    }

    #[test]
    fn what_is_too_much_is_left_out_so_that_the_rest_can_be_read_again() {
        let of_length = |length: usize| {
            let text = format!(r#"{{"id":"a","body":"{}"}}"#, "x".repeat(length));
            vec![Companion::parse(RawValue::from_string(text).unwrap()).unwrap()]
        };
        let mut all = Companions::default();
        all.add(CompanionKind::StoredProcedures, of_length(10 << 20))
            .unwrap();
        all.add(CompanionKind::Triggers, of_length(7 << 20))
            .unwrap_err();
        all.add(CompanionKind::UserDefinedFunctions, of_length(5 << 20))
            .unwrap();
        let mut more = Companions::default();
        more.add(CompanionKind::Triggers, of_length(7 << 20))
            .unwrap();
        all.complete_from(&more);
        let read = Companions::parse(&all.text().unwrap()).unwrap();
        let kinds = [
            CompanionKind::StoredProcedures,
            CompanionKind::UserDefinedFunctions,
        ];
        assert_eq!(read.kinds(), kinds);
    }

    #[test]
    fn what_is_no_companion_is_refused() {
        for (json, reason) in [
            ("[]", "invalid type"),
            (r#"{"triggers":{}}"#, "the list of triggers"),
            (r#"{"triggers":[1]}"#, "not a JSON object"),
            (r#"{"triggers":[{}]}"#, "missing field `id`"),
            (r#"{"triggers":[{"id":""}]}"#, "is empty"),
            (r#"{"triggers":[{"id":"a","id":"b"}]}"#, "\"id\" twice"),
            (
                r#"{"triggers":[{"id":"a"},{"id":"a"}]}"#,
                "two triggers \"a\"",
            ),
        ] {
            let error = format!("{:#}", parse(json).unwrap_err());
            assert!(error.contains(reason), "{json}: {error}");
        }
        let long = "x".repeat(MAX_COMPANION_BYTES);
        let long = format!(r#"{{"triggers":[{{"id":"a","body":"{long}"}}]}}"#);
        let error = format!("{:#}", parse(&long).unwrap_err());
        assert!(error.contains("longer than 16 MiB"), "{error}");
    }
}
