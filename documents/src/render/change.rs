//! What is known about a change, from its metadata, or from the document itself where the service (or an
//! emulator) sends no metadata.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::tokens::{decode_string, write_string};
use crate::feed::page::{ItemRef, Metadata, OperationType, members, whole};

/// The path of a partition key in a document, as a list of names.
pub type KeyPath = Vec<String>;

/// Splits the path of a partition key as a container defines it: `/customer/"a/b"`.
pub fn parse_key_path(path: &str) -> KeyPath {
    let mut names = Vec::new();
    let mut rest = path.strip_prefix('/').unwrap_or(path);
    while !rest.is_empty() {
        let (name, after) = match rest.strip_prefix('"').and_then(|r| r.split_once('"')) {
            Some((name, after)) => (name, after.strip_prefix('/').unwrap_or(after)),
            None => rest.split_once('/').unwrap_or((rest, "")),
        };
        names.push(name.to_owned());
        rest = after;
    }
    names
}

/// A change, with everything looked up once.
#[derive(Debug, Default)]
pub struct Change<'a> {
    /// The document after the change; none if the item is gone.
    pub document: Option<&'a [u8]>,
    /// What the service says of the change.
    pub metadata: Metadata<'a>,
    /// The JSON text of the document's `_lsn`, if it is a number that fits.
    pub(super) document_lsn: Option<u64>,
    /// The document's `_ts`, in seconds since the Unix epoch.
    pub document_ts: Option<i64>,
    /// The JSON text of the document's id. For a deleted one it comes from the metadata or the previous version.
    pub id: Option<&'a [u8]>,
    /// The previous version of the document, where the feed has it.
    pub previous: Option<&'a [u8]>,
}

impl<'a> Change<'a> {
    /// Looks up what an item of a page says.
    pub fn of(item: ItemRef<'a>) -> Self {
        let mut change = Self {
            metadata: item.metadata().unwrap_or_default(),
            previous: item.previous(),
            ..item
                .document()
                .map_or_else(Self::default, Self::of_document)
        };
        let said = |previous: &'a [u8]| value_at(previous, &["id".to_owned()]);
        change.id = change
            .id
            .or(change.metadata.id)
            .or_else(|| change.previous.and_then(said));
        change
    }

    /// What a document alone shows.
    pub fn of_document(document: &'a [u8]) -> Self {
        let mut change = Self {
            document: Some(document),
            ..Self::default()
        };
        for member in members(document) {
            if member.is_named("id") {
                change.id = Some(member.value);
            } else if member.is_named("_lsn") {
                change.document_lsn = whole(member.value);
            } else if member.is_named("_ts") {
                change.document_ts = whole(member.value);
            }
        }
        change
    }

    /// Whether the item is gone: there is no document, and the metadata says that it was deleted or has no
    /// operation.
    pub(super) fn is_delete(&self) -> bool {
        self.document.is_none()
            && matches!(
                self.metadata.operation_type,
                None | Some(OperationType::Delete)
            )
    }

    /// The transaction of the change.
    pub fn lsn(&self) -> Option<u64> {
        self.metadata.lsn.or(self.document_lsn)
    }

    /// When it happened.
    pub(super) fn time(&self) -> Option<OffsetDateTime> {
        let seconds = self.metadata.crts.or(self.document_ts)?;
        OffsetDateTime::from_unix_timestamp(seconds).ok()
    }

    /// When it happened, as RFC 3339.
    pub(super) fn rfc3339(&self) -> Option<String> {
        self.time()?.format(&Rfc3339).ok()
    }

    /// Whether the values of the partition key are known. A deletion may come without its key.
    pub fn has_partition_key(&self) -> bool {
        self.document.is_some() || self.metadata.partition_key.is_some() || self.previous.is_some()
    }

    /// The values of the partition key with their paths, in the order of the hierarchy. Missing values are left
    /// out.
    pub fn partition_key(&self, paths: &[KeyPath]) -> Vec<(KeyPath, &'a [u8])> {
        self.key_values(paths, true)
    }

    /// The same if `paths` may be those of another container: a value of a deletion that has the name of
    /// another path gets that path.
    pub fn named_partition_key(&self, paths: &[KeyPath]) -> Vec<(KeyPath, &'a [u8])> {
        self.key_values(paths, false)
    }

    fn key_values(&self, paths: &[KeyPath], are_own: bool) -> Vec<(KeyPath, &'a [u8])> {
        if let Some(document) = self.document {
            return at_paths(document, paths);
        }
        match (self.metadata.partition_key, self.previous) {
            (Some(key), _) => key_values(key, paths, are_own),
            (None, Some(previous)) => at_paths(previous, paths),
            (None, None) => Vec::new(),
        }
    }
}

fn at_paths<'a>(document: &'a [u8], paths: &[KeyPath]) -> Vec<(KeyPath, &'a [u8])> {
    let found = |path: &KeyPath| Some((path.clone(), value_at(document, path)?));
    paths.iter().filter_map(found).collect()
}

/// The values of a deleted item's partition key. The service sends an object in the order of the hierarchy;
/// arrays and single values are other forms of a key. In each of them `{}` is a value that the document did
/// not have. `are_own` are the paths of the item's container.
fn key_values<'a>(key: &'a [u8], paths: &[KeyPath], are_own: bool) -> Vec<(KeyPath, &'a [u8])> {
    let mut values = written_values(key, paths, are_own);
    values.retain(|(_, value)| !is_empty_object(value));
    values
}

fn is_empty_object(value: &[u8]) -> bool {
    let inner = value
        .strip_prefix(b"{")
        .and_then(|value| value.strip_suffix(b"}"));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

/// The path that `name` means in a key that has another number of values than `paths`: the whole path, or
/// its last name.
fn path_named(name: &str, paths: &[KeyPath]) -> KeyPath {
    let whole = parse_key_path(name);
    let mut ends = paths
        .iter()
        .filter(|path| path.last().is_some_and(|last| last == name));
    match (ends.next(), ends.next()) {
        (Some(path), None) if !paths.contains(&whole) => path.clone(),
        _ => whole,
    }
}

fn written_values<'a>(key: &'a [u8], paths: &[KeyPath], are_own: bool) -> Vec<(KeyPath, &'a [u8])> {
    let path_of = |index: usize| paths.get(index).cloned();
    if is_empty_object(key) {
        return Vec::new();
    }
    match key.first() {
        Some(b'{') => {
            let named: Vec<_> = members(key).collect();
            let all_known = are_own && named.len() == paths.len();
            let values = named.iter().enumerate().map(|(index, member)| {
                let name = String::from_utf8_lossy(&decode_string(member.raw_name)).into_owned();
                // A key is never an object, so an object is the beginning of a nested path.
                let nested = member.value.first() == Some(&b'{') && !is_empty_object(member.value);
                let known = path_of(index).filter(|_| all_known && !nested);
                (
                    known.unwrap_or_else(|| path_named(&name, paths)),
                    member.value,
                )
            });
            values.collect()
        }
        Some(b'[') => {
            let values: Vec<&serde_json::value::RawValue> =
                serde_json::from_slice(key).unwrap_or_default();
            let values = values.into_iter().map(|value| value.get().as_bytes());
            paths.iter().cloned().zip(values).collect()
        }
        _ => path_of(0).into_iter().map(|path| (path, key)).collect(),
    }
}

/// The value at a path. If a name is repeated, the last value counts.
pub fn value_at<'a>(document: &'a [u8], path: &[String]) -> Option<&'a [u8]> {
    let Some((name, rest)) = path.split_first() else {
        return Some(document);
    };
    let named = members(document).filter(|member| member.is_named(name));
    value_at(named.last()?.value, rest)
}

/// Appends members with nested names, `{"a":{"b":1,"c":2}}` for `a.b` and `a.c`, without the
/// outer braces.
pub fn write_nested(entries: &[(&[String], &[u8])], out: &mut Vec<u8>) {
    let mut done: Vec<&str> = Vec::new();
    for (path, value) in entries {
        let Some((name, rest)) = path.split_first() else {
            continue;
        };
        if done.contains(&name.as_str()) {
            continue;
        }
        if !done.is_empty() {
            out.push(b',');
        }
        done.push(name);
        write_string(name.as_bytes(), out);
        out.push(b':');
        if rest.is_empty() {
            out.extend_from_slice(value);
            continue;
        }
        let below: Vec<(&[String], &[u8])> = entries
            .iter()
            .filter(|(path, _)| path.first() == Some(name))
            .map(|(path, value)| (&path[1..], *value))
            .collect();
        out.push(b'{');
        write_nested(&below, out);
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(paths: &[&str]) -> Vec<KeyPath> {
        paths.iter().map(|path| parse_key_path(path)).collect()
    }

    #[test]
    fn paths_of_partition_keys_are_split_at_slashes() {
        assert_eq!(parse_key_path("/pk"), ["pk"]);
        assert_eq!(parse_key_path("/a/b"), ["a", "b"]);
        assert_eq!(parse_key_path(r#"/a/"b/c"/d"#), ["a", "b/c", "d"]);
        assert!(parse_key_path("/").is_empty());
    }

    #[test]
    fn a_deleted_items_key_is_recognized_in_every_form() {
        let written = |key: &str, key_paths: &[&str]| {
            let values = key_values(key.as_bytes(), &paths(key_paths), true);
            let entries: Vec<_> = values.iter().map(|(p, v)| (p.as_slice(), *v)).collect();
            let mut out = Vec::new();
            write_nested(&entries, &mut out);
            String::from_utf8(out).unwrap()
        };
        for (key, key_paths, expected) in [
            (r#"{"pk":"x"}"#, &["/pk"][..], r#""pk":"x""#),
            (r#"{"pk":"x"}"#, &[], r#""pk":"x""#),
            (r#"{"id":1.10}"#, &["/a/id"], r#""a":{"id":1.10}"#),
            (r#"{"a":{"id":1}}"#, &["/a/id"], r#""a":{"id":1}"#),
            (r#"{"/a/id":1}"#, &["/b", "/c"], r#""a":{"id":1}"#),
            (
                r#"{"x":1,"y":null,"z":true}"#,
                &["/k/x", "/y", "/k/z"],
                r#""k":{"x":1,"z":true},"y":null"#,
            ),
            (r#"["x", {}]"#, &["/a", "/b"], r#""a":"x""#),
            (r#"["x", { }, {}]"#, &["/a", "/b", "/c"], r#""a":"x""#),
            (r#"[{}]"#, &["/a"], ""),
            ("{}", &["/a"], ""),
            (r#"{"a":{}}"#, &["/a"], ""),
            (r#"{"a":"x","b":{ }}"#, &["/a", "/b"], r#""a":"x""#),
            (r#"{"a":"x"}"#, &["/a", "/b"], r#""a":"x""#),
            (r#"{"id":"x"}"#, &["/b", "/a/id"], r#""a":{"id":"x"}"#),
            (r#"{"id":"x"}"#, &["/b/id", "/a/id"], r#""id":"x""#),
            (r#"{"id":"x"}"#, &["/id", "/a/id"], r#""id":"x""#),
            (r#"[1.10,"y"]"#, &["/a", "/b"], r#""a":1.10,"b":"y""#),
            (r#""x""#, &["/a"], r#""a":"x""#),
            (r#""x""#, &[], ""),
        ] {
            assert_eq!(written(key, key_paths), expected, "{key} {key_paths:?}");
        }
    }
}
