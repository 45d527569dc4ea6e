//! Two JSON texts as trees whose values can be compared at once: equal values have the same class.

use std::collections::HashMap;

use crate::feed::page::scientific;
use crate::render::tokens::{Token, decode_string, tokens};

/// Documents with more values than this are not compared value by value.
pub(super) const MAX_NODES: usize = 250_000;

/// What all values that are equal have in common.
pub(super) type Class = u32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar,
    Array,
    Object,
}

/// A value.
#[derive(Debug, Clone, Copy)]
struct Node<'a> {
    text: &'a [u8],
    class: Class,
    kind: Kind,
    /// The name of a member: its class, and its text between the quotes.
    name: Option<(Class, &'a [u8])>,
    /// How many nodes it has, with itself. They follow it.
    size: usize,
}

/// The number of a node in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// A member of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) class: Class,
    /// The text of the name between its quotes.
    pub(super) name: &'a [u8],
    pub(super) value: NodeId,
}

/// A document.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
}

/// The content of a value, by which its class is found. Texts differ in whitespace, escapes and the form of
/// numbers, contents do not.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Content {
    Literal(u8),
    Number(String),
    String(Vec<u8>),
    Array(Vec<Class>),
    /// Sorted. Of members with the same name the last counts.
    Object(Vec<(Class, Class)>),
}

/// The classes of all values that were seen.
#[derive(Debug, Default)]
pub(super) struct Classes {
    known: HashMap<Content, Class>,
}

/// An array or object whose end was not yet seen.
struct Open<'a> {
    node: usize,
    start: usize,
    items: Vec<(Class, Class)>,
    name: Option<(Class, &'a [u8])>,
}

impl Classes {
    fn of(&mut self, content: Content) -> Class {
        let next = self.known.len() as Class;
        *self.known.entry(content).or_insert(next)
    }

    fn of_string(&mut self, text: &[u8]) -> Class {
        self.of(Content::String(decode_string(text).into_owned()))
    }

    fn of_number(&mut self, text: &[u8]) -> Class {
        let form = match scientific(text) {
            // The service does not tell the zeros apart.
            Some(form) if form == "-0" => "0".to_owned(),
            Some(form) => form,
            None => String::from_utf8_lossy(text).into_owned(),
        };
        self.of(Content::Number(form))
    }

    /// The tree of a text; none if it has too many values.
    pub(super) fn tree<'a>(&mut self, json: &'a [u8]) -> Option<Tree<'a>> {
        let mut nodes: Vec<Node<'a>> = Vec::new();
        let mut open: Vec<Open<'a>> = Vec::new();
        let mut name = None;
        let mut tokens = tokens(json);
        while let Some(token) = tokens.next() {
            let (class, text) = match token {
                Token::Comma | Token::Colon => continue,
                Token::Name(text) => {
                    let inner = &text[1..text.len().saturating_sub(1).max(1)];
                    name = Some((self.of_string(text), inner));
                    continue;
                }
                Token::Open(byte) => {
                    open.push(Open {
                        node: nodes.len(),
                        start: tokens.position() - 1,
                        items: Vec::new(),
                        name: name.take(),
                    });
                    nodes.push(Node {
                        text: b"",
                        class: 0,
                        kind: if byte == b'{' {
                            Kind::Object
                        } else {
                            Kind::Array
                        },
                        name: None,
                        size: 1,
                    });
                    if nodes.len() > MAX_NODES {
                        return None;
                    }
                    continue;
                }
                Token::Close(_) => {
                    let closed = open.pop()?;
                    let size = nodes.len() - closed.node;
                    let node = &mut nodes[closed.node];
                    let class = self.of_items(node.kind, closed.items);
                    *node = Node {
                        text: &json[closed.start..tokens.position()],
                        class,
                        name: closed.name,
                        size,
                        ..*node
                    };
                    if let Some(parent) = open.last_mut() {
                        parent
                            .items
                            .push((closed.name.map_or(0, |(class, _)| class), class));
                    }
                    continue;
                }
                Token::String(text) => (self.of_string(text), text),
                Token::Number(text) => (self.of_number(text), text),
                Token::Literal(text) => (self.of(Content::Literal(*text.first()?)), text),
            };
            let name = name.take();
            nodes.push(Node {
                text,
                class,
                kind: Kind::Scalar,
                name,
                size: 1,
            });
            if nodes.len() > MAX_NODES {
                return None;
            }
            if let Some(parent) = open.last_mut() {
                parent
                    .items
                    .push((name.map_or(0, |(class, _)| class), class));
            }
        }
        (open.is_empty() && !nodes.is_empty()).then_some(Tree { nodes })
    }

    fn of_items(&mut self, kind: Kind, mut items: Vec<(Class, Class)>) -> Class {
        if kind == Kind::Array {
            let classes = items.into_iter().map(|(_, class)| class).collect();
            return self.of(Content::Array(classes));
        }
        // The last of a name comes first.
        items.reverse();
        items.sort_by_key(|(name, _)| *name);
        items.dedup_by_key(|(name, _)| *name);
        self.of(Content::Object(items))
    }
}

impl<'a> Tree<'a> {
    pub(super) fn root(&self) -> NodeId {
        NodeId(0)
    }

    pub(super) fn text(&self, node: NodeId) -> &'a [u8] {
        self.nodes[node.0].text
    }

    pub(super) fn class(&self, node: NodeId) -> Class {
        self.nodes[node.0].class
    }

    pub(super) fn kind(&self, node: NodeId) -> Kind {
        self.nodes[node.0].kind
    }

    /// The class of the name of a member.
    pub(super) fn name(&self, node: NodeId) -> Option<Class> {
        self.nodes[node.0].name.map(|(class, _)| class)
    }

    /// The elements of an array, or the values of an object.
    pub(super) fn children(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let end = node.0 + self.nodes[node.0].size;
        let mut next = node.0 + 1;
        std::iter::from_fn(move || {
            let found = (next < end).then_some(NodeId(next))?;
            next += self.nodes[next].size;
            Some(found)
        })
    }

    /// The members of an object in their order: of each name the last.
    pub(super) fn members(&self, node: NodeId) -> Vec<Named<'a>> {
        let all = self.children(node).filter_map(|value| {
            let (class, name) = self.nodes[value.0].name?;
            Some(Named { class, name, value })
        });
        let all: Vec<Named<'a>> = all.collect();
        let last: HashMap<Class, NodeId> = all
            .iter()
            .map(|member| (member.class, member.value))
            .collect();
        if last.len() == all.len() {
            return all;
        }
        let counts = |member: &Named<'a>| last.get(&member.class) == Some(&member.value);
        all.into_iter().filter(counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_the_same_class_however_they_are_written() {
        let mut classes = Classes::default();
        let mut class = |json: &'static str| {
            let tree = classes.tree(json.as_bytes()).unwrap();
            tree.class(tree.root())
        };
        for (one, other) in [
            (
                r#"{"a":1,"b":[2,{}]}"#,
                r#"{ "b" : [2.0, {}], "\u0061":1e0}"#,
            ),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#""\u00e9\/""#, r#""é/""#),
            ("-0", "0.00"),
            ("10e399", "1e400"),
        ] {
            assert_eq!(class(one), class(other), "{one} {other}");
        }
        for (one, other) in [
            ("9007199254740993", "9007199254740992"),
            ("1e400", "1e401"),
            ("1e99999999999999999999", "1e99999999999999999998"),
            (r#""1""#, "1"),
            ("[[1],2]", "[1,[2]]"),
            ("{}", "[]"),
            ("[]", "[[]]"),
            ("null", "false"),
            (r#"{"a":null}"#, "{}"),
            (r#"{"a":1,"a":2}"#, r#"{"a":1}"#),
            (r#""\ud800""#, r#""\ud801""#),
        ] {
            assert_ne!(class(one), class(other), "{one} {other}");
        }
    }

    #[test]
    fn a_deep_or_large_text_takes_no_stack() {
        let mut classes = Classes::default();
        let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
        let tree = classes.tree(deep.as_bytes()).unwrap();
        assert_eq!(tree.text(tree.root()), deep.as_bytes());
        let large = format!("[{}1]", "1,".repeat(MAX_NODES));
        assert!(classes.tree(large.as_bytes()).is_none());
    }
}
