//! Names of members as they are in JSON text, between their quotes.

use super::fit;

/// A name without its escapes; none if UTF-8 cannot represent it, so that no column has it.
pub(super) fn decoded_name(name: &[u8]) -> Option<Vec<u8>> {
    let quoted = [b"\"", name, b"\""].concat();
    fit::string(&quoted).map(|text| text.decoded().into_owned())
}

/// How a member of this name begins as the service writes it: the name, its closing quote and the colon. For
/// a name that needs escapes it is text that no member begins with.
pub(super) fn member_start(name: &str) -> Box<[u8]> {
    let needs_escapes = |c: char| c == '"' || c == '\\' || c < ' ';
    let start = if name.contains(needs_escapes) {
        "\0".to_owned()
    } else {
        format!("{name}\":")
    };
    start.into_bytes().into()
}
