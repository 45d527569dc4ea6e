//! Which document it is: its partition key and its id, found in one pass with what is compared of it.
//!
//! All that is done for each document lies here, and nothing of it is generic, so that it is compiled in this crate, which is
//! optimized in full.

use std::borrow::Cow;

use smallvec::{SmallVec, smallvec};

use super::form::{Form, write_string};
use super::hashes::{Hashes, Name};
use super::text::kept_text;
use crate::feed::page::{Member, members};
use crate::render::change::{KeyPath, value_at};

/// The JSON texts of the values of a partition key. Most have one.
pub type Values<'a> = SmallVec<[Cow<'a, [u8]>; 1]>;

/// A document, by its key.
#[derive(Debug)]
pub struct Named<'a> {
    /// The hash of its key.
    pub name: Name,
    /// The JSON text of its id.
    pub id: &'a [u8],
    /// The values of its partition key; `{}` is none.
    pub values: Values<'a>,
    /// Whether its partition key has a zero below zero.
    pub has_negative_zero: bool,
    /// Whether it has the mark of a deletion.
    pub is_marked: bool,
    /// What is compared of it, if that was written.
    pub written: Option<&'a [u8]>,
}

/// What is written of a document when its key is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// Its [text](super::text), as it is.
    Text,
    /// Its canonical [form](super::form).
    Form,
}

/// The key of a document, which is validated JSON; none if there is anything unusual about its id or its partition key.
pub fn name_of<'a>(hashes: &Hashes, paths: &[KeyPath], document: &'a [u8]) -> Option<Named<'a>> {
    let mut found = Found::of(paths);
    members(document).for_each(|member| found.take(member));
    found.named(hashes, None, &mut Vec::new())
}

/// The same with what is compared of it, which is written to `form`; none also if it is not one object of JSON.
pub fn name_and_write<'a>(
    hashes: &Hashes,
    paths: &[KeyPath],
    document: &'a [u8],
    writing: Writing,
    form: &'a mut Form,
) -> Option<Named<'a>> {
    let mut found = Found::of(paths);
    form.clear();
    let (written, key): (&[u8], _) = match writing {
        Writing::Text => {
            let (joined, key) = form.with_key();
            let kept = kept_text(document, joined, |member| found.take(member));
            (kept.ok()?, key)
        }
        Writing::Form => {
            let written = form.write_object(document, true, |member| found.take(member));
            written.ok()?;
            let (written, key) = form.with_key();
            (written, key)
        }
    };
    found.named(hashes, Some(written), key)
}

/// The hash of a key, and whether its partition key has a zero below zero; none if a number of it is beyond a double. `form`
/// is space for it.
pub fn hash_of_key(
    hashes: &Hashes,
    values: &[Cow<'_, [u8]>],
    id: &[u8],
    form: &mut Vec<u8>,
) -> Option<(Name, bool)> {
    form.clear();
    let mut has_negative_zero = false;
    for value in values {
        match value.first()? {
            // The service, too, takes an object or an array for no value.
            b'{' | b'[' => form.push(b'u'),
            b'"' => write_string(value, form),
            literal @ (b't' | b'f' | b'n') => form.push(*literal),
            _ => {
                // A key is hashed as a double, whatever its text is.
                let number: f64 = std::str::from_utf8(value).ok()?.parse().ok()?;
                if !number.is_finite() {
                    return None;
                }
                has_negative_zero |= number == 0.0 && number.is_sign_negative();
                let number = if number == 0.0 { 0.0 } else { number };
                form.push(b'd');
                form.extend_from_slice(&number.to_bits().to_be_bytes());
            }
        }
    }
    write_string(id, form);
    Some((hashes.name(form), has_negative_zero))
}

/// The id and the partition key of a document, as far as its members were seen.
struct Found<'a, 'k> {
    paths: &'k [KeyPath],
    id: Option<&'a [u8]>,
    values: Values<'a>,
    is_marked: bool,
}

impl<'a, 'k> Found<'a, 'k> {
    fn of(paths: &'k [KeyPath]) -> Self {
        Self {
            paths,
            id: None,
            values: smallvec![Cow::Borrowed(&b"{}"[..]); paths.len()],
            is_marked: false,
        }
    }

    #[inline]
    fn take(&mut self, member: Member<'a>) {
        if member.is_named("id") {
            self.id = Some(member.value);
        }
        self.is_marked |= member.is_named("_deleted");
        for (path, value) in self.paths.iter().zip(&mut self.values) {
            if member.is_named(&path[0]) {
                let found = match path.len() {
                    1 => Some(member.value),
                    _ => value_at(member.value, &path[1..]),
                };
                *value = Cow::Borrowed(found.unwrap_or(b"{}"));
            }
        }
    }

    fn named(
        self,
        hashes: &Hashes,
        written: Option<&'a [u8]>,
        key: &mut Vec<u8>,
    ) -> Option<Named<'a>> {
        /// The quotes belong to it.
        const PLAIN_ID: std::ops::RangeInclusive<usize> = 3..=1025;
        let is_plain = |id: &&[u8]| id.first() == Some(&b'"') && PLAIN_ID.contains(&id.len());
        let id = self.id.filter(is_plain)?;
        let (name, has_negative_zero) = hash_of_key(hashes, &self.values, id, key)?;
        Some(Named {
            name,
            id,
            values: self.values,
            has_negative_zero,
            is_marked: self.is_marked,
            written,
        })
    }
}
