//! The canonical form of what is nested deeply: the same as that of [`Form`](super::form::Form), without recursion, and
//! in a time that does not grow with the depth.

use super::number::write_number;
use super::written::{decoded, write_text};
use crate::feed::page::skim::{scalar_end, string_end, token};

/// A value, or the name of a member, which its value follows. Those of an object or array come after it.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// The first byte of its text.
    kind: u8,
    /// Its text, that of a string without its quotes.
    start: u32,
    end: u32,
    /// The first node that is not within it.
    next: u32,
}

/// What is still to be written.
enum Step {
    Value(u32),
    /// A name and its value.
    Member(u32),
    End(u8),
}

/// Appends the form of `text`, which is one object or array of less than 4 GiB and was validated.
pub(crate) fn write_deep(text: &[u8], out: &mut Vec<u8>) {
    let nodes = nodes(text);
    let mut steps = vec![Step::Value(0)];
    while let Some(step) = steps.pop() {
        let at = match step {
            Step::Value(at) => at,
            Step::Member(at) => {
                write_text(b's', &decoded(text_of(text, &nodes, at)), out);
                at + 1
            }
            Step::End(byte) => {
                out.push(byte);
                continue;
            }
        };
        let Some(node) = nodes.get(at as usize) else {
            continue;
        };
        let value = text_of(text, &nodes, at);
        match node.kind {
            b'"' => write_text(b's', &decoded(value), out),
            literal @ (b't' | b'f' | b'n') => out.push(literal),
            b'[' => {
                out.push(b'[');
                steps.push(Step::End(b']'));
                let first = steps.len();
                steps.extend(within(&nodes, at).map(Step::Value));
                steps[first..].reverse();
            }
            b'{' => {
                out.push(b'{');
                steps.push(Step::End(b'}'));
                let first = steps.len();
                steps.extend(sorted(text, &nodes, at).into_iter().map(Step::Member));
                steps[first..].reverse();
            }
            _ => write_number(value, out),
        }
    }
}

/// All nodes, in the order of the text.
fn nodes(text: &[u8]) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    loop {
        let (kind, start) = token(text, at);
        let (start, end) = match kind {
            b',' | b':' => {
                at = start + 1;
                continue;
            }
            b'}' | b']' => {
                at = start + 1;
                let next = nodes.len() as u32;
                if let Some(node) = open.pop().and_then(|closed| nodes.get_mut(closed)) {
                    node.next = next;
                }
                if open.is_empty() {
                    return nodes;
                }
                continue;
            }
            b'{' | b'[' => {
                open.push(nodes.len());
                at = start + 1;
                (start, at)
            }
            b'"' => {
                at = string_end(text, start + 1).map_or(text.len(), |(end, _)| end);
                (start + 1, at - 1)
            }
            _ => {
                at = scalar_end(text, start);
                (start, at)
            }
        };
        if at <= start && kind != b'"' {
            // No JSON.
            return nodes;
        }
        nodes.push(Node {
            kind,
            start: start as u32,
            end: end as u32,
            next: nodes.len() as u32 + 1,
        });
    }
}

fn text_of<'a>(text: &'a [u8], nodes: &[Node], at: u32) -> &'a [u8] {
    let node = nodes.get(at as usize);
    node.and_then(|node| text.get(node.start as usize..node.end as usize))
        .unwrap_or_default()
}

/// The nodes that are within this one, and in no other that is.
fn within(nodes: &[Node], at: u32) -> impl Iterator<Item = u32> {
    let end = nodes[at as usize].next;
    let mut next = at + 1;
    std::iter::from_fn(move || {
        let found = next;
        next = nodes.get(found as usize)?.next;
        (found < end).then_some(found)
    })
}

/// The members of an object, by their names. Of several with one name there is the last.
fn sorted(text: &[u8], nodes: &[Node], at: u32) -> Vec<u32> {
    // Names and values in turn.
    let mut members: Vec<_> = within(nodes, at)
        .step_by(2)
        .map(|name| (decoded(text_of(text, nodes, name)), name))
        .collect();
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    let is_repeated = |at: usize| {
        let next = members.get(at + 1);
        next.is_some_and(|(name, _)| *name == members[at].0)
    };
    (0..members.len())
        .filter(|at| !is_repeated(*at))
        .map(|at| members[at].1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deep(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write_deep(text.as_bytes(), &mut out);
        out
    }

    #[test]
    fn members_are_in_the_order_of_their_names_at_every_level() {
        let a = r#"{"b":[{"y":1,"x":"\u0041"}, -0.0 ],"a":{},"a":null,"c":[[],true]}"#;
        let b = r#" {"c":[ [ ],true],"a":null,"\u0062":[{"x":"A","y":1e0},0]}"#;
        assert_eq!(deep(a), deep(b));
        assert_ne!(deep(a), deep(&b.replace("true", "false")));
    }

    /// Without any end in sight, and with members in the wrong order at each level, which a form that sorts from within
    /// would copy again at each.
    #[test]
    fn a_million_levels_are_one_pass() {
        const LEVELS: usize = 1_000_000;
        let text = format!("{}1{}", r#"{"b":0,"a":"#.repeat(LEVELS), "}".repeat(LEVELS));
        let form = deep(&text);
        let other = format!(
            "{}1{}",
            r#"{"a":"#.repeat(LEVELS),
            r#","b":0}"#.repeat(LEVELS)
        );
        assert!(form == deep(&other));
        assert!(form != deep(&other.replacen('1', "2", 1)));
    }

    #[test]
    fn text_that_is_no_json_ends() {
        for text in ["", "{", "[", "]", "{\"", "{\"a", "[,", "[}", "\u{0}"] {
            deep(text);
        }
    }
}
