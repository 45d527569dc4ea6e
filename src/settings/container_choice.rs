//! Which containers of a database a command is about: those of a pattern that --only and --exclude leave.

use anyhow::Result;

use super::database::matches;
use super::given::Given;
use super::table;
use crate::error::usage;
use crate::nearest::bounded;
use crate::state::database_file::{ContainerPlace, DatabaseFile};

/// Which containers of a database are chosen.
#[derive(Debug)]
pub(super) struct ContainerChoice {
    pattern: String,
    only: Vec<String>,
    exclude: Vec<String>,
}

impl ContainerChoice {
    /// Those of this pattern that were typed.
    pub(super) fn of(pattern: &str, given: &Given) -> Self {
        Self {
            pattern: pattern.to_owned(),
            only: given.list(&table::ONLY),
            exclude: given.list(&table::EXCLUDE),
        }
    }

    /// Refuses a choice of containers where there is only one.
    ///
    /// # Errors
    ///
    /// If there is one, with `instead` as the way out.
    pub(super) fn refuse(given: &Given, instead: &str) -> Result<()> {
        let rows = [&table::ONLY.row, &table::EXCLUDE.row];
        match rows.into_iter().find(|row| given.is_typed(row)) {
            None => Ok(()),
            Some(row) => Err(usage(
                format!(
                    "{} selects containers of a database, and the source is not one",
                    row.flag()
                ),
                instead.to_owned(),
            )),
        }
    }

    /// Those of these containers that are chosen; `verb` says for what.
    ///
    /// # Errors
    ///
    /// If a name, or everything, selects none.
    pub(super) fn choose<'a>(&self, names: &[&'a str], verb: &str) -> Result<Vec<&'a str>> {
        let patterns = self.only.iter().chain(&self.exclude);
        for pattern in patterns.chain([&self.pattern]) {
            if !names.is_empty() && !names.iter().any(|name| matches(pattern, name)) {
                return Err(usage(
                    format!("there is no container `{pattern}`"),
                    format!("the containers are {}", bounded(names)),
                ));
            }
        }
        let is_any =
            |patterns: &[String], name: &str| patterns.iter().any(|pattern| matches(pattern, name));
        let mut chosen = names.to_vec();
        chosen.retain(|name| {
            matches(&self.pattern, name)
                && !is_any(&self.exclude, name)
                && (self.only.is_empty() || is_any(&self.only, name))
        });
        if chosen.is_empty() {
            return Err(usage(
                format!("there is no container to {verb}"),
                "leave --exclude out, or name others",
            ));
        }
        Ok(chosen)
    }
}

/// The containers of an export: of several with one name the one that exists, or the last one.
pub(super) fn current(file: &DatabaseFile) -> Vec<&ContainerPlace> {
    let mut current: Vec<&ContainerPlace> = Vec::new();
    for one in &file.containers {
        match current.iter_mut().find(|other| other.name == one.name) {
            Some(other) if other.gone.is_some() || one.gone.is_none() => *other = one,
            Some(_) => {}
            None => current.push(one),
        }
    }
    current
}
