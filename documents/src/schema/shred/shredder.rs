//! Reads documents into rows.

use std::collections::HashMap;

use super::cell::{Cell, cell_of, cell_of_string};
use super::list::{Element, Levels};
use super::overflow::Overflow;
use super::row::Row;
use crate::feed::page::SYSTEM_FIELDS;
use crate::feed::page::{members, skim};
use crate::schema::column::{ColumnType, Schema};
use crate::schema::fit::TimeUnit;
use crate::schema::member_name::{decoded_name, member_start};

/// Spreads documents over the columns of one schema.
#[derive(Debug)]
pub struct Shredder {
    /// The objects whose fields have columns; the first is the document.
    objects: Vec<Object>,
    /// How many cells a row has.
    cells: usize,
    /// How many fields all objects have together.
    fields: usize,
    /// The unit of all times, if columns do not have their own.
    unit: Option<TimeUnit>,
    /// Whether null fits a column that holds other values.
    nulls_fit: bool,
}

#[derive(Debug, Default)]
struct Object {
    fields: Vec<Member>,
    /// The index of each field, by its name as UTF-8.
    by_name: HashMap<Box<[u8]>, usize>,
    /// The cell that shows that the object is there. An object that is only on the path to a column has none.
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
    /// A system field to be dropped.
    Dropped,
}

impl Shredder {
    /// A shredder for rows of `schema`. With `without_system_fields`, system fields without a column are dropped.
    pub fn new(schema: &Schema, without_system_fields: bool) -> Self {
        Self::with(schema, without_system_fields, None, false)
    }

    /// The same with times in this `unit`, whatever their columns say, and with nulls that fit or not.
    pub fn with(
        schema: &Schema,
        without_system_fields: bool,
        unit: Option<TimeUnit>,
        nulls_fit: bool,
    ) -> Self {
        let mut this = Self {
            objects: vec![Object::default()],
            cells: 0,
            fields: 0,
            unit,
            nulls_fit,
        };
        for column in schema.columns() {
            let mut object = 0;
            let (last, path) = column.path.split_last();
            for name in path {
                object = this.object_on_the_path(object, name);
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

    fn object_on_the_path(&mut self, object: usize, name: &str) -> usize {
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
                let element = Element::new(element, self.unit, self.nulls_fit);
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
            extra: Overflow::default(),
            nulls: Overflow::default(),
            seen: vec![0; self.fields],
            document: 0,
        }
    }

    /// Sets the cell of the field at `path` to a value that is not a struct or a list, if there is such a cell and
    /// the value fits.
    pub fn set<'a>(
        &self,
        path: &[String],
        json: &'a [u8],
        accepts: &impl Fn(&Cell<'a>) -> bool,
        row: &mut Row<'a>,
    ) {
        let (mut object, mut above) = (0, Vec::new());
        for name in path {
            let known = &self.objects[object];
            let Some(field) = known.by_name.get(name.as_bytes()) else {
                return;
            };
            match &known.fields[*field].kind {
                MemberKind::Object(within) => {
                    object = *within;
                    above.extend(self.objects[object].cell);
                }
                MemberKind::Leaf { cell, column_type } => {
                    let value = cell_of(column_type, self.unit, json).filter(accepts);
                    if let Some(value) = value {
                        row.cells[*cell] = value;
                        for presence in above {
                            row.cells[presence] = Cell::Object;
                        }
                    }
                    return;
                }
                MemberKind::List { .. } | MemberKind::Dropped => return,
            }
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
        // Only a document with repeated names needs the second, careful reading.
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
                found_repeated: false,
            };
            let (b'{', open) = skim::token(document, 0) else {
                break;
            };
            walk.row.extra.levels.push(&[]);
            walk.row.nulls.levels.push(&[]);
            let whole = walk.object(0, open + 1).is_some();
            let found_repeated = walk.found_repeated;
            row.extra.leave();
            row.nulls.leave();
            if whole && !found_repeated {
                return;
            }
            if !found_repeated {
                break;
            }
        }
        // A document that is not an object has no members to spread.
        row.clear();
        row.nulls.clear();
        row.extra.text.extend_from_slice(document);
    }
}

/// One reading of one document.
struct Walk<'s, 'a, A> {
    shredder: &'s Shredder,
    document: &'a [u8],
    accepts: &'s A,
    row: &'s mut Row<'a>,
    /// Whether repeated names are found beforehand, object by object.
    careful: bool,
    /// Whether an uncareful reading found a repeated field: the document is read again.
    found_repeated: bool,
}

impl<'a, A: Fn(&Cell<'a>) -> bool> Walk<'_, 'a, A> {
    /// Reads the members of an object that opens before `at`. Returns the position after it, and whether a cell
    /// or the overflow shows that it is there.
    ///
    /// None if the text was not validated by a page, or has to be read again.
    fn object(&mut self, object: usize, at: usize) -> Option<(usize, bool)> {
        let known = &self.shredder.objects[object];
        let repeated = if self.careful {
            repeated_names(self.document, at)
        } else {
            Vec::new()
        };
        let mut is_shown = false;
        // Documents of one kind usually have their members in the same order.
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
            let field =
                field.filter(|_| repeated.is_empty() || !repeated.contains(&decoded_name(name)));
            let (first, start) = skim::token(self.document, value);
            let end = match field {
                Some(index) => {
                    expected = index + 1;
                    self.field(&known.fields[index], name, (first, start), &mut is_shown)?
                }
                None => {
                    let end = skim::value_end(self.document, first, start)?;
                    self.row.extra.member(name, self.document.get(start..end)?);
                    is_shown = true;
                    end
                }
            };
            let (after, comma) = skim::token(self.document, end);
            if after != b',' {
                return (after == b'}').then_some((comma + 1, is_shown));
            }
            (byte, at) = skim::token(self.document, comma + 1);
        }
        // Only an object without members ends here.
        (byte == b'}').then_some((at + 1, is_shown))
    }

    /// Reads the value of a field that begins with the byte `first` at `start`; returns its end.
    #[inline(always)]
    fn field(
        &mut self,
        field: &Member,
        name: &'a [u8],
        (first, start): (u8, usize),
        is_shown: &mut bool,
    ) -> Option<usize> {
        let seen = &mut self.row.seen[field.number];
        if *seen == self.row.document {
            self.found_repeated = true;
            return None;
        }
        *seen = self.row.document;
        if first == b'n' && self.shredder.nulls_fit && field.kind.is_nullable() {
            let end = skim::value_end(self.document, first, start)?;
            self.row.nulls.member(name, self.document.get(start..end)?);
            *is_shown = true;
            return Some(end);
        }
        let mut has_nulls = false;
        let (cell, end) = match &field.kind {
            MemberKind::Object(object) if first == b'{' => {
                let presence = self.shredder.objects[*object].cell;
                if let Some(cell) = presence {
                    self.row.cells[cell] = Cell::Object;
                }
                self.row.extra.levels.push(name);
                self.row.nulls.levels.push(name);
                let (end, shown_within) = self.object(*object, start + 1)?;
                if !shown_within && presence.is_none() {
                    // Nothing else would show an empty object.
                    self.row.extra.open();
                }
                self.row.extra.leave();
                self.row.nulls.leave();
                *is_shown = true;
                return Some(end);
            }
            MemberKind::Leaf { cell, column_type } if first == b'"' => {
                let (end, has_escapes) = skim::string_end(self.document, start + 1)?;
                let json = self.document.get(start..end)?;
                let fitting = cell_of_string(column_type, self.shredder.unit, json, has_escapes);
                (fitting.map(|value| (*cell, value)), end)
            }
            MemberKind::Leaf { cell, column_type } => {
                let end = skim::value_end(self.document, first, start)?;
                let fitting = cell_of(
                    column_type,
                    self.shredder.unit,
                    self.document.get(start..end)?,
                );
                (fitting.map(|value| (*cell, value)), end)
            }
            MemberKind::List { cell, element } if first == b'[' => {
                let levels = &mut self.row.levels;
                match element.read_list(self.document, start + 1, levels) {
                    Some((elements, end)) => {
                        let json = self.document.get(start..end)?;
                        has_nulls = levels.has_nulls;
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
        *is_shown = true;
        match cell.filter(|(_, value)| (self.accepts)(value)) {
            Some((cell, value)) => {
                self.row.cells[cell] = value;
                if matches!(value, Cell::Rounded(_)) {
                    let json = self.document.get(start..end)?;
                    self.row.extra.member(name, json);
                }
                if has_nulls {
                    let json = self.document.get(start..end)?;
                    self.row.nulls.member(name, json);
                }
            }
            None => self.row.extra.member(name, self.document.get(start..end)?),
        }
        Some(end)
    }
}

impl MemberKind {
    /// Whether an empty cell can be null. In a column of JSON, null is a value.
    fn is_nullable(&self) -> bool {
        match self {
            Self::Leaf { column_type, .. } => *column_type != ColumnType::Json,
            Self::List { .. } | Self::Object(_) => true,
            Self::Dropped => false,
        }
    }
}

impl Object {
    /// The field with a name, given as it is between its quotes.
    #[inline]
    fn find(&self, name: &[u8]) -> Option<usize> {
        if let Some(&known) = self.by_name.get(name) {
            return Some(known).filter(|_| !name.contains(&b'\\'));
        }
        memchr::memchr(b'\\', name)?;
        self.by_name.get(&*decoded_name(name)?).copied()
    }
}

/// The repeated names of the object that opens before `at`.
fn repeated_names(document: &[u8], at: usize) -> Vec<Option<Vec<u8>>> {
    let mut counts = HashMap::<Vec<u8>, usize>::new();
    for member in members(&document[at - 1..]) {
        if let Some(name) = decoded_name(member.raw_name) {
            *counts.entry(name).or_default() += 1;
        }
    }
    let repeated = counts.into_iter().filter(|(_, count)| *count > 1);
    repeated.map(|(name, _)| Some(name)).collect()
}
