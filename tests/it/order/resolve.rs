//! Where a path leads: through which modules, and to the module that defines what it names.

use std::collections::BTreeSet;

use super::tree::{CRATES, LIBRARY, ModuleId, Name, Tree};

/// Where a path leads. A name can mean several things: a module and a function, or the same item under
/// several `cfg`s.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub ends: Vec<End>,
    /// The modules that the path leads through, be it as it is written or along imports.
    pub passed: BTreeSet<ModuleId>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    Module(ModuleId),
    /// An item that this module defines.
    ItemOf(ModuleId),
}

/// The lookups that led to the present one: imports can lead back to themselves.
type Trail = Vec<(ModuleId, String, Option<usize>)>;

impl Tree {
    /// Follows a path from a module on. Without an end, it leads to another crate or names something local.
    pub(super) fn resolve(&self, from: ModuleId, segments: &[String]) -> Found {
        let mut found = self.follow(from, segments, &mut Trail::new());
        found.ends.dedup();
        found
    }

    fn follow(&self, from: ModuleId, segments: &[String], trail: &mut Trail) -> Found {
        let mut found = Found::default();
        let mut here = self.named(from);
        let mut rest = segments;
        loop {
            match rest.first().map(String::as_str) {
                Some("crate") => here = self.root(from),
                Some("self") => {}
                Some("super") => match self.modules[here].parent {
                    Some(parent) => here = self.named(parent),
                    None => return found,
                },
                _ => break,
            }
            rest = &rest[1..];
            found.ends = vec![End::Module(here)];
        }
        if found.ends.is_empty()
            && let Some((first, after)) = rest.split_first()
        {
            found = match self.look_up_outwards(from, first, trail) {
                Some(found) => found,
                None if CRATES.contains(&first.as_str()) => Found {
                    ends: vec![End::Module(LIBRARY)],
                    ..Found::default()
                },
                None => return found,
            };
            rest = after;
        }
        for segment in rest {
            found = self.step(found, segment, trail);
        }
        found
    }

    /// The next segment of a path. What is below an item, as a variant or a method, belongs to the item.
    fn step(&self, before: Found, segment: &str, trail: &mut Trail) -> Found {
        let is_module = |end: &End| matches!(end, End::Module(_));
        let mut found = Found {
            ends: Vec::new(),
            passed: before.passed,
        };
        if !before.ends.iter().any(is_module) {
            found.ends = before.ends;
            return found;
        }
        for end in before.ends {
            let End::Module(module) = end else { continue };
            found.passed.insert(module);
            match self.look_up(module, segment, trail) {
                Some(next) => {
                    found.ends.extend(next.ends);
                    found.passed.extend(next.passed);
                }
                // A macro may have made it.
                None => found.ends.push(End::ItemOf(module)),
            }
        }
        found
    }

    /// The first name of a path: in the block, in the blocks around it, in the module.
    fn look_up_outwards(&self, from: ModuleId, name: &str, trail: &mut Trail) -> Option<Found> {
        let found = self.look_up(from, name, trail);
        let is_block = self.modules[from].name.is_none();
        match (found, self.modules[from].parent) {
            (None, Some(parent)) if is_block => self.look_up_outwards(parent, name, trail),
            (found, _) => found,
        }
    }

    /// What a name means in a module; none if the module does not have it.
    fn look_up(&self, module: ModuleId, name: &str, trail: &mut Trail) -> Option<Found> {
        let contents = &self.modules[module];
        let mut found = Found::default();
        let mut is_known = false;
        if let Some(&child) = contents.children.get(name) {
            found.ends.push(End::Module(child));
            is_known = true;
        }
        for (number, meaning) in contents.names.get(name).into_iter().flatten().enumerate() {
            match meaning {
                Name::Item => found.ends.push(End::ItemOf(module)),
                Name::External => {}
                Name::Import(path) => {
                    let lookup = (module, name.to_owned(), Some(number));
                    if trail.contains(&lookup) {
                        continue;
                    }
                    trail.push(lookup);
                    let imported = self.follow(module, path, trail);
                    trail.pop();
                    found.ends.extend(imported.ends);
                    found.passed.extend(imported.passed);
                }
            }
            is_known = true;
        }
        if is_known {
            return Some(found);
        }
        let lookup = (module, name.to_owned(), None);
        if trail.contains(&lookup) {
            return None;
        }
        trail.push(lookup);
        let found = contents
            .globs
            .iter()
            .find_map(|path| self.look_up_in_glob(module, path, name, trail));
        trail.pop();
        found
    }

    fn look_up_in_glob(
        &self,
        module: ModuleId,
        path: &[String],
        name: &str,
        trail: &mut Trail,
    ) -> Option<Found> {
        let globbed = self.follow(module, path, trail);
        globbed.ends.iter().find_map(|end| {
            let End::Module(source) = *end else {
                return None;
            };
            let mut found = self.look_up(source, name, trail)?;
            found.passed.insert(source);
            found.passed.extend(&globbed.passed);
            Some(found)
        })
    }
}
