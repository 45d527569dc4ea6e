//! The body of a patch. The JavaScript client sends the operations alone where there is no condition. The emulator
//! has no conditions of patches, so the host evaluates them.

use bytes::Bytes;
use serde::Deserialize;

use super::query;

/// The body with its operations as a member, as the emulator reads it.
pub(super) fn with_member(body: Bytes) -> Bytes {
    if body.trim_ascii_start().starts_with(b"[") {
        [b"{\"operations\":", &body[..], b"}"].concat().into()
    } else {
        body
    }
}

/// The condition in the body of a patch, in the emulator's form of the text.
pub(super) fn condition(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Conditional {
        condition: Option<String>,
    }
    let patch: Conditional = serde_json::from_slice(body).ok()?;
    Some(query::text_for_emulator(&patch.condition?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_alone_become_a_member() {
        for (body, expected) in [
            (
                r#" [{"op":"remove"}]"#,
                r#"{"operations": [{"op":"remove"}]}"#,
            ),
            (r#"{"operations":[]}"#, r#"{"operations":[]}"#),
            ("", ""),
        ] {
            assert_eq!(with_member(body.into()), expected);
        }
    }
}
