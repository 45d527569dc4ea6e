//! Spreads documents over the columns of a schema: a cell for each column, and what did not fit.

mod list;

use std::collections::HashMap;

use self::list::{Element, Levels};
pub use self::list::{Elements, Lists};
use super::fit::{self, Text};
use super::{ColumnType, SYSTEM_FIELDS, Schema};
use crate::feed::page::{members, skim};

/// What stands in a row for one column. It borrows from the document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing: the document has no such member, or what it has does not fit.
    Null,
    /// Of a [`ColumnType::Boolean`].
    Boolean(bool),
    /// Of a [`ColumnType::Int64`], and its JSON text.
    Int64(i64, &'a [u8]),
    /// Of a [`ColumnType::Double`], and its JSON text.
    Double(f64, &'a [u8]),
    /// Of a [`ColumnType::String`].
    Text(Text<'a>),
    /// Of a [`ColumnType::Timestamp`], in its unit, and as it is written.
    Timestamp(i64, Text<'a>),
    /// Of a [`ColumnType::Json`]: the JSON text.
    Json(&'a [u8]),
    /// Of a [`ColumnType::List`]: the JSON text of an array of which every element fits, and where
    /// [their cells](Row::lists) are.
    List(&'a [u8], Elements),
    /// Of a [`ColumnType::Int64`] that no document holds as such.
    Integer(i64),
    /// Of a [`ColumnType::Timestamp`] of whole seconds that no document holds as such, in
    /// microseconds.
    Moment(i64),
    /// Of a [`ColumnType::Struct`]: it is an object. Its fields have cells of their own.
    Object,
}

/// Spreads documents over the columns of one schema.
#[derive(Debug)]
pub struct Shredder {
    /// The objects that have fields of their own; the document is the first.
    objects: Vec<Object>,
    /// Cells of a row.
    cells: usize,
    /// Fields of all objects together.
    fields: usize,
}

#[derive(Debug, Default)]
struct Object {
    fields: Vec<Member>,
    /// By the names as UTF-8.
    by_name: HashMap<Box<[u8]>, usize>,
    /// The cell that says that the object is there. What merely lies on the path to a column has
    /// none.
    cell: Option<usize>,
}

#[derive(Debug)]
struct Member {
    /// How the member begins as the service writes it.
    start: Box<[u8]>,
    /// Its number among the fields of all objects.
    number: usize,
    kind: MemberKind,
}

#[derive(Debug)]
enum MemberKind {
    Leaf {
        cell: usize,
        column_type: ColumnType,
    },
    List {
        cell: usize,
        element: Element,
    },
    /// An index into the objects.
    Object(usize),
    /// A system field that nobody wants.
    Dropped,
}

/// The cells of one document, and what did not fit any. Good for one document after another.
#[derive(Debug)]
pub struct Row<'a> {
    cells: Vec<Cell<'a>>,
    levels: Levels<'a>,
    extra: Extra<'a>,
    /// For each field, the last document that had it.
    seen: Vec<u32>,
    document: u32,
}

impl<'a> Row<'a> {
    /// A cell for each column: in the schema's order, a struct's own cell before those of its
    /// fields.
    pub fn cells(&self) -> &[Cell<'a>] {
        &self.cells
    }

    /// The cells of the elements of its lists.
    pub fn lists(&self) -> Lists<'_, 'a> {
        self.levels.lists()
    }

    /// Makes it a row of nothing.
    pub fn clear(&mut self) {
        self.cells.fill(Cell::Null);
        self.levels.clear();
        self.extra.clear();
    }

    /// What did not fit: a JSON object, or the document itself if it is none. None if all did.
    pub fn extra(&self) -> Option<&[u8]> {
        (!self.extra.text.is_empty()).then_some(&self.extra.text)
    }
}

impl Shredder {
    /// For rows of `schema`. Without system fields, those that have no column are dropped.
    pub fn new(schema: &Schema, without_system_fields: bool) -> Self {
        let mut this = Self {
            objects: vec![Object::default()],
            cells: 0,
            fields: 0,
        };
        for column in schema.columns() {
            let mut object = 0;
            let (last, path) = column.path.split_last();
            for name in path {
                object = this.object_on_the_way(object, name);
            }
            this.add(object, last, &column.column_type);
        }
        for name in SYSTEM_FIELDS {
            if without_system_fields && !this.objects[0].by_name.contains_key(name.as_bytes()) {
                this.member(0, name, MemberKind::Dropped);
            }
        }
        this
    }

    /// The number of cells of a row.
    pub fn cells(&self) -> usize {
        self.cells
    }

    fn object_on_the_way(&mut self, object: usize, name: &str) -> usize {
        if let Some(&known) = self.objects[object].by_name.get(name.as_bytes())
            && let MemberKind::Object(known) = self.objects[object].fields[known].kind
        {
            return known;
        }
        self.objects.push(Object::default());
        let new = self.objects.len() - 1;
        self.member(object, name, MemberKind::Object(new));
        new
    }

    fn add(&mut self, object: usize, name: &str, column_type: &ColumnType) {
        let cell = self.cells;
        self.cells += 1;
        let fields = match column_type {
            ColumnType::Struct(fields) => fields,
            ColumnType::List(element) => {
                let element = Element::new(element);
                return self.member(object, name, MemberKind::List { cell, element });
            }
            leaf => {
                let column_type = leaf.clone();
                return self.member(object, name, MemberKind::Leaf { cell, column_type });
            }
        };
        self.objects.push(Object {
            cell: Some(cell),
            ..Object::default()
        });
        let new = self.objects.len() - 1;
        self.member(object, name, MemberKind::Object(new));
        for field in fields {
            self.add(new, &field.name, &field.field_type);
        }
    }

    fn member(&mut self, object: usize, name: &str, kind: MemberKind) {
        let object = &mut self.objects[object];
        object
            .by_name
            .insert(name.as_bytes().into(), object.fields.len());
        object.fields.push(Member {
            start: member_start(name),
            number: self.fields,
            kind,
        });
        self.fields += 1;
    }

    /// A row to read documents into.
    pub fn row<'a>(&self) -> Row<'a> {
        Row {
            cells: vec![Cell::Null; self.cells],
            levels: Levels::default(),
            extra: Extra::default(),
            seen: vec![0; self.fields],
            document: 0,
        }
    }

    /// Reads `document`, the JSON text of an item of a page, into `row`. A cell that the format
    /// does not accept counts as one that does not fit.
    pub fn read<'a>(
        &self,
        document: &'a [u8],
        accepts: &impl Fn(&Cell<'a>) -> bool,
        row: &mut Row<'a>,
    ) {
        // With names that are there twice it takes another look, which most documents are spared.
        for careful in [false, true] {
            row.clear();
            row.document = row.document.checked_add(1).unwrap_or_else(|| {
                row.seen.fill(0);
                1
            });
            let mut walk = Walk {
                shredder: self,
                document,
                accepts,
                row,
                careful,
                found_twice: false,
            };
            let (b'{', open) = skim::token(document, 0) else {
                break;
            };
            walk.row.extra.levels.push(&[]);
            let whole = walk.object(0, open + 1).is_some();
            let found_twice = walk.found_twice;
            row.extra.leave();
            if whole && !found_twice {
                return;
            }
            if !found_twice {
                break;
            }
        }
        // What is no object has no members to spread.
        row.clear();
        row.extra.text.extend_from_slice(document);
    }
}

/// One reading of one document.
struct Walk<'s, 'a, A> {
    shredder: &'s Shredder,
    document: &'a [u8],
    accepts: &'s A,
    row: &'s mut Row<'a>,
    /// Whether names that are there twice are known beforehand, object by object.
    careful: bool,
    /// Whether there was a field twice although it was not careful: all is to be read again.
    found_twice: bool,
}

impl<'a, A: Fn(&Cell<'a>) -> bool> Walk<'_, 'a, A> {
    /// Reads the members of an object that opens before `at`. Returns the position after it, and
    /// whether a cell or the overflow tells of it.
    ///
    /// None if the text is not what a page validated, or if it is to be read again.
    fn object(&mut self, object: usize, at: usize) -> Option<(usize, bool)> {
        let known = &self.shredder.objects[object];
        let twice = match self.careful {
            true => names_found_twice(self.document, at),
            false => Vec::new(),
        };
        let mut is_told = false;
        // Documents of one kind have their members in one order, more often than not.
        let mut expected = 0;
        let (mut byte, mut at) = skim::token(self.document, at);
        while byte == b'"' {
            at += 1;
            let (name, value, field) = match known.fields.get(expected) {
                Some(field) if self.document[at..].starts_with(&field.start) => {
                    let end = at + field.start.len();
                    (&self.document[at..end - 2], end, Some(expected))
                }
                _ => {
                    let (end, _) = skim::string_end(self.document, at)?;
                    let name = &self.document[at..end - 1];
                    let (_, colon) = skim::token(self.document, end);
                    (name, colon + 1, known.find(name))
                }
            };
            let field = field.filter(|_| twice.is_empty() || !twice.contains(&decoded_name(name)));
            let (first, start) = skim::token(self.document, value);
            let end = match field {
                Some(index) => {
                    expected = index + 1;
                    self.field(&known.fields[index], name, (first, start), &mut is_told)?
                }
                None => {
                    let end = skim::value_end(self.document, first, start)?;
                    self.row.extra.member(name, self.document.get(start..end)?);
                    is_told = true;
                    end
                }
            };
            let (after, comma) = skim::token(self.document, end);
            if after != b',' {
                return (after == b'}').then_some((comma + 1, is_told));
            }
            (byte, at) = skim::token(self.document, comma + 1);
        }
        // Only an object without members ends here.
        (byte == b'}').then_some((at + 1, is_told))
    }

    /// Reads the value of a field that begins with the byte `first` at `start`; returns its end.
    #[inline(always)]
    fn field(
        &mut self,
        field: &Member,
        name: &'a [u8],
        (first, start): (u8, usize),
        is_told: &mut bool,
    ) -> Option<usize> {
        let seen = &mut self.row.seen[field.number];
        if *seen == self.row.document {
            self.found_twice = true;
            return None;
        }
        *seen = self.row.document;
        let (cell, end) = match &field.kind {
            MemberKind::Object(object) if first == b'{' => {
                let presence = self.shredder.objects[*object].cell;
                if let Some(cell) = presence {
                    self.row.cells[cell] = Cell::Object;
                }
                self.row.extra.levels.push(name);
                let (end, told_within) = self.object(*object, start + 1)?;
                if !told_within && presence.is_none() {
                    // Nothing else would tell of an object without members.
                    self.row.extra.open();
                }
                self.row.extra.leave();
                *is_told = true;
                return Some(end);
            }
            MemberKind::Leaf { cell, column_type } if first == b'"' => {
                let (end, has_escapes) = skim::string_end(self.document, start + 1)?;
                let json = self.document.get(start..end)?;
                let fitting = cell_of_string(column_type, json, has_escapes);
                (fitting.map(|value| (*cell, value)), end)
            }
            MemberKind::Leaf { cell, column_type } => {
                let end = skim::value_end(self.document, first, start)?;
                let fitting = cell_of(column_type, self.document.get(start..end)?);
                (fitting.map(|value| (*cell, value)), end)
            }
            MemberKind::List { cell, element } if first == b'[' => {
                let levels = &mut self.row.levels;
                match element.read_list(self.document, start + 1, levels) {
                    Some((elements, end)) => {
                        let json = self.document.get(start..end)?;
                        (Some((*cell, Cell::List(json, elements))), end)
                    }
                    None => (None, skim::value_end(self.document, first, start)?),
                }
            }
            MemberKind::Object(_) | MemberKind::List { .. } => {
                (None, skim::value_end(self.document, first, start)?)
            }
            MemberKind::Dropped => return skim::value_end(self.document, first, start),
        };
        *is_told = true;
        match cell.filter(|(_, value)| (self.accepts)(value)) {
            Some((cell, value)) => self.row.cells[cell] = value,
            None => self.row.extra.member(name, self.document.get(start..end)?),
        }
        Some(end)
    }
}

impl Object {
    /// The field that a name means, as it stands between its quotes.
    #[inline]
    fn find(&self, name: &[u8]) -> Option<usize> {
        if let Some(&known) = self.by_name.get(name) {
            return Some(known).filter(|_| !name.contains(&b'\\'));
        }
        memchr::memchr(b'\\', name)?;
        self.by_name.get(&*decoded_name(name)?).copied()
    }
}

/// A name without its escapes; none if UTF-8 cannot hold it, so that it is no column's.
pub(super) fn decoded_name(name: &[u8]) -> Option<Vec<u8>> {
    let quoted = [b"\"", name, b"\""].concat();
    fit::string(&quoted).map(|text| text.decoded().into_owned())
}

/// The names that the object has more than once, which opens before `at`.
fn names_found_twice(document: &[u8], at: usize) -> Vec<Option<Vec<u8>>> {
    let mut counts = HashMap::<Vec<u8>, usize>::new();
    for member in members(&document[at - 1..]) {
        if let Some(name) = decoded_name(member.raw_name) {
            *counts.entry(name).or_default() += 1;
        }
    }
    let twice = counts.into_iter().filter(|(_, count)| *count > 1);
    twice.map(|(name, _)| Some(name)).collect()
}

/// How a member of this name begins as the service writes it: the name, its closing quote and the
/// colon. Of a name that needs escapes it is what no member begins with.
fn member_start(name: &str) -> Box<[u8]> {
    let needs_escapes = |c: char| c == '"' || c == '\\' || c < ' ';
    let start = match name.contains(needs_escapes) {
        true => "\0".to_owned(),
        false => format!("{name}\":"),
    };
    start.into_bytes().into()
}

/// The cell that `json` makes in a leaf, if it fits.
fn cell_of<'a>(column_type: &ColumnType, json: &'a [u8]) -> Option<Cell<'a>> {
    match column_type {
        ColumnType::Boolean => match json {
            b"true" => Some(Cell::Boolean(true)),
            b"false" => Some(Cell::Boolean(false)),
            _ => None,
        },
        ColumnType::Int64 => fit::int64(json).map(|value| Cell::Int64(value, json)),
        ColumnType::Double => fit::double(json).map(|value| Cell::Double(value, json)),
        ColumnType::String => fit::string(json).map(Cell::Text),
        ColumnType::Timestamp(fraction) => {
            let text = fit::string(json)?;
            let moment = fit::timestamp(&text.decoded(), *fraction)?;
            Some(Cell::Timestamp(moment, text))
        }
        ColumnType::Json => Some(Cell::Json(json)),
        // They are no leaves.
        ColumnType::List(_) | ColumnType::Struct(_) => None,
    }
}

/// The cell that a string makes, as [`cell_of`] would.
#[inline(always)]
fn cell_of_string<'a>(
    column_type: &ColumnType,
    json: &'a [u8],
    has_escapes: bool,
) -> Option<Cell<'a>> {
    match column_type {
        ColumnType::String if !has_escapes => {
            Some(Cell::Text(Text::Plain(json.get(1..json.len() - 1)?)))
        }
        ColumnType::Json => Some(Cell::Json(json)),
        ColumnType::String | ColumnType::Timestamp(_) => cell_of(column_type, json),
        _ => None,
    }
}

/// The text of an object of what did not fit, written as it is found.
#[derive(Debug, Default)]
struct Extra<'a> {
    text: Vec<u8>,
    /// The objects that are being read, by their names as they stand between their quotes.
    levels: Vec<&'a [u8]>,
    /// How many of them are in the text.
    opened: usize,
}

impl<'a> Extra<'a> {
    fn clear(&mut self) {
        self.text.clear();
        self.levels.clear();
        self.opened = 0;
    }

    fn name(&mut self, name: &[u8]) {
        if self.text.last() != Some(&b'{') {
            self.text.push(b',');
        }
        self.text.push(b'"');
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b"\":");
    }

    /// Makes the object that is being read part of the text.
    fn open(&mut self) {
        while self.opened < self.levels.len() {
            if self.opened > 0 {
                self.name(self.levels[self.opened]);
            }
            self.text.push(b'{');
            self.opened += 1;
        }
    }

    /// Adds a member to the object that is being read.
    fn member(&mut self, name: &[u8], value: &[u8]) {
        self.open();
        self.name(name);
        self.text.extend_from_slice(value);
    }

    /// Ends the object that is being read.
    fn leave(&mut self) {
        if self.opened == self.levels.len() && self.opened > 0 {
            self.text.push(b'}');
            self.opened -= 1;
        }
        self.levels.pop();
    }
}

#[cfg(test)]
mod tests;
