//! What `export` and `schema` read instead of the feed.

use std::path::PathBuf;

use crate::cli::Command;
use crate::cli::values::query_parameter;
use crate::feed::QueryParameter;
use crate::settings::compare;
use crate::settings::setting::{Comparison, Form, Setting, settings};
use crate::settings::value::{Value, path, text};

const QUERIED: &[Command] = &[Command::Export, Command::Plan, Command::Schema];
/// Those that can read a single partition key: a plan has nothing to deal there.
const KEYED: &[Command] = &[Command::Export, Command::Schema];

settings! {
    QUERY: String = Setting::new("query", text("SQL"))
        .help("Read what this query selects, such as 'SELECT * FROM c WHERE c.total > @least', instead of the feed")
        .details(
            "Each range is queried by itself, so ORDER BY, GROUP BY, DISTINCT, TOP, OFFSET and aggregates are refused. \
             The result is not a snapshot: a document is as it was when its page was read. A `resume` continues an \
             interrupted query; one that has ended is not read further.",
        )
        .frozen("query")
        .compared(|frozen, query| {
            let own = frozen.options.query.as_ref().map(|own| own.text.clone());
            Comparison::of(own, query)
        })
        .of(QUERIED)
        .brief("Read what this query selects instead of the feed");

    QUERY_FILE: PathBuf = Setting::new("query-file", path("FILE"))
        .help("The same from a file")
        .conflicts(&["query"])
        .of(QUERIED)
        .in_full();

    PARAMETER: QueryParameter = Setting::new("parameter", Value::new("NAME=VALUE", query_parameter).with_hyphen())
        .help("The value of a parameter of the query; once for each")
        .details(
            "The value is JSON if it can be read as that, otherwise text: least=9000, since='\"2026\"' for the text 2026.",
        )
        .form(Form::Values)
        .of(QUERIED)
        .in_full();

    QUERY_KEY: String = Setting::new("partition-key", text("VALUE"))
        .help("Query only this partition key; once for each level of a hierarchical key")
        .details("Text, or JSON for a key that is not text: 42, true, null, or \"42\" for the text 42.")
        .form(Form::Values)
        .frozen("scope")
        .compared(|frozen, level| compare::partition_key(frozen.options, level))
        .of(KEYED)
        .in_full();

    MASKED: bool = Setting::switch("masked")
        .help("Export masked values where the container masks some and this credential may not see them")
        .details(
            "Without it such an export is refused, since it would be a wrong backup. The state, the manifest and the \
             summary say that values are masked, `verify` prints it, and `replay` refuses the files.",
        )
        .frozen("masked")
        .compared(|frozen, _| compare::switch(frozen.options.masked))
        .of(QUERIED)
        .in_full();
}
