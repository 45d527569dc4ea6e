//! Reads lists. Each element becomes cells, as a document does. If one does not fit, the whole list does
//! not, since a list has no overflow of its own.

use super::cell::{Cell, Elements, cell_of, cell_of_string};
use crate::feed::page::skim;
use crate::schema::column::ColumnType;
use crate::schema::fit::TimeUnit;
use crate::schema::member_name::{decoded_name, member_start};

/// The cells of the elements of lists. Those of a list within a list are one level deeper, so that the
/// elements of each list are contiguous.
#[derive(Debug, Default)]
pub(super) struct Levels<'a> {
    cells: Vec<Vec<Cell<'a>>>,
    /// Whether an object in the list that was read last has a member that is null.
    pub(super) has_nulls: bool,
}

impl<'a> Levels<'a> {
    pub(super) fn clear(&mut self) {
        self.cells.iter_mut().for_each(Vec::clear);
    }

    pub(super) fn lists(&self) -> Lists<'_, 'a> {
        Lists(&self.cells)
    }
}

/// Access to the cells of the elements of lists; see [`Lists::of`].
#[derive(Debug, Clone, Copy)]
pub struct Lists<'r, 'a>(&'r [Vec<Cell<'a>>]);

impl<'r, 'a> Lists<'r, 'a> {
    /// Without any list.
    pub const NONE: Lists<'static, 'static> = Lists(&[]);

    /// The cells from the first element on: one for each element, followed by those of its fields if it is a
    /// struct, as in a row. The returned lists belong to the lists among them.
    pub fn of(self, elements: Elements) -> (impl Iterator<Item = Cell<'a>> + use<'r, 'a>, Self) {
        let (level, deeper) = self.0.split_first().unwrap_or((const { &Vec::new() }, &[]));
        let cells = level.get(elements.start as usize..).unwrap_or_default();
        (cells.iter().copied(), Lists(deeper))
    }
}

/// The type of the elements of a list.
#[derive(Debug)]
pub(super) struct Element {
    kind: ElementKind,
    /// The unit of its times, if columns do not have their own.
    unit: Option<TimeUnit>,
    /// Whether null fits the field of an object.
    nulls_fit: bool,
    /// How many cells it has.
    cells: usize,
}

#[derive(Debug)]
enum ElementKind {
    Leaf(ColumnType),
    List(Box<Element>),
    Struct(Vec<ElementField>),
}

#[derive(Debug)]
struct ElementField {
    name: Box<[u8]>,
    /// How the member begins as the service writes it.
    start: Box<[u8]>,
    /// How many cells of the struct come before those of the field.
    offset: usize,
    element: Element,
}

impl Element {
    pub(super) fn new(column_type: &ColumnType, unit: Option<TimeUnit>, nulls_fit: bool) -> Self {
        let mut cells = 1;
        let kind = match column_type {
            ColumnType::List(element) => {
                ElementKind::List(Box::new(Self::new(element, unit, nulls_fit)))
            }
            ColumnType::Struct(fields) => ElementKind::Struct(
                fields
                    .iter()
                    .map(|field| {
                        let element = Self::new(&field.field_type, unit, nulls_fit);
                        let offset = cells;
                        cells += element.cells;
                        ElementField {
                            name: field.name.as_bytes().into(),
                            start: member_start(&field.name),
                            offset,
                            element,
                        }
                    })
                    .collect(),
            ),
            leaf => ElementKind::Leaf(leaf.clone()),
        };
        Self {
            kind,
            unit,
            nulls_fit,
            cells,
        }
    }

    /// Whether its cell is empty if its value is null.
    fn is_null_missing(&self) -> bool {
        let is_json = matches!(self.kind, ElementKind::Leaf(ColumnType::Json));
        self.nulls_fit && !is_json
    }

    /// Reads the elements of a list that opens before `at`, and returns them and the end of the
    /// list. None if one of them does not fit.
    pub(super) fn read_list<'a>(
        &self,
        document: &'a [u8],
        at: usize,
        levels: &mut Levels<'a>,
    ) -> Option<(Elements, usize)> {
        levels.has_nulls = false;
        self.list_at_depth(document, at, 0, levels)
    }

    fn list_at_depth<'a>(
        &self,
        document: &'a [u8],
        at: usize,
        depth: usize,
        levels: &mut Levels<'a>,
    ) -> Option<(Elements, usize)> {
        if levels.cells.len() <= depth {
            levels.cells.push(Vec::new());
        }
        let mut elements = Elements {
            start: u32::try_from(levels.cells[depth].len()).ok()?,
            count: 0,
        };
        let (mut first, mut at) = skim::token(document, at);
        if first == b']' {
            return Some((elements, at + 1));
        }
        loop {
            let cell = levels.cells[depth].len();
            levels.cells[depth].resize(cell + self.cells, Cell::Null);
            let end = if document[at..].starts_with(b"null") {
                at + b"null".len()
            } else {
                self.value(document, (first, at), (depth, cell), levels)?
            };
            elements.count = elements.count.checked_add(1)?;
            let (after, comma) = skim::token(document, end);
            match after {
                b',' => (first, at) = skim::token(document, comma + 1),
                b']' => return Some((elements, comma + 1)),
                _ => return None,
            }
        }
    }

    /// Reads a value that begins with the byte `first` at `start` into the cells from `cell` on of
    /// the level `depth`, and returns its end. None if it does not fit.
    fn value<'a>(
        &self,
        document: &'a [u8],
        (first, start): (u8, usize),
        (depth, cell): (usize, usize),
        levels: &mut Levels<'a>,
    ) -> Option<usize> {
        let (value, end) = match &self.kind {
            ElementKind::Leaf(column_type) if first == b'"' => {
                let (end, has_escapes) = skim::string_end(document, start + 1)?;
                let json = document.get(start..end)?;
                (
                    cell_of_string(column_type, self.unit, json, has_escapes)?,
                    end,
                )
            }
            ElementKind::Leaf(column_type) => {
                let end = skim::value_end(document, first, start)?;
                (
                    cell_of(column_type, self.unit, document.get(start..end)?)?,
                    end,
                )
            }
            ElementKind::List(element) if first == b'[' => {
                let (elements, end) =
                    element.list_at_depth(document, start + 1, depth + 1, levels)?;
                (Cell::List(document.get(start..end)?, elements), end)
            }
            ElementKind::Struct(fields) if first == b'{' => {
                let end = members_of(fields, document, start + 1, (depth, cell), levels)?;
                (Cell::Object, end)
            }
            ElementKind::List(_) | ElementKind::Struct(_) => return None,
        };
        if matches!(value, Cell::Rounded(_)) {
            // The list has no overflow of its own that could hold the rest.
            return None;
        }
        levels.cells[depth][cell] = value;
        Some(end)
    }
}

/// Reads the members of an object that opens before `at`, and returns its end.
fn members_of<'a>(
    fields: &[ElementField],
    document: &'a [u8],
    at: usize,
    (depth, cell): (usize, usize),
    levels: &mut Levels<'a>,
) -> Option<usize> {
    // Objects of one kind usually have their members in the same order.
    let mut expected = 0;
    let (mut byte, mut at) = skim::token(document, at);
    while byte == b'"' {
        at += 1;
        let (index, value) = match fields.get(expected) {
            Some(field) if document[at..].starts_with(&field.start) => {
                (expected, at + field.start.len())
            }
            _ => {
                let (end, _) = skim::string_end(document, at)?;
                let (_, colon) = skim::token(document, end);
                (position(fields, document.get(at..end - 1)?)?, colon + 1)
            }
        };
        expected = index + 1;
        let field = &fields[index];
        let own = cell + field.offset;
        if levels.cells[depth][own] != Cell::Null {
            // The member is repeated.
            return None;
        }
        let token = skim::token(document, value);
        let end = if token.0 == b'n' && field.element.is_null_missing() {
            levels.has_nulls = true;
            skim::value_end(document, token.0, token.1)?
        } else {
            field.element.value(document, token, (depth, own), levels)?
        };
        let (after, comma) = skim::token(document, end);
        if after != b',' {
            return (after == b'}').then_some(comma + 1);
        }
        (byte, at) = skim::token(document, comma + 1);
    }
    // Only an object without members ends here.
    (byte == b'}').then_some(at + 1)
}

/// The field with a name, given as it is between its quotes.
fn position(fields: &[ElementField], raw_name: &[u8]) -> Option<usize> {
    let is = |name: &[u8]| fields.iter().position(|field| *field.name == *name);
    match memchr::memchr(b'\\', raw_name) {
        None => is(raw_name),
        Some(_) => is(&decoded_name(raw_name)?),
    }
}
