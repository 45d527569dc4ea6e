//! `--transform`: a program that documents go through before they are written.

use super::item_write::Defect;
use crate::render::Filter;

/// How much of an output that is not an object is shown, in characters.
const MAX_SHOWN_CHARACTERS: usize = 40;

/// The program.
#[derive(Debug, Clone)]
pub(super) struct Transform {
    program: Filter,
}

impl Transform {
    pub(super) fn new(program: Filter) -> Self {
        Self { program }
    }

    /// Its text.
    pub(super) fn text(&self) -> &str {
        self.program.text()
    }

    /// The program's output for `document`, which must be valid JSON: an object on one line, or none.
    ///
    /// # Errors
    ///
    /// If it fails, or returns several outputs or something other than an object.
    pub(super) fn apply(&self, document: &[u8]) -> Result<Option<Vec<u8>>, Defect> {
        let mut made = None;
        let outputs = self.program.run(document, |output| {
            made.get_or_insert_with(|| output.to_vec());
        });
        match (outputs, made) {
            (Err(message), _) => Err(Defect::new(format!("--transform failed: {message}"))),
            (Ok(0 | 1), Some(made)) if made.first() != Some(&b'{') => {
                let made = String::from_utf8_lossy(&made);
                let shown: String = made.chars().take(MAX_SHOWN_CHARACTERS).collect();
                let dots = if shown.len() < made.len() { "…" } else { "" };
                Err(Defect::new(format!(
                    "--transform returned {shown}{dots}, which is not an object"
                )))
            }
            (Ok(0 | 1), made) => Ok(made),
            (Ok(outputs), _) => Err(Defect::new(format!(
                "--transform returned {outputs} outputs, but only one can be written"
            ))),
        }
    }
}
