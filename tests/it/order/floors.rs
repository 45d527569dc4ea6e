//! The declared order of the modules.

use std::collections::BTreeMap;

/// The floor of each top-level module, numbered from 1, the lowest.
#[derive(Debug)]
pub(super) struct Floors {
    floors: BTreeMap<String, usize>,
}

impl Floors {
    /// Reads the first fenced block after this heading: a line for each floor, the highest first, with its
    /// modules between single spaces. Two spaces begin a description.
    pub(super) fn read(page: &str, heading: &str) -> Self {
        let section = page
            .lines()
            .skip_while(|line| line.trim_start_matches('#').trim() != heading);
        let block = section
            .skip_while(|line| !line.starts_with("```"))
            .skip(1)
            .take_while(|line| !line.starts_with("```"));
        let lines: Vec<&str> = block.filter(|line| !line.trim().is_empty()).collect();
        assert!(!lines.is_empty(), "no block after the heading `{heading}`");
        let mut floors = BTreeMap::new();
        for (floor, line) in (1..).zip(lines.iter().rev()) {
            let (modules, _) = line.split_once("  ").unwrap_or((line, ""));
            for module in modules.split(' ') {
                let before = floors.insert(module.to_owned(), floor);
                assert_eq!(before, None, "`{module}` has two floors");
            }
        }
        Self { floors }
    }

    pub(super) fn of(&self, module: &str) -> Option<usize> {
        self.floors.get(module).copied()
    }

    pub(super) fn modules(&self) -> impl Iterator<Item = &str> {
        self.floors.keys().map(String::as_str)
    }
}
