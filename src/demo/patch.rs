//! The body of a patch. The JavaScript client sends the operations alone where there is no condition.

use bytes::Bytes;

/// The body with its operations as a member, as the emulator reads it.
pub(super) fn with_member(body: Bytes) -> Bytes {
    if body.trim_ascii_start().starts_with(b"[") {
        [b"{\"operations\":", &body[..], b"}"].concat().into()
    } else {
        body
    }
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
