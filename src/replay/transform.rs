//! `--transform`: what a program makes of documents before they are written.

use super::item_write::Defect;
use crate::render::Filter;

/// How much of an output that is no object is told, in characters.
const MAX_TOLD: usize = 40;

/// The program.
#[derive(Debug, Clone)]
pub(super) struct Transform {
    program: Filter,
}

impl Transform {
    pub(super) fn new(program: Filter) -> Self {
        Self { program }
    }

    /// What the program makes of `document`, which must be valid JSON: an object on one line, or
    /// nothing.
    ///
    /// # Errors
    ///
    /// If it fails, makes more than one thing, or something else than an object.
    pub(super) fn apply(&self, document: &[u8]) -> Result<Option<Vec<u8>>, Defect> {
        let mut made = None;
        let outputs = self.program.run(document, |output| {
            made.get_or_insert_with(|| output.to_vec());
        });
        match (outputs, made) {
            (Err(message), _) => Err(Defect::new(format!(
                "the program of --transform fails: {message}"
            ))),
            (Ok(0 | 1), Some(made)) if made.first() != Some(&b'{') => {
                let made = String::from_utf8_lossy(&made);
                let told: String = made.chars().take(MAX_TOLD).collect();
                let dots = if told.len() < made.len() { "…" } else { "" };
                Err(Defect::new(format!(
                    "the program of --transform makes {told}{dots} of it, which is no object"
                )))
            }
            (Ok(0 | 1), made) => Ok(made),
            (Ok(outputs), _) => Err(Defect::new(format!(
                "the program of --transform makes {outputs} outputs of it, and one can be written"
            ))),
        }
    }
}
