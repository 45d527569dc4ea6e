//! What documents have that a schema has no column for, and the columns that would hold it.
//!
//! A schema is widened by columns after its own: nothing that is there changes its name, its type or its place,
//! so files with the schema of before and files with the widened one have a union. A new field within a struct
//! becomes a column of its own, such as `customer.phone`, since a struct with one more field would be another
//! type.

use std::collections::BTreeMap;

use super::column::{Column, ColumnType, Field, FieldPath, Schema};
use super::infer::{Inference, InferenceOptions, MAX_LEAVES, Place};
use super::member_name::decoded_name;
use super::shred::Shredder;
use super::table_layout::TableForm;
use crate::feed::page::members;

/// Compares documents with a schema.
#[derive(Debug)]
pub struct Drifting {
    schema: Schema,
    known: Node,
    shredder: Shredder,
    inference: Inference,
    /// How many documents have something at each path that does not fit.
    seen: BTreeMap<Vec<String>, Seen>,
    documents: u64,
    overflowed: u64,
}

/// What was seen at a path.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) documents: u64,
    /// The kinds of values, as JSON calls them.
    pub(super) kinds: Vec<&'static str>,
}

/// What is known at a path.
#[derive(Debug)]
pub(super) enum Node {
    Column(ColumnType),
    Object(BTreeMap<String, Node>),
}

/// A field that does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftedField {
    /// Where it is.
    pub path: FieldPath,
    /// The type of its column; none if it has no column.
    pub column_type: Option<ColumnType>,
    /// The type of the column that it would get; none if its column stays as it is, or it cannot have one.
    pub new_type: Option<ColumnType>,
    /// The kinds of the values that did not fit, such as `string`.
    pub kinds: Vec<&'static str>,
    /// How many documents have such a value.
    pub documents: u64,
}

/// What does not fit a schema.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drift {
    /// The fields: new ones first, each in the order in which they were first seen.
    pub fields: Vec<DriftedField>,
    /// How many documents were looked at.
    pub documents: u64,
    /// How many of them have something that does not fit.
    pub overflowed: u64,
}

impl Drift {
    /// The new columns, in their order.
    pub fn columns(&self) -> impl Iterator<Item = Column> {
        self.fields.iter().filter_map(|field| {
            Some(Column {
                path: field.path.clone(),
                column_type: field.new_type.clone()?,
            })
        })
    }
}

impl Drifting {
    /// Compares documents with `schema`, in tables of this form. Types are inferred by `options`.
    pub fn new(
        schema: &Schema,
        without_system_fields: bool,
        options: &InferenceOptions,
        form: TableForm,
    ) -> Self {
        let options = InferenceOptions {
            columns: None,
            ..options.clone()
        };
        Self {
            schema: schema.clone(),
            known: known(schema),
            shredder: Shredder::with(schema, without_system_fields, form.unit(), form.nulls_fit()),
            inference: Inference::new(options, Vec::new()),
            seen: BTreeMap::new(),
            documents: 0,
            overflowed: 0,
        }
    }

    /// Looks at a document, found at `place`.
    pub fn observe(&mut self, document: &[u8], place: Place) {
        self.documents += 1;
        let mut row = self.shredder.row();
        self.shredder.read(document, &|_| true, &mut row);
        let Some(extra) = row.extra() else {
            return;
        };
        self.overflowed += 1;
        let mut new = Vec::new();
        note(
            extra,
            &self.known,
            &mut Vec::new(),
            &mut self.seen,
            &mut new,
        );
        if !new.is_empty() {
            self.inference.observe(&new, place);
        }
    }

    /// How many documents were looked at.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// What does not fit.
    pub fn finish(&self) -> Drift {
        let mut drift = Drift {
            documents: self.documents,
            overflowed: self.overflowed,
            ..Drift::default()
        };
        if self.overflowed == 0 {
            return drift;
        }
        if self.inference.documents() > 0 {
            for column in self.inference.finish().schema.columns() {
                self.add_new(column.path.clone(), &column.column_type, &mut drift.fields);
            }
        }
        let mut schema = self.schema.clone();
        for field in &mut drift.fields {
            let fits = field.new_type.as_ref().is_some_and(|column_type| {
                let column = Column {
                    path: field.path.clone(),
                    column_type: column_type.clone(),
                };
                schema.flattened().columns().len() < MAX_LEAVES && schema.push(column).is_ok()
            });
            if !fits {
                field.new_type = None;
            }
        }
        for (path, seen) in &self.seen {
            let is_new = drift.fields.iter().any(|field| field.path.names() == path);
            let Some(path) = FieldPath::new(path.clone()).filter(|_| !is_new) else {
                continue;
            };
            let column_type = match self.known.at(path.names()) {
                Some(Node::Column(own)) => Some(own.clone()),
                _ => None,
            };
            drift.fields.push(DriftedField {
                path,
                column_type,
                new_type: None,
                kinds: seen.kinds.clone(),
                documents: seen.documents,
            });
        }
        drift
    }

    /// Adds the new fields at `path`, whose values have this type.
    fn add_new(&self, path: FieldPath, found: &ColumnType, fields: &mut Vec<DriftedField>) {
        if let (Some(Node::Object(_)), ColumnType::Struct(within)) =
            (self.known.at(path.names()), found)
        {
            for Field { name, field_type } in within {
                self.add_new(path.join(name), field_type, fields);
            }
            return;
        }
        // Without values it was made up.
        let Some(seen) = self.seen.get(path.names()) else {
            return;
        };
        // Of a field that is only null, no type is known.
        let is_null = seen.kinds == ["null"];
        fields.push(DriftedField {
            path,
            column_type: None,
            new_type: Some(found.clone()).filter(|_| !is_null),
            kinds: seen.kinds.clone(),
            documents: seen.documents,
        });
    }
}

impl Node {
    pub(super) fn at(&self, path: &[String]) -> Option<&Self> {
        let Some((name, rest)) = path.split_first() else {
            return Some(self);
        };
        match self {
            Self::Object(within) => within.get(name)?.at(rest),
            Self::Column(_) => None,
        }
    }
}

pub(super) fn known(schema: &Schema) -> Node {
    let mut known = BTreeMap::new();
    for column in schema.columns() {
        insert(&mut known, column.path.names(), &column.column_type);
    }
    Node::Object(known)
}

fn insert(within: &mut BTreeMap<String, Node>, path: &[String], column_type: &ColumnType) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    let is_object = !rest.is_empty() || matches!(column_type, ColumnType::Struct(_));
    if !is_object {
        within.insert(name.clone(), Node::Column(column_type.clone()));
        return;
    }
    let node = within
        .entry(name.clone())
        .or_insert_with(|| Node::Object(BTreeMap::new()));
    let Node::Object(inner) = node else { return };
    match (rest.is_empty(), column_type) {
        (true, ColumnType::Struct(fields)) => {
            for Field { name, field_type } in fields {
                insert(inner, std::slice::from_ref(name), field_type);
            }
        }
        _ => insert(inner, rest, column_type),
    }
}

/// Notes each member of an overflow, at the level at which it does not fit. The fields that are new become an object
/// in `new`, which stays empty if there are none.
pub(super) fn note(
    extra: &[u8],
    known: &Node,
    path: &mut Vec<String>,
    seen: &mut BTreeMap<Vec<String>, Seen>,
    new: &mut Vec<u8>,
) {
    let begin = |name: &[u8], new: &mut Vec<u8>| {
        new.push(if new.is_empty() { b'{' } else { b',' });
        new.push(b'"');
        new.extend_from_slice(name);
        new.extend_from_slice(b"\":");
    };
    for member in members(extra) {
        let name = decoded_name(member.raw_name).and_then(|name| String::from_utf8(name).ok());
        let Some(name) = name else { continue };
        path.push(name);
        let kind = kind_of(member.value);
        let own = known.at(path);
        if let (Some(Node::Object(_)), "object") = (own, kind) {
            let mut within = Vec::new();
            note(member.value, known, path, seen, &mut within);
            if !within.is_empty() {
                begin(member.raw_name, new);
                new.append(&mut within);
            }
        } else {
            if own.is_none() {
                begin(member.raw_name, new);
                new.extend_from_slice(member.value);
            }
            let seen = seen.entry(path.clone()).or_default();
            seen.documents += 1;
            if !seen.kinds.contains(&kind) {
                seen.kinds.push(kind);
            }
        }
        path.pop();
    }
    if !new.is_empty() {
        new.push(b'}');
    }
}

/// What JSON calls a value.
pub(super) fn kind_of(json: &[u8]) -> &'static str {
    match json.first() {
        Some(b'"') => "string",
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{file, parse_column};

    fn schema(lines: &[&str]) -> Schema {
        let columns = lines.iter().map(|line| parse_column(line).unwrap());
        Schema::new(columns.collect()).unwrap()
    }

    fn drift_of(schema: &Schema, documents: &[&str]) -> Drift {
        let options = InferenceOptions {
            by_majority: true,
            ..InferenceOptions::default()
        };
        let mut drifting = Drifting::new(schema, false, &options, TableForm::First);
        for (document, number) in documents.iter().zip(0..) {
            drifting.observe(document.as_bytes(), Place::new(0, number));
        }
        drifting.finish()
    }

    #[test]
    fn new_fields_become_columns_after_the_others_and_no_type_changes() {
        let schema = schema(&[
            "id string",
            "total double",
            "customer struct<name: string>",
            "payment.method string",
            "lines list<struct<sku: string>>",
        ]);
        let drift = drift_of(
            &schema,
            &[
                r#"{"id":"1","total":1.5,"customer":{"name":"a","phone":"1"},"tags":["x"]}"#,
                r#"{"id":"2","total":"12 EUR","payment":{"method":"card","fee":{"eur":1}}}"#,
                r#"{"id":"3","customer":{"phone":"2","vip":true},"lines":[{"sku":"a","n":1}]}"#,
                r#"{"id":"4","payment":7,"total":2,"_extra":1,"ID":5,"nothing":null}"#,
            ],
        );
        assert_eq!((drift.documents, drift.overflowed), (4, 4));
        let shown: Vec<String> = drift
            .fields
            .iter()
            .map(|field| {
                let text = |one: &Option<ColumnType>| {
                    one.as_ref().map_or("-".to_owned(), ToString::to_string)
                };
                let (own, new) = (text(&field.column_type), text(&field.new_type));
                format!(
                    "{} {own} {new} {:?} {}",
                    field.path, field.kinds, field.documents
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                r#"customer.phone - string ["string"] 2"#,
                r#"customer.vip - boolean ["boolean"] 1"#,
                r#"tags - list<string> ["array"] 1"#,
                r#"payment.fee - struct<eur: int64> ["object"] 1"#,
                r#"ID - - ["number"] 1"#,
                r#"nothing - - ["null"] 1"#,
                r#"_extra - - ["number"] 1"#,
                r#"lines list<struct<sku: string>> - ["array"] 1"#,
                r#"payment - - ["number"] 1"#,
                r#"total double - ["string"] 1"#,
            ]
        );
        let widened = schema.widened(drift.columns()).unwrap();
        let text = file::render(&widened);
        assert!(text.starts_with(&file::render(&schema)), "{text}");
        assert!(text.ends_with(
            "customer.phone string\ncustomer.vip boolean\ntags list<string>\npayment.fee struct<eur: int64>\n"
        ));
        // What was new fits now.
        let again = drift_of(
            &widened,
            &[r#"{"id":"1","customer":{"name":"a","phone":"1","vip":false},"tags":[]}"#],
        );
        assert_eq!(again.overflowed, 0);
        assert_eq!(file::parse(text.as_bytes()).unwrap(), widened);
    }
}
