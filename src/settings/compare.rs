//! The values that a state has frozen, in the form in which they are typed, compared with what a resume
//! names again.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::setting::{Comparison, FrozenIn};
use crate::cli::choices::{Mode, SchemaSource, SystemFields};
use crate::cli::location::Location;
use crate::cli::values::choice_name;
use crate::destination::Output;
use crate::feed::FeedMode;
use crate::schema::{ColumnList, SampleSize, TableLayout};
use crate::state::model::FrozenOptions;

/// Maximum length of a list of columns in a message, in characters.
const MAX_SHOWN: usize = 200;

/// The values of --mode.
pub(crate) fn mode(mode: FeedMode) -> String {
    choice_name(&match mode {
        FeedMode::LatestVersion => Mode::Latest,
        FeedMode::AllVersionsAndDeletes => Mode::All,
    })
}

/// The values of --delimiter.
pub(super) fn delimiter(delimiter: char) -> String {
    match delimiter {
        '\t' => "tab".to_owned(),
        other => other.to_string(),
    }
}

/// The values of --sample.
pub(super) fn sample(sample: SampleSize) -> String {
    match sample {
        SampleSize::Pages(pages) => pages.to_string(),
        SampleSize::All => "all".to_owned(),
    }
}

/// A switch that was typed.
pub(super) fn switch(own: bool) -> Comparison {
    if own {
        Comparison::Same
    } else {
        Comparison::Absent
    }
}

/// The value of --system-fields, for a format that has columns.
pub(super) fn system_fields(options: &FrozenOptions) -> Option<String> {
    let of_layout = match &options.layout {
        Some(TableLayout::Columns {
            without_system_fields,
            ..
        }) => Some(*without_system_fields),
        Some(TableLayout::Raw) => Some(false),
        None => None,
    };
    let inference = options.inference.as_ref();
    let drops = of_layout.or(inference.map(|inference| inference.without_system_fields))?;
    Some(choice_name(&if drops {
        SystemFields::Drop
    } else {
        SystemFields::Keep
    }))
}

/// Where the columns come from. Of a schema file only the columns are known.
pub(super) fn schema(options: &FrozenOptions, given: &SchemaSource) -> Comparison {
    let own = match (&options.layout, &options.inference) {
        (Some(TableLayout::Raw), _) => "raw".to_owned(),
        (_, Some(_)) => "infer".to_owned(),
        (Some(layout), None) => format!("FILE, with the columns {}", columns_of(layout)),
        (None, None) => return Comparison::Absent,
    };
    let given = match given {
        SchemaSource::Infer => "infer",
        SchemaSource::Raw => "raw",
        SchemaSource::File(_) => "a file",
    };
    Comparison::of(Some(own), given)
}

/// The columns that were given.
pub(super) fn columns(options: &FrozenOptions, given: &ColumnList) -> Comparison {
    if let Some(own) = options.inference.as_ref().and_then(|i| i.columns.as_ref()) {
        return Comparison::of(Some(own.to_string()), &given.to_string());
    }
    match (&options.layout, &options.inference) {
        (Some(layout @ TableLayout::Columns { schema, .. }), None) => match given.schema() {
            Some(given) if given == *schema => Comparison::Same,
            _ => Comparison::Other(columns_of(layout)),
        },
        _ => Comparison::Absent,
    }
}

fn columns_of(layout: &TableLayout) -> String {
    match layout {
        TableLayout::Columns { schema, .. } => {
            let columns = schema.columns().iter();
            let columns: Vec<String> = columns
                .map(|column| format!("{}:{}", column.path, column.column_type))
                .collect();
            let mut text = columns.join(",");
            if let Some((cut, _)) = text.char_indices().nth(MAX_SHOWN) {
                text.truncate(cut);
                text.push('…');
            }
            text
        }
        TableLayout::Raw => "raw".to_owned(),
    }
}

/// Where an export writes. Two paths of one place are the same.
pub(super) fn output(frozen: &FrozenIn<'_>, given: &Location) -> Comparison {
    if let Output::ObjectsAt(own) = &frozen.options.output {
        return Comparison::of(Some(own.clone()), &given.to_string());
    }
    if let (Output::Objects, Location::Objects(given)) = (&frozen.options.output, given) {
        let own = frozen.base.to_string_lossy();
        return Comparison::of(Some(own.into_owned()), &given.to_string());
    }
    let Some(own) = frozen.options.output.path(frozen.base) else {
        let given = given.path().unwrap_or(Path::new("-"));
        return Comparison::of(Some("-".to_owned()), &given.to_string_lossy());
    };
    if given
        .path()
        .is_some_and(|given| resolved(given) == resolved(&own))
    {
        Comparison::Same
    } else {
        Comparison::Other(own.to_string_lossy().into_owned())
    }
}

/// A path without links if it exists, otherwise only made absolute.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let parent = absolute
        .parent()
        .and_then(|parent| parent.canonicalize().ok());
    absolute.canonicalize().unwrap_or_else(|_| {
        // The first file of an export to a file may not exist yet, or was moved away.
        match (parent, absolute.file_name()) {
            (Some(parent), Some(name)) => parent.join(name),
            _ => absolute,
        }
    })
}

/// The first level of --partition-key.
pub(super) fn partition_key(options: &FrozenOptions, level: &str) -> Comparison {
    let own = options.scope.partition_key.as_deref();
    let Some(own) = own.and_then(<[_]>::first) else {
        return Comparison::Absent;
    };
    let typed = serde_json::from_str(level).unwrap_or_else(|_| Value::from(level));
    if *own == typed {
        return Comparison::Same;
    }
    Comparison::Other(match own {
        Value::String(text) if serde_json::from_str::<Value>(text).is_err() => text.clone(),
        other => other.to_string(),
    })
}
