//! Names of members as they stand in JSON text, between their quotes.

use super::fit;

/// A name without its escapes; none if UTF-8 cannot hold it, so that it is no column's.
pub(super) fn decoded_name(name: &[u8]) -> Option<Vec<u8>> {
    let quoted = [b"\"", name, b"\""].concat();
    fit::string(&quoted).map(|text| text.decoded().into_owned())
}

/// How a member of this name begins as the service writes it: the name, its closing quote and the
/// colon. Of a name that needs escapes it is what no member begins with.
pub(super) fn member_start(name: &str) -> Box<[u8]> {
    let needs_escapes = |c: char| c == '"' || c == '\\' || c < ' ';
    let start = match name.contains(needs_escapes) {
        true => "\0".to_owned(),
        false => format!("{name}\":"),
    };
    start.into_bytes().into()
}
