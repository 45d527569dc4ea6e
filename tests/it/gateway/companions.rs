//! Stored procedures, triggers and functions of containers, and client encryption keys of databases.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::lists;
use super::routes::{Answer, Asked};

/// The last words of the addresses of their lists, and the members of a page.
const KINDS: [(&str, &str); 4] = [
    ("sprocs", "StoredProcedures"),
    ("triggers", "Triggers"),
    ("udfs", "UserDefinedFunctions"),
    ("clientencryptionkeys", "ClientEncryptionKeys"),
];

/// What there is, by the RID of the owner and the kind.
#[derive(Default)]
pub(super) struct Companions {
    all: BTreeMap<(String, String), Vec<Map<String, Value>>>,
    /// No new one may have this text in it; and the message of its refusal.
    pub(super) refused: Option<(String, String)>,
}

/// Whether this is the last word of the address of a list.
pub(super) fn is_kind(segment: &str) -> bool {
    KINDS.iter().any(|(own, _)| *own == segment)
}

impl Companions {
    pub(super) fn add(&mut self, owner: &str, kind: &str, companion: Value) {
        let Value::Object(mut companion) = companion else {
            panic!("{companion} is not an object");
        };
        let all = self.all.entry((owner.to_owned(), kind.to_owned()));
        let all = all.or_default();
        let rid = format!("{owner}{kind}{}", all.len());
        companion.insert("_rid".to_owned(), rid.into());
        companion.insert("_ts".to_owned(), 1_700_000_000.into());
        companion.insert("_etag".to_owned(), "\"0\"".into());
        all.push(companion);
    }

    pub(super) fn remove(&mut self, owner: &str, kind: &str) {
        self.all.remove(&(owner.to_owned(), kind.to_owned()));
    }

    /// Those of a kind, as the gateway sends them.
    pub(super) fn of(&self, owner: &str, kind: &str) -> Vec<Value> {
        let all = self.all.get(&(owner.to_owned(), kind.to_owned()));
        let all = all.into_iter().flatten();
        all.map(|one| Value::Object(one.clone())).collect()
    }

    /// A page of a list.
    pub(super) fn page(&self, asked: &Asked, owner: &str, kind: &str, page: usize) -> Answer {
        let (_, member) = KINDS.iter().find(|(own, _)| *own == kind).expect("a kind");
        let all = json!({ "_rid": owner, *member: self.of(owner, kind) });
        lists::page(asked, member, &all, page)
    }

    /// Makes one.
    pub(super) fn create(&mut self, body: &[u8], owner: &str, kind: &str) -> Answer {
        let Ok(sent) = serde_json::from_slice::<Map<String, Value>>(body) else {
            return Answer::error(400, None, "BadRequest", "this is no object");
        };
        if let Some(odd) = sent.keys().find(|name| name.starts_with('_')) {
            let what = format!("a client does not send {odd}");
            return Answer::error(400, None, "BadRequest", &what).violating(what);
        }
        let text = Value::Object(sent.clone()).to_string();
        if let Some((part, message)) = &self.refused
            && text.contains(part)
        {
            return Answer::error(400, None, "BadRequest", message);
        }
        let is_there = |one: &Value| one["id"] == sent["id"];
        if self.of(owner, kind).iter().any(is_there) {
            return Answer::error(409, None, "Conflict", "it exists");
        }
        self.add(owner, kind, Value::Object(sent));
        Answer::json(&self.of(owner, kind)[0]).with_status(201)
    }
}
