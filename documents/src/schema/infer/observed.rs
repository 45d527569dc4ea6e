//! The observations of one field, and its inferred type.

use std::borrow::Cow;
use std::collections::HashMap;

use super::limits::{MAX_FIELDS, MAX_FIELDS_OF_OBJECT, MAX_NAME_BYTES, MAX_NESTING};
use super::place::Place;
use crate::feed::page::{elements, members};
use crate::schema::column::{ColumnType, Field, Fraction};
use crate::schema::fit;
use crate::schema::member_name::decoded_name;

/// Forms of a timestamp: those with 0 to 9 digits, then [`Fraction::Shortest`].
const FORMS: usize = 11;

/// The observations of one field, or of the elements of an array.
#[derive(Debug)]
pub(super) struct Observed {
    /// Where it was seen first.
    pub(super) first: Place,
    /// How often it was seen, null included.
    pub(super) count: u64,
    nulls: Count,
    booleans: Count,
    numbers: Numbers,
    strings: Strings,
    arrays: Count,
    objects: Count,
    elements: Option<Box<Observed>>,
    pub(super) fields: HashMap<Box<str>, Observed>,
    /// Whether an object had more different names than a struct has fields.
    is_map: bool,
    /// Whether an object had a member that is not among `fields`.
    is_incomplete: bool,
}

/// How many values of some kind there were.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    values: u64,
    /// How many cells have some of them: a value within an array shares its cell with others.
    cells: u64,
    /// The number of the last of these cells.
    last: u64,
}

impl Count {
    fn add(&mut self, cell: u64) {
        self.values += 1;
        if self.last != cell {
            self.cells += 1;
            self.last = cell;
        }
    }
}

/// Numbers, by the types that they fit.
#[derive(Debug, Default)]
struct Numbers {
    both: Count,
    int64_only: Count,
    double_only: Count,
    neither: Count,
}

#[derive(Debug, Default)]
struct Strings {
    fit: Count,
    /// With a lone surrogate.
    unfit: Count,
    /// For each form of a timestamp, those that do not have it; nothing is counted if none is looked for.
    without: [Count; FORMS],
}

/// Which type a column gets if its values have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// A type that all of them have, apart from a few numbers and strings that fit none.
    All,
    /// The type of at least 95 % of them.
    Majority,
}

/// An inferred type, and in how many cells there are values that do not fit it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) column_type: ColumnType,
    pub(super) misfits: u64,
}

/// What an observation needs beside the value.
#[derive(Debug)]
pub(super) struct Observer {
    pub(super) detect_timestamps: bool,
    /// The number of the cell that the next values are in: one for each value outside of arrays.
    pub(super) cell: u64,
    /// The place of the next field.
    pub(super) place: Place,
    /// How many fields are tracked, of all objects together.
    pub(super) tracked: usize,
    /// Whether there were more than can be tracked.
    pub(super) is_full: bool,
}

/// Where a value is, which decides what happens if it does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// In the document, or in an object of it: the value alone goes to the overflow column.
    Document,
    /// An element of an array: the array does not fit either.
    Element,
}

impl Observed {
    pub(super) fn new(first: Place) -> Self {
        Self {
            first,
            count: 0,
            nulls: Count::default(),
            booleans: Count::default(),
            numbers: Numbers::default(),
            strings: Strings::default(),
            arrays: Count::default(),
            objects: Count::default(),
            elements: None,
            fields: HashMap::new(),
            is_map: false,
            is_incomplete: false,
        }
    }

    /// Observes a value of a document or of an object outside of arrays, nested in this many others.
    pub(super) fn observe(&mut self, json: &[u8], nesting: usize, observer: &mut Observer) {
        observer.cell += 1;
        self.observe_at(Site::Document, json, nesting, observer);
    }

    fn observe_at(&mut self, site: Site, json: &[u8], nesting: usize, observer: &mut Observer) {
        self.count += 1;
        self.first = self.first.min(observer.place);
        observer.place.field = observer.place.field.saturating_add(1);
        let cell = observer.cell;
        match json.first() {
            Some(b't' | b'f') => self.booleans.add(cell),
            Some(b'"') => self.strings.observe(json, observer),
            Some(b'[') => {
                self.arrays.add(cell);
                if nesting < MAX_NESTING {
                    let first = observer.place;
                    let inner = self
                        .elements
                        .get_or_insert_with(|| Box::new(Self::new(first)));
                    for element in elements(json) {
                        inner.observe_at(Site::Element, element, nesting + 1, observer);
                    }
                }
            }
            Some(b'{') => {
                self.objects.add(cell);
                if nesting < MAX_NESTING {
                    self.observe_at_names(site, json, nesting + 1, observer, |_| true);
                }
                if self.fields.len() > MAX_FIELDS_OF_OBJECT {
                    self.is_map = true;
                    observer.tracked -= self.tracked();
                    self.fields = HashMap::new();
                }
            }
            Some(b'-' | b'0'..=b'9') => self.numbers.observe(json, cell),
            _ => self.nulls.add(cell),
        }
    }

    /// Observes the wanted members of a document, each nested in `nesting` other values.
    pub(super) fn observe_members(
        &mut self,
        object: &[u8],
        nesting: usize,
        observer: &mut Observer,
        is_wanted: impl Fn(&str) -> bool,
    ) {
        self.observe_at_names(Site::Document, object, nesting, observer, is_wanted);
    }

    fn observe_at_names(
        &mut self,
        site: Site,
        object: &[u8],
        nesting: usize,
        observer: &mut Observer,
        is_wanted: impl Fn(&str) -> bool,
    ) {
        if self.is_map {
            return;
        }
        for member in members(object) {
            let Some(name) = name_of(member.raw_name).filter(|name| name.len() <= MAX_NAME_BYTES)
            else {
                self.is_incomplete = true;
                continue;
            };
            if !is_wanted(&name) {
                continue;
            }
            if !self.fields.contains_key(&*name) {
                if observer.tracked >= MAX_FIELDS {
                    observer.is_full = true;
                    self.is_incomplete = true;
                    continue;
                }
                observer.tracked += 1;
            }
            let field = self
                .fields
                .entry(name.into())
                .or_insert_with(|| Self::new(observer.place));
            match site {
                Site::Document => field.observe(member.value, nesting, observer),
                Site::Element => {
                    field.observe_at(Site::Element, member.value, nesting, observer);
                }
            }
        }
    }

    /// How many of its fields are tracked, at every depth.
    fn tracked(&self) -> usize {
        let within: usize = self.fields.values().map(Self::tracked).sum();
        let elements = self.elements.as_ref().map_or(0, |inner| inner.tracked());
        self.fields.len() + within + elements
    }

    /// Whether it is an object whose fields can have columns, and in how many cells it is something else.
    pub(super) fn as_struct(&self, rule: Rule) -> Option<u64> {
        let others = self.cells() - self.objects.cells;
        let decides = self.objects.cells > 0
            && match rule {
                Rule::All => others == 0,
                Rule::Majority => is_majority(others, self.cells()),
            };
        (decides && !self.is_map && !self.fields.is_empty()).then_some(others)
    }

    /// How many kinds of values there were, not counting null.
    fn kinds(&self) -> usize {
        let kinds = self.by_kind();
        kinds.iter().filter(|&&(values, _)| values > 0).count()
    }

    /// How many cells have values, not counting null. Outside of arrays each value is a cell; within them, a cell
    /// with values of several kinds counts several times.
    fn cells(&self) -> u64 {
        self.by_kind().iter().map(|(_, cells)| cells).sum()
    }

    /// Of each kind, the number of values and of cells.
    fn by_kind(&self) -> [(u64, u64); 5] {
        let of = |counts: &[Count]| {
            let values = counts.iter().map(|count| count.values).sum();
            (values, counts.iter().map(|count| count.cells).sum())
        };
        let Numbers {
            both,
            int64_only,
            double_only,
            neither,
        } = self.numbers;
        [
            of(&[self.booleans]),
            of(&[both, int64_only, double_only, neither]),
            of(&[self.strings.fit, self.strings.unfit]),
            of(&[self.arrays]),
            of(&[self.objects]),
        ]
    }

    /// The inferred type outside of arrays. It is no struct: each field of an object has a type of its own.
    pub(super) fn typed(&self, rule: Rule) -> Typed {
        let strict = || Typed {
            column_type: self.strict_type(Site::Document),
            misfits: 0,
        };
        match rule {
            Rule::All => strict(),
            Rule::Majority => self
                .majority_type(Site::Document, self.cells())
                .unwrap_or_else(json),
        }
    }

    /// The type that all values have. It is a struct only within an array.
    fn strict_type(&self, site: Site) -> ColumnType {
        if self.kinds() != 1 {
            return ColumnType::Json;
        }
        let all_must_fit = site != Site::Document;
        if self.booleans.values > 0 {
            ColumnType::Boolean
        } else if self.numbers.total() > 0 {
            self.numbers.strict_type(all_must_fit)
        } else if self.arrays.values > 0 {
            match self.elements.as_deref() {
                Some(inner) if inner.kinds() > 0 => {
                    ColumnType::List(Box::new(inner.strict_type(Site::Element)))
                }
                _ => ColumnType::Json,
            }
        } else if self.objects.values > 0 {
            let field_type = |field: &Self| Some((field.strict_type(Site::Element), 0));
            self.struct_within_list(site, field_type)
                .map_or(ColumnType::Json, |(column_type, _)| column_type)
        } else {
            self.strings.strict_type(all_must_fit)
        }
    }

    /// The type with the fewest misfits, if that are few among `all` cells: at most 5 %. Within an array a cell is
    /// the whole array, since it fits as a whole or not at all.
    fn majority_type(&self, site: Site, all: u64) -> Option<Typed> {
        let cells = self.cells();
        let typed = |column_type, misfits: u64| Typed {
            column_type,
            misfits,
        };
        let [booleans, numbers, strings, arrays, objects] = self.by_kind().map(|(_, cells)| cells);
        let kinds = [booleans, numbers, strings, arrays, objects];
        let largest = *kinds.iter().max()?;
        let others = cells - largest;
        if largest == 0 || !is_majority(others, all) {
            return None;
        }
        let found = if largest == booleans {
            typed(ColumnType::Boolean, others)
        } else if largest == numbers {
            let (column_type, misfits) = self.numbers.majority_type();
            typed(column_type, others + misfits)
        } else if largest == strings {
            let is_few = |misfits| is_majority(others + misfits, all);
            let (column_type, misfits) = self.strings.majority_type(is_few);
            typed(column_type, others + misfits)
        } else if largest == arrays {
            let inner = self.elements.as_deref().filter(|inner| inner.kinds() > 0)?;
            let lists = if site == Site::Document {
                self.arrays.cells
            } else {
                all
            };
            let lenient = inner
                .majority_type(Site::Element, lists)
                .filter(|inner| is_majority(others + inner.misfits, all));
            let (element, misfits) = match lenient {
                Some(inner) => (inner.column_type, inner.misfits),
                None => (inner.strict_type(Site::Element), 0),
            };
            typed(ColumnType::List(Box::new(element)), others + misfits)
        } else {
            let lenient = |field: &Self| {
                let typed = field.majority_type(Site::Element, all).unwrap_or_else(json);
                Some((typed.column_type, typed.misfits))
            };
            let strict = |field: &Self| Some((field.strict_type(Site::Element), 0));
            let (column_type, misfits) = self
                .struct_within_list(site, lenient)
                .filter(|(_, misfits)| is_majority(others + misfits, all))
                .or_else(|| self.struct_within_list(site, strict))?;
            typed(column_type, others + misfits)
        };
        is_majority(found.misfits, all).then_some(found)
    }

    fn struct_within_list(
        &self,
        site: Site,
        field_type: impl Fn(&Self) -> Option<(ColumnType, u64)>,
    ) -> Option<(ColumnType, u64)> {
        if site == Site::Document || self.is_map || self.fields.is_empty() || self.is_incomplete {
            return None;
        }
        let mut fields: Vec<(&str, &Self)> = self
            .fields
            .iter()
            .map(|(name, field)| (&**name, field))
            .collect();
        fields.sort_by_key(|(name, field)| (field.first, *name));
        let folded: std::collections::HashSet<String> =
            fields.iter().map(|(name, _)| name.to_lowercase()).collect();
        if folded.len() != fields.len() {
            return None;
        }
        let mut misfits = 0;
        let mut typed = Vec::new();
        for (name, field) in fields {
            let (field_type, unfit) = field_type(field)?;
            misfits += unfit;
            typed.push(Field {
                name: name.to_owned(),
                field_type,
            });
        }
        Some((ColumnType::Struct(typed), misfits))
    }
}

/// What fits everything.
fn json() -> Typed {
    Typed {
        column_type: ColumnType::Json,
        misfits: 0,
    }
}

impl Numbers {
    fn observe(&mut self, json: &[u8], cell: u64) {
        let count = match (fit::int64(json).is_some(), fit::double(json).is_some()) {
            (true, true) => &mut self.both,
            (true, false) => &mut self.int64_only,
            (false, true) => &mut self.double_only,
            (false, false) => &mut self.neither,
        };
        count.add(cell);
    }

    fn total(&self) -> u64 {
        let Self {
            both,
            int64_only,
            double_only,
            neither,
        } = self;
        both.values + int64_only.values + double_only.values + neither.values
    }

    fn strict_type(&self, all_must_fit: bool) -> ColumnType {
        let not_int64 = self.double_only.values + self.neither.values;
        let not_double = self.int64_only.values + self.neither.values;
        let accepts = |unfit| is_few(unfit, self.total(), all_must_fit);
        match self.double_only.values {
            0 if accepts(not_int64) => ColumnType::Int64,
            _ if self.double_only.values > 0 && accepts(not_double) => ColumnType::Double,
            // Integers that are too long for a double, with a stray fraction among them.
            _ if accepts(not_int64) => ColumnType::Int64,
            _ => ColumnType::Json,
        }
    }

    /// The type that fits more of them, and how many do not fit it. A double holds integers too.
    fn majority_type(&self) -> (ColumnType, u64) {
        let not_int64 = self.double_only.cells + self.neither.cells;
        let not_double = self.int64_only.cells + self.neither.cells;
        if not_int64 <= not_double {
            (ColumnType::Int64, not_int64)
        } else {
            (ColumnType::Double, not_double)
        }
    }
}

impl Strings {
    fn observe(&mut self, json: &[u8], observer: &Observer) {
        let Some(text) = fit::string(json) else {
            self.unfit.add(observer.cell);
            return;
        };
        self.fit.add(observer.cell);
        if observer.detect_timestamps {
            let forms = forms_of(&text.decoded());
            for (form, without) in self.without.iter_mut().enumerate() {
                if forms & (1 << form) == 0 {
                    without.add(observer.cell);
                }
            }
        } else {
            self.without
                .iter_mut()
                .for_each(|without| without.add(observer.cell));
        }
    }

    fn strict_type(&self, all_must_fit: bool) -> ColumnType {
        let (fit, unfit) = (self.fit.values, self.unfit.values);
        if !is_few(unfit, fit + unfit, all_must_fit) {
            return ColumnType::Json;
        }
        let form = self.without.iter().position(|without| without.values == 0);
        match form {
            Some(form) if unfit == 0 && fit > 0 => ColumnType::Timestamp(fraction_of(form)),
            _ => ColumnType::String,
        }
    }

    /// The type, and how many do not fit it. It is the form of a timestamp that most have, if `is_few` finds the
    /// others few.
    fn majority_type(&self, is_few: impl Fn(u64) -> bool) -> (ColumnType, u64) {
        let misfits = |form: &usize| self.without[*form].cells + self.unfit.cells;
        let form = (0..FORMS).min_by_key(|form| (misfits(form), *form));
        match form {
            Some(form) if self.fit.cells > 0 && is_few(misfits(&form)) => {
                (ColumnType::Timestamp(fraction_of(form)), misfits(&form))
            }
            _ => (ColumnType::String, self.unfit.cells),
        }
    }
}

/// The form of a timestamp with this number.
fn fraction_of(form: usize) -> Fraction {
    match u8::try_from(form) {
        Ok(digits @ 0..=9) => Fraction::Digits(digits),
        _ => Fraction::Shortest,
    }
}

/// Whether so few cells have something else that the others decide: at most one in twenty.
fn is_majority(misfits: u64, all: u64) -> bool {
    misfits.saturating_mul(20) <= all
}

/// Whether the values that do not fit are so few that the others decide: at most one in ten, or none where a
/// single one would affect others.
fn is_few(unfit: u64, total: u64, all_must_fit: bool) -> bool {
    if all_must_fit {
        unfit == 0
    } else {
        unfit.saturating_mul(10) <= total
    }
}

/// The forms of a timestamp that a text has.
fn forms_of(text: &[u8]) -> u16 {
    let Some(digits @ 0..=9) = text
        .len()
        .checked_sub(20)
        .map(|rest| rest.saturating_sub(1))
    else {
        return 0;
    };
    let is = |fraction, bit| u16::from(fit::timestamp(text, fraction).is_some()) * bit;
    is(Fraction::Digits(digits as u8), 1 << digits) | is(Fraction::Shortest, 1 << (FORMS - 1))
}

/// A name without its escapes; none if UTF-8 cannot represent it.
pub(super) fn name_of(raw_name: &[u8]) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', raw_name).is_none() {
        return std::str::from_utf8(raw_name).ok().map(Cow::Borrowed);
    }
    String::from_utf8(decoded_name(raw_name)?)
        .ok()
        .map(Cow::Owned)
}
