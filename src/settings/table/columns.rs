//! The columns of CSV, Parquet and Arrow.

use crate::cli::Command;
use crate::cli::choices::{SchemaSource, SystemFields};
use crate::cli::location::Location;
use crate::cli::values::{self, choice_name};
use crate::feed::ChangeFeedStart;
use crate::format::Extra;
use crate::schema::{ColumnList, SampleSize};
use crate::settings::compare;
use crate::settings::setting::{Comparison, Heading, Setting, settings};
use crate::settings::table::export::TIMES;
use crate::settings::value::{Value, choice, location, place, start};

const PLANNERS: &[Command] = &[Command::Export, Command::Plan, Command::Schema];

settings! {
    SCHEMA_FROM: ChangeFeedStart = Setting::new("from", start())
        .help("Where to start: `beginning`, a time such as 2026-11-23, or an age such as 10m")
        .details(TIMES)
        .default("beginning")
        .of(&[Command::Schema])
        .brief("Start: `beginning`, a time, or an age such as 10m");

    SCHEMA_OUTPUT: Location = Setting::new("output", location("FILE"))
        .help(
            "Write the columns to this file, or to an object such as s3://BUCKET/columns.txt, instead of standard output; what \
             exists is never replaced",
        )
        .short('o')
        .conflicts(&["diff", "arrow"])
        .of(&[Command::Schema])
        .brief("Write the columns to a file or an object");

    SCHEMA: SchemaSource = Setting::new("schema", Value::new("infer|raw|FILE", values::schema_source))
        .help(
            "`infer` the columns from a sample, read them from a FILE as `schema` prints it, or write the \
             `raw` document as one column of JSON, beside its id and partition key",
        )
        .details(
            "Values that fit no column are kept in the column `_extra`, as JSON. The columns stay the same \
             as long as the export lives, across every `resume`. A FILE can be an object, such as \
             az://CONTAINER/columns.txt.",
        )
        .default("infer")
        .conflicts(&["columns"])
        .frozen("layout")
        .compared(|frozen, schema| compare::schema(frozen.options, schema))
        .of(&[Command::Export, Command::Plan])
        .under(Heading::Columns)
        .brief("`infer` the columns, read them from a FILE, or write `raw` documents");

    COLUMNS: ColumnList = Setting::new("columns", Value::new("LIST", values::by_type).with_hyphen())
        .help("The columns, such as id,customer.name,total:double; types that are left out are inferred")
        .details("A column without a value in any document is one of JSON.")
        .frozen("layout")
        .compared(|frozen, columns| compare::columns(frozen.options, columns))
        .of(PLANNERS)
        .under(Heading::Columns)
        .brief("Columns, such as id,customer.name,total:double");

    SAMPLE: SampleSize = Setting::new("sample", Value::new("N|all", values::sample))
        .help("Infer columns from this many pages of every range, or from `all` documents")
        .described_default("2, of at most 100 ranges")
        .frozen("inference")
        .compared(|frozen, sample| {
            let inference = frozen.options.inference.as_ref();
            let own = inference.and_then(|inference| inference.sample);
            Comparison::of(own.map(compare::sample), &compare::sample(*sample))
        })
        .of(PLANNERS)
        .under(Heading::Columns)
        .in_full_of(&[Command::Export, Command::Plan])
        .brief("Infer columns from this many pages of each range");

    DETECT_TIMESTAMPS: bool = Setting::switch("detect-timestamps")
        .help("Make timestamps of fields whose values are ISO 8601 times in UTC, in one form")
        .frozen("inference")
        .compared(|frozen, _| {
            let inference = frozen.options.inference.as_ref();
            compare::switch(inference.is_some_and(|inference| inference.detect_timestamps))
        })
        .of(PLANNERS)
        .under(Heading::Columns)
        .in_full_of(&[Command::Export, Command::Plan])
        .brief("Make timestamps of ISO 8601 times");

    STRICT_TYPES: bool = Setting::switch("strict-types")
        .help("Make columns of JSON of fields whose values have several types")
        .details(
            "Without it, the type that at least 95 % of the values of the sample have decides; the others are \
             kept in the column `_extra`.",
        )
        .frozen("inference")
        .compared(|frozen, _| {
            let inference = frozen.options.inference.as_ref();
            compare::switch(inference.is_some_and(|inference| !inference.by_majority))
        })
        .of(PLANNERS)
        .under(Heading::Columns)
        .in_full_of(&[Command::Export, Command::Plan])
        .brief("Make JSON of fields with several types");

    EXTRA: Extra = Setting::new("extra", choice("WHAT"))
        .help("What to do with values that fit no column: `keep` them in `_extra`, `drop` them, or `fail`")
        .details(
            "With `fail` the export stops at the first document that has one, with exit code 3: `resume --widen` adds \
             columns, and `resume --extra keep` continues without them. The summary counts the documents of `drop`.",
        )
        .described_default("keep")
        .kept("extra", |settings, extra| settings.extra = Some(extra))
        .of(&[Command::Export, Command::Resume])
        .under(Heading::Columns)
        .in_full();

    DIFF: Location = Setting::new("diff", place("PLACE"))
        .help("Print what documents have that the columns of PLACE do not hold: a file of columns, or an export")
        .details(
            "PLACE is the directory of an export, its first file, its state, or a file of columns as `schema` prints \
             them; in an object store, the address of any of them but the second. An export names the container itself. The sample is what changed since the export began and \
             since its last commit, beside the oldest documents.",
        )
        .conflicts(&["columns", "from"])
        .of(&[Command::Schema])
        .under(Heading::Columns)
        .brief("Compare the documents with the columns of an export or a file");

    SCHEMA_PLAN: Location = Setting::new("plan", location("FILE"))
        .help("Print the columns of this plan instead, or of the one on standard input if FILE is `-`")
        .conflicts(&["columns", "from", "diff", "query", "query-file", "sample", "detect-timestamps", "strict-types"])
        .of(&[Command::Schema])
        .under(Heading::Columns)
        .brief("Print the columns of a plan instead");

    AS_ARROW: bool = Setting::switch("arrow")
        .help("Print the schema of the files, with all columns, as an Arrow stream without rows, for programs")
        .requires("plan")
        .of(&[Command::Schema])
        .under(Heading::Columns)
        .in_full();

    WIDEN: bool = Setting::switch("widen")
        .help("Add columns for what a sample of the documents has beside the columns of the export")
        .details(
            "New files have the new columns after the others; existing files stay as they are. The name, the type and \
             the place of a column never change. `schema --diff` prints what would be added.",
        )
        .of(&[Command::Resume])
        .under(Heading::Columns)
        .brief("Add columns for new fields to new files");

    SYSTEM_FIELDS: SystemFields = Setting::new("system-fields", choice("WHAT"))
        .help(
            "Whether to keep the fields that the service adds to each document: _ts, _etag, _rid, _lsn, _self \
             and _attachments",
        )
        .default("keep")
        .frozen("inference")
        .compared(|frozen, system_fields| {
            let own = compare::system_fields(frozen.options);
            Comparison::of(own, &choice_name(system_fields))
        })
        .of(PLANNERS)
        .under(Heading::Columns)
        .in_full_of(&[Command::Export, Command::Plan])
        .brief("What to do with _ts, _etag, _rid and the like");
}
