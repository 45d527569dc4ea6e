//! The details that `-v` prints.

use super::counts::Counts;
use super::event::Event;
use super::observer::Observer;
use crate::report::Report;

/// Prints what happens to single ranges, with `-v`.
#[derive(Debug)]
pub struct Details<'a>(pub &'a Report);

impl Observer for Details<'_> {
    fn observe(&mut self, event: &Event<'_>, _: &Counts) {
        let text = match event {
            Event::Failed { range, error } => format!("range {range} failed: {error:#}"),
            Event::Retrying { range, notice } => format!("range {range}: {notice}"),
            Event::Split { parent, children } => {
                let named: Vec<String> = children.iter().map(|one| one.id.to_string()).collect();
                format!(
                    "range {parent} was split into {}: {}",
                    named.len(),
                    named.join(", ")
                )
            }
            _ => return,
        };
        self.0.detail(&text);
    }
}
