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
const EVERY_FORM: u16 = (1 << 11) - 1;
const SHORTEST: u16 = 1 << 10;

/// The observations of one field, or of the elements of an array.
#[derive(Debug)]
pub(super) struct Observed {
    /// Where it was seen first.
    pub(super) first: Place,
    /// How often it was seen, null included.
    pub(super) count: u64,
    nulls: u64,
    booleans: u64,
    numbers: Numbers,
    strings: Strings,
    arrays: u64,
    objects: u64,
    elements: Option<Box<Observed>>,
    pub(super) fields: HashMap<Box<str>, Observed>,
    /// Whether an object had more different names than a struct has fields.
    is_map: bool,
    /// Whether an object had a member that is not among `fields`.
    is_incomplete: bool,
}

/// Numbers, by the types that they fit.
#[derive(Debug, Default)]
struct Numbers {
    both: u64,
    int64_only: u64,
    double_only: u64,
    neither: u64,
}

#[derive(Debug)]
struct Strings {
    fit: u64,
    /// With a lone surrogate.
    unfit: u64,
    /// The forms of a timestamp that all of them have, as bits.
    forms: u16,
}

/// What an observation needs beside the value.
#[derive(Debug)]
pub(super) struct Observer {
    pub(super) detect_timestamps: bool,
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
    /// A member of an object in an array: the same, and null does not fit.
    Member,
}

impl Observed {
    pub(super) fn new(first: Place) -> Self {
        Self {
            first,
            count: 0,
            nulls: 0,
            booleans: 0,
            numbers: Numbers::default(),
            strings: Strings {
                fit: 0,
                unfit: 0,
                forms: EVERY_FORM,
            },
            arrays: 0,
            objects: 0,
            elements: None,
            fields: HashMap::new(),
            is_map: false,
            is_incomplete: false,
        }
    }

    /// Observes a value that is nested in this many others.
    pub(super) fn observe(&mut self, json: &[u8], nesting: usize, observer: &mut Observer) {
        self.count += 1;
        self.first = self.first.min(observer.place);
        observer.place.field = observer.place.field.saturating_add(1);
        match json.first() {
            Some(b't' | b'f') => self.booleans += 1,
            Some(b'"') => self.strings.observe(json, observer.detect_timestamps),
            Some(b'[') => {
                self.arrays += 1;
                if nesting < MAX_NESTING {
                    let first = observer.place;
                    let inner = self
                        .elements
                        .get_or_insert_with(|| Box::new(Self::new(first)));
                    for element in elements(json) {
                        inner.observe(element, nesting + 1, observer);
                    }
                }
            }
            Some(b'{') => {
                self.objects += 1;
                if nesting < MAX_NESTING {
                    self.observe_members(json, nesting + 1, observer, |_| true);
                }
                if self.fields.len() > MAX_FIELDS_OF_OBJECT {
                    self.is_map = true;
                    observer.tracked -= self.tracked();
                    self.fields = HashMap::new();
                }
            }
            Some(b'-' | b'0'..=b'9') => self.numbers.observe(json),
            _ => self.nulls += 1,
        }
    }

    /// Observes the wanted members of an object, each nested in `nesting` other values.
    pub(super) fn observe_members(
        &mut self,
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
            field.observe(member.value, nesting, observer);
        }
    }

    /// How many of its fields are tracked, at every depth.
    fn tracked(&self) -> usize {
        let within: usize = self.fields.values().map(Self::tracked).sum();
        let elements = self.elements.as_ref().map_or(0, |inner| inner.tracked());
        self.fields.len() + within + elements
    }

    /// Whether it is an object whose fields can have columns.
    pub(super) fn is_struct(&self) -> bool {
        self.objects > 0 && self.kinds() == 1 && !self.is_map && !self.fields.is_empty()
    }

    /// How many kinds of values there were, not counting null.
    fn kinds(&self) -> usize {
        let strings = self.strings.fit + self.strings.unfit;
        let numbers = self.numbers.total();
        let counts = [self.booleans, numbers, strings, self.arrays, self.objects];
        counts.iter().filter(|&&count| count > 0).count()
    }

    /// The inferred type. It is a struct only within an array; elsewhere, each field of an object has its own.
    pub(super) fn column_type(&self, site: Site) -> ColumnType {
        if self.kinds() != 1 || (site == Site::Member && self.nulls > 0) {
            return ColumnType::Json;
        }
        let all_must_fit = site != Site::Document;
        if self.booleans > 0 {
            ColumnType::Boolean
        } else if self.numbers.total() > 0 {
            self.numbers.column_type(all_must_fit)
        } else if self.arrays > 0 {
            match self.elements.as_deref() {
                Some(inner) if inner.kinds() > 0 => {
                    ColumnType::List(Box::new(inner.column_type(Site::Element)))
                }
                _ => ColumnType::Json,
            }
        } else if self.objects > 0 {
            self.struct_within_list(site).unwrap_or(ColumnType::Json)
        } else {
            self.strings.column_type(all_must_fit)
        }
    }

    fn struct_within_list(&self, site: Site) -> Option<ColumnType> {
        if site == Site::Document || !self.is_struct() || self.is_incomplete {
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
        let fields = fields.iter().map(|(name, field)| Field {
            name: (*name).to_owned(),
            field_type: field.column_type(Site::Member),
        });
        (folded.len() == fields.len()).then(|| ColumnType::Struct(fields.collect()))
    }
}

impl Numbers {
    fn observe(&mut self, json: &[u8]) {
        let count = match (fit::int64(json).is_some(), fit::double(json).is_some()) {
            (true, true) => &mut self.both,
            (true, false) => &mut self.int64_only,
            (false, true) => &mut self.double_only,
            (false, false) => &mut self.neither,
        };
        *count += 1;
    }

    fn total(&self) -> u64 {
        self.both + self.int64_only + self.double_only + self.neither
    }

    fn column_type(&self, all_must_fit: bool) -> ColumnType {
        let not_int64 = self.double_only + self.neither;
        let not_double = self.int64_only + self.neither;
        let accepts = |unfit| is_few(unfit, self.total(), all_must_fit);
        match self.double_only {
            0 if accepts(not_int64) => ColumnType::Int64,
            _ if self.double_only > 0 && accepts(not_double) => ColumnType::Double,
            // Integers that are too long for a double, with a stray fraction among them.
            _ if accepts(not_int64) => ColumnType::Int64,
            _ => ColumnType::Json,
        }
    }
}

impl Strings {
    fn observe(&mut self, json: &[u8], detect_timestamps: bool) {
        let Some(text) = fit::string(json) else {
            self.unfit += 1;
            return;
        };
        self.fit += 1;
        if detect_timestamps && self.forms != 0 {
            self.forms &= forms_of(&text.decoded());
        }
    }

    fn column_type(&self, all_must_fit: bool) -> ColumnType {
        if !is_few(self.unfit, self.fit + self.unfit, all_must_fit) {
            return ColumnType::Json;
        }
        // All forms remain only if no string was checked.
        if self.unfit > 0 || self.forms == 0 || self.forms == EVERY_FORM {
            return ColumnType::String;
        }
        ColumnType::Timestamp(match self.forms & !SHORTEST {
            0 => Fraction::Shortest,
            digits => Fraction::Digits(digits.trailing_zeros() as u8),
        })
    }
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
    is(Fraction::Digits(digits as u8), 1 << digits) | is(Fraction::Shortest, SHORTEST)
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
