//! What declares whether an input holds documents or changes.

use anyhow::Result;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::usage;
use crate::feed::RecordForm;

/// How the line begins that declares what the following lines are.
const BEGINNING: &[u8] = br#"{"cosmos-tail":"#;

/// No record that declares something is longer, in bytes, whatever its whitespace was.
const MAX_HEADING: usize = 128;

/// The line that declares what the following lines are. It is neither a document, which has an `id`, nor the
/// envelope of a change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Heading {
    #[serde(rename = "cosmos-tail")]
    declared: Declared,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    records: RecordForm,
}

/// The line that declares that the lines after it are `form`, with its line feed.
pub(crate) fn heading(form: RecordForm) -> Vec<u8> {
    [
        BEGINNING,
        format!("{{\"records\":\"{form}\"}}}}\n").as_bytes(),
    ]
    .concat()
}

/// What `line` declares, if it is such a line.
fn declared_by(line: &[u8]) -> Option<RecordForm> {
    if line.len() > MAX_HEADING || line.first() != Some(&b'{') {
        return None;
    }
    let heading: Heading = serde_json::from_slice(line).ok()?;
    Some(heading.declared.records)
}

/// Whether `line` declares something.
#[inline]
pub(super) fn declares(line: &[u8]) -> bool {
    line.len() <= MAX_HEADING && declared_by(line).is_some()
}

/// The user's own declaration, as messages name it.
const FLAG: &str = "--input";

/// What an input holds, and what says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declaration {
    pub(super) form: RecordForm,
    /// What says so, such as "its manifest".
    pub(super) by: &'static str,
}

impl Declaration {
    /// The user's own declaration.
    pub(super) fn of_flag(form: RecordForm) -> Self {
        Self { form, by: FLAG }
    }

    /// What holds if nothing is declared.
    pub(super) fn by_default() -> Self {
        Self {
            form: RecordForm::Documents,
            by: "the default, for the lines before it,",
        }
    }

    /// Takes another declaration of the same input, called `input`, into account.
    ///
    /// # Errors
    ///
    /// If they contradict each other. The error names both.
    pub(super) fn agree(first: Option<Self>, other: Self, input: &str) -> Result<Self> {
        let Some(first) = first else {
            return Ok(other);
        };
        if first.form == other.form {
            return Ok(first);
        }
        let is_flag = |one: &Self| one.by == FLAG;
        let (own, contradicting) = if is_flag(&other) {
            (&first, &other)
        } else {
            (&other, &first)
        };
        Err(usage(
            format!(
                "{input} holds {}, as {} says, but {} says {}",
                own.form, own.by, contradicting.by, contradicting.form
            ),
            if is_flag(contradicting) {
                "leave --input out: it is for sources that do not say what they hold"
            } else {
                "replay documents and changes from different files"
            },
        ))
    }
}

/// What is declared of the records of an input, by records in it too.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    /// What the records are, if that is declared.
    declared: Option<Declaration>,
    /// Whether there were records before anything declared what they are.
    has_undeclared: bool,
}

impl Declarations {
    /// Those of an input of which this is declared beside it. `first` is its first record, if reading starts
    /// after that.
    ///
    /// # Errors
    ///
    /// If the first record contradicts what is `declared`.
    pub(super) fn new(
        declared: Option<Declaration>,
        first: Option<&Bytes>,
        input: &str,
    ) -> Result<Self> {
        let mut this = Self {
            declared,
            has_undeclared: false,
        };
        if let Some(first) = first {
            this.take(first, input)?;
        }
        Ok(this)
    }

    /// What the records are, if that is declared.
    pub(super) fn form(&self) -> Option<RecordForm> {
        self.declared.as_ref().map(|declared| declared.form)
    }

    /// The next record declares nothing.
    #[inline]
    pub(super) fn none_declares(&mut self) {
        self.has_undeclared |= self.declared.is_none();
    }

    /// Whether `record` of the input called `input` is none, but declares what the following ones are.
    ///
    /// # Errors
    ///
    /// If it contradicts what is declared.
    pub(super) fn take(&mut self, record: &[u8], input: &str) -> Result<bool> {
        let Some(form) = declared_by(record) else {
            self.none_declares();
            return Ok(false);
        };
        let heading = Declaration {
            form,
            by: "a line in it",
        };
        // Records of which nothing is declared are documents.
        let before = self
            .declared
            .take()
            .or_else(|| self.has_undeclared.then(Declaration::by_default));
        self.declared = Some(Declaration::agree(before, heading, input)?);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_line_declares_something() {
        for form in [RecordForm::Documents, RecordForm::Changes] {
            let line = heading(form);
            assert_eq!(line.last(), Some(&b'\n'));
            assert_eq!(declared_by(&line), Some(form));
        }
        // As a program leaves it that spells JSON in its own way.
        let spaced = " {\"cosmos-tail\": {\n \"records\" : \"changes\"}} ".trim();
        assert_eq!(declared_by(spaced.as_bytes()), Some(RecordForm::Changes));
        for other in [
            r#"{"cosmos-tail":{"records":"changes"},"id":"1"}"#,
            r#"{"cosmos-tail":{"records":"changes","id":"1"}}"#,
            r#"{"cosmos-tail":{"records":"both"}}"#,
            r#"{"cosmos-tail":"changes"}"#,
            r#"{"cosmos-tail":{"records":"changes"}} {}"#,
            r#"{"id":"1","cosmos-tail":{"records":"changes"}}"#,
        ] {
            assert_eq!(declared_by(other.as_bytes()), None, "{other}");
        }
    }
}
