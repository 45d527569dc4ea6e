//! What `compare` does.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Command;
use crate::cli::choices::{InputForm, Mode};
use crate::cli::location::Location;
use crate::cli::values;
use crate::cosmos::max_ru::MaxRu;
use crate::schema::ColumnList;
use crate::settings::setting::{Form, Heading, Setting, settings};
use crate::settings::value::{Value, bytes, choice, duration, location, number, path, text};

const COMPARE: &[Command] = &[Command::Compare];

settings! {
    COMPARED: Location = Setting::new("source", location("SOURCE"))
        .help(
            "The source: directories written by `export`, files of JSON, Parquet, Arrow or CSV from anywhere, or places of \
             exports such as az://CONTAINER/orders/",
        )
        .details(
            "Several are one side, read in their order: of several versions of a document the last one counts. The directory \
             of `export --all-containers` is a database: each of its containers is compared with that of its name.",
        )
        .form(Form::Arguments)
        .required_unless(&["from-container"])
        .of(COMPARE)
        .brief("The source: exports, or files of documents");

    COMPARED_WITH: Location = Setting::new("with", location("TARGET"))
        .help("The target: an export or files, as for the source, instead of a container")
        .form(Form::Values)
        .of(COMPARE)
        .brief("The target: an export instead of a container");

    COMPARED_CONTAINER: String = Setting::new("from-container", text("DATABASE/CONTAINER"))
        .help("The source: this container, such as shop/orders")
        .details(
            "It is in the account of the target, unless --source-profile names another. With `*` it is several: 'shop/*' \
             compares each container of the database with that of its name.",
        )
        .conflicts(&["source"])
        .of(COMPARE)
        .brief("The source: this container, such as shop/orders");

    COMPARED_PROFILE: String = Setting::new("source-profile", text("NAME"))
        .help("Profile of the account of --from-container")
        .details(
            "Endpoint and credential come from the profile alone: the flags and the AZURE_COSMOS_… variables \
             for them apply to the target.",
        )
        .requires("from-container")
        .of(COMPARE)
        .in_full();

    COMPARED_INPUT: InputForm = Setting::new("input", choice("FORM"))
        .help("What the files hold, if they do not say so themselves")
        .described_default("what the file says; otherwise documents")
        .of(COMPARE)
        .in_full();

    COMPARED_DELIMITER: char = Setting::new("delimiter", Value::new("CHARACTER", values::delimiter))
        .help("CSV that no export wrote: the delimiter between cells: one ASCII character, or `tab`")
        .described_default("what the header shows: a comma, a semicolon, a tab or `|`")
        .of(COMPARE)
        .in_full();

    COMPARED_TYPES: ColumnList = Setting::new("types", Value::new("LIST", values::by_type).with_hyphen())
        .help("CSV that no export wrote: the types of columns, such as total:double,paid:boolean,tags:json")
        .details("All other columns are text. An empty cell is no member of the document.")
        .of(COMPARE)
        .in_full();

    COMPARED_KEY: String = Setting::new("partition-key", text("PATH"))
        .help(
            "Path of the partition key, such as /customerId, if neither side says it; once for each level of a \
             hierarchical key",
        )
        .form(Form::Values)
        .of(COMPARE)
        .in_full();

    COMPARED_PROGRAM: String = Setting::new("transform", text("PROGRAM"))
        .help("Compare the output of this jq program for each document of the source, as `replay` would write it")
        .of(COMPARE)
        .brief("Compare what this jq program makes of the source");

    IGNORE: String = Setting::new("ignore", Value::new("PATH", values::member_path))
        .help("Do not compare this member, such as /importedAt or /address/geo; can be repeated")
        .details("On its way a path goes through arrays: /lines/price is that member of each element.")
        .form(Form::Values)
        .of(COMPARE)
        .brief("Do not compare this member, such as /importedAt");

    EXACT: bool = Setting::switch("exact")
        .help("Documents are the same only if their text is: the order of members, and how numbers are written")
        .details("System fields are left out all the same, and so is whitespace between the members.")
        .of(COMPARE)
        .brief("Compare text, not content");

    COMPARED_BYTES: bool = Setting::switch("bytes")
        .help("Compare the documents themselves, not their hashes")
        .details(
            "Both sides are read once more for each share of the documents that --memory has space for. Hashes of 128 bits with \
             random keys miss a difference with a probability of 2^-128.",
        )
        .conflicts(&["follow"])
        .of(COMPARE)
        .in_full();

    DIFFERENCES: Location = Setting::new("report", location("FILE"))
        .help("Write a line of JSON for each difference to this file, or to `-`, standard output")
        .details(
            "A line has the kind (missing, extra or different), the partition key, the id, the versions, and the paths at \
             which the documents differ.",
        )
        .of(COMPARE)
        .brief("Write a line of JSON for each difference");

    VALUES: bool = Setting::switch("values")
        .help("The report has the values that differ too, and the documents that one side does not have")
        .requires("report")
        .of(COMPARE)
        .in_full();

    MAX_DIFFERENCES: u64 = Setting::new("max-differences", number("N", values::long_whole::<1, { u64::MAX }>))
        .help("Documents in the report; the others are only counted")
        .default("10000")
        .of(COMPARE)
        .in_full();

    COMPARED_REPAIR: PathBuf = Setting::new("repair-to", path("DIR"))
        .help("Write the documents that are missing or different, as the source has them, to documents.jsonl in this directory")
        .details(
            "`replay DIR/documents.jsonl` then writes them to the target: nothing is repaired before that. The directory \
             must be new or empty.",
        )
        .of(COMPARE)
        .brief("Write what a replay needs to repair the target");

    COMPARED_REPAIR_DELETE: bool = Setting::switch("repair-delete")
        .help("Write changes that delete the documents that only the target has, to deletes.jsonl beside it")
        .details("They are applied only by a replay of that file.")
        .requires("repair-to")
        .of(COMPARE)
        .in_full();

    COMPARED_SETTLE: Duration = Setting::new("settle", duration())
        .help("How long a document must have been different, without a change, to count as different")
        .details(
            "Only if a side is a container, which may be written to meanwhile: what differs is read again until it is the \
             same, or has stayed as it is for this time. What still changes after four times this time is said to be \
             changing. With 0s, documents are compared as they were read.",
        )
        .default("30s")
        .of(COMPARE)
        .brief("How long a difference must stay to count");

    COMPARED_FOLLOW: bool = Setting::switch("follow")
        .help("Of two containers: go on as both change, until stopped; the exit code is that of the last verdict")
        .details(
            "Both feeds are followed from a moment before the first document is read. What changes or differs is looked at \
             until it is the same on both sides, and a line says what is known, and as of when.",
        )
        .short('f')
        .of(COMPARE)
        .brief("Go on as both containers change, until stopped");

    UNTIL_SAME: bool = Setting::switch("until-same")
        .help("End with exit code 0 once both sides are the same, and nothing has changed for --settle")
        .details(
            "Unless the feeds say what is deleted (--mode all), both sides are read once more before that.",
        )
        .requires("follow")
        .of(COMPARE)
        .in_full();

    COMPARED_MODE: Mode = Setting::new("mode", choice("MODE"))
        .help("Which feed is followed: only that of all versions says what is deleted")
        .default("latest")
        .requires("follow")
        .of(COMPARE)
        .in_full();

    MEMORY: u64 = Setting::new("memory", bytes())
        .help("Memory for comparing")
        .details(
            "If more documents differ than it has space for, the ranges that differ are read several times.",
        )
        .default("128MiB")
        .of(COMPARE)
        .in_full();

    COMPARE_MAX_RU: MaxRu = Setting::new("max-ru", Value::new("RU", values::max_ru))
        .help("Use at most this many RU/s for each side, or this share of its throughput such as 20%")
        .of(COMPARE)
        .under(Heading::Reading)
        .in_full();

    SOURCE_MAX_RU: MaxRu = Setting::new("source-max-ru", Value::new("RU", values::max_ru))
        .help("The same for the source alone")
        .described_default("that of --max-ru")
        .requires("from-container")
        .of(COMPARE)
        .under(Heading::Reading)
        .in_full();
}
