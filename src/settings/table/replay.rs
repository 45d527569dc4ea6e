//! What `replay` does.

use time::OffsetDateTime;

use crate::cli::Command;
use crate::cli::choices::{IdCollisions, InputForm, MissingKey, Mode, Ttl, TtlDeletes, WriteMode};
use crate::cli::location::Location;
use crate::cli::values::{self, Speed};
use crate::cosmos::max_ru::MaxRu;
use crate::feed::ChangeFeedStart;
use crate::schema::ColumnList;
use crate::settings::setting::{Form, Heading, Setting, settings};
use crate::settings::table::export::TIMES;
use crate::settings::value::{Value, choice, location, number, place, start, text, time_or_age};

const REPLAY: &[Command] = &[Command::Replay];
const REPLAY_OR_COMPARE: &[Command] = &[Command::Replay, Command::Compare];

settings! {
    SOURCES: Location = Setting::new("source", location("SOURCE"))
        .help(
            "Where the changes come from: directories written by `export`, files of JSON, Parquet, Arrow or CSV \
             from anywhere, `-` for standard input, or places of exports such as az://CONTAINER/orders/",
        )
        .details(
            "A directory is read in the order of its manifest, several sources one after the other. Arrays, \
             JSON lines, Parquet, Arrow, gzip, zstd, bzip2 and xz are recognized by the content of the file, CSV by its \
             name. The columns of an export's CSV are described in its state, which must be in its place.",
        )
        .form(Form::Arguments)
        .required_unless(&["from-container", "plan"])
        .of(REPLAY)
        .brief("Exports, files of JSON, CSV, Parquet or Arrow, or `-`");

    ONLY: String = Setting::new("only", text("NAME"))
        .help("Of a database, only these containers: a name, or a pattern with `*`; can be repeated")
        .form(Form::Values)
        .of(REPLAY_OR_COMPARE)
        .in_full();

    EXCLUDE: String = Setting::new("exclude", text("NAME"))
        .help("Of a database, all containers but these: a name, or a pattern with `*`; can be repeated")
        .form(Form::Values)
        .of(REPLAY_OR_COMPARE)
        .in_full();

    INPUT: InputForm = Setting::new("input", choice("FORM"))
        .help("What the sources hold, if they do not say so themselves")
        .details(
            "A change is an envelope, {\"current\":…,\"previous\":…,\"metadata\":…}. Exports say what they hold in \
             their manifest, files of `tail` in the state beside them, and dead letters and the changes of \
             --stdout in their first line. Nothing is inferred from a document: it may have any member.",
        )
        .described_default("what the source says; otherwise documents")
        .conflicts(&["from-container"])
        .of(REPLAY)
        .in_full();

    SOURCE_DELIMITER: char = Setting::new("delimiter", Value::new("CHARACTER", values::delimiter))
        .help("CSV that no export wrote: the delimiter between cells: one ASCII character, or `tab`")
        .details("Standard input is CSV if it is given.")
        .described_default("what the header shows: a comma, a semicolon, a tab or `|`")
        .conflicts(&["from-container"])
        .of(REPLAY)
        .in_full();

    SOURCE_TYPES: ColumnList = Setting::new("types", Value::new("LIST", values::by_type).with_hyphen())
        .help("CSV that no export wrote: the types of columns, such as total:double,paid:boolean,tags:json")
        .details(
            "All other columns are text. An empty cell is no member of the document.",
        )
        .conflicts(&["from-container"])
        .of(REPLAY)
        .in_full();

    TO_STDOUT: bool = Setting::switch("stdout")
        .help("Write the changes to standard output instead of a container")
        .details(
            "One per line, without system fields. Changes stay in their envelopes, below a line that says that \
             changes follow, so that `replay -` can read them.",
        )
        .conflicts(&[
            "create", "dry-run", "write-mode", "concurrency", "batch-size", "max-ru", "max-retries",
            "dead-letter", "max-errors", "state", "checkpoint-interval", "checkpoint-changes", "summary",
            "from-container", "source-profile", "from", "mode", "follow", "missing-key", "id-collisions",
        ])
        .of(REPLAY)
        .brief("Write to standard output instead");

    DRY_RUN: bool = Setting::switch("dry-run")
        .help("Report what would be created, replaced, deleted or left as it is, and write nothing")
        .details(
            "Each change is compared with the present document of the target, which costs a read, and with what \
             the changes before it would have left. Nothing is written: no document, no container, no file.",
        )
        .of(REPLAY)
        .brief("Report what would happen, write nothing");

    SINCE: OffsetDateTime = Setting::new("since", time_or_age())
        .help("Only changes made at this time or later; or at this age or younger, such as 10m")
        .details(TIMES)
        .conflicts(&["state"])
        .of(REPLAY)
        .brief("Only changes since this time, or age such as 10m");

    REPLAY_UNTIL: OffsetDateTime = Setting::new("until", time_or_age())
        .help("Only changes made at this time or earlier, or at this age or older")
        .details(
            "The time of a change is in its metadata, or it is the `_ts` of the document, in whole seconds; a \
             change without a time is refused.",
        )
        .conflicts(&["state"])
        .of(REPLAY)
        .in_full();

    SPEED: Speed = Setting::new("speed", Value::new("N", values::speed))
        .help("Apply changes at this multiple of the speed at which they were made: a number, or max")
        .details(
            "With 1, a change is applied as long after the first one as it was made after it, by the clock of \
             the source, in whole seconds; with 10, in a tenth of that time. A change made before the first, \
             or at an unknown time, directly follows the one before it. Changes are never applied early; late \
             ones are applied at once. Files are read one after the other, so ranges that changed at the same \
             time follow each other.",
        )
        .default("max")
        .conflicts(&["dry-run"])
        .of(REPLAY)
        .in_full();

    TRANSFORM: String = Setting::new("transform", text("PROGRAM"))
        .help("Write the output of this jq program for each document")
        .details(
            "The program gets the document as it is in the source, with its system fields, and returns one \
             object, which is written, or nothing (`empty`), which is counted as dropped; any other output is \
             refused. Numbers that it passes through keep their text. A deletion has no document: the program \
             gets an object with only the id and the partition key, and the deletion applies to the item that \
             it returns, or, if it returns none, to the item as it is. Documents of all-versions feeds whose \
             deletion would then miss them are refused.",
        )
        .frozen("transform")
        .of(REPLAY)
        .brief("Write what this jq program returns");

    CREATE: bool = Setting::switch("create")
        .help("Create the target container if it does not exist, by the definition of the source")
        .details(
            "The definition is in the `container.json` of an export, or that of the container of \
             --from-container: partition key, indexing policy, unique keys, time to live, and all else, \
             with its stored procedures, triggers and user-defined functions. Throughput is not asked for, \
             unless --throughput is given.",
        )
        .of(REPLAY)
        .brief("Create the target container");

    PARTITION_KEY_PATHS: String = Setting::new("partition-key", text("PATH"))
        .help(
            "Path of the new container's partition key, such as /customerId; once for each level of a \
             hierarchical key",
        )
        .details("The container is a plain one then: the definition of the source is not used.")
        .form(Form::Values)
        .requires("create")
        .of(REPLAY)
        .brief("Partition key of it, such as /customerId");

    THROUGHPUT: u64 = Setting::new("throughput", number("RU", values::long_whole::<400, { u64::MAX }>))
        .help("Throughput of the new container in RU/s")
        .described_default("the default of the account")
        .requires("create")
        .of(REPLAY)
        .in_full();

    FROM_CONTAINER: String = Setting::new("from-container", text("DATABASE/CONTAINER"))
        .help("Replay the feed of this container instead of files, such as shop/orders")
        .details(
            "It is in the account of the target, unless --source-profile names another. The replay ends once \
             the container has nothing newer. With `*` in the name of the container, as in 'shop/*', several are copied, each \
             to one of its own name.",
        )
        .of(REPLAY)
        .under(Heading::FromContainer)
        .brief("Replay the feed of this container, such as shop/orders");

    SOURCE_PROFILE: String = Setting::new("source-profile", text("NAME"))
        .help("Profile of the account of --from-container, or of --plan")
        .details(
            "Endpoint and credential come from the profile alone: the flags and the AZURE_COSMOS_… variables \
             for them apply to the target.",
        )
        .of(REPLAY)
        .under(Heading::FromContainer)
        .in_full();

    REPLAY_FROM: ChangeFeedStart = Setting::new("from", start())
        .help(
            "Where the feed starts: `beginning`, `now`, a time such as 2026-11-23, or an age such as 10m",
        )
        .details(TIMES)
        .described_default("beginning; with --mode all: now")
        .requires("from-container")
        .of(REPLAY)
        .under(Heading::FromContainer)
        .in_full();

    REPLAY_MODE: Mode = Setting::new("mode", choice("MODE"))
        .help("Which feed to read")
        .default("latest")
        .requires("from-container")
        .of(REPLAY)
        .under(Heading::FromContainer)
        .in_full();

    REPLAY_SNAPSHOT: bool = Setting::switch("snapshot")
        .help("With --mode all: all documents first, then every version and delete since the replay began")
        .details(
            "The feed of all versions is pinned before the first document is read, so nothing between is lost, and \
             what is deleted in the source meanwhile is deleted in the target. With --follow and --state it is a \
             migration of a container in use.",
        )
        .requires("from-container")
        .of(REPLAY)
        .under(Heading::FromContainer)
        .in_full();

    REPLAY_FOLLOW: bool = Setting::switch("follow")
        .help("Keep replaying new changes until stopped; a line is printed once all existing ones are applied")
        .requires("from-container")
        .of(REPLAY)
        .under(Heading::FromContainer)
        .short('f')
        .brief("Keep replaying new changes until stopped");

    WRITE_MODE: WriteMode = Setting::new("write-mode", choice("MODE"))
        .help("How to write a document whose id exists already")
        .default("upsert")
        .frozen("write_mode")
        .of(REPLAY)
        .under(Heading::Writing)
        .in_full();

    TTL_DELETES: TtlDeletes = Setting::new("ttl-deletes", choice("CHOICE"))
        .help("Whether deletions by time to live are applied")
        .default("apply")
        .frozen("ttl_deletes")
        .of(REPLAY)
        .under(Heading::Writing)
        .in_full();

    TTL: Ttl = Setting::new("ttl", choice("CHOICE"))
        .help("What becomes of the time to live of documents, which the service counts from their last write")
        .details(
            "The rest is counted from `_ts` and `ttl`, or the default of the container, as `container.json` \
             has it, to the time at which the file was exported; for a pipe, a container, and files of other \
             programs, to now. The program of --transform gets the document as it is then.",
        )
        .default("keep")
        .frozen("ttl")
        .of(REPLAY)
        .under(Heading::Writing)
        .in_full();

    MISSING_KEY: MissingKey = Setting::new("missing-key", choice("CHOICE"))
        .help("Whether to write documents without a value at the partition key of the target")
        .details(
            "The service keeps such documents; they are written like others. But if the source may have \
             another partition key, and none of the first 1,000 documents has a value, nothing is written: \
             the target is probably the wrong one.",
        )
        .described_default("write, unless no document has a value")
        .of(REPLAY)
        .under(Heading::Writing)
        .in_full();

    ID_COLLISIONS: IdCollisions = Setting::new("id-collisions", choice("CHOICE"))
        .help(
            "Whether a document may replace another one of the source that has the same id and partition key \
             in the target",
        )
        .details(
            "Documents of one id in different partitions meet if the target has another partition key, or \
             if --transform changes ids or keys. A run compares up to 3.6 million documents; the summary \
             counts those beyond them. If the partition key of the source is not known, documents are \
             distinguished by their `_rid`, and are only counted by default: a document that was deleted and \
             created again has another one, too.",
        )
        .described_default("refuse")
        .of(REPLAY)
        .under(Heading::Writing)
        .in_full();

    WRITES: u32 = Setting::new("concurrency", number("N", values::whole::<1, 1024>))
        .help("Writes in flight at the same time, each to a different partition key")
        .default("32")
        .of(REPLAY)
        .under(Heading::Writing)
        .in_full();

    BATCH_SIZE: u32 = Setting::new("batch-size", number("N", values::whole::<1, 100>))
        .help("Maximum number of documents of one partition key upserted in one request; 1 for no batches")
        .details(
            "Documents that are waiting are sent together, in a transaction: all of them or none. If the \
             service refuses the batch, each is written on its own.",
        )
        .default("100")
        .of(REPLAY)
        .under(Heading::Writing)
        .in_full();

    MAX_RU: MaxRu = Setting::new("max-ru", Value::new("RU", values::max_ru))
        .help(
            "Use at most this many RU/s, or this share of the target's throughput such as 20%; reading the source \
             counts too, if it is a container",
        )
        .details(
            "Measured by what the service charges. A share is one of what the target is provisioned with, of autoscale one \
             of the maximum; reading it takes an account key. Throttling by the service (429) slows the writes down with \
             and without a limit.",
        )
        .of(REPLAY)
        .under(Heading::Writing)
        .in_full();

    WRITE_RETRIES: u32 = Setting::new("max-retries", number("N", values::whole::<0, { u32::MAX }>))
        .help("How often a write is retried after an error of the service or the network")
        .details("Throttled writes (429) are retried until they succeed.")
        .default("15")
        .of(REPLAY)
        .under(Heading::Writing)
        .in_full();

    DEAD_LETTER: Location = Setting::new("dead-letter", place("FILE"))
        .help("Append changes that cannot be applied to this file, with the reason, and continue")
        .details(
            "One JSON object per line: reason, origin, and the change as `current`, `previous` and \
             `metadata`, so that the file can be replayed once the cause is fixed. A file that another process writes is \
             refused: each instance of a --group has one of its own. A place in an object store, such as \
             az://CONTAINER/letters/, gets an object for each commit that has some, and can be replayed too.",
        )
        .of(REPLAY)
        .under(Heading::Refusals)
        .brief("Keep changes that cannot be applied in this file");

    MAX_ERRORS: u64 = Setting::new("max-errors", number("N", values::long_whole::<0, { u64::MAX }>))
        .help("Stop when more than this many changes could not be applied")
        .described_default("0; with --dead-letter: no limit")
        .of(REPLAY)
        .under(Heading::Refusals)
        .in_full();
}
