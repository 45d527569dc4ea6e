//! Tables for people: aligned columns.

use crate::escape::escape_for_terminal;

/// The space between two columns.
const GAP: &str = "  ";

/// How the cells of a column are aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table of `N` columns.
#[derive(Debug)]
pub struct Table<const N: usize> {
    alignments: [Align; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with these columns: title and alignment.
    pub fn new(columns: [(&str, Align); N]) -> Self {
        Self {
            alignments: columns.map(|(_, align)| align),
            rows: vec![columns.map(|(title, _)| title.to_owned())],
        }
    }

    /// Adds a row. Its cells are escaped, so that each stays within its column.
    pub fn push(&mut self, cells: [String; N]) {
        self.rows
            .push(cells.map(|cell| escape_for_terminal(&cell).into_owned()));
    }

    /// The lines of the table, without spaces at their ends.
    pub fn render(&self) -> String {
        let widths: [usize; N] = std::array::from_fn(|column| {
            let widths = self.rows.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or(0)
        });
        let mut text = String::new();
        for row in &self.rows {
            let cells: [String; N] = std::array::from_fn(|column| {
                let (cell, width) = (&row[column], widths[column]);
                match self.alignments[column] {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                }
            });
            text.push_str(cells.join(GAP).trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_cells_are_escaped() {
        let mut table = Table::new([
            ("N", Align::Right),
            ("NAME", Align::Left),
            ("END", Align::Left),
        ]);
        table.push(["7".into(), "été".into(), "-".into()]);
        table.push(["12".into(), "a\nb".into(), String::new()]);
        assert_eq!(
            table.render(),
            " N  NAME     END\n 7  été      -\n12  a\\u{a}b\n"
        );
    }
}
