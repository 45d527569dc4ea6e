//! JSON whose members keep their order, and whose numbers keep their text.

use anyhow::{Context, Result, bail, ensure};

use crate::feed::page::{elements, members};

/// A policy nests to a handful of levels.
const MAX_DEPTH: usize = 64;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// The value in `json`, which is valid.
    ///
    /// # Errors
    ///
    /// If it is nested too deeply.
    pub(super) fn parse(json: &str) -> Result<Self> {
        Self::parse_at(json.trim().as_bytes(), 0)
    }

    fn parse_at(json: &[u8], depth: usize) -> Result<Self> {
        ensure!(
            depth < MAX_DEPTH,
            "the definition is nested more than {MAX_DEPTH} levels deep"
        );
        Ok(match json.first() {
            Some(b'{') => {
                let members = members(json).map(|member| {
                    let quoted = [b"\"", member.raw_name, b"\""].concat();
                    let name = serde_json::from_slice(&quoted).context("a name is not text")?;
                    Ok((name, Self::parse_at(member.value, depth + 1)?))
                });
                Self::Object(members.collect::<Result<_>>()?)
            }
            Some(b'[') => {
                let elements = elements(json).map(|element| Self::parse_at(element, depth + 1));
                Self::List(elements.collect::<Result<_>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_slice(json)?),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') => Self::Null,
            Some(_) => Self::Number(std::str::from_utf8(json)?.to_owned()),
            None => bail!("a value is missing"),
        })
    }

    /// A text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An object of these members.
    pub(super) fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        let members = members.into_iter();
        Self::Object(
            members
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }
}
