//! The `ContinuationToken` of Java's leases by range: a JSON state in base64url.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::feed::{FeedMode, FeedRange};

/// The state in a token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JavaState(Value);

impl JavaState {
    /// Decodes a token.
    ///
    /// # Errors
    ///
    /// If Java would not accept it.
    pub(crate) fn decode(token: &str) -> Result<Self> {
        // Java encodes for URLs, and decodes in one place by the ordinary alphabet.
        let text = token.replace('+', "-").replace('/', "_");
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .context("it is not base64")?;
        let state: Value = serde_json::from_slice(&bytes).context("it is not JSON in base64")?;
        ensure!(state["V"] == 1, "it has another version than 1");
        let state = Self(state);
        ensure!(
            state.0["Mode"].is_string(),
            "it does not say which feed it is of"
        );
        let parts = state.0.pointer("/Continuation/Continuation");
        ensure!(
            parts.is_none_or(|parts| parts.as_array().is_some_and(|parts| parts.len() == 1)),
            "it has several positions"
        );
        Ok(state)
    }

    /// The state of a range at an ETag.
    pub(crate) fn new(rid: &str, mode: FeedMode, range: &FeedRange, etag: &str) -> Self {
        let mode = match mode {
            FeedMode::LatestVersion => "INCREMENTAL",
            FeedMode::AllVersionsAndDeletes => "FULL_FIDELITY",
        };
        let start = match mode {
            "INCREMENTAL" => "BEGINNING",
            _ => "NOW",
        };
        let range = json!({"min": range.min_inclusive, "max": range.max_exclusive});
        Self(json!({
            "V": 1,
            "Rid": rid,
            "Mode": mode,
            "StartFrom": {"Type": start},
            "Continuation": {
                "V": 1,
                "Rid": rid,
                "Continuation": [{"token": etag, "range": range}],
                "Range": range,
            },
        }))
    }

    /// Which feed it is of.
    pub(crate) fn mode(&self) -> FeedMode {
        match self.0["Mode"].as_str() {
            Some("FULL_FIDELITY") => FeedMode::AllVersionsAndDeletes,
            _ => FeedMode::LatestVersion,
        }
    }

    /// The ETag, if there is a position.
    pub(crate) fn etag(&self) -> Option<&str> {
        self.0
            .pointer("/Continuation/Continuation/0/token")?
            .as_str()
    }

    /// The range that Java reads by it, which is not that of the lease.
    pub(crate) fn range(&self) -> Option<FeedRange> {
        let range = self.0.pointer("/Continuation/Continuation/0/range");
        let range = range.or_else(|| self.0.get("Range"))?;
        let bound = |name: &str| Some(range.get(name)?.as_str()?.to_ascii_uppercase());
        FeedRange::new(&bound("min")?, &bound("max")?).ok()
    }

    /// The same at another ETag; `None` if it has no place for one.
    pub(crate) fn at(&self, etag: &str) -> Option<Self> {
        let mut moved = self.clone();
        let place = moved.0.pointer_mut("/Continuation/Continuation/0")?;
        place.as_object_mut()?.insert("token".into(), etag.into());
        Some(moved)
    }

    /// The token.
    pub(crate) fn encode(&self) -> String {
        URL_SAFE.encode(self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_moved_and_keeps_the_rest() {
        let range = FeedRange::new("", "1F").unwrap();
        let state = JavaState::new("rid", FeedMode::LatestVersion, &range, "\"7\"");
        let decoded = JavaState::decode(&state.encode()).unwrap();
        assert_eq!(decoded, state);
        let moved = decoded.at("\"9\"").unwrap();
        assert_eq!(moved.etag(), Some("\"9\""));
        assert_eq!(moved.range(), Some(range));
        assert_eq!(moved.mode(), FeedMode::LatestVersion);
        assert_eq!(moved.at("\"7\""), Some(state));
    }

    #[test]
    fn tokens_before_the_first_continuation_have_no_position() {
        let text = r#"{"V":1,"Rid":"r","Mode":"FULL_FIDELITY","StartFrom":{"Type":"NOW"},"Range":{"min":"","max":"ff"}}"#;
        let state = JavaState::decode(&URL_SAFE.encode(text)).unwrap();
        assert_eq!(state.etag(), None);
        assert_eq!(state.mode(), FeedMode::AllVersionsAndDeletes);
        assert_eq!(state.range(), Some(FeedRange::full()));
        assert_eq!(state.at("\"1\""), None);
    }

    #[test]
    fn what_java_would_not_accept_is_refused() {
        for text in [
            "",
            "7",
            "{}",
            r#"{"V":2,"Mode":"INCREMENTAL"}"#,
            r#"{"V":1}"#,
            r#"{"V":1,"Mode":"INCREMENTAL","Continuation":{"Continuation":[]}}"#,
            r#"{"V":1,"Mode":"INCREMENTAL","Continuation":{"Continuation":[{},{}]}}"#,
        ] {
            assert!(JavaState::decode(&URL_SAFE.encode(text)).is_err(), "{text}");
        }
        for token in ["\"123\"", "%%%", "*"] {
            assert!(JavaState::decode(token).is_err(), "{token}");
        }
    }
}
