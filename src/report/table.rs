//! Tables for people: aligned columns.

use crate::escape::escape_for_terminal;
use crate::width::{cut_middle, width_of};

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

    /// Cuts cells of these columns, the widest first, until the lines have at most `width` columns. A column
    /// keeps at least the width of its title.
    pub fn cut(&mut self, width: usize, columns: &[usize]) {
        let mut widths = self.widths();
        let gaps = GAP.len() * N.saturating_sub(1);
        loop {
            let over = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
            let is_wide = |column: &&usize| widths[**column] > width_of(&self.rows[0][**column]);
            let widest = columns
                .iter()
                .filter(is_wide)
                .max_by_key(|column| widths[**column]);
            let Some(&widest) = widest.filter(|_| over > 0) else {
                break;
            };
            widths[widest] -= 1;
        }
        for row in &mut self.rows {
            for &column in columns {
                row[column] = cut_middle(&row[column], widths[column]).into_owned();
            }
        }
    }

    fn widths(&self) -> [usize; N] {
        std::array::from_fn(|column| {
            let widths = self.rows.iter().map(|row| width_of(&row[column]));
            widths.max().unwrap_or(0)
        })
    }

    /// The lines of the table, without spaces at their ends.
    pub fn render(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for row in &self.rows {
            let cells: [String; N] = std::array::from_fn(|column| {
                let cell = &row[column];
                let spaces = " ".repeat(widths[column].saturating_sub(width_of(cell)));
                match self.alignments[column] {
                    Align::Left => format!("{cell}{spaces}"),
                    Align::Right => format!("{spaces}{cell}"),
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

    #[test]
    fn columns_are_as_wide_as_the_terminal_shows_them() {
        let mut table = Table::new([("NAME", Align::Left), ("N", Align::Right)]);
        table.push(["日本".into(), "1".into()]);
        table.push(["e\u{301}".into(), "20".into()]);
        assert_eq!(table.render(), "NAME   N\n日本   1\ne\u{301}     20\n");
    }

    #[test]
    fn the_widest_cells_are_cut_first() {
        let columns = [
            ("MIN", Align::Left),
            ("MAX", Align::Left),
            ("N", Align::Right),
        ];
        let mut table = Table::new(columns);
        table.push(["0123456789".into(), "abcdef".into(), "7".into()]);
        table.cut(18, &[0, 1]);
        assert_eq!(table.render(), "MIN      MAX     N\n012…789  abcdef  7\n");
        table.cut(12, &[0, 1]);
        assert_eq!(table.render(), "MIN   MAX  N\n01…9  a…f  7\n");
        table.cut(1, &[0, 1]);
        assert_eq!(table.render(), "MIN  MAX  N\n0…9  a…f  7\n");
    }
}
