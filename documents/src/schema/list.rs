//! A list of columns, some of them without a type: `id,customer.name,total:double`.

use std::fmt;
use std::str::FromStr;

use super::column::{Column, ColumnType, FieldPath, Schema, check_name};
use super::text::parse_list;

/// The requested columns in their order, with the given types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnList(Vec<(FieldPath, Option<ColumnType>)>);

impl ColumnList {
    /// The columns. They can form a [`Schema`].
    pub fn columns(&self) -> &[(FieldPath, Option<ColumnType>)] {
        &self.0
    }

    /// The schema, if every type is given.
    pub fn schema(&self) -> Option<Schema> {
        let columns = self.0.iter().map(|(path, given)| {
            Some(Column {
                path: path.clone(),
                column_type: given.clone()?,
            })
        });
        Schema::new(columns.collect::<Option<_>>()?).ok()
    }
}

impl FromStr for ColumnList {
    /// A sentence for the user.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let list = parse_list(text).map_err(|why| why.to_string())?;
        list.iter().try_for_each(|(path, _)| check_name(path))?;
        // The check of a schema depends on the names, not on the missing types.
        let columns = list.iter().map(|(path, given)| Column {
            path: path.clone(),
            column_type: given.clone().unwrap_or(ColumnType::Json),
        });
        Schema::new(columns.collect())?;
        Ok(Self(list))
    }
}

impl fmt::Display for ColumnList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (path, given)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{path}")?;
            if let Some(given) = given {
                write!(f, ":{given}")?;
            }
        }
        Ok(())
    }
}

/// As its text.
impl serde::Serialize for ColumnList {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ColumnList {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_is_written() {
        for text in [
            "id",
            "id,customer.name,total:double",
            r#""a,b".c:struct<x: int64, y: list<string>>,größe:timestamp(3)"#,
        ] {
            let list: ColumnList = text.parse().unwrap();
            assert_eq!(list.to_string(), text);
            let json = serde_json::to_string(&list).unwrap();
            assert_eq!(serde_json::from_str::<ColumnList>(&json).unwrap(), list);
        }
    }

    #[test]
    fn a_name_with_blanks_needs_no_quotes() {
        for (text, quoted) in [
            ("First Name", r#""First Name""#),
            (
                " id , First  Name : string,a b.c d",
                r#"id,"First  Name":string,"a b"."c d""#,
            ),
            (
                r#""First Name",Price (EUR):double"#,
                r#""First Name","Price (EUR)":double"#,
            ),
            ("#,50% off", r##""#","50% off""##),
        ] {
            let list: ColumnList = text.parse().unwrap();
            assert_eq!(list, quoted.parse().unwrap(), "{text}");
            assert_eq!(list.to_string(), quoted, "{text}");
        }
    }

    #[test]
    fn a_list_with_every_type_is_a_schema() {
        let schema = |text: &str| text.parse::<ColumnList>().unwrap().schema();
        assert_eq!(schema("id:string,total"), None);
        assert_eq!(schema("id:string,total:double").unwrap().columns().len(), 2);
    }

    #[test]
    fn columns_that_no_schema_can_have_are_refused() {
        for (text, reason) in [
            ("", "at character 1: expected a name"),
            ("id,id", "column id is repeated"),
            ("a.b,a:json", "overlap"),
            ("id,_extra", "`_extra` is a reserved name"),
            ("id:text", "at character 4: `text` is not a type"),
            ("id;total", "at character 3: `;` is not expected here"),
            (
                "First Name|total",
                "at character 11: `|` is not expected here",
            ),
            (
                "First \"Name\"",
                "at character 7: `\"` is not expected here",
            ),
            ("First\tName", "at character 7: `N` is not expected here"),
            ("id, ,total", "at character 5: expected a name"),
            ("a b:", "at character 5: a type is missing"),
            ("First Name,First Name", "is repeated"),
        ] {
            let error = text.parse::<ColumnList>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
