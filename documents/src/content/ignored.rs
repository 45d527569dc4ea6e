//! The paths that are not compared.

use crate::feed::page::{elements, members};
use crate::render::change::{KeyPath, parse_key_path};
use crate::render::decode_string;

/// The paths that are not compared.
#[derive(Debug, Clone, Default)]
pub struct Ignored {
    paths: Vec<KeyPath>,
}

impl Ignored {
    /// The paths as they were typed, each beginning with a slash.
    pub fn new(paths: &[String]) -> Self {
        Self {
            paths: paths.iter().map(|path| parse_key_path(path)).collect(),
        }
    }

    /// Whether nothing is ignored.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Appends what is not ignored of an object.
    pub fn write_others(&self, object: &[u8], out: &mut Vec<u8>) {
        let paths: Vec<&[String]> = self.paths.iter().map(Vec::as_slice).collect();
        write_object(object, &paths, out);
    }
}

fn write_object(object: &[u8], paths: &[&[String]], out: &mut Vec<u8>) {
    out.push(b'{');
    let mut is_first = true;
    for member in members(object) {
        let name = decode_string(member.raw_name);
        let below: Vec<&[String]> = paths
            .iter()
            .filter(|path| path[0].as_bytes() == &*name)
            .map(|path| &path[1..])
            .collect();
        if below.iter().any(|path| path.is_empty()) {
            continue;
        }
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        out.push(b'"');
        out.extend_from_slice(member.raw_name);
        out.extend_from_slice(b"\":");
        write_value(member.value, &below, out);
    }
    out.push(b'}');
}

/// Of an array the paths are those of each element.
fn write_value(value: &[u8], paths: &[&[String]], out: &mut Vec<u8>) {
    /// No path is longer, so that nothing is deeper.
    const MAX_ARRAYS: usize = 16;
    write_below(value, paths, MAX_ARRAYS, out);
}

fn write_below(value: &[u8], paths: &[&[String]], arrays: usize, out: &mut Vec<u8>) {
    match value.first() {
        Some(b'{') if !paths.is_empty() => write_object(value, paths, out),
        Some(b'[') if !paths.is_empty() && arrays > 0 => {
            out.push(b'[');
            for (at, element) in elements(value).enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_below(element, paths, arrays - 1, out);
            }
            out.push(b']');
        }
        _ => out.extend_from_slice(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_through_objects_and_arrays() {
        for (paths, document, others) in [
            (&["/a"][..], r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
            (
                &["/a/b"],
                r#"{"a":{"b":1,"c":2},"b":3}"#,
                r#"{"a":{"c":2},"b":3}"#,
            ),
            (
                &["/a/b"],
                r#"{"a":[{"b":1},{"c":2},[{"b":3}],4]}"#,
                r#"{"a":[{},{"c":2},[{}],4]}"#,
            ),
            (&["/a/b"], r#"{"a":1}"#, r#"{"a":1}"#),
            (
                &["/a", "/b/c"],
                r#"{"\u0061":1,"b":{"c":{}}}"#,
                r#"{"b":{}}"#,
            ),
            (
                &["/\"a/b\""],
                r#"{"a/b":1,"a":{"b":2}}"#,
                r#"{"a":{"b":2}}"#,
            ),
        ] {
            let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
            let mut out = Vec::new();
            Ignored::new(&paths).write_others(document.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), others, "{paths:?}");
        }
    }
}
