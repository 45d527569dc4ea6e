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
        let (range, text) = match event {
            Event::Failed { range, error } => (range, format!("range {range} failed: {error:#}")),
            Event::Retrying { range, notice } => (range, format!("range {range}: {notice}")),
            Event::Split { parent, children } => {
                let named: Vec<String> = children.iter().map(|one| one.id.to_string()).collect();
                let (number, named) = (named.len(), named.join(", "));
                (
                    parent,
                    format!("range {parent} was split into {number}: {named}"),
                )
            }
            _ => return,
        };
        self.0.detail_of(*range, &text);
    }
}
