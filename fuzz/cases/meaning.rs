//! What JSON texts mean, to compare what was written with what is read. Unit tests of the crate and
//! fuzz targets share it.

use cosmos_tail::feed::page::{elements, members};
use cosmos_tail::schema::fit::{self, Decimal};

/// A text that two JSON texts have in common if, and only if, they mean the same: the order of
/// members does not count, except among those of one name; numbers are decimal numbers.
pub(super) fn meaning(json: &[u8]) -> String {
    let mut out = String::new();
    write_meaning(json, &mut out);
    out
}

fn write_meaning(json: &[u8], out: &mut String) {
    match json.first() {
        Some(b'{') => {
            let mut all: Vec<(String, String)> = members(json)
                .map(|member| {
                    let name = [b"\"", member.raw_name, b"\""].concat();
                    (meaning(&name), meaning(member.value))
                })
                .collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            *out += &format!("{all:?}");
        }
        Some(b'[') => {
            out.push('[');
            for element in elements(json) {
                write_meaning(element, out);
                out.push(',');
            }
            out.push(']');
        }
        Some(b'"') => match fit::string(json) {
            Some(text) => *out += &format!("{:?}", text.decoded()),
            None => out.push_str(std::str::from_utf8(json).unwrap()),
        },
        Some(b'-' | b'0'..=b'9') => {
            let text = std::str::from_utf8(json).unwrap();
            match Decimal::of(text) {
                Some(number) => *out += &format!("{number:?}"),
                // Its exponent is beyond all bounds.
                None => out.push_str(text),
            }
        }
        _ => out.push_str(std::str::from_utf8(json).unwrap()),
    }
}
