//! The definition of a container: its partition key, its policies, its time to live.
//!
//! It is kept as the service sent it, byte for byte. A new container is made from it by leaving out what the service
//! writes itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::feed::page::members;

/// How many levels a partition key can have.
pub const MAX_LEVELS: usize = 3;
/// The longest definition that is used, in bytes. Policies are short; the service has a limit for each.
pub const MAX_DEFINITION_BYTES: usize = 2 << 20;
/// The longest path of a partition key that is used, in bytes.
const MAX_PATH: usize = 1024;

/// Members that the service computes, besides those whose names begin with `_`.
const COMPUTED: [&str; 3] = [
    "statistics",
    "materializedViews",
    "uniqueIndexReIndexContext",
];

/// The definition of a container, which was checked.
#[derive(Debug, Clone)]
pub struct ContainerDefinition {
    text: Box<RawValue>,
    key: Key,
    default_ttl: DefaultTtl,
}

/// What happens to documents that have no time to live of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DefaultTtl {
    /// It is not known.
    #[default]
    Unknown,
    /// No document of the container expires, whatever it says itself.
    Off,
    /// They do not expire.
    Never,
    /// They expire after so many seconds.
    Seconds(i64),
}

/// What a definition says about the partition key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    paths: Vec<String>,
    /// Whether the container was made without a key, so that it has one of the service's.
    #[serde(default)]
    system_key: bool,
}

impl ContainerDefinition {
    /// The definition in `text`, which may come from anywhere.
    ///
    /// # Errors
    ///
    /// If it is no definition of a container, in words.
    pub fn parse(text: Box<RawValue>) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Known {
            partition_key: Key,
            default_ttl: Option<i64>,
        }
        let json = text.get();
        ensure!(
            json.len() <= MAX_DEFINITION_BYTES,
            "it is longer than {} MiB",
            MAX_DEFINITION_BYTES >> 20
        );
        ensure!(json.starts_with('{'), "it is not a JSON object");
        let mut names = BTreeSet::new();
        for (name, _) in named(json)? {
            if let Some(twice) = names.replace(name) {
                bail!("it has {twice:?} twice");
            }
        }
        let known: Known = serde_json::from_str(json).map_err(|error| anyhow!("{error}"))?;
        let Known {
            partition_key: key,
            default_ttl,
        } = known;
        ensure!(
            (1..=MAX_LEVELS).contains(&key.paths.len()),
            "its partition key has {} paths",
            key.paths.len()
        );
        let is_path = |path: &String| {
            path.len() > 1
                && path.len() <= MAX_PATH
                && path.starts_with('/')
                && !path.ends_with('/')
        };
        if let Some(wrong) = key.paths.iter().find(|path| !is_path(path)) {
            let shown: String = wrong.chars().take(40).collect();
            bail!("{shown:?} is not the path of a partition key");
        }
        let default_ttl = match default_ttl {
            None => DefaultTtl::Off,
            Some(seconds @ 1..) => DefaultTtl::Seconds(seconds),
            Some(-1) => DefaultTtl::Never,
            Some(other) => bail!("its default time to live is {other}"),
        };
        Ok(Self {
            text,
            key,
            default_ttl,
        })
    }

    /// As the service sent it, a JSON object.
    pub fn text(&self) -> &RawValue {
        &self.text
    }

    /// The paths of the partition key, in the order of its levels.
    pub fn key_paths(&self) -> &[String] {
        &self.key.paths
    }

    /// Whether the container was made without a partition key, so that its key is the service's own.
    pub fn has_system_key(&self) -> bool {
        self.key.system_key
    }

    /// What happens to documents that have no time to live of their own.
    pub fn default_ttl(&self) -> DefaultTtl {
        self.default_ttl
    }

    /// How long the container keeps every version and delete, if that is part of its definition. With continuous
    /// backups it is not: then it is what the account keeps.
    pub fn version_retention(&self) -> Option<Duration> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Policy {
            retention_duration: u64,
        }
        let members = named(self.text.get()).unwrap_or_default();
        let (_, policy) = members
            .iter()
            .find(|(name, _)| name == "changeFeedPolicy")?;
        let policy: Policy = serde_json::from_str(policy).ok()?;
        let minutes = Some(policy.retention_duration).filter(|minutes| *minutes > 0)?;
        Some(Duration::from_secs(minutes.checked_mul(60)?))
    }

    /// The paths whose values are masked for whoever has no right to see them.
    pub fn masked_paths(&self) -> Vec<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Masking {
            #[serde(default)]
            included_paths: Vec<MaskedPath>,
            is_policy_enabled: Option<bool>,
        }
        #[derive(Deserialize)]
        struct MaskedPath {
            path: String,
        }
        let members = named(self.text.get()).unwrap_or_default();
        let policy = members.iter().find(|(name, _)| name == "dataMaskingPolicy");
        let Some((_, policy)) = policy.filter(|(_, policy)| *policy != "null") else {
            return Vec::new();
        };
        match serde_json::from_str::<Masking>(policy) {
            Ok(masking) if masking.is_policy_enabled == Some(false) => Vec::new(),
            Ok(masking) => masking
                .included_paths
                .into_iter()
                .map(|included| included.path)
                .collect(),
            // It masks something, in a form of which nothing is known here.
            Err(_) => vec!["/".to_owned()],
        }
    }

    /// The client encryption keys that its policy names, each once.
    ///
    /// # Errors
    ///
    /// If the policy has a form of which nothing is known here, in words.
    pub fn encryption_keys(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Policy {
            #[serde(default)]
            included_paths: Vec<EncryptedPath>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct EncryptedPath {
            client_encryption_key_id: String,
        }
        let members = named(self.text.get()).unwrap_or_default();
        let policy = members
            .iter()
            .find(|(name, policy)| name == "clientEncryptionPolicy" && *policy != "null");
        let Some((_, policy)) = policy else {
            return Ok(Vec::new());
        };
        let policy: Policy = serde_json::from_str(policy)
            .map_err(|error| anyhow!("the policy of encryption is not understood: {error}"))?;
        let named = policy.included_paths.into_iter();
        let named: BTreeSet<String> = named.map(|path| path.client_encryption_key_id).collect();
        Ok(named.into_iter().collect())
    }

    /// What it says beside the name and the partition key, by the names of the service.
    pub fn policies(&self) -> Vec<String> {
        let named = named(self.text.get()).unwrap_or_default();
        let names = named.into_iter().map(|(name, _)| name);
        names
            .filter(|name| is_defined(name) && !matches!(&**name, "id" | "partitionKey"))
            .collect()
    }

    /// The members that this text names, such as a message of the service about them.
    pub(super) fn named_in(&self, text: &str) -> Vec<String> {
        let text = text.to_ascii_lowercase();
        let is_named = |name: &String| {
            let lower = name.to_ascii_lowercase();
            // `indexingPolicy` is "indexing policy" in a sentence.
            let spaced: String = name
                .chars()
                .flat_map(|c| {
                    let gap = c.is_ascii_uppercase().then_some(' ');
                    gap.into_iter().chain([c.to_ascii_lowercase()])
                })
                .collect();
            text.contains(&lower) || text.contains(spaced.trim_start())
        };
        self.policies().into_iter().filter(is_named).collect()
    }

    /// The body of the request that creates the container `name` by it. Values are copied as they are.
    pub fn creation_body(&self, name: &str) -> String {
        let mut body = format!("{{\"id\":{}", serde_json::Value::from(name));
        for (name, value) in self.creation_members() {
            body.push_str(&format!(",{}:{value}", serde_json::Value::from(name)));
        }
        body.push('}');
        body
    }

    /// What a new container is made of besides its name, in the order of the service. Values are as they are.
    pub(super) fn creation_members(&self) -> Vec<(String, &str)> {
        let mut members = named(self.text.get()).unwrap_or_default();
        members.retain(|(name, _)| is_defined(name) && name != "id");
        members
    }

    /// What a new container is made of, by name.
    fn made_of(&self) -> BTreeMap<String, &str> {
        self.creation_members().into_iter().collect()
    }

    /// Whether two definitions make the same container, under any name.
    pub fn is_the_same_as(&self, other: &Self) -> bool {
        self.made_of() == other.made_of()
    }
}

/// Whether whoever makes a container says it, and not the service.
pub(super) fn is_defined(name: &str) -> bool {
    !name.starts_with('_') && !COMPUTED.contains(&name)
}

/// The members of an object with their names.
pub(super) fn named(json: &str) -> Result<Vec<(String, &str)>> {
    members(json.as_bytes())
        .map(|member| {
            let quoted = [b"\"", member.raw_name, b"\""].concat();
            let name = serde_json::from_slice(&quoted).context("a name is not text")?;
            Ok((name, std::str::from_utf8(member.value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<ContainerDefinition> {
        ContainerDefinition::parse(RawValue::from_string(json.to_owned())?)
    }

    const WHOLE: &str = r#"{"id":"orders","_rid":"a==","_ts":5,"partitionKey":{"paths":["/a","/b"],
        "kind":"MultiHash","version":2},"defaultTtl":60,"uniqueKeyPolicy":{"uniqueKeys":[{"paths":["/n"]}]},
        "statistics":[],"newPolicy":1e400,"_self":"x"}"#;

    #[test]
    fn a_policy_of_masking_names_its_paths() {
        for (policy, paths) in [
            (
                r#"{"includedPaths":[{"path":"/email","strategy":"Email"},{"path":"/a/[]/b"}],"excludedPaths":[{"path":"/c"}],"isPolicyEnabled":true}"#,
                &["/email", "/a/[]/b"][..],
            ),
            (r#"{"includedPaths":[{"path":"/"}]}"#, &["/"]),
            (
                r#"{"includedPaths":[{"path":"/"}],"isPolicyEnabled":false}"#,
                &[],
            ),
            (r#"{"includedPaths":[],"isPolicyEnabled":true}"#, &[]),
            ("{}", &[]),
            ("null", &[]),
            (r#"{"includedPaths":{"new":1}}"#, &["/"]),
        ] {
            let text = format!(
                r#"{{"id":"a","partitionKey":{{"paths":["/a"]}},"dataMaskingPolicy":{policy}}}"#
            );
            assert_eq!(parse(&text).unwrap().masked_paths(), paths, "{policy}");
        }
        assert!(parse(WHOLE).unwrap().masked_paths().is_empty());
    }

    #[test]
    fn a_policy_of_encryption_names_its_keys_or_is_not_understood() {
        let of = |policy: &str| {
            let text = format!(
                r#"{{"id":"a","partitionKey":{{"paths":["/a"]}},"clientEncryptionPolicy":{policy}}}"#
            );
            parse(&text).unwrap().encryption_keys()
        };
        let two = r#"{"includedPaths":[{"clientEncryptionKeyId":"b"},{"clientEncryptionKeyId":"a"},{"clientEncryptionKeyId":"b"}]}"#;
        assert_eq!(of(two).unwrap(), ["a", "b"]);
        for none in ["null", "{}", r#"{"includedPaths":[]}"#] {
            assert!(of(none).unwrap().is_empty(), "{none}");
        }
        for other in [
            r#"{"includedPaths":[{"path":"/a"}]}"#,
            r#"{"includedPaths":null}"#,
            "[1]",
        ] {
            of(other).unwrap_err();
        }
    }

    #[test]
    fn a_new_container_is_made_of_all_that_is_not_the_services() {
        let definition = parse(WHOLE).unwrap();
        assert_eq!(definition.key_paths(), ["/a", "/b"]);
        assert_eq!(definition.default_ttl(), DefaultTtl::Seconds(60));
        let body = definition.creation_body("co\"py");
        assert_eq!(
            body.split_whitespace().collect::<String>(),
            r#"{"id":"co\"py","partitionKey":{"paths":["/a","/b"],"kind":"MultiHash","version":2},"defaultTtl":60,"uniqueKeyPolicy":{"uniqueKeys":[{"paths":["/n"]}]},"newPolicy":1e400}"#
        );
        assert_eq!(
            definition.policies(),
            ["defaultTtl", "uniqueKeyPolicy", "newPolicy"]
        );
        for (message, named) in [
            ("The unique key policy is not valid", "uniqueKeyPolicy"),
            ("'defaultTtl' must be positive", "defaultTtl"),
        ] {
            assert_eq!(definition.named_in(message), [named]);
        }
        assert!(definition.named_in("no").is_empty());
    }

    #[test]
    fn what_is_no_definition_is_refused() {
        let key = r#""partitionKey":{"paths":["/a"]}"#;
        for (json, reason) in [
            ("[]".to_owned(), "not a JSON object"),
            ("{}".to_owned(), "partitionKey"),
            (r#"{"partitionKey":null}"#.to_owned(), "null"),
            (r#"{"partitionKey":{"paths":[]}}"#.to_owned(), "0 paths"),
            (
                r#"{"partitionKey":{"paths":["/a","/b","/c","/d"]}}"#.to_owned(),
                "4 paths",
            ),
            (
                r#"{"partitionKey":{"paths":["a"]}}"#.to_owned(),
                "not the path",
            ),
            (
                r#"{"partitionKey":{"paths":["/"]}}"#.to_owned(),
                "not the path",
            ),
            (format!("{{{key},{key}}}"), "\"partitionKey\" twice"),
            (
                format!(r#"{{{key},"partition\u004bey":{{"paths":["/b"]}}}}"#),
                "\"partitionKey\" twice",
            ),
            (format!("{{{key},\"defaultTtl\":0}}"), "time to live is 0"),
            (format!("{{{key},\"defaultTtl\":\"x\"}}"), "invalid type"),
        ] {
            let error = match parse(&json) {
                Ok(_) => panic!("{json}"),
                Err(error) => format!("{error:#}"),
            };
            assert!(error.contains(reason), "{json}: {error}");
        }
        let long = format!(r#"{{{key},"x":"{}"}}"#, "x".repeat(MAX_DEFINITION_BYTES));
        assert!(parse(&long).is_err());
    }

    #[test]
    fn what_the_service_writes_makes_no_difference() {
        let one = parse(WHOLE).unwrap();
        let other = WHOLE
            .replace("orders", "copy")
            .replace("\"_ts\":5", "\"_ts\":6");
        assert!(one.is_the_same_as(&parse(&other).unwrap()));
        let other = WHOLE.replace("\"defaultTtl\":60", "\"defaultTtl\":61");
        assert!(!one.is_the_same_as(&parse(&other).unwrap()));
    }
}
